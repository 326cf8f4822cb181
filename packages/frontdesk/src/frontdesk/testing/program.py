"""The program that a manifest names, loaded anew for each run: as fresh as a new process has it."""

import importlib.util
import itertools
import sys
from pathlib import Path
from typing import Any

from frontdesk.testing.process import Main

_loads = itertools.count(1)


def main_of(file: Path) -> Main:
    """Loads ``file`` whenever it is called, and runs the coroutine function ``main`` that it defines.

    What it imports is shared with the test; only the file itself begins anew.
    """

    async def main() -> object:
        name = f"{file.stem}_run_{next(_loads)}"
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise ImportError(f"{file} is no Python file.")
        program = importlib.util.module_from_spec(spec)
        sys.modules[name] = program
        sys.path.insert(0, str(file.parent))
        try:
            spec.loader.exec_module(program)
            run: Any = getattr(program, "main", None)
            if run is None:
                raise AttributeError(f"{file} defines no main(): hand install() the coroutine function that is run.")
            return await run()
        finally:
            sys.path.remove(str(file.parent))
            del sys.modules[name]

    return main
