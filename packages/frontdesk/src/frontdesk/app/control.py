"""``DeskControl``: look at the desk and steer it, as the command line and the demo's stage do."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from frontdesk import places
from frontdesk.app.connection import DeskConnection
from frontdesk.errors import VersionMismatch
from frontdesk.terms import Condition, DeskStatus, Explanation, Manifest, Receipt, TaskReceipt
from frontdesk.wire import desk as wire


class DeskControl:
    """``async with DeskControl() as desk:``. ``home``: as FRONTDESK_HOME, for a desk other than one's own.

    Connecting starts no desk: ``DeskUnavailable`` when none runs. A desk that dies is waited for.
    """

    def __init__(self, home: Path | None = None) -> None:
        path = places.desk_socket() if home is None else Path(home) / "run" / "desk.sock"
        opening = wire.ControlHello(wire.OLDEST, wire.NEWEST)
        self._connection = DeskConnection(path, lambda: (opening, []), self._received, None)
        self._connection.on_lost = lambda: self.on_lost()
        self.on_lost: Callable[[], None] = lambda: None
        """Called when the desk is gone (``watch`` goes on with the next one by itself), and on leaving."""
        self._watchers: dict[int, asyncio.Queue[DeskStatus]] = {}
        self._next_watch = 1_000_000

    async def __aenter__(self) -> Self:
        await self._connection.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connection.close()

    async def status(self) -> DeskStatus:
        """The desk as it is now."""
        return (await self._connection.ask(wire.GetStatus, wire.StatusIs)).status

    async def watch(self) -> AsyncIterator[DeskStatus]:
        """The desk as it is now, and again after every change, also after it died and came back. Ends never."""
        watch, self._next_watch = self._next_watch, self._next_watch + 1
        statuses: asyncio.Queue[DeskStatus] = asyncio.Queue()
        self._watchers[watch] = statuses
        self._connection.send(wire.Watch(watch))
        try:
            while True:
                yield await statuses.get()
        finally:
            del self._watchers[watch]

    async def open(self, app: str) -> None:
        """As if the person clicked its icon: launched or woken, and told to show itself."""
        await self._connection.ask(lambda request: wire.OpenApp(request, app), wire.Done)

    async def quit(self, app: str) -> None:
        """The person quits it: no launches in the background until it is opened again (L04)."""
        await self._connection.ask(lambda request: wire.QuitApp(request, app), wire.Done)

    async def receipts(self, app: str) -> tuple[Receipt, ...]:
        """How its runs ended, newest first (L05)."""
        return (await self._connection.ask(lambda request: wire.GetReceipts(request, app), wire.ReceiptsAre)).receipts

    async def task_receipts(self, app: str) -> tuple[TaskReceipt, ...]:
        """Which runs of its scheduled tasks were expired or given up, newest first (L05, S16).

        None on a desk that is too old to run any (X03).
        """
        try:
            answer = await self._connection.ask(
                lambda request: wire.GetTaskReceipts(request, app), wire.TaskReceiptsAre
            )
        except VersionMismatch:
            return ()
        return answer.receipts

    async def explain(self, of: str = "all") -> tuple[Explanation, ...]:
        """Why tasks do not run now, and when each is looked at next (S16).

        ``of``: an app's id, a task's identifier (of whatever app), or ``all``. ``RefusedError`` (``unknown_task``) when
        it is neither an app nor an identifier that somebody has submitted.
        """
        answer = await self._connection.ask(lambda request: wire.Explain(request, of), wire.ExplanationsAre)
        if not answer.more or of != "all":
            return answer.explanations
        by_app = [await self.explain(manifest.id) for manifest in await self.apps()]
        return tuple(each for explanations in by_app for each in explanations)

    async def simulate_launch(self, identifier: str, app: str = "") -> None:
        """Launch a pending task now, whatever stands in its way; its handler cannot tell (S17).

        ``app``: whose, where several have submitted that identifier. ``RefusedError`` (``unknown_task``): nobody has.
        """
        await self._connection.ask(lambda request: wire.SimulateLaunch(request, identifier, app), wire.Done)

    async def simulate_expire(self, identifier: str, app: str = "") -> None:
        """Expire a running task now; its handler cannot tell (S17). ``app``, errors: as in ``simulate_launch``."""
        await self._connection.ask(lambda request: wire.SimulateExpire(request, identifier, app), wire.Done)

    async def force_condition(self, condition: Condition, value: str) -> None:
        """Have the desk take the condition to be ``value``, whatever its source says, until it is lifted.

        ``RefusedError`` (``bad_request``) names what it can be. It survives the desk; ``status`` shows it as forced.
        """
        await self._connection.ask(lambda request: wire.ForceCondition(request, condition, value), wire.Done)

    async def lift_condition(self, condition: Condition | None = None) -> None:
        """What its source says counts again; None: of all conditions."""
        await self._connection.ask(lambda request: wire.LiftCondition(request, condition), wire.Done)

    async def switch_background(self, app: str, on: bool) -> None:
        """Let the app (``*``: all) run in the background, or not (L10)."""
        await self._connection.ask(lambda request: wire.SwitchBackground(request, app, on), wire.Done)

    async def add_app(self, manifest: Path | str) -> Manifest:
        """Register an app, or take its changed manifest. ``ManifestError`` names what is wrong with it, and where."""
        path = str(Path(manifest).absolute())
        return (
            await self._connection.ask(lambda request: wire.AddApp(request, path, sys.executable), wire.AppsAre)
        ).manifests[0]

    async def remove_app(self, app: str) -> None:
        """Stop it, and forget it with its subscriptions."""
        await self._connection.ask(lambda request: wire.RemoveApp(request, app), wire.Done)

    async def apps(self) -> tuple[Manifest, ...]:
        """What is registered."""
        return (await self._connection.ask(wire.ListApps, wire.AppsAre)).manifests

    async def act(self, app: str, notification: str, action: str = "") -> None:
        """Press a button of a notification in the desk's list, or with "" the notification itself (N04)."""
        await self._connection.ask(lambda request: wire.Act(request, app, notification, action), wire.Done)

    async def dismiss(self, app: str, notification: str) -> None:
        """Take a notification off the list."""
        await self._connection.ask(lambda request: wire.Dismiss(request, app, notification), wire.Done)

    def _received(self, message: wire.ToApp) -> None:
        match message:
            case wire.StatusIs(request=watch, status=status) if watch in self._watchers:
                self._watchers[watch].put_nowait(status)
            case wire.Welcome():
                for watch in self._watchers:
                    self._connection.send(wire.Watch(watch))
