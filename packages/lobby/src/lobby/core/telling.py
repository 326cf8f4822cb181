"""When and how a person is told of messages: a single one at once, a few chats by one alert each, many by one summary.

Pushes of one wake come in a row (contract P02). What comes together is told together: an alert for each chat with its
newest words and the count, or, past ``FEW`` chats, one summary in place of them all. No push is answered later than
``LONGEST`` after its message is known.
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from lobby.core.alerts import SUMMARY, Alert, summary_alert
from lobby.core.views import ChatSummary

FEW = 5
"""Chats that get an alert each; when messages of more come together, one summary stands for all of them."""

CALM = 0.5
"""Seconds without another push after which what has come together is told."""

LONGEST = 3.0
"""Seconds for which a message that is known may wait for others."""

TOGETHER = 30.0
"""Seconds after something was told within which what comes next belongs to it."""


@dataclass(frozen=True)
class Answer:
    """The push has its answer: show ``alert``; None: nothing, for another answer says it or it has been said."""

    push: Hashable
    alert: Alert | None


@dataclass(frozen=True)
class Withdraw:
    """That notification says nothing any more that another does not say."""

    alert_id: str


@dataclass(frozen=True)
class Shrink:
    """The summary in place of the one that is shown; nothing to call anybody's attention to."""

    alert: Alert


Effect = Answer | Withdraw | Shrink


class Telling:
    """The machine. ``look(room_id)`` gives a chat as it is now, None where there is none; it only looks.

    ``summary``: the rooms for which the summary of an earlier run stands, ``last``: when that run has told something.
    """

    def __init__(
        self, look: Callable[[str], ChatSummary | None], summary: Iterable[str] = (), last: float = float("-inf")
    ) -> None:
        self._look = look
        self._learning: set[Hashable] = set()
        self._gathered: dict[str, tuple[Alert, list[Hashable]]] = {}
        self._since: float | None = None
        self._came = self._before = float("-inf")
        self._newest: dict[str, str] = {}
        """The newest message of a room that the person was told of, and has not read since."""
        self._alone: dict[str, None] = {}
        """Rooms with an alert of their own, told together."""
        self._summary: dict[str, None] = dict.fromkeys(summary)
        self._summed_up = bool(self._summary)
        self.last = last

    @property
    def summary(self) -> tuple[str, ...]:
        """The rooms for which the summary stands; to be kept for the next run, together with ``last``."""
        return tuple(self._summary)

    def pushed(self, push: Hashable, now: float) -> None:
        """A push has come; ``learned`` or ``unknown`` follows."""
        self._learning.add(push)
        self._before, self._came = self._came, now

    def unknown(self, push: Hashable, now: float) -> list[Effect]:
        """Nothing could be learned of it; it is answered elsewhere, and nobody waits for it."""
        self._learning.discard(push)
        return self.time_passed(now)

    def learned(self, push: Hashable, alert: Alert | None, now: float) -> list[Effect]:
        """What the person is to be told of the push's chat as it is now; None: nothing."""
        self._learning.discard(push)
        if alert is None or (alert.newest and alert.newest == self._newest.get(alert.id)):
            return [Answer(push, None), *self.time_passed(now)]
        if not alert.newest:
            # An invitation, say: it is one of its kind.
            return [Answer(push, alert), *self.time_passed(now)]
        _, pushes = self._gathered.get(alert.id, (alert, []))
        self._gathered[alert.id] = (alert, [*pushes, push])
        self._since = now if self._since is None else self._since
        return self.time_passed(now)

    def time_passed(self, now: float) -> list[Effect]:
        """Tell what is due."""
        due = self.next_wake()
        return self._tell(now) if due is not None and due <= now else []

    def next_wake(self) -> float | None:
        """When this machine wants ``time_passed``; None: it waits for nothing."""
        if self._since is None:
            return None
        latest = self._since + LONGEST
        if self._learning:
            return latest
        # One that came by itself is not held up.
        return self._since if self._came - self._before > CALM else min(latest, self._came + CALM)

    def read(self, room_id: str, looking: bool) -> list[Effect]:
        """A chat has been read. ``looking``: here, on Lobby's page, which shows the rest of the summary better."""
        self._newest.pop(room_id, None)
        self._alone.pop(room_id, None)
        _, pushes = self._gathered.pop(room_id, (None, []))
        effects: list[Effect] = [Answer(push, None) for push in pushes]
        if not self._gathered:
            self._since = None
        if room_id not in self._summary:
            return effects
        del self._summary[room_id]
        left = self._chats()
        if left and not looking:
            return [*effects, Shrink(summary_alert(left))]
        self._summary.clear()
        self._summed_up = False
        return [*effects, Withdraw(SUMMARY)]

    def shown(self, room_id: str) -> bool:
        """Whether this run has lately shown an alert of its own for the chat, and it has not been read since."""
        return room_id in self._alone

    def _tell(self, now: float) -> list[Effect]:
        gathered, self._gathered, self._since = self._gathered, {}, None
        if now - self.last > TOGETHER:
            # What was told before stands for itself.
            self._alone.clear()
            self._summed_up = False
        self.last = now
        for room_id, (alert, _) in gathered.items():
            self._newest[room_id] = alert.newest
        together = {**self._alone, **dict.fromkeys(gathered)}
        if self._summed_up or len(together) > FEW:
            return self._sum_up(gathered, together)
        self._alone = together
        effects: list[Effect] = []
        for room_id, (alert, pushes) in gathered.items():
            self._summary.pop(room_id, None)
            effects += _answers(pushes, alert)
        return effects

    def _sum_up(self, gathered: dict[str, tuple[Alert, list[Hashable]]], together: dict[str, None]) -> list[Effect]:
        withdrawn = [Withdraw(room_id) for room_id in self._alone]
        self._alone = {}
        self._summed_up = True
        self._summary |= together
        pushes = [push for _, of_room in gathered.values() for push in of_room]
        return [*_answers(pushes, summary_alert(self._chats())), *withdrawn]

    def _chats(self) -> list[ChatSummary]:
        """The chats of the summary that still have something unread, the newest first."""
        chats = [chat for room_id in self._summary if (chat := self._look(room_id)) and chat.unread]
        return sorted(chats, key=lambda chat: -(chat.last_at or 0.0))


def _answers(pushes: list[Hashable], alert: Alert) -> list[Effect]:
    """The alert itself comes first: when the rest gets lost, nothing is lost."""
    first, *others = pushes
    return [Answer(first, alert), *(Answer(push, None) for push in others)]
