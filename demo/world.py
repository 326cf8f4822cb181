"""Everything that the demo and the tour run on: a homeserver, a push service, and Left's and Right's machine."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from demo.folder import Folder
from demo.machine import Machine
from demo.processes import Program
from demo.push_service import PushService
from demo.synapse import Synapse
from demo.tour.window import opened

PASSWORD = "demo"
"""Of both accounts; they exist on loopback only."""

Told = Callable[[str, float], None]
"""Is told what is ready, and after how many seconds."""


class World:
    """The parts, running. `chat` is the room in which Left and Right talk."""

    def __init__(self, folder: Path, stage: str, limits: Mapping[str, float], session_buses: Mapping[str, str]) -> None:
        self.folder = folder
        self.synapse = Synapse(folder / "synapse")
        self.push = PushService(folder / "push")
        self.left, self.right = (
            Machine(person, folder / person.lower(), stage, limits, session_buses.get(person, ""))
            for person in ("Left", "Right")
        )
        self.chat = ""

    @property
    def programs(self) -> list[Program]:
        """The child processes that run; each ends what it has started itself."""
        parts = (self.synapse.program, self.push.program, self.left.keeper, self.right.keeper)
        return [program for program in parts if program is not None and program.running]

    @property
    def machines(self) -> tuple[Machine, Machine]:
        return self.left, self.right


@asynccontextmanager
async def running(
    folder: Folder, stage: str, limits: Mapping[str, float], told: Told, session_buses: Mapping[str, str] | None = None
) -> AsyncIterator[World]:
    """A world for as long as the block lasts; whatever was started is stopped, also when the start is broken off.

    `stage` is the origin whose pages show Lobby's, empty where nobody looks. `session_buses`: D-Bus addresses of
    desktops, by person; none: nobody has one. DemoError when a part does not start.
    """
    world = World(folder.path, stage, limits, session_buses or {})
    async with AsyncExitStack() as stops:
        stops.push_async_callback(_stop_all, world)
        homeserver_port, push_port = world.synapse.choose_port(), world.push.choose_port()
        await together(
            *(
                _timed(f"{machine.person}’s desk", machine.start(homeserver_port, push_port), told)
                for machine in world.machines
            ),
            _timed("Push service", world.push.start(), told),
            _timed("Synapse", world.synapse.start(), told),
        )
        for program in world.programs:
            folder.note(program.pid)
        await together(
            *(_timed(f"{machine.person}’s Lobby", _lobby(world, machine), told) for machine in world.machines)
        )
        await _timed("Their chat", _chat(world), told)
        yield world


async def _timed(what: str, work: Coroutine[None, None, None], told: Told) -> None:
    before = time.monotonic()
    await work
    told(what, time.monotonic() - before)


async def _lobby(world: World, machine: Machine) -> None:
    """An account, Lobby logged in to it, and Lobby running."""
    await world.synapse.register(machine.user, PASSWORD, machine.person)
    await machine.log_in(PASSWORD)
    await machine.lobby()


async def _chat(world: World) -> None:
    """Left and Right in one chat; found again where there is one."""
    note = world.folder / "chat"
    if note.exists():
        world.chat = note.read_text().strip()
        return
    world.chat = await acquaint(world.left, world.right, world.synapse.user_id("right"))
    note.write_text(world.chat)


async def acquaint(one: Machine, other: Machine, whom: str) -> str:
    """A chat of the people at both machines, made as people make it; `whom`: the other's user id. Gives its room id."""
    addresses = await asyncio.gather(one.page_address(), other.page_address())
    async with opened(addresses[0]) as here, opened(addresses[1]) as there:
        chat = await here.start_chat(whom)
        await there.until(lambda window: chat in window.invitations, f"{one.person}’s invitation")
        await there.accept(chat)
        await there.until(lambda window: chat in window.chats, "the accepted chat")
    return chat


async def report_ends(world: World, say: Callable[[str], None]) -> None:
    """Says so when a part ends by itself; the others go on. Runs until it is cancelled."""

    async def one(program: Program) -> None:
        status = await program.ended()
        say(
            f"{program.name} has ended (status {status}). Accounts and history are kept; stop the demo with Ctrl-C "
            f"and start it again. Its log: {program.log}"
        )

    async with asyncio.TaskGroup() as all_parts:
        for program in world.programs:
            all_parts.create_task(one(program))


async def together(*works: Coroutine[None, None, None]) -> None:
    """Does all of them at once. The first that fails ends the others, and its own error is what is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None


async def _stop_all(world: World) -> None:
    """Machines first: their goodbyes to homeserver and push service should still arrive. None stops another's stop."""
    failed = await asyncio.gather(*(machine.stop() for machine in world.machines), return_exceptions=True)
    failed += await asyncio.gather(world.push.stop(), world.synapse.stop(), return_exceptions=True)
    for error in failed:
        if error is not None:
            raise error
