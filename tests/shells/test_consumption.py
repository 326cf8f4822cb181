"""What apps use: processor time put together from processes that come and go, and memory, of real families."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.core import effects as do
from frontdesk.agent.shell import cgroup, process_table
from frontdesk.agent.shell.consumption import Consumption, ProcessorTime
from frontdesk.agent.shell.freezer import Freezer, FreezerKind, cgroup_name, choose_freezer
from frontdesk.agent.shell.process_table import Process
from frontdesk.agent.shell.spawn import spawn
from tests.shells.test_freezer import until

APP = "org.example.burner"
OWN_NAME = f"test-consumption-{os.getpid()}"
MIB = 2**20


# --- processor time of processes that come and go ---------------------------------------------------------------------


@dataclass(frozen=True)
class Pretended:
    """A process as the kernel would keep its books. ``parent`` 0: nobody of the family waits for it."""

    pid: int
    parent: int
    own: float = 0.0
    reaped: float = 0.0
    ended: bool = False


class Kernel:
    """Processes that work, fork, end and are waited for; ``used`` is the truth."""

    def __init__(self) -> None:
        self.alive = {1: Pretended(1, 0)}
        self.used, self.unknowable, self.next_pid = 0.0, 0.0, 2
        self.seen: dict[int, float] = {}

    def table(self) -> list[Process]:
        return [
            Process(one.pid, 1, one.parent, 1, 1, "R", one.own, one.reaped)
            for one in self.alive.values()
            if not one.ended
        ]

    def works(self, pid: int, seconds: float) -> None:
        self.alive[pid] = replace(self.alive[pid], own=self.alive[pid].own + seconds)
        self.used += seconds

    def forks(self, pid: int) -> None:
        self.alive[self.next_pid] = Pretended(self.next_pid, pid)
        self.next_pid += 1

    def ends(self, pid: int) -> None:
        """Its children go to init, which waits for them at once when they end: what they then say nobody hears."""
        for child in [one for one in self.alive.values() if one.parent == pid]:
            self.alive[child.pid] = replace(child, parent=0)
            if child.ended:
                self.lost(child.pid)
        if self.alive[pid].parent == 0:
            self.lost(pid)
        else:
            self.alive[pid] = replace(self.alive[pid], ended=True)

    def waits_for(self, pid: int) -> None:
        child = self.alive.pop(pid)
        parent = self.alive[child.parent]
        self.alive[parent.pid] = replace(parent, reaped=parent.reaped + child.own + child.reaped)

    def lost(self, pid: int) -> None:
        gone = self.alive.pop(pid)
        self.unknowable += gone.own + gone.reaped


actions = st.tuples(st.sampled_from(["works", "forks", "ends", "waits", "look"]), st.integers(0, 20))


@pytest.mark.contract("L08")
@given(st.lists(actions, max_size=60))
def test_processor_time_never_runs_backwards_counts_nothing_twice_and_misses_only_what_nobody_waits_for(
    history: list[tuple[str, int]],
) -> None:
    kernel, time = Kernel(), ProcessorTime()
    assert time.look(kernel.table()) == 0.0
    before = 0.0
    for what, which in [*history, ("look", 0)]:
        running = [pid for pid, one in kernel.alive.items() if not one.ended]
        waiting = [pid for pid, one in kernel.alive.items() if one.ended]
        if what == "look":
            counted = time.look(kernel.table())
            assert before <= counted <= kernel.used
            before = counted
        elif what == "waits" and waiting:
            kernel.waits_for(waiting[which % len(waiting)])
        elif what in ("works", "forks", "ends"):
            pid = running[which % len(running)]
            if what == "works":
                kernel.works(pid, 1.0)
            elif what == "forks":
                kernel.forks(pid)
            elif pid != 1:
                kernel.ends(pid)
    for pid in [pid for pid, one in kernel.alive.items() if one.ended]:
        kernel.waits_for(pid)
    assert kernel.used - kernel.unknowable <= time.look(kernel.table()) <= kernel.used


# --- real families ----------------------------------------------------------------------------------------------------

FAMILY = """
import os, resource, signal, sys
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
def says(role):
    with open(sys.argv[1] + "/" + role + ".new", "w") as file:
        file.write(str(os.getpid()))
    os.rename(sys.argv[1] + "/" + role + ".new", sys.argv[1] + "/" + role)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        says("burner")
        while True:
            pass
    os._exit(0)
os.wait()
if os.fork() == 0:
    held = bytearray(b"x") * (64 << 20)
    says("holder")
    signal.pause()
for _ in range(10):
    if os.fork() == 0:
        while sum(os.times()[:2]) < 0.05:
            pass
        os._exit(0)
    os.wait()
says("main")
signal.pause()
"""

PARENT = """
import os
while input():
    if os.fork() == 0:
        while sum(os.times()[:2]) < 0.1:
            pass
        os._exit(0)
    os.wait()
    print("ended", flush=True)
"""


@pytest.fixture(params=["cgroup", "signals"])
def freezer(request: pytest.FixtureRequest) -> Freezer:
    if request.param == "cgroup" and cgroup.desk_folder(cgroup_name(OWN_NAME)) is None:
        request.param = "signals"  # where no cgroup may be made there is one way only
    kind: FreezerKind = request.param
    return choose_freezer(OWN_NAME, kind)


@pytest.fixture
def family(freezer: Freezer, tmp_path: Path) -> Iterator[dict[str, int]]:
    """The app's process and two that it started; the burner has neither its parent nor its session."""
    pid = spawn(
        [sys.executable, "-c", FAMILY, str(tmp_path)],
        {**os.environ, "FRONTDESK_LAUNCH": f"token-{tmp_path}"},
        log=str(tmp_path / "log"),
        cgroup=freezer.prepare(APP),
    )
    try:
        until(lambda: all((tmp_path / role).exists() for role in ("burner", "holder")))
        yield {"main": pid} | {role: int((tmp_path / role).read_text()) for role in ("burner", "holder")}
    finally:
        freezer.kill(pid, APP, True, started=process_table.start_time(pid) or 0)
        os.waitpid(pid, 0)
        folder = cgroup.desk_folder(cgroup_name(OWN_NAME))
        if folder is not None:
            until(lambda: cgroup.remove(cgroup.app_folder(folder, APP)))


@pytest.mark.contract("L08", "L09")
async def test_all_of_an_app_is_measured_whatever_session_it_is_in_and_whoever_has_ended(
    freezer: Freezer, family: dict[str, int], tmp_path: Path
) -> None:
    consumption = Consumption(freezer)
    main, burner = family["main"], family["burner"]
    meant = do.Process(main, process_table.start_time(main) or 0, launched=True, token=f"token-{tmp_path}")
    first, held = await consumption.measure(APP, meant)
    burnt = process_table.cpu_seconds([burner])
    assert first is not None and held is not None
    assert 64 * MIB <= held < 200 * MIB
    until(lambda: (tmp_path / "main").exists() and process_table.cpu_seconds([burner]) > burnt + 0.3)
    second, _ = await consumption.measure(APP, meant)
    assert second is not None and second - first >= 0.3
    killed = burner, family["holder"]
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    until(lambda: all((found := process_table.read(pid)) is None or found.ended for pid in killed))
    third, held = await consumption.measure(APP, meant)
    assert third is not None and third >= second, "the counter ran backwards when a process ended"
    assert held is not None and held < 64 * MIB


@pytest.mark.contract("L08")
def test_children_that_end_between_two_looks_are_in_their_parents_books(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=-1, stdout=-1, text=True) as parent:
        assert parent.stdin is not None and parent.stdout is not None

        def look() -> float:
            found = process_table.read(parent.pid)
            assert found is not None
            return time.look([found])

        time = ProcessorTime()
        look()
        for _ in range(3):
            parent.stdin.write("go\n")
            parent.stdin.flush()
            parent.stdout.readline()
        assert look() >= 0.27
        parent.stdin.write("\n")


async def test_what_is_gone_cannot_be_told() -> None:
    gone = do.Process(2**22 - 1, 1, launched=True, token="nobody")
    assert await Consumption(choose_freezer(OWN_NAME, "signals")).measure(APP, gone) == (None, None)


def test_the_memory_of_a_process_that_is_gone_is_unknown_and_of_init_is_its_whole() -> None:
    assert process_table.held_memory(2**22 - 1) is None
    assert (process_table.held_memory(1) or 0) > 0
