"""Plays cells of the matrix, as many as go well in one world, and says of each how it ended."""

import asyncio
import dataclasses
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

from demo import world
from demo.errors import DemoError
from demo.folder import Folder
from demo.kills import plan
from demo.kills.desktop import Desktop
from demo.kills.killer import Killer
from demo.kills.person import Person
from demo.kills.plan import Blow, Cell, Victim
from demo.kills.spectator import Spectator, processes_of, visitors_waiting
from demo.kills.stories import STORIES, Play, all_is_well
from demo.kills.verdict import Ending, ended_badly, faults, left_over, strays, unheard
from demo.machine import LOBBY
from demo.tour import forgetful_app
from demo.tour.page import Message
from demo.tour.tour import LIMITS
from demo.tour.witness import Witness
from frontdesk import AppState, FrontdeskError

CELL_PATIENCE = 150.0
"""Seconds after which a cell has failed whatever it waits for."""

_SETTLED_WITHIN = 10.0


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a cell ended; no `wrong`: well."""

    cell: Cell
    blow: Blow
    seconds: float
    wrong: tuple[str, ...]


async def play(cells: Sequence[Cell], seed: int, folder: Path, told: Callable[[Outcome], None]) -> list[Outcome]:
    """Plays the cells in their order, in worlds under `folder`; one that went wrong leaves its world there, stopped."""
    outcomes: list[Outcome] = []
    waiting = list(cells)
    number = 0
    while waiting:
        number += 1
        place = folder / f"world{number}"
        with Folder(place) as held:
            async with AsyncExitStack() as stops:
                desktops = {
                    person: await stops.enter_async_context(Desktop(person, place / f"{person.lower()}-desktop"))
                    for person in ("Left", "Right")
                }
                buses = {person: desktop.address for person, desktop in desktops.items()}
                stand = await stops.enter_async_context(world.running(held, "", LIMITS, lambda what, took: None, buses))
                observer = await stops.enter_async_context(Witness(stand.synapse.url, "right", world.PASSWORD))
                stage = _Stage(stand, desktops, observer)
                while waiting:
                    outcome = await _play(stage, waiting.pop(0), seed)
                    for pid in [program.pid for program in stand.programs] + [
                        await machine.keeper_pid() for machine in stand.machines
                    ]:
                        held.note(pid)
                    outcomes.append(outcome)
                    told(outcome)
                    if outcome.wrong:
                        break
        if not outcomes[-1].wrong:
            shutil.rmtree(place, ignore_errors=True)
    return outcomes


@dataclasses.dataclass
class _Stage:
    """What cells are played on, one after the other, as long as they end well."""

    stand: world.World
    desktops: dict[str, Desktop]
    observer: Witness
    said: list[str] = dataclasses.field(default_factory=list)
    """All that Left's Lobby took so far."""


async def _play(stage: _Stage, cell: Cell, seed: int) -> Outcome:
    blow = plan.blow(cell, seed)
    before = time.monotonic()
    try:
        async with asyncio.timeout(CELL_PATIENCE):
            wrong = await _wrong(stage, cell, blow)
    except TimeoutError:
        wrong = [f"Not over after {CELL_PATIENCE:g} s."]
    except (DemoError, FrontdeskError, aiohttp.ClientError, OSError) as reason:
        wrong = [str(reason) or repr(reason)]
    return Outcome(cell, blow, time.monotonic() - before, tuple(wrong))


async def _wrong(stage: _Stage, cell: Cell, blow: Blow) -> list[str]:
    stand, observer = stage.stand, stage.observer
    async with AsyncExitStack() as stops:
        spectators = {machine.user: await stops.enter_async_context(Spectator(machine)) for machine in stand.machines}
        left, right = (Person(machine, stand.chat) for machine in stand.machines)
        for person in (left, right):
            stops.push_async_callback(person.leaves)
        app = forgetful_app.APP_ID if cell.number == 6 and cell.victim is Victim.LOBBY else LOBBY
        killer = Killer(stand, spectators, blow, app)
        stops.push_async_callback(killer.stop)
        sender = stand.synapse.user_id("left")
        had = await observer.sent(stand.chat, sender)
        put_up = {person: len(desktop.bubbles) for person, desktop in stage.desktops.items()}
        scene = Play(left, right, spectators, stage.desktops, killer, str(cell), LIMITS["suspended"])
        await STORIES[cell.number - 1](scene)
        await all_is_well(scene)
        ending = Ending(
            accepted=tuple(left.accepted),
            at_homeserver=len((await observer.sent(stand.chat, sender)).keys() - had.keys()),
            windows={"Left": await _shown(left), "Right": await _shown(right)},
            showings={"Left": scene.on_left.showings(scene.began), "Right": scene.on_right.showings(scene.began)},
            bubbles={person: desktop.bubbles[put_up[person] :] for person, desktop in stage.desktops.items()},
            stalls={person.machine.person: person.stalls for person in (left, right)},
            said_before=tuple(stage.said),
        )
        stage.said += left.accepted
        return faults(ending) + await _in_rest(scene, stage.desktops)


async def _shown(person: Person) -> list[Message]:
    return (await person.looks()).messages


async def _in_rest(scene: Play, desktops: Mapping[str, Desktop]) -> list[str]:
    """Both windows are closed: what is wrong once both Lobbies sleep."""
    for person in (scene.left, scene.right):
        await person.leaves()
    for spectator in (scene.on_left, scene.on_right):
        await spectator.lobby(AppState.SUSPENDED, AppState.STOPPED)
    deadline = time.monotonic() + _SETTLED_WITHIN
    while True:
        found = _restless(scene, desktops)
        if not found or time.monotonic() > deadline:
            return found + await _runs_that_ended_badly(scene)
        await asyncio.sleep(0.2)  # The kernel tells nobody that a process was frozen.


def _restless(scene: Play, desktops: Mapping[str, Desktop]) -> list[str]:
    found = []
    for spectator in (scene.on_left, scene.on_right):
        machine = spectator.machine
        rows = spectator.last.apps if spectator.last is not None else ()
        asleep = {row.pid for row in rows if row.state is AppState.SUSPENDED}
        awake = {row.pid for row in rows if row.state not in (AppState.SUSPENDED, AppState.STOPPED)}
        found += strays(machine.person, processes_of(machine.folder), asleep, awake)
        found += unheard(machine.person, rows, visitors_waiting())
        found += left_over(machine.person, desktops[machine.person].stands, spectator.listed())
    return found


async def _runs_that_ended_badly(scene: Play) -> list[str]:
    found = []
    for spectator in (scene.on_left, scene.on_right):
        machine, blow = spectator.machine, scene.killer.blow
        hit = blow.person == machine.user
        if hit and blow.victim is Victim.LOBBY:
            continue
        async with machine.desk() as desk:
            receipts = [receipt for receipt in await desk.receipts(LOBBY) if receipt.at >= scene.began]
        found += ended_badly(machine.person, receipts, keeper_died=hit and blow.victim is Victim.KEEPER)
    return found
