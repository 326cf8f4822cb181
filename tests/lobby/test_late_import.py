"""Slow imports go beside the event loop, and never two of them at once."""

import asyncio
import sys
import time
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from lobby.late_import import imported


class _SlowLoader(SourceFileLoader):
    """So slow over a package that whoever wants a part of it has come before the package is known to be there."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        time.sleep(0.3)
        return None


class _SlowPackage(MetaPathFinder):
    def __init__(self, file: Path) -> None:
        self._file = file

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != self._file.parent.name:
            return None
        return spec_from_file_location(name, self._file, loader=_SlowLoader(name, str(self._file)))


async def test_a_package_and_a_part_of_it_are_wanted_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As nio and nio.crypto are: let in both, each waits for what the other holds, and Python fails one of them."""
    (tmp_path / "lingering").mkdir()
    package_file = tmp_path / "lingering" / "__init__.py"
    package_file.write_text("import lingering.part\n")
    (tmp_path / "lingering" / "part.py").touch()
    monkeypatch.setattr(sys, "meta_path", [_SlowPackage(package_file), *sys.meta_path])
    package, part = await asyncio.gather(imported("lingering"), imported("lingering.part"))
    assert (package.__name__, part.__name__) == ("lingering", "lingering.part")
    for name in ("lingering.part", "lingering"):
        del sys.modules[name]


async def test_a_module_that_is_not_there_is_an_import_error() -> None:
    with pytest.raises(ImportError, match=r"lobby\.nothing_of_this_name"):
        await imported("lobby.nothing_of_this_name")
