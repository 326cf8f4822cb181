"""The desk's clock on this machine."""

import asyncio
import time
import uuid
from pathlib import Path

import pytest

from frontdesk.agent.shell.clock import Clock, boot_id
from tests.desks import PATIENCE


def test_it_goes_with_the_wall_clock_and_never_back() -> None:
    clock = Clock()
    before = clock.now()
    assert abs(before - time.time()) < 1
    looks = [clock.now() for _ in range(1000)]
    assert looks == sorted(looks) and looks[0] >= before


def test_a_wall_clock_that_jumps_does_not_move_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    real = time.time
    before = clock.now()
    monkeypatch.setattr(time, "time", lambda: real() + 86400.0)
    assert clock.now() - before < 60
    assert Clock().now() - before > 80000  # the next desk starts with what the wall says then


def test_a_boot_has_one_name() -> None:
    assert boot_id() == boot_id()
    assert str(uuid.UUID(boot_id())) == boot_id()


class Machine:
    """Two clocks that a test moves, for a machine that a test cannot put to sleep."""

    def __init__(self) -> None:
        self.asleep = 0.0
        self.clock = Clock(lambda: time.monotonic() + self.asleep, time.monotonic)


@pytest.mark.contract("S07")
def test_how_long_the_machine_slept_is_told_once() -> None:
    machine = Machine()
    assert machine.clock.slept() == 0
    before = machine.clock.now()
    machine.asleep += 3600
    assert machine.clock.now() - before >= 3600
    assert machine.clock.slept() == pytest.approx(3600, abs=0.5)
    assert machine.clock.slept() == 0


def test_what_two_readings_differ_by_is_no_sleep_but_adds_up() -> None:
    machine = Machine()
    machine.asleep += 0.6
    assert machine.clock.slept() == 0
    machine.asleep += 0.6
    assert machine.clock.slept() == pytest.approx(1.2, abs=0.1)


async def test_an_alarm_rings_once_at_its_moment() -> None:
    clock, rang = Clock(), asyncio.Queue[float]()
    alarm = clock.alarm(lambda: rang.put_nowait(clock.now()))
    at = clock.now() + 0.05
    alarm.set(clock.now() + 1000)
    alarm.set(at)
    assert await asyncio.wait_for(rang.get(), PATIENCE) >= at - 0.001
    alarm.set(at)
    assert await asyncio.wait_for(rang.get(), PATIENCE)  # past by now
    alarm.set(None)
    alarm.close()
    alarm.close()
    assert rang.empty()


@pytest.mark.contract("S07")
async def test_an_alarm_goes_by_the_clock_that_runs_on_while_the_machine_sleeps() -> None:
    """Timers on this clock ring at once when a machine wakes past their moment (timerfd_create(2))."""
    clock = Clock()
    alarm = clock.alarm(lambda: None)
    alarm.set(clock.now() + 100)
    armed = Path(f"/proc/self/fdinfo/{alarm._file}").read_text()
    assert f"clockid: {time.CLOCK_BOOTTIME}\n" in armed
    left = float(armed.partition("it_value: (")[2].partition(",")[0])
    assert 90 < left <= 100
    alarm.close()
