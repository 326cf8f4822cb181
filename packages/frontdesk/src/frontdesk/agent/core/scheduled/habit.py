"""When the person usually opens an app: learned from its use, so that a refresh comes shortly before (contract S14).

A *usual* time is one of the 168 hours of the week. While fewer than 14 days are known, days are not told apart: an hour
is usual when the app was opened in it on at least two days, and on half of the days known. From then on each weekday
has hours of its own: the app was opened in it in at least two weeks, and in half of the weeks known. Within its hour,
use is expected at the typical minute: the median of the first openings in that hour, the earlier of two.

Hours are those of local time, so that a habit travels with the person. Use older than ``habit_days`` does not count,
nor does use in the future: the clock was wrong then, or is wrong now.
"""

import math
from collections import defaultdict

import msgspec

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.limits import Limits

MACHINE = "habit"
"""Under this word the times of use are saved, one value for each app."""

FEW_DAYS = 14
"""Known for less than this, the days of the week are not told apart."""

LEAST_DAYS = 7
"""An app known for less is taken to be known for so long: one day of use makes nobody a daily user."""

MINUTE, HOUR, DAY = 60, 3600, 86400

Out = list[do.Effect | ev.Signal]


class _AppUse:
    """What is known of the use of one app."""

    def __init__(self) -> None:
        self.first: dict[int, int] = {}
        """Hour since 1970 in local time → minute in which the app was first opened in it."""
        self.served = -math.inf
        """When it was last refreshed, or in front of the person: the next use has nothing to gain before long."""
        self.usual: dict[int, int] = {}
        """Hour of the week, Monday's first is 0 → expected minute in it; as known on ``usual_on``."""
        self.usual_on: int | None = None


class Habit:
    """The machine. It learns from ``CameForeground``; an app left in the foreground for days has been opened once."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._apps: dict[str, _AppUse] = {}
        self._local = 0.0
        """Local time is ``now`` and this."""
        self._changed: set[str] = set()

    # --- the three calls ------------------------------------------------------------------------------------------

    def handle(self, happened: ev.Event | ev.Signal, now: float) -> Out:
        match happened:
            case ev.CameForeground(app=app):
                self._opened(app, now)
            case ev.WallClock(ahead=ahead, utc_offset=utc_offset):
                self._local = ahead + utc_offset
            case ev.AppRemoved(app=app) if self._apps.pop(app, None) is not None:
                self._changed.add(app)
        return []

    def next_wake(self) -> float | None:
        """Never: nothing happens here by time alone."""
        return None

    def saves(self) -> list[do.Effect]:
        """``Save`` for every app that was opened in another hour than before; at most one an hour for each."""
        changed, self._changed = self._changed, set()
        return [do.Save(MACHINE, app, self._form(app)) for app in sorted(changed)]

    def restore(self, key: str, value: bytes) -> None:
        minutes = msgspec.msgpack.decode(value, type=list[int])
        self._apps.setdefault(key, _AppUse()).first = {minute // MINUTE: minute % MINUTE for minute in minutes}

    # --- looking at it --------------------------------------------------------------------------------------------

    def wanted(self, app: str, earliest: float, now: float) -> float:
        """When a refresh is best, given that it may not begin before ``earliest``: ``habit_lead`` before the next
        usual time, at most ``habit_wait`` after ``earliest``; without a habit it is ``earliest`` itself.

        ``earliest`` has to be fixed for a request. Then the answer does not move on while the request waits: a usual
        time that went by because a condition did not hold is made up for as soon as it does. A usual time that the
        app was refreshed for, or just opened before, is not aimed at again.
        """
        use = self._apps.get(app)
        usual = self._usual(use, now) if use is not None else {}
        if use is None or not usual:
            return earliest
        lead, latest = self._limits.habit_lead, earliest + self._limits.habit_wait
        served_until = use.served + lead + self._limits.together
        first = math.floor((earliest + self._local) / HOUR)
        hours = math.ceil((latest - earliest + lead) / HOUR)
        for hour in range(first, first + hours + 1):
            minute = usual.get(_of_week(hour))
            if minute is None:
                continue
            opened = hour * HOUR + minute * MINUTE - self._local
            if opened > max(earliest, served_until):
                return min(max(earliest, opened - lead), latest)
        return latest

    def refreshed(self, app: str, now: float) -> None:
        """The app was launched for refresh, and has it now."""
        # Not saved: the next desk may at worst refresh once more for the same usual time, within the budget.
        self._of(app).served = now

    def day_ends(self, now: float) -> float:
        """When what is known of apps is another though nothing happens: from then on the oldest use does not count."""
        # Rounded, it may come a little too early: then once more, soon.
        return max((self._today(now) + 1) * DAY - self._local, now + MINUTE)

    def use(self, app: str, now: float) -> float:
        """The share of days on which the person opened the app, 0 to 1."""
        use = self._apps.get(app)
        if use is None:
            return 0.0
        today = self._today(now)
        days = {hour // 24 for hour in self._counted(use, today)}
        known = max(today - min(days, default=today) + 1, LEAST_DAYS)
        return min(1.0, len(days) / min(known, max(1, self._whole_days())))

    def usual_times(self, app: str, now: float) -> dict[int, int]:
        """Hour of the week (Monday's first is 0) → minute in which use is expected then."""
        use = self._apps.get(app)
        return dict(self._usual(use, now)) if use is not None else {}

    # --- learning -------------------------------------------------------------------------------------------------

    def _opened(self, app: str, now: float) -> None:
        use = self._of(app)
        use.served = now
        minute = math.floor((now + self._local) / MINUTE)
        hour = minute // MINUTE
        if hour in use.first:
            return
        self._drop_old(use, hour)
        use.first[hour] = minute % MINUTE
        use.usual_on = None
        self._changed.add(app)

    def _drop_old(self, use: _AppUse, hour: int) -> None:
        """Forget what is too old by this use *and* by the one before: one use under a wrong clock loses nothing."""
        if use.first:
            oldest = min(hour, next(reversed(use.first))) - 24 * self._whole_days()
            for old in [each for each in use.first if each < oldest]:
                del use.first[old]
        if len(use.first) >= 24 * self._whole_days():
            del use.first[max(use.first, key=lambda each: abs(each - hour))]

    def _usual(self, use: _AppUse, now: float) -> dict[int, int]:
        today = self._today(now)
        if use.usual_on != today:
            use.usual, use.usual_on = self._learn(use, today), today
        return use.usual

    def _learn(self, use: _AppUse, today: int) -> dict[int, int]:
        counted = self._counted(use, today)
        if not counted:
            return {}
        known = today - min(counted) // 24 + 1
        if known < FEW_DAYS:
            by_hour = _typical(counted, 24, at_least=max(2, math.ceil(known / 2)))
            return {24 * day + hour: minute for day in range(7) for hour, minute in by_hour.items()}
        return _typical(counted, 168, at_least=max(2, math.ceil(math.ceil(known / 7) / 2)))

    def _counted(self, use: _AppUse, today: int) -> dict[int, int]:
        """The use that counts: of the last ``habit_days`` days, this one included."""
        first = today - self._whole_days() + 1
        return {hour: minute for hour, minute in use.first.items() if first <= hour // 24 <= today}

    # --- small parts ----------------------------------------------------------------------------------------------

    def _whole_days(self) -> int:
        return int(self._limits.habit_days)

    def _today(self, now: float) -> int:
        return math.floor((now + self._local) / DAY)

    def _form(self, app: str) -> bytes | None:
        use = self._apps.get(app)
        if use is None:
            return None
        return msgspec.msgpack.encode([hour * MINUTE + minute for hour, minute in use.first.items()])

    def _of(self, app: str) -> _AppUse:
        return self._apps.setdefault(app, _AppUse())


def _of_week(hour: int) -> int:
    """Hour of the week of an hour since 1970, which began on a Thursday."""
    return (hour + 3 * 24) % 168


def _typical(first: dict[int, int], cells: int, at_least: int) -> dict[int, int]:
    """Cells (hours of the day or of the week) with at least so many openings, and the typical minute in each."""
    minutes: defaultdict[int, list[int]] = defaultdict(list)
    for hour, minute in first.items():
        minutes[_of_week(hour) % cells].append(minute)
    return {cell: sorted(each)[(len(each) - 1) // 2] for cell, each in minutes.items() if len(each) >= at_least}
