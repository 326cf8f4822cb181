"""``App``: what a program makes of itself to live with the desk. Holds the parts; decides nothing."""

import asyncio
import logging
import math
import secrets
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from frontdesk.app.background_tasks import BackgroundTasks, ExpirationHandler, GuardedWork
from frontdesk.app.cancellation import is_cancellation
from frontdesk.app.connection import DeskConnection
from frontdesk.app.launch import page_descriptor
from frontdesk.app.pushes import Pushes, PushHandler
from frontdesk.app.runs import ScheduledRuns
from frontdesk.app.scheduler import TaskScheduler
from frontdesk.app.surroundings import around
from frontdesk.errors import AlreadyRunning, DeskUnavailable, RefusedError
from frontdesk.terms import Notification, PushKind, Receipt, Refusal, Subscription, TaskReceipt, WakeReason
from frontdesk.wire import desk as wire

log = logging.getLogger("frontdesk")

SUBSCRIBE_WITHIN = 15.0
"""Seconds ``subscribe`` waits: the push service may have to be reached first."""

SCHEDULES_SINCE = 2
"""The version of the protocol from which on desks know scheduled tasks."""

RESUMED_WITHIN = 5.0
"""Seconds for which ``on_resumed`` may hold back what comes after it (L13)."""


class App:
    """One app, one process. Set the ``on_…`` functions and push handlers, then ``start`` (or ``async with``).

    ``id``: the id of its manifest. ``manifest``: path of the manifest; the desk reads it when it does not know the app
    yet. An app that a person starts by hand is in the foreground until it says otherwise.
    """

    def __init__(self, id: str, *, manifest: Path | str | None = None) -> None:
        self.id = id
        self.why = WakeReason.BY_HAND
        """Why this process runs."""
        self.receipts: tuple[Receipt, ...] = ()
        """How earlier runs ended, those the app has not been told of before (L05)."""
        self.task_receipts: tuple[TaskReceipt, ...] = ()
        """Runs of its scheduled tasks that were expired or given up, those the app has not been told of before."""
        self.background_available = True
        """Whether the person lets it run in the background (L10)."""
        self.state_is_foreground = False
        self.on_entered_background: Callable[[], Awaitable[None]] | None = None
        self.on_resumed: Callable[[float], Awaitable[None]] | None = None
        self.on_open: Callable[[], Awaitable[None]] | None = None
        self.on_quit: Callable[[], Awaitable[None]] | None = None
        self.on_action: Callable[[str, str], Awaitable[None]] | None = None
        self.on_subscription_changed: Callable[[Subscription], Awaitable[None]] | None = None
        self._manifest = "" if manifest is None else str(Path(manifest).absolute())
        self._run = secrets.token_hex(8)
        self._around = around()
        self._token = self._around.launch_token()
        self._page: socket.socket | None = None
        self._page_address = ""
        self._unlock: Callable[[], None] | None = None
        self._inbox: asyncio.Queue[wire.ToApp] = asyncio.Queue()
        self._listening: asyncio.Task[None] | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._quit = asyncio.Event()
        self._connection: DeskConnection | None = None
        self._tasks = BackgroundTasks(
            self._send,
            lambda: self._connection is not None and self.background_available,
            lambda: self._around.monotonic(),
        )
        self._pushes = Pushes(self._send)
        self._runs = ScheduledRuns(self._send, lambda: self._around.monotonic())
        self.scheduler = TaskScheduler(self._runs, self._manifest, lambda: self._connection is not None, self._asking)
        """Scheduled tasks: handlers, and requests (S01 – S19)."""
        self._ready = 0
        """The last ``EnteredBackground`` that was answered."""

    # --- coming and going -----------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Connect; start a desk when none runs (L14).

        ``AlreadyRunning``: another process of this app is there and has been opened instead; leave with status 0
        (X04). ``DeskUnavailable``: no desk, and none could be started. ``RefusedError``: the desk says why not, or a
        handler is registered for a scheduled task that the manifest does not declare (S01).
        ``FrontdeskError``: a folder or lock of frontdesk's cannot be made.
        """
        # An app that is made when its module is imported may be started in another place than it was made in.
        self._around = around()
        self._token = self._around.launch_token()
        if self.state_is_foreground is False and not self._token:
            self.state_is_foreground = True
        self._unlock = self._around.take_lock(self.id)
        if self._unlock is None:
            await self._open_first()
        self._connection = self._connect(self._hello, self._received, self._around.start_desk)
        try:
            welcome = await self._connection.open()
        except BaseException:
            self._connection = None
            self._release()
            raise
        if welcome.version >= SCHEDULES_SINCE:
            try:
                self.scheduler.check_declared(welcome.declared)
            except RefusedError:
                await self.close()
                raise
        self.why = welcome.why
        self._listening = asyncio.create_task(self._listen(), name="frontdesk messages")

    async def close(self) -> None:
        """Leave the desk; open background tasks are released by it."""
        if self._listening is not None:
            self._listening.cancel()
        for running in self._running:
            running.cancel()
        self._runs.close()
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
        self._release()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def run_until_quit(self) -> None:
        """Returns when the person quit the app, or SIGTERM or SIGINT came."""
        with self._around.asked_to_leave(self._quit.set):
            await self._quit.wait()

    def page_socket(self, port: int = 0) -> socket.socket:
        """The listening socket of the app's page on 127.0.0.1; call it before ``start``.

        The desk keeps the other end: the page can be visited while the app sleeps or is stopped, and the visit wakes
        it (L11). Launched by the desk, the app inherits it; else a new one is bound to ``port`` (0: any that is free).
        """
        if self._page is None:
            inherited = page_descriptor()
            if inherited is not None:
                self._page = socket.socket(fileno=inherited)
                self._page.set_inheritable(False)
            else:
                self._page = socket.create_server(("127.0.0.1", port), backlog=128)
        return self._page

    def set_page_address(self, address: str) -> None:
        """What people see in ``frontdesk status``; without any secret. Call it before ``start``."""
        self._page_address = address

    def time(self) -> float:
        """Seconds since 1970, for ``earliest_begin`` say; as the test has it where ``frontdesk.testing`` runs it."""
        return self._around.time()

    # --- foreground and background --------------------------------------------------------------------------------

    def report_foreground(self) -> None:
        """A person can see the app. Repeating it is harmless."""
        if not self.state_is_foreground:
            self.state_is_foreground = True
            self._send(wire.Foreground())

    def report_background(self) -> None:
        """Nobody can see the app any more. Repeating it is harmless."""
        if self.state_is_foreground:
            self.state_is_foreground = False
            self._send(wire.Background())

    # --- background tasks -----------------------------------------------------------------------------------------

    def begin_background_task(self, name: str, expiration_handler: ExpirationHandler | None = None) -> int:
        """Keep the app from being suspended until ``end_background_task``; see ``BackgroundTasks.begin``."""
        return self._tasks.begin(name, expiration_handler)

    def end_background_task(self, task: int) -> None:
        """The work is done; all ended and in the background: the app is suspended at once (A02)."""
        self._tasks.end(task)

    def background_task(self, name: str) -> GuardedWork:
        """``async with app.background_task(name):`` – the form that cannot leak (A12)."""
        return GuardedWork(self._tasks, name)

    def background_time_remaining(self) -> float:
        """Seconds; infinite in the foreground (A03)."""
        # The desk's word to the same effect is still on its way for a moment after ``report_foreground``.
        return math.inf if self.state_is_foreground else self._tasks.remaining()

    # --- pushes and notifications ---------------------------------------------------------------------------------

    def push_handler(self, subscription: str) -> Callable[[PushHandler], PushHandler]:
        """Decorator: this function answers the changeable alerts of that subscription, within 25 s (P02)."""

        def keep(handler: PushHandler) -> PushHandler:
            self._pushes.on(subscription, handler)
            return handler

        return keep

    async def subscribe(self, name: str, *, kind: PushKind, fallback: Notification | None = None) -> Subscription:
        """Where senders push to; the same each time for the same name, until ``on_subscription_changed`` (P01).

        ``fallback`` is shown when the app does not answer a changeable alert in time; None: nothing is.
        ``RefusedError`` with ``push_unavailable``: no push service is set, or it cannot be reached now.
        """
        answer = await self._asking().ask(
            lambda request: wire.Subscribe(request, name, kind, fallback), wire.Subscribed, SUBSCRIBE_WITHIN
        )
        return answer.subscription

    async def unsubscribe(self, name: str) -> None:
        """Senders are told that it is gone (RFC 8030 §7.3)."""
        await self._asking().ask(lambda request: wire.Unsubscribe(request, name), wire.Done)

    async def notify(self, notification: Notification) -> None:
        """Show it, in place of one with the same id (N03)."""
        await self._asking().ask(lambda request: wire.Notify(request, notification), wire.Done)

    async def show_address(self, address: str) -> None:
        """Open a web address, the app's own page say, in the person's browser.

        The desk does it: a browser that the app started itself would be suspended with the app. ``RefusedError`` with
        ``unavailable`` when none can be opened, with ``not_permitted`` when the app is neither in the foreground nor
        being opened by the person (10 s after ``on_open`` or ``on_action``).
        """
        await self._asking().ask(lambda request: wire.ShowAddress(request, address), wire.Done)

    async def withdraw(self, notification_id: str) -> None:
        """Take it back, if it is still shown: read elsewhere, say (N03)."""
        await self._asking().ask(lambda request: wire.Withdraw(request, notification_id), wire.Done)

    # --- inside ---------------------------------------------------------------------------------------------------

    def _asking(self) -> DeskConnection:
        if self._connection is None:
            raise DeskUnavailable(f"{self.id} is not started: call start() first, or use `async with app:`.")
        return self._connection

    def _send(self, message: wire.ToDesk) -> bool:
        return self._connection is not None and self._connection.send(message)

    def _hello(self) -> tuple[wire.Opening, list[int]]:
        hello = wire.Hello(
            app=self.id,
            run=self._run,
            oldest=wire.OLDEST,
            newest=wire.NEWEST,
            token=self._token,
            manifest=self._manifest,
            python=sys.executable,
            page=self._page_address,
            foreground=self.state_is_foreground,
            tasks=self._tasks.opened(),
            pushes=self._pushes.in_hand(),
            runs=self._runs.in_hand(),
        )
        return hello, [] if self._page is None else [self._page.fileno()]

    async def _open_first(self) -> None:
        """Another process has the lock: have it opened, and say so to ours."""
        opening = wire.OpenFirst(self.id, wire.OLDEST, wire.NEWEST)
        connection = self._connect(lambda: (opening, []), lambda message: None, None)
        try:
            await connection.open()
        finally:
            await connection.close()
        raise AlreadyRunning(Refusal.ALREADY_RUNNING, f"{self.id} is running already; that one has been opened.")

    def _release(self) -> None:
        if self._unlock is not None:
            self._unlock()
            self._unlock = None

    def _connect(
        self,
        opening: Callable[[], tuple[wire.Opening, list[int]]],
        on_message: Callable[[wire.ToApp], None],
        start_desk: Callable[[], None] | None,
    ) -> DeskConnection:
        return DeskConnection(
            self._around.desk_socket(), opening, on_message, start_desk, reach=self._around.reach_desk
        )

    def _received(self, message: wire.ToApp) -> None:
        match message:
            case wire.Welcome(receipts=receipts, task_receipts=task_receipts, background_available=available):
                self.receipts += receipts
                self.task_receipts += task_receipts
                self.background_available = available
                self._pushes.repeat_answers()
                self._runs.repeat()
                if self._ready:
                    # The desk that was told may have died over it.
                    self._send(wire.Ready(self._ready))
            case wire.TimeBox() | wire.ExpireTasks() | wire.TaskProblem():
                # Not through the inbox: time that runs out must not wait behind a slow on_resumed.
                self._tasks.handle(message)
            case wire.BackgroundIs(available=available):
                self.background_available = available
            case wire.ExpireRuns() | wire.RunKept():
                self._runs.take(message)
            case wire.RunTasks():
                self._runs.take(message)
                self._inbox.put_nowait(message)
            case _:
                self._inbox.put_nowait(message)

    async def _listen(self) -> None:
        while True:
            message = await self._inbox.get()
            match message:
                case wire.Resumed(slept_for=slept_for):
                    await self._first_of_all(slept_for)
                case wire.Push() | wire.PushKept():
                    self._pushes.handle(message)
                case wire.RunTasks():
                    self._runs.start(message)
                case wire.EnteredBackground(transition=transition):
                    self._spawn(self._entered_background(transition))
                case wire.SubscriptionChanged(subscription=subscription):
                    self._spawn(self._subscription_changed(subscription))
                case wire.Open() if self.on_open is not None:
                    self._spawn(_called(self.on_open))
                case wire.Pressed(notification=notification, action=action):
                    self._spawn(self._pressed(notification, action))
                case wire.Quit():
                    self._spawn(self._quitting())

    async def _first_of_all(self, slept_for: float) -> None:
        """L13: what made us wake waits until the app has put its connections and files in order."""
        if self.on_resumed is None:
            return
        _, late = await asyncio.wait(self._started(_called(self.on_resumed, slept_for)), timeout=RESUMED_WITHIN)
        if late:
            log.warning("on_resumed takes over %g s: what comes after it is handled meanwhile.", RESUMED_WITHIN)

    async def _entered_background(self, transition: int) -> None:
        try:
            if self.on_entered_background is not None:
                await self.on_entered_background()
        finally:
            self._ready = transition
            self._send(wire.Ready(transition))

    async def _pressed(self, notification: str, action: str) -> None:
        """Whoever presses a notification wants to see the app, if the app makes no more of it."""
        if self.on_action is not None:
            await self.on_action(notification, action)
        elif self.on_open is not None:
            await self.on_open()

    async def _subscription_changed(self, subscription: Subscription) -> None:
        """Senders are to be told before the app sleeps again: until then their pushes reach nobody (P01)."""
        if self.on_subscription_changed is not None:
            async with self.background_task(f"new endpoint of {subscription.name}"):
                await self.on_subscription_changed(subscription)

    async def _quitting(self) -> None:
        try:
            if self.on_quit is not None:
                await self.on_quit()
        finally:
            self._quit.set()

    def _spawn(self, work: Awaitable[None]) -> None:
        self._started(work)

    def _started(self, work: Awaitable[None]) -> set[asyncio.Task[None]]:
        running = asyncio.ensure_future(_logged(work))
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return {running}


async def _called(function: Callable[..., Awaitable[None]], *words: object) -> None:
    """Called inside: a function that fails before it is awaited fails alone, too."""
    await function(*words)


def _logged(work: Awaitable[None]) -> Coroutine[Any, Any, None]:
    async def run() -> None:
        try:
            await work
        except (Exception, asyncio.CancelledError) as error:
            if is_cancellation(error):
                raise
            log.exception("A function of the app failed.")

    return run()
