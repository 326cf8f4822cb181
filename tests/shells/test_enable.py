"""Start at login: what is written is what a login would run, and running it brings up a desk."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from frontdesk import places
from frontdesk.agent import enable
from frontdesk.agent.shell import cgroup, process_table
from frontdesk.agent.shell.freezer import cgroup_name, choose_freezer
from frontdesk.agent.shell.spawn import spawn
from frontdesk.errors import FrontdeskError
from frontdesk.start import start_desk


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home whose name needs every kind of quoting, and no desk left in it afterwards."""
    with tempfile.TemporaryDirectory(prefix="fd-", dir="/tmp") as folder:
        home = Path(folder) / 'a $b `c` "d" 100%\\e'
        monkeypatch.setenv("FRONTDESK_HOME", str(home))
        monkeypatch.setenv("XDG_CONFIG_HOME", folder)
        yield home
        stop_desk()


@pytest.fixture
def no_systemd(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person without a systemd that answers, as over ssh or on another init."""
    return _with_systemctl(home, monkeypatch, "exit 1")


@pytest.fixture
def systemd(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands in for a person's systemd, which no test machine has: notes its orders. Returns the notes."""
    return _with_systemctl(home, monkeypatch, "exit 0")


def _with_systemctl(home: Path, monkeypatch: pytest.MonkeyPatch, end: str) -> Path:
    programs = home.parent / "programs"
    programs.mkdir()
    notes = home.parent / "orders"
    (programs / "systemctl").write_text(f'#!/bin/sh\necho "$*" >> {notes}\n{end}\n')
    (programs / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return notes


def keeper_pid() -> int:
    return int(places.keeper_lock().read_text() or 0) if places.keeper_lock().exists() else 0


def stop_desk() -> None:
    pid = keeper_pid()
    started = process_table.start_time(pid)
    if pid and started is not None:
        os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + 30
        while process_table.alive(pid, started):  # not our child: nobody tells us
            assert time.monotonic() < end, "the keeper did not leave"
            time.sleep(0.01)


def entry_command(entry: Path) -> list[str]:
    """The Exec line read back: as a string value, then by a shell, whose double quotes the specification borrows."""
    line = next(line for line in entry.read_text().splitlines() if line.startswith("Exec="))
    value = line.removeprefix("Exec=").replace("\\\\", "\\")
    words = subprocess.run(["sh", "-c", f"printf '%s\\n' {value}"], capture_output=True, text=True, check=True).stdout
    return [word.replace("%%", "%") for word in words.splitlines()]


@pytest.mark.contract("L14")
def test_autostart_entry_brings_up_a_desk(no_systemd: Path, home: Path) -> None:
    said = enable.enable()
    entry = home.parent / "autostart" / "frontdesk.desktop"
    assert str(entry) in said and "runs now" in said
    assert process_table.alive(keeper_pid(), process_table.start_time(keeper_pid()) or 0)
    stop_desk()
    command = entry_command(entry)
    assert command == ["env", f"FRONTDESK_HOME={home}", sys.executable, "-m", "frontdesk.agent.keeper", "--detach"]
    bare = {name: value for name, value in os.environ.items() if name != "FRONTDESK_HOME"}
    # A login has nothing of ours in its environment, and does not wait for what it starts.
    subprocess.run(command, env=bare, check=True, timeout=30)
    assert process_table.command_line(keeper_pid())[1:] == ("-m", "frontdesk.agent.keeper", "--detach")


def test_enabled_again_and_disabled_twice(no_systemd: Path, home: Path) -> None:
    entry = home.parent / "autostart" / "frontdesk.desktop"
    assert enable.enable() == enable.enable()
    keeper = keeper_pid()
    assert "is removed" in enable.disable()
    assert not entry.exists()
    assert enable.disable() == "The desk was not started at login; nothing was changed."
    assert keeper_pid() == keeper and process_table.read(keeper) is not None


def test_systemd_is_told_in_the_right_order(systemd: Path, home: Path) -> None:
    (home.parent / "autostart").mkdir()
    (home.parent / "autostart" / "frontdesk.desktop").touch()
    enable.enable()
    unit = home.parent / "systemd" / "user" / "frontdesk.service"
    assert unit.read_text() == enable.unit()
    assert not (home.parent / "autostart" / "frontdesk.desktop").exists()
    enable.disable()
    assert not unit.exists()
    asked = "--user show-environment"
    assert systemd.read_text().splitlines() == [
        asked,
        "--user daemon-reload",
        "--user enable --now frontdesk.service",
        asked,
        "--user disable frontdesk.service",
        asked,
        "--user daemon-reload",
    ]


def test_unit_says_what_systemd_understands(home: Path) -> None:
    unit = enable.unit()
    quoted = str(home).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    assert f'Environment="FRONTDESK_HOME={quoted}"' in unit
    assert f'ExecStart="{sys.executable}" "-m" "frontdesk.agent.keeper"' in unit
    for line in ("KillMode=process", "Delegate=yes", "RestartPreventExitStatus=3 78", "WantedBy=default.target"):
        assert line in unit.splitlines()
    if shutil.which("systemd-analyze"):  # where systemd's own checker is at hand, it has the last word
        file = home.parent / "frontdesk.service"
        file.write_text(unit)
        checked = subprocess.run(
            ["systemd-analyze", "--user", "verify", str(file)],
            env={**os.environ, "XDG_RUNTIME_DIR": str(home.parent)},
            capture_output=True,
            text=True,
        )
        assert "frontdesk.service" not in checked.stderr, checked.stderr


def test_what_cannot_be_written_is_said(no_systemd: Path, home: Path) -> None:
    (home.parent / "autostart").write_text("a file where a folder should be")
    with pytest.raises(FrontdeskError, match="could not be written"):
        enable.enable()


@pytest.mark.contract("L14")
def test_desk_outlives_terminal_and_app_that_called_for_it(home: Path) -> None:
    """An app in a terminal of its own starts the desk; then the terminal is closed, and all of its processes killed."""
    app = subprocess.Popen(
        [sys.executable, "-c", "from frontdesk.start import start_desk; start_desk(); print(); input()"],
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "FRONTDESK_LAUNCH": "the app's own"},
    )
    assert app.stdout is not None and app.stdin is not None
    assert app.stdout.readline() == b"\n"
    pid = keeper_pid()
    keeper = process_table.read(pid)
    assert keeper is not None
    assert keeper.session == keeper.pid and keeper.session != app.pid
    assert pid not in process_table.descendants(app.pid, process_table.everyone())
    assert process_table.launch_token(pid) == ""
    for number in (signal.SIGHUP, signal.SIGKILL):
        os.killpg(app.pid, number)
    app.wait()
    app.stdin.close()
    app.stdout.close()
    start_desk()
    assert keeper_pid() == pid and process_table.alive(pid, keeper.started)


@pytest.mark.contract("L14")
def test_desk_called_for_by_an_app_in_a_frozen_cgroup_is_not_part_of_it(home: Path) -> None:
    """The keeper was killed, its app calls for a new one: that must not sleep with the app."""
    freezer = choose_freezer(str(home))
    app = spawn(
        [sys.executable, "-c", "from frontdesk.start import start_desk; start_desk(); input()"],
        {**os.environ, "FRONTDESK_LAUNCH": "the app's own"},
        log=str(home / "log"),
        cgroup=freezer.prepare("org.example.app"),
    )
    try:
        os.waitpid(app, 0)
        assert cgroup.folder_of(keeper_pid(), cgroup_name(str(home)), "org.example.app") is None
    finally:
        freezer.kill(app, "org.example.app", True, token="the app's own")
        freezer.remove("org.example.app")


def test_nobody_without_a_home_sees_a_traceback(no_systemd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    with pytest.raises(FrontdeskError, match="Set HOME"):
        enable.enable()
    with pytest.raises(FrontdeskError, match="Set HOME"):
        enable.disable()
