"""Starts and stops the programs of the demo, each in a session of its own, by process id."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from demo.errors import DemoError

STOP_PATIENCE = 8.0
"""Seconds a program has between SIGTERM and SIGKILL."""


class Program:
    """One child process that writes to a log file.

    A session of its own: Ctrl-C in the terminal reaches the demo alone, which then stops its programs in order.
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    @property
    def status(self) -> int | None:
        """Exit status (negative: the signal); None while it runs."""
        return self._process.returncode

    async def ended(self) -> int:
        """Waits for the end; gives the exit status (negative: the signal)."""
        return await self._process.wait()

    async def stop(self, patience: float = STOP_PATIENCE) -> None:
        """SIGTERM, and SIGKILL after `patience` seconds. Does nothing to a program that has ended."""
        for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, None)):
            if not self.running:
                return
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), seconds)

    async def until(self, ready: Callable[[], Awaitable[bool]], patience: float, every: float = 0.05) -> None:
        """Waits until `ready()` is true, asked every `every` seconds: a foreign program has no event to await.

        DemoError when the program ends first or `patience` seconds pass; the text ends with its last lines.
        """
        deadline = asyncio.get_running_loop().time() + patience
        # A program that has ended is not ready: whoever answered in its place is another one.
        while not await ready() or not self.running:
            if not self.running:
                raise DemoError(f"{self.name} ended with status {self._process.returncode}. {self._last_words()}")
            if asyncio.get_running_loop().time() > deadline:
                raise DemoError(f"{self.name} is not ready after {patience:g} s. {self._last_words()}")
            await asyncio.sleep(every)

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()[-6:] if self.log.exists() else []
        return f"Its log is {self.log}" + (", ending:\n  " + "\n  ".join(lines) if lines else " and is empty.")


def parent(pid: int) -> int:
    """The process that has started it, or has taken it over; 0 when there is no such process."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


async def gone(pid: int, patience: float) -> bool:
    """Whether a process that is no child of ours has ended within `patience` seconds."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(handle, over.set)
    try:
        await asyncio.wait_for(over.wait(), patience)
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(handle)
        os.close(handle)
    return True


async def start(name: str, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> Program:
    """Starts `command` with `environment` (default: ours); its output is appended to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = await _spawn(command, output, environment)
    return Program(name, process, log)


async def _spawn(
    command: Sequence[str], output: IO[bytes], environment: Mapping[str, str] | None
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=asyncio.subprocess.STDOUT,
        env=dict(os.environ if environment is None else environment),
        start_new_session=True,
    )
