"""The times in which a desk ran and did not reach its push service, found in the marks of its lane."""

from collections.abc import Sequence
from dataclasses import dataclass

from frontdesk.dashboard.core.stories import SERVICE_AWAY, SERVICE_BACK
from frontdesk.dashboard.core.threads import Mark
from frontdesk.terms import Happening

_NEXT_DESK = frozenset({"restarted", "desk_back"})


@dataclass(frozen=True)
class Offline:
    """``until`` None: it lasts. ``story``: the key of the one that tells of it."""

    since: float
    until: float | None
    story: str


def offline(
    marks: Sequence[Mark], happened: Sequence[Happening], started: float | None, now: float
) -> tuple[Offline, ...]:
    """By time, none in another. ``started``: when the desk of now began.

    A desk that is started tries anew, and says so again should it not succeed: the time of the one before ends there.
    """
    back = {mark.story: mark.at for mark in marks if mark.title == SERVICE_BACK}
    begun = sorted((mark for mark in marks if mark.title == SERVICE_AWAY and mark.at < now), key=lambda mark: mark.at)
    anew = [line.at for line in happened if line.what in _NEXT_DESK] + ([started] if started else [])
    found: list[Offline] = []
    for mark in begun:
        ends = [back[mark.story]] if mark.story in back else [at for at in anew if at > mark.at]
        found.append(Offline(mark.at, min((at for at in ends if at <= now), default=None), mark.story))
    return tuple(found)
