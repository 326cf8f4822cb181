"""The demo's folder: one demo at a time, and programs of a killed demo are stopped by the next one."""

import os
import subprocess
from pathlib import Path

import pytest

from demo.errors import DemoError
from demo.folder import Folder, clean


def test_a_second_demo_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with Folder(tmp_path), pytest.raises(DemoError, match=f"already running .*process {os.getpid()}"), Folder(tmp_path):
        pytest.fail("two demos in one folder")


def test_the_folder_is_free_again_after_the_demo(tmp_path: Path) -> None:
    with Folder(tmp_path):
        pass
    with Folder(tmp_path):
        pass


def test_clean_refuses_while_a_demo_runs(tmp_path: Path) -> None:
    (tmp_path / "history").touch()
    with Folder(tmp_path), pytest.raises(DemoError):
        clean(tmp_path)
    assert (tmp_path / "history").exists()
    assert clean(tmp_path)
    assert not tmp_path.exists()
    assert not clean(tmp_path)


def test_what_a_killed_demo_left_is_stopped_and_nothing_else(tmp_path: Path) -> None:
    left_over, stranger = (subprocess.Popen(["sleep", "60"]) for _ in range(2))
    try:
        held = Folder(tmp_path)
        held.__enter__()
        held.note(left_over.pid)
        notes = (tmp_path / "programs.json").read_text()
        held.__exit__(None, None, None)
        # As if the demo had been killed; and the stranger's number was another process's when it was noted.
        (tmp_path / "programs.json").write_text(notes.replace("}", f', "{stranger.pid}": "1"}}'))
        with Folder(tmp_path):
            assert left_over.wait(5) < 0
            assert stranger.poll() is None
    finally:
        for process in (left_over, stranger):
            process.kill()
            process.wait()
