"""Whether a program of the demo is ready is asked of that program, and of no stranger in its place."""

import asyncio
import sys
from pathlib import Path

import pytest

from demo import processes
from demo.errors import DemoError


async def test_a_program_that_has_ended_is_not_ready_though_somebody_answers(tmp_path: Path) -> None:
    """As when its port is taken: it ends, and whoever has the port accepts connections."""

    async def a_stranger_answers() -> bool:
        await program.ended()
        return True

    words = "print('My port is in use.'); raise SystemExit(2)"
    program = await processes.start("The service", [sys.executable, "-c", words], tmp_path / "output.log")
    with pytest.raises(DemoError, match=r"The service ended with status 2\. .*\n  My port is in use\."):
        await program.until(a_stranger_answers, patience=20)


async def test_a_program_is_ready_once_it_answers(tmp_path: Path) -> None:
    answers = iter((False, True))

    async def answer() -> bool:
        return next(answers)

    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE)
    program = processes.Program("The service", process, tmp_path / "output.log")
    await program.until(answer, patience=20, every=0)
    assert list(answers) == []
    await program.stop()
