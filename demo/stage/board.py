"""The board behind the stage: watches both desks, and turns switches into what a person would do to a machine."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

from demo.errors import DemoError
from demo.machine import LOBBY, Machine, app_of
from demo.network import Condition
from demo.stage import conditions
from demo.stage.absence import Absence
from demo.stage.guide import Guide
from demo.stage.scene import Scene, scene
from demo.stage.wanted import Wanted
from frontdesk import DeskStatus, FrontdeskError, Happening

_MOST_SWITCHED = 20


class Machines:
    """Both machines as the stage shows them. `watch()` must run for the scenes to follow the desks.

    A window is open when the stage says so; its frame in the browser is what makes Lobby's page visible.
    """

    def __init__(self, left: Machine, right: Machine, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.guide = Guide()
        self._machines = {machine.user: machine for machine in (left, right)}
        self._status: dict[str, DeskStatus | None] = dict.fromkeys(self._machines)
        self._remembered: dict[str, DeskStatus] = {}
        """The last word of each desk, the present one's or of one that is gone."""
        self._open = dict.fromkeys(self._machines, True)
        self._asked = dict.fromkeys(self._machines, 0)
        self._absence = {user: Absence() for user in self._machines}
        self._switched: dict[str, tuple[Happening, ...]] = dict.fromkeys(self._machines, ())
        """What the visitor did to the networks: no desk can tell of that."""
        self._wanted: dict[str, Wanted] = {}
        """Where Lobby wants to be shown and no window has gone yet."""
        self._changed = asyncio.Event()

    async def watch(self) -> None:
        """Follows both desks until it is cancelled."""
        async with asyncio.TaskGroup() as both:
            for user in self._machines:
                both.create_task(self._follow(user))
                both.create_task(self._answer_the_door(user))

    async def _follow(self, user: str) -> None:
        async for status in self._machines[user].watch():
            before, self._status[user] = self._status[user], status
            if status:
                self._remembered[user] = status
                self._absence[user].there(status.pid, self._clock())
            else:
                self._absence[user].away(self._clock())
            if before and status and app_of(status).quit and not app_of(before).quit:
                self._open[user] = False
            self._tell()

    async def _answer_the_door(self, user: str) -> None:
        """Opens the window whenever Lobby asks for it: a notification was clicked, or somebody ran `frontdesk open`."""
        while True:
            address = await self._machines[user].doorbell.heard()
            self._wanted[user] = Wanted(address, self._clock())
            self._asked[user] += 1
            self._open[user] = True
            self._tell()

    def scenes(self) -> tuple[Scene, Scene]:
        left, right = (self._scene(user) for user in self._machines)
        return left, right

    def _scene(self, user: str) -> Scene:
        machine = self._machines[user]
        return scene(
            machine.person,
            self._open[user],
            machine.network.condition,
            self._status[user],
            LOBBY,
            self._asked[user],
            self._absence[user].noted + self._switched[user],
            self._absence[user].gaps,
            self._remembered.get(user),
            self._clock(),
        )

    async def changes(self) -> AsyncIterator[None]:
        while True:
            changed = self._changed
            yield
            await changed.wait()

    def _tell(self) -> None:
        self.guide.saw(*self.scenes())
        self._changed.set()
        self._changed = asyncio.Event()

    def _note_network(self, machine: Machine, condition: Condition) -> None:
        before = self._switched[machine.user]
        if machine.network.condition is condition:
            return
        title = f"Network {condition}"
        text = f"the visitor set {machine.person}’s network to “{condition}”"
        number = before[-1].number - 1 if before else -1  # below the desk's own
        line = Happening(self._clock(), "", "network", text, name=title, number=number)
        self._switched[machine.user] = (*before, line)[-_MOST_SWITCHED:]

    async def window_address(self, user: str) -> str:
        # Lobby asks at the start of the demo, too; the visitor may come to the stage long after.
        wanted = self._wanted.pop(user, None)
        if wanted and wanted.good(self._clock()):
            return wanted.address
        fresh = await self._machines[user].page_address()
        return wanted.renewed(fresh) if wanted else fresh

    async def switch(self, user: str, what: str, value: str, notification: str, app: str) -> None:
        machine = self._machines[user]
        try:
            match what, value:
                case "window", "open" | "closed":
                    self._open[user] = value == "open"
                    self._wanted.pop(user, None)
                case "network", _ if value in set(Condition):
                    self._note_network(machine, Condition(value))
                    machine.network.set(Condition(value))
                case _ if (told := conditions.acts(what, value)) is not None:
                    async with machine.desk() as desk:
                        for condition, forced in told:
                            if forced:
                                await desk.force_condition(condition, forced)
                            else:
                                await desk.lift_condition(condition)
                case "quit", _:
                    async with machine.desk() as desk:
                        await desk.quit(LOBBY)
                case "kill", _:
                    with contextlib.suppress(ProcessLookupError):
                        await machine.kill_desk()
                        self._absence[user].killed(self._clock())
                    # What it last said holds no more; the next one speaks for itself.
                    self._status[user] = None
                case "notification", _:
                    async with machine.desk() as desk:
                        await desk.act(app, notification, value)
                case "dismiss", _:
                    async with machine.desk() as desk:
                        await desk.dismiss(app, notification)
                case _:
                    raise DemoError(f"There is no switch “{what}” with the position “{value}”.")
        except FrontdeskError as reason:
            raise DemoError(f"The desk could not do that: {reason}") from reason
        finally:
            self._tell()
