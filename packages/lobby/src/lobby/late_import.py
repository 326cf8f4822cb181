"""Imports what is too slow to import before the page is served: beside the event loop, one after the other."""

import asyncio
import importlib
import threading
from types import ModuleType

_one_at_a_time = threading.Lock()
"""A thread in a package and one that came for a part of it wait for each other: Python then fails one of them."""


async def imported(name: str) -> ModuleType:
    """The module of that name, imported in a thread unless it is there. Raises ImportError."""
    return await asyncio.to_thread(_imported, name)


def _imported(name: str) -> ModuleType:
    with _one_at_a_time:
        return importlib.import_module(name)
