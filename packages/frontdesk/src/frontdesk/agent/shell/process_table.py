"""Other processes as the kernel shows them in /proc: who lives, who descends from whom, how much time they used.

A process id says little, since it is used again; with the start time beside it, it is that process and no other.
Whatever cannot be read (gone meanwhile, another person's) reads as absent: that is an answer, not an error.
"""

import os
import signal
from collections.abc import Iterable
from typing import NamedTuple

from frontdesk.environment import LAUNCH_TOKEN

STAYS = "FRONTDESK_STAYS"
"""Environment variable of what the desk starts for the person, to go on without the desk: a browser."""

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_FIELDS, _LINE_MOST = 20, 4096
"""Fields after the name that are of interest; and bytes of a line, which never has as many and comes in one piece."""


class Process(NamedTuple):
    """One line of the table, as it was when it was read."""

    pid: int
    started: int
    """Clock ticks from boot to its start (proc(5), field 22)."""
    parent: int
    group: int
    session: int
    state: str
    """One letter: R running, S sleeping, D waiting for a device, T stopped, t traced, Z ended."""
    cpu_seconds: float
    reaped_seconds: float = 0.0
    """Processor time of children that have ended and that it has waited for, their children's included."""

    @property
    def key(self) -> tuple[int, int]:
        """Id and start time: this process and no other."""
        return self.pid, self.started

    @property
    def ended(self) -> bool:
        return self.state in "ZX"

    @property
    def still(self) -> bool:
        """It executes nothing."""
        return self.state in "TtZX"


def read(pid: int) -> Process | None:
    """The process with this id, or None. One that has ended and was not waited for yet is still read."""
    try:
        file = os.open(f"/proc/{pid}/stat", os.O_RDONLY)  # with open() a look at everybody takes a third longer
        try:
            line = os.read(file, _LINE_MOST)
        finally:
            os.close(file)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    # The name in brackets may itself hold brackets and spaces: fields are counted from the last bracket.
    field = line[line.rindex(b")") + 2 :].split(None, _FIELDS)
    return Process(
        pid=pid,
        started=int(field[19]),
        parent=int(field[1]),
        group=int(field[2]),
        session=int(field[3]),
        state=field[0].decode(),
        cpu_seconds=(int(field[11]) + int(field[12])) / _TICKS,
        reaped_seconds=(int(field[13]) + int(field[14])) / _TICKS,
    )


def everyone() -> dict[int, Process]:
    """All processes that can be seen."""
    found = (read(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return {process.pid: process for process in found if process is not None}


def start_time(pid: int) -> int | None:
    """Clock ticks from boot to its start: keep it beside the id. None: no such process."""
    process = read(pid)
    return None if process is None else process.started


def alive(pid: int, started: int) -> bool:
    """The very process still runs (or is stopped or frozen); one that has ended and waits for its parent does not."""
    process = read(pid)
    return process is not None and process.started == started and not process.ended


def descendants(pid: int, table: dict[int, Process]) -> set[int]:
    """Children, their children and so on, by parent; without ``pid`` itself."""
    by_parent: dict[int, list[int]] = {}
    for process in table.values():
        by_parent.setdefault(process.parent, []).append(process.pid)
    found: set[int] = set()
    ask = [pid]
    while ask:
        new = [child for child in by_parent.get(ask.pop(), ()) if child not in found]
        found.update(new)
        ask.extend(new)
    return found


def ancestors(pid: int, table: dict[int, Process]) -> set[int]:
    """Parent, its parent and so on, with ``pid`` itself."""
    found: set[int] = set()
    while pid in table and pid not in found:
        found.add(pid)
        pid = table[pid].parent
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor time used so far by these processes (the contract's "CPU time"), in seconds."""
    return sum(process.cpu_seconds for process in map(read, pids) if process is not None)


def held_memory(pid: int) -> int | None:
    """Bytes that would be free without it: its share of what is in memory or swapped out and is in no file.

    None: there is no such process. Where only the whole can be read (another person's, an old kernel), that counts.
    """
    held = {"Pss_Anon", "Pss_Shmem", "SwapPss"}
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            named = (line.decode().split() for line in file)
            found = {name[:-1]: int(rest[0]) for name, *rest in named if name[:-1] in held}
        if "Pss_Anon" in found:  # from Linux 5.4 on
            return sum(found.values()) * 1024
    except OSError:
        pass
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def command_line(pid: int) -> tuple[str, ...]:
    """Program and arguments as it was started; empty when it cannot be read."""
    return tuple(_read_list(pid, "cmdline"))


def folder(pid: int) -> str:
    """Its working folder; "" when it cannot be seen."""
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return ""


def launch_token(pid: int) -> str:
    """The launch it was started under, by its environment; empty when there is none or it cannot be read."""
    return _in_environment(pid, LAUNCH_TOKEN)


def launched_under(token: str) -> int:
    """The oldest process of that launch, its others descend from it; 0: none lives."""
    table = everyone().values()
    found = [one for one in table if token and not one.ended and launch_token(one.pid) == token]
    return min(found, key=lambda one: (one.started, one.pid)).pid if found else 0


def stays(pid: int) -> bool:
    """It was started to outlive the desk."""
    return bool(_in_environment(pid, STAYS))


def variables(pid: int, names: Iterable[str]) -> dict[str, str]:
    """Those of its environment, as it was started; none when they cannot be read."""
    wanted = frozenset(names)
    split = (item.partition("=") for item in _read_list(pid, "environ"))
    return {name: value for name, _, value in split if name in wanted}


def cgroup(pid: int) -> str:
    """Its cgroup v2 as a path below the mount (``/user.slice/…``); empty when there is none or it cannot be read."""
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="surrogateescape") as file:
            return next((line[3:].rstrip("\n") for line in file if line.startswith("0::")), "")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""


def send_signal(process: Process, number: signal.Signals) -> bool:
    """Signal this very process. False: it has ended, or its id is another's by now, or it is not ours (sudo, say)."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        # The handle is on whoever has the id now; that it is the one we mean is checked through its start time.
        if start_time(process.pid) != process.started:
            return False
        signal.pidfd_send_signal(handle, number)
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        os.close(handle)
    return True


def _read_list(pid: int, name: str) -> list[str]:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            data = file.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []
    return [os.fsdecode(item) for item in data.split(b"\0")[:-1]]


def _in_environment(pid: int, name: str) -> str:
    start = name + "="
    return next((item[len(start) :] for item in _read_list(pid, "environ") if item.startswith(start)), "")
