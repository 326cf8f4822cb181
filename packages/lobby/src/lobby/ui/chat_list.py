"""What of a chat list that a page shows has become another: only that is sent. Pure."""

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Changes:
    """How one list becomes another: first the rows that are ``gone``, then the ``placed`` ones, in their order."""

    gone: tuple[str, ...] = ()
    """Room ids."""
    placed: tuple[tuple[str, str], ...] = ()
    """(room id, the room id right above it, empty: it is the first) of rows that are new, moved, or look different."""


def changes(shown: Mapping[str, str], now: Mapping[str, str]) -> Changes:
    """The fewest changes that make a list that is ``shown`` the one of ``now``; both: room id → row, from the top."""
    place = {room_id: number for number, room_id in enumerate(shown)}
    both = [room_id for room_id in now if room_id in place]
    stay = {both[number] for number in _longest_rise([place[room_id] for room_id in both])}
    above = dict(zip(now, ["", *now], strict=False))
    return Changes(
        gone=tuple(room_id for room_id in shown if room_id not in now),
        placed=tuple(
            (room_id, above[room_id]) for room_id, row in now.items() if room_id not in stay or shown[room_id] != row
        ),
    )


def _longest_rise(numbers: Sequence[int]) -> list[int]:
    """Where the members of the longest rising subsequence stand; ``numbers`` are all different."""
    ends: list[int] = []
    places: list[int] = []
    before: list[int] = []
    for at, number in enumerate(numbers):
        length = bisect.bisect_left(ends, number)
        ends[length : length + 1] = [number]
        places[length : length + 1] = [at]
        before.append(places[length - 1] if length else -1)
    found = []
    at = places[-1] if places else -1
    while at >= 0:
        found.append(at)
        at = before[at]
    return found
