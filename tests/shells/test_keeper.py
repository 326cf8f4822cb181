"""The keeper with real processes: a tiny desk that is killed again and again, apps and sockets that live on."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from frontdesk.agent.keeper import PAUSE_MOST, pause_before_restart
from frontdesk.agent.shell import cgroup, process_table
from frontdesk.agent.shell.freezer import cgroup_name, choose_freezer

APP = "org.example.app"
KEEPER = "import sys; from frontdesk.agent.keeper import main; sys.exit(main(sys.argv[1:]))"
LOOK = """
import json, os, signal, sys
report = {
    "fds": sorted(int(name) for name in os.listdir("/proc/self/fd")),
    "sid": os.getsid(0),
    "pid": os.getpid(),
    "cwd": os.getcwd(),
    "env": dict(os.environ),
    "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "stdin": os.readlink("/proc/self/fd/0"),
}
with open(sys.argv[1], "w") as file:
    json.dump(report, file)
print("said", flush=True)
print("complained", file=sys.stderr)
"""
DEAF = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", file=sys.stderr, flush=True)
time.sleep(1000)
"""
TINY_DESK = [sys.executable, str(Path(__file__).with_name("keeper_desk.py"))]
SERVING = """
import os, socket
page = socket.socket(fileno=int(os.environ["FRONTDESK_PAGE_FD"]))
while True:
    visitor, _ = page.accept()
    visitor.sendall(str(os.getpid()).encode())
    visitor.close()
"""


PATIENCE = 30.0
"""Seconds after which something awaited is taken for missing; a busy machine is slow."""


def until(done: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Processes of others tell nobody when they change: look until it is so."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


class Keeper:
    """A running keeper with a tiny desk, in a home of its own."""

    def __init__(self, home: Path, desk: list[str] | None = None) -> None:
        self.home = home
        self.process = subprocess.Popen(
            [sys.executable, "-c", KEEPER, *(desk or TINY_DESK)],
            env={**os.environ, "FRONTDESK_HOME": str(home), "FRONTDESK_LEAK": "no"},
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def socket_path(self) -> Path:
        return self.home / "run" / "desk.sock"

    def connect(self, seconds: float = PATIENCE) -> socket.socket:
        until(self.socket_path.exists)
        visitor = socket.socket(socket.AF_UNIX)
        visitor.settimeout(seconds)
        until(lambda: visitor.connect_ex(str(self.socket_path)) == 0)
        return visitor

    def ask(self, do: str, **more: Any) -> Any:
        """What the tiny desk answers; waits while there is none."""
        with self.connect() as visitor:
            visitor.sendall(json.dumps({"do": do, **more}).encode() + b"\n")
            with visitor.makefile() as answers:
                line = answers.readline()
        return json.loads(line) if line else None

    def launch(self, *argv: str, **more: Any) -> Any:
        ask = {"app": APP, "argv": argv, "env": dict(os.environ), "cwd": "/", "log": str(self.home / "app.log"), **more}
        return self.ask("launch", **ask)

    def kill_desk(self) -> int:
        pid = int(self.ask("pid"))
        started = process_table.start_time(pid) or 0
        os.kill(pid, signal.SIGKILL)
        until(lambda: not process_table.alive(pid, started))
        return pid

    def stop(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, said


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fd-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def keeper(home: Path) -> Iterator[Keeper]:
    keeper = Keeper(home)
    yield keeper
    if keeper.process.poll() is None:
        keeper.stop()
    elif keeper.process.stderr is not None:
        keeper.process.stderr.close()


def visit(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as visitor:
        return visitor.recv(100).decode()


def running(pid: int) -> bool:
    process = process_table.read(pid)
    return process is not None and not process.ended


# --- the desk -------------------------------------------------------------------------------------------------------


@pytest.mark.contract("L06")
def test_killed_desk_is_back_within_two_seconds_and_apps_and_sockets_are_unharmed(keeper: Keeper) -> None:
    port = keeper.ask("listen", app=APP)
    app = keeper.launch(sys.executable, "-c", SERVING, listen=True)
    sleeper = keeper.launch("sleep", "1000", app="org.example.sleeper")
    os.kill(sleeper, signal.SIGSTOP)
    assert visit(port) == str(app)
    took: list[float] = []
    # A machine that is busy with other things may take longer once or twice; it is the keeper that is measured.
    while min(took, default=PATIENCE) >= 2 and len(took) < 6:
        killed = keeper.kill_desk()
        died = time.monotonic()
        assert keeper.ask("pid") != killed
        took.append(time.monotonic() - died)
    assert min(took) < 2, took
    assert visit(port) == str(app)
    assert running(sleeper)
    stopped = process_table.read(sleeper)
    assert stopped is not None and stopped.state == "T"
    assert keeper.ask("pages") == {APP: port}
    assert sorted(keeper.ask("children")) == sorted([[APP, app], ["org.example.sleeper", sleeper]])


@pytest.mark.contract("L06")
def test_connections_wait_while_there_is_no_desk(keeper: Keeper) -> None:
    keeper.kill_desk()
    # Connected at once, answered by the next desk: the socket is the keeper's.
    assert isinstance(keeper.ask("pid"), int)


@pytest.mark.contract("L06")
def test_desk_that_keeps_dying_is_back_each_time(keeper: Keeper) -> None:
    pids = {keeper.kill_desk() for _ in range(4)}
    assert len(pids) == 4
    died = time.monotonic()
    assert keeper.ask("pid") not in pids
    assert time.monotonic() - died < PAUSE_MOST + PATIENCE / 2  # the pause, and a desk's start on a busy machine


@pytest.mark.contract("L06")
def test_pause_doubles_up_to_its_limit_and_is_forgotten_after_a_good_run() -> None:
    pause, pauses = 0.0, []
    for _ in range(7):
        pause = pause_before_restart(pause, ran_for=0.01)
        pauses.append(pause)
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    assert pause_before_restart(2.0, ran_for=1.0) == 0.0


@pytest.mark.parametrize("status", [0, 78])
def test_desk_that_leaves_for_good_ends_the_keeper(keeper: Keeper, status: int) -> None:
    app = keeper.launch("sleep", "1000")
    keeper.ask("leave", status=status)
    assert keeper.process.wait(PATIENCE) == status
    assert not running(app)
    assert not keeper.socket_path.exists()


def test_desk_that_cannot_be_started_is_tried_again_and_said_so(home: Path) -> None:
    keeper = Keeper(home, ["/nonexistent/desk"])
    assert keeper.process.stderr is not None
    for _ in range(2):
        assert "Could not run /nonexistent/desk: No such file or directory" in keeper.process.stderr.readline()
    assert keeper.stop()[0] == 0


def test_desk_that_breaks_the_protocol_loses_its_channel(home: Path) -> None:
    broken = (
        "import os, socket; s = socket.socket(fileno=3); s.send(b'nonsense'); raise SystemExit(len(s.recv(10)) or 78)"
    )
    keeper = Keeper(home, [sys.executable, "-c", broken])
    _, said = keeper.process.communicate(timeout=PATIENCE)
    assert keeper.process.returncode == 78
    assert "the desk broke the protocol" in said


# --- one desk -------------------------------------------------------------------------------------------------------


@pytest.mark.contract("X01")
def test_socket_and_folders_are_closed_to_others(keeper: Keeper) -> None:
    keeper.ask("pid")
    assert keeper.socket_path.stat().st_mode & 0o777 == 0o600
    assert keeper.socket_path.parent.stat().st_mode & 0o777 == 0o700
    assert (keeper.home / "run" / "keeper.lock").stat().st_mode & 0o777 == 0o600


def test_second_keeper_says_so_and_leaves(keeper: Keeper) -> None:
    keeper.ask("pid")
    second = Keeper(keeper.home)
    _, said = second.process.communicate(timeout=PATIENCE)
    assert second.process.returncode == 3
    assert said == f"frontdesk keeper: a desk is already running (process {keeper.process.pid})\n"
    assert isinstance(keeper.ask("pid"), int)


@pytest.mark.contract("L06")
def test_killed_keeper_leaves_apps_running_and_frozen_ones_frozen(keeper: Keeper) -> None:
    running_app = keeper.launch("sleep", "1000")
    frozen_app = keeper.launch("sleep", "1000", app="org.example.sleeper")
    os.kill(frozen_app, signal.SIGSTOP)
    desk = keeper.ask("pid")
    keeper.process.kill()
    keeper.process.wait()
    next_keeper = Keeper(keeper.home)
    try:
        until(lambda: not running(desk))
        assert next_keeper.ask("pid") != desk
        assert running(running_app)
        stopped = process_table.read(frozen_app)
        assert stopped is not None and stopped.state == "T"
        assert next_keeper.ask("children") == []
    finally:
        next_keeper.stop()
        for app in (running_app, frozen_app):
            os.kill(app, signal.SIGKILL)


def test_no_second_desk_while_the_desk_of_a_killed_keeper_is_still_there(keeper: Keeper) -> None:
    desk = keeper.ask("pid")
    os.kill(desk, signal.SIGSTOP)
    keeper.process.kill()
    keeper.process.wait()
    second = Keeper(keeper.home)
    try:
        _, said = second.process.communicate(timeout=PATIENCE)
        assert second.process.returncode == 3
        assert "a desk is already running" in said
    finally:
        os.kill(desk, signal.SIGKILL)


def test_a_desk_that_says_why_it_cannot_run_is_all_that_is_heard(home: Path) -> None:
    keeper = Keeper(home, [sys.executable, "-c", "import sys; print('wrong setting', file=sys.stderr); sys.exit(78)"])
    _, said = keeper.process.communicate(timeout=PATIENCE)
    assert (keeper.process.returncode, said) == (78, "wrong setting\n")


def test_a_home_of_too_long_a_name_is_refused_with_a_sentence(home: Path) -> None:
    keeper = Keeper(home / ("x" * 110))
    _, said = keeper.process.communicate(timeout=PATIENCE)
    assert keeper.process.returncode == 78
    assert "set FRONTDESK_HOME to a folder with a shorter name" in said
    assert "Traceback" not in said


# --- launches -------------------------------------------------------------------------------------------------------


def test_launched_app_has_its_own_session_and_nothing_that_is_not_its_own(keeper: Keeper) -> None:
    report = keeper.home / "report"
    pid = keeper.launch(
        sys.executable, "-c", LOOK, str(report), env={"PATH": os.environ["PATH"], "A": "b"}, cwd="/usr", listen=True
    )
    assert keeper.ask("exit of", pid=pid) == 0
    found = json.loads(report.read_text())
    assert found["sid"] == found["pid"] == pid
    assert (found["cwd"], found["stdin"], found["blocked"]) == ("/usr", "/dev/null", 0)
    assert found["fds"][:4] == [0, 1, 2, 3] and len(found["fds"]) == 5  # and the listing itself
    assert {name: value for name, value in found["env"].items() if name != "LC_CTYPE"} == {
        "PATH": os.environ["PATH"],
        "A": "b",
        "FRONTDESK_PAGE_FD": "3",
    }
    assert (keeper.home / "app.log").read_text() == "said\ncomplained\n"
    assert (keeper.home / "app.log").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"argv": ["/nonexistent/program"]}, "Could not run /nonexistent/program: No such file or directory."),
        ({"argv": ["/etc/passwd"]}, "Could not run /etc/passwd: Permission denied."),
        ({"argv": ["sleep\0", "1"]}, "embedded null character"),
        ({"log": "/tmp/nul\0log"}, "embedded null byte"),
        ({"argv": []}, "The command is empty."),
        ({"cwd": "/nonexistent"}, "Could not enter its folder /nonexistent: No such file or directory."),
        ({"cgroup": "/nonexistent"}, "Could not join its cgroup /nonexistent: No such file or directory."),
        ({"log": "/proc/nonexistent/log"}, "Could not open its log /proc/nonexistent/log: No such file or directory."),
    ],
)
def test_launch_that_fails_is_an_error_and_no_silent_death(keeper: Keeper, wrong: dict[str, Any], says: str) -> None:
    answer = keeper.launch("sleep", "1000", **wrong)
    assert answer["reason"] == "launch_failed"
    assert says in answer["text"]
    assert keeper.ask("children") == []


@pytest.mark.contract("L07")
def test_ends_of_apps_are_reported_with_their_status(keeper: Keeper) -> None:
    assert keeper.ask("exit of", pid=keeper.launch("sh", "-c", "exit 7")) == 7
    killed = keeper.launch("sleep", "1000")
    os.kill(killed, signal.SIGKILL)
    assert keeper.ask("exit of", pid=killed) == -signal.SIGKILL


@pytest.mark.contract("L07", "L06")
def test_end_of_an_app_is_told_to_the_next_desk_until_one_has_seen_it(keeper: Keeper) -> None:
    app = keeper.launch("sh", "-c", "read line < $0; exit 7", str(_fifo(keeper.home)))
    desk = keeper.ask("pid")
    os.kill(desk, signal.SIGSTOP)
    (keeper.home / "go").write_text("\n")
    until(lambda: not running(app))
    os.kill(desk, signal.SIGKILL)
    until(lambda: not running(desk))
    assert keeper.ask("exit of", pid=app) == 7
    keeper.kill_desk()
    assert keeper.ask("exit of", pid=app) == 7
    keeper.ask("seen", pid=app)
    keeper.ask("children")
    keeper.kill_desk()
    late = keeper.launch("true")
    assert keeper.ask("exit of", pid=late) == 0
    # Had the older end been told again, it would have come first.
    with keeper.connect(0.2) as visitor, pytest.raises(TimeoutError):
        visitor.sendall(json.dumps({"do": "exit of", "pid": app}).encode() + b"\n")
        visitor.recv(1)


def _fifo(folder: Path) -> Path:
    os.mkfifo(folder / "go")
    return folder / "go"


def test_log_past_its_limit_is_kept_once(keeper: Keeper) -> None:
    log = keeper.home / "app.log"
    log.write_bytes(b"x" * (1024 * 1024 + 1))
    keeper.ask("exit of", pid=keeper.launch("echo", "new"))
    assert log.read_text() == "new\n"
    assert log.with_name("app.log.1").stat().st_size == 1024 * 1024 + 1


@pytest.mark.contract("L01")
def test_app_joins_its_cgroup_before_it_runs(keeper: Keeper) -> None:
    freezer = choose_freezer(str(keeper.home))
    folder = freezer.prepare(APP)
    app = keeper.launch("sleep", "1000", cgroup=folder)
    if folder is not None:
        assert str(cgroup.folder_of(app, cgroup_name(str(keeper.home)), APP)) == folder
    assert freezer.freeze(app, APP, True)
    assert freezer.is_frozen(app, APP)
    keeper.stop()
    assert not running(app)
    assert folder is None or not Path(folder).parent.exists()


# --- sockets --------------------------------------------------------------------------------------------------------


@pytest.mark.contract("L11")
def test_a_visit_to_a_stopped_app_waits_until_it_is_launched(keeper: Keeper) -> None:
    port = keeper.ask("listen", app=APP)
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as visitor:
        app = keeper.launch(sys.executable, "-c", SERVING, listen=True)
        assert visitor.recv(100).decode() == str(app)


def test_one_socket_for_each_app(keeper: Keeper) -> None:
    port = keeper.ask("listen", app=APP)
    assert keeper.ask("listen", app=APP, port=1) == port
    taken = keeper.ask("listen", app="org.example.other", port=port)
    assert taken["reason"] == "listen_failed"
    assert keeper.ask("listen", app="org.example.other", port=70_000)["reason"] == "listen_failed"
    adopted = keeper.ask("adopt", app="org.example.other")
    assert keeper.ask("adopt-wrong", app=APP)["reason"] == "not_listening"
    assert keeper.ask("pages") == {APP: port, "org.example.other": adopted}
    keeper.ask("forget", app=APP)
    keeper.ask("forget", app=APP)
    assert keeper.ask("pages") == {"org.example.other": adopted}
    with socket.socket() as visitor:
        until(lambda: visitor.connect_ex(("127.0.0.1", port)) != 0)


# --- ends -----------------------------------------------------------------------------------------------------------


def test_stop_leaves_no_process_behind(keeper: Keeper) -> None:
    """Not even an orphan in a session of its own, nor one that ignores SIGTERM, nor a stopped one."""
    pids = keeper.home / "pids"
    stubborn = (
        "trap '' TERM; echo $$ >> $0; setsid sh -c 'echo $$ >> $0; sleep 1000 & sleep 1000' $0 & sleep 1000 & wait"
    )
    app = keeper.launch("sh", "-c", stubborn, str(pids))
    sleeper = keeper.launch("sleep", "1000", app="org.example.sleeper")
    os.kill(sleeper, signal.SIGSTOP)
    desk = keeper.ask("pid")
    # The stubborn one and the one in a session of its own have both begun; each may be there for a while before it has.
    until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    # Both apps, the desk, the one in a session of its own, and at least one that this one has started.
    until(lambda: len(process_table.descendants(keeper.process.pid, process_table.everyone())) >= 5)
    everyone = process_table.everyone()
    family = process_table.descendants(keeper.process.pid, everyone)
    assert {app, sleeper, desk} < family
    status, _ = keeper.stop()
    assert status == 0
    assert not [pid for pid in family if process_table.alive(pid, everyone[pid].started)]


def test_desk_that_does_not_leave_is_killed_after_five_seconds(home: Path) -> None:
    keeper = Keeper(home, [sys.executable, "-c", DEAF])
    assert keeper.process.stderr is not None and keeper.process.stderr.readline() == "deaf\n"
    asked = time.monotonic()
    status, said = keeper.stop()
    assert status == 0
    assert time.monotonic() - asked >= 5.0
    assert "the desk did not leave in 5 s and is killed" in said
