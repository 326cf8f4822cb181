"""The process table, on this process and children of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from frontdesk.agent.shell import process_table

ODD_NAME = "import ctypes, sys; ctypes.CDLL(None).prctl(15, b') R (1 2', 0, 0, 0); print(flush=True); sys.stdin.read()"


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(
        [sys.executable, "-c", ODD_NAME],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "FRONTDESK_LAUNCH": "token"},
    )
    assert child.stdin is not None and child.stdout is not None
    child.stdout.readline()
    yield child
    child.stdin.close()
    child.stdout.close()
    child.wait()


def test_a_child_reads_as_it_is_even_with_a_name_made_to_mislead(child: subprocess.Popen[bytes]) -> None:
    found = process_table.read(child.pid)
    assert found is not None
    assert (found.parent, found.group, found.session) == (os.getpid(), os.getpgid(child.pid), os.getsid(child.pid))
    assert not found.ended
    assert process_table.start_time(child.pid) == found.started
    assert process_table.command_line(child.pid) == (sys.executable, "-c", ODD_NAME)
    assert process_table.folder(child.pid) == os.getcwd()
    assert process_table.launch_token(child.pid) == "token"
    assert process_table.launched_under("token") == child.pid
    assert process_table.launched_under("no such token") == process_table.launched_under("") == 0
    assert process_table.cgroup(child.pid) == process_table.cgroup(os.getpid())


def test_processor_time_is_what_the_process_itself_sees() -> None:
    before = os.times()
    seen = process_table.cpu_seconds([os.getpid()])
    after = os.times()
    a_tick_each = 0.02
    assert before.user + before.system - a_tick_each <= seen <= after.user + after.system + a_tick_each


def test_ancestors_and_descendants(child: subprocess.Popen[bytes]) -> None:
    table = process_table.everyone()
    assert child.pid in process_table.descendants(os.getpid(), table)
    assert os.getpid() in process_table.descendants(os.getppid(), table)
    assert process_table.descendants(child.pid, table) == set()
    assert {child.pid, os.getpid(), os.getppid()} <= process_table.ancestors(child.pid, table)


def test_a_signal_reaches_the_very_process_only(child: subprocess.Popen[bytes]) -> None:
    found = process_table.read(child.pid)
    assert found is not None
    earlier_owner = found._replace(started=found.started - 1)
    assert not process_table.send_signal(earlier_owner, signal.SIGKILL)
    assert process_table.alive(child.pid, found.started)
    assert not process_table.alive(child.pid, earlier_owner.started)
    assert process_table.send_signal(found, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    ended = process_table.read(child.pid)
    assert ended is not None and ended.ended and ended.still
    assert not process_table.alive(child.pid, found.started)
    child.wait()
    assert not process_table.send_signal(found, signal.SIGKILL)


def test_nobody_reads_as_absent(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    assert process_table.read(child.pid) is None
    assert process_table.start_time(child.pid) is None
    assert process_table.command_line(child.pid) == ()
    assert process_table.folder(child.pid) == process_table.launch_token(child.pid) == ""
    assert process_table.cgroup(child.pid) == ""
    assert process_table.cpu_seconds([child.pid]) == 0
