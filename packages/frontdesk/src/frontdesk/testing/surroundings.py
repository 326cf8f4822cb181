"""What an app finds around it when a desk in memory runs it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from frontdesk.app.surroundings import Greeting, Surroundings
from frontdesk.errors import DeskUnavailable
from frontdesk.testing.process import Process


class Place(Protocol):
    """The desk in memory, as an app meets it."""

    def time(self) -> float: ...

    def monotonic(self) -> float: ...

    def take_lock(self, app: str) -> Callable[[], None] | None: ...

    async def reach(
        self, process: Process, greeting: Greeting, protocol: Callable[[], asyncio.Protocol]
    ) -> asyncio.WriteTransport: ...


class InMemory(Surroundings):
    """No file, no socket, no signal; the test's clock."""

    def __init__(self, place: Place, process: Process) -> None:
        self._place = place
        self._process = process

    def launch_token(self) -> str:
        return self._process.token

    def take_lock(self, app: str) -> Callable[[], None] | None:
        unlock = self._place.take_lock(app)
        if unlock is not None:
            self._process.at_end.append(unlock)
        return unlock

    def desk_socket(self) -> Path:
        return Path("the desk in memory")

    async def reach_desk(
        self, path: Path, greeting: Greeting, protocol: Callable[[], asyncio.Protocol]
    ) -> asyncio.WriteTransport:
        return await self._place.reach(self._process, greeting, protocol)

    def start_desk(self) -> None:
        raise DeskUnavailable("The desk in memory is gone, and nobody else starts one. The test has it come back.")

    def time(self) -> float:
        return self._place.time()

    def monotonic(self) -> float:
        return self._place.monotonic()

    @contextmanager
    def asked_to_leave(self, leave: Callable[[], None]) -> Iterator[None]:
        """The signals of the test's process are the test's."""
        yield
