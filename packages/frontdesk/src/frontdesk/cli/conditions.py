"""Conditions of the machine as lines of text: what each is, who says so, and which are simulated."""

from collections.abc import Sequence

from frontdesk.cli.wording import duration
from frontdesk.terms import VALUES, Condition, Reading

LIFT = "frontdesk simulate condition --lift"


def rows(readings: Sequence[Reading], now: float) -> list[tuple[str, str, str]]:
    """Name, value, and who says so since when. A simulated one says what is really so, and how to lift it."""
    return [(str(each.condition), valued(each.condition, each.value), _source(each, now)) for each in readings]


def valued(condition: Condition, value: str) -> str:
    """``63 %``, ``battery``, ``unknown``."""
    if not value:
        return "unknown"
    return f"{value} %" if condition is Condition.BATTERY else value


def possible(condition: Condition) -> str:
    """What it can be: ``external or battery``, ``0 to 100``."""
    values = VALUES[condition]
    return " or ".join(values) if len(values) < 10 else f"{values[0]} to {values[-1]}"


def _source(reading: Reading, now: float) -> str:
    if reading.forced:
        by = f", says {reading.source}" if reading.source else ""
        really = f"really {valued(reading.condition, reading.seen)}{by}"
        return f"SIMULATED ({really}); lift with: {LIFT} {reading.condition}"
    if not reading.value:
        return "no source can tell; counts as met"
    since = f", for {duration(now - reading.since)}" if reading.since else ""
    return f"{reading.source}{since}".removeprefix(", ")
