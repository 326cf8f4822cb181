"""The demo's folder: one demo at a time in it, and none of its processes forgotten."""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from demo.errors import DemoError

_LEFT_OVER_PATIENCE = 8.0


class Folder:
    """`with Folder(path):` holds the folder for this process; DemoError when another demo has it.

    Programs of a demo that was killed before it could stop them are noted in it, and stopped by the next one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[str] | None = None
        self._noted: dict[int, str] = {}

    def __enter__(self) -> Self:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _held_lock(self.path)
        self._stop_left_over()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._notes.unlink(missing_ok=True)
        if self._lock:
            self._lock.close()

    def note(self, pid: int) -> None:
        """Remembers a program, to be stopped by the next demo should this one be killed."""
        self._noted[pid] = _born(pid)
        self._notes.write_text(json.dumps(self._noted))

    def _stop_left_over(self) -> None:
        try:
            noted: dict[str, str] = json.loads(self._notes.read_text())
        except (FileNotFoundError, ValueError):
            return
        # A number may long belong to another process: only one born at the noted moment is ours.
        left = {int(pid): born for pid, born in noted.items()}
        for number in (signal.SIGTERM, signal.SIGKILL):
            left = {pid: born for pid, born in left.items() if born and _born(pid) == born}
            for pid in left:
                with contextlib.suppress(ProcessLookupError):  # It may have ended just now.
                    os.kill(pid, number)
            deadline = time.monotonic() + _LEFT_OVER_PATIENCE
            while any(_born(pid) == born for pid, born in left.items()) and time.monotonic() < deadline:
                time.sleep(0.05)
        self._notes.unlink(missing_ok=True)

    @property
    def _notes(self) -> Path:
        return self.path / "programs.json"


def clean(path: Path) -> bool:
    """Removes the folder with all accounts and history; False: there was none. DemoError while a demo runs in it."""
    if not path.exists():
        return False
    with Folder(path):
        shutil.rmtree(path)
    return True


def _held_lock(path: Path) -> IO[str]:
    lock = (path / "lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        who = lock.read().strip() or "unknown"
        lock.close()
        raise DemoError(
            f"A demo is already running in {path} (process {who}). Nothing was changed; stop that one first."
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _born(pid: int) -> str:
    """When a process began, in the kernel's ticks; empty when it is gone (a zombie is)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
