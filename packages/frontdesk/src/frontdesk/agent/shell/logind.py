"""logind: whether anybody uses the machine, when it goes to sleep, and holding that up while guarded work is open.

org.freedesktop.login1(5). What the person does at the machine is told by its seat. Where there is none, the manager's
hint has to do; that one is also kept from idle by every lock on it, our own included, so there none is taken.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping

from dbus_fast import Message

from frontdesk.agent.core import events as ev
from frontdesk.agent.shell import dbus_calls
from frontdesk.agent.shell.dbus_calls import CallFailed, FileBus
from frontdesk.agent.shell.service_properties import Facts, Said
from frontdesk.terms import Condition

log = logging.getLogger("frontdesk.conditions")

_NAME, _MANAGER, _SEAT = "org.freedesktop.login1", "/org/freedesktop/login1", "/org/freedesktop/login1/seat/seat0"
_INTERFACE = f"{_NAME}.Manager"
_WHY_MOST = 200
"""Characters of the reason that a person is shown; an app names its work as it likes."""


def _means(said: Mapping[str, Said]) -> dict[Condition, str]:
    idle = said[_SEAT].truth("IdleHint")
    if idle is None:
        idle = said[_MANAGER].truth("IdleHint")
    return {} if idle is None else {Condition.IDLE: "yes" if idle else "no"}


LOGIND = Facts(
    name=_NAME,
    source="logind",
    objects={_SEAT: f"{_NAME}.Seat", _MANAGER: _INTERFACE},
    follows=frozenset({"IdleHint"}),
    conditions=(Condition.IDLE,),
    means=_means,
)


class MachineSleep:
    """A ``SystemService``: tells of sleep that comes and is over, and holds locks against it.

    Sleep is only put off, for as long as logind lets anybody do so (``InhibitDelayMaxSec``, 5 s): a person who closes
    the lid gets it. That an idle machine goes to sleep is held off for as long as the work takes.
    """

    name = _NAME
    signals = (f"interface='{_INTERFACE}',member='PrepareForSleep',path='{_MANAGER}'",)

    def __init__(self, post: Callable[[ev.Event], None], awake_again: Callable[[], None]) -> None:
        self._post = post
        self._awake_again = awake_again
        self._coming = False
        self._why = ""
        self._wanted = False
        self._changed = asyncio.Event()
        self._held: dict[str, int] = {}
        """Open files: a lock is held as long as its file is."""

    def inhibit(self, on: bool, why: str) -> None:
        """Never waits; where there is no logind, it is done when one appears."""
        self._wanted, self._why = on, why
        if not on:
            self._release()
        self._changed.set()

    async def serve(self, bus: FileBus) -> None:
        try:
            while True:
                self._changed.clear()
                await self._hold(bus)
                await self._changed.wait()
        finally:
            self._release()
            if self._coming:
                self._is_over()

    def heard(self, signal: Message) -> None:
        if signal.member != "PrepareForSleep" or signal.signature != "b":
            return
        if signal.body[0]:
            self._coming = True
            self._post(ev.SleepComing())
        else:
            self._is_over()

    def refresh(self) -> None:
        """A lock that was refused, or did not come in time, is asked for again."""
        if self._wanted and not self._held:
            self._changed.set()

    def _is_over(self) -> None:
        self._coming = False
        self._awake_again()

    async def _hold(self, bus: FileBus) -> None:
        if not self._wanted:
            return
        await self._take(bus, "sleep", "delay")
        try:
            await dbus_calls.properties(bus, _NAME, _SEAT, f"{_NAME}.Seat")
        except CallFailed:
            return  # there is no seat
        await self._take(bus, "idle", "block")

    async def _take(self, bus: FileBus, what: str, mode: str) -> None:
        if not self._wanted or what in self._held:
            return
        why = dbus_calls.sendable(self._why)[:_WHY_MOST]
        arguments = [what, "frontdesk", why or "An app finishes what it began", mode]
        try:
            lock = await dbus_calls.call_for_file(
                bus, _NAME, _MANAGER, "Inhibit", "ssss", arguments, interface=_INTERFACE
            )
        except CallFailed as refused:
            log.info("%s cannot be held off (%s); work goes on, and may be cut short by it.", what, refused)
            return
        if self._wanted:
            self._held[what] = lock
        else:
            os.close(lock)  # the work was done before logind answered

    def _release(self) -> None:
        held, self._held = self._held, {}
        for lock in held.values():
            os.close(lock)
