"""How late a slow line delivers: a token bucket and a fixed latency, decided without a clock.

Rule of this file: no I/O and no clock; `now` (seconds, any origin) is handed in.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Line:
    """What a line of a network does to bytes, one way.

    `latency` in seconds, `rate` in bytes per second, `burst` the bytes that pass at full speed after a silence,
    `setup` the seconds that a new connection costs before its first byte.
    """

    latency: float
    rate: float
    burst: float = 2048.0
    setup: float = 0.5


class Throttle:
    """One direction of a line, shared by all connections that use it."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._level = 0.0
        """Bytes in the bucket above what has leaked out, as of `_seen`."""
        self._seen = float("-inf")

    def due(self, size: int, now: float) -> float:
        """When `size` bytes handed in at `now` come out at the far end; never earlier than bytes handed in before.

        In any span of t seconds no more than `burst + rate * t` bytes come out, a single larger piece excepted,
        which comes out when its last byte may.
        """
        waited = max(0.0, now - self._seen)
        self._level = max(0.0, self._level - waited * self._line.rate) + size
        self._seen = max(now, self._seen)
        over = max(0.0, self._level - self._line.burst)
        return self._seen + over / self._line.rate + self._line.latency
