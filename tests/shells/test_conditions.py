"""All sources of conditions together: memory that is short for a while, how often is looked at what nobody tells."""

import asyncio
import os

import psutil
import pytest

from frontdesk.agent.core import events as ev
from frontdesk.agent.shell import conditions
from frontdesk.agent.shell.memory_pressure import MemoryPressure
from frontdesk.terms import Condition
from tests.shells.machine import Machine, machine

__all__ = ["machine"]

MEMORY = Condition.MEMORY


@pytest.fixture(autouse=True)
def no_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")


@pytest.mark.contract("L03")
async def test_memory_is_short_until_there_was_no_pressure_for_a_while(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryPressure, "set_trigger", lambda self: True)
    monkeypatch.setattr(conditions, "EASED", 0.2)
    machine.start()
    assert machine.words(MEMORY) == [("ok", "memory pressure")]
    under_pressure = machine.conditions._pressure._on_pressure
    under_pressure()
    eases = machine.conditions._eased
    began = asyncio.get_running_loop().time()
    under_pressure()
    assert eases is not None and eases.cancelled()
    assert len(machine.of(ev.MemoryShort)) == 2
    assert machine.word(MEMORY) == ("short", "memory pressure")
    await machine.until(MEMORY, "ok", "memory pressure")
    assert asyncio.get_running_loop().time() - began > 0.15
    assert [value for value, _ in machine.words(MEMORY)] == ["ok", "short", "ok"]


@pytest.mark.contract("S10")
async def test_where_no_kernel_tells_of_memory_it_is_unknown(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryPressure, "set_trigger", lambda self: False)
    machine.start()
    assert machine.words(MEMORY) == []


async def test_what_nobody_tells_is_looked_at_when_the_desk_is_awake_but_seldom(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[None] = []
    monkeypatch.setattr(psutil, "sensors_battery", lambda: looks.append(None))
    machine.start()
    await machine.conditions.first_look()
    assert len(looks) == 1 and machine.word(Condition.POWER) == ("external", "psutil")
    for _ in range(100):
        machine.conditions.refresh()
    assert len(looks) == 1
    machine.conditions._next_refresh -= conditions.REFRESH
    machine.conditions.refresh()
    machine.conditions.refresh()
    assert len(looks) == 2


async def test_an_end_leaves_nothing_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    machine = Machine()
    machine.start()
    await machine.conditions.first_look()
    assert len(os.listdir("/proc/self/fd")) > before
    await machine.stop()
    assert len(os.listdir("/proc/self/fd")) == before
