"""Lobby's browser in the demo: the command that `webbrowser` runs brings the address to the stage."""

import asyncio
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.doorbell import Doorbell

ADDRESS = "http://left.demo.localhost:1/enter?code=a%2Fb&chat=%21room"
OPEN = f"import sys, webbrowser; sys.exit(not webbrowser.open({ADDRESS!r}))"


@pytest.fixture
def place() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="fd-", dir="/tmp"))
    yield folder / "a folder" / "window.sock"
    shutil.rmtree(folder)


async def test_what_an_app_shows_in_its_browser_is_heard(place: Path) -> None:
    bell = Doorbell(place)
    bell.open()
    try:
        assert place.stat().st_mode & 0o077 == 0
        app = await asyncio.create_subprocess_exec(sys.executable, "-c", OPEN, env={"BROWSER": bell.browser})
        assert await asyncio.wait_for(bell.heard(), 20) == ADDRESS
        assert await app.wait() == 0
    finally:
        bell.close()


def test_when_nobody_listens_the_app_is_told(place: Path) -> None:
    bell = Doorbell(place)
    environment = {"BROWSER": bell.browser, "PATH": ""}
    done = subprocess.run([sys.executable, "-c", OPEN], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "does not listen" in done.stderr
    bell.close()
