"""Whether a person can see Lobby: decided from the event streams of its pages. Pure.

A visible page holds an event stream open; a hidden or closed one does not. The first stream makes Lobby visible at
once. When the last has been gone for the grace time, Lobby is hidden: a reload or a step to another chat closes one
stream and opens the next, and must not count. Nothing here outlives the process, so there is no saved form.
"""

import enum
from dataclasses import dataclass

GRACE = 2.0
"""Seconds without any visible page after which Lobby counts as hidden."""


class Told(enum.StrEnum):
    """The effects: what Lobby is told, strictly in turn, beginning with VISIBLE."""

    VISIBLE = "visible"
    HIDDEN = "hidden"


@dataclass(frozen=True)
class StreamOpened:
    """A page became visible. ``stream`` is any id not open now."""

    stream: int


@dataclass(frozen=True)
class StreamClosed:
    """A page was hidden, closed, or lost. Unknown and closed streams are taken without effect."""

    stream: int


class Visibility:
    """The machine; ``now`` is any clock that does not run backwards, in seconds."""

    def __init__(self, grace: float = GRACE) -> None:
        self._grace = grace
        self._streams: set[int] = set()
        self._visible = False
        self._hidden_at: float | None = None

    @property
    def visible(self) -> bool:
        """What was told last."""
        return self._visible

    def handle(self, event: StreamOpened | StreamClosed, now: float) -> list[Told]:
        """Take an event; what has fallen due by ``now`` is told first."""
        told = self.wake(now)
        match event:
            case StreamOpened(stream):
                self._streams.add(stream)
                self._hidden_at = None
                if not self._visible:
                    self._visible = True
                    told.append(Told.VISIBLE)
            case StreamClosed(stream) if stream in self._streams:
                self._streams.remove(stream)
                if not self._streams:
                    self._hidden_at = now + self._grace
        return told

    def wake(self, now: float) -> list[Told]:
        """The time asked for by ``next_wake`` has come (or not yet: then nothing is told)."""
        if self._hidden_at is None or now < self._hidden_at:
            return []
        self._hidden_at = None
        self._visible = False
        return [Told.HIDDEN]

    def next_wake(self) -> float | None:
        """When to call ``wake``; None: only an event can change anything."""
        return self._hidden_at
