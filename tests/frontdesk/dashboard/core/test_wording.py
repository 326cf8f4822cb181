"""Lengths of time as a person says them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.dashboard.core.wording import length, sentence


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-1, "a moment"),
        (0.04, "a moment"),
        (0.4, "0.4 s"),
        (9.96, "10 s"),
        (99.4, "99 s"),
        (120, "2 min"),
        (200, "3 min 20 s"),
        (3600, "60 min"),
        (7200, "2 h"),
        (180_000, "2 d"),
    ],
)
def test_length(seconds: float, said: str) -> None:
    assert length(seconds) == said


@given(st.floats(-10, 1e9))
def test_any_length_is_said_shortly(seconds: float) -> None:
    assert 2 <= len(length(seconds)) <= 12


def test_a_sentence_begins_large_and_ends_once() -> None:
    assert [sentence(words) for words in ("you left", "Done.", "“Hi.”")] == ["You left.", "Done.", "“Hi.”"]
