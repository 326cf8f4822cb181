"""The lock by which an app has one process: whoever has it has it alone, and a crash releases it."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from frontdesk.app.one_process import take_lock

APP = "org.example.app"
HOLDER = f"""
from frontdesk.app.one_process import take_lock
print("has it" if take_lock({APP!r}) is not None else "has it not", flush=True)
input()
"""


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fd-", dir="/tmp"))
    monkeypatch.setenv("FRONTDESK_HOME", str(folder))
    return folder


@pytest.mark.contract("X04")
def test_a_second_process_does_not_get_the_lock_and_a_killed_one_lets_go_of_it(home: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdin=-1, stdout=-1, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "has it\n"
        assert take_lock(APP) is None
        another = take_lock("org.example.another")
        assert another is not None
        os.close(another)
        holder.send_signal(signal.SIGKILL)
    lock = take_lock(APP)
    assert lock is not None
    assert take_lock(APP) is None
    os.close(lock)
