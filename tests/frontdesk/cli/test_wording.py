"""How the commands word what they print."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.cli.wording import duration, printable, wrapped
from frontdesk.wire.status import shortened


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 s"), (0, "0 s"), (59.4, "59 s"), (60, "1 min"), (3600, "1 h"), (86400, "1 d"), (200_000, "2 d")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


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
