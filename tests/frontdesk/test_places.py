"""Where things lie, and the sentence for a person when they cannot."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from frontdesk import places
from frontdesk.app.one_process import take_lock
from frontdesk.errors import FrontdeskError

FOLDERS = (places.state_folder, places.config_folder, places.runtime_folder)


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FRONTDESK_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_the_folders_of_the_base_directories_or_those_below_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert places.config_folder() == tmp_path / ".config" / "frontdesk"
    assert places.state_folder() == tmp_path / ".local" / "state" / "frontdesk"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "told"))
    assert places.config_folder() == tmp_path / "told" / "frontdesk"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert places.config_folder() == tmp_path / ".config" / "frontdesk"
    monkeypatch.setenv("FRONTDESK_HOME", str(tmp_path / "own"))
    assert [folder() for folder in FOLDERS] == [tmp_path / "own" / name for name in ("state", "config", "run")]


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_that_cannot_be_made_is_said(
    folder: Callable[[], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FRONTDESK_HOME", str(tmp_path / "file"))
    with pytest.raises(FrontdeskError, match=r"cannot be made \(Not a directory\).*FRONTDESK_HOME"):
        folder()


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_relative_home_would_mean_another_folder_to_the_desk(
    folder: Callable[[], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRONTDESK_HOME", "mine")
    with pytest.raises(FrontdeskError, match="begins with /"):
        folder()
    assert os.listdir(tmp_path) == []


def test_nobody_without_a_home_sees_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    with pytest.raises(FrontdeskError, match="Set HOME"):
        places.config_folder()


def test_an_app_whose_lock_cannot_be_made_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONTDESK_HOME", str(tmp_path))
    (places.runtime_folder() / "apps").touch()
    with pytest.raises(FrontdeskError, match=r"org\.example\.app\.lock cannot be made"):
        take_lock("org.example.app")
