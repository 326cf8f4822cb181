"""The desk's clock: seconds since 1970 that never jump while the desk lives, whatever is done to the wall clock."""

import asyncio
import os
import time
from collections.abc import Callable

from frontdesk.agent.shell import timerfd

SLEPT_LEAST = 1.0
"""Seconds from which on it is said that the machine slept; the two clocks that tell are not read in one moment."""


def _with_sleep() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock:
    """Wall time at the start of the desk plus time since then, a sleeping machine's time included.

    ``with_sleep`` and ``without`` are the clocks of the machine that count its sleep, and do not.
    """

    def __init__(
        self, with_sleep: Callable[[], float] = _with_sleep, without: Callable[[], float] = time.monotonic
    ) -> None:
        self._with_sleep, self._without = with_sleep, without
        self._offset = time.time() - with_sleep()
        self._asleep = with_sleep() - without()

    def now(self) -> float:
        return self._offset + self._with_sleep()

    def slept(self) -> float:
        """Seconds that the machine slept since this was asked, whoever asked: nobody else is told of them again."""
        asleep = self._with_sleep() - self._without()
        slept = asleep - self._asleep
        if slept < SLEPT_LEAST:
            return 0.0
        self._asleep = asleep
        return slept

    def ahead(self) -> float:
        """Seconds that the wall clock is ahead of this one: it was set since, or (less than 0) set back."""
        return time.time() - self.now()

    def alarm(self, ring: Callable[[], None]) -> "Alarm":
        return Alarm(self, ring)

    def since_boot(self, moment: float) -> float:
        """The same moment on the clock of the machine that counts its sleep."""
        return moment - self._offset


class Alarm:
    """Calls ``ring`` once when the moment comes; when it passes while the machine sleeps, as soon as that is awake.

    The timers of asyncio stand still with the machine and would be late by the whole sleep.
    """

    def __init__(self, clock: Clock, ring: Callable[[], None]) -> None:
        self._clock, self._ring = clock, ring
        self._at: float | None = None
        self._file = timerfd.create(time.CLOCK_BOOTTIME)
        asyncio.get_running_loop().add_reader(self._file, self._told)

    def set(self, at: float | None) -> None:
        """Ring at this moment of the desk's clock, in place of any other; None: not at all."""
        if at != self._at and self._file >= 0:
            self._at = at
            timerfd.arm(self._file, self._clock.since_boot(at) if at is not None else None)

    def close(self) -> None:
        if self._file >= 0:
            asyncio.get_running_loop().remove_reader(self._file)
            os.close(self._file)
            self._file = -1

    def _told(self) -> None:
        if timerfd.rang(self._file):
            self._at = None
            self._ring()


def boot_id() -> str:
    """Another one after every boot: process ids of an earlier boot name nobody."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()
