"""Frames between app and desk: four bytes of length (big endian), then that many bytes of msgpack. No I/O here.

One frame holds one message of ``wire.desk``. A frame is at most 1 MiB (contract X02).
"""

from frontdesk.errors import WireError
from frontdesk.terms import Refusal

MOST_BYTES = 1 << 20
"""The largest frame either side accepts, without its four bytes of length (contract X02)."""

_HEAD = 4


def frame(body: bytes) -> bytes:
    """One message as it goes over the socket. ``WireError`` (``too_large``) when the body is over ``MOST_BYTES``."""
    if len(body) > MOST_BYTES:
        raise WireError(Refusal.TOO_LARGE, _too_large(len(body)))
    return len(body).to_bytes(_HEAD, "big") + body


class FrameReader:
    """Cuts a stream of bytes into frames. Holds at most one unfinished frame."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, received: bytes) -> list[bytes]:
        """The bodies that are complete now, in order. ``WireError`` as soon as a head announces too much."""
        self._pending += received
        bodies: list[bytes] = []
        at = 0
        while len(self._pending) - at >= _HEAD:
            length = int.from_bytes(self._pending[at : at + _HEAD], "big")
            if length > MOST_BYTES:
                raise WireError(Refusal.TOO_LARGE, _too_large(length))
            if len(self._pending) - at - _HEAD < length:
                break
            bodies.append(bytes(self._pending[at + _HEAD : at + _HEAD + length]))
            at += _HEAD + length
        del self._pending[:at]
        return bodies

    @property
    def unfinished(self) -> int:
        """Bytes of a frame whose rest has not come yet."""
        return len(self._pending)


def _too_large(length: int) -> str:
    return f"A message of {length} bytes was refused, the limit is {MOST_BYTES}. Nothing of it was used; send less."
