"""`make demo` as a person runs it: it starts, says where it is, leaves nothing behind, and finds everything again."""

import asyncio
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from demo.machine import Machine, app_of
from frontdesk import AppState

pytestmark = pytest.mark.timeout(300)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="fd-", dir="/tmp"))
    yield made / "demo"
    shutil.rmtree(made)


class Run:
    """A running demo and what it has said so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said = ""

    async def says(self, words: str) -> str:
        """Reads on until the demo has said `words` (a regular expression)."""
        assert self.process.stdout is not None
        while not (found := re.search(words, self.said)):
            line = await self.process.stdout.readline()
            assert line, f"The demo ended without saying {words!r}: {self.said}"
            self.said += line.decode()
        return found[0]

    async def stopped_by(self, number: signal.Signals) -> int:
        """Sends the signal and waits for the end; gives the exit status."""
        self.process.send_signal(number)
        rest, _ = await self.process.communicate()
        self.said += rest.decode()
        assert self.process.returncode is not None
        return self.process.returncode


@asynccontextmanager
async def demo(folder: Path, *arguments: str) -> AsyncIterator[Run]:
    command = [sys.executable, "-m", "demo", *(arguments or ("run", "--no-browser")), "--folder", str(folder)]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    run = Run(process)
    try:
        yield run
    finally:
        if process.returncode is None:
            await run.stopped_by(signal.SIGTERM)


def processes_of(folder: Path) -> dict[int, str]:
    """Number and command line of every process that mentions the folder in its arguments or its environment."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command, environment = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in command + environment:
            found[int(entry.name)] = command.replace(b"\0", b" ").decode()
    return found


async def run_until_nobody_reads_any_more(folder: Path) -> None:
    """A demo that stops as its terminal is closed, or the program that its words went to has ended."""
    read, write = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "demo", "run", "--no-browser", "--folder", str(folder)],
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=write,
        stderr=write,
        start_new_session=True,
    )
    os.close(write)
    try:
        with open(read, "rb") as words:
            while b"Ctrl-C stops everything" not in (line := await asyncio.to_thread(words.readline)):
                assert line, "The demo ended before it was ready."
        process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(60):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_from_the_first_start_to_the_last_word(folder: Path) -> None:
    async with demo(folder) as first:
        await first.says(r"Ready after [\d.]+ s")
        address = await first.says(r"http://demo\.localhost:(\d+)/enter\?code=\S+")
        for part in ("Synapse", "Push service", "Left’s desk", "Right’s Lobby"):
            assert re.search(rf"{part} +[\d.]+ s", first.said), "progress is visible"
        left = Machine("Left", folder / "left", "")
        through = await first.says(r"http://\S+  through Left’s network")
        note = (folder / "left" / "logged_in_at").read_text()
        assert through.startswith(f"{note} "), "who logs in again there stays behind Left's switches"
        assert app_of(await left.status()).state is not AppState.STOPPED
        assert "Enter" not in first.said, "nobody sits at a terminal here"
        for command, answer in (("frontdesk status", b"Lobby"), ("lobby address", b"http://left.demo.localhost:")):
            line = re.search(rf"FRONTDESK_HOME=\S*/left .*{command}", first.said)
            assert line, f"{command} is printed as a line to be copied"
            copied = await asyncio.create_subprocess_shell(
                line[0], cwd="/", env={"PATH": "/usr/bin:/bin", "HOME": "/"}, stdout=asyncio.subprocess.PIPE
            )
            out, _ = await copied.communicate()
            assert (copied.returncode, answer in out) == (0, True), out

        async with demo(folder) as second:
            assert await second.process.wait() == 1
            assert f"process {first.process.pid}" in await second.says("already running.*")
        async with demo(folder, "clean") as cleaning:
            assert await cleaning.process.wait() == 1

        assert await first.stopped_by(signal.SIGINT) == 0
        assert "Traceback" not in first.said
    assert processes_of(folder) == {}

    async with demo(folder) as again:
        await again.says(r"Ready after")
        assert (await again.says(r"http://demo\.localhost:\d+/")) in address, "the stage is where it was"
        chat = (folder / "chat").read_text()
        assert chat.startswith("!"), "the chat of the first run is the chat of the second"
        # Killed outright it can tidy nothing up; the next one does.
        assert await again.stopped_by(signal.SIGKILL) < 0
    assert processes_of(folder) != {}

    await run_until_nobody_reads_any_more(folder)
    assert (folder / "chat").read_text() == chat
    assert processes_of(folder) == {}
    async with demo(folder, "clean") as cleaning:
        assert await cleaning.process.wait() == 0
    assert not folder.exists()


@pytest.mark.parametrize("moment", ["Starting", "Push service", "Synapse", "Left’s Lobby"])
async def test_ctrl_c_while_it_starts_leaves_nothing(folder: Path, moment: str) -> None:
    async with demo(folder) as run:
        await run.says(moment)
        assert await run.stopped_by(signal.SIGINT) == 0
        assert "Traceback" not in run.said
    assert processes_of(folder) == {}


async def test_a_part_that_dies_is_named_and_the_rest_still_stops(folder: Path) -> None:
    async with demo(folder) as run:
        await run.says("Ctrl-C stops everything")
        (synapse,) = (pid for pid, command in processes_of(folder).items() if "synapse.app.homeserver" in command)
        os.kill(synapse, signal.SIGKILL)
        await run.says("Synapse has ended.*kept")
        assert await run.stopped_by(signal.SIGTERM) == 0
    assert processes_of(folder) == {}


async def test_a_folder_too_deep_for_sockets_is_refused_with_a_sentence(folder: Path) -> None:
    deep = folder / ("x" * 60) / ("y" * 60)
    async with demo(deep) as run:
        assert await run.process.wait() == 1
        await run.says("too long for a Unix socket")
        assert "Traceback" not in run.said
    assert processes_of(deep) == {}
