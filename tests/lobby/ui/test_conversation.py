"""Rows of a conversation: every bubble once and in order, one line a day, groups that do not depend on the window."""

from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from lobby.core.views import Bubble, Mark
from lobby.ui.conversation import BubbleRow, DayRow, NoticeRow, rows


def bubble(number: int, at: float, sender: str = "@a:x", mark: Mark | None = None, notice: bool = False) -> Bubble:
    return Bubble(f"k{number}", "!r:x", sender, sender, sender == "@me:x", "text", at, mark, "", notice)


@st.composite
def conversations(draw: st.DrawFn) -> list[Bubble]:
    at, found = 1_700_000_000.0, []
    for number in range(draw(st.integers(0, 12))):
        at += draw(st.sampled_from([1.0, 299.0, 301.0, 50_000.0, 90_000.0, -3.0, -90_000.0]))
        sender = draw(st.sampled_from(["@a:x", "@b:x", "@me:x"]))
        mark = draw(st.sampled_from([Mark.SENT, Mark.SENDING, Mark.UNSENT])) if sender == "@me:x" else None
        found.append(bubble(number, at, sender, mark, notice=draw(st.integers(0, 9)) == 0))
    return found


@given(conversations())
def test_every_bubble_once_in_order_and_no_key_twice(bubbles: list[Bubble]) -> None:
    found = rows(bubbles, None, UTC)
    assert [row.bubble for row in found if not isinstance(row, DayRow)] == bubbles
    keys = [row.key if isinstance(row, DayRow) else row.bubble.key for row in found]
    assert len(set(keys)) == len(keys)
    days = [row.day for row in found if isinstance(row, DayRow)]
    assert days == sorted(days)
    assert bool(days) == bool(bubbles)


@given(conversations())
def test_a_group_has_one_first_and_one_last_and_one_sender(bubbles: list[Bubble]) -> None:
    inside: str | None = None
    for row in rows(bubbles, None, UTC):
        if isinstance(row, BubbleRow):
            assert row.first == (inside is None)
            assert inside in (None, row.bubble.sender_id)
            inside = None if row.last else row.bubble.sender_id
        elif isinstance(row, NoticeRow):
            assert inside is None
    assert inside is None


@given(conversations(), st.integers(0, 12))
def test_the_same_bubble_gets_the_same_row_in_any_window(bubbles: list[Bubble], start: int) -> None:
    bubbles = sorted(bubbles, key=lambda one: one.at)
    start = min(start, len(bubbles))
    window = rows(bubbles[start:], bubbles[start - 1] if start else None, UTC)
    assert rows(bubbles, None, UTC)[-len(window) :] == window or not window


def test_five_minutes_part_a_group_and_an_unsent_one_stands_alone() -> None:
    first, second, late = bubble(1, 1000.0), bubble(2, 1300.0), bubble(3, 1601.0)
    assert [(r.first, r.last) for r in rows([first, second, late], None, UTC) if isinstance(r, BubbleRow)] == [
        (True, False),
        (False, True),
        (True, True),
    ]
    unsent, after = bubble(1, 1000.0, "@me:x", Mark.UNSENT), bubble(2, 1001.0, "@me:x", Mark.SENT)
    last = [r for r in rows([unsent, after], None, UTC) if isinstance(r, BubbleRow)]
    assert [(r.first, r.last) for r in last] == [(True, True), (True, True)]
