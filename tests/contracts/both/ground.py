"""One test, two desks: a real one with a real process, and the one in memory. What a test does and sees is the same.

Times are as short as the real one needs; both have the same limits. The person's machine is as the test says, by
``frontdesk simulate condition``.
"""

import asyncio
import contextvars
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec

import frontdesk
from frontdesk import (
    AppState,
    AppStatus,
    Condition,
    ExistingWork,
    Explanation,
    Obstacle,
    Receipt,
    TaskReceipt,
    TaskRequest,
)
from frontdesk.testing import InMemoryDesk
from tests.apps.puppet import Puppet
from tests.desks import MODES, PATIENCE, DeskHome, Heard, row_of

LIMITS = {
    "background": 2.0,
    "push": 2.0,
    "expiry_lead": 1.0,
    "refresh": 2.5,
    "processing": 2.0,
    "most_tasks": 4,
    "retry_first": 0.2,
    "budget_burst": 20.0,
    "pending_processing": 3,
}
"""Of both desks: seconds and counts."""


class Player(Protocol):
    """One run of the app: what it hears, and orders for it (``tests.apps.puppet``)."""

    first: Heard
    """``started``, with what it was told of earlier runs."""

    async def hears(self, what: str) -> Heard: ...

    def count(self, what: str) -> int: ...

    async def do(self, what: str, **more: Any) -> Any: ...

    async def fails(self, what: str, **more: Any) -> Heard: ...

    def order(self, what: str, **more: Any) -> int: ...


class Ground(Protocol):
    """A desk, and one app that belongs to the test."""

    app: str

    async def launch(self) -> Player: ...

    async def player(self) -> Player: ...

    async def open(self) -> None: ...

    async def quit(self) -> None: ...

    async def kill_app(self) -> None: ...

    async def restart_desk(self) -> None: ...

    async def pass_time(self, seconds: float) -> None: ...

    async def now(self) -> float: ...

    async def row(self) -> AppStatus: ...

    async def until(self, so: Callable[[AppStatus], object]) -> AppStatus: ...

    async def happenings(self) -> list[str]: ...

    async def condition(self, condition: Condition, value: str) -> None: ...

    async def switch_background(self, *, on: bool) -> None: ...

    async def simulate_launch(self, identifier: str) -> None: ...

    async def simulate_expire(self, identifier: str) -> None: ...

    async def explain(self, identifier: str) -> tuple[Explanation, ...]: ...

    async def receipts(self) -> tuple[Receipt, ...]: ...

    async def task_receipts(self) -> tuple[TaskReceipt, ...]: ...


# --- what tests do on either ------------------------------------------------------------------------------------------


async def until_state(ground: Ground, state: AppState) -> AppStatus:
    return await ground.until(lambda row: row.state is state)


async def submit(player: Player, task: TaskRequest, existing: ExistingWork = ExistingWork.REPLACE) -> None:
    await player.do("submit", task=msgspec.to_builtins(task), existing=existing)


async def refused(player: Player, task: TaskRequest) -> str:
    """Why it is."""
    failed = await player.fails("submit", task=msgspec.to_builtins(task), existing="replace")
    return str(failed["reason"])


async def asleep(ground: Ground, *tasks: TaskRequest) -> Player:
    """Opened, these submitted, closed; it sleeps."""
    player = await ground.launch()
    for task in tasks:
        await submit(player, task)
    player.order("background")
    await until_state(ground, AppState.SUSPENDED)
    return player


async def obstacles(ground: Ground, identifier: str) -> list[Obstacle]:
    [told] = await ground.explain(identifier)
    assert told.text
    return [reason.obstacle for reason in told.reasons]


# --- the real desk ----------------------------------------------------------------------------------------------------


class RealGround:
    """``home``'s desk runs already; other tests have had other apps there."""

    def __init__(self, home: DeskHome, app: str) -> None:
        self.home = home
        self.app = app

    async def install(self, tasks: dict[str, str]) -> None:
        await self.home.install(self.app, tasks=tasks)

    async def launch(self) -> Player:
        return await self.home.launch(self.app)

    async def player(self) -> Player:
        return await self.home.puppet(self.app)

    async def open(self) -> None:
        await self.home.control.open(self.app)

    async def quit(self) -> None:
        await self.home.control.quit(self.app)

    async def kill_app(self) -> None:
        await self.home.kill_process((await self.row()).pid)

    async def restart_desk(self) -> None:
        await self.home.kill_desk()

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def now(self) -> float:
        return (await self.home.status()).now

    async def row(self) -> AppStatus:
        return await self.home.row(self.app)

    async def until(self, so: Callable[[AppStatus], object]) -> AppStatus:
        return row_of(await self.home.until(lambda status: so(row_of(status, self.app))), self.app)

    async def happenings(self) -> list[str]:
        return [each.what for each in (await self.home.status()).happenings if each.app == self.app]

    async def condition(self, condition: Condition, value: str) -> None:
        await self.home.control.force_condition(condition, value)

    async def switch_background(self, *, on: bool) -> None:
        await self.home.control.switch_background(self.app, on)

    async def simulate_launch(self, identifier: str) -> None:
        await self.home.control.simulate_launch(identifier, self.app)

    async def simulate_expire(self, identifier: str) -> None:
        await self.home.control.simulate_expire(identifier, self.app)

    async def explain(self, identifier: str) -> tuple[Explanation, ...]:
        return tuple(each for each in await self.home.control.explain(identifier) if each.app == self.app)

    async def receipts(self) -> tuple[Receipt, ...]:
        return await self.home.control.receipts(self.app)

    async def task_receipts(self) -> tuple[TaskReceipt, ...]:
        return await self.home.control.task_receipts(self.app)


# --- the desk in memory -----------------------------------------------------------------------------------------------


class MemoryPuppet(Puppet):
    """The same app, without strings."""

    def __init__(self, manner: dict[str, Any]) -> None:
        super().__init__(manner)
        self.all: list[Heard] = []
        self.context = contextvars.copy_context()

    def say(self, heard: str, **more: Any) -> None:
        self.all.append({"heard": heard, "at": self.app.time(), "front": self.app.state_is_foreground, **more})

    async def live_here(self) -> None:
        await self.app.start()
        self.say(
            "started",
            why=self.app.why,
            background=self.app.background_available,
            receipts=[{"reason": each.reason, "tasks": each.tasks} for each in self.app.receipts],
            task_receipts=[[each.identifier, each.end] for each in self.app.task_receipts],
        )
        await self.app.run_until_quit()
        self.say("leaving")
        await self.app.close()


class MemoryPlayer:
    def __init__(self, puppet: MemoryPuppet, desk: InMemoryDesk) -> None:
        self.puppet = puppet
        self.first = puppet.all[0]
        self._desk = desk
        self._taken = 0

    async def hears(self, what: str) -> Heard:
        def found() -> list[int]:
            return [at for at, each in enumerate(self.puppet.all) if each["heard"] == what and at >= self._taken]

        await self._desk.until(found, within=PATIENCE)
        self._taken = found()[0] + 1
        return self.puppet.all[self._taken - 1]

    def count(self, what: str) -> int:
        return [each["heard"] for each in self.puppet.all].count(what)

    async def do(self, what: str, **more: Any) -> Any:
        doing = self._begin(what, more)
        await self._desk.until(doing.done, within=PATIENCE)
        return await doing

    async def fails(self, what: str, **more: Any) -> Heard:
        try:
            await self.do(what, **more)
        except frontdesk.FrontdeskError as error:
            return {"reason": getattr(error, "reason", ""), "text": str(error)}
        raise AssertionError(f"{what} was not refused")

    def order(self, what: str, **more: Any) -> int:
        return id(self._begin(what, more))

    def _begin(self, what: str, more: dict[str, Any]) -> "asyncio.Task[Any]":
        """As a part of the app: it stands still with it."""
        words = json.loads(json.dumps({"do": what, **more}))
        return asyncio.get_running_loop().create_task(self.puppet.do(words), context=self.puppet.context)


class MemoryGround:
    def __init__(self, desk: InMemoryDesk, app: str, folder: Path) -> None:
        self.app = app
        self._desk = desk
        self._folder = folder
        self._puppets: list[MemoryPuppet] = []
        self._met = 0

    async def install(self, tasks: dict[str, str]) -> None:
        lines = [f'id = "{self.app}"', 'name = "Puppet"', 'command = ["puppet"]', f"background = {json.dumps(MODES)}"]
        file = self._folder / "puppet.toml"
        file.write_text("\n".join([*lines, f"tasks = {json.dumps([*tasks])}"]) + "\n")
        manner = {"id": self.app, "manifest": str(file), "tasks": tasks}

        async def main() -> None:
            self._puppets.append(MemoryPuppet(manner))
            await self._puppets[-1].live_here()

        self._desk.install(file, main)

    async def launch(self) -> Player:
        await self._desk.open(self.app)
        player = await self.player()
        await player.hears("open")
        await player.do("foreground")
        return player

    async def player(self) -> Player:
        await self._desk.until(lambda: self._puppets[self._met :] and self._puppets[self._met].all, within=PATIENCE)
        self._met += 1
        return MemoryPlayer(self._puppets[self._met - 1], self._desk)

    async def open(self) -> None:
        await self._desk.open(self.app)

    async def quit(self) -> None:
        await self._desk.quit(self.app)

    async def kill_app(self) -> None:
        await self._desk.kill(self.app)

    async def restart_desk(self) -> None:
        await self._desk.restart()

    async def pass_time(self, seconds: float) -> None:
        await self._desk.advance(seconds)

    async def now(self) -> float:
        return self._desk.status().now

    async def row(self) -> AppStatus:
        await self._desk.settle()
        return self._desk.row(self.app)

    async def until(self, so: Callable[[AppStatus], object]) -> AppStatus:
        await self._desk.until(lambda: so(self._desk.row(self.app)), within=PATIENCE)
        return self._desk.row(self.app)

    async def happenings(self) -> list[str]:
        return [each.what for each in self._desk.status().happenings if each.app == self.app]

    async def condition(self, condition: Condition, value: str) -> None:
        await self._desk.force_condition(condition, value)

    async def switch_background(self, *, on: bool) -> None:
        await self._desk.switch_background(self.app, on=on)

    async def simulate_launch(self, identifier: str) -> None:
        await self._desk.simulate_launch(identifier, self.app)

    async def simulate_expire(self, identifier: str) -> None:
        await self._desk.simulate_expire(identifier, self.app)

    async def explain(self, identifier: str) -> tuple[Explanation, ...]:
        await self._desk.settle()
        return self._desk.explain(identifier)

    async def receipts(self) -> tuple[Receipt, ...]:
        return self._desk.receipts(self.app)

    async def task_receipts(self) -> tuple[TaskReceipt, ...]:
        return self._desk.task_receipts(self.app)
