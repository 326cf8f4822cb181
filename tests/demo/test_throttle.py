"""A slow line never gives more than its rate, keeps the order, and delays a short word by the latency only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.throttle import Line, Throttle

LINE = Line(latency=0.5, rate=1000.0, burst=2000.0)


def test_what_fits_the_burst_is_late_by_the_latency_only() -> None:
    assert Throttle(LINE).due(2000, now=10.0) == pytest.approx(10.5)


def test_what_is_more_than_the_burst_waits_for_the_rate() -> None:
    throttle = Throttle(LINE)
    throttle.due(2000, now=10.0)
    assert throttle.due(1000, now=10.0) == pytest.approx(11.5)


def test_a_silence_fills_the_bucket_again() -> None:
    throttle = Throttle(LINE)
    throttle.due(5000, now=10.0)
    assert throttle.due(2000, now=15.0) == pytest.approx(15.5)


pieces = st.lists(st.tuples(st.floats(0, 3), st.integers(1, 3000)), min_size=1, max_size=40)


@given(pieces)
def test_no_span_of_time_gets_more_than_burst_and_rate(sent: list[tuple[float, int]]) -> None:
    throttle = Throttle(LINE)
    now, out = 0.0, []
    for pause, size in sent:
        now += pause
        out.append((throttle.due(size, now), size, now))
    arrivals = [due for due, _, _ in out]
    assert arrivals == sorted(arrivals), "order is kept"
    assert all(due >= at + LINE.latency for due, _, at in out)
    for first in range(len(out)):
        for last in range(first, len(out)):
            span = out[last][0] - out[first][0]
            # The first piece has spent its time before the span began.
            came = sum(size for _, size, _ in out[first + 1 : last + 1])
            assert came <= LINE.burst + LINE.rate * span + 1e-6
