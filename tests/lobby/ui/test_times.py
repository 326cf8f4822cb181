"""How times read: short in the list, by name for the days near by."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobby.ui.times import clock_time, day_name, list_time, local

NOW = datetime(2026, 5, 13, 9, 30, tzinfo=UTC)
"""A Wednesday."""


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(2026, 5, 13, 0, 5, tzinfo=UTC), "00:05"),
        (datetime(2026, 5, 12, 23, 59, tzinfo=UTC), "Yesterday"),
        (datetime(2026, 5, 11, 12, 0, tzinfo=UTC), "Mon"),
        (datetime(2026, 5, 6, 12, 0, tzinfo=UTC), "6 May"),
        (datetime(2025, 12, 31, 12, 0, tzinfo=UTC), "31 Dec 2025"),
        (datetime(2026, 5, 14, 1, 0, tzinfo=UTC), "01:00"),
    ],
)
def test_the_list_is_brief(at: datetime, text: str) -> None:
    assert list_time(at.timestamp(), NOW.date(), UTC) == text


@pytest.mark.parametrize(
    ("day", "text"),
    [
        (date(2026, 5, 13), "Today"),
        (date(2026, 5, 12), "Yesterday"),
        (date(2026, 5, 10), "Sunday"),
        (date(2026, 5, 6), "Wednesday 6 May"),
        (date(2026, 5, 15), "Friday 15 May"),
        (date(2024, 2, 29), "29 February 2024"),
    ],
)
def test_days_have_names(day: date, text: str) -> None:
    assert day_name(day, NOW.date()) == text


def test_the_clock_is_the_persons() -> None:
    assert clock_time(NOW.timestamp(), ZoneInfo("Asia/Shanghai")) == "17:30"


@given(st.floats(), st.dates())
def test_a_broken_servers_time_breaks_nothing(at: float, today: date) -> None:
    assert list_time(at, today, UTC)
    assert local(at, UTC).tzinfo is UTC
