"""Freezing real processes, by cgroup and by signals: a family that burns processor time stands still and goes on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from frontdesk.agent.shell import cgroup, process_table
from frontdesk.agent.shell.freezer import Freezer, FreezerKind, cgroup_name, choose_freezer
from frontdesk.agent.shell.settings import SettingsWrong
from frontdesk.agent.shell.spawn import spawn

APP = "org.example.burner"
OWN_NAME = f"test-{os.getpid()}"
FAMILY = """
import os, resource, sys
# Should the test be killed, nothing burns on for long.
resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
def burn(role):
    with open(sys.argv[1] + "/" + role + ".new", "w") as file:
        file.write(str(os.getpid()))
    os.rename(sys.argv[1] + "/" + role + ".new", sys.argv[1] + "/" + role)
    while True:
        pass
if os.fork() == 0:
    burn("child")
if os.fork() == 0:
    os.setsid()
    burn("own-session")
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        burn("orphan")
    os._exit(0)
os.wait()
burn("main")
"""
GROWING = """
import os, resource, sys, time
resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
living = 0
for generation in range(3000):
    if os.fork() == 0:
        os.setsid()
        while time.process_time() < 0.02:
            pass
        os._exit(0)
    living += 1
    if living == 5:
        os.wait()
        living -= 1
    if generation == 20:
        open(sys.argv[1], "w").close()
"""
ROLES = ("main", "child", "own-session", "orphan")


@dataclass
class Family:
    """A running app with helpers: a child, one in a session of its own, one whose parent has ended besides."""

    pids: dict[str, int]
    own_group: bool

    @property
    def main(self) -> int:
        return self.pids["main"]

    @property
    def cpu(self) -> float:
        return process_table.cpu_seconds(self.pids.values())

    def states(self) -> set[str]:
        found = [process_table.read(pid) for pid in self.pids.values()]
        return {process.state for process in found if process is not None}


@pytest.fixture(params=["cgroup", "signals"])
def freezer(request: pytest.FixtureRequest) -> Iterator[Freezer]:
    if request.param == "cgroup" and cgroup.desk_folder(cgroup_name(OWN_NAME)) is None:
        # Where no cgroup may be made there is one way only: nothing is left out by running the other twice.
        request.param = "signals"
    kind: FreezerKind = request.param
    yield choose_freezer(OWN_NAME, kind)
    desk_folder = cgroup.desk_folder(cgroup_name(OWN_NAME))
    if desk_folder is not None:
        # The families are killed by now; the kernel takes a moment to let go of them.
        until(lambda: cgroup.remove(cgroup.app_folder(desk_folder, APP)))
        assert not desk_folder.exists()


@pytest.fixture
def family(freezer: Freezer, tmp_path: Path) -> Iterator[Family]:
    pid = spawn(
        [sys.executable, "-c", FAMILY, str(tmp_path)],
        {**os.environ, "FRONTDESK_LAUNCH": f"token-{tmp_path}"},
        log=str(tmp_path / "log"),
        cgroup=freezer.prepare(APP),
    )
    yield from _family(pid, tmp_path, own_group=True)


@pytest.fixture
def by_hand(tmp_path: Path) -> Iterator[Family]:
    child = subprocess.Popen([sys.executable, "-c", FAMILY, str(tmp_path)])
    yield from _family(child.pid, tmp_path, own_group=False)
    child.wait()


def _family(pid: int, folder: Path, own_group: bool) -> Iterator[Family]:
    until(lambda: all((folder / role).exists() for role in ROLES))
    family = Family({role: int((folder / role).read_text()) for role in ROLES}, own_group)
    assert family.main == pid
    yield family
    for each in family.pids.values():
        try:
            os.kill(each, signal.SIGKILL)
        except ProcessLookupError:
            continue
    if own_group:
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            return


def until(done: Callable[[], bool], seconds: float = 30.0) -> None:
    """Processes of others tell nobody when they change: look until it is so."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def assert_burning(family: Family) -> None:
    """Every one of the family, each for itself, uses processor time."""
    for pid in family.pids.values():
        before = process_table.cpu_seconds([pid])
        until(lambda pid=pid, before=before: process_table.cpu_seconds([pid]) > before)  # type: ignore[misc]


def assert_still(family: Family, seconds: float = 0.3) -> None:
    before = family.cpu
    time.sleep(seconds)  # that nothing happens in a time can only be seen by waiting for it
    assert family.cpu == before


@pytest.mark.contract("L01")
def test_frozen_family_uses_no_processor_time_and_goes_on(freezer: Freezer, family: Family) -> None:
    assert_burning(family)
    assert not freezer.is_frozen(family.main, APP)
    assert freezer.freeze(family.main, APP, True)
    assert freezer.is_frozen(family.main, APP)
    assert_still(family)
    assert freezer.thaw(family.main, APP, True)
    assert_burning(family)
    assert not freezer.is_frozen(family.main, APP)


@pytest.mark.contract("L01", "L06")
def test_next_desk_finds_it_frozen_and_can_thaw(freezer: Freezer, family: Family) -> None:
    started = process_table.start_time(family.main) or 0
    assert freezer.freeze(family.main, APP, True, started=started)
    kind: FreezerKind = "cgroup" if type(freezer).__name__ == "CgroupFreezer" else "signals"
    after = choose_freezer(OWN_NAME, kind)
    assert after.is_frozen(family.main, APP)
    assert after.freeze(family.main, APP, True, started=started)
    assert_still(family, 0.1)
    assert after.thaw(family.main, APP, True, started=started)
    assert_burning(family)


@pytest.mark.contract("L01")
@pytest.mark.parametrize("frozen", [True, False])
def test_kill_ends_all_of_it(freezer: Freezer, family: Family, frozen: bool) -> None:
    if frozen:
        freezer.freeze(family.main, APP, True)
    freezer.kill(family.main, APP, True)
    os.waitpid(family.main, 0)
    until(lambda: family.states() <= {"Z"})
    assert not freezer.freeze(family.main, APP, True)


@pytest.mark.contract("L07")
def test_what_a_dead_app_left_behind_is_killed_by_its_token(freezer: Freezer, family: Family) -> None:
    token, started = process_table.launch_token(family.main), process_table.start_time(family.main) or 0
    os.kill(family.main, signal.SIGKILL)
    os.waitpid(family.main, 0)
    assert_burning(Family({role: pid for role, pid in family.pids.items() if role != "main"}, True))
    freezer.kill(family.main, APP, True, started=started, token=token)
    until(lambda: family.states() <= {"Z"})


@pytest.mark.contract("L01")
def test_app_by_hand_is_frozen_with_its_descendants_and_never_its_group(freezer: Freezer, by_hand: Family) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "while True: pass"], process_group=os.getpgid(by_hand.main))
    try:
        assert os.getpgid(by_hand.main) == os.getpgid(0) == os.getpgid(bystander.pid)
        assert freezer.freeze(by_hand.main, APP, False)
        # Its orphan has no tie to it left but the environment, which is the terminal's, not a launch's.
        orphan = by_hand.pids.pop("orphan")
        assert_still(by_hand, 0.2)
        assert_burning(Family({"orphan": orphan, "bystander": bystander.pid}, False))
        assert freezer.thaw(by_hand.main, APP, False)
        assert_burning(by_hand)
    finally:
        os.kill(orphan, signal.SIGKILL)
        bystander.kill()
        bystander.wait()


def test_another_process_with_the_same_id_is_left_alone(freezer: Freezer, family: Family) -> None:
    other_start = (process_table.start_time(family.main) or 0) - 100
    assert not freezer.freeze(family.main, APP, True, started=other_start)
    assert not freezer.is_frozen(family.main, APP, started=other_start)
    assert_burning(family)


def test_a_job_that_was_stopped_before_stays_stopped_after_thawing(family: Family) -> None:
    freezer = choose_freezer(OWN_NAME, "signals")
    os.kill(family.pids["child"], signal.SIGSTOP)
    until(lambda: "T" in family.states())
    freezer.freeze(family.main, APP, True)
    freezer.thaw(family.main, APP, True)
    stopped = process_table.read(family.pids["child"])
    assert stopped is not None and stopped.state == "T"
    assert_burning(Family({"main": family.main, "orphan": family.pids["orphan"]}, True))


def test_the_desk_and_its_parents_are_never_frozen() -> None:
    """Even when the app is what the desk descends from."""
    freezer = choose_freezer(OWN_NAME, "signals")
    assert not freezer.freeze(os.getpid(), APP, False)
    assert not freezer.freeze(os.getppid(), APP, False)


@pytest.mark.contract("L01")
def test_a_family_that_keeps_growing_is_caught_whole(freezer: Freezer, tmp_path: Path) -> None:
    """A new helper as soon as one of five ends, each in a session of its own."""
    pid = spawn(
        [sys.executable, "-c", GROWING, str(tmp_path / "growing")],
        {**os.environ, "FRONTDESK_LAUNCH": f"token-{tmp_path}"},
        log=str(tmp_path / "log"),
        cgroup=freezer.prepare(APP),
    )

    def members() -> list[int]:
        return sorted(p for p in process_table.everyone() if process_table.launch_token(p) == f"token-{tmp_path}")

    try:
        until((tmp_path / "growing").exists)
        freezer.freeze(pid, APP, True)
        frozen = members()
        before = process_table.cpu_seconds(frozen)
        assert len(frozen) >= 2
        time.sleep(0.2)  # that nothing happens in a time can only be seen by waiting for it
        assert members() == frozen
        assert process_table.cpu_seconds(frozen) == before
    finally:
        freezer.kill(pid, APP, True)
        os.waitpid(pid, 0)


def test_what_an_app_removes_of_its_folder_while_it_is_read_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "of-the-app"
    inside.mkdir()
    for folder, pid in ((tmp_path, 11), (inside, 12)):
        (folder / "cgroup.procs").write_text(f"{pid}\n")
    assert sorted(cgroup.processes(tmp_path)) == [11, 12]
    look = os.scandir

    def look_late(folder: str | Path) -> "os._ScandirIterator[str]":
        if Path(folder) == inside:
            (inside / "cgroup.procs").unlink()
            inside.rmdir()
        return look(str(folder))

    monkeypatch.setattr(os, "scandir", look_late)
    assert cgroup.processes(tmp_path) == [11]


def test_a_cgroup_that_is_asked_for_and_cannot_be_had_is_a_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "desk_folder", lambda name: None)
    # As such it ends the desk for good; as any other failure it would have it started again for ever.
    with pytest.raises(SettingsWrong, match="Set freezer to auto"):
        choose_freezer(OWN_NAME, "cgroup")
