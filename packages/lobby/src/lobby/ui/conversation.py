"""How bubbles become the rows of a conversation: groups of one sender, lines between days. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, tzinfo

from lobby.core.views import Bubble, Mark
from lobby.ui.times import local

TOGETHER = 300.0
"""Seconds between two bubbles of one sender up to which they form one group."""


@dataclass(frozen=True)
class DayRow:
    """The line above the first bubble of a day."""

    key: str
    day: date


@dataclass(frozen=True)
class BubbleRow:
    """A bubble and its place in its group: the first shows the sender, the last the time."""

    bubble: Bubble
    first: bool
    last: bool


@dataclass(frozen=True)
class NoticeRow:
    """A line about the conversation, such as "Right joined"."""

    bubble: Bubble


Row = DayRow | BubbleRow | NoticeRow


def rows(bubbles: Sequence[Bubble], above: Bubble | None, zone: tzinfo | None) -> list[Row]:
    """The rows for ``bubbles`` (oldest first), which run to the newest of the chat.

    ``above``: the bubble before them that is not asked for; it decides whether the first begins a group and a day,
    so the same bubble gets the same row however many are asked for. Days only go forward: clocks of homeservers
    differ, and a line for a day never stands twice.
    """
    result: list[Row] = []
    before = above
    day = local(above.at, zone).date() if above else None
    for index, bubble in enumerate(bubbles):
        after = bubbles[index + 1] if index + 1 < len(bubbles) else None
        its_day = local(bubble.at, zone).date()
        if day is None or its_day > day:
            day = its_day
            result.append(DayRow(f"day-{day.isoformat()}", day))
        if bubble.notice:
            result.append(NoticeRow(bubble))
        else:
            result.append(BubbleRow(bubble, not _together(before, bubble, zone), not _together(bubble, after, zone)))
        before = bubble
    return result


def _together(upper: Bubble | None, lower: Bubble | None, zone: tzinfo | None) -> bool:
    if upper is None or lower is None or upper.notice or lower.notice or upper.mark is Mark.UNSENT:
        return False
    same_day = local(upper.at, zone).date() >= local(lower.at, zone).date()
    return upper.sender_id == lower.sender_id and lower.at - upper.at <= TOGETHER and same_day
