"""``InMemoryDesk``: the desk's own core and the author's own app in one process, the clock in the test's hand."""

import functools
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from frontdesk.agent.core import events as ev
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
from frontdesk.testing.front_door import VERSION
from frontdesk.testing.hand_clock import HandClock
from frontdesk.testing.machine import SOURCE, Machine
from frontdesk.testing.process import Main
from frontdesk.testing.program import main_of
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
        self._patience = patience
        self._make = functools.partial(
            Machine,
            limits or {},
            AT_FIRST,
            start=start,
            utc_offset=utc_offset,
            push_service=push_service,
            record=record,
        )

    # --- coming and going -----------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._clock = HandClock(self._patience)
        async with AsyncExitStack() as begun:
            self._clock.take()
            begun.callback(self._clock.give_back)
            self._machine = self._make(clock=self._clock)
            begun.push_async_callback(self._machine.switch_off)
            await self.settle()
            self._closing = begun.pop_all()
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
        elif manifest.endswith(".toml"):
            raise TypeError(f"a text is what stands in a manifest; for its file hand over Path({manifest!r})")
        else:
            registered = parse_manifest(manifest.encode(), "the manifest")
        self._machine.install(registered, main or main_of(_program(registered)))
        return registered.id

    async def remove(self, app: str) -> None:
        """As ``frontdesk apps remove``."""
        self._machine.remove(self._known(app))
        await self.settle()

    async def restart(self) -> None:
        """The desk is killed (SIGKILL) and comes back from what it had saved; apps find it again (contract L06)."""
        machine = self._machine
        machine.kill_desk()
        machine.start_desk()
        await self.settle()
        awake = [each for each in machine.running() if not each.frozen]
        await self.until(
            lambda: all(each.over or machine.door.clients.is_connected(each.app) for each in awake), within=30.0
        )

    # --- time -----------------------------------------------------------------------------------------------------

    def time(self) -> float:
        """Seconds since 1970, as the person's clock shows them."""
        return self._machine.time()

    async def settle(self) -> None:
        """Until nothing is left to run at this moment; work in threads is waited for. ``StillBusy`` when it never ends.

        An app that talks to the network is at rest while it waits for an answer: use ``until_real``.
        """
        await self._clock.rest()

    async def advance(
        self, seconds: float = 0.0, *, minutes: float = 0.0, hours: float = 0.0, days: float = 0.0
    ) -> None:
        """Let time pass: every timer of the desk and of the apps runs at its moment, in order. ``ValueError``: back."""
        passing = seconds + 60 * minutes + 3600 * hours + 86400 * days
        if not passing >= 0.0:
            raise ValueError(f"Time does not pass by {passing:g} s; set_wall_clock() sets the person's clock back.")
        await self._clock.move_to(self._clock.time() + passing)

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
        self._machine.desk_clock.sleep(seconds)
        await self._tell(ev.TimePassed())

    async def set_wall_clock(self, to: float) -> None:
        """Somebody sets the clock of the machine; ``to`` in seconds since 1970 (contract S07)."""
        self._machine.ahead = to - self._machine.desk_clock.now()
        await self._tell(self._machine.wall_clock())

    # --- what the person does -------------------------------------------------------------------------------------

    async def open(self, app: str) -> None:
        """As a click on its icon: launched or woken, and told to show itself."""
        await self._tell(ev.OpenAsked(self._known(app)))

    async def start_by_hand(self, app: str) -> None:
        """Its command is typed in a terminal; a second start opens the first (contract X04)."""
        self._machine.run(self._known(app))
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
        seen = _value_of(condition, value)
        self._machine.conditions[condition] = value
        await self._tell(ev.ConditionSeen(seen, value, SOURCE))

    async def memory_short(self) -> None:
        """The machine is short of memory (contract L03)."""
        await self._tell(ev.MemoryShort())

    async def push(self, app: str, subscription: str, data: bytes, *, ttl: float | None = None) -> None:
        """A sender pushes to that subscription. ``LookupError``: the app has not subscribed, or gave it up."""
        found = self._machine.core.subscriptions.named(self._known(app), subscription)
        if found is None:
            raise LookupError(f"{app} has no subscription {subscription!r}; it makes one with App.subscribe().")
        await self._tell(ev.PushArrived(found.channel, self._machine.new_version(), data, ttl))

    async def kill(self, app: str) -> None:
        """Its process dies (SIGKILL). What it does in ``finally`` still runs here, and reaches nobody.

        ``LookupError``: it does not run.
        """
        running = [process for process in self._machine.running() if process.app == self._known(app)]
        if not running:
            raise LookupError(f"{app} does not run.")
        running[0].kill()
        await self.settle()

    def uses(self, app: str, *, cpu: float | None = 0.0, memory: int | None = 0) -> None:
        """What the app is found to use when it is measured: seconds of processor time so far, bytes (L08, L09)."""
        self._machine.uses[self._known(app)] = (cpu, memory)

    # --- by hand (contract S17) -----------------------------------------------------------------------------------

    async def simulate_launch(self, identifier: str, app: str = "") -> None:
        """Launch a pending task now, whatever stands in its way. ``RefusedError`` when there is none."""
        await self._simulate(identifier, app, expire=False)

    async def simulate_expire(self, identifier: str, app: str = "") -> None:
        """Expire a running task now. ``RefusedError`` when it does not run."""
        await self._simulate(identifier, app, expire=True)

    async def force_condition(self, condition: Condition, value: str) -> None:
        """As ``frontdesk simulate condition``: in force until lifted, whatever the machine is like. ``ValueError``."""
        if not value:
            raise ValueError(f"{condition} cannot be made unknown; lift_condition() ends what is in force.")
        await self._tell(ev.ConditionForced(_value_of(condition, value), value))

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
        now, core = self._machine.desk_clock.now(), self._machine.core
        return DeskStatus(
            now=now,
            pid=0,
            version=VERSION,
            apps=core.statuses(now),
            shown=core.notifications.shown(),
            happenings=core.history.happenings(),
            spans=core.history.spans(),
            since=self._machine.began,
            conditions=core.conditions.readings(),
        )

    def explain(self, of: str = "all") -> tuple[Explanation, ...]:
        """Why tasks do not run now: of an app by its id, of an identifier, or of everything (contract S16)."""
        return self._machine.core.explain(of, self._machine.desk_clock.now())

    def pending(self, app: str) -> tuple[PendingTask, ...]:
        """Requests that the desk keeps for it, those that run included (contract S13)."""
        return self._machine.core.pending(self._known(app))

    def receipts(self, app: str) -> tuple[Receipt, ...]:
        """How its runs ended, newest first (contract L05)."""
        return self._machine.store.receipts(app)

    def task_receipts(self, app: str) -> tuple[TaskReceipt, ...]:
        """Runs of its scheduled tasks that were expired or given up, newest first."""
        return self._machine.store.task_receipts(app)

    def shown(self) -> tuple[Shown, ...]:
        """Notifications in the desk's list, newest first."""
        return self._machine.core.notifications.shown()

    def addresses(self) -> tuple[str, ...]:
        """What apps had opened in the person's browser (``App.show_address``) since the desk was started."""
        return tuple(self._machine.door.addresses)

    # --- inside ---------------------------------------------------------------------------------------------------

    async def _tell(self, event: ev.Event) -> None:
        self._machine.post(event)
        await self.settle()

    async def _simulate(self, identifier: str, app: str, *, expire: bool) -> None:
        answer = self._machine.simulate(identifier, app, expire=expire)
        await self.settle()
        if isinstance(said := answer.result(), wire.Refused):
            raise refused(said.reason, said.text)

    def _known(self, app: str) -> str:
        if not self._machine.knows(app):
            raise RefusedError(Refusal.UNKNOWN_APP, f"No app {app} is installed at this desk: install() comes first.")
        return app

    def _in_words(self) -> str:
        return ", ".join(f"{row.app} is {row.state}" for row in self.status().apps)


_LOOK = 0.02
"""Real seconds between two looks at something that the desk cannot be told of."""


def _value_of(condition: Condition, value: str) -> Condition:
    """The condition, which can be so; "" is unknown."""
    condition = Condition(condition)
    values = VALUES[condition]
    if value and value not in values:
        can_be = " or ".join(map(repr, values)) if len(values) < 10 else f"{values[0]!r} to {values[-1]!r}"
        raise ValueError(f"{condition} can be {can_be}, and is unknown with ''; not {value!r}.")
    return condition


def _program(manifest: Manifest) -> Path:
    """The Python file in its command."""
    for word in manifest.command:
        if word.endswith(".py") and Path(word).is_file():
            return Path(word)
    raise ValueError(
        f"The command of {manifest.id} names no Python file ({' '.join(manifest.command)}): hand install() its main."
    )
