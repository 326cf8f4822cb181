"""How long to wait before the next attempt: doubling, capped, and spread by dice so that not all come back at once."""


def doubled(first: float, most: float, times: int) -> float:
    """``first`` doubled so many times, at most ``most``."""
    # 2.0 ** 64 is beyond any limit; a larger exponent would one day overflow.
    return min(most, first * 2.0 ** min(times, 64))


class Backoff:
    """Counts failures. ``first`` is the longest wait after one failure, ``most`` after many; both in seconds."""

    def __init__(self, first: float = 1.0, most: float = 300.0) -> None:
        self.first = first
        self.most = most
        self.failures = 0

    def failed(self, dice: float) -> float:
        """One more failure: the seconds to wait, between half and all of the current limit.

        ``dice`` is drawn evenly from 0 up to 1. At least half, so that many desks never hammer a service together.
        """
        limit = doubled(self.first, self.most, self.failures)
        self.failures += 1
        return limit * (0.5 + dice / 2)

    def succeeded(self) -> None:
        """Start afresh."""
        self.failures = 0
