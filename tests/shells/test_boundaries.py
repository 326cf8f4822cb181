"""The rules of the code are held by machine: each bites when it is broken."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = (ROOT / "packages" / "frontdesk" / "src", ROOT / "packages" / "lobby" / "src")
PURE = [folder for source in SOURCES for name in ("core", "wire") for folder in sorted(source.rglob(name))]


def test_every_core_and_wire_folder_bans_clocks_and_dice() -> None:
    assert [folder.name for folder in PURE] == ["core", "core", "core", "wire", "core"]
    bans = {(folder / "ruff.toml").read_text().partition("banned-api]")[2] for folder in PURE}
    assert len(bans) == 1  # the same list in all


@pytest.mark.parametrize("folder", PURE, ids=lambda folder: str(folder.relative_to(ROOT / "packages")))
@pytest.mark.parametrize(
    "code",
    [
        "import time\n\nprint(time.monotonic())\n",
        "from random import choice\n\nprint(choice([1]))\n",
        "import secrets\n\nprint(secrets.token_bytes())\n",
        "import os\n\nprint(os.urandom(8))\n",
        "import datetime\n\nprint(datetime.datetime.now(datetime.UTC))\n",
        "from datetime import date\n\nprint(date.today())\n",
        "import uuid\n\nprint(uuid.uuid4())\n",
    ],
    ids=lambda code: code.partition("\n")[0],
)
def test_a_clock_or_dice_in_a_pure_folder_is_an_error(folder: Path, code: str) -> None:
    ruff = Path(sys.executable).with_name("ruff")
    command = [
        str(ruff),
        "check",
        "--select",
        "TID251",
        "--no-cache",
        "--stdin-filename",
        str(folder / "invented.py"),
        "-",
    ]
    done = subprocess.run(command, input=code, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "handed in" in done.stdout


def test_shells_may_read_the_clock() -> None:
    ruff = Path(sys.executable).with_name("ruff")
    place = SOURCES[0] / "frontdesk" / "agent" / "shell" / "invented.py"
    command = [str(ruff), "check", "--select", "TID251", "--no-cache", "--stdin-filename", str(place), "-"]
    done = subprocess.run(command, input="import time\n\nprint(time.time())\n", cwd=ROOT, text=True, check=False)
    assert done.returncode == 0


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, for breaking rules in."""
    folder = tmp_path_factory.mktemp("copied")
    for source in SOURCES:
        shutil.copytree(source, folder / "src", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", folder)
    return folder


@pytest.mark.parametrize(
    ("at", "line", "contract"),
    [
        ("frontdesk/terms.py", "import frontdesk.errors", "Imports of frontdesk point down"),
        ("frontdesk/wire/invented.py", "import frontdesk.app", "Imports of frontdesk point down"),
        ("frontdesk/app/invented.py", "import frontdesk.agent", "Imports of frontdesk point down"),
        ("frontdesk/push/invented.py", "import frontdesk.agent.core", "Imports of frontdesk point down"),
        ("frontdesk/agent/core/invented.py", "import frontdesk.agent.shell", "Inside the desk and the push service"),
        ("frontdesk/push/core/invented.py", "import frontdesk.push.shell", "Inside the desk and the push service"),
        ("frontdesk/dashboard/core/invented.py", "import frontdesk.dashboard.page", "Inside the dashboard"),
        ("frontdesk/dashboard/core/invented.py", "import socket", "core and wire do no I/O"),
        ("frontdesk/app/invented.py", "import frontdesk.dashboard", "Imports of frontdesk point down"),
        ("lobby/core/invented.py", "import lobby.ui", "Inside Lobby"),
        ("frontdesk/agent/core/invented.py", "import socket", "core and wire do no I/O"),
        ("frontdesk/push/core/invented.py", "import sqlite3", "core and wire do no I/O"),
        ("frontdesk/wire/invented.py", "import asyncio", "core and wire do no I/O"),
        ("lobby/core/invented.py", "import aiohttp", "core and wire do no I/O"),
        ("frontdesk/agent/core/invented.py", "import frontdesk.places", "core and wire do no I/O"),
        ("frontdesk/app/invented.py", "import aiohttp", "What an app imports is light"),
        ("lobby/ui/invented.py", "import frontdesk", "Lobby imports frontdesk in one file"),
        ("lobby/background.py", "import frontdesk.terms", "Lobby imports only the public names"),
        ("frontdesk/app/invented.py", "import lobby", "frontdesk knows nothing of Lobby"),
    ],
    ids=lambda value: value.replace("/", "."),
)
def test_an_import_against_the_rules_is_an_error(copied: Path, at: str, line: str, contract: str) -> None:
    place = copied / "src" / at
    before = place.read_text() if place.exists() else None
    place.write_text((before or "") + f"\n{line}\n")
    try:
        command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
        environment = {**os.environ, "PYTHONPATH": str(copied / "src")}
        done = subprocess.run(command, cwd=copied, env=environment, capture_output=True, text=True, check=False)
    finally:
        if before is None:
            place.unlink()
        else:
            place.write_text(before)
    assert done.returncode == 1
    broken = [row for row in done.stdout.splitlines() if " BROKEN" in row]
    assert any(row.startswith(contract) for row in broken), done.stdout
