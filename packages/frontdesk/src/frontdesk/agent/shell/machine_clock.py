"""Tells the core what happens to the machine's clocks: the wall clock set, another time zone, a sleep over (S07)."""

import asyncio
import logging
import math
import os
import time
from collections.abc import Callable

from frontdesk.agent.core import events as ev
from frontdesk.agent.shell import timerfd
from frontdesk.agent.shell.clock import Clock

log = logging.getLogger("frontdesk.conditions")

SET_LEAST = 0.5
"""Seconds from which on the wall clock counts as set; time servers move it by less all day."""


class MachineClock:
    """Posts ``WallClock``, and after a sleep ``TimePassed``: how long it was, the loop asks ahead of any batch.

    Told from here, a sleep would be handled after what came before it in its batch: an alarm that rang as the machine
    woke, and all that slept with the machine would be found to be too late.
    """

    def __init__(self, clock: Clock, post: Callable[[ev.Event], None]) -> None:
        self._clock, self._post = clock, post
        self._told: ev.WallClock | None = None
        self._file = -1

    def start(self) -> None:
        """Tell how the clocks stand, and listen from here on."""
        self._file = timerfd.create(time.CLOCK_REALTIME)
        try:
            self._listen()
        except OSError as error:  # a sandbox that plays the kernel, and not all of it
            log.info("Nobody tells when the wall clock is set (%s); it is looked at when the desk is awake.", error)
            self.close()
        else:
            asyncio.get_running_loop().add_reader(self._file, self._was_set)
        self.refresh()

    def close(self) -> None:
        if self._file >= 0:
            asyncio.get_running_loop().remove_reader(self._file)
            os.close(self._file)
            self._file = -1

    def refresh(self) -> None:
        """The desk is awake anyway: look. Nobody tells of another time zone, or of summer time."""
        time.tzset()  # else the zone would be what it was when this process began
        now = ev.WallClock(self._clock.ahead(), float(time.localtime().tm_gmtoff))
        before = self._told
        if before is None or abs(before.ahead - now.ahead) >= SET_LEAST or before.utc_offset != now.utc_offset:
            self._told = now
            self._post(now)

    def awake_again(self) -> None:
        """A sleep that was announced is over; it may have come to nothing."""
        self._post(ev.TimePassed())
        self.refresh()

    def _listen(self) -> None:
        timerfd.arm(self._file, math.inf, timerfd.CANCEL_ON_SET)

    def _was_set(self) -> None:
        try:
            timerfd.rang(self._file)
        except timerfd.ClockSet:
            self._listen()
            self._post(ev.TimePassed())  # a sleep sets it too
        self.refresh()
