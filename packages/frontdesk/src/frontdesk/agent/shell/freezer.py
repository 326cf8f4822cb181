"""Suspending apps (contract L01): nothing of a frozen app executes, its descendants included.

Two ways, chosen once when the desk starts:

- **cgroup**: each launched app in a cgroup v2 folder of its own. The kernel freezes it whole; nothing the app starts
  can be missed. Out of reach: what is started by somebody else on its behalf (a D-Bus service, ``systemd-run``), and
  what moves itself to another cgroup, which only a program that means to does (``sudo`` with a login session, say).
- **signals**: SIGSTOP to every process that descends from the app by parent, is in the session that the keeper made
  for it, carries the launch's token in its environment, or was seen to do so before. Besides the above, this can be
  escaped by a process that gives up its parent (double fork), its session and its environment between two looks,
  and by one that turns into a new process every few milliseconds, faster than the table is read. Also, a parent
  inside the app may notice that its child was stopped.

An app that was started by hand is frozen by signals, as its own process and its descendants by parent, never by
group, session or token: these may belong to a shell. Programs of another user that an app starts (sudo) stay out of
reach of signals. A browser that an app starts is a descendant like any other, and sleeps with the app.

A process is known by its id and start time; pass ``started`` (``process_table.start_time``) wherever time has passed
since the id was learnt. ``token`` (the launch's ``FRONTDESK_LAUNCH``) finds what a dead app left behind.
"""

import contextlib
import hashlib
from pathlib import Path
from typing import Literal, Protocol

from frontdesk.agent.shell import cgroup, process_table
from frontdesk.agent.shell.process_table import Process
from frontdesk.agent.shell.settings import SettingsWrong
from frontdesk.agent.shell.signal_freezer import FREEZE_LIMIT, FreezeFailed, SignalFreezer

FreezerKind = Literal["auto", "cgroup", "signals"]

__all__ = ["CgroupFreezer", "FreezeFailed", "Freezer", "FreezerKind", "SignalFreezer", "cgroup_name", "choose_freezer"]


class Freezer(Protocol):
    """What both ways can do. Each call returns within FREEZE_LIMIT and a look at the process table (milliseconds)."""

    def prepare(self, app: str) -> str | None:
        """Before a launch: the cgroup folder the app is to join, or None."""

    def freeze(self, pid: int, app: str, own_group: bool, *, started: int = 0, token: str = "") -> bool:
        """Let nothing of it execute. ``own_group``: launched by a keeper. False: there is no such process any more.

        Raises:
            FreezeFailed: something still runs after FREEZE_LIMIT.
        """

    def thaw(self, pid: int, app: str, own_group: bool, *, started: int = 0, token: str = "") -> bool:
        """Let it go on. False: there is no such process any more."""

    def kill(self, pid: int, app: str, own_group: bool, *, started: int = 0, token: str = "") -> None:
        """SIGKILL to all of it, frozen or not, its main process gone or not."""

    def is_frozen(self, pid: int, app: str, own_group: bool = True, *, started: int = 0, token: str = "") -> bool:
        """All of it stands still, and it is there."""

    def family(self, pid: int, app: str, own_group: bool, *, started: int = 0, token: str = "") -> list[Process]:
        """All of its living processes."""

    def cpu_used(self, pid: int, app: str, own_group: bool, *, started: int = 0) -> float | None:
        """Seconds of processor time that all of it used, ended processes included; None: only processes can tell."""

    def remove(self, app: str) -> None:
        """The app's processes are gone: tidy up. Does nothing while one is left."""


class CgroupFreezer:
    """Freezes the app's cgroup; an app that is in none (by hand, or launched without) is frozen by signals."""

    def __init__(self, desk_folder: Path, own_name: str) -> None:
        self._desk_folder = desk_folder
        self._own_name = own_name
        self._signals = SignalFreezer()

    def prepare(self, app: str) -> str | None:
        self._signals.prepare(app)
        folder = cgroup.app_folder(self._desk_folder, app)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            cgroup.thaw(folder)
        except OSError:  # the launch goes on without: freezing by signals is the answer to it
            return None
        return str(folder)

    def freeze(self, pid: int, app: str, own_group: bool, *, started: int = 0, token: str = "") -> bool:
        folder = self._folder(pid, app, own_group, started)
        if folder is None:
            return self._signals.freeze(pid, app, own_group, started=started, token=token)
        if not cgroup.freeze(folder, FREEZE_LIMIT):
            raise FreezeFailed(f"{app} does not stand still: its cgroup is not frozen after {FREEZE_LIMIT} s.")
        return True

    def thaw(self, pid: int, app: str, own_group: bool, *, started: int = 0, token: str = "") -> bool:
        folder = self._folder(pid, app, own_group, started)
        if folder is not None:
            cgroup.thaw(folder)
            main = process_table.read(pid)
            # A desk before us that was told to use signals may have stopped it by these: then both are undone.
            if main is None or not main.still:
                return main is not None
        return self._signals.thaw(pid, app, own_group, started=started, token=token)

    def kill(self, pid: int, app: str, own_group: bool, *, started: int = 0, token: str = "") -> None:
        folders = {cgroup.app_folder(self._desk_folder, app), self._folder(pid, app, own_group, started)}
        if own_group:
            for folder in folders:
                if folder is not None:
                    with contextlib.suppress(FileNotFoundError):  # never launched by us
                        cgroup.kill(folder)
        self._signals.kill(pid, app, own_group, started=started, token=token)

    def is_frozen(self, pid: int, app: str, own_group: bool = True, *, started: int = 0, token: str = "") -> bool:
        folder = self._folder(pid, app, own_group, started)
        if folder is not None and cgroup.is_frozen(folder):
            return True
        return self._signals.is_frozen(pid, app, own_group, started=started, token=token)

    def family(self, pid: int, app: str, own_group: bool, *, started: int = 0, token: str = "") -> list[Process]:
        folder = self._folder(pid, app, own_group, started)
        if folder is None:
            return self._signals.family(pid, app, own_group, started=started, token=token)
        found = map(process_table.read, cgroup.processes(folder))
        return [process for process in found if process is not None and not process.ended]

    def cpu_used(self, pid: int, app: str, own_group: bool, *, started: int = 0) -> float | None:
        folder = self._folder(pid, app, own_group, started)
        return cgroup.cpu_used(folder) if folder is not None else None

    def remove(self, app: str) -> None:
        self._signals.remove(app)
        cgroup.remove(cgroup.app_folder(self._desk_folder, app))

    def _folder(self, pid: int, app: str, own_group: bool, started: int) -> Path | None:
        if not own_group or (started and not process_table.alive(pid, started)):
            return None
        return cgroup.folder_of(pid, self._own_name, app)


def choose_freezer(own_name: str, kind: FreezerKind = "auto") -> Freezer:
    """The best way this machine offers, or the way asked for.

    ``own_name`` tells this desk from others in cgroup paths (its runtime folder, say); the same at each start, so
    that apps of the desk before are found again.

    Raises:
        SettingsWrong: "cgroup" was asked for and cannot be used here.
    """
    name = cgroup_name(own_name)
    folder = None if kind == "signals" else cgroup.desk_folder(name)
    if folder is not None:
        return CgroupFreezer(folder, name)
    if kind == "cgroup":
        raise SettingsWrong("Freezing by cgroup was asked for, and no cgroup may be made here. Set freezer to auto.")
    return SignalFreezer()


def cgroup_name(own_name: str) -> str:
    """What a desk is called in cgroup paths: short, and safe as a file name."""
    return hashlib.sha256(own_name.encode(errors="surrogateescape")).hexdigest()[:12]
