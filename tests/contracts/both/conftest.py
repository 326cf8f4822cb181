"""Each test of this folder runs on the desk in memory and on a real one, which they share: an app for each test."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from frontdesk.testing import InMemoryDesk
from tests.contracts.both.ground import LIMITS, Ground, MemoryGround, RealGround
from tests.desks import GOOD, DeskHome, desk_home

WAYS = ("completes", "waits", "forgets", "unguarded", "fails")
"""How a puppet does a scheduled task; its tasks are called by that."""

_apps = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[DeskHome]:
    """A real desk, until the last test of the file is over."""
    async with desk_home() as home:
        home.settings("", **LIMITS)
        await home.start()
        yield home


@pytest_asyncio.fixture(loop_scope="module", params=["memory", "real"])
async def ground(request: pytest.FixtureRequest, shared: DeskHome, tmp_path: Path) -> AsyncIterator[Ground]:
    """A machine on which everything may run, and an app whose tasks are called like the way they are done."""
    app = f"org.example.Puppet{next(_apps)}"
    tasks = {f"{app}.{way}": way for way in WAYS}
    tasks |= {f"{app}.more{number}": "waits" for number in range(4)}
    if request.param == "memory":
        async with InMemoryDesk(limits=LIMITS) as desk:
            memory = MemoryGround(desk, app, tmp_path)
            await memory.install(tasks)
            for condition, value in GOOD.items():
                await memory.condition(condition, value)
            yield memory
        return
    real = RealGround(shared, app)
    await real.install(tasks)
    for condition, value in GOOD.items():
        await real.condition(condition, value)
    yield real
    await shared.says_why_tasks_wait()
    await shared.control.remove_app(app)
