"""How the commands word what they print: durations, moments, texts of strangers, lines for a narrow terminal."""

import datetime
import textwrap
from collections.abc import Sequence

from frontdesk.agent.core.scheduled.obstacles import in_words


def duration(seconds: float) -> str:
    """``42 s``, ``3 min``, ``5 h``, ``2 d``."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def clock(at: float, now: float) -> str:
    """``07:15``, on another day ``tomorrow 07:15`` or ``27 Nov 07:15``, in the zone of this machine."""
    moment, today = datetime.datetime.fromtimestamp(at), datetime.date.fromtimestamp(now)
    days = (moment.date() - today).days
    day = {0: "", 1: "tomorrow ", -1: "yesterday "}.get(days, f"{moment.day} {moment:%b} ")
    return f"{day}{moment:%H:%M}"


def moment(at: float, now: float) -> str:
    """``in 3 h 20 min (07:15)``; both in seconds since 1970."""
    return f"in {in_words(at - now)} ({clock(at, now)})"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Each row as a line, with columns below each other; the last column is as long as it is."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)] if rows else []
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    ]


def printable(text: str) -> str:
    """Without control characters: titles and names come from strangers, and a terminal would obey them."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def wrapped(line: str, columns: int) -> list[str]:
    """``line`` in lines of as many characters, the second and later ones set in. ``columns``: at least 1."""
    indent = "  " if columns > 10 else ""
    return textwrap.wrap(line, columns, subsequent_indent=indent, break_on_hyphens=False) or [""]
