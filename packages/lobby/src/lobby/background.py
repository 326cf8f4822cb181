"""Lobby's life with the desk: asleep when nobody looks, woken for messages, held awake to finish sending.

The only file of Lobby that imports frontdesk.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import frontdesk
from lobby.account_alerts import AccountAlerts
from lobby.accounts import Accounts
from lobby.core.alerts import NOWHERE, Alert, Place, id_in_account, of_account, place_of
from lobby.core.views import Change
from lobby.errands import Errands
from lobby.errors import LobbyError
from lobby.matrix.pusher import PushTarget
from lobby.matrix_messenger import MatrixMessenger
from lobby.open_answers import OpenAnswers
from lobby.scheduled import REFRESH, UPKEEP, Scheduled
from lobby.store import Store

SUBSCRIPTION = "messages"

log = logging.getLogger("lobby")


class AlreadyRunning(LobbyError):
    """Another Lobby on the same folder runs, and has been opened instead (contract X04)."""


class NoDesk(LobbyError):
    """There is no desk to talk to."""


class DeskRefused(LobbyError):
    """The desk did not do what it was asked to, or could not be reached."""


class DeskGuard:
    """Holds this process awake through background tasks of the desk (``sending.Guard``)."""

    def __init__(self, app: frontdesk.App) -> None:
        self._app = app

    def begin(self, name: str, on_expiry: Callable[[], None]) -> int:
        return self._app.begin_background_task(name, on_expiry)

    def end(self, task: int) -> None:
        self._app.end_background_task(task)


class DeskSchedule:
    """Asks the desk for time (``scheduled.Schedule``). ``manifest``: Lobby's, as it is now."""

    def __init__(self, app: frontdesk.App, manifest: Path) -> None:
        self._app = app
        self._manifest = manifest

    async def want_refresh(self, earliest: float, keep: bool) -> None:
        await self._submit(frontdesk.RefreshTask(REFRESH, earliest, requires_network=True), keep)

    async def want_upkeep(self, earliest: float, keep: bool) -> None:
        retry = frontdesk.Retry()
        await self._submit(frontdesk.ProcessingTask(UPKEEP, earliest, requires_external_power=True, retry=retry), keep)

    async def _submit(self, request: frontdesk.TaskRequest, keep: bool) -> None:
        existing = frontdesk.ExistingWork.KEEP if keep else frontdesk.ExistingWork.REPLACE
        with _refusals():
            try:
                await self._app.scheduler.submit(request, existing)
            except frontdesk.RefusedError as error:
                if error.reason is not frontdesk.Refusal.NOT_PERMITTED:
                    raise
                # The desk knows the manifest of an earlier Lobby, which declared less.
                async with frontdesk.DeskControl() as desk:
                    await desk.add_app(self._manifest)
                await self._app.scheduler.submit(request, existing)


class Background:
    """Ties Lobby to the desk: its life, and each account's messages. ``open_page`` is asked to show a place."""

    def __init__(
        self,
        app: frontdesk.App,
        manifest: Path,
        accounts: Accounts,
        clock: Callable[[], float],
        open_page: Callable[[Place], Awaitable[None]],
    ) -> None:
        self._app = app
        self._accounts = accounts
        self._clock = clock
        self._open_page = open_page
        self._connected = False
        self._errands = Errands(LobbyError, frontdesk.FrontdeskError, level=logging.WARNING)
        self._ties: dict[int, AccountTies] = {}
        self._answers = OpenAnswers(DeskGuard(app), lambda: app.state_is_foreground)
        app.on_entered_background = self._entered_background
        app.on_resumed = self._resumed
        app.on_open = self._opened
        app.on_action = self._acted
        app.on_quit = accounts.stop
        app.on_subscription_changed = self._subscription_changed
        self._scheduled = Scheduled(DeskSchedule(app, manifest), accounts, clock)
        app.scheduler.register(REFRESH, lambda task: self._scheduled.refresh())
        app.scheduler.register(UPKEEP, lambda task: self._scheduled.upkeep())
        for number in accounts.numbers():
            self._tie(number)
        accounts.on_opened = self._tie
        accounts.on_closed = self._untie

    async def start(self) -> None:
        """Connect to the desk (one is started when none runs), then take up the outbox.

        Raises AlreadyRunning, or NoDesk: Lobby then works while its window is open, and no longer.
        """
        try:
            await self._app.start()
        except frontdesk.AlreadyRunning as error:
            raise AlreadyRunning("Lobby is running already; it has been opened.") from error
        except frontdesk.FrontdeskError as error:
            self._accounts.take_up_outbox()
            for messenger in self._accounts.messengers().values():
                messenger.pushing.failed(str(error))
            raise NoDesk(f"{error} Messages arrive only while Lobby's window is open.") from error
        self._connected = True
        self._accounts.take_up_outbox()
        for receipt in self._app.receipts:
            log.warning("An earlier run ended: %s", receipt.text)
        for ties in self._ties.values():
            ties.connected()
        self._errands.start(self._scheduled.ask())

    async def stop(self) -> None:
        """Leave the desk."""
        for ties in self._ties.values():
            await ties.stop()
        await self._errands.drop()
        await self._app.close()

    def on_visible(self, visible: bool) -> None:
        """The first visible page has come, or the last one has been gone for a while."""
        if visible:
            self._app.report_foreground()
            self._accounts.foreground()
            for ties in self._ties.values():
                ties.subscribe_if_need_be()
            if self._connected:
                self._errands.start(self._scheduled.ask())
        else:
            self._answers.unseen()
            self._app.report_background()
            for messenger in self._accounts.messengers().values():
                messenger.notice("")
            if not self._connected:
                self._errands.start(self._accounts.background())

    def on_looking(self, numbers: frozenset[int]) -> None:
        """These accounts are what visible pages show."""
        for number, ties in self._ties.items():
            ties.looking(number in numbers)

    def answering(self) -> contextlib.AbstractContextManager[None]:
        """Not suspended in the middle of an answer to a browser."""
        return self._answers.answering()

    # What the desk tells

    async def _entered_background(self) -> None:
        """The person may be back before this is heard, or while the long poll is being ended."""
        if not self._app.state_is_foreground:
            await self._accounts.background()
        if self._app.state_is_foreground:
            self._accounts.foreground()

    async def _resumed(self, slept_for: float) -> None:
        log.info("Slept for %.0f s.", slept_for)
        await self._accounts.drop_connections()

    async def _opened(self) -> None:
        await self._open_page(NOWHERE)

    async def _acted(self, alert_id: str, action_id: str) -> None:
        await self._open_page(place_of(alert_id))

    async def _subscription_changed(self, subscription: frontdesk.Subscription) -> None:
        for ties in self._ties.values():
            if ties.subscription == subscription.name:
                await ties.push_to(subscription)

    # What the accounts tell

    def _tie(self, number: int) -> None:
        messenger, store = self._accounts.messenger(number), self._accounts.store(number)
        if messenger is None or store is None:
            return
        ties = AccountTies(self._app, number, messenger, store, self._clock, self._name_of)
        self._ties[number] = ties
        if self._connected:
            ties.connected()
            self._errands.start(self._scheduled.ask())

    async def _untie(self, number: int) -> None:
        ties = self._ties.pop(number, None)
        if ties is not None:
            await ties.end()

    def _name_of(self, number: int) -> str:
        """What tells this account from the others; empty: there are none."""
        messenger = self._accounts.messenger(number)
        account = messenger.account() if messenger else None
        return account.user_id if account and len(self._accounts.numbers()) > 1 else ""


class AccountDesk:
    """The desk as one account has it (``account_alerts.AlertDesk``).

    ``name_of``: what tells the account of that number from the others; empty where there are no others.
    """

    def __init__(self, app: frontdesk.App, number: int, name_of: Callable[[int], str]) -> None:
        self._app = app
        self._number = number
        self._name_of = name_of
        self.connected = False
        """Whether there is a desk."""

    @property
    def foreground(self) -> bool:
        return self._app.state_is_foreground

    async def notify(self, alert: Alert, quiet: bool = False) -> None:
        with _refusals():
            await self._app.notify(self.notification(alert, quiet))

    async def withdraw(self, alert_id: str) -> None:
        with _refusals():
            await self._app.withdraw(id_in_account(alert_id, self._number))

    @contextlib.asynccontextmanager
    async def awake(self, name: str) -> AsyncIterator[None]:
        with _refusals():
            async with self._app.background_task(name):
                yield

    def notification(self, alert: Alert, quiet: bool = False) -> frontdesk.Notification:
        """The alert as the desk knows it, among those of all accounts."""
        shown = of_account(alert, self._number, self._name_of(self._number))
        level = frontdesk.Level.PASSIVE if quiet else frontdesk.Level.ACTIVE
        return frontdesk.Notification(id=shown.id, title=shown.title, body=shown.body, level=level)


class AccountTies:
    """What one account has with the desk: its subscription, and what the person is told of it.

    ``name_of``: what tells the account of that number from the others; empty where there are no others.
    """

    def __init__(
        self,
        app: frontdesk.App,
        number: int,
        messenger: MatrixMessenger,
        store: Store,
        clock: Callable[[], float],
        name_of: Callable[[int], str],
    ) -> None:
        self.subscription = SUBSCRIPTION if number == 1 else f"{SUBSCRIPTION}-{number}"
        self._app = app
        self._number = number
        self._messenger = messenger
        self._desk = AccountDesk(app, number, name_of)
        self._alerts = AccountAlerts(self._desk, messenger, store, clock, waiting=SUBSCRIPTION)
        self._subscribed = False
        self._subscribing = False
        self._errands = Errands(frontdesk.FrontdeskError, level=logging.WARNING)
        app.push_handler(self.subscription)(self._pushed)
        messenger.subscribe(self._changed)

    def connected(self) -> None:
        """There is a desk from now on."""
        self._desk.connected = True
        self._alerts.connected()
        self.subscribe_if_need_be()

    async def stop(self) -> None:
        """Lobby ends; the account stays."""
        await self._alerts.stop()
        await self._errands.drop()

    async def end(self) -> None:
        """The account was logged out: nothing is pushed for it any more, and nothing of it is shown."""
        await self.stop()
        if not self._desk.connected:
            return
        try:
            await self._app.unsubscribe(self.subscription)
        except frontdesk.FrontdeskError as error:
            log.warning("The desk does not know yet that nothing is pushed to this account any more: %s", error)
        try:
            for alert_id in _shown(await _desk_status(), self._app.id, self._number):
                await self._app.withdraw(alert_id)
        except (NoDesk, frontdesk.FrontdeskError) as error:
            log.warning("The desk may still show messages of an account that is logged out: %s", error)

    def looking(self, looked_at: bool) -> None:
        """Whether a visible page shows this account."""
        self._alerts.looking(looked_at)

    async def _pushed(self, push: frontdesk.Push) -> frontdesk.Answer:
        """A changeable alert: fetch what it is about, then say what to show (contract P02)."""
        try:
            alert = await self._alerts.answer(push.id, push.data)
        except (LobbyError, TimeoutError) as error:
            why = "the homeserver is too slow" if isinstance(error, TimeoutError) else error
            log.warning("A message is there, but could not be fetched: %s", why)
            return frontdesk.SHOW_AS_IT_IS
        return frontdesk.SHOW_NOTHING if alert is None else frontdesk.ShowThis(self._desk.notification(alert))

    def _changed(self, change: Change) -> None:
        if change.kind == "account":
            self.subscribe_if_need_be()
            self._alerts.account_changed()
        elif change.kind == "encryption":
            self._alerts.verifications_changed()

    # Pushes

    def subscribe_if_need_be(self) -> None:
        """Asked at every occasion: the homeserver may have been away, or have forgotten the pusher with a login."""
        pushing = self._messenger.pushing
        arranged = self._messenger.account() is None or (self._subscribed and pushing.reached)
        if self._desk.connected and not arranged and not self._subscribing:
            self._subscribing = True
            self._errands.start(self._subscribe())

    async def _subscribe(self) -> None:
        try:
            fallback = self._desk.notification(Alert(SUBSCRIPTION, "Lobby", "New message"))
            subscription = await self._app.subscribe(
                self.subscription, kind=frontdesk.PushKind.CHANGEABLE_ALERT, fallback=fallback
            )
            self._subscribed = True
            await self.push_to(subscription)
        except frontdesk.FrontdeskError as error:
            self._messenger.pushing.failed(str(error))
            raise
        finally:
            self._subscribing = False

    async def push_to(self, subscription: frontdesk.Subscription) -> None:
        """Tell the homeserver; until it has heard, this process is not put to sleep for as long as the desk allows."""
        target = PushTarget(subscription.endpoint, subscription.p256dh, subscription.auth)
        try:
            async with self._app.background_task("tell the homeserver where to push"):
                await self._messenger.pushing.to(target)
        except (LobbyError, frontdesk.TaskExpired) as error:
            log.warning("The homeserver is told at the next contact where to push. %s", error)


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """What the desk refuses is known to the rest of Lobby as DeskRefused."""
    try:
        yield
    except frontdesk.FrontdeskError as error:
        raise DeskRefused(str(error)) from error


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


async def dismiss_all(app_id: str, number: int) -> None:
    """Have the desk show nothing of that account any more, when no Lobby runs. Raises NoDesk: it was not reached."""
    try:
        async with frontdesk.DeskControl() as desk:
            for alert_id in _shown(await desk.status(), app_id, number):
                await desk.dismiss(app_id, alert_id)
    except frontdesk.FrontdeskError as error:
        raise NoDesk(str(error)) from error


def _shown(status: frontdesk.DeskStatus, app_id: str, number: int) -> list[str]:
    """What the desk shows of that account, whichever run of Lobby has had it shown."""
    ids = [shown.notification.id for shown in status.shown if shown.app == app_id]
    return [alert_id for alert_id in ids if place_of(alert_id).account == number]


async def _status(app_id: str) -> frontdesk.AppStatus | None:
    return next((status for status in (await _desk_status()).apps if status.app == app_id), None)


async def _desk_status() -> frontdesk.DeskStatus:
    try:
        async with frontdesk.DeskControl() as desk:
            return await desk.status()
    except frontdesk.FrontdeskError as error:
        raise NoDesk(str(error)) from error
