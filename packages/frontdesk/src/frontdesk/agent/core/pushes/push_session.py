"""The desk's side of the push connection: who we are, what is asked for, what is acknowledged, and is it still alive.

A pure machine around one connection after another. ``now`` is any clock that only goes forward, in seconds. Effects
are to be carried out in order. After ``Open`` the shell reports ``opened`` or ``lost``; after ``Drop`` it cuts the
connection and reports ``lost`` with the same reason.

Promise: each ``register`` ends in one Registered or RegisterFailed, however often the connection breaks in between,
unless ``unregister`` takes it back.
"""

import enum

import msgspec

from frontdesk.agent.core.backoff import Backoff
from frontdesk.errors import WireError
from frontdesk.wire import autopush

OPEN_WITHIN = 30.0
"""Seconds for the connection to come about."""

REPLY_WITHIN = 30.0
"""Seconds for an answer to hello, register, unregister and ping; then the connection counts as dead. A slow line that
other programs fill takes ten for a few kilobytes."""

KEEP_ALIVE = 30 * 60.0
"""Seconds of silence after which the service is asked whether it is still there. Its own pings count as sound."""

STEADY_AFTER = 30.0
"""Seconds a connection must have worked before the next attempt may again come quickly."""

MOST_ACKS = 1000
"""Acknowledgements kept for the next connection; what is not acknowledged comes again, and is acknowledged then."""


# ---- what the desk hears


class Connected(msgspec.Struct, frozen=True):
    """The service knows us as ``uaid``, which is to be kept. ``changed``: every endpoint from before is dead."""

    uaid: str
    changed: bool


class Disconnected(msgspec.Struct, frozen=True):
    """No connection, and why; the next attempt comes in ``retry_in`` seconds."""

    why: str
    retry_in: float


class Registered(msgspec.Struct, frozen=True):
    """The channel has this endpoint."""

    channel_id: str
    endpoint: str


class RegisterFailed(msgspec.Struct, frozen=True):
    """The service refused; asking again is up to the caller."""

    channel_id: str
    why: str


class Arrived(msgspec.Struct, frozen=True):
    """A push message. To be acknowledged, also when it cannot be used: else it comes again, and holds up others.

    ``data`` is the body as its sender encrypted it, or empty. ``ttl``: seconds it has left, None when the service
    does not say (Mozilla's does not).
    """

    channel_id: str
    version: str
    data: bytes
    ttl: float | None


PushEvent = Connected | Disconnected | Registered | RegisterFailed | Arrived


# ---- effects


class Open(msgspec.Struct, frozen=True):
    """Connect."""


class SendFrame(msgspec.Struct, frozen=True):
    """Send this text frame."""

    frame: str


class Drop(msgspec.Struct, frozen=True):
    """Cut the connection, or the attempt, and report ``lost`` with this reason."""

    why: str


class Tell(msgspec.Struct, frozen=True):
    """Tell the desk."""

    event: PushEvent


Effect = Open | SendFrame | Drop | Tell


class Stage(enum.Enum):
    """WAITING → OPENING → GREETING → READY; from the last three by DROPPING (ours) or at once (theirs) to WAITING."""

    WAITING = "waiting"
    OPENING = "opening"
    GREETING = "greeting"
    READY = "ready"
    DROPPING = "dropping"


class _Request(msgspec.Struct):
    """A register or unregister that has not been answered. ``due``: when the answer must be here; None: not sent.

    ``others``: answers still to come to earlier registers of the same channel; their endpoints may be dead again.
    """

    message: autopush.Register | autopush.Unregister
    due: float | None = None
    others: int = 0


class PushSession:
    """The machine. ``uaid`` is what the service called us last time, None when it never did."""

    def __init__(self, uaid: str | None, now: float = 0.0, keep_alive: float = KEEP_ALIVE) -> None:
        self.uaid = uaid
        self.stage = Stage.WAITING
        self._keep_alive = keep_alive
        self._backoff = Backoff()
        self._hurry = False
        self._due = now  # of the next attempt, of the connection, of the answer to hello
        self._ready_since: float | None = None
        self._heard_at = now
        self._pong_due: float | None = None
        self._requests: dict[str, _Request] = {}  # by channel id, in the order asked
        self._acks: dict[str, autopush.AckUpdate] = {}  # by version

    def next_wake(self) -> float | None:
        """When ``wake`` is to be called."""
        if self.stage is Stage.DROPPING:
            return None
        if self.stage is not Stage.READY:
            return self._due
        deadlines = [request.due for request in self._requests.values() if request.due is not None]
        return min([self._heard_at + self._keep_alive if self._pong_due is None else self._pong_due, *deadlines])

    # ---- the desk asks

    def register(self, channel_id: str, now: float) -> list[Effect]:
        """Ask for an endpoint. Raises ValueError unless the channel id is a UUID in lower case with dashes."""
        return self._ask(autopush.Register(channel_id=_checked(channel_id)), now)

    def unregister(self, channel_id: str, now: float) -> list[Effect]:
        """Give an endpoint up; asked again on each connection until the service has said yes."""
        return self._ask(autopush.Unregister(channel_id=_checked(channel_id), code=200), now)

    def ack(self, channel_id: str, version: str, code: int) -> list[Effect]:
        """The message is durable here (contract P09), or will never be usable."""
        update = autopush.AckUpdate(channel_id=channel_id, version=version, code=code)
        if self.stage is Stage.READY:
            return [_send(autopush.Ack(updates=(update,)))]
        self._acks[version] = update
        while len(self._acks) > MOST_ACKS:
            del self._acks[next(iter(self._acks))]
        return []

    def reconnect_now(self, now: float) -> list[Effect]:
        """The network has changed: what was open is probably dead, and waiting has no reason any more."""
        self._backoff.succeeded()
        if self.stage is Stage.WAITING:
            self._due = now
            return self.wake(now)
        self._hurry = True
        return self._drop("the network has changed")

    # ---- the connection reports

    def opened(self, now: float) -> list[Effect]:
        """The connection is there."""
        if self.stage is not Stage.OPENING:
            return []
        self.stage = Stage.GREETING
        self._due = now + REPLY_WITHIN
        self.heard(now)
        return [_send(autopush.Hello(use_webpush=True, uaid=self.uaid))]

    def heard(self, now: float) -> None:
        """Any sign of life, WebSocket pings and pongs included."""
        self._heard_at, self._pong_due = now, None

    def received(self, frame: str, now: float) -> list[Effect]:
        """A text frame. One that breaks the protocol ends the connection, and nothing else."""
        if self.stage not in (Stage.GREETING, Stage.READY):
            return []
        try:
            message = autopush.server_message(frame)
        except WireError as error:
            return self._drop(str(error))
        self.heard(now)
        match message:
            case autopush.HelloReply():
                return self._greeted(message, now)
            case autopush.RegisterReply():
                return self._registered(message)
            case autopush.UnregisterReply():
                return self._unregistered(message)
            case autopush.Arrival():
                return self._arrived(message)
            case autopush.Ping() | autopush.Broadcast() | autopush.Other():
                return []

    def lost(self, why: str, now: float, dice: float) -> list[Effect]:
        """The connection has ended, or never came about. ``dice`` is drawn evenly from 0 up to 1."""
        if self.stage is Stage.WAITING:
            return []
        if self._ready_since is not None and self._ready_since + STEADY_AFTER <= now:
            self._backoff.succeeded()
        wait = 0.0 if self._hurry else self._backoff.failed(dice)
        self.stage, self._hurry = Stage.WAITING, False
        self._due = now + wait
        self._ready_since = self._pong_due = None
        for request in self._requests.values():
            request.due, request.others = None, 0
        return [Tell(Disconnected(why, wait))]

    def wake(self, now: float) -> list[Effect]:
        """Time has come to connect, to ask for a sign of life, or to give a connection up."""
        if self.stage is Stage.DROPPING or now < (self.next_wake() or now):
            return []
        match self.stage:
            case Stage.WAITING:
                self.stage, self._due = Stage.OPENING, now + OPEN_WITHIN
                return [Open()]
            case Stage.OPENING:
                return self._drop(f"no connection within {OPEN_WITHIN:g} s")
            case Stage.GREETING:
                return self._drop(f"hello was not answered within {REPLY_WITHIN:g} s")
        late = any(request.due is not None and request.due <= now for request in self._requests.values())
        if late or self._pong_due is not None:
            return self._drop(f"no answer within {REPLY_WITHIN:g} s")
        self._pong_due = now + REPLY_WITHIN
        return [_send(autopush.Ping())]

    # ---- inside

    def _greeted(self, reply: autopush.HelloReply, now: float) -> list[Effect]:
        if self.stage is Stage.READY:
            return self._drop("the service said hello twice")
        if reply.status != 200:
            return self._drop(f"the service refused hello with status {reply.status}")
        changed = self.uaid is not None and self.uaid != reply.uaid
        if changed:  # what was asked of, or arrived at, channels of the old uaid means nothing to the new one
            self._acks.clear()
            self._requests = {
                channel_id: request
                for channel_id, request in self._requests.items()
                if isinstance(request.message, autopush.Register)
            }
        self.uaid, self.stage, self._ready_since = reply.uaid, Stage.READY, now
        effects: list[Effect] = [Tell(Connected(reply.uaid, changed))]
        if self._acks:
            effects.append(_send(autopush.Ack(updates=tuple(self._acks.values()))))
            self._acks = {}
        for request in self._requests.values():
            request.due = now + REPLY_WITHIN
            effects.append(_send(request.message))
        return effects

    def _ask(self, message: autopush.Register | autopush.Unregister, now: float) -> list[Effect]:
        before = self._requests.get(message.channel_id)
        request = self._requests[message.channel_id] = _Request(message)
        if before is not None:
            asked = before.due is not None and isinstance(before.message, autopush.Register)
            request.others = before.others + asked
        if self.stage is not Stage.READY:
            return []
        request.due = now + REPLY_WITHIN
        return [_send(message)]

    def _registered(self, reply: autopush.RegisterReply) -> list[Effect]:
        request = self._requests.get(reply.channel_id)
        if request is None:
            return []
        if request.others > 0:
            request.others -= 1
            return []
        if request.due is None or not isinstance(request.message, autopush.Register):
            return []
        del self._requests[reply.channel_id]
        if reply.status == 200 and reply.endpoint:
            return [Tell(Registered(reply.channel_id, reply.endpoint))]
        return [Tell(RegisterFailed(reply.channel_id, f"the push service refused with status {reply.status}"))]

    def _unregistered(self, reply: autopush.UnregisterReply) -> list[Effect]:
        request = self._requests.get(reply.channel_id)
        if request is not None and isinstance(request.message, autopush.Unregister):
            request.due = None  # refused: asked again on the next connection
            if reply.status == 200:
                del self._requests[reply.channel_id]
        return []

    def _arrived(self, message: autopush.Arrival) -> list[Effect]:
        if self.stage is not Stage.READY:
            return self._drop("a push came before hello")
        try:
            data = message.body()
        except WireError:
            # Acknowledged, else this one message would be sent again for ever and hold up all others (P11).
            return self.ack(message.channel_id, message.version, autopush.NOT_DELIVERED)
        ttl = None if message.ttl is None else float(max(0, message.ttl))
        return [Tell(Arrived(message.channel_id, message.version, data, ttl))]

    def _drop(self, why: str) -> list[Effect]:
        if self.stage is Stage.DROPPING:
            return []
        self.stage = Stage.DROPPING
        return [Drop(why)]


def _send(message: autopush.ClientMessage) -> SendFrame:
    return SendFrame(autopush.encode(message))


def _checked(channel_id: str) -> str:
    if not autopush.is_channel_id(channel_id):
        raise ValueError(f"a channel id is a UUID in lower case with dashes, not {channel_id!r}")
    return channel_id
