"""Which continued tasks there are: those that have a place, and those that wait for one, in order (contract S18)."""

from collections.abc import Iterator

import msgspec

from frontdesk.agent.core import effects as do
from frontdesk.agent.core.scheduled.continued_work import Progress, Stage, Work, moved

MACHINE = "continued"
"""Under this word tasks are saved, each by its run."""


class Places:
    """``most``: so many may run at once. Only few ever do, so those are simply looked through."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.runs: dict[str, Work] = {}
        """Those that have a place, by run."""
        self.progress: dict[str, Progress] = {}
        """Of the same."""
        self._queue: dict[str, Work] = {}
        """By run, the oldest first."""
        self._queued: dict[str, dict[str, Work]] = {}
        """The same by app and identifier."""
        self._changed: dict[str, Work] = {}
        self._ahead = 0
        """Wall time, by which the moments of each are saved, is the desk's and this."""
        self._order = 0

    # --- looking --------------------------------------------------------------------------------------------------

    @property
    def are_free(self) -> bool:
        return len(self.runs) < self.most

    def runs_of(self, app: str) -> list[Work]:
        return [work for work in self.runs.values() if work.app == app]

    def has_run(self, app: str, identifier: str) -> bool:
        return any(work.identifier == identifier for work in self.runs_of(app))

    def queued_of(self, app: str) -> list[Work]:
        return list(self._queued.get(app, {}).values())

    def queued(self, app: str, identifier: str) -> Work | None:
        return self._queued.get(app, {}).get(identifier)

    def was_submitted(self, app: str, submission: str) -> bool:
        """Whether one of the app's came of this submission; "" is none."""
        return submission != "" and any(
            work.submission == submission for work in [*self.runs_of(app), *self.queued_of(app)]
        )

    def apps(self) -> list[str]:
        """Whoever has a task here."""
        return sorted({work.app for work in self.runs.values()} | self._queued.keys())

    def apps_waiting_with(self, identifier: str) -> list[str]:
        return sorted(app for app, queued in self._queued.items() if identifier in queued)

    def to_start(self) -> Iterator[Work]:
        """For as long as places are free: the oldest that waits, and does not run already."""
        while self._queue and self.are_free:
            free = (work for work in self._queue.values() if not self.has_run(work.app, work.identifier))
            work = next(free, None)
            if work is None:
                return
            yield work

    # --- changing -------------------------------------------------------------------------------------------------

    def add(self, work: Work) -> None:
        """To the end of the queue."""
        self._order += 1
        work.order = self._order
        self._enqueue(work)
        self.changed(work)

    def move(self, work: Work, to: Stage) -> None:
        """The one door of all moves."""
        if work.stage is Stage.QUEUED:
            self._dequeue(work)
        work.move(to)
        self.changed(work)
        if to is Stage.GONE:
            self.runs.pop(work.run, None)
            self.progress.pop(work.run, None)
        elif work.run not in self.runs:
            self.runs[work.run], self.progress[work.run] = work, Progress(work.request)

    def changed(self, work: Work) -> None:
        """To be saved."""
        self._changed[work.run] = work

    def clock_set(self, ahead: int) -> None:
        if ahead != self._ahead:
            self._ahead = ahead
            self._changed.update(self.runs)
            self._changed.update(self._queue)

    # --- saved form -----------------------------------------------------------------------------------------------

    def saves(self) -> list[do.Effect]:
        """``Save`` for every task that has changed since the last call; progress is not saved."""
        changed, self._changed = self._changed, {}
        return [do.Save(MACHINE, run, self._form(work)) for run, work in changed.items()]

    def restore(self, value: bytes) -> None:
        """Take back one; they may come in any order, ``all_restored`` is the end of it."""
        work = msgspec.msgpack.decode(value, type=Work)
        self._order = max(self._order, work.order)
        if work.stage is Stage.QUEUED:
            self._enqueue(work)
        else:
            self.runs[work.run], self.progress[work.run] = work, Progress(work.request)

    def all_restored(self, now: float) -> None:
        """Those in the queue stand in their order; nothing is said to come from a time that is yet to be (S07)."""
        for work in (*self.runs.values(), *self._queue.values()):
            work.submitted = min(work.submitted, now)
            work.began = min(work.began, now) if work.began is not None else None
        for work in sorted(self._queue.values(), key=lambda work: work.order):
            self._dequeue(work)
            self._enqueue(work)

    # --- small parts ----------------------------------------------------------------------------------------------

    def _form(self, work: Work) -> bytes | None:
        return None if work.stage is Stage.GONE else msgspec.msgpack.encode(moved(work, self._ahead))

    def _enqueue(self, work: Work) -> None:
        self._queue[work.run] = work
        self._queued.setdefault(work.app, {})[work.identifier] = work

    def _dequeue(self, work: Work) -> None:
        del self._queue[work.run]
        del self._queued[work.app][work.identifier]
        if not self._queued[work.app]:
            del self._queued[work.app]
