"""What an app and its children use: processor time so far, and memory now (contract L08, L09).

Processor time is the cgroup's own figure where the app has a folder of its own. Else it is put together from its
processes, look by look, and what a process uses between the last look and its end is known only through the parent
that waits for it: a process that gives up its parent and ends between two looks is missed. Memory is each process's
share of what is in no file, swapped out or not: what the page cache holds for it can be taken back at any time.

No limit is handed to the kernel. A process limit (setrlimit) holds in the foreground too and for one process, not for
the app; ``memory.max`` of a cgroup kills a part of the app without a word, and needs a controller that systemd gives to
no ordinary unit. So the desk measures, stops the app itself, and can say why (L05).
"""

import asyncio
from collections.abc import Iterable

from frontdesk.agent.core import effects as do
from frontdesk.agent.shell import process_table
from frontdesk.agent.shell.freezer import Freezer
from frontdesk.agent.shell.process_table import Process

_Key = tuple[int, int]
"""Process id and start time."""


class ProcessorTime:
    """The processor time of a family of processes, counted from look to look; it never runs backwards.

    A process counts with what it used since the look before, or since it began. One that is gone was counted as far as
    it was seen; the rest is in what its parent says of children it has waited for, once what was seen is taken away.
    """

    def __init__(self) -> None:
        self._seconds = 0.0
        self._before: dict[_Key, Process] | None = None
        self._counted: dict[_Key, float] = {}
        """Of children that have ended and were counted already, but not yet told of by this parent."""

    def look(self, family: Iterable[Process]) -> float:
        """Seconds used since the first look, given all living processes of the family."""
        now = {process.key: process for process in family}
        before, self._before = self._before, now
        if before is None:
            return 0.0
        self._take_leave_of(before, now)
        for key, process in now.items():
            earlier = before.get(key)
            own, reaped = (earlier.cpu_seconds, earlier.reaped_seconds) if earlier is not None else (0.0, 0.0)
            told = process.reaped_seconds - reaped
            counted = min(told, self._counted.get(key, 0.0))
            if counted:
                self._counted[key] -= counted
            self._seconds += process.cpu_seconds - own + told - counted
        return self._seconds

    def _take_leave_of(self, before: dict[_Key, Process], now: dict[_Key, Process]) -> None:
        """Whoever is gone was counted; the nearest living process above it will tell of it once more."""
        by_pid = {process.pid: process for process in before.values()}
        for gone in before.keys() - now.keys():
            above = by_pid.get(before[gone].parent)
            for _ in by_pid:
                if above is None or above.key in now:
                    break
                above = by_pid.get(above.parent)
            if above is not None and above.key in now:
                counted = before[gone].cpu_seconds + before[gone].reaped_seconds + self._counted.get(gone, 0.0)
                self._counted[above.key] = self._counted.get(above.key, 0.0) + counted
        self._counted = {key: counted for key, counted in self._counted.items() if key in now}


class Consumption:
    """Measures apps. ``freezer`` knows which processes are an app's."""

    def __init__(self, freezer: Freezer) -> None:
        self._freezer = freezer
        self._counted: dict[str, tuple[do.Process, ProcessorTime]] = {}

    async def measure(self, app: str, process: do.Process) -> tuple[float | None, int | None]:
        """Processor seconds since an arbitrary beginning, and bytes now; None for what cannot be told."""
        meant = process.pid, app, process.launched
        family = self._freezer.family(*meant, started=process.started, token=process.token)
        if not family:
            return None, None
        cpu = self._freezer.cpu_used(*meant, started=process.started)
        if cpu is None:
            cpu = self._of_processes(app, process).look(family)
        # The kernel walks through all their memory: milliseconds each, in which the desk has other things to do.
        return cpu, await asyncio.to_thread(_held, [one.pid for one in family])

    def _of_processes(self, app: str, process: do.Process) -> ProcessorTime:
        counted = self._counted.get(app)
        if counted is None or counted[0] != process:
            counted = self._counted[app] = process, ProcessorTime()
        return counted[1]


def _held(pids: Iterable[int]) -> int:
    return sum(filter(None, map(process_table.held_memory, pids)))
