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
    assert first.endswith("background task not ended in time, had run for 2 min")
    assert second == "    Time was up. (limit 30 s, used 30 s)"


@pytest.mark.contract("L05")
@pytest.mark.parametrize("reason", StopReason)
def test_no_reason_is_printed_as_a_word_for_programs(reason: StopReason) -> None:
    printed = line(Receipt("a.b", reason, 1_000_000.0, "It is over.", 20.0, 21.0))
    assert "_" not in printed and reason.words in printed
    unit = "tasks" if reason is StopReason.TOO_MANY_TASKS else "s"
    assert printed.endswith(f"(limit 20 {unit}, used 21 {unit})")


def test_what_is_not_known_is_left_out() -> None:
    first, second = line(Receipt("a.b", StopReason.EXITED, 1_000_000.0, "It ended by itself.")).splitlines()
    assert first.endswith("ended by itself") and second == "    It ended by itself."
