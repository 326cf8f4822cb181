"""`make tour` on real parts: every step is ok, it says so to people and programs, and leaves nothing behind."""

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.tour.steps import STORY
from tests.left_running import processes_of

pytestmark = pytest.mark.timeout(300)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="fd-", dir="/tmp"))
    yield made
    shutil.rmtree(made)


@pytest.mark.contract("L01", "L03", "L05", "L06", "L11", "A05", "A06", "P02")
async def test_every_step_of_the_tour_is_ok(folder: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "demo", "tour", "--json", "--keep", str(folder)],
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, progress = await process.communicate()
    told = json.loads(out)
    assert [step["note"] for step in told["steps"] if not step["ok"]] == []
    assert [step["title"] for step in told["steps"]] == [step.title for step in STORY]
    assert (told["ok"], process.returncode) == (True, 0)
    assert "Limits shortened for this tour: background 8.5 s" in progress.decode()
    assert all(f"{step.title}" in progress.decode() for step in STORY)
    assert processes_of(folder) == []
