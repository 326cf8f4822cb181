"""The ``frontdesk`` command when things are not as they should be: a sentence, an exit status, and no traceback."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.desks import APP, PATIENCE, DeskHome

COMMAND = [sys.executable, "-m", "frontdesk.cli.main"]


def run(home: Path, *words: str, out: int = subprocess.PIPE, **environment: str) -> tuple[int, str]:
    """Exit status, and what stands on stderr. Output is buffered, as it is for a person."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("FRONTDESK_", "XDG_", "PYTHON"))}
    env = known | {"FRONTDESK_HOME": str(home), **environment}
    done = subprocess.run(
        [*COMMAND, *words], env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, timeout=60
    )
    return done.returncode, done.stderr.decode()


def is_a_sentence(said: str, *parts: str) -> None:
    assert "Traceback" not in said and "Exception ignored" not in said
    assert said.startswith("frontdesk") and len(said.splitlines()) == 1
    for part in parts:
        assert part in said


@pytest.mark.parametrize("words", [("status",), ("agent",), ("apps", "list")], ids=" ".join)
def test_folders_that_cannot_be_made(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, said = run(tmp_path / "file", *words)
    assert code == (78 if words == ("agent",) else 1)
    is_a_sentence(said, str(tmp_path / "file"), "cannot be made", "Not a directory", "FRONTDESK_HOME")


@pytest.mark.parametrize("folder", ["config", "state"])
def test_a_desk_that_can_keep_nothing_ends_at_once_and_says_why(folder: str, tmp_path: Path) -> None:
    (tmp_path / folder).touch()
    code, said = run(tmp_path, "agent")
    assert code == 78
    is_a_sentence(said, f"{tmp_path / folder} cannot be made")


def test_a_path_too_long_for_a_socket(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 30)
    home.mkdir()
    assert run(home, "status")[0] == 1
    code, said = run(home, "agent")
    assert code == 78
    is_a_sentence(said, "shorter name")


def test_a_socket_that_a_dead_desk_left(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "run" / "desk.sock"))
    code, said = run(tmp_path, "status")
    assert code == 1
    is_a_sentence(said, "No desk answers", "frontdesk agent")


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("status", "--help")], ids=" ".join)
def test_output_that_nobody_reads_or_that_cannot_be_written(words: tuple[str, ...], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    assert run(tmp_path, *words, out=writing) == (0, "")
    os.close(writing)
    with open("/dev/full", "wb") as full:
        code, said = run(tmp_path, *words, out=full.fileno())
    assert code == 1
    is_a_sentence(said, "No space left on device")


async def test_a_status_that_cannot_be_printed(desk: DeskHome) -> None:
    puppet = await desk.launch()
    await puppet.do("notify", id="n", title="\N{SNOWMAN}")
    with open("/dev/full", "wb") as full:
        code, said = await asyncio.to_thread(run, desk.home, "status", out=full.fileno())
    assert code == 1
    is_a_sentence(said, "No space left on device")
    closed = f"import os, sys; os.close(1); os.execv(sys.executable, {[*COMMAND, 'status']!r})"
    done = await asyncio.create_subprocess_exec(
        sys.executable, "-c", closed, env=desk.environment, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(PATIENCE):
        _, said_closed = await done.communicate()
    assert (done.returncode, said_closed) == (0, b"")
    assert await asyncio.to_thread(lambda: run(desk.home, "status", PYTHONIOENCODING="latin-1")) == (0, "")


async def test_a_registration_that_cannot_be_removed_stays_and_is_said(desk: DeskHome) -> None:
    kept = desk.home / "config" / "apps" / f"{APP}.json"
    kept.unlink()
    kept.mkdir()
    code, said = await asyncio.to_thread(run, desk.home, "apps", "remove", APP)
    assert code == 1
    is_a_sentence(said, str(kept), "cannot be removed")
    assert [manifest.id for manifest in await desk.control.apps()] == [APP]


async def test_ctrl_c_while_a_desk_says_nothing(home: DeskHome) -> None:
    (home.home / "run").mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(home.home / "run" / "desk.sock"))
        silent.listen()
        silent.setblocking(False)
        waiting = await asyncio.create_subprocess_exec(
            *[*COMMAND, "status"], env=home.environment, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(PATIENCE):
            client, _ = await asyncio.get_running_loop().sock_accept(silent)
            with client:
                waiting.send_signal(signal.SIGINT)
                _, said = await waiting.communicate()
    assert (waiting.returncode, said) == (130, b"")
