"""Runs the desk's event log again through a new core, and says where it decides otherwise. Pure.

``Rerun`` is fed the frames in order. Where code and log are of one mind there is no difference at all: the core knows
no clock, no dice, and no order that Python does not promise.
"""

from collections.abc import Iterable, Iterator
from itertools import zip_longest

import msgspec

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.dispatcher import Dispatcher
from frontdesk.agent.core.recorded.recording import Batch, Begun, Frame

FAILS = "the core fails"
"""What was decided where the desk ended over a batch."""


class Difference(msgspec.Struct, frozen=True):
    """The first thing in a batch that was decided otherwise. "" where there was, or is, nothing."""

    batch: int
    """Counted from 1."""
    at: float
    after: str
    """The events of the batch, in words."""
    expected: str
    """As the log has it."""
    actual: str
    """As it is decided now."""


class Rerun:
    """A new core in the place of the one that wrote the log."""

    def __init__(self, begun: Begun) -> None:
        self._ids: list[str] = []
        self._extra = 0
        self.batches = 0
        self.core = Dispatcher(begun.setup, self._new_id)
        for machine, key, value in begun.saved:
            self.core.restore(machine, key, value)

    def handle(self, batch: Batch) -> Difference | None:
        """Decide it again; None: nothing is otherwise. Whatever the core raises goes on, as it did then."""
        self.batches += 1
        self._ids = [*batch.ids]
        happened, decided = batch.happened(), batch.decided()
        after = ", ".join(words(event) for event in happened)
        try:
            effects, wake = self.core.handle(happened, batch.now), self.core.next_wake()
        except Exception as error:  # noqa: BLE001 - whatever it is, that it fails is the decision
            if decided is None:
                return None
            return Difference(self.batches, batch.now, after, _first(decided), f"{FAILS}: {error!r}")
        if decided is None:
            return Difference(self.batches, batch.now, after, FAILS, _first(tuple(effects)))
        for expected, actual in zip_longest(decided, effects):
            if expected != actual:
                return Difference(self.batches, batch.now, after, _said(expected), _said(actual))
        if wake != batch.wake:
            return Difference(self.batches, batch.now, after, _waking(batch.wake), _waking(wake))
        return None

    def _new_id(self) -> str:
        """The same ids in the same order; more, should it want more."""
        if self._ids:
            return self._ids.pop(0)
        self._extra += 1
        return f"one-more-{self._extra}"


def differences(frames: Iterable[Frame]) -> Iterator[Difference]:
    """All of a log, in order. After the first the core is in another state, and others follow from it."""
    rerun: Rerun | None = None
    for frame in frames:
        if isinstance(frame, Begun):
            rerun = Rerun(frame)
        elif isinstance(frame, Batch) and rerun is not None and (found := rerun.handle(frame)) is not None:
            yield found


def words(happened: ev.Event | do.Effect) -> str:
    """An event or effect for a person: its name, and what it is about."""
    name = type(happened).__name__
    match happened:
        case ev.AppAdded(manifest=manifest):
            return f"{name} {manifest.id}"
        case do.Save(machine=machine, key=key, value=value):
            return f"{name} {machine} {key}" + (" removed" if value is None else f" ({len(value)} bytes)")
        case do.Send(app=app, message=message) | do.Answer(asker=app, message=message):
            return f"{name} to {app}: {message!r}"
        case do.Note(text=text):
            return f"{name} {happened.app}: {text}"
    fields = (getattr(happened, field) for field in happened.__struct_fields__)
    return " ".join([name, *(str(field) for field in fields if isinstance(field, str | float | int) and field != "")])


def _said(effect: do.Effect | None) -> str:
    return "" if effect is None else words(effect)


def _first(effects: tuple[do.Effect, ...]) -> str:
    return _said(effects[0] if effects else None)


def _waking(at: float | None) -> str:
    return "wants to be woken never" if at is None else f"wants to be woken at {at:.3f}"
