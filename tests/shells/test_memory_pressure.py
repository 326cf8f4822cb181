"""Memory pressure as this kernel tells it: with triggers, or not at all; never in silence half-way."""

import asyncio
import os
from pathlib import Path

import pytest

from frontdesk.agent.shell import memory_pressure
from frontdesk.agent.shell.memory_pressure import STALLED, MemoryPressure
from tests.desks import PATIENCE


async def test_a_trigger_is_set_or_that_there_is_none_is_said() -> None:
    before = len(os.listdir("/proc/self/fd"))
    pressure = MemoryPressure(lambda: None)
    may = Path("/proc/pressure/memory").exists() and (os.getuid() == 0 or _kernel() >= (6, 4))
    assert pressure.set_trigger() == may
    pressure.close()
    pressure.close()
    assert len(os.listdir("/proc/self/fd")) == before


async def test_where_there_is_no_such_file_nothing_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_pressure, "_FILE", str(tmp_path / "missing"))
    pressure = MemoryPressure(lambda: None)
    assert pressure.set_trigger() is False
    pressure.close()


@pytest.mark.contract("L03")
async def test_stalls_are_told_and_a_spurious_first_event_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel makes stalls only when memory is short; a pipe in the epoll's place plays its event here."""
    told = asyncio.Event()
    total = [5_000]
    monkeypatch.setattr(memory_pressure, "_stalled_in_all", lambda: total[0])
    pressure = MemoryPressure(told.set)
    read, write = os.pipe()
    pressure._poll.register(read)
    asyncio.get_running_loop().add_reader(pressure._poll.fileno(), pressure._told)
    pressure._stalled_before = total[0]
    os.write(write, b"!")
    for _ in range(5):
        await asyncio.sleep(0.01)  # that nothing comes can only be seen by waiting for it
    assert not told.is_set()
    total[0] += STALLED
    await asyncio.wait_for(told.wait(), PATIENCE)
    pressure.close()
    os.close(read)
    os.close(write)


def _kernel() -> tuple[int, int]:
    major, minor = os.uname().release.split(".")[:2]
    return int(major), int("".join(letter for letter in minor if letter.isdigit()))
