"""What waits for whom: endpoints, waiting messages, and the desks that are connected now.

A pure machine. Each method takes an event and ``now`` (seconds since 1970) and returns effects, to be carried out in
order. What must survive a crash goes out as ``Write(ticket, changes)``; when the changes are durable the shell calls
``stored(ticket)``, else ``not_stored(ticket)``. Nobody hears of success before: 201 is a promise (RFC 8030 §5).

What waits is known here without its body. A message that can go out in the moment it became durable goes out with the
body at hand; any other is fetched from the store first: ``Fetch(session, ids)``, answered with ``fetched`` or
``not_fetched``. Each desk has one fetch under way at most, so that messages keep their order.

A message leaves the mailbox when the desk acknowledged it, its sender withdrew it, a newer one with the same topic
took its place, its subscription ended, or its time to live is over (contract P08, P09). Until then it is sent again
on each connection, under the same version.
"""

import heapq
import math
from collections.abc import Iterable, Mapping

import msgspec

from frontdesk.push.core.desk import Desk
from frontdesk.push.core.effects import NOBODY_WAITS, Answer, Close, Effect, Fetch, Send, Write
from frontdesk.push.core.records import (
    Change,
    Channel,
    DropMessages,
    EndChannel,
    ForgetDesk,
    ForgetGone,
    KeepChannel,
    KeepMessage,
    Message,
    Saved,
    SeenDesk,
)
from frontdesk.wire import autopush, base64url, rfc8030

WINDOW = 10
"""Messages sent to a desk that it has not acknowledged yet; more wait until it does."""

MOST_CHANNELS = 1000
"""Subscriptions one desk may have."""

FORGET_AFTER = 60 * 24 * 3600.0
"""Seconds without contact after which a desk is forgotten, and after which an ended endpoint answers 404, not 410."""

_SWEEP_EVERY = 60.0
_FORGET_EVERY = 24 * 3600.0


class _Registering(msgspec.Struct, frozen=True):
    desk: Desk
    session: int
    channel: Channel


class _Ending(msgspec.Struct, frozen=True):
    session: int
    channel: Channel


class _Posting(msgspec.Struct, frozen=True):
    desk: Desk
    message: Message
    body: bytes
    ttl: int


class Mailbox:
    """The machine. ``public_url`` is the start of every endpoint, without a slash at its end."""

    def __init__(self, public_url: str, saved: Saved | None = None, now: float = 0.0) -> None:
        saved = saved or Saved()
        self.public_url = public_url
        self._desks: dict[str, Desk] = {}
        self._channels: dict[str, Channel] = {}  # by token
        self._gone = dict(saved.gone)
        self._owner: dict[str, Desk] = {}  # by message id
        self._sessions: dict[int, Desk] = {}
        self._unstored: dict[int, _Registering | _Ending | _Posting] = {}
        self._last_ticket = NOBODY_WAITS
        self._ending: set[str] = set()  # tokens whose end is being written
        self._expiries: list[tuple[float, str]] = []
        self._swept_at = now
        self._forgot_at = now
        for uaid, seen in saved.seen.items():
            self._desks[uaid] = Desk(uaid, seen)
        for channel in saved.channels:
            self._add_channel(channel, now)
        for message in saved.messages:
            if message.token in self._channels:
                self._add_message(message)

    # ---- what can be asked

    @property
    def waiting(self) -> int:
        """Messages that wait for an acknowledgement."""
        return len(self._owner)

    @property
    def connected(self) -> int:
        """Desks that are connected and have said hello."""
        return len(self._sessions)

    def next_wake(self) -> float | None:
        """When ``wake`` is to be called; None while nothing is kept here."""
        sweep = max(self._expiries[0][0], self._swept_at + _SWEEP_EVERY) if self._expiries else None
        forget = self._forgot_at + _FORGET_EVERY if self._desks or self._gone else None
        return min((when for when in (sweep, forget) if when is not None), default=None)

    # ---- senders

    def post(self, token: str, push: rfc8030.Push, message_id: str, now: float) -> list[Effect]:
        """A sender's message for the endpoint ``token``; ``message_id`` is fresh and cannot be guessed."""
        channel = self._channels.get(token)
        if channel is None:
            return [Answer(message_id, rfc8030.GONE if token in self._gone else rfc8030.UNKNOWN_ENDPOINT)]
        desk = self._desks[channel.uaid]
        message = Message(message_id, token, push.urgency, push.topic, now + push.ttl)
        if push.ttl == 0:
            return self._now_or_never(desk, message, push.body, now)
        swept: list[Effect] = []
        if desk.is_full:
            swept = self._drop(self._pop_expired(now))
        # A replacement takes no more room than what it replaces (RFC 8030 §5.4).
        if desk.is_full and not (push.topic and desk.find_topic(token, push.topic)):
            return [*swept, Answer(message_id, rfc8030.MAILBOX_FULL)]
        desk.arriving += 1
        return [*swept, self._write(_Posting(desk, message, push.body, push.ttl), KeepMessage(message, push.body))]

    def _now_or_never(self, desk: Desk, message: Message, body: bytes, now: float) -> list[Effect]:
        """Not kept, not counted, and not sent again if this connection turns out to be dead.

        What it replaces is over all the same (RFC 8030 §5.4): a cancelled call must not ring later.
        """
        sending = [] if desk.session is None else [Send(desk.session, self._arrival(message, body, now))]
        replaced = desk.find_topic(message.token, message.topic) if message.topic else None
        dropping = self._drop([replaced]) if replaced else []
        return [*sending, Answer(message.id, rfc8030.Accepted(message.id, 0)), *dropping]

    def withdraw(self, message_id: str) -> list[Effect]:
        """The sender no longer wants it delivered (DELETE of the Location). Too late or unknown: nothing happens."""
        return self._drop([message_id])

    # ---- desks

    def hello(self, session: int, uaid: str | None, fresh_uaid: str, now: float) -> list[Effect]:
        """A desk says who it is. An unknown uaid is answered with ``fresh_uaid``: all it had before is gone."""
        effects: list[Effect] = []
        desk = self._desks.get(autopush.plain_uaid(uaid) or "")
        if desk is None:
            desk = self._desks[fresh_uaid] = Desk(fresh_uaid, now)
        elif desk.session is not None:
            effects.append(Close(desk.session, "replaced by a newer connection of the same desk"))
            self._leave(desk)
        desk.session, desk.seen = session, now
        self._sessions[session] = desk
        if desk.channels:
            effects.append(Write(NOBODY_WAITS, (SeenDesk(desk.uaid, now),)))
        reply = autopush.HelloReply(uaid=desk.uaid, status=200, use_webpush=True, broadcasts={})
        return [*effects, Send(session, reply), *self._deliver(desk, now)]

    def register(self, session: int, channel_id: str, fresh_token: str, now: float) -> list[Effect]:
        """A desk wants an endpoint. For a channel it has already, it gets the same endpoint again."""
        desk = self._sessions.get(session)
        if desk is None:
            return []
        token = desk.channels.get(channel_id)
        if token is not None and token not in self._ending:
            return [self._registered(session, channel_id, token)]
        if len(desk.channels) + desk.registering >= MOST_CHANNELS:
            return [Send(session, autopush.RegisterReply(channel_id=channel_id, status=400))]
        channel = Channel(fresh_token, desk.uaid, channel_id)
        desk.registering += 1
        return [self._write(_Registering(desk, session, channel), KeepChannel(channel, now))]

    def unregister(self, session: int, channel_id: str, now: float) -> list[Effect]:
        """A desk gives an endpoint up; senders are told 410 from then on."""
        desk = self._sessions.get(session)
        if desk is None:
            return []
        token = desk.channels.get(channel_id)
        if token is None:
            return [Send(session, autopush.UnregisterReply(channel_id=channel_id, status=200))]
        self._ending.add(token)
        return [self._write(_Ending(session, self._channels[token]), EndChannel(token, now))]

    def acknowledge(self, session: int, versions: Iterable[str], now: float) -> list[Effect]:
        """The desk has these messages in its own store. Unknown versions and other desks' are passed over."""
        desk = self._sessions.get(session)
        if desk is None:
            return []
        mine = [version for version in versions if self._owner.get(version) is desk]
        return [*self._drop(mine), *self._deliver(desk, now)]

    def disconnected(self, session: int, now: float) -> list[Effect]:
        """The connection has ended; what was sent on it and not acknowledged waits for the next."""
        desk = self._sessions.get(session)
        if desk is None:
            return []
        desk.seen = now
        self._leave(desk)
        if not desk.channels:
            del self._desks[desk.uaid]
            return []
        return [Write(NOBODY_WAITS, (SeenDesk(desk.uaid, now),))]

    # ---- the store's answers

    def stored(self, ticket: int, now: float) -> list[Effect]:
        """The write with this ticket is durable."""
        match self._unstored.pop(ticket):
            case _Posting(desk, message, body, ttl):
                desk.arriving -= 1
                return self._posted(message, body, ttl, now)
            case _Registering(desk, session, channel):
                desk.registering -= 1
                return self._channel_stored(session, channel, now)
            case _Ending(session, channel):
                self._ending.discard(channel.token)
                self._end_channel(channel.token, now)
                return self._reply(session, autopush.UnregisterReply(channel_id=channel.channel_id, status=200))

    def not_stored(self, ticket: int) -> list[Effect]:
        """The write with this ticket failed, and nothing of it was kept."""
        match self._unstored.pop(ticket):
            case _Posting(desk, message):
                desk.arriving -= 1
                return [Answer(message.id, rfc8030.STORE_UNAVAILABLE)]
            case _Registering(desk, session, channel):
                desk.registering -= 1
                return self._reply(session, autopush.RegisterReply(channel_id=channel.channel_id, status=500))
            case _Ending(session, channel):
                self._ending.discard(channel.token)
                return self._reply(session, autopush.UnregisterReply(channel_id=channel.channel_id, status=500))

    def fetched(self, session: int, bodies: Mapping[str, bytes], now: float) -> list[Effect]:
        """The bodies that ``Fetch`` asked for. One that is missing has just been replaced by a newer message."""
        desk = self._sessions.get(session)
        if desk is None:
            return []
        fetching, desk.fetching = desk.fetching, ()
        effects: list[Effect] = []
        for message in [desk.waiting[message_id] for message_id in fetching if message_id in desk.waiting]:
            if message.id not in bodies:
                self._remove(message.id)
            elif message.expires_at > now:
                effects.append(self._hand_over(desk, session, message, bodies[message.id], now))
        return [*effects, *self._deliver(desk, now)]

    def not_fetched(self, session: int) -> list[Effect]:
        """The store cannot be read. Ending the connection loses nothing: the desk comes back, and it is read again."""
        desk = self._sessions.get(session)
        if desk is None:
            return []
        self._leave(desk)
        return [Close(session, "the push service cannot read its disk; try again later")]

    # ---- time

    def wake(self, now: float) -> list[Effect]:
        """Let go of what is over: messages past their time to live, desks and ended endpoints past FORGET_AFTER."""
        effects: list[Effect] = []
        if self._expiries and now >= max(self._expiries[0][0], self._swept_at + _SWEEP_EVERY):
            self._swept_at = now
            effects += self._drop(self._pop_expired(now))
        if now >= self._forgot_at + _FORGET_EVERY:
            self._forgot_at = now
            effects += self._forget(now)
        return effects

    def _pop_expired(self, now: float) -> list[str]:
        expired = []
        while self._expiries and self._expiries[0][0] <= now:
            expired.append(heapq.heappop(self._expiries)[1])
        return expired

    def _forget(self, now: float) -> list[Effect]:
        changes: list[Change] = []
        for desk in [desk for desk in self._desks.values() if desk.session is None]:
            if desk.seen + FORGET_AFTER <= now:
                for token in list(desk.channels.values()):
                    self._end_channel(token, now)
                    changes.append(EndChannel(token, now))
                del self._desks[desk.uaid]
                changes.append(ForgetDesk(desk.uaid))
        old = [token for token, at in self._gone.items() if at < now - FORGET_AFTER]
        for token in old:
            del self._gone[token]
        if old:
            changes.append(ForgetGone(now - FORGET_AFTER))
        return [Write(NOBODY_WAITS, tuple(changes))] if changes else []

    # ---- inside

    def _write(self, what: _Registering | _Ending | _Posting, change: Change) -> Write:
        self._last_ticket += 1
        self._unstored[self._last_ticket] = what
        return Write(self._last_ticket, (change,))

    def _posted(self, message: Message, body: bytes, ttl: int, now: float) -> list[Effect]:
        channel = self._channels.get(message.token)
        if channel is None:  # the subscription ended while the message was being written
            return [Write(NOBODY_WAITS, (DropMessages((message.id,)),)), Answer(message.id, rfc8030.GONE)]
        desk = self._desks[channel.uaid]
        replaced = desk.find_topic(message.token, message.topic) if message.topic else None
        if replaced is not None:  # the store did the same when it took the new one
            self._remove(replaced)
        at_once = not desk.waiting and len(desk.sent) < WINDOW and message.expires_at > now
        self._add_message(message)
        answer = Answer(message.id, rfc8030.Accepted(message.id, ttl))
        if at_once and desk.session is not None:
            return [answer, self._hand_over(desk, desk.session, message, body, now)]
        return [answer, *self._deliver(desk, now)]

    def _channel_stored(self, session: int, channel: Channel, now: float) -> list[Effect]:
        desk = self._desks.get(channel.uaid)
        first = desk.channels.get(channel.channel_id) if desk else None
        if first is not None:  # asked for twice before the first was durable: both get the first endpoint
            self._gone[channel.token] = now
            return [
                Write(NOBODY_WAITS, (EndChannel(channel.token, now),)),
                *self._reply(session, self._registered(session, channel.channel_id, first).message),
            ]
        self._add_channel(channel, now)
        return self._reply(session, self._registered(session, channel.channel_id, channel.token).message)

    def _registered(self, session: int, channel_id: str, token: str) -> Send:
        endpoint = f"{self.public_url}/push/{token}"
        return Send(session, autopush.RegisterReply(channel_id=channel_id, status=200, endpoint=endpoint))

    def _reply(self, session: int, message: autopush.ServerMessage) -> list[Effect]:
        """The desk may have left while the store was writing; then it asks again."""
        return [Send(session, message)] if session in self._sessions else []

    def _deliver(self, desk: Desk, now: float) -> list[Effect]:
        """Have fetched what waits, oldest first, as far as the window has room."""
        if desk.session is None or desk.fetching:
            return []
        room = WINDOW - len(desk.sent)
        due: list[str] = []
        expired: list[str] = []
        for message in desk.waiting.values():
            if len(due) >= room:
                break
            (due if message.expires_at > now else expired).append(message.id)
        desk.fetching = tuple(due)
        return [*([Fetch(desk.session, desk.fetching)] if due else []), *self._drop(expired)]

    def _hand_over(self, desk: Desk, session: int, message: Message, body: bytes, now: float) -> Send:
        desk.sent[message.id] = desk.waiting.pop(message.id)
        return Send(session, self._arrival(message, body, now))

    def _arrival(self, message: Message, body: bytes, now: float) -> autopush.Arrival:
        # Rounded up: a message that still has part of a second left must not look like "now or never".
        ttl = max(0, math.ceil(message.expires_at - now))
        return autopush.Arrival(
            channel_id=self._channels[message.token].channel_id,
            version=message.id,
            data=base64url.encode(body) if body else None,
            headers={"encoding": "aes128gcm"} if body else None,
            ttl=ttl,
        )

    def _leave(self, desk: Desk) -> None:
        if desk.session is not None:
            del self._sessions[desk.session]
        desk.session = None
        desk.fetching = ()
        desk.waiting = desk.sent | desk.waiting
        desk.sent = {}

    def _add_channel(self, channel: Channel, now: float) -> None:
        desk = self._desks.get(channel.uaid)
        if desk is None:
            desk = self._desks[channel.uaid] = Desk(channel.uaid, now)
        desk.channels[channel.channel_id] = channel.token
        self._channels[channel.token] = channel

    def _end_channel(self, token: str, now: float) -> None:
        channel = self._channels.pop(token, None)
        if channel is None:
            return
        desk = self._desks[channel.uaid]
        del desk.channels[channel.channel_id]
        for message in [m for m in (*desk.waiting.values(), *desk.sent.values()) if m.token == token]:
            self._remove(message.id)
        self._gone[token] = now

    def _add_message(self, message: Message) -> None:
        desk = self._desks[self._channels[message.token].uaid]
        desk.waiting[message.id] = message
        self._owner[message.id] = desk
        heapq.heappush(self._expiries, (message.expires_at, message.id))

    def _remove(self, message_id: str) -> bool:
        desk = self._owner.pop(message_id, None)
        if len(self._expiries) > 2 * len(self._owner) + 1000:  # else acknowledged ones would stay for up to 30 days
            self._expiries = [entry for entry in self._expiries if entry[1] in self._owner]
            heapq.heapify(self._expiries)
        return desk is not None and desk.drop(message_id)

    def _drop(self, ids: Iterable[str]) -> list[Effect]:
        dropped = tuple(message_id for message_id in ids if self._remove(message_id))
        return [Write(NOBODY_WAITS, (DropMessages(dropped),))] if dropped else []
