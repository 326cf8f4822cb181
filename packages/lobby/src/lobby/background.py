"""Lobby's life with the desk: asleep when nobody looks, woken for messages, held awake to finish sending.

The only file of Lobby that imports frontdesk.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator
from itertools import groupby
from pathlib import Path

import frontdesk
from lobby.arrival import Arrivals
from lobby.core.alerts import UNSENT, Alert, Pushed, read_push, room_of, unsent_alert
from lobby.core.timeline import Draft
from lobby.core.views import Change
from lobby.errands import Errands
from lobby.errors import LobbyError
from lobby.matrix.pusher import PushTarget
from lobby.matrix_messenger import MatrixMessenger
from lobby.store import Store
from lobby.teller import Teller

SUBSCRIPTION = "messages"

PUSH_TIME = 16.0
"""Seconds to fetch what a push is about. What is known may wait for others a moment (``telling.LONGEST``); the desk
waits 25 s, of which the last 5 are for tidying up (contract P02), and then shows the fallback itself."""

log = logging.getLogger("lobby")


class AlreadyRunning(LobbyError):
    """Another Lobby on the same folder runs, and has been opened instead (contract X04)."""


class NoDesk(LobbyError):
    """There is no desk to talk to."""


class DeskGuard:
    """Holds this process awake through background tasks of the desk (``sending.Guard``)."""

    def __init__(self, app: frontdesk.App) -> None:
        self._app = app

    def begin(self, name: str, on_expiry: Callable[[], None]) -> int:
        return self._app.begin_background_task(name, on_expiry)

    def end(self, task: int) -> None:
        self._app.end_background_task(task)


class Background:
    """Ties a messenger to the desk. ``open_page`` is asked to show the page, at a chat or as it was left (None)."""

    def __init__(
        self,
        app: frontdesk.App,
        messenger: MatrixMessenger,
        store: Store,
        clock: Callable[[], float],
        open_page: Callable[[str | None], Awaitable[None]],
    ) -> None:
        self._app = app
        self._messenger = messenger
        self._arrivals = Arrivals(messenger)
        self._teller = Teller(store, messenger.chat, clock, self._show, self._withdraw)
        self._open_page = open_page
        self._connected = False
        self._subscribed = False
        self._subscribing = False
        self._errands = Errands(LobbyError, frontdesk.FrontdeskError, level=logging.WARNING)
        self._told: set[str] = set()
        self._withdrawn: set[str] = set()
        app.on_entered_background = self._entered_background
        app.on_resumed = self._resumed
        app.on_open = self._opened
        app.on_action = self._acted
        app.on_quit = messenger.stop
        app.on_subscription_changed = self._subscription_changed
        app.push_handler(SUBSCRIPTION)(self._pushed)
        messenger.on_read = self._read
        messenger.on_unsent = self._unsent
        messenger.subscribe(self._changed)

    async def start(self) -> None:
        """Connect to the desk (one is started when none runs), then take up the outbox.

        Raises AlreadyRunning, or NoDesk: Lobby then works while its window is open, and no longer.
        """
        try:
            await self._app.start()
            self._connected = True
        except frontdesk.AlreadyRunning as error:
            raise AlreadyRunning("Lobby is running already; it has been opened.") from error
        except frontdesk.FrontdeskError as error:
            self._messenger.take_up_outbox()
            self._messenger.pushing.failed(str(error))
            raise NoDesk(f"{error} Messages arrive only while Lobby's window is open.") from error
        self._messenger.take_up_outbox()
        for alert_id in self._withdrawn:
            self._errands.start(self._app.withdraw(alert_id))
        for receipt in self._app.receipts:
            log.warning("An earlier run ended: %s", receipt.text)
        self._subscribe_when_logged_in()

    async def stop(self) -> None:
        """Leave the desk."""
        self._teller.stop()
        await self._errands.drop()
        await self._app.close()

    def on_visible(self, visible: bool) -> None:
        """The first visible page has come, or the last one has been gone for a while."""
        if visible:
            self._app.report_foreground()
            self._messenger.foreground()
            self._subscribe_when_logged_in()
            # The page says all of this better; some of it an earlier run has told, or the desk by itself.
            for alert_id in (SUBSCRIPTION, *(UNSENT + room_id for room_id in self._messenger.reading.unsent_rooms())):
                self._withdraw(alert_id)
        else:
            self._app.report_background()
            self._messenger.notice("")
            if not self._connected:
                self._errands.start(self._messenger.background())

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """Not suspended in the middle of an answer to a browser; one that takes all the time there is may be."""
        open_tasks: list[int] = []

        def end() -> None:
            while open_tasks:
                self._app.end_background_task(open_tasks.pop())

        if not self._app.state_is_foreground:
            open_tasks.append(self._app.begin_background_task("answer the browser", end))
        try:
            yield
        finally:
            end()

    # What the desk tells

    async def _entered_background(self) -> None:
        """The person may be back before this is heard, or while the long poll is being ended."""
        if not self._app.state_is_foreground:
            await self._messenger.background()
        if self._app.state_is_foreground:
            self._messenger.foreground()

    async def _resumed(self, slept_for: float) -> None:
        log.info("Slept for %.0f s.", slept_for)
        await self._messenger.drop_connections()

    async def _opened(self) -> None:
        await self._open_page(None)

    async def _acted(self, alert_id: str, action_id: str) -> None:
        self._told.discard(alert_id)
        await self._open_page(room_of(alert_id) or None)

    async def _pushed(self, push: frontdesk.Push) -> frontdesk.Answer:
        """A changeable alert: fetch what it is about, then say what to show (contract P02)."""
        pushed = read_push(push.data)
        if pushed is None:
            return frontdesk.SHOW_NOTHING
        try:
            alert = await self._teller.answer(push.id, self._learn(pushed))
        except (LobbyError, TimeoutError) as error:
            why = "the homeserver is too slow" if isinstance(error, TimeoutError) else error
            log.warning("A message is there, but could not be fetched: %s", why)
            return frontdesk.SHOW_AS_IT_IS
        if alert is None:
            return frontdesk.SHOW_NOTHING
        self._told.add(alert.id)
        return frontdesk.ShowThis(_notification(alert))

    async def _learn(self, pushed: Pushed) -> Alert | None:
        async with asyncio.timeout(PUSH_TIME):
            return await self._arrivals.alert_for(pushed, self._app.state_is_foreground)

    async def _subscription_changed(self, subscription: frontdesk.Subscription) -> None:
        await self._push_to(subscription)

    # What the messenger tells

    def _changed(self, change: Change) -> None:
        if change.kind == "account":
            self._subscribe_when_logged_in()

    def _read(self, room_id: str) -> None:
        self._teller.read(room_id, self._app.state_is_foreground)
        if room_id in self._told or room_id not in self._withdrawn:
            self._withdraw(room_id)

    async def _unsent(self, drafts: list[Draft]) -> None:
        """Tell of what could not be sent, unless the person sees it on the page."""
        if self._app.state_is_foreground:
            return
        by_room = sorted(drafts, key=lambda draft: draft.item.room_id)
        for room_id, of_room in groupby(by_room, key=lambda draft: draft.item.room_id):
            chat = self._messenger.chat(room_id)
            alert = unsent_alert(room_id, chat.name if chat else "a chat", list(of_room))
            self._told.add(alert.id)
            try:
                await self._app.notify(_notification(alert))
            except frontdesk.FrontdeskError as error:
                log.warning("The person could not be told of unsent messages: %s", error)

    # Pushes

    def _subscribe_when_logged_in(self) -> None:
        """Asked at every occasion: the homeserver may have been away, or have forgotten the pusher with a login."""
        logged_in = self._messenger.account() is not None
        arranged = self._subscribed and self._messenger.pushing.reached if logged_in else not self._subscribed
        if self._connected and not arranged and not self._subscribing:
            self._subscribing = True
            self._errands.start(self._arrange())

    async def _arrange(self) -> None:
        """Subscribe or unsubscribe, until it is right for whoever has logged in or out meanwhile."""
        arranged_for: bool | None = None
        try:
            while (logged_in := self._messenger.account() is not None) is not arranged_for:
                arranged_for = logged_in
                try:
                    await (self._subscribe() if logged_in else self._unsubscribe())
                except (LobbyError, frontdesk.FrontdeskError) as error:
                    log.warning("%s", error)
        finally:
            self._subscribing = False

    async def _subscribe(self) -> None:
        try:
            fallback = frontdesk.Notification(id=SUBSCRIPTION, title="Lobby", body="New message")
            kind = frontdesk.PushKind.CHANGEABLE_ALERT
            subscription = await self._app.subscribe(SUBSCRIPTION, kind=kind, fallback=fallback)
            self._subscribed = True
            await self._push_to(subscription)
        except frontdesk.FrontdeskError as error:
            self._messenger.pushing.failed(str(error))
            raise

    async def _unsubscribe(self) -> None:
        await self._messenger.pushing.to(None)
        await self._app.unsubscribe(SUBSCRIPTION)
        self._subscribed = False

    async def _push_to(self, subscription: frontdesk.Subscription) -> None:
        """Tell the homeserver; until it has heard, this process is not put to sleep for as long as the desk allows."""
        target = PushTarget(subscription.endpoint, subscription.p256dh, subscription.auth)
        try:
            async with self._app.background_task("tell the homeserver where to push"):
                await self._messenger.pushing.to(target)
        except (LobbyError, frontdesk.TaskExpired) as error:
            log.warning("The homeserver is told at the next contact where to push. %s", error)

    def _show(self, alert: Alert) -> None:
        """Less than is shown: nobody's attention is called to it."""
        passive = frontdesk.Notification(alert.id, alert.title, alert.body, frontdesk.Level.PASSIVE)
        if self._connected:
            self._errands.start(self._app.notify(passive))

    def _withdraw(self, alert_id: str) -> None:
        self._told.discard(alert_id)
        self._withdrawn.add(alert_id)
        if self._connected:
            self._errands.start(self._app.withdraw(alert_id))


def new_app(app_id: str, manifest: Path) -> frontdesk.App:
    """Lobby as the desk knows it; does no I/O yet."""
    return frontdesk.App(app_id, manifest=manifest)


def page_socket(app: frontdesk.App, host: str) -> tuple[socket.socket, int, str]:
    """The page's listening socket, its port, the page's address: the desk's, so that a visit wakes Lobby (L11)."""
    listening = app.page_socket()
    port = int(listening.getsockname()[1])
    address = f"http://{host}:{port}/"
    app.set_page_address(address)
    return listening, port, address


async def open_lobby(app_id: str, manifest: Path) -> None:
    """Register Lobby with the desk and have it opened, wherever it is in its life. Raises NoDesk, LobbyError."""
    try:
        async with frontdesk.DeskControl() as desk:
            await desk.add_app(manifest)
            await desk.open(app_id)
    except frontdesk.DeskUnavailable as error:
        raise NoDesk(str(error)) from error
    except frontdesk.FrontdeskError as error:
        raise LobbyError(str(error)) from error


async def start_desk() -> None:
    """Start a desk in a session of its own, unless one runs. Raises NoDesk."""
    try:
        await asyncio.to_thread(frontdesk.start_desk)
    except frontdesk.DeskUnavailable as error:
        raise NoDesk(str(error)) from error


async def show_page(app: frontdesk.App, address: str) -> None:
    """Have the desk open the page: a browser of Lobby's own would be put to sleep with Lobby."""
    try:
        await app.show_address(address)
    except frontdesk.FrontdeskError as error:
        log.warning("%s", error)


async def page_address(app_id: str) -> str:
    """The address at which the desk keeps Lobby's page, asleep or not; empty: it has none yet. Raises NoDesk."""
    status = await _status(app_id)
    return status.page if status is not None else ""


async def is_running(app_id: str) -> bool:
    """Whether there is a process of Lobby, asleep or awake. Without a desk nobody knows: then False."""
    try:
        status = await _status(app_id)
    except NoDesk:
        return False
    return status is not None and status.state is not frontdesk.AppState.STOPPED


async def _status(app_id: str) -> frontdesk.AppStatus | None:
    try:
        async with frontdesk.DeskControl() as desk:
            found = await desk.status()
    except frontdesk.FrontdeskError as error:
        raise NoDesk(str(error)) from error
    return next((status for status in found.apps if status.app == app_id), None)


def _notification(alert: Alert) -> frontdesk.Notification:
    return frontdesk.Notification(id=alert.id, title=alert.title, body=alert.body)
