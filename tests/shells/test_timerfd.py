"""The kernel's timers as files: which clock they go by, and that they ring."""

import math
import os
import select
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from frontdesk.agent.shell import timerfd


@pytest.fixture
def timer() -> Iterator[int]:
    fd = timerfd.create(time.CLOCK_BOOTTIME)
    yield fd
    os.close(fd)


def armed(fd: int) -> dict[str, str]:
    """What the kernel says of it (proc(5), fdinfo)."""
    lines = Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def readable(fd: int, within: float) -> bool:
    return bool(select.select([fd], [], [], within)[0])


@pytest.mark.parametrize("at", [lambda: 0.0, lambda: -1e9, lambda: time.clock_gettime(time.CLOCK_BOOTTIME)])
def test_a_moment_that_is_past_rings_at_once_and_once(timer: int, at: object) -> None:
    assert callable(at)
    timerfd.arm(timer, at())
    assert readable(timer, 20)
    assert timerfd.rang(timer)
    assert not timerfd.rang(timer)


def test_a_moment_to_come_is_waited_for_and_can_be_taken_back(timer: int) -> None:
    timerfd.arm(timer, time.clock_gettime(time.CLOCK_BOOTTIME) + 1000)
    assert not timerfd.rang(timer)
    at = time.clock_gettime(time.CLOCK_BOOTTIME) + 0.05
    timerfd.arm(timer, at)
    assert readable(timer, 20)
    assert time.clock_gettime(time.CLOCK_BOOTTIME) >= at
    timerfd.arm(timer, time.clock_gettime(time.CLOCK_BOOTTIME) + 1000)
    timerfd.arm(timer, None)
    assert armed(timer)["it_value"] == "(0, 0)"


def test_the_clock_is_the_one_asked_for_and_no_moment_is_too_far(timer: int) -> None:
    timerfd.arm(timer, math.inf)
    assert int(armed(timer)["clockid"]) == time.CLOCK_BOOTTIME
    assert int(armed(timer)["it_value"].strip("()").partition(",")[0]) > 100 * 365 * 86400


@pytest.mark.contract("S07")
def test_a_timer_of_the_wall_clock_is_told_when_that_is_set(timer: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """That the kernel would tell is seen in its flags; a test must not set the clock of the machine it runs on."""
    wall = timerfd.create(time.CLOCK_REALTIME)
    timerfd.arm(wall, math.inf, timerfd.CANCEL_ON_SET)
    assert (int(armed(wall)["clockid"]), armed(wall)["settime flags"]) == (time.CLOCK_REALTIME, "03")
    os.close(wall)

    def cancelled(fd: int, size: int) -> bytes:
        raise OSError(125, "Operation canceled")

    monkeypatch.setattr(os, "read", cancelled)
    with pytest.raises(timerfd.ClockSet):
        timerfd.rang(timer)


def test_what_the_kernel_refuses_is_an_error_with_its_reason() -> None:
    with pytest.raises(OSError, match="timerfd_create: Invalid argument"):
        timerfd.create(12345)
    with pytest.raises(OSError, match="timerfd_settime: Bad file descriptor"):
        timerfd.arm(-1, 1.0)
    with pytest.raises(OSError, match="has no timerfd_of_tomorrow"):
        timerfd._call("timerfd_of_tomorrow")
