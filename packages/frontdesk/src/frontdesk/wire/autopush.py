"""Mozilla's autopush protocol: the WebSocket messages between a desk and its push service, both ends.

Each message is one text frame with one JSON object; ``messageType`` says which. ``{}`` alone is a ping, in both
directions. Unknown fields are ignored. Ours: a notification may carry ``ttl``, the seconds it has left.
"""

import re
from typing import Any

import msgspec

from frontdesk.errors import WireError
from frontdesk.terms import Refusal
from frontdesk.wire import base64url

MOST_FRAME = 1024 * 1024
"""Bytes of one text frame (contract X02)."""

MOST_UAID = 128
"""Characters of a uaid that a desk accepts."""

DELIVERED, NOT_DECRYPTED, NOT_DELIVERED = 100, 101, 102
"""Codes of an acknowledgement."""

_CHANNEL_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_UAID = re.compile(r"[0-9a-f]{32}")


class _Tagged(msgspec.Struct, frozen=True, kw_only=True, tag_field="messageType", omit_defaults=True):
    """What all messages share: a tag, and no field sent that still has its default."""


# ---- from the desk


class Hello(_Tagged, frozen=True, tag="hello"):
    """The first frame, within 5 s. ``uaid`` is who the desk was last time."""

    use_webpush: bool = True
    uaid: str | None = None


class Register(_Tagged, frozen=True, tag="register"):
    """Asks for an endpoint. ``channel_id`` is a UUID, lower case with dashes, chosen by the desk."""

    channel_id: str = msgspec.field(name="channelID")
    key: str | None = None


class Unregister(_Tagged, frozen=True, tag="unregister"):
    """Ends a channel; its endpoint answers 410 from then on."""

    channel_id: str = msgspec.field(name="channelID")
    code: int | None = None


class AckUpdate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message the desk has taken over. Looked up by ``version`` alone."""

    channel_id: str = msgspec.field(name="channelID")
    version: str
    code: int | None = None


class Ack(_Tagged, frozen=True, tag="ack"):
    """These messages need not be sent again."""

    updates: tuple[AckUpdate, ...]


class Nack(_Tagged, frozen=True, tag="nack"):
    """Statistics only: it does not release the message."""

    version: str
    code: int | None = None


class BroadcastSubscribe(_Tagged, frozen=True, tag="broadcast_subscribe"):
    """Browsers send it; we have no broadcasts, and answer nothing."""


class Ping(_Tagged, frozen=True, tag="ping"):
    """``{}``, in both directions: is the other side still there?"""


ClientMessage = Hello | Register | Unregister | Ack | Nack | BroadcastSubscribe | Ping


# ---- from the push service


class HelloReply(_Tagged, frozen=True, tag="hello"):
    """Who the desk is from now on. A ``uaid`` other than it asked for: every channel of the old one is gone."""

    uaid: str
    status: int
    use_webpush: bool | None = None
    broadcasts: dict[str, Any] | None = None


class RegisterReply(_Tagged, frozen=True, tag="register"):
    """``status`` 200: ``endpoint`` is the address for senders. Else there is none."""

    channel_id: str = msgspec.field(name="channelID")
    status: int
    endpoint: str = msgspec.field(name="pushEndpoint", default="")


class UnregisterReply(_Tagged, frozen=True, tag="unregister"):
    """``status`` 200, also for a channel that was not there; 500 when it could not be ended."""

    channel_id: str = msgspec.field(name="channelID")
    status: int


class Arrival(_Tagged, frozen=True, tag="notification"):
    """A push message. ``data`` and ``headers`` are missing when it has no body.

    ``version`` names the message in an Ack, and is the same when it is sent again.
    """

    channel_id: str = msgspec.field(name="channelID")
    version: str
    data: str | None = None
    headers: dict[str, str] | None = None
    ttl: int | None = None

    def body(self) -> bytes:
        """The body as the sender posted it; empty when there was none. Raises WireError for broken base64url."""
        return b"" if self.data is None else base64url.decode(self.data, "data")


class Broadcast(_Tagged, frozen=True, tag="broadcast"):
    """Mozilla's news for all browsers; nothing to us."""


ServerMessage = HelloReply | RegisterReply | UnregisterReply | Arrival | Broadcast | Ping


class Other(msgspec.Struct, frozen=True):
    """A well-formed message of a kind we do not know: a newer push service may send one. To be ignored."""

    kind: str


class _Kind(msgspec.Struct, frozen=True):
    kind: str | None = msgspec.field(name="messageType", default=None)


_KIND = msgspec.json.Decoder(_Kind)
_CLIENT: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)
_SERVER: msgspec.json.Decoder[ServerMessage] = msgspec.json.Decoder(ServerMessage)
_SERVER_KINDS = frozenset({"hello", "register", "unregister", "notification", "broadcast", "ping"})
_encode = msgspec.json.Encoder().encode


def encode(message: ClientMessage | ServerMessage) -> str:
    """The text frame for ``message``."""
    return "{}" if isinstance(message, Ping) else _encode(message).decode()


def client_message(frame: str) -> ClientMessage:
    """What a desk sent. Raises WireError when it is none of the messages above, or a channel id is no UUID."""
    try:
        if _KIND.decode(frame).kind is None:
            return _only_ping(frame)
        message = _CLIENT.decode(frame)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise _bad(str(error)) from error
    if isinstance(message, Register | Unregister) and not is_channel_id(message.channel_id):
        raise _bad("channelID is not a UUID in lower case with dashes")
    return message


def server_message(frame: str) -> ServerMessage | Other:
    """What the push service sent; ``Other`` for a kind that is not known here. Raises WireError when it is broken."""
    try:
        kind = _KIND.decode(frame).kind
        if kind is None:
            return _only_ping(frame)
        if kind not in _SERVER_KINDS:
            return Other(kind)
        message = _SERVER.decode(frame)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise _bad(str(error)) from error
    if isinstance(message, HelloReply) and not 0 < len(message.uaid) <= MOST_UAID:
        raise _bad(f"a uaid has 1 to {MOST_UAID} characters")
    return message


def is_channel_id(text: str) -> bool:
    """True for a UUID in lower case with dashes; services close the connection for any other."""
    return _CHANNEL_ID.fullmatch(text) is not None


def plain_uaid(text: str | None) -> str | None:
    """A uaid as 32 hexadecimal digits; None for an absent or malformed one, which the protocol treats alike."""
    digits = (text or "").replace("-", "").lower()
    return digits if _UAID.fullmatch(digits) else None


def _only_ping(frame: str) -> Ping:
    """An object with fields but without ``messageType`` is no ping; it is somebody's mistake."""
    if msgspec.json.decode(frame) != {}:
        raise _bad("messageType is missing")
    return Ping()


def _bad(why: str) -> WireError:
    return WireError(
        Refusal.BAD_REQUEST, f"A frame is not an autopush message ({why}). It was ignored; the connection is closed."
    )
