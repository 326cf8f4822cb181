"""What make says to a person: its help, and what is missing on the machine and how to get it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def make(*arguments: str, folder: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=folder, env=clean | environment, capture_output=True, text=True, check=False)


@pytest.fixture
def empty_project(tmp_path: Path) -> Path:
    """The Makefile and what it reads, and nothing installed."""
    for name in ("Makefile", "pyproject.toml", "uv.lock"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    return tmp_path


def test_help_names_every_target_that_is_for_people() -> None:
    phony = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    assert phony
    inner = {"help", "browser", "js-client", "compiled", "python"}
    assert set(re.findall(r"^make (\S+)", make().stdout, re.MULTILINE)) == set(phony[1].split()) - inner


def test_no_new_enough_python_is_said_in_one_line(empty_project: Path) -> None:
    done = make("demo", "PYTHON=", folder=empty_project)
    assert done.returncode != 0
    assert "Python 3.11 or newer is needed" in done.stderr
    assert "make PYTHON=/path/to/python3" in done.stderr
    assert not (empty_project / ".venv").exists()


def test_cleaning_where_nothing_ran_installs_nothing(empty_project: Path) -> None:
    done = make("demo-clean", folder=empty_project)
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing to remove" in done.stdout
    assert not (empty_project / ".venv").exists()


def test_missing_programs_are_named_with_the_command_that_installs_them(tmp_path: Path) -> None:
    for name in ("id", "tr"):  # all that the script needs; neither apt-get nor a browser can be found
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    command = ["/bin/sh", str(ROOT / "tools" / "test_programs.sh")]
    done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "sudo apt-get install dbus chromium fonts-liberation" in done.stderr


def test_programs_that_are_there_are_not_spoken_of(tmp_path: Path) -> None:
    for name in ("id", "tr"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    for name in ("dbus-daemon", "google-chrome"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    command = ["/bin/sh", str(ROOT / "tools" / "test_programs.sh")]
    done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
