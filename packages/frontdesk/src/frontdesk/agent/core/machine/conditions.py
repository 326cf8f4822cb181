"""What the desk takes the conditions of the machine to be: as their sources tell, or as the person has put in force."""

import msgspec

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.terms import VALUES, Condition, Reading

MACHINE = "conditions"
"""Under this word conditions that are in force by hand are saved."""

Out = list[do.Effect | ev.Signal]


class Forced(msgspec.Struct, frozen=True):
    """A condition that the person has put in force, as it is saved."""

    value: str
    since: float


class Conditions:
    """The machine. What a source tells is known while this desk lives; what is forced outlives it, until lifted.

    One source at a time tells about a condition: the last that told counts, and its "" makes the condition unknown. A
    value that ``VALUES`` does not have is noted and otherwise left out of account.
    """

    def __init__(self) -> None:
        self._seen = {condition: Reading(condition) for condition in Condition}
        self._forced: dict[Condition, Forced] = {}

    # --- the three calls ------------------------------------------------------------------------------------------

    def handle(self, happened: ev.Event | ev.Signal, now: float) -> Out:
        match happened:
            case ev.ConditionSeen(condition=condition, value=value, source=source):
                return self._see(condition, value, source, now)
            case ev.ConditionForced(condition=condition, value=value):
                return self._force(condition, value, now)
            case ev.ConditionLifted(condition=None):
                return [out for condition in list(self._forced) for out in self._lift(condition)]
            case ev.ConditionLifted(condition=Condition() as condition):
                return self._lift(condition)
        return []

    def next_wake(self) -> float | None:
        """Never: nothing here depends on time."""
        return None

    def saves(self) -> list[do.Effect]:
        """Nothing: saved as it changes."""
        return []

    def restore(self, key: str, value: bytes) -> None:
        """Take back one condition that is in force by hand; one that this desk does not know is left out."""
        forced = msgspec.msgpack.decode(value, type=Forced)
        for condition in Condition:
            if condition.value == key and forced.value in VALUES[condition]:
                self._forced[condition] = forced

    # --- looking at it --------------------------------------------------------------------------------------------

    def value(self, condition: Condition) -> str:
        """One of ``VALUES``; "" while no source can tell, which counts as met (S10)."""
        forced = self._forced.get(condition)
        return forced.value if forced is not None else self._seen[condition].value

    def reading(self, condition: Condition) -> Reading:
        seen, forced = self._seen[condition], self._forced.get(condition)
        if forced is None:
            return seen
        return msgspec.structs.replace(seen, value=forced.value, since=forced.since, forced=True)

    def readings(self) -> tuple[Reading, ...]:
        """One for each condition, those that nobody can tell included."""
        return tuple(self.reading(condition) for condition in Condition)

    # --- changes --------------------------------------------------------------------------------------------------

    def _see(self, condition: Condition, value: str, source: str, now: float) -> Out:
        if value and value not in VALUES[condition]:
            return [_not_understood(condition, value, source)]
        before = self._seen[condition]
        since = before.since if before.value == value else now
        self._seen[condition] = Reading(condition, value, source if value else "", since, seen=value)
        if condition in self._forced or before.value == value:
            return []
        # One percent more or less is no news to a person.
        by_percent = condition is Condition.BATTERY and before.value and value
        return [ev.ConditionChanged(condition), *([] if by_percent else [_note(condition, value, source)])]

    def _force(self, condition: Condition, value: str, now: float) -> Out:
        if value not in VALUES[condition]:
            return [_not_understood(condition, value, "frontdesk simulate condition")]
        before = self.value(condition)
        self._forced[condition] = forced = Forced(value, now)
        save = do.Save(MACHINE, condition.value, msgspec.msgpack.encode(forced))
        note = _note(condition, value, how="simulated")
        return [save, *([ev.ConditionChanged(condition)] if before != value else []), note]

    def _lift(self, condition: Condition) -> Out:
        forced = self._forced.pop(condition, None)
        if forced is None:
            return []
        seen = self._seen[condition]
        changed = [ev.ConditionChanged(condition)] if seen.value != forced.value else []
        return [
            do.Save(MACHINE, condition.value, None),
            *changed,
            _note(condition, seen.value, how="no longer simulated"),
        ]


def _note(condition: Condition, value: str, source: str = "", how: str = "") -> do.Note:
    """A line for the event list: ``power: battery (simulated)``."""
    aside = f" ({how or source})" if how or (value and source) else ""
    return do.Note("", "condition", f"{condition}: {value or 'unknown'}{aside}", name=condition, why=how or value)


def _not_understood(condition: Condition, value: str, source: str) -> do.Note:
    told = f"{value[:40]!r}, told by {source[:40]}, is none of its values ({condition.possible})"
    text = f"{condition}: {told}; it stays as it was"
    return do.Note("", "condition_refused", text, name=condition, why="not understood")
