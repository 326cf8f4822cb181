"""Starting a program in a session of its own, with nothing inherited but what is named; used by the keeper only.

Why not ``subprocess``: the keeper waits for all its children itself, adopted orphans among them, and passes sockets
at fixed numbers.
"""

import contextlib
import ctypes
import fcntl
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

LOG_MOST = 1024 * 1024
"""A log past this many bytes is renamed to ``.1`` (in place of the one before) when its program is launched."""


class SpawnFailed(Exception):
    """The program did not start; nothing of it is left. The text says at which step and why."""


def spawn(
    argv: Sequence[str],
    env: dict[str, str],
    *,
    cwd: str = "/",
    log: str | None = None,
    cgroup: str | None = None,
    passed: Sequence[int] = (),
) -> int:
    """Start ``argv`` and return its process id once the program itself runs.

    ``passed`` are file descriptors, given to the program as 3, 4 …; all others are closed. stdin is /dev/null;
    stdout and stderr go to the file ``log``, or where ours go. ``cgroup`` is a folder to join first. Its process
    group and session are its own, and signals are as in a fresh login.

    Raises:
        SpawnFailed: log, cgroup or folder cannot be used, or there is no such program.
    """
    if not argv:
        raise SpawnFailed("The command is empty.")
    output = None if log is None else _opened(Path(log))
    try:
        report, child_report = os.pipe()
    except OSError as error:
        raise SpawnFailed(f"No pipe could be made ({error.strerror}).") from error
    # A signal between fork and exec would run our handlers in the child: it waits until the child has reset them.
    everything = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _become(argv, env, cwd, output, cgroup, [*passed, child_report])
    except OSError as error:
        os.close(report)
        raise SpawnFailed(f"No new process could be made ({error.strerror}).") from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, everything)
        os.close(child_report)
        if output is not None:
            os.close(output)
    with open(report, "rb") as pipe:
        # End of file without a word: exec closed the pipe, the program runs.
        trouble = pipe.read().decode(errors="replace")
    if trouble:
        os.waitpid(pid, 0)
        raise SpawnFailed(trouble)
    return pid


def _become(
    argv: Sequence[str], env: dict[str, str], cwd: str, output: int | None, cgroup: str | None, passed: list[int]
) -> NoReturn:
    """In the child: turn into the program, or write why not to the last of ``passed`` and end."""
    step, report = "prepare it", passed[-1]
    try:
        # First out of the way upwards, then down to the agreed numbers: none lands on one that is still to be moved.
        moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 100) for fd in passed]
        report = moved[-1]
        os.setsid()
        if cgroup is not None:
            step = f"join its cgroup {cgroup}"
            with open(f"{cgroup}/cgroup.procs", "w") as file:
                file.write("0")
        step = f"enter its folder {cwd}"
        os.chdir(cwd)
        step = "open its files"
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        if output is not None:
            os.dup2(output, 1)
            os.dup2(output, 2)
        for number, fd in enumerate(moved, start=3):
            os.dup2(fd, number)
        report = 2 + len(moved)
        os.set_inheritable(report, False)
        _close_from(report + 1)
        step = f"run {argv[0]}"
        _reset_signals()
        os.execvpe(argv[0], list(argv), env)
    except BaseException as error:  # noqa: BLE001 - reported; this copy of the keeper must never go on as a second one
        os.write(report, f"Could not {step}: {_reason(error)}.".encode(errors="replace"))
        os._exit(127)


def _close_from(first: int) -> None:
    """Those that are open, however high: the limit may be a thousand million, or lower than it was (setrlimit(2))."""
    for fd in [int(name) for name in os.listdir("/proc/self/fd")]:
        if fd >= first:
            with contextlib.suppress(OSError):  # the listing's own is closed already
                os.close(fd)


def _reason(error: BaseException) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def _reset_signals() -> None:
    # SIGKILL, SIGSTOP and those the C library keeps for itself cannot be set: that is their default.
    for number in signal.valid_signals():
        with contextlib.suppress(OSError):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _opened(log: Path) -> int:
    try:
        return open_log(log)
    except (OSError, ValueError) as error:
        raise SpawnFailed(f"Could not open its log {log}: {_reason(error)}.") from error


def open_log(path: Path) -> int:
    """A descriptor that appends to this file (0600, its folder is made). Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_MOST:
        path.replace(path.with_name(path.name + ".1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def adopt_orphans() -> None:
    """From now on a descendant whose parent ends becomes our child (prctl(2), PR_SET_CHILD_SUBREAPER)."""
    set_child_subreaper = 36
    if ctypes.CDLL(None, use_errno=True).prctl(set_child_subreaper, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "The keeper could not become the parent of orphans")
