"""What a service of the machine's bus says in its properties: read when it appears, again when it says they changed."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from dbus_fast import Message
from dbus_fast.aio import MessageBus

from frontdesk.agent.shell import dbus_calls
from frontdesk.agent.shell.dbus_calls import PROPERTIES, CallFailed
from frontdesk.terms import Condition

log = logging.getLogger("frontdesk.conditions")

Tell = Callable[[str, Condition, str], None]
"""Takes the name of a source and its word on a condition; "" is none."""


class Said:
    """Properties as told. What is not there, or not of its type, reads as None; of the latter ``wrong`` tells."""

    def __init__(self, properties: Mapping[str, Any]) -> None:
        self.wrong: list[str] = []
        self._properties = properties

    def truth(self, name: str) -> bool | None:
        value = self._properties.get(name)
        if isinstance(value, bool):
            return value
        self._not_so(name, "yes or no")
        return None

    def whole(self, name: str) -> int | None:
        value = self._properties.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        self._not_so(name, "a whole number")
        return None

    def percent(self, name: str) -> int | None:
        """Rounded."""
        value = self._properties.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100:
            return round(value)
        self._not_so(name, "between 0 and 100")
        return None

    def text(self, name: str) -> str | None:
        value = self._properties.get(name)
        if isinstance(value, str):
            return value
        self._not_so(name, "a text")
        return None

    def _not_so(self, name: str, due: str) -> None:
        """None, and a word about it where there was something."""
        if name in self._properties:
            self.wrong.append(f"{name} is {self._properties[name]!r:.60}, not {due}")


class Facts(NamedTuple):
    """What to read of whom, and what it means."""

    name: str
    """The service's well-known name."""
    source: str
    """How a person knows it."""
    objects: Mapping[str, str]
    """Paths, and the interface of each that is read."""
    follows: frozenset[str]
    """The properties that matter."""
    conditions: tuple[Condition, ...]
    means: Callable[[Mapping[str, Said]], dict[Condition, str]]
    """What follows for the conditions, from what was said by path; what is left out nobody can tell."""


class StandIn(Protocol):
    """Tells about some of the service's conditions while it does not."""

    @property
    def for_condition(self) -> Condition:
        """The one that decides: while the service has a word on it, the stand-in does not look."""

    def start(self) -> None:
        """Tell how it stands and what changes. Nothing happens where it does so already."""

    def stop(self) -> None:
        """Look no more, and take back what was told."""


class ServiceProperties:
    """A ``SystemService`` that is read and followed. ``stand_in`` works while there is no such word from it."""

    def __init__(self, facts: Facts, tell: Tell, stand_in: StandIn | None = None) -> None:
        self.name = facts.name
        self.signals = tuple(
            f"interface='{PROPERTIES}',member='PropertiesChanged',path='{path}',arg0='{interface}'"
            for path, interface in facts.objects.items()
        )
        self.read = asyncio.Event()
        """Set when it has been read since it appeared, with or without success."""
        self._facts = facts
        self._tell = tell
        self._stand_in = stand_in
        self._changed = asyncio.Event()
        self._failed = False
        """Something of it could not be read the last time; that it is there now, nobody tells."""
        self._complaints: set[str] = set()

    def not_waited_for(self) -> None:
        """The desk goes on: until the service has been read, what it would tell is its stand-in's to tell."""
        if self._stand_in is not None and not self.read.is_set():
            self._stand_in.start()

    async def serve(self, bus: MessageBus) -> None:
        try:
            while True:
                self._changed.clear()
                await self._look(bus)
                self.read.set()
                await self._changed.wait()
        finally:
            self.read.clear()
            self._nothing_known()

    def heard(self, signal: Message) -> None:
        if signal.member != "PropertiesChanged" or signal.signature != "sa{sv}as":
            return
        _, changed, invalidated = signal.body
        if self._facts.follows & {*changed, *invalidated}:
            self._changed.set()

    def refresh(self) -> None:
        if self._failed:
            self._changed.set()

    async def _look(self, bus: MessageBus) -> None:
        said: dict[str, Said] = {}
        troubles: list[str] = []
        for path, interface in self._facts.objects.items():
            try:
                said[path] = Said(await dbus_calls.properties(bus, self.name, path, interface))
            except CallFailed as trouble:
                said[path] = Said({})
                troubles.append(f"{path}: {trouble}")
        means = self._facts.means(said)
        self._failed = bool(troubles)
        nothing_said = len(troubles) == len(said)
        self._complain(troubles if nothing_said else [wrong for each in said.values() for wrong in each.wrong])
        if nothing_said:
            self._nothing_known()
            return
        if self._stand_in is not None and self._stand_in.for_condition not in means:
            self._stand_in.start()
        for condition in self._facts.conditions:
            self._tell(self._facts.source, condition, means.get(condition, ""))
        if self._stand_in is not None and self._stand_in.for_condition in means:
            self._stand_in.stop()

    def _nothing_known(self) -> None:
        """The stand-in first, so that what it can tell as well is not unknown in between."""
        if self._stand_in is not None:
            self._stand_in.start()
        for condition in self._facts.conditions:
            self._tell(self._facts.source, condition, "")

    def _complain(self, troubles: list[str]) -> None:
        """Each once: a service that is wrong is wrong all day."""
        for trouble in troubles:
            if trouble not in self._complaints and len(self._complaints) < 100:
                self._complaints.add(trouble)
                log.warning("%s says what it should not: %s. That counts as unknown.", self._facts.source, trouble)
