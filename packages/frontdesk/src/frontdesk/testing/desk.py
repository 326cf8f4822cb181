"""``InMemoryDesk``: the desk's own core and the author's own app in one process, the clock in the test's hand."""

import asyncio
import itertools
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.dispatcher import Dispatcher
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.loop import DeskLoop
from frontdesk.agent.shell.event_log import EventLog
from frontdesk.app.surroundings import AROUND, Greeting
from frontdesk.errors import RefusedError, refused
from frontdesk.terms import (
    VALUES,
    AppState,
    AppStatus,
    Condition,
    DeskStatus,
    Explanation,
    Manifest,
    PendingTask,
    Receipt,
    Refusal,
    Shown,
    TaskReceipt,
)
from frontdesk.testing.desk_clock import DeskClock
from frontdesk.testing.front_door import VERSION, FrontDoor
from frontdesk.testing.hand_clock import HandClock
from frontdesk.testing.process import Main, Process, follow_tasks
from frontdesk.testing.program import main_of
from frontdesk.testing.store import MemoryStore
from frontdesk.testing.surroundings import InMemory
from frontdesk.wire import desk as wire
from frontdesk.wire.manifest import parse_manifest, resolved

START = 1_800_000_000.0
"""When every test begins unless it says otherwise: Friday, 15 January 2027, 08:00 UTC."""

AT_FIRST = {
    Condition.POWER: "external",
    Condition.BATTERY: "100",
    Condition.POWER_SAVER: "off",
    Condition.NETWORK: "online",
    Condition.METERED: "no",
    Condition.IDLE: "no",
    Condition.MEMORY: "ok",
}
"""The machine as it is at first: plugged in, online, and somebody is using it."""

_TEST = 0
"""The asker that is the test itself."""


class InMemoryDesk:
    """``async with InMemoryDesk() as desk:``; everything in it ends with it.

    ``limits``: as in section ``[limits]`` of settings.toml. ``start``: seconds since 1970. ``utc_offset``: seconds that
    the person's clock is east of UTC. ``push_service``: whether there is one. ``patience``: real seconds that it waits
    for what lies outside the event loop. ``record``: where to write the event log, for ``frontdesk replay``.

    Every ``async`` call comes back when nothing is left to run at that moment: the desk has decided, the app has read
    what it was told, and its coroutines wait for time, for the test, or for the network.
    """

    def __init__(
        self,
        *,
        limits: Mapping[str, float] | None = None,
        start: float = START,
        utc_offset: float = 0.0,
        push_service: bool = True,
        patience: float = 10.0,
        record: Path | None = None,
    ) -> None:
        self._limits = msgspec.convert(dict(limits or {}), Limits)
        self._utc_offset = utc_offset
        self._push_service = push_service
        self._patience = patience
        self._event_log = None if record is None else EventLog(record, self._new_id)
        self._start = start
        self._ahead = 0.0
        """Seconds that the wall clock is ahead of the desk's."""
        self._uses: dict[str, tuple[float | None, int | None]] = {}
        self._conditions = dict(AT_FIRST)
        self._manifests: dict[str, Manifest] = {}
        self._mains: dict[str, Main] = {}
        self._processes: dict[str, list[Process]] = {}
        self._locks: set[str] = set()
        self._answers: dict[int, asyncio.Future[wire.ToApp]] = {}
        self._numbers = itertools.count(1)
        self._pids = itertools.count(1001)
        self._store = MemoryStore()
        self._closing = AsyncExitStack()

    # --- coming and going -----------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._clock = HandClock(self._patience)
        self._clock.take()
        self._desk_clock = DeskClock(self._start)
        self._closing.callback(self._clock.give_back)
        self._closing.callback(follow_tasks())
        self._closing.push_async_callback(self._end)
        self._boot()
        await self.settle()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._closing.aclose()

    def install(self, manifest: Path | str, main: Main | None = None) -> str:
        """Register an app; gives its id. ``manifest``: the file, or what would stand in it.

        ``main``: what a process of it runs, a coroutine function that makes its ``App`` anew at each call. None: the
        Python file in the manifest's command is loaded anew for each run, and its ``main`` is run. ``ManifestError``.
        """
        if isinstance(manifest, Path):
            registered = resolved(
                parse_manifest(manifest.read_bytes(), str(manifest)), str(manifest.parent.absolute()), sys.executable
            )
        else:
            registered = parse_manifest(manifest.encode(), "the manifest")
        self._mains[registered.id] = main or main_of(_program(registered))
        self._manifests[registered.id] = registered
        self._loop.post(ev.AppAdded(registered))
        return registered.id

    async def remove(self, app: str) -> None:
        """As ``frontdesk apps remove``."""
        await self._tell(ev.AppRemoved(self._known(app)))
        del self._manifests[app]

    async def restart(self) -> None:
        """The desk is killed (SIGKILL) and comes back from what it had saved; apps find it again (contract L06)."""
        self._loop.stop()
        self._door.close()
        self._boot()
        running = [each for each in self._running() if not each.frozen]
        await self.until(lambda: all(each.over or self._door.is_connected(each.app) for each in running), within=30.0)

    # --- time -----------------------------------------------------------------------------------------------------

    def time(self) -> float:
        """Seconds since 1970, as the person's clock shows them."""
        return self._now() + self._ahead

    async def settle(self) -> None:
        """Until nothing is left to run at this moment; work in threads is waited for. ``StillBusy`` when it never ends.

        An app that talks to the network is at rest while it waits for an answer: use ``until_real``.
        """
        await self._clock.rest()

    async def advance(
        self, seconds: float = 0.0, *, minutes: float = 0.0, hours: float = 0.0, days: float = 0.0
    ) -> None:
        """Let time pass: every timer of the desk and of the apps runs at its moment, in order."""
        await self._clock.move_to(self._clock.time() + seconds + 60 * minutes + 3600 * hours + 86400 * days)

    async def until(self, so: Callable[[], object], *, within: float = 7 * 86400.0) -> None:
        """Let time pass, from one timer to the next, until ``so()`` is true. ``AssertionError``: it is not in time."""
        await self.settle()
        over = self._clock.time() + within
        while not so():
            due = self._clock.next_timer()
            if due is None or due > over:
                await self._clock.move_to(over)
                assert so(), f"it did not come about within {within:g} s: {self._in_words()}"
                return
            await self._clock.move_to_timer()

    async def until_real(self, so: Callable[[], object]) -> None:
        """Let real time pass, the desk's clock standing still, until ``so()`` is true: an app waits for the network."""
        tries = 0
        await self.settle()
        while not so():
            assert tries * _LOOK < self._patience, (
                f"not so within {self._patience:g} s of real time: {self._in_words()}"
            )
            tries += 1
            await self._clock.real_pause(_LOOK)
            await self.settle()

    async def sleep(self, seconds: float) -> None:
        """The machine sleeps (suspend to RAM) for so long: nothing runs, then everything goes on."""
        await self._tell(ev.SleepComing())
        self._desk_clock.sleep(seconds)
        await self._tell(ev.TimePassed())

    async def set_wall_clock(self, to: float) -> None:
        """Somebody sets the clock of the machine; ``to`` in seconds since 1970 (contract S07)."""
        self._ahead = to - self._now()
        await self._tell(ev.WallClock(self._ahead, self._utc_offset))

    # --- what the person does -------------------------------------------------------------------------------------

    async def open(self, app: str) -> None:
        """As a click on its icon: launched or woken, and told to show itself."""
        await self._tell(ev.OpenAsked(self._known(app)))

    async def start_by_hand(self, app: str) -> None:
        """Its command is typed in a terminal; a second start opens the first (contract X04)."""
        self._run(self._known(app), "")
        await self.settle()

    async def quit(self, app: str) -> None:
        """The person quits it (contract L04)."""
        await self._tell(ev.QuitAsked(self._known(app)))

    async def visit_page(self, app: str) -> None:
        """A browser connects to the page of the sleeping app (contract L11)."""
        await self._tell(ev.PageVisited(self._known(app)))

    async def press(self, app: str, notification: str, action: str = "") -> None:
        """A notification, or a button of it, is pressed (contract N04)."""
        await self._tell(ev.ActAsked(self._known(app), notification, action))

    async def dismiss(self, app: str, notification: str) -> None:
        """A notification is closed."""
        await self._tell(ev.DismissAsked(self._known(app), notification))

    async def switch_background(self, app: str, *, on: bool) -> None:
        """Background running is switched, for an app or with ``*`` for all (contract L10)."""
        await self._tell(ev.BackgroundSwitched(app, on))

    # --- what the world does --------------------------------------------------------------------------------------

    async def set_condition(self, condition: Condition, value: str) -> None:
        """The machine is like that from here on; "" is unknown. ``ValueError``: it can have no such value."""
        if value and value not in VALUES[condition]:
            raise ValueError(f"{condition} can be {', '.join(VALUES[condition])}, or empty for unknown; not {value!r}.")
        self._conditions[condition] = value
        await self._tell(ev.ConditionSeen(condition, value, "the test"))

    async def memory_short(self) -> None:
        """The machine is short of memory (contract L03)."""
        await self._tell(ev.MemoryShort())

    async def push(self, app: str, subscription: str, data: bytes, *, ttl: float | None = None) -> None:
        """A sender pushes to that subscription. ``LookupError``: the app has not subscribed, or gave it up."""
        found = self._dispatcher.subscriptions.named(self._known(app), subscription)
        if found is None:
            raise LookupError(f"{app} has no subscription {subscription!r}; it makes one with App.subscribe().")
        await self._tell(ev.PushArrived(found.channel, f"version-{next(self._numbers)}", data, ttl))

    async def kill(self, app: str) -> None:
        """Its process dies (SIGKILL). What it does in ``finally`` still runs here, and reaches nobody."""
        self._process(app).kill()
        await self.settle()

    def uses(self, app: str, *, cpu: float | None = 0.0, memory: int | None = 0) -> None:
        """What the app is found to use when it is measured: seconds of processor time so far, bytes (L08, L09)."""
        self._uses[self._known(app)] = (cpu, memory)

    # --- by hand (contract S17) -----------------------------------------------------------------------------------

    async def simulate_launch(self, identifier: str, app: str = "") -> None:
        """Launch a pending task now, whatever stands in its way. ``RefusedError`` when there is none."""
        await self._ask(lambda number: ev.SimulateAsked(_TEST, number, identifier, app, expire=False))

    async def simulate_expire(self, identifier: str, app: str = "") -> None:
        """Expire a running task now. ``RefusedError`` when it does not run."""
        await self._ask(lambda number: ev.SimulateAsked(_TEST, number, identifier, app, expire=True))

    async def force_condition(self, condition: Condition, value: str) -> None:
        """As ``frontdesk simulate condition``: in force until lifted, whatever the machine is like."""
        await self._tell(ev.ConditionForced(condition, value))

    async def lift_condition(self, condition: Condition | None = None) -> None:
        """What the machine is like counts again; None: for all conditions."""
        await self._tell(ev.ConditionLifted(condition))

    # --- looking at it --------------------------------------------------------------------------------------------

    def state(self, app: str) -> AppState:
        """Where the app is in its life."""
        return self.row(app).state

    def row(self, app: str) -> AppStatus:
        """Its row of the status."""
        return next(row for row in self.status().apps if row.app == self._known(app))

    def status(self) -> DeskStatus:
        """As ``frontdesk status`` shows it."""
        now = self._now()
        return DeskStatus(
            now=now,
            pid=0,
            version=VERSION,
            apps=self._dispatcher.statuses(now),
            shown=self._dispatcher.notifications.shown(),
            happenings=self._dispatcher.history.happenings(),
            spans=self._dispatcher.history.spans(),
            since=self._start,
            conditions=self._dispatcher.conditions.readings(),
        )

    def explain(self, of: str = "all") -> tuple[Explanation, ...]:
        """Why tasks do not run now: of an app by its id, of an identifier, or of everything (contract S16)."""
        return self._dispatcher.explain(of, self._now())

    def pending(self, app: str) -> tuple[PendingTask, ...]:
        """Requests that the desk keeps for it, those that run included (contract S13)."""
        return self._dispatcher.pending(self._known(app))

    def receipts(self, app: str) -> tuple[Receipt, ...]:
        """How its runs ended, newest first (contract L05)."""
        return self._store.receipts(app)

    def task_receipts(self, app: str) -> tuple[TaskReceipt, ...]:
        """Runs of its scheduled tasks that were expired or given up, newest first."""
        return self._store.task_receipts(app)

    def shown(self) -> tuple[Shown, ...]:
        """Notifications in the desk's list, newest first."""
        return self._dispatcher.notifications.shown()

    def addresses(self) -> tuple[str, ...]:
        """What apps had opened in the person's browser (``App.show_address``) since the desk was started."""
        return tuple(self._door.addresses)

    # --- inside: the desk -----------------------------------------------------------------------------------------

    def _now(self) -> float:
        return self._desk_clock.now()

    def _boot(self) -> None:
        log = self._event_log
        self._dispatcher = Dispatcher(
            self._limits,
            self._new_id if log is None else log.draw,
            desk_version=VERSION,
            push_service_set=self._push_service,
        )
        self._loop = DeskLoop(
            self._dispatcher,
            self._store,
            self._desk_clock,
            self._carry_out,
            lambda: None,
            None if log is None else log.batch,
        )
        self._door = FrontDoor(self._dispatcher, self._loop.post, self._now)
        saved = [*self._store.saved()]
        for machine, key, form in saved:
            self._dispatcher.restore(machine, key, form)
        if log is not None:
            log.close()
            log.begin(
                desk_version=VERSION,
                limits=self._limits,
                background_off=(),
                push_service_set=self._push_service,
                memory={},
                saved=saved,
            )
        for manifest in self._manifests.values():
            self._loop.post(ev.AppAdded(manifest))
        for process in self._running():
            self._survived(process)
        self._loop.post(ev.WallClock(self._ahead, self._utc_offset))
        for condition, value in self._conditions.items():
            self._loop.post(ev.ConditionSeen(condition, value, "the test"))
        self._loop.post(ev.DeskStarted())
        if self._push_service:
            self._loop.post(ev.PushLinkUp("the desk in memory", changed=False))

    def _survived(self, process: Process) -> None:
        life = self._dispatcher.lifecycle.life(process.app)
        if life is not None and not life.pid and life.token == process.token:
            self._loop.post(ev.Launched(process.app, process.token, process.pid, process.started))
        elif life is None or life.pid != process.pid:
            process.kill()
            return
        self._loop.post(ev.Survived(process.app, child=True))

    def _carry_out(self, effect: do.Effect) -> None:
        match effect:
            case do.Send():
                self._door.send(effect)
            case do.Answer(asker=asker, message=message) if asker == _TEST:
                answer = self._answers.pop(getattr(message, "request", 0), None)
                if answer is not None and not answer.done():
                    answer.set_result(message)
            case do.Answer():
                self._door.answer(effect)
            case do.Launch(app=app, token=token):
                process = self._run(app, token)
                self._loop.post(ev.Launched(app, token, process.pid, process.started))
            case do.Freeze(process=meant):
                self._for_process(effect.app, meant, Process.freeze)
            case do.Thaw(process=meant):
                self._for_process(effect.app, meant, Process.thaw)
            case do.Kill(process=meant):
                self._for_process(effect.app, meant, Process.kill)
            case do.Measure(app=app, process=meant):
                self._loop.post(ev.Consumed(app, meant.pid, *self._uses.get(app, (0.0, 0))))
            case do.RegisterChannel(channel=channel):
                self._loop.post(ev.ChannelRegistered(channel, f"https://push.invalid/{channel}"))
            case do.Show(app=app, notification=notification):
                self._loop.post(ev.OnDesktop(app, notification, "", 0))

    def _run(self, app: str, token: str) -> Process:
        process = Process(app, next(self._pids), token, self._ended)
        surroundings = InMemory(process, self._reach, self._locks, self.time, self._clock.time)
        process.context.run(AROUND.set, surroundings)
        self._processes.setdefault(app, []).append(process)
        process.start(self._mains[app])
        return process

    def _ended(self, process: Process, status: int) -> None:
        self._processes[process.app].remove(process)
        # Nobody can know how a process ended that was started by hand: it is no child of the keeper.
        self._loop.post(ev.Exited(process.app, process.pid, status if process.token else None))

    async def _reach(
        self, process: Process, greeting: Greeting, protocol: Callable[[], asyncio.Protocol]
    ) -> asyncio.WriteTransport:
        """At the desk that is there now."""
        return await self._door.reach(process, greeting, protocol)

    def _new_id(self) -> str:
        return f"id-{next(self._numbers)}"

    async def _end(self) -> None:
        self._loop.stop()
        if self._event_log is not None:
            self._event_log.close()
        self._door.close()
        left = self._running()
        for process in left:
            process.kill()
        await asyncio.gather(*(process.gone() for process in left))

    # --- inside ---------------------------------------------------------------------------------------------------

    async def _tell(self, event: ev.Event) -> None:
        self._loop.post(event)
        await self.settle()

    async def _ask(self, make: Callable[[int], ev.Event]) -> None:
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._tell(make(number))
        message = await answer
        if isinstance(message, wire.Refused):
            raise refused(message.reason, message.text)

    def _known(self, app: str) -> str:
        if app not in self._manifests:
            raise RefusedError(Refusal.UNKNOWN_APP, f"No app {app} is installed at this desk: install() comes first.")
        return app

    def _running(self) -> list[Process]:
        return [process for processes in self._processes.values() for process in processes]

    def _process(self, app: str) -> Process:
        running = self._processes.get(self._known(app))
        if not running:
            raise LookupError(f"{app} does not run.")
        return running[0]

    def _for_process(self, app: str, meant: do.Process, act: Callable[[Process], None]) -> None:
        for process in self._processes.get(app, []):
            if process.pid == meant.pid:
                act(process)
                return

    def _in_words(self) -> str:
        return ", ".join(f"{row.app} is {row.state}" for row in self.status().apps)


_LOOK = 0.02
"""Real seconds between two looks at something that the desk cannot be told of."""


def _program(manifest: Manifest) -> Path:
    """The Python file in its command."""
    for word in manifest.command:
        if word.endswith(".py") and Path(word).is_file():
            return Path(word)
    raise ValueError(
        f"The command of {manifest.id} names no Python file ({' '.join(manifest.command)}): hand install() its main."
    )
