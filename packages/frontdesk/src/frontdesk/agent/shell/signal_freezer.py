"""Freezing by SIGSTOP, process by process: works for every person on every Linux; see ``freezer`` for what escapes."""

import os
import signal
import time
from dataclasses import dataclass, field

from frontdesk.agent.shell import process_table
from frontdesk.agent.shell.process_table import Process
from frontdesk.errors import FrontdeskError

FREEZE_LIMIT = 0.25
"""Seconds within which all processes of an app must stand still."""


class FreezeFailed(FrontdeskError):
    """Something of the app still runs; what stands still stays so until thaw or kill."""


@dataclass
class _Remembered:
    """What is known of one run of an app from earlier looks."""

    pid: int
    started: int
    token: str = ""
    family: set[tuple[int, int]] = field(default_factory=set)
    """(process id, start time) of all that was ever seen to belong to it: a parent may end, we still know."""
    stopped_before: set[tuple[int, int]] = field(default_factory=set)
    """What was stopped already when we froze it (a job in a terminal, say): it is not ours to continue."""
    whole: bool = False
    """It is frozen by us, and ``family`` is all of it."""


class SignalFreezer:
    """SIGSTOP, SIGCONT and SIGKILL to an app's process and all that can be found to descend from it."""

    def __init__(self) -> None:
        self._runs: dict[str, _Remembered] = {}
        self._tokens: dict[tuple[int, int], str] = {}
        """Launch tokens already read: reading an environment takes ten times as long as the rest of a look."""

    def prepare(self, app: str) -> str | None:
        """A new run is about to be launched: nothing to prepare."""
        self._runs.pop(app, None)
        return None

    def remove(self, app: str) -> None:
        """The app is gone: remember nothing of it."""
        self._runs.pop(app, None)

    def freeze(self, pid: int, app: str, own_group: bool, *, started: int = 0, token: str = "") -> bool:
        run = self._run(pid, app, started, token)
        family = self._family(run, own_group)
        if not family:
            return False
        main = next((process for process in family if process.pid == pid), None)
        # A main process that is stopped already was stopped by a desk before us, and its family with it.
        if main is not None and not main.still:
            run.stopped_before = {process.key for process in family if process.state == "T"}
        newborn = self._stop(run, own_group, family)
        run.whole = not newborn
        if newborn:
            names = ", ".join(str(process.pid) for process in newborn)
            raise FreezeFailed(
                f"{app} does not stand still: it still starts processes after {FREEZE_LIMIT} s ({names})."
            )
        return True

    def thaw(self, pid: int, app: str, own_group: bool, *, started: int = 0, token: str = "") -> bool:
        run = self._run(pid, app, started, token)
        # Frozen by us and found whole: nobody was born since, and waking it need not wait for a look at everybody.
        known = [process_table.read(pid) for pid, _ in run.family] if run.whole else self._family(run, own_group)
        family = [process for process in known if process is not None and process.key in run.family]
        for process in family:
            if process.key not in run.stopped_before:
                process_table.send_signal(process, signal.SIGCONT)
        run.stopped_before, run.whole = set(), False
        return any(not process.ended for process in family)

    def kill(self, pid: int, app: str, own_group: bool, *, started: int = 0, token: str = "") -> None:
        run = self._run(pid, app, started, token)
        # First stopped, so that nothing is born while we kill; what does not stop in time is killed all the same.
        self._stop(run, own_group, self._family(run, own_group))
        until = time.monotonic() + FREEZE_LIMIT
        while (family := self._family(run, own_group)) and time.monotonic() < until:
            reached = [process for process in family if process_table.send_signal(process, signal.SIGKILL)]
            if not reached:
                break
            os.sched_yield()

    def is_frozen(self, pid: int, app: str, own_group: bool = True, *, started: int = 0, token: str = "") -> bool:
        family = self._family(self._run(pid, app, started, token), own_group)
        return bool(family) and all(process.still for process in family)

    def family(self, pid: int, app: str, own_group: bool, *, started: int = 0, token: str = "") -> list[Process]:
        return self._family(self._run(pid, app, started, token), own_group)

    def cpu_used(self, pid: int, app: str, own_group: bool, *, started: int = 0) -> float | None:
        return None

    def _stop(self, run: _Remembered, own_group: bool, family: list[Process]) -> list[Process]:
        """SIGSTOP to all of it, ``family`` first. Returns those first seen when time was up; normally nobody.

        Done when a look that began with all known ones standing still finds nobody new: what does not move does not
        fork. One that was told to stop and has not when time is up (it waits for a processor, or a disk) is no
        trouble: it executes nothing of its own before it stops.
        """
        until = time.monotonic() + FREEZE_LIMIT
        unstoppable: set[tuple[int, int]] = set()
        while True:
            moving = [process for process in family if not process.still and process.key not in unstoppable]
            if not moving or time.monotonic() > until:
                return moving
            told = {process.key for process in moving if process_table.send_signal(process, signal.SIGSTOP)}
            unstoppable |= {process.key for process in moving} - told
            unstoppable |= {key for key in told if not _stands_still(key, until)}
            family = self._family(run, own_group)

    def _run(self, pid: int, app: str, started: int, token: str) -> _Remembered:
        run = self._runs.get(app)
        now = process_table.start_time(pid) or 0
        # Remembered is a run of this id; unless the id is another's by now, and the caller did not mean the first.
        if run is None or run.pid != pid or (now and run.started != now and (started or now) == now):
            run = self._runs[app] = _Remembered(pid, started or now)
        run.token = token or run.token
        return run

    def _family(self, run: _Remembered, own_group: bool) -> list[Process]:
        """All living processes of the app, by every trace there is; never we ourselves nor those we descend from."""
        everyone = process_table.everyone()
        for pid in process_table.ancestors(os.getpid(), everyone):
            del everyone[pid]
        found = {pid for pid, started in run.family if pid in everyone and everyone[pid].started == started}
        main = everyone.get(run.pid)
        if main is not None and main.started == run.started:
            found.add(main.pid)
            # The keeper makes each app the leader of its session. Without its leader a session's number proves little.
            if own_group and main.session == main.pid:
                found |= {process.pid for process in everyone.values() if process.session == main.pid}
            if own_group and not run.token:
                run.token = process_table.launch_token(main.pid)
        if own_group and run.token:
            found |= {
                process.pid
                for process in everyone.values()
                if process.started >= run.started and self._token(process) == run.token
            }
        for pid in list(found):
            found |= process_table.descendants(pid, everyone)
        present = {process.key for process in everyone.values()}
        self._tokens = {key: token for key, token in self._tokens.items() if key in present}
        family = [everyone[pid] for pid in found if not everyone[pid].ended]
        run.family = {process.key for process in family}
        return family

    def _token(self, process: Process) -> str:
        key = process.key
        if key not in self._tokens:
            self._tokens[key] = process_table.launch_token(process.pid)
        return self._tokens[key]


def _stands_still(key: tuple[int, int], until: float) -> bool:
    """Wait until this process, told to stop, does; it tells nobody but its parent. False: not by ``until``."""
    pid, started = key
    while (process := process_table.read(pid)) is not None and process.started == started and not process.still:
        if time.monotonic() > until:
            return False
        time.sleep(0.0002)
    return True
