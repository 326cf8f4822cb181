"""What an app finds around it when a desk in memory runs it."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from frontdesk.app.surroundings import Greeting, Surroundings
from frontdesk.errors import DeskUnavailable
from frontdesk.testing.process import Process

Reach = Callable[[Process, Greeting, Callable[[], asyncio.Protocol]], Awaitable[asyncio.WriteTransport]]


class InMemory(Surroundings):
    """No file, no socket, no signal; the test's clock. ``locks``: the apps of which a process runs."""

    def __init__(
        self,
        process: Process,
        reach: Reach,
        locks: set[str],
        time: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._process = process
        self._reach = reach
        self._locks = locks
        self._time = time
        self._monotonic = monotonic

    def launch_token(self) -> str:
        return self._process.token

    def take_lock(self, app: str) -> Callable[[], None] | None:
        if app in self._locks:
            return None
        self._locks.add(app)
        unlock = functools.partial(self._locks.discard, app)
        self._process.at_end.append(unlock)
        return unlock

    def desk_socket(self) -> Path:
        return Path("the desk in memory")

    async def reach_desk(
        self, path: Path, greeting: Greeting, protocol: Callable[[], asyncio.Protocol]
    ) -> asyncio.WriteTransport:
        return await self._reach(self._process, greeting, protocol)

    def start_desk(self) -> None:
        raise DeskUnavailable("The desk in memory is gone, and nobody else starts one. The test has it come back.")

    def time(self) -> float:
        return self._time()

    def monotonic(self) -> float:
        return self._monotonic()

    @contextmanager
    def asked_to_leave(self, leave: Callable[[], None]) -> Iterator[None]:
        """The signals of the test's process are the test's."""
        yield
