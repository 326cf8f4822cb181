"""The desk: puts core and shells together, carries out what the core wants, and ends in order. The keeper starts it."""

import asyncio
import importlib.metadata
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn
from urllib.parse import urlsplit

from frontdesk import places
from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.dispatcher import Dispatcher
from frontdesk.agent.core.setup import Setup
from frontdesk.agent.loop import DeskLoop
from frontdesk.agent.reception import Reception
from frontdesk.agent.shell import browser, desk_run
from frontdesk.agent.shell.clock import Clock, boot_id
from frontdesk.agent.shell.conditions import MachineConditions
from frontdesk.agent.shell.consumption import Consumption
from frontdesk.agent.shell.desk_log import write_down
from frontdesk.agent.shell.desk_run import DeskRun
from frontdesk.agent.shell.event_log import EventLog
from frontdesk.agent.shell.freezer import choose_freezer
from frontdesk.agent.shell.keeper_channel import KeeperChannel, KeeperLost
from frontdesk.agent.shell.kept_pages import KeptPages
from frontdesk.agent.shell.notifications import DesktopNotifications
from frontdesk.agent.shell.processes import Processes
from frontdesk.agent.shell.push_link import PushLink
from frontdesk.agent.shell.registry import Registry
from frontdesk.agent.shell.screen import Screen
from frontdesk.agent.shell.settings import Settings, SettingsWrong, read_settings
from frontdesk.agent.shell.store import Store, StoreFailed
from frontdesk.agent.steering import Steering
from frontdesk.environment import KEEPER_FD, LISTEN_FD, RECORD
from frontdesk.errors import FrontdeskError
from frontdesk.terms import AppState, DeskStatus
from frontdesk.wire.keeper import FAILED, HOPELESS

log = logging.getLogger("frontdesk.desk")

_TELL_WATCHERS_AFTER = 0.05
_STOP_WITHIN = 4.0


class Desk:
    """One run of the desk, from restored state to its end."""

    def __init__(self, settings: Settings, keeper: KeeperChannel, store: Store) -> None:
        self._settings = settings
        self._keeper = keeper
        self._store = store
        self._clock = Clock()
        self._since = self._clock.now()
        self._own_run = DeskRun(store, boot_id())
        self._version = importlib.metadata.version("frontdesk")
        self._event_log = EventLog(places.state_folder() / "events.log", lambda: secrets.token_hex(16))
        self._setup = Setup(
            settings.limits,
            self._version,
            settings.background_off,
            bool(settings.push_service),
            settings.memory_in_bytes,
        )
        self._dispatcher = Dispatcher(self._setup, self._event_log.draw)
        self._registry = Registry()
        self._screen = Screen()
        self._loop = DeskLoop(
            self._dispatcher, store, self._clock, self._carry_out, self._after_batch, self._event_log.batch
        )
        freezer = choose_freezer(str(places.runtime_folder()), settings.freezer)
        self._processes = Processes(keeper, freezer, self._loop.post, self._manifest)
        self._consumption = Consumption(freezer)
        self._pages = KeptPages(keeper, self._loop.post, self._start, self._page_port)
        self._desktop = DesktopNotifications(self._loop.post)
        self._conditions = MachineConditions(self._clock, self._loop.post)
        self._steering = Steering(
            self._dispatcher,
            self._registry,
            self._loop.post,
            now=self._clock.now,
            status=self._status,
            receipts=lambda app: store.receipts(app, self._clock.now() - settings.limits.receipts_kept),
            task_receipts=lambda app: store.task_receipts(app, self._clock.now() - settings.limits.receipts_kept),
        )
        self._push: PushLink | None = None
        self._reception: Reception | None = None
        self._telling: asyncio.TimerHandle | None = None
        self._doing: set[asyncio.Task[None]] = set()
        self._registry_trouble = ""
        self._keeper_is_there = True
        self._stopped = asyncio.Event()
        self._stopping = asyncio.Event()

    # --- from start to end ----------------------------------------------------------------------------------------

    async def run(self, listener: socket.socket) -> None:
        """Restore, take up what survived, and work until ``stop`` (or the keeper's end)."""
        asyncio.get_running_loop().set_exception_handler(self._loop_failed)
        self._restore()
        self._conditions.start()
        self._start(self._conditions.run())
        manifests, troubles = self._registry.load()
        self._registry_trouble = " ".join(troubles)
        await self._pages.take_up()
        for manifest in manifests:
            self._loop.post(ev.AppAdded(manifest))
            if manifest.page:
                await self._pages.keep(manifest.id)
        lives = [life for life in self._dispatcher.lifecycle.lives() if life.state is not AppState.STOPPED]
        await self._processes.survivors([(life.app, life.process()) for life in lives], self._own_run.same_boot)
        await self._conditions.first_look()
        self._loop.post(ev.DeskStarted())
        if (before := self._own_run.before) is not None:
            log.warning("The desk before this one did not end in order. %s", before.text)
            self._loop.post(
                ev.Noticed("", "restarted", f"started again. {before.text} Apps and what was kept go on", before.what)
            )
        if self._store.trouble:
            for manifest in manifests:
                if "push" in manifest.background:
                    self._loop.post(ev.SubscriptionsLost(manifest.id))
        if self._settings.push_service:
            known = self._dispatcher.subscriptions
            self._push = PushLink(self._settings.push_service, known.uaid, self._loop.post, known.of_channel)
            self._start(self._push.connection.run())
        self._reception = Reception(
            listener,
            self._dispatcher,
            self._registry,
            self._loop.post,
            self._steering,
            desk_version=self._version,
            now=self._clock.now,
            take_page=self._pages.take,
            follow=self._processes.follow,
            called=self._screen.called_by,
            show_address=lambda address, done: self._start(self._show_address(address, done)),
            most_messages=self._settings.limits.messages,
        )
        self._start(self._desktop.run())
        log.info("The desk is ready: %s, %d apps.", places.desk_socket(), len(manifests))
        await self._stopping.wait()
        await self._end()

    def stop(self) -> None:
        """End every app and then the desk (logout)."""
        self._loop.post(ev.DeskStopping())
        self._stopping.set()

    def keeper_lost(self) -> None:
        """Without a keeper the desk can launch nothing: leave, apps run on, and the next keeper starts anew."""
        log.error("The keeper is gone. Apps run on; they are taken up again when the desk is started again.")
        self._keeper_is_there = False
        self._stopped.set()
        self._stopping.set()

    async def _end(self) -> None:
        if not self._stopped.is_set():
            try:
                async with asyncio.timeout(_STOP_WITHIN):
                    await self._stopped.wait()
            except TimeoutError:
                log.error("Some apps did not end in time; the keeper ends them.")
        if self._reception is not None:
            self._reception.close()
        for doing in list(self._doing):
            doing.cancel()
        await asyncio.gather(*self._doing, return_exceptions=True)
        self._processes.close()
        self._conditions.close()
        self._loop.close()
        self._event_log.close()
        if self._keeper_is_there:
            self._own_run.ended_in_order()
        else:
            self._own_run.keeper_lost(self._clock.now())
        self._store.close()

    def _restore(self) -> None:
        restored: list[tuple[str, str, bytes]] = []
        for machine, key, value in self._store.saved():
            if machine == desk_run.MACHINE:
                self._own_run.restore(key, value)
            else:
                restored.append((machine, key, value))
                self._dispatcher.restore(machine, key, value)
        self._own_run.begin(self._clock.now())
        if self._settings.record or os.environ.get(RECORD) == "1":
            self._event_log.begin(self._setup, restored)

    # --- when it fails --------------------------------------------------------------------------------------------

    def failed(self, error: BaseException) -> NoReturn:
        """End at once, as if killed but with a reason: the keeper starts the next, from the last commit (L06).

        Nothing is put in order first: what failed may be the very part that would have to do it.
        """
        try:
            ending = self._own_run.failed(error, self._clock.now())
            log.error("The desk ends. %s Apps run on, and it is started again.", ending.text)
            write_down(error)
        finally:
            os._exit(FAILED)  # whatever fails over saying so: a desk that does nothing any more must not stay

    def _loop_failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What asyncio caught: a callback of the loop is a part of the desk, anything else one connection's affair."""
        error = context.get("exception")
        if "handle" in context and isinstance(error, Exception):
            self.failed(error)
        loop.default_exception_handler(context)

    # --- what the core wants --------------------------------------------------------------------------------------

    def _carry_out(self, effect: do.Effect) -> None:
        match effect:
            case do.Send() if self._reception is not None:
                self._reception.clients.send(effect)
            case do.Answer() if self._reception is not None:
                self._reception.clients.answer(effect)
            case do.Launch():
                self._start(self._launch(effect))
            case do.Freeze(app=app, process=process):
                self._processes.freeze(app, process)
            case do.Thaw(app=app, process=process):
                self._processes.thaw(app, process)
            case do.Kill(app=app, process=process):
                self._processes.kill(app, process)
            case do.Measure():
                self._start(self._measure(effect))
            case do.ExitSeen(pid=pid):
                self._keeper.seen(pid)
            case do.WatchPage() | do.TurnAway() | do.ForgetPage():
                self._pages.carry_out(effect)
            case do.RegisterChannel(channel=channel) if self._push is not None:
                self._push.connection.register(channel)
            case do.UnregisterChannel(channel=channel) if self._push is not None:
                self._push.connection.unregister(channel)
            case do.AckPush(channel=channel, version=version, code=code) if self._push is not None:
                self._push.connection.ack(channel, version, code)
            case do.ReconnectPush() if self._push is not None:
                self._push.connection.reconnect_now()
            case do.Inhibit(on=on, why=why):
                self._conditions.inhibit(on, why)
            case do.Show(app=app, notification=notification):
                self._desktop.show(app, self._name(app), notification)
            case do.StoodBefore(app=app):
                self._desktop.take_up(
                    app, self._name(app), effect.id, effect.service, effect.number, effect.notification
                )
            case do.Unshow(app=app, notification=shown):
                self._desktop.withdraw(app, shown)

    async def _measure(self, effect: do.Measure) -> None:
        cpu, memory = await self._consumption.measure(effect.app, effect.process)
        self._loop.post(ev.Consumed(effect.app, effect.process.pid, cpu, memory))

    async def _launch(self, effect: do.Launch) -> None:
        manifest = self._manifest(effect.app)
        if manifest is not None and manifest.page:
            await self._pages.keep(effect.app)
        await self._processes.launch(effect)

    def _page_port(self, app: str) -> int:
        life = self._dispatcher.lifecycle.life(app)
        return (urlsplit(life.page).port or 0) if life is not None and life.page else 0

    async def _show_address(self, address: str, done: Callable[[FrontdeskError | None], None]) -> None:
        try:
            await browser.open_address(address, await self._screen.environment())
            done(None)
        except FrontdeskError as error:
            done(error)
        except Exception as error:  # noqa: BLE001 - it fails for the app that asked; no part of the desk does
            log.error("A browser could not be opened for an app (%r).", error)
            write_down(error)
            done(FrontdeskError(f"No browser could be opened; logs/desk.log says why. Open it by hand: {address}"))

    # --- looking at it --------------------------------------------------------------------------------------------

    def _status(self) -> DeskStatus:
        now = self._clock.now()
        return DeskStatus(
            now=now,
            pid=os.getpid(),
            version=self._version,
            apps=self._dispatcher.statuses(now),
            shown=self._dispatcher.notifications.shown(),
            happenings=self._dispatcher.history.happenings(),
            push_service=self._settings.push_service,
            push_state=self._push.state if self._push is not None else "off",
            trouble=self._loop.trouble or self._registry_trouble,
            restarted=self._own_run.before,
            since=self._since,
            spans=self._dispatcher.history.spans(),
            conditions=self._dispatcher.conditions.readings(),
        )

    def _after_batch(self) -> None:
        self._conditions.refresh()
        if self._stopping.is_set() and all(
            life.state is AppState.STOPPED for life in self._dispatcher.lifecycle.lives()
        ):
            self._stopped.set()
        if self._steering.is_watched and self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(_TELL_WATCHERS_AFTER, self._tell_watchers)

    def _tell_watchers(self) -> None:
        self._telling = None
        self._steering.tell_watchers()

    def _manifest(self, app: str) -> Any:
        return self._dispatcher.lifecycle.manifests().get(app)

    def _name(self, app: str) -> str:
        manifest = self._manifest(app)
        return manifest.name if manifest is not None else app

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        doing = asyncio.get_running_loop().create_task(work)
        self._doing.add(doing)
        doing.add_done_callback(self._done)

    def _done(self, doing: asyncio.Task[None]) -> None:
        self._doing.discard(doing)
        if doing.cancelled() or (error := doing.exception()) is None:
            return
        if not isinstance(error, KeeperLost):  # of that ``keeper_lost`` was told
            self.failed(error)


async def _run(settings: Settings) -> int:
    keeper = KeeperChannel.from_environment()
    listener = socket.socket(fileno=int(os.environ[LISTEN_FD]))
    store = Store(places.state_folder() / "desk.sqlite3", settings.limits.receipts_kept)
    desk = Desk(settings, keeper, store)
    keeper.on_lost = desk.keeper_lost
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, desk.stop)
    try:
        await desk.run(listener)
    except FrontdeskError:
        raise
    except Exception as error:  # noqa: BLE001 - the desk ends with it as its reason
        desk.failed(error)
    return 0


def _log_level() -> int:
    """Everything that happens for a person who looks on (or asks, FRONTDESK_LOG=info); else what is wrong.

    A log that nobody reads would grow for ever: `frontdesk status` and `frontdesk log` know what happened.
    """
    wanted = os.environ.get("FRONTDESK_LOG", "info" if sys.stderr.isatty() else "warning")
    return logging.getLevelNamesMapping().get(wanted.upper(), logging.INFO)


def main() -> int:
    """Run the desk; exit status 78 when it cannot run as things are set up."""
    logging.basicConfig(level=_log_level(), format="%(asctime)s %(message)s", stream=sys.stderr)
    if KEEPER_FD not in os.environ:
        print("The desk is started by its keeper: use `frontdesk agent`.", file=sys.stderr)
        return HOPELESS
    try:
        return asyncio.run(_run(read_settings(places.config_folder() / "settings.toml")))
    except SettingsWrong as error:
        print(f"frontdesk: {error}", file=sys.stderr)
        return HOPELESS
    except (StoreFailed, FrontdeskError) as error:
        print(f"frontdesk: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
