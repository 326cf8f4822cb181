"""Waiting longer after each failure, never too long, never all at once."""

from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.core.backoff import Backoff


def test_the_limit_doubles_up_to_the_most() -> None:
    backoff = Backoff(first=1.0, most=10.0)
    assert [backoff.failed(dice=1.0) for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_success_starts_afresh() -> None:
    backoff = Backoff(first=1.0, most=10.0)
    backoff.failed(0.5)
    backoff.failed(0.5)
    backoff.succeeded()
    assert backoff.failed(dice=0.0) == 0.5


@given(st.lists(st.floats(0, 1, exclude_max=True), max_size=2000), st.floats(0.1, 100), st.floats(100, 10_000))
def test_each_wait_is_between_half_and_all_of_its_limit(dices: list[float], first: float, most: float) -> None:
    backoff = Backoff(first, most)
    for count, dice in enumerate(dices):
        limit = min(most, first * 2 ** min(count, 100))
        assert limit / 2 <= backoff.failed(dice) <= limit
