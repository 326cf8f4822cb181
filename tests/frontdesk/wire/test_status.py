"""However much the desk has to say, its status fits into one frame, and says what it left out."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.terms import (
    Action,
    AppState,
    AppStatus,
    Budget,
    DeskStatus,
    Explanation,
    Happening,
    Hold,
    Notification,
    Obstacle,
    Reason,
    Receipt,
    Shown,
    StopReason,
    TaskKind,
    TaskState,
)
from frontdesk.wire import desk as wire
from frontdesk.wire.frames import MOST_BYTES, frame
from frontdesk.wire.status import explained, fitting

NOW = 1_000_000.0
WIDE = "\N{MUSICAL SYMBOL G CLEF}"
"""Four bytes in one character."""


def receipt(characters: int) -> Receipt:
    return Receipt("a.b", StopReason.CRASHED, NOW, WIDE * characters, tasks=(WIDE * characters,) * 21)


def task(number: int, reasons: int, characters: int) -> Explanation:
    each = Reason(Obstacle.OTHERS_RUN, WIDE * characters, WIDE * characters, WIDE * characters, NOW)
    identifier = f"org.example.task{number}".ljust(200, "x")
    return Explanation(
        f"org.example.app{number % 7}",
        identifier,
        TaskKind.PROCESSING,
        TaskState.PENDING,
        WIDE * characters,
        (each,) * reasons,
    )


def app(number: int, holds: int, characters: int, tasks: int = 0) -> AppStatus:
    return AppStatus(
        app=f"org.example.app{number}",
        name=WIDE * characters,
        state=AppState.BACKGROUND,
        since=NOW,
        holds=(Hold("task", WIDE * characters, NOW),) * holds,
        page=f"http://app{number}.localhost:1/" + "x" * characters,
        last_receipt=receipt(characters),
        tasks=tuple(task(each, tasks, characters) for each in range(tasks)),
        budget=Budget(6.0, 1.0, NOW),
        penalty=WIDE * characters,
    )


def desk(apps: int, holds: int, lines: int, characters: int, tasks: int = 0) -> DeskStatus:
    said = Notification("i" * 300, WIDE * characters, WIDE * characters, actions=(Action("i" * 300, WIDE),) * 8)
    return DeskStatus(
        now=NOW,
        pid=1,
        version="1.2.3",
        apps=tuple(app(number, holds, characters, tasks) for number in range(apps)),
        shown=tuple(Shown("a.b", NOW + number, said) for number in range(lines)),
        happenings=tuple(Happening(NOW + number, "a.b", "notified", WIDE * characters) for number in range(lines)),
        trouble=WIDE * characters,
    )


def sent(status: DeskStatus) -> DeskStatus:
    """Through a frame, and back."""
    message = wire.decode_at_app(frame(wire.encode(wire.StatusIs(2**40, fitting(status))))[4:])
    assert isinstance(message, wire.StatusIs)
    return message.status


@pytest.mark.contract("X02", "A11")
def test_many_long_task_names_are_cut_and_the_tasks_counted() -> None:
    status = desk(apps=20, holds=1000, lines=200, characters=200)
    with pytest.raises(Exception, match="refused"):
        frame(wire.encode(wire.StatusIs(1, status)))
    seen = sent(status)
    assert [row.app for row in seen.apps] == [row.app for row in status.apps]
    for row in seen.apps:
        assert row.holds[0].name.startswith(WIDE * 19) and row.holds[0].name.endswith("…")
        shown, said = len(row.holds) - 1, row.holds[-1].name
        assert (row.holds[-1].kind, said) == ("task", f"and {1000 - shown} more")
        assert row.last_receipt is not None and row.last_receipt.reason is StopReason.CRASHED
    assert [each.at for each in seen.shown] == [NOW + number for number in range(len(seen.shown))] != []
    assert seen.happenings[-1].at == NOW + 199, "the newest are kept"
    assert seen.shown[0].notification.id == "i" * 300


def test_more_apps_than_fit_are_counted() -> None:
    status = desk(apps=3000, holds=3, lines=200, characters=300)
    seen = sent(status)
    left_out = 3000 - len(seen.apps)
    assert len(seen.apps) > 1000 and seen.trouble.startswith(f"{left_out} apps more")
    assert seen.apps == tuple(fitting(status).apps), "cut alike each time"


def test_what_fits_is_left_as_it_is() -> None:
    status = desk(apps=3, holds=900, lines=10, characters=20)
    assert fitting(status) is status


@given(
    st.integers(0, 40),
    st.integers(0, 30),
    st.integers(0, 60),
    st.integers(0, 300),
    st.integers(0, 10),
    st.integers(8_000, 60_000),
)
def test_any_status_fits_and_no_app_is_lost_without_a_word(
    apps: int, holds: int, lines: int, characters: int, tasks: int, room: int
) -> None:
    status = desk(apps, holds, lines, characters, tasks)
    seen = fitting(status, room)
    assert len(msgspec.msgpack.encode(wire.StatusIs(2**63 - 1, seen))) <= room <= MOST_BYTES
    assert len(seen.apps) == apps or seen.trouble.startswith(f"{apps - len(seen.apps)} apps more")
    for before, after in zip(status.apps, seen.apps, strict=False):
        counted = int(after.holds[-1].name.split()[1]) - 1 if len(after.holds) < len(before.holds) else 0
        assert len(after.holds) + counted == len(before.holds)
        assert len(after.tasks) + after.more_tasks == len(before.tasks)


@pytest.mark.contract("X02", "S16")
def test_a_status_of_a_thousand_tasks_fits_and_counts_those_it_leaves_out() -> None:
    status = desk(apps=50, holds=0, lines=0, characters=200, tasks=20)
    seen = sent(status)
    assert [row.app for row in seen.apps] == [row.app for row in status.apps]
    for row in seen.apps:
        assert row.tasks and len(row.tasks) + row.more_tasks == 20 and row.budget == Budget(6.0, 1.0, NOW)
        for before, after in zip(status.apps[0].tasks, row.tasks, strict=False):
            assert (after.identifier, after.reasons[0].obstacle) == (before.identifier, Obstacle.OTHERS_RUN)
            assert after.reasons[-1].text.endswith(f"(and {20 - len(after.reasons)} more)")


@pytest.mark.contract("X02", "S16")
def test_ten_thousand_explanations_fit_and_those_left_out_are_counted() -> None:
    told = tuple(task(number, 3, 300) for number in range(10_000))
    answer = wire.decode_at_app(frame(wire.encode(explained(2**40, told)))[4:])
    assert isinstance(answer, wire.ExplanationsAre) and answer.request == 2**40
    assert 1000 < len(answer.explanations) == 10_000 - answer.more
    assert [each.identifier for each in answer.explanations] == [each.identifier for each in told[: -answer.more]]
    few = told[:5]
    assert explained(1, few).explanations is few


@given(st.integers(0, 60), st.integers(0, 5), st.integers(0, 300), st.integers(1_000, 60_000))
def test_any_explanations_fit_and_none_is_lost_without_a_word(
    tasks: int, reasons: int, characters: int, room: int
) -> None:
    told = tuple(task(number, reasons, characters) for number in range(tasks))
    answer = explained(2**63 - 1, told, room)
    assert len(wire.encode(answer)) <= room and len(answer.explanations) + answer.more == tasks
    for before, after in zip(told, answer.explanations, strict=False):
        assert after.identifier == before.identifier and bool(after.reasons) == bool(before.reasons)
