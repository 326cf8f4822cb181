"""On which screen a browser opens when the desk was started before there was any."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from frontdesk import AppState
from frontdesk.agent.shell.screen import Screen
from tests.desks import APP, PATIENCE, DeskHome

SCREEN = ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_CURRENT_DESKTOP", "DBUS_SESSION_BUS_ADDRESS")


@pytest.fixture(autouse=True)
def no_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*SCREEN, "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    systemd(tmp_path, monkeypatch, "exit 1")


def systemd(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Stands in for a person's systemd, which no test machine has."""
    program = folder / "systemctl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    if not os.environ["PATH"].startswith(f"{folder}:"):
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@contextmanager
def caller(**environment: str) -> Iterator[int]:
    """A program started from there, by its process id."""
    program = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        env={"PATH": "/usr/bin", **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with program:
        assert program.stdout is not None
        program.stdout.readline()
        yield program.pid


async def screen_of(screen: Screen) -> dict[str, str]:
    return {name: value for name, value in (await screen.environment()).items() if name in SCREEN}


async def test_the_last_caller_with_a_screen_of_this_machine_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    assert await screen_of(screen) == {}
    monkeypatch.setenv("DISPLAY", ":9")
    monkeypatch.setenv("XAUTHORITY", "/of/9")
    assert await screen_of(screen) == {"DISPLAY": ":9", "XAUTHORITY": "/of/9"}
    with caller(WAYLAND_DISPLAY="wayland-1", XDG_CURRENT_DESKTOP="GNOME") as pid:
        screen.called_by(pid)
    found = {"WAYLAND_DISPLAY": "wayland-1", "XDG_CURRENT_DESKTOP": "GNOME"}
    assert await screen_of(screen) == found, "nothing of the screen before is mixed in"
    with caller(LANG="C") as pid:
        screen.called_by(pid)
    with caller(DISPLAY="localhost:10.0", SSH_CONNECTION="192.0.2.1 1 192.0.2.2 22") as pid:
        screen.called_by(pid)
    assert await screen_of(screen) == found
    with caller(DISPLAY=":2") as pid:
        screen.called_by(pid)
    assert await screen_of(screen) == {"DISPLAY": ":2"}
    screen.called_by(2**22 - 1)  # it has ended already
    assert (await screen.environment())["PATH"] == os.environ["PATH"]


async def test_nobody_called_and_systemd_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = ("HOME=/x", "DISPLAY=:1", "XAUTHORITY=/a", r"XDG_CURRENT_DESKTOP=$'o\'d'")
    systemd(tmp_path, monkeypatch, "\n".join(["cat <<'END'", *told, "END"]))
    assert await screen_of(Screen()) == {"DISPLAY": ":1", "XAUTHORITY": "/a"}
    assert (await Screen().environment())["HOME"] == os.environ["HOME"]
    systemd(tmp_path, monkeypatch, "echo XAUTHORITY=/without/a/screen")
    assert await screen_of(Screen()) == {}


async def test_a_systemd_that_hangs_costs_time_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frontdesk.agent.shell.screen.ANSWER_WITHIN", 0.1)
    systemd(tmp_path, monkeypatch, "exec sleep 60")
    assert await screen_of(Screen()) == {}


async def test_a_browser_opens_where_the_app_was_opened_from(home: DeskHome) -> None:
    told, script = home.home / "told", home.home / "browser.sh"
    os.mkfifo(told)
    script.write_text(f'echo "$DISPLAY $1" > {told}\n')
    home.environment["BROWSER"] = f"sh {script} %s"
    home.environment.pop("DISPLAY", None)
    await home.start()
    await home.install()
    home.environment["DISPLAY"] = ":77"
    assert (await home.command("open", APP))[0] == 0
    puppet = await home.puppet()
    await puppet.do("foreground")
    await home.until_state(AppState.FOREGROUND)
    puppet.order("show address", address="http://notes.localhost:1/")
    said = await asyncio.wait_for(asyncio.to_thread(told.read_text), PATIENCE)
    assert said == ":77 http://notes.localhost:1/\n"
