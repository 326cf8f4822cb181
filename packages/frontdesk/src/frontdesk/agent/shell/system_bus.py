"""The machine's bus, and the services on it that tell about the machine: met when they appear, missed when they go.

Nobody is started for our sake, and nobody is asked twice without a reason: what changes is told by signals.
"""

import asyncio
import logging
import os
import random
from collections.abc import Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from dbus_fast import Message, MessageType

from frontdesk.agent.core.backoff import Backoff
from frontdesk.agent.shell import dbus_calls
from frontdesk.agent.shell.dbus_calls import BUS, CallFailed, FileBus, NoBus
from frontdesk.agent.shell.desk_log import write_down

log = logging.getLogger("frontdesk.conditions")

TRIES = 6
"""Attempts to reach a bus that went; after them it is tried when the desk is awake anyway (``refresh``)."""
TRY_FIRST, TRY_MOST = 1.0, 30.0
"""Longest pause in seconds after the first failed attempt, and after many."""

_USUAL = Path("/run/dbus/system_bus_socket")


def address() -> str:
    """Of the machine's bus: as told, else where it usually is; empty when there is none."""
    told = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS", "")
    return told or (f"unix:path={_USUAL}" if _USUAL.exists() else "")


class SystemService(Protocol):
    """Somebody on the bus, as far as the desk is concerned with it."""

    @property
    def name(self) -> str:
        """Its well-known name."""

    @property
    def signals(self) -> tuple[str, ...]:
        """What of its signals to pass on, as match rules (D-Bus specification) without type and sender."""

    async def serve(self, bus: FileBus) -> None:
        """Work with it until cancelled, which says that it is gone."""

    def heard(self, signal: Message) -> None:
        """A signal from whoever has the name now."""

    def refresh(self) -> None:
        """The desk is awake anyway: the time for what failed and nobody will tell about."""


class SystemBus:
    """Keeps a connection for these services, and each of them at work while it is there."""

    def __init__(self, services: Sequence[SystemService]) -> None:
        self.looked = asyncio.Event()
        """Set once it is known whether there is a bus, and which of the services are there."""
        self._services = services
        self._owners: dict[str, str] = {}
        """Who has each name now, and whose word is taken: "" nobody; not there: not known yet."""
        self._serving: dict[SystemService, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._pauses = Backoff(TRY_FIRST, TRY_MOST)
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled, on one bus after another."""
        while True:
            try:
                bus = await dbus_calls.connect_for_files(address(), "system")
            except NoBus as reason:
                log.info("%s; what the kernel tells has to do.", reason)
            else:
                self._pauses.succeeded()
                await self._work(bus)
                self._pauses.failed(0.0)
            self.looked.set()
            await self._rest()

    def has(self, service: SystemService) -> bool:
        """It is there."""
        return service in self._serving

    def refresh(self) -> None:
        """The desk is awake anyway: look for a bus that was not there, and at what could not be read."""
        self._wake.set()
        for service in self._serving:
            service.refresh()

    # --- one bus --------------------------------------------------------------------------------------------------

    async def _work(self, bus: FileBus) -> None:
        """Until it is gone."""
        gone = asyncio.ensure_future(bus.wait_for_disconnect())  # type: ignore[no-untyped-call]

        def heard(message: Message) -> None:
            self._on_message(bus, message)

        bus.add_message_handler(heard)
        try:
            # All at once: one after another they are twenty answers to wait for, at login, when everybody is busy.
            # No TaskGroup: once a task of it failed, this one stays marked as cancelled, and on Python 3.11.2, which
            # Debian 12 has, the end of the pause before the next attempt would then be the end of all attempts.
            await _all_of(dbus_calls.hear(bus, rule) for rule in self._rules())
            await _all_of(self._look_for(bus, name) for name in self._names())
            self.looked.set()
            await asyncio.wait([gone])
            log.warning("The system bus is gone; what the kernel tells has to do until it is back.")
        except CallFailed as failed:
            log.warning("The system bus is of no use (%s); what the kernel tells has to do.", failed)
        finally:
            gone.cancel()
            bus.remove_message_handler(heard)  # what is on its way would have somebody served on a bus that is gone
            bus.disconnect()
            for name in list(self._owners):
                self._owner_is(bus, name, "")
            self._owners.clear()
            await asyncio.gather(*self._ending, gone, return_exceptions=True)

    def _names(self) -> list[str]:
        return list(dict.fromkeys(service.name for service in self._services))

    def _rules(self) -> list[str]:
        """Who has a name comes last: whoever is served from then on is heard from the beginning."""
        told = [f"sender='{service.name}',{rule}" for service in self._services for rule in service.signals]
        owners = [f"sender='{BUS}',member='NameOwnerChanged',arg0='{name}'" for name in self._names()]
        return [f"type='signal',{rule}" for rule in (*told, *owners)]

    async def _look_for(self, bus: FileBus, name: str) -> None:
        try:
            owner = await dbus_calls.owner(bus, name)
        except CallFailed:
            owner = ""
        if name not in self._owners:  # what was told meanwhile is newer
            self._owner_is(bus, name, owner)

    def _on_message(self, bus: FileBus, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        if message.sender == BUS:
            if message.member == "NameOwnerChanged" and message.signature == "sss":
                self._owner_is(bus, message.body[0], message.body[2])
            return
        for service in self._serving:
            if message.sender == self._owners.get(service.name):
                service.heard(message)

    def _owner_is(self, bus: FileBus, name: str, owner: str) -> None:
        """Whoever had the name before is served no more, and who has it now from the beginning."""
        before, self._owners[name] = self._owners.get(name, ""), owner
        if owner == before:
            return
        for service in self._services:
            if service.name == name:
                served = self._serving.pop(service, None)
                if served is not None:
                    served.cancel()
                    self._ending.add(served)
                    served.add_done_callback(self._ending.discard)
                if owner:
                    self._serving[service] = asyncio.ensure_future(self._serve(bus, service, served))

    async def _serve(self, bus: FileBus, service: SystemService, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        try:
            await service.serve(bus)
        except Exception as error:  # noqa: BLE001 - what a service may answer must not end the desk
            log.error("What %s says could not be taken (%r); it counts as not there.", service.name, error)
            write_down(error)

    # --- none -----------------------------------------------------------------------------------------------------

    async def _rest(self) -> None:
        """Without a bus: after a loss for a while by a timer, then until somebody is awake anyway."""
        trying = 0 < self._pauses.failures <= TRIES
        pause = self._pauses.failed(random.random()) if trying else None
        self._wake.clear()
        try:
            async with asyncio.timeout(pause):
                await self._wake.wait()
        except TimeoutError:
            return  # it is time


async def _all_of(asking: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Until each has its answer; then raises what the first that failed has raised."""
    for failed in await asyncio.gather(*asking, return_exceptions=True):
        if isinstance(failed, BaseException):
            raise failed
