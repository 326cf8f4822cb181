"""Which own messages go out, when, and what becomes of them: the outbox as a pure machine.

Promises: per chat, messages go out in the order they were written, one at a time; one message is never in two
requests at once; with a homeserver that answers the same transaction id with the same event, each arrives once.
A message nobody could deliver ends as *unsent* with a reason, and never goes out again unless the person says so.

``handle(event, now)`` returns effects to carry out in their order; ``next_wake()`` says when to hand in a ``Tick``.
"""

import enum
from dataclasses import dataclass, replace

TXN_REMEMBERED = 23 * 3600.0
"""Seconds a homeserver surely knows a transaction id (Synapse: 24 h), and it knows them per login.

Older, or first tried by another login: look into the timeline before sending.
"""

FIRST_RETRY = 1.0
LONGEST_RETRY = 60.0

NO_TIME = "Lobby's time in the background ran out before the homeserver answered."
SIGNED_OUT = "You are signed out of the homeserver."


class Phase(enum.StrEnum):
    """Where an item is. The first four are shown as "sending"."""

    QUEUED = "queued"
    LOOKING = "looking"
    """Being looked for in the timeline, since an old attempt may have arrived."""
    SENDING = "sending"
    WAITING = "waiting"
    """Between two attempts."""
    UNSENT = "unsent"


@dataclass(frozen=True)
class Item:
    """One own message on its way."""

    txn: str
    room_id: str
    turn: int = 0
    """Its place in the order of the outbox: lower goes first. Given by the machine."""
    phase: Phase = Phase.QUEUED
    first_tried: float | None = None
    """When the homeserver may first have got it; None: never tried, or the timeline says that it is not there."""
    attempts: int = 0
    retry_at: float = 0.0
    reason: str = ""
    device: str = ""
    """The login that first tried it; empty: never tried, or not known."""


@dataclass(frozen=True)
class Queue:
    """The person wrote a message; ``txn`` is new."""

    txn: str
    room_id: str


@dataclass(frozen=True)
class Resend:
    txn: str


@dataclass(frozen=True)
class Discard:
    txn: str


@dataclass(frozen=True)
class Delivered:
    """The homeserver answered with the event, or the timeline shows it."""

    txn: str
    event_id: str


@dataclass(frozen=True)
class Failed:
    """The request (send or look) failed in a way that may pass; ``retry_after``: seconds the homeserver asked for."""

    txn: str
    retry_after: float = 0.0


@dataclass(frozen=True)
class Refused:
    """The homeserver will never take it; ``reason`` is a sentence for the person."""

    txn: str
    reason: str


@dataclass(frozen=True)
class NotFound:
    """The timeline was looked through back to the first attempt: the message is not there."""

    txn: str


@dataclass(frozen=True)
class Stopped:
    """A request that was to be cancelled is really over, and nobody knows what became of it."""

    txn: str


@dataclass(frozen=True)
class GiveUpAll:
    """Everything pending becomes unsent: background time ran out (contract A05), or the person was signed out."""

    reason: str = NO_TIME


@dataclass(frozen=True)
class RoomGone:
    """The person is no longer in the room: what was to go there is dropped."""

    room_id: str


@dataclass(frozen=True)
class Reachable:
    """The homeserver has answered something: waiting is over."""


@dataclass(frozen=True)
class Tick:
    """The time asked for by ``next_wake`` has come."""


Event = (
    Queue
    | Resend
    | Discard
    | Delivered
    | Failed
    | Refused
    | NotFound
    | Stopped
    | GiveUpAll
    | RoomGone
    | Reachable
    | Tick
)


@dataclass(frozen=True)
class Keep:
    """Write the item down before anything that follows."""

    item: Item


@dataclass(frozen=True)
class Send:
    txn: str


@dataclass(frozen=True)
class Look:
    """Look for the message in the timeline, back to ``since``."""

    txn: str
    since: float
    by_words: bool = False
    """Another login may have sent it, whose transactions the homeserver tells nobody: its words have to do."""


@dataclass(frozen=True)
class Cancel:
    """Break the request off; answer with ``Stopped`` (or what it had become) when it is over."""

    txn: str


@dataclass(frozen=True)
class Sent:
    """It is an event of the timeline now; the outbox has forgotten it."""

    txn: str
    event_id: str


@dataclass(frozen=True)
class GaveUp:
    """It is unsent: tell the person if nobody is looking."""

    item: Item


@dataclass(frozen=True)
class Forget:
    """It is gone: the person discarded it, or left the room."""

    txn: str


Effect = Keep | Send | Look | Cancel | Sent | GaveUp | Forget

_REQUESTED = (Phase.SENDING, Phase.LOOKING)


class Outbox:
    """All own messages that are not yet events, in the order they were written."""

    def __init__(self, items: tuple[Item, ...] = (), device: str = "") -> None:
        """Take back a saved outbox: what was under way when Lobby died is queued again, under the same transaction.

        ``device``: the login that sends from now on.
        """
        self._device = device
        self._items: dict[str, Item] = {}
        for item in sorted(items, key=lambda item: item.turn):
            pending = item.phase is not Phase.UNSENT
            self._items[item.txn] = replace(item, phase=Phase.QUEUED, retry_at=0.0) if pending else item
        self._in_flight: set[str] = set()

    def items(self) -> tuple[Item, ...]:
        """The saved form; in order."""
        return tuple(self._items.values())

    def pending(self) -> tuple[Item, ...]:
        """What is still to go out."""
        return tuple(item for item in self._items.values() if item.phase is not Phase.UNSENT)

    def next_wake(self) -> float | None:
        """When the next retry is due; None: nothing waits for time to pass."""
        return min((item.retry_at for item in self._items.values() if item.phase is Phase.WAITING), default=None)

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take an event; return what is to be done, in order. Events about unknown transactions change nothing."""
        effects = self._take(event, now)
        return effects + self._start_what_may(now)

    def _take(self, event: Event, now: float) -> list[Effect]:
        match event:
            case Queue(txn, room_id):
                return [] if txn in self._items else self._keep(Item(txn, room_id, self._last_turn()))
            case GiveUpAll(reason):
                return [effect for item in self.pending() for effect in self._give_up(item, reason)]
            case RoomGone(room_id):
                return self._drop_room(room_id)
            case Reachable():
                return self._stop_waiting(now=None)
            case Tick():
                return self._stop_waiting(now)
            case Delivered(txn, event_id):
                self._in_flight.discard(txn)
                return [Sent(txn, event_id)] if self._items.pop(txn, None) else []
            case Resend(txn) | Discard(txn):
                return self._decide_unsent(event)
            case Failed(txn) | Refused(txn) | NotFound(txn) | Stopped(txn):
                self._in_flight.discard(txn)
                item = self._items.get(txn)
                return self._conclude(item, event, now) if item and item.phase in _REQUESTED else []

    def _drop_room(self, room_id: str) -> list[Effect]:
        effects: list[Effect] = []
        for txn in [item.txn for item in self._items.values() if item.room_id == room_id]:
            del self._items[txn]
            effects += [Cancel(txn), Forget(txn)] if txn in self._in_flight else [Forget(txn)]
        return effects

    def _decide_unsent(self, event: Resend | Discard) -> list[Effect]:
        item = self._items.get(event.txn)
        if item is None or item.phase is not Phase.UNSENT:
            return []
        if isinstance(event, Discard):
            del self._items[event.txn]
            return [Forget(event.txn)]
        turn = self._last_turn()
        del self._items[event.txn]  # A resent message is the newest of its chat.
        return self._keep(replace(item, turn=turn, phase=Phase.QUEUED, attempts=0, reason=""))

    def _conclude(self, item: Item, event: Failed | Refused | NotFound | Stopped, now: float) -> list[Effect]:
        match event:
            case Refused(_, reason):
                return self._give_up(item, reason)
            case NotFound():
                return self._keep(replace(item, phase=Phase.QUEUED, first_tried=None, device=""))
            case Stopped():
                return self._keep(replace(item, phase=Phase.QUEUED))
            case Failed(_, retry_after):
                wait = max(min(FIRST_RETRY * 2.0 ** min(item.attempts, 10), LONGEST_RETRY), retry_after)
                return self._keep(replace(item, phase=Phase.WAITING, attempts=item.attempts + 1, retry_at=now + wait))

    def _stop_waiting(self, now: float | None) -> list[Effect]:
        effects: list[Effect] = []
        for item in self.pending():
            if item.phase is Phase.WAITING and (now is None or item.retry_at <= now):
                effects += self._keep(replace(item, phase=Phase.QUEUED))
        return effects

    def _start_what_may(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        rooms_begun: set[str] = set()
        for item in self.pending():
            if item.room_id in rooms_begun:
                continue
            rooms_begun.add(item.room_id)
            # A cancelled request that is not over yet may still arrive: its successor waits, or order would be lost.
            if item.phase is Phase.QUEUED and not self._busy(item.room_id):
                effects += self._start(item, now)
        return effects

    def _busy(self, room_id: str) -> bool:
        return any(self._items[txn].room_id == room_id for txn in self._in_flight if txn in self._items)

    def _start(self, item: Item, now: float) -> list[Effect]:
        self._in_flight.add(item.txn)
        if item.first_tried is None:
            item = replace(item, first_tried=now, device=self._device)
        elif item.device != self._device or not 0.0 <= now - item.first_tried <= TXN_REMEMBERED:
            look = Look(item.txn, item.first_tried, by_words=item.device != self._device)
            return [*self._keep(replace(item, phase=Phase.LOOKING)), look]
        return [*self._keep(replace(item, phase=Phase.SENDING)), Send(item.txn)]

    def _give_up(self, item: Item, reason: str) -> list[Effect]:
        cancel: list[Effect] = [Cancel(item.txn)] if item.txn in self._in_flight else []
        unsent = replace(item, phase=Phase.UNSENT, reason=reason)
        return [*cancel, *self._keep(unsent), GaveUp(unsent)]

    def _last_turn(self) -> int:
        return 1 + max((item.turn for item in self._items.values()), default=0)

    def _keep(self, item: Item) -> list[Effect]:
        self._items[item.txn] = item
        return [Keep(item)]
