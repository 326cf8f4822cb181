"""What ``frontdesk log APP`` prints for a receipt."""

import pytest

from frontdesk.cli.log import line
from frontdesk.terms import Receipt, StopReason, TaskEnd, TaskKind, TaskReceipt


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
    units = {
        StopReason.TOO_MANY_TASKS: "tasks",
        StopReason.CPU_EXCEEDED: "% of a core",
        StopReason.MEMORY_EXCEEDED: "MiB",
    }
    assert printed.endswith(f" {units.get(reason, 's')})") and f" {units.get(reason, 's')}, used " in printed


@pytest.mark.contract("L05", "S16")
@pytest.mark.parametrize("end", TaskEnd)
def test_an_expired_task_says_which_why_how_long_it_ran_and_its_limit(end: TaskEnd) -> None:
    receipt = TaskReceipt("a.b", "a.b.tidy-up", TaskKind.PROCESSING, end, 1_000_000.0, "It was ended.", 600.0, 595.0)
    first, second = line(receipt).splitlines()
    assert first.endswith(f"processing task a.b.tidy-up: {end.words}, had run for 10 min") and "_" not in first
    assert second == "    It was ended. (limit 600 s)"
    bare = line(TaskReceipt("a.b", "a.b.tidy", TaskKind.REFRESH, end, 1_000_000.0, "It was ended."))
    assert bare.splitlines()[0].endswith(end.words) and bare.endswith("    It was ended.")


def test_what_is_not_known_is_left_out() -> None:
    first, second = line(Receipt("a.b", StopReason.EXITED, 1_000_000.0, "It ended by itself.")).splitlines()
    assert first.endswith("ended by itself") and second == "    It ended by itself."
