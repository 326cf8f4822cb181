"""What the core hears of the machine's clocks: the wall clock set, another time zone, that it may have slept."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from frontdesk.agent.core import events as ev
from frontdesk.agent.shell import timerfd
from frontdesk.agent.shell.clock import Clock
from frontdesk.agent.shell.machine_clock import MachineClock
from tests.desks import PATIENCE

HOUR = 3600.0


def about(seconds: float) -> Any:
    return pytest.approx(seconds, abs=0.5)


class Stand:
    """Clocks in the test's hand, those of the machine it runs on being everybody's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asleep = self.set_by = 0.0
        self.told = asyncio.Queue[ev.Event]()
        real = time.time
        self.clock = Clock(lambda: time.monotonic() + self.asleep, time.monotonic)
        monkeypatch.setattr(time, "time", lambda: real() + self.asleep + self.set_by)
        self.machine = MachineClock(self.clock, self.told.put_nowait)

    def all_told(self) -> list[ev.Event]:
        return [self.told.get_nowait() for _ in range(self.told.qsize())]


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    monkeypatch.setenv("TZ", "XXX-2")
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
async def stand(zone: pytest.MonkeyPatch) -> AsyncIterator[Stand]:
    stand = Stand(zone)
    yield stand
    stand.machine.close()
    stand.machine.close()


@pytest.mark.contract("S07")
async def test_how_the_clocks_stand_is_told_at_the_start_and_when_that_changes(
    stand: Stand, zone: pytest.MonkeyPatch
) -> None:
    stand.machine.start()
    assert stand.all_told() == [ev.WallClock(about(0.0), 2 * HOUR)]
    stand.set_by += 0.2  # what a time server does all day
    stand.machine.refresh()
    assert stand.all_told() == []
    stand.set_by -= 86400.0
    stand.machine.refresh()
    assert stand.all_told() == [ev.WallClock(about(0.2 - 86400), 2 * HOUR)]
    zone.setenv("TZ", "XXX5:30")
    stand.machine.refresh()
    assert stand.all_told() == [ev.WallClock(about(0.2 - 86400), -5.5 * HOUR)]
    stand.machine.refresh()
    assert stand.all_told() == []


@pytest.mark.contract("S07")
async def test_a_wall_clock_that_is_set_is_told_at_once(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel has a timer end when somebody sets the clock; a test must not, and plays the end of that timer."""
    stand.machine.start()
    stand.all_told()
    stand.set_by += HOUR
    real, ends = os.read, [OSError(125, "Operation canceled")]

    def read(fd: int, size: int) -> bytes:
        if fd == stand.machine._file and ends:
            raise ends.pop()
        return real(fd, size)

    monkeypatch.setattr(os, "read", read)
    timerfd.arm(stand.machine._file, 1.0)
    assert await asyncio.wait_for(stand.told.get(), PATIENCE) == ev.TimePassed()  # it may have been a sleep
    assert await asyncio.wait_for(stand.told.get(), PATIENCE) == ev.WallClock(about(HOUR), 2 * HOUR)
    # It is armed again, for the next time.
    await asyncio.sleep(0)
    with open(f"/proc/self/fdinfo/{stand.machine._file}", encoding="ascii") as file:
        assert "settime flags: 03" in file.read()


async def test_where_the_kernel_does_not_tell_it_is_looked_at_when_the_desk_is_awake(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def arm(fd: int, at: float | None, flags: int = 0) -> None:
        raise OSError(22, "timerfd_settime: Invalid argument")

    monkeypatch.setattr(timerfd, "arm", arm)
    stand.machine.start()
    assert stand.all_told() == [ev.WallClock(about(0.0), 2 * HOUR)] and stand.machine._file < 0
    stand.set_by += HOUR
    stand.machine.refresh()
    assert stand.all_told() == [ev.WallClock(about(HOUR), 2 * HOUR)]


@pytest.mark.contract("S07")
async def test_after_a_sleep_the_loop_is_woken_and_finds_out_how_long_it_was(stand: Stand) -> None:
    """The length is left for the loop to ask, which alone can put it before all else that came."""
    stand.machine.start()
    stand.all_told()
    stand.asleep += 8 * HOUR
    stand.machine.refresh()
    assert stand.all_told() == []
    stand.machine.awake_again()
    assert stand.all_told() == [ev.TimePassed()]
    assert stand.clock.slept() == about(8 * HOUR)
