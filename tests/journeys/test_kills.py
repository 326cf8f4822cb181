"""A slice of the kill matrix: each part dies once, within the second in which a message is on its way."""

import asyncio
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.left_running import processes_of

pytestmark = pytest.mark.timeout(400)
ROOT = Path(__file__).parents[2]

SLICE = ("keeper:3", "desk:3", "push:3", "synapse:1", "lobby:3")
SEED = "3853"
"""Draws: keeper and Lobby just as Lobby is launched for a message, the desk as Lobby is thawed for one, push service
and homeserver with one in their hands."""


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="fd-", dir="/tmp"))
    yield made
    shutil.rmtree(made)


@pytest.mark.contract("L06", "L07", "P02", "P09")
async def test_whatever_dies_the_story_ends_well(folder: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "demo.kills", "--seed", SEED, "--keep", str(folder), "--only", *SLICE],
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, complaint = await process.communicate()
    said = out.decode()
    assert process.returncode == 0, said + complaint.decode()
    assert set(re.findall(r"^(\w+:\d) .* ok$", said, re.MULTILINE)) == set(SLICE)
    assert "Every cell ended well" in said
    assert processes_of(folder) == []
