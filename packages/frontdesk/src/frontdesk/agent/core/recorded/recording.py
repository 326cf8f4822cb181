"""The desk's event log: what the core was told and what it decided, as frames that can be read and run again. No I/O.

The first frame holds what decides beside events: limits, settings, and what was restored. Each further one is a batch:
the moment, the events, the ids that were drawn, and what the core wanted done. A frame is four bytes of length and four
of CRC-32 (big endian), then msgpack. Keys of subscriptions, their endpoints, and the name by which the push service
knows the desk are secrets that no decision depends on: in the log stand others in their place, always the same ones.
"""

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Union

import msgspec

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.pushes import subscriptions
from frontdesk.agent.core.setup import Setup
from frontdesk.errors import FrontdeskError

FORMAT = 1
"""Of the log; another one cannot be read by this code."""

EMPTY = "The log is empty: the desk was killed before it had begun, or has never recorded."
"""For whoever finds no frame in a log."""

MOST_BYTES = 64 << 20
"""The largest frame that is taken for one; a length beyond it is damage."""

_HEAD = 8
_SHORTEST_SECRET = 8
"""Characters; what is shorter is none, and would stand in the frame by chance."""


class LogBroken(FrontdeskError):
    """The log cannot be read; the text names the place."""


class Begun(msgspec.Struct, frozen=True, tag="begun"):
    """How a desk began: with this the same events lead to the same decisions."""

    format: int
    setup: Setup
    saved: tuple[tuple[str, str, bytes], ...]
    """Everything that was restored: machine, key, value."""


class _Format(msgspec.Struct):
    """The one field that every first frame has, now and later."""

    format: int


class Batch(msgspec.Struct, frozen=True, tag="batch"):
    """What was handled together, and what came of it."""

    now: float
    events: tuple[msgspec.Raw, ...]
    ids: tuple[str, ...]
    """What ``new_id`` gave, in order."""
    effects: tuple[msgspec.Raw, ...] | None
    """None: the core failed over it, and the desk ended."""
    wake: float | None
    """When the core wanted to be woken next."""

    def happened(self) -> tuple[ev.Event, ...]:
        """The events as values. ``LogBroken``: another version of frontdesk wrote them."""
        return tuple(_decoded(_events, raw) for raw in self.events)

    def decided(self) -> tuple[do.Effect, ...] | None:
        """The effects as values. ``LogBroken`` as above."""
        return None if self.effects is None else tuple(_decoded(_effects, raw) for raw in self.effects)


class Full(msgspec.Struct, frozen=True, tag="full"):
    """The log had reached its size: what came after this is not in it."""

    now: float


Frame = Begun | Batch | Full


class Recording:
    """Makes the frames of one desk's life."""

    def __init__(self) -> None:
        self._instead: dict[bytes, bytes] = {}

    def begun(self, setup: Setup, saved: Iterable[tuple[str, str, bytes]]) -> bytes:
        """The first frame."""
        restored = tuple(saved)
        for machine, _, value in restored:
            if machine == subscriptions.MACHINE:
                known = msgspec.msgpack.decode(value, type=subscriptions.Subscribed)
                self._hide(known.private_key, known.auth, known.endpoint, known.told)
            elif machine == subscriptions.LINK:
                self._hide(value.decode())
        return self._frame(Begun(FORMAT, setup, restored))

    def batch(
        self,
        now: float,
        events: Sequence[ev.Event],
        ids: Sequence[str],
        effects: Sequence[do.Effect] | None,
        wake: float | None,
    ) -> bytes:
        """The frame of one batch."""
        for event in events:
            match event:
                case ev.SubscribeAsked(private_key=private_key, auth=auth):
                    self._hide(private_key, auth)
                case ev.ChannelRegistered(endpoint=endpoint):
                    self._hide(endpoint)
                case ev.PushLinkUp(uaid=uaid):
                    self._hide(uaid)
        return self._frame(
            Batch(now, _raw(events), tuple(ids), None if effects is None else _raw(effects), wake),
        )

    def full(self, now: float) -> bytes:
        """The last frame of a log that has reached its size."""
        return self._frame(Full(now))

    def _hide(self, *secrets: str) -> None:
        for secret in secrets:
            if len(secret) >= _SHORTEST_SECRET:
                plain = secret.encode()
                digest = hashlib.sha256(plain).hexdigest().encode()
                self._instead.setdefault(plain, (digest * (len(plain) // len(digest) + 1))[: len(plain)])

    def _frame(self, frame: Frame) -> bytes:
        body = _encoder.encode(frame)
        for secret, other in self._instead.items():
            # Of the same length, so what is around it stays as it is, wherever in the frame it stands.
            body = body.replace(secret, other)
        return len(body).to_bytes(4, "big") + zlib.crc32(body).to_bytes(4, "big") + body


def read(log: bytes) -> Iterator[Frame]:
    """The frames of a log. One that was not written to its end, as when the desk was killed, is left out.

    ``LogBroken``: damage, with the offset of the frame in bytes; or the log of another version.
    """
    at = 0
    while at + _HEAD <= len(log):
        length = int.from_bytes(log[at : at + 4], "big")
        if length > MOST_BYTES:
            raise _broken(at, f"a frame of {length} bytes is announced")
        body = log[at + _HEAD : at + _HEAD + length]
        if len(body) < length:
            return
        if zlib.crc32(body) != int.from_bytes(log[at + 4 : at + _HEAD], "big"):
            raise _broken(at, "its checksum is another one")
        if at == 0:
            _check_format(body)
        frame: Frame = _decoded(_frames, body)
        if isinstance(frame, Begun) != (at == 0):
            raise _broken(at, "a log begins with how the desk began, and has that once")
        yield frame
        at += _HEAD + length


def _check_format(body: bytes) -> None:
    """Before anything else is read: in another format the rest of the first frame may be another, too."""
    try:
        found = msgspec.msgpack.decode(body, type=_Format).format
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return  # it is no beginning at all, which is found next
    if found != FORMAT:
        raise LogBroken(f"The log has format {found}, this frontdesk reads {FORMAT}. Use the one that wrote it.")


def _leaves(kind: type) -> list[type]:
    below: list[type] = kind.__subclasses__()
    return [leaf for each in below for leaf in (each, *_leaves(each))]


def _raw(values: Sequence[msgspec.Struct]) -> tuple[msgspec.Raw, ...]:
    return tuple(msgspec.Raw(_encoder.encode(value)) for value in values)


def _decoded(decoder: "msgspec.msgpack.Decoder[Any]", raw: msgspec.Raw | bytes) -> Any:
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise LogBroken(f"The log was written by another version of frontdesk ({error}). Use that one.") from error


def _broken(at: int, what: str) -> LogBroken:
    if at == 0:
        return LogBroken(f"This is no log of a desk, or it is damaged at byte 0: {what}. Nothing was read.")
    return LogBroken(f"The log is damaged at byte {at}: {what}. What stands before it was read.")


_encoder = msgspec.msgpack.Encoder()
_frames: "msgspec.msgpack.Decoder[Any]" = msgspec.msgpack.Decoder(Frame)
_events: "msgspec.msgpack.Decoder[Any]" = msgspec.msgpack.Decoder(Union[tuple(_leaves(ev.Event))])  # noqa: UP007
_effects: "msgspec.msgpack.Decoder[Any]" = msgspec.msgpack.Decoder(Union[tuple(_leaves(do.Effect))])  # noqa: UP007
