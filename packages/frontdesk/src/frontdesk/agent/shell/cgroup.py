"""Cgroup v2 folders: one for each launched app, so that all it starts stands still, goes on and ends as one.

Tree: ``<the desk's own cgroup>/frontdesk-NAME/app-ID``. Only core files are used (cgroup.procs, .freeze, .events,
.kill; no controller), so an ordinary person's cgroup is enough wherever systemd delegates one.
"""

import contextlib
import os
import re
import select
import signal
import time
from pathlib import Path

from frontdesk.agent.shell import process_table

_OURS = "frontdesk-"


def own_folder() -> Path | None:
    """The cgroup v2 folder that this process is in; None where there is no cgroup v2."""
    return _folder(process_table.cgroup(os.getpid()))


def desk_folder(name: str) -> Path | None:
    """The folder for all apps of the desk called ``name`` (made with its first app); None when cgroups are of no use.

    Usable means: the folder can be made, its processes can be frozen, and processes can be moved into it (which takes
    the right to write to the cgroup they come from).
    """
    own = own_folder()
    if own is None or not os.access(own / "cgroup.procs", os.W_OK):
        return None
    folder = own / (_OURS + name)
    try:
        folder.mkdir(exist_ok=True)
        (folder / "cgroup.freeze").write_text("0")
    except OSError:
        return None
    _remove_if_empty(folder)
    return folder


def app_folder(desk: Path, app: str) -> Path:
    # With a prefix, since `cgroup.procs` would pass as an app's id.
    return desk / f"app-{app}"


def folder_of(pid: int, name: str, app: str) -> Path | None:
    """The app's folder if the process is in it (or below), wherever the desk that made it had its own cgroup."""
    path = process_table.cgroup(pid)
    before, found, after = path.partition(f"/{_OURS}{name}/app-{app}")
    return _folder(before + found) if found and after[:1] in ("", "/") else None


def step_out_of_app_folder() -> None:
    """Leave the folder of the app that started us, or we would be frozen with it. Raises OSError."""
    inside = re.match(f"(.*?)/{_OURS}[^/]+/app-", process_table.cgroup(os.getpid()))
    above = _folder(inside[1] or "/") if inside else None
    if above is not None:
        (above / "cgroup.procs").write_text(str(os.getpid()))


def freeze(folder: Path, limit: float) -> bool:
    """Let nothing in it execute. False: not all stood still within ``limit`` seconds; it is left to happen."""
    with open(folder / "cgroup.events", "rb", buffering=0) as events:
        poll = select.poll()
        poll.register(events, select.POLLPRI)
        (folder / "cgroup.freeze").write_text("1")
        until = time.monotonic() + limit
        while not (frozen := b"frozen 1" in _reread(events.fileno())) and (left := until - time.monotonic()) > 0:
            poll.poll(left * 1000)
        return frozen


def thaw(folder: Path) -> None:
    (folder / "cgroup.freeze").write_text("0")


def is_frozen(folder: Path) -> bool:
    return "frozen 1" in (folder / "cgroup.events").read_text()


def processes(folder: Path) -> list[int]:
    """The ids of all processes in it and below."""
    found: list[int] = []
    for path, _, _ in os.walk(folder):  # which passes over what the app removes meanwhile
        with contextlib.suppress(OSError):
            found += map(int, Path(path, "cgroup.procs").read_text().split())
    return found


def cpu_used(folder: Path) -> float | None:
    """Seconds of processor time used in it and below since it was made, told without any controller. None: gone."""
    try:
        stat = (folder / "cpu.stat").read_text()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1e6 for line in stat.splitlines() if line.startswith("usage_usec ")), None)


def kill(folder: Path) -> None:
    """SIGKILL to everything in it and below, frozen or not."""
    try:
        (folder / "cgroup.kill").write_text("1")
    except FileNotFoundError:  # before Linux 5.14
        freeze(folder, 0.1)
        for pid in processes(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def remove(folder: Path) -> bool:
    """Remove the app's folder and what it made below, and the desk's when it was the last; False while in use."""
    try:
        for path, names, _ in os.walk(folder, topdown=False):
            for name in names:
                os.rmdir(os.path.join(path, name))
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    _remove_if_empty(folder.parent)
    return True


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # another app's folder is in it
        folder.rmdir()


def _reread(fd: int) -> bytes:
    return os.pread(fd, 4096, 0)


def _folder(path: str) -> Path | None:
    """The folder of a cgroup path as /proc shows it, by the place where cgroup v2 is mounted."""
    if not path:
        return None
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            # Fields by proc(5): 4 is the part of the tree that is mounted, 5 where; the type comes after " - ".
            before, _, after = line.partition(" - ")
            if after.split(" ", 1)[0] == "cgroup2":
                root, place = before.split(" ")[3:5]
                inside = path if root == "/" else path.removeprefix(root)
                return Path(place + inside) if root == "/" or path.startswith(root) else None
    return None
