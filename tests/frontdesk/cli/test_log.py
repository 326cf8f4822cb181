"""What ``frontdesk log APP`` prints for a receipt."""

import pytest

from frontdesk.cli.log import line
from frontdesk.terms import Receipt, StopReason


@pytest.mark.contract("L05")
def test_when_why_how_long_it_ran_limit_and_use() -> None:
    receipt = Receipt(
        "a.b", StopReason.TASK_NOT_ENDED, 1_000_000.0, "Time was up.", 30.0, 30.004, ("upload",), 17, 999_880.0
    )
    first, second = line(receipt).splitlines()
    assert first.endswith("task_not_ended, had run for 2 min")
    assert second == "    Time was up. (limit 30, used 30)"


def test_what_is_not_known_is_left_out() -> None:
    first, second = line(Receipt("a.b", StopReason.EXITED, 1_000_000.0, "It ended by itself.")).splitlines()
    assert first.endswith("exited") and second == "    It ended by itself."
