"""One desk's connection, from the service's side: hello first and in time, then messages, and signs of life.

A pure machine; ``now`` is any clock that only goes forward, in seconds.
"""

import enum

import msgspec

from frontdesk.errors import WireError
from frontdesk.wire import autopush

HELLO_WITHIN = 30.0
"""Seconds from the opening of the connection to the desk's hello. On a line of three seconds each way six pass;
Mozilla's service allows five."""

PING_AFTER = 300.0
"""Seconds of silence after which the desk is asked for a sign of life."""

PONG_WITHIN = 30.0
"""Seconds it has to give one; what comes for a desk that is gone is kept in any case."""


class Stage(enum.Enum):
    """Where the connection is; CLOSED is for ever."""

    NEW = "new"
    GREETED = "greeted"
    CLOSED = "closed"


class Received(msgspec.Struct, frozen=True):
    """A message for the mailbox."""

    message: autopush.Hello | autopush.Register | autopush.Unregister | autopush.Ack


class Reply(msgspec.Struct, frozen=True):
    """Send this frame at once."""

    message: autopush.ServerMessage


class SendPing(msgspec.Struct, frozen=True):
    """Send a WebSocket ping."""


class Close(msgspec.Struct, frozen=True):
    """End the connection with this WebSocket close code; the reason is for a log."""

    code: int
    reason: str


Effect = Received | Reply | SendPing | Close

_BROKEN = 1011  # what autopush answers to whatever a client does against the protocol


class Connection:
    """The machine, made when the connection is opened at ``now``."""

    def __init__(self, now: float) -> None:
        self.stage = Stage.NEW
        self._due = now + HELLO_WITHIN
        self._pinged = False

    def next_wake(self) -> float | None:
        """When ``wake`` is to be called if nothing is heard before."""
        return None if self.stage is Stage.CLOSED else self._due

    def received(self, frame: str, now: float) -> list[Effect]:
        """A text frame."""
        if self.stage is Stage.CLOSED:
            return []
        try:
            message = autopush.client_message(frame)
        except WireError as error:
            return self._close(str(error))
        greeted = isinstance(message, autopush.Hello)
        if greeted == (self.stage is Stage.GREETED):
            return self._close("hello came twice" if greeted else "the first message was not hello")
        self.stage = Stage.GREETED
        self.heard(now)
        match message:
            case autopush.Hello() | autopush.Register() | autopush.Unregister() | autopush.Ack():
                return [Received(message)]
            case autopush.Ping():
                return [Reply(autopush.Ping())]
            case autopush.Nack() | autopush.BroadcastSubscribe():
                return []

    def heard(self, now: float) -> None:
        """Any sign of life, a pong included. Before hello it buys no time."""
        if self.stage is Stage.GREETED:
            self._pinged, self._due = False, now + PING_AFTER

    def wake(self, now: float) -> list[Effect]:
        """Time has come to ask, or to give up."""
        if self.stage is Stage.CLOSED or now < self._due:
            return []
        if self.stage is Stage.NEW:
            return self._close(f"no hello within {HELLO_WITHIN:g} s")
        if self._pinged:
            return self._close(f"no sign of life within {PONG_WITHIN:g} s")
        self._pinged, self._due = True, now + PONG_WITHIN
        return [SendPing()]

    def _close(self, reason: str) -> list[Effect]:
        self.stage = Stage.CLOSED
        return [Close(_BROKEN, reason)]
