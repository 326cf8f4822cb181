"""Errands: work that is worth a try now, and of which nothing is lost when it fails, as another occasion comes."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("lobby")


class Errands:
    """Those under way. ``expected``: errors after which the next occasion will do; each is logged at ``level``."""

    def __init__(self, *expected: type[Exception], level: int) -> None:
        self._expected = expected
        self._level = level
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin one."""
        task = asyncio.create_task(self._run(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def finish(self, patience: float) -> None:
        """Give all of them ``patience`` seconds, then break them off."""
        await self.wait(patience)
        await self.drop()

    async def wait(self, patience: float) -> None:
        """Give all of them ``patience`` seconds; those that need longer go on."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=patience)

    async def drop(self) -> None:
        """Break all of them off."""
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _run(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except self._expected as error:
            log.log(self._level, "%s", error)
