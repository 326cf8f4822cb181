"""What the mailbox keeps, and the changes to it that the store must make durable: the contract between the two."""

import msgspec

from frontdesk.wire.rfc8030 import Urgency


class Message(msgspec.Struct, frozen=True):
    """A message that waits, without its body: bodies are in the store, and read when they are to be delivered.

    ``id`` is its version towards the desk, and the end of its Location towards the sender.
    """

    id: str
    token: str
    urgency: Urgency
    topic: str | None
    expires_at: float


class Channel(msgspec.Struct, frozen=True):
    """A subscription: what arrives at the endpoint ``token`` belongs to this channel of this desk."""

    token: str
    uaid: str
    channel_id: str


class Saved(msgspec.Struct, frozen=True):
    """What the store gives back at the start: everything that was durable."""

    seen: dict[str, float] = {}
    """When each desk was last here, by uaid."""
    channels: tuple[Channel, ...] = ()
    gone: dict[str, float] = {}
    """Tokens of ended subscriptions, and when they ended."""
    messages: tuple[Message, ...] = ()
    """In the order of their acceptance."""


class KeepChannel(msgspec.Struct, frozen=True):
    """A new subscription; its desk is remembered from now on."""

    channel: Channel
    at: float


class EndChannel(msgspec.Struct, frozen=True):
    """A subscription is over: its messages go, its token stays known as gone."""

    token: str
    at: float


class KeepMessage(msgspec.Struct, frozen=True):
    """A new message; it replaces one with the same token and topic."""

    message: Message
    body: bytes


class DropMessages(msgspec.Struct, frozen=True):
    """These messages are done with."""

    ids: tuple[str, ...]


class SeenDesk(msgspec.Struct, frozen=True):
    """A desk was here."""

    uaid: str
    at: float


class ForgetDesk(msgspec.Struct, frozen=True):
    """A desk has been away too long."""

    uaid: str


class ForgetGone(msgspec.Struct, frozen=True):
    """Tokens that ended before this time need not be known any longer."""

    before: float


Change = KeepChannel | EndChannel | KeepMessage | DropMessages | SeenDesk | ForgetDesk | ForgetGone
