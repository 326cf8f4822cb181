"""When and how a person is told of messages: a single one at once, a few chats by one alert each, many by one summary.

Pushes of one wake come in a row (contract P02). What comes together is told together: an alert for each chat with its
newest words and the count, or, past ``FEW`` chats, one summary in place of them all. Pushes of a row that ask for
nothing to be told are answered with it, too: answered one by one, each would end a wake and the next one begin another.

At the end of a row the homeserver is asked once more: Synapse pushes twenty events at a time and looks for others only
when the next one happens, so that the last ones of a burst may never be pushed.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from lobby.core.alerts import SUMMARY, Alert, summary_alert
from lobby.core.views import ChatSummary

FEW = 5
"""Chats that get an alert each; when messages of more come together, one summary stands for all of them."""

CALM = 0.5
"""Seconds without another push after which a row has ended."""

LONGEST = 3.0
"""Seconds for which a message that is known may wait for others; the last push of a row waits twice that at most."""

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
class Show:
    """Something new, and no push that waits for it."""

    alert: Alert


@dataclass(frozen=True)
class AskForMore:
    """Ask the homeserver for what it has not pushed; ``more`` follows."""


@dataclass(frozen=True)
class Shrink:
    """The summary in place of the one that is shown; nothing to call anybody's attention to."""

    alert: Alert


Effect = Answer | Withdraw | Show | Shrink | AskForMore


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
        self._quiet: list[Hashable] = []
        """Pushes that ask for nothing to be told."""
        self._since: float | None = None
        self._came = self._before = self._asked = float("-inf")
        self._asking = False
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
        if alert is not None and not alert.newest:
            # An invitation, say: it is one of its kind.
            return [Answer(push, alert), *self.time_passed(now)]
        if alert is None or not self._gather(alert, [push]):
            self._quiet.append(push)
        self._since = now if self._since is None else self._since
        return self.time_passed(now)

    def more(self, alerts: Sequence[Alert], now: float) -> list[Effect]:
        """What has come without a push; the answer to ``AskForMore``, empty too when nobody could be asked."""
        self._asking = False
        for alert in alerts:
            if self._gather(alert, []) and self._since is None:
                self._since = now
        return self.time_passed(now)

    def time_passed(self, now: float) -> list[Effect]:
        """Tell what is due."""
        due = self.next_wake()
        if due is None or due > now:
            return []
        if not self._in_a_row or self._asked >= self._came:
            return self._release(now)
        if self._learning or self._asking or now < self._came + CALM:
            return self._release(now, keep_one=True)
        self._asking, self._asked = True, now
        return [AskForMore()]

    def next_wake(self) -> float | None:
        """When this machine wants ``time_passed``; None: it waits for nothing."""
        if self._since is None:
            return None
        latest = self._since + LONGEST
        if self._learning or self._asking:
            return latest
        # One that came by itself is not held up.
        return min(latest, self._came + CALM) if self._in_a_row else self._since

    def read(self, room_id: str, looking: bool) -> list[Effect]:
        """A chat has been read. ``looking``: here, on Lobby's page, which shows the rest of the summary better."""
        self._newest.pop(room_id, None)
        self._alone.pop(room_id, None)
        _, pushes = self._gathered.pop(room_id, (None, []))
        effects: list[Effect] = [Answer(push, None) for push in pushes]
        if not self._gathered and not self._quiet:
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

    def reworded(self, alert: Alert, looking: bool) -> list[Effect]:
        """The newest message of a chat can be read only now: what was shown for it is replaced by its words.

        ``looking``: the person sees Lobby's page; what was not told until now does not have to be, then.
        """
        told = self._newest.get(alert.id) == alert.newest
        if alert.id in self._gathered:
            self._gathered[alert.id] = (alert, self._gathered[alert.id][1])
        elif alert.id not in self._summary and (told or not looking):
            self._newest[alert.id] = alert.newest
            return [Show(alert)]
        return []

    def _gather(self, alert: Alert, pushes: list[Hashable]) -> bool:
        """Whether the alert has something new to say."""
        if alert.newest == self._newest.get(alert.id):
            return False
        _, before = self._gathered.get(alert.id, (alert, []))
        self._gathered[alert.id] = (alert, [*before, *pushes])
        return True

    @property
    def _in_a_row(self) -> bool:
        return self._came - self._before <= CALM

    def _release(self, now: float, keep_one: bool = False) -> list[Effect]:
        """``keep_one``: the row goes on; one push is not answered yet, so that its end is waited for, awake."""
        pushes = self._quiet + [push for _, of_room in self._gathered.values() for push in of_room]
        kept = pushes[-1:] if keep_one and len(pushes) > 1 else []
        free = pushes[: len(pushes) - len(kept)]
        alerts = [alert for alert, _ in self._gathered.values()]
        self._gathered, self._quiet, self._since = {}, kept, now if kept else None
        effects: list[Effect] = []
        told, replaced = self._told(alerts, now) if alerts else ([], [])
        for alert in told:
            # What is to be seen comes first: when the rest gets lost, nothing is lost.
            effects.append(Answer(free.pop(0), alert) if free else Show(alert))
        return [*effects, *(Answer(push, None) for push in free), *(Withdraw(room_id) for room_id in replaced)]

    def _told(self, alerts: list[Alert], now: float) -> tuple[list[Alert], list[str]]:
        """What to show for these, and whose alerts it takes the place of."""
        if now - self.last > TOGETHER:
            # What was told before stands for itself.
            self._alone.clear()
            self._summed_up = False
        self.last = now
        self._newest |= {alert.id: alert.newest for alert in alerts}
        together = self._alone | dict.fromkeys(alert.id for alert in alerts)
        if not self._summed_up and len(together) <= FEW:
            self._alone = together
            for room_id in together:
                self._summary.pop(room_id, None)
            return alerts, []
        replaced, self._alone = list(self._alone), {}
        self._summed_up = True
        self._summary |= together
        return [summary_alert(self._chats())], replaced

    def _chats(self) -> list[ChatSummary]:
        """The chats of the summary that still have something unread, the newest first."""
        chats = [chat for room_id in self._summary if (chat := self._look(room_id)) and chat.unread]
        return sorted(chats, key=lambda chat: -(chat.last_at or 0.0))
