"""The desk's clock on this machine."""

import time
import uuid

import pytest

from frontdesk.agent.shell.clock import Clock, boot_id


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
