"""Where pending requests wait for their moment: by class, in heaps, so that every step costs O(log n).

A *class* is a kind and what is required of the machine. Its requests wait for the same conditions, so while these do
not hold none of them is looked at; only heads of open classes are (contract, section S; at most 64 classes).
"""

import heapq
from collections.abc import Callable

from frontdesk.terms import Requirement, TaskKind

_Class = tuple[TaskKind, frozenset[Requirement]]


class Heap:
    """Numbers by moment. A number that is dropped or put anew leaves a dead entry, which goes at the latest when half
    of all are dead."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, int]] = []
        self._moments: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._moments)

    def moment(self, number: int) -> float | None:
        return self._moments.get(number)

    def put(self, number: int, moment: float) -> None:
        """In place of what was put under this number before."""
        if self._moments.get(number) != moment:
            self._moments[number] = moment
            heapq.heappush(self._entries, (moment, number))
            self._tidy()

    def drop(self, number: int) -> None:
        if self._moments.pop(number, None) is not None:
            self._tidy()

    def first(self) -> tuple[float, int] | None:
        """The earliest moment and its number."""
        while self._entries and self._moments.get(self._entries[0][1]) != self._entries[0][0]:
            heapq.heappop(self._entries)
        return self._entries[0] if self._entries else None

    def _tidy(self) -> None:
        if len(self._entries) > 2 * len(self._moments) + 16:
            self._entries = [(moment, number) for number, moment in self._moments.items()]
            heapq.heapify(self._entries)


class _Queue:
    """The requests of one class. ``open``: its conditions hold."""

    def __init__(self, *, is_open: bool) -> None:
        self.open = is_open
        self.wanted = Heap()
        self._not_yet = Heap()
        """By the moment from which on they may run: those that are wanted only later."""
        self._early = Heap()
        """By the moment at which they are wanted: those that may run already."""

    def put(self, number: int, may: float, wanted: float) -> None:
        self.wanted.put(number, wanted)
        self._early.drop(number)
        if may < wanted:
            self._not_yet.put(number, may)
        else:
            self._not_yet.drop(number)

    def drop(self, number: int) -> None:
        for heap in (self.wanted, self._not_yet, self._early):
            heap.drop(number)

    def may_start(self, number: int, now: float, soon: float) -> bool:
        wanted, may = self.wanted.moment(number), self._not_yet.moment(number)
        before = self._early.moment(number) is not None or (may is not None and may <= now)
        return wanted is not None and (wanted <= now or (before and wanted <= soon))

    def early(self, now: float) -> tuple[float, int] | None:
        """Of those that may run now the one that is wanted first. Each passes from heap to heap once."""
        while (head := self._not_yet.first()) is not None and head[0] <= now:
            self._not_yet.drop(head[1])
            wanted = self.wanted.moment(head[1])
            if wanted is not None:
                self._early.put(head[1], wanted)
        return self._early.first()


class Waiting:
    """All classes. ``is_open(kind, requires)`` looks whether the machine's conditions hold for one."""

    def __init__(self, is_open: Callable[[TaskKind, frozenset[Requirement]], bool]) -> None:
        self._is_open = is_open
        self._queues: dict[_Class, _Queue] = {}
        self._class_of: dict[int, _Class] = {}

    def __len__(self) -> int:
        return len(self._class_of)

    def put(self, number: int, of: _Class, may: float, wanted: float) -> None:
        """A request waits for its moment, in place of where it waited before. Never launched before ``may``."""
        queue = self._queues.get(of)
        if queue is None:
            queue = self._queues[of] = _Queue(is_open=self._is_open(*of))
        queue.put(number, may, wanted)
        self._class_of[number] = of

    def drop(self, number: int) -> None:
        """It runs, is gone, or waits for its app and not for a moment."""
        of = self._class_of.pop(number, None)
        if of is not None:
            self._queues[of].drop(number)

    def look_again(self) -> None:
        """A condition has changed: which classes are open?"""
        for of, queue in self._queues.items():
            queue.open = self._is_open(*of)

    def may_start(self, number: int, now: float, soon: float) -> bool:
        """Whether it may run now, its conditions hold, and it is wanted by the moment ``soon``."""
        of = self._class_of.get(number)
        return of is not None and self._queues[of].open and self._queues[of].may_start(number, now, soon)

    def first(self, kind: TaskKind) -> tuple[float, int] | None:
        """The moment and number of the request of open classes that is wanted first."""
        heads = (queue.wanted.first() for queue in self._open(kind))
        return min((head for head in heads if head is not None), default=None)

    def early(self, kind: TaskKind, now: float) -> tuple[float, int] | None:
        """Of those that may run now and are wanted later, in open classes, the one that is wanted first."""
        heads = (queue.early(now) for queue in self._open(kind))
        return min((head for head in heads if head is not None), default=None)

    def _open(self, kind: TaskKind) -> list[_Queue]:
        return [queue for of, queue in self._queues.items() if of[0] is kind and queue.open]
