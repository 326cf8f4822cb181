"""How many refresh launches each app may have: a bucket that fills evenly over the day (contract S15).

An app that the person opens every day gets ``budget_most`` launches a day, one that is never opened ``budget_least``,
and in between it is in proportion to the days of use. ``budget_burst`` can be saved up: that, and one launch each time
another is there, is what spreads launches over the day.
"""

import math
from collections.abc import Callable

import msgspec

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.limits import Limits
from frontdesk.terms import Budget

MACHINE = "budgets"
"""Under this word what is left is saved, one value for each app that has spent something."""

DAY = 86400.0

ALMOST = 1e-6
"""A launch that is whole but for this is whole: moments are rounded, and nothing must be looked at twice for it."""

Out = list[do.Effect | ev.Signal]


class _Bucket(msgspec.Struct):
    """``left`` launches at the moment ``at``; saved with ``at`` in wall time."""

    left: float
    at: float


class Budgets:
    """The machine. ``use(app, now)`` is the share of days on which the person opened the app, 0 to 1."""

    def __init__(self, limits: Limits, use: Callable[[str, float], float]) -> None:
        self._limits = limits
        self._use = use
        self._buckets: dict[str, _Bucket] = {}
        self._ahead = 0
        self._changed: set[str] = set()

    # --- the three calls ------------------------------------------------------------------------------------------

    def handle(self, happened: ev.Event | ev.Signal, now: float) -> Out:
        match happened:
            case ev.WallClock(whole_ahead=ahead) if ahead != self._ahead:
                # Each is saved anew: by the clock of before, the next desk would refill it for time that did not pass.
                self._ahead = ahead
                self._changed.update(self._buckets)
            case ev.DeskStarted():
                for bucket in self._buckets.values():
                    # One that lies ahead was saved under a clock that has been set back since: it fills from now on.
                    bucket.at = min(bucket.at, now)
            case ev.AppRemoved(app=app) if self._buckets.pop(app, None) is not None:
                self._changed.add(app)
        return []

    def next_wake(self) -> float | None:
        """Never: who waits for a launch asks ``next_at``."""
        return None

    def saves(self) -> list[do.Effect]:
        """``Save`` for every app that has spent something since the last call; for each when the clock was set."""
        changed, self._changed = self._changed, set()
        return [do.Save(MACHINE, app, self._form(app)) for app in sorted(changed)]

    def restore(self, key: str, value: bytes) -> None:
        """Take back one bucket, before ``DeskStarted``: a clock that was ahead holds it up no longer (S07)."""
        # A desk begins with its own clock and the wall clock as one.
        self._buckets[key] = msgspec.msgpack.decode(value, type=_Bucket)

    # --- looking at it --------------------------------------------------------------------------------------------

    def next_at(self, app: str, now: float) -> float | None:
        """When the app may be launched for refresh again; None: it may now."""
        left = self._left(app, now)
        if left >= 1.0:
            return None
        return now + (1.0 - left) * DAY / self._per_day(app, now)

    def budget(self, app: str, now: float) -> Budget:
        return Budget(self._per_day(app, now), self._left(app, now), self.next_at(app, now))

    # --- spending -------------------------------------------------------------------------------------------------

    def spend(self, app: str, now: float) -> None:
        """The app was launched for refresh. It never runs into debt."""
        self._buckets[app] = _Bucket(max(0.0, self._left(app, now) - 1.0), now)
        self._changed.add(app)

    # --- small parts ----------------------------------------------------------------------------------------------

    def _per_day(self, app: str, now: float) -> float:
        least, most = self._limits.budget_least, self._limits.budget_most
        return least + (most - least) * self._use(app, now)

    def _left(self, app: str, now: float) -> float:
        """Nothing spent yet: all that can be saved up."""
        most = self._limits.budget_burst
        bucket = self._buckets.get(app)
        if bucket is None:
            return most
        left = min(most, bucket.left + max(0.0, now - bucket.at) * self._per_day(app, now) / DAY)
        return float(math.ceil(left)) if math.ceil(left) - left < ALMOST else left

    def _form(self, app: str) -> bytes | None:
        bucket = self._buckets.get(app)
        if bucket is None:
            return None
        return msgspec.msgpack.encode(_Bucket(bucket.left, bucket.at + self._ahead))
