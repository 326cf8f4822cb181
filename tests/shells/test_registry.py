"""The registered apps as files: added, replaced, removed, unusable ones named, nothing half written."""

import os
from pathlib import Path

import pytest

from frontdesk.agent.shell.registry import Registry
from frontdesk.errors import FrontdeskError, ManifestError
from tests.full_disk import no_room

PYTHON = "/usr/bin/python3"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FRONTDESK_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def manifest(folder: Path, name: str = "Notes", command: str = '["python3", "./notes.py"]') -> Path:
    file = folder / "notes.toml"
    file.write_text(f'id = "org.example.notes"\nname = "{name}"\ncommand = {command}\n')
    return file


def test_added_replaced_loaded_again_and_removed(home: Path, tmp_path: Path) -> None:
    added = Registry().add(manifest(tmp_path), PYTHON)
    assert added.command == (PYTHON, str(tmp_path / "notes.py"))
    assert Registry().load() == ([added], [])
    changed = Registry().add(manifest(tmp_path, "Better notes"), PYTHON)
    assert Registry().load() == ([changed], []) and changed.name == "Better notes"
    Registry().remove(added.id)
    Registry().remove(added.id)  # what is gone need not be removed
    assert Registry().load() == ([], [])


def test_reading_registers_nothing(home: Path, tmp_path: Path) -> None:
    Registry().read(manifest(tmp_path), PYTHON)
    assert Registry().load() == ([], [])


def test_an_unusable_entry_is_named_and_the_others_are_loaded(home: Path, tmp_path: Path) -> None:
    added = Registry().add(manifest(tmp_path), PYTHON)
    folder = home / "config" / "apps"
    for name, content in (("a", b"{"), ("b", b"\xff\xfe"), ("c", b'{"id": 3}')):
        (folder / f"org.example.{name}.json").write_bytes(content)
    (folder / "org.example.d.json").mkdir()
    manifests, troubles = Registry().load()
    assert manifests == [added]
    assert len(troubles) == 4
    assert all("cannot be used" in each and "frontdesk apps add" in each for each in troubles)


def test_a_folder_or_an_entry_in_the_way_is_said(home: Path, tmp_path: Path) -> None:
    added = Registry().add(manifest(tmp_path), PYTHON)
    entry = home / "config" / "apps" / f"{added.id}.json"
    entry.unlink()
    entry.mkdir()
    with pytest.raises(FrontdeskError, match="cannot be removed"):
        Registry().remove(added.id)
    (_, (trouble,)) = Registry().load()
    assert trouble.count(str(entry)) == 1 and "Errno" not in trouble
    entry.rmdir()
    entry.parent.rmdir()
    entry.parent.touch()
    with pytest.raises(FrontdeskError, match="cannot be made"):
        Registry()


def test_a_file_that_is_no_manifest_is_refused_with_the_reason(home: Path, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="cannot be read"):
        Registry().add(tmp_path / "missing.toml", PYTHON)
    with pytest.raises(ManifestError, match="cannot be read"):
        Registry().add(tmp_path, PYTHON)
    big = tmp_path / "big.toml"
    big.write_text("# " + "x" * 70_000)
    with pytest.raises(ManifestError, match="larger than"):
        Registry().add(big, PYTHON)
    with pytest.raises(ManifestError, match="command"):
        Registry().add(manifest(tmp_path, command='"notes"'), PYTHON)
    assert Registry().load() == ([], [])


def test_what_cannot_be_written_leaves_the_old_entry(home: Path, tmp_path: Path) -> None:
    added = Registry().add(manifest(tmp_path), PYTHON)
    better = manifest(tmp_path, "Better notes")
    with no_room(), pytest.raises(FrontdeskError, match="Nothing was registered"):
        Registry().add(better, PYTHON)
    assert [file.suffix for file in (home / "config" / "apps").iterdir()] == [".json"]
    assert Registry().load() == ([added], [])


@pytest.mark.contract("X02")
@pytest.mark.timeout(30)
def test_a_pipe_or_an_impossible_name_is_no_manifest_and_nobody_waits_for_it(home: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.toml"
    os.mkfifo(pipe)
    with pytest.raises(ManifestError, match="is no file"):
        Registry().read(pipe, PYTHON)
    with pytest.raises(ManifestError, match="Nothing was registered"):
        Registry().read(Path("a\0b"), PYTHON)
