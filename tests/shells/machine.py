"""The part of a desk that hears of the machine, on a bus of the test's own; and what it told the core."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from frontdesk.agent.core import events as ev
from frontdesk.agent.shell import conditions, system_bus
from frontdesk.agent.shell.clock import Clock
from frontdesk.agent.shell.conditions import MachineConditions
from frontdesk.terms import Condition
from tests.desks import PATIENCE
from tests.shells.private_bus import PrivateBus

Word = tuple[str, str]
"""A value, and who says so."""


class Machine:
    """``sleep`` moves the clock that counts the machine's sleep, which the test cannot put to sleep."""

    def __init__(self) -> None:
        self.events: list[ev.Event] = []
        self.slept = 0.0
        clock = Clock(lambda: asyncio.get_running_loop().time() + self.slept, asyncio.get_running_loop().time)
        self.conditions = MachineConditions(clock, self._take)
        self._changed = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.conditions.start()
        self._running = asyncio.ensure_future(self.conditions.run())

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        self.conditions.close()

    def word(self, condition: Condition) -> Word:
        """The last that was told of it."""
        told = [event for event in self.events if isinstance(event, ev.ConditionSeen) and event.condition is condition]
        return (told[-1].value, told[-1].source) if told else ("", "")

    def words(self, condition: Condition) -> list[Word]:
        """All that was told of it, in order."""
        return [
            (event.value, event.source)
            for event in self.events
            if isinstance(event, ev.ConditionSeen) and event.condition is condition
        ]

    def of(self, kind: type[ev.Event]) -> list[ev.Event]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, condition: Condition, value: str, source: str) -> None:
        """That is what the desk takes it to be."""
        await self.sees(lambda: self.word(condition) == (value, source), f"{condition}: {value} ({source})")

    async def sees(self, done: Callable[[], bool], what: str = "") -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                while not done():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"not told: {what}; only {self.events}") from None

    def _take(self, event: ev.Event) -> None:
        self.events.append(event)
        self._changed.set()


@pytest.fixture
async def bus(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PrivateBus]:
    """The machine's bus."""
    monkeypatch.setattr(system_bus, "TRY_FIRST", 0.05)
    with tempfile.TemporaryDirectory(prefix="fd-", dir="/tmp") as folder:
        bus = PrivateBus(Path(folder))
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
        await bus.start()
        yield bus
        await bus.kill()


@pytest.fixture
async def machine(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Machine]:
    """Not started. psutil finds a battery at 55 %, unplugged, whatever the computer that runs the test has."""
    battery = SimpleNamespace(percent=55.4, power_plugged=False, secsleft=3600)
    monkeypatch.setattr(psutil, "sensors_battery", lambda: battery)
    monkeypatch.setattr(conditions, "FIRST_LOOK", PATIENCE)
    machine = Machine()
    yield machine
    await machine.stop()
