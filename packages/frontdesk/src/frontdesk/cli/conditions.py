"""Conditions of the machine as lines of text: what each is, who says so, and which are simulated."""

from collections.abc import Sequence

from frontdesk.cli.wording import duration
from frontdesk.terms import Reading

LIFT = "frontdesk simulate condition --lift"


def rows(readings: Sequence[Reading], now: float) -> list[tuple[str, str, str]]:
    """Name, value, and who says so since when. A simulated one says what is really so, and how to lift it."""
    return [(str(each.condition), each.condition.worded(each.value), _source(each, now)) for each in readings]


def _source(reading: Reading, now: float) -> str:
    if reading.forced:
        by = f", says {reading.source}" if reading.source else ""
        really = f"really {reading.condition.worded(reading.seen)}{by}"
        return f"SIMULATED ({really}); lift with: {LIFT} {reading.condition}"
    if not reading.value:
        return "no source can tell; counts as met"
    since = f", for {duration(now - reading.since)}" if reading.since else ""
    return f"{reading.source}{since}".removeprefix(", ")
