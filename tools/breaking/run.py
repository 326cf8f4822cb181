"""Runs tests with one module of frontdesk as the source on standard input says: MODULE TESTS."""

import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest


class Broken(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the one module that is broken, and gives it the source that it was made with."""

    def __init__(self, module: str, source: str) -> None:
        self._module = module
        self._source = source

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(name, self) if name == self._module else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._source, f"<broken {self._module}>", "exec"), module.__dict__)


if __name__ == "__main__":
    # The same examples each time: a break that is noticed today is noticed tomorrow.
    os.environ["CI"] = "true"
    sys.meta_path.insert(0, Broken(sys.argv[1], sys.stdin.read()))
    sys.exit(pytest.main(["-x", "-q", "--no-header", "-p", "no:cacheprovider", *sys.argv[2:]]))
