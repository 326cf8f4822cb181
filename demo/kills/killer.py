"""Deals the blow of a cell when the story has come to its moment, and starts again what nobody else would."""

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import Awaitable, Callable

from demo.errors import DemoError
from demo.kills.plan import Blow, Victim
from demo.kills.spectator import PATIENCE, Spectator, processes_of
from demo.kills.verdict import keeper_of
from demo.machine import LOBBY, Machine, app_of
from demo.processes import Program, gone
from demo.world import World
from frontdesk import DeskStatus

_STARTING = 0.3
"""A victim that has no process at its moment dies within so many seconds of its next launch."""


class Killer:
    """`spectators` by the lower-case name of the person. `dealt`: what was done, for the report; empty: nothing yet."""

    def __init__(self, world: World, spectators: dict[str, Spectator], blow: Blow, app: str = LOBBY) -> None:
        self.dealt = ""
        self.blow = blow
        self._world = world
        self._spectators = spectators
        self._app = app
        self._dice = random.Random(str(blow))
        self._dealing: asyncio.Task[None] | None = None
        self._struck = asyncio.Event()

    def moment(self, name: str) -> None:
        """The story has come to this point; the blow falls from here on, if this is its moment."""
        if name == self.blow.moment and self._dealing is None:
            self._dealing = asyncio.create_task(self._deal())

    async def struck(self, patience: float) -> None:
        """Waits until the victim has died, for `patience` seconds at most: one that does not run dies of a launch."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._struck.wait(), patience)

    async def over(self) -> None:
        """Waits until the victim has died and was started again. DemoError when the story never came to the moment."""
        if self._dealing is None:
            raise DemoError(f"The story never came to “{self.blow.moment}”.")
        await self._dealing

    async def stop(self) -> None:
        """Breaks off what is not over."""
        if self._dealing is not None:
            self._dealing.cancel()
            await asyncio.gather(self._dealing, return_exceptions=True)

    async def _deal(self) -> None:
        await asyncio.sleep(self.blow.delay)
        match self.blow.victim:
            case Victim.PUSH:
                await self._kill_program(self._world.push.program, self._world.push.start)
            case Victim.SYNAPSE:
                await self._kill_program(self._world.synapse.program, self._world.synapse.start)
            case Victim.KEEPER:
                await self._kill_keeper(self._spectator.machine)
            case Victim.DESK:
                self._kill((await self._spectator.until(lambda status: status.pid > 0, "a desk")).pid)
            case Victim.LOBBY:
                await self._kill_app()

    async def _kill_app(self) -> None:
        def runs(status: DeskStatus) -> bool:
            return app_of(status, self._app).pid > 0

        last = self._spectator.last
        if last is None or not runs(last):
            await self._spectator.until(runs, f"a process of {self._app}", 2 * PATIENCE)
            await asyncio.sleep(self._dice.uniform(0.0, _STARTING))
        self._kill(app_of(await self._spectator.until(runs, f"a process of {self._app}"), self._app).pid)

    async def _kill_keeper(self, machine: Machine) -> None:
        # Not by way of its desk: that one may be dead at this very moment, and a process that is gone has no parent.
        keeper = keeper_of(processes_of(machine.folder))
        if not keeper:
            raise DemoError(f"{machine.person} has no keeper that could be killed.")
        self._kill(keeper)
        await gone(keeper, PATIENCE)
        await asyncio.sleep(self.blow.away)
        await machine.start_desk()

    async def _kill_program(self, program: Program | None, start: Callable[[], Awaitable[None]]) -> None:
        assert program is not None, "the world runs"
        self._kill(program.pid)
        await program.ended()
        await asyncio.sleep(self.blow.away)
        await start()

    def _kill(self, pid: int) -> None:
        # One that ends in this very moment by itself is as dead.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        self.dealt = f"process {pid} was killed"
        self._struck.set()

    @property
    def _spectator(self) -> Spectator:
        return self._spectators[self.blow.person]
