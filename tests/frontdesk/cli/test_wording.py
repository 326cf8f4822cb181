"""How the commands word what they print."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.cli.wording import aligned, clock, duration, moment, printable, wrapped
from frontdesk.wire.status import shortened


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 s"), (0, "0 s"), (59.4, "59 s"), (60, "1 min"), (3600, "1 h"), (86400, "1 d"), (200_000, "2 d")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_moments_say_the_clock_and_the_day_where_it_is_another() -> None:
    now = datetime.datetime(2026, 3, 2, 22, 0).timestamp()
    assert moment(now + 5400, now) == "in 90 min (23:30)"
    assert clock(now + 9 * 3600, now) == "tomorrow 07:00"
    assert clock(now - 86400, now) == "yesterday 22:00"
    assert clock(now + 25 * 86400, now) == "27 Mar 22:00"


def test_columns_stand_below_each_other() -> None:
    assert aligned([("a", "bcd", "x"), ("ab", "", "y")]) == ["a   bcd  x", "ab       y"]
    assert aligned([]) == []


@given(st.text(max_size=200), st.integers(1, 80))
def test_no_line_is_longer_than_the_terminal_and_wrapping_loses_no_word(text: str, columns: int) -> None:
    line = printable(text)
    assert len(shortened(line, columns)) <= columns
    lines = wrapped(line, columns)
    assert lines and all(len(part) <= columns for part in lines)
    assert "".join("".join(lines).split()) == "".join(line.split())


@given(st.text(max_size=50))
def test_nothing_printable_steers_a_terminal(text: str) -> None:
    assert printable(text).isprintable() and len(printable(text)) == len(text)
