"""The desktop's notification service over D-Bus (freedesktop.org's Desktop Notifications Specification 1.2).

Best effort beside the desk's own list, which has every notification: where there is no bus, no service, or one that
hangs, nothing here fails and nobody waits (contract N05). What could not be shown yet is shown when a service appears;
what stood on the desktop when bus or service went is shown once by the next. Looked for only while something waits.
What the desk before put there is taken up by its number, where the service that gave the number is still there.
"""

import asyncio
import html
import logging
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from frontdesk.agent.core import events as ev
from frontdesk.agent.core.backoff import Backoff
from frontdesk.agent.shell import dbus_calls, session_bus
from frontdesk.agent.shell.dbus_calls import BUS, CallFailed, NoBus, sendable
from frontdesk.terms import Level, Notification

log = logging.getLogger("frontdesk.notifications")

WAITING_MOST = 100
"""Notifications kept to be shown by a service not there yet; past it the oldest are in the desk's own list only."""
TRIES = 6
"""Attempts to reach a bus or service that went, while something waits for it; then not before something new does."""
TRY_FIRST, TRY_MOST = 1.0, 30.0
"""Longest pause in seconds after the first failed attempt and after many. A service that appears is met at once."""

_NAME = "org.freedesktop.Notifications"
_PATH = "/org/freedesktop/Notifications"
_CLICKED = "default"
"""The specification's key for a click on the notification itself."""
_BUTTON = "app:"
"""Before an app's own action ids, so that none is mistaken for a click."""
_URGENCY = {Level.PASSIVE: 0, Level.ACTIVE: 1, Level.TIME_SENSITIVE: 1, Level.CRITICAL: 2}

_Key = tuple[str, str]


class _Wanted(NamedTuple):
    """What is to stand on the desktop, as from the app called ``name``."""

    name: str
    notification: Notification
    second_time: bool = False
    """The service went while it was given this: perhaps because of it, so it is given once more and not again."""


class _Standing(NamedTuple):
    """What stands on the desktop, under the number the service gave it."""

    number: int
    wanted: _Wanted | None
    """None: an earlier desk put it there, and it is about to be withdrawn."""


class _Before(NamedTuple):
    """What an earlier desk put there, until it is known whether the service that did is still there."""

    service: str
    number: int
    wanted: _Wanted | None
    """None: it is to be withdrawn."""


class DesktopNotifications:
    """Shows and withdraws; ``run`` does the work, in a task of its own.

    ``post`` is told what the person presses (``ActAsked``, N04) and closes (``DismissAsked``), and what came of each
    notification (``OnDesktop``, ``OffDesktop``).
    """

    def __init__(self, post: Callable[[ev.Event], None]) -> None:
        self._post = post
        self._bus_id = ""
        self._owner = ""
        """The bus name of the service that runs now; what others send in its place is ignored."""
        self._capabilities: frozenset[str] | None = None
        self._standing: dict[_Key, _Standing] = {}
        self._waiting: dict[_Key, _Wanted | None] = {}
        """What is to be done next for each notification; None: withdraw it."""
        self._before: dict[_Key, _Before] = {}
        self._in_flight: _Key | None = None
        """Which one the service is being given; its number is on its way to us."""
        self._early: list[Message] = []
        """What the service said meanwhile, since it may be about that one."""
        self._wake = asyncio.Event()
        self._pauses = Backoff(TRY_FIRST, TRY_MOST)
        self._next_try = 0.0
        self._met_at: float | None = None

    @property
    def _service(self) -> str:
        """Who numbers what is shown now: no other service gets its name on the same bus, nor a bus that id (D-Bus)."""
        return f"{self._bus_id} {self._owner}"

    @property
    def available(self) -> bool:
        """There is a notification service, and it answered."""
        return self._capabilities is not None

    def show(self, app: str, name: str, notification: Notification) -> None:
        """Show it as from the app called ``name``, in place of one with the same app and id (N03). Never waits."""
        if self._pauses.failures >= TRIES:
            self._pauses.succeeded()
        self._next((app, notification.id), _Wanted(name, notification))

    def withdraw(self, app: str, notification: str) -> None:
        """Take it off the desktop, if it is there. Never waits."""
        key = (app, notification)
        if key in self._standing or self._may_come(key):
            self._next(key, None)
        else:
            self._waiting.pop(key, None)
            self._post(ev.OffDesktop(*key))

    def take_up(
        self, app: str, name: str, notification_id: str, service: str, number: int, notification: Notification | None
    ) -> None:
        """An earlier desk showed it, under this number of this service; None: it is to be withdrawn. Never waits.

        Another service on the same bus shows it once, as after any end of a service. On another bus, so after another
        login, it is in the desk's own list only.
        """
        key, wanted = (app, notification_id), _Wanted(name, notification) if notification is not None else None
        self._before[key] = _Before(service, number, wanted)
        if wanted is None:
            self._next(key, None)

    async def run(self) -> None:
        """Do what was asked, on one session bus after another, until cancelled."""
        while True:
            bus = await self._connect()
            if bus is not None:
                await self._serve(bus)
            self._failed()
            while not (self._waiting and self._may_try()):
                self._wake.clear()
                await self._rest()

    # --- work -----------------------------------------------------------------------------------------------------

    async def _serve(self, bus: MessageBus) -> None:
        """Work on this bus until it is gone, or refuses us."""
        gone = asyncio.ensure_future(bus.wait_for_disconnect())  # type: ignore[no-untyped-call]
        gone.add_done_callback(self._on_bus_gone)
        try:
            bus.add_message_handler(self._on_message)
            for rule in (
                f"type='signal',sender='{_NAME}',interface='{_NAME}'",
                f"type='signal',sender='{BUS}',member='NameOwnerChanged',arg0='{_NAME}'",
            ):
                await dbus_calls.hear(bus, rule)
            self._bus_id = await dbus_calls.bus_id(bus)
            await self._meet_service(bus)
            while not gone.done():
                self._wake.clear()
                await self._work(bus)
                if not gone.done():
                    await self._rest()
        except CallFailed as error:
            log.warning("Notifications stay in the desk's own list: %s", error)
        finally:
            self._service_is("")
            bus.disconnect()

    def _may_come(self, key: _Key) -> bool:
        """It may turn out that it stands: the service is being given it, or was by an earlier desk."""
        return key == self._in_flight or key in self._before

    def _next(self, key: _Key, what: _Wanted | None) -> None:
        self._waiting.pop(key, None)
        self._waiting[key] = what
        self._keep_newest()
        self._wake.set()

    def _keep_newest(self) -> None:
        """Of what is to be shown; what is to be withdrawn is never more than stands."""
        to_show = [(key, wanted) for key, wanted in self._waiting.items() if wanted is not None]
        for key, given_up in to_show[:-WAITING_MOST]:
            del self._waiting[key]
            self._came_of(key, given_up)

    def _came_of(self, key: _Key, wanted: _Wanted) -> None:
        """Nothing more is done for it; tell what stands."""
        standing = self._standing.get(key)
        self._post(
            ev.OnDesktop(key[0], wanted.notification, self._service, standing.number if standing is not None else 0)
        )

    async def _work(self, bus: MessageBus) -> None:
        """Do what waits, in order; stops when the service is gone or does not answer."""
        if not self.available and (self._owner or self._waiting) and self._may_try():
            await self._meet_service(bus)
        while self._waiting and self.available:
            key = next(iter(self._waiting))
            what = self._waiting.pop(key)
            try:
                if what is None:
                    await self._withdraw(bus, key)
                else:
                    await self._show(bus, key, what)
            except CallFailed as error:
                log.warning("A notification of %s is in the desk's own list only: %s", key[0], error)

    async def _show(self, bus: MessageBus, key: _Key, wanted: _Wanted) -> None:
        owner, before = self._owner, self._standing.pop(key, None)
        replaced = before.number if before is not None else 0
        self._in_flight = key
        try:
            arguments = self._arguments(key, wanted, replaced)
            number = int((await self._call(bus, "Notify", "susssasa{sv}i", arguments, due="u"))[0])
            if self._owner == owner:
                self._standing[key] = _Standing(number, wanted)
                self._came_of(key, wanted)
            else:
                self._waiting.setdefault(key, wanted)
        except CallFailed:
            if self._owner != owner and not wanted.second_time:
                self._waiting.setdefault(key, wanted._replace(second_time=True))
                return
            if self._owner == owner and before is not None:
                self._standing[key] = before
            self._came_of(key, wanted)
            raise
        finally:
            self._in_flight = None
            early, self._early = self._early, []
            for message in early:
                # "The one before was closed", when this one took its place and number: not about this one.
                if message.member != "NotificationClosed" or message.body[:1] != [replaced]:
                    self._heard(message)

    async def _withdraw(self, bus: MessageBus, key: _Key) -> None:
        standing = self._standing.pop(key, None)
        if standing is not None:
            try:
                await self._call(bus, "CloseNotification", "u", [standing.number])
            except CallFailed as error:
                # To a service that closed it while no desk listened it is unknown.
                log.info("A notification of %s could not be withdrawn: %s", key[0], error)
        self._post(ev.OffDesktop(*key))

    def _arguments(self, key: _Key, wanted: _Wanted, replaced: int) -> list[Any]:
        can = self._capabilities or frozenset()
        notification = wanted.notification
        name, title, body = sendable(wanted.name), sendable(notification.title), sendable(notification.body)
        actions: list[str] = []
        if "body" not in can and body:
            title, body = f"{title}: {body}", ""
        if "body-markup" in can:
            body = html.escape(body, quote=False)
        if "actions" in can:
            actions = [_CLICKED, name]
            for action in notification.actions:
                actions += [_BUTTON + sendable(action.id), sendable(action.title)]
        hints = {"urgency": Variant("y", _URGENCY[notification.level]), "desktop-entry": Variant("s", key[0])}
        if notification.level is Level.PASSIVE:
            hints["suppress-sound"] = Variant("b", True)
        expire = 0 if notification.level is Level.CRITICAL else -1  # milliseconds: 0 never, -1 as the service likes
        return [name, replaced, "", title, body, actions, hints, expire]

    # --- trying again ---------------------------------------------------------------------------------------------

    def _may_try(self) -> bool:
        return self._pauses.failures < TRIES and asyncio.get_running_loop().time() >= self._next_try

    def _failed(self) -> None:
        """Bus or service is not there (any more): the next attempt comes after a pause."""
        now = asyncio.get_running_loop().time()
        if self._met_at is not None and now - self._met_at > TRY_MOST:
            self._pauses.succeeded()
        self._met_at = None
        self._next_try = now + self._pauses.failed(random.random())

    async def _rest(self) -> None:
        """Until woken; while something waits and nobody takes it, until the next attempt at the latest."""
        trying = bool(self._waiting) and not self.available and self._pauses.failures < TRIES
        try:
            async with asyncio.timeout_at(self._next_try if trying else None):
                await self._wake.wait()
        except TimeoutError:
            return  # it is time

    # --- the bus --------------------------------------------------------------------------------------------------

    async def _connect(self) -> MessageBus | None:
        try:
            return await session_bus.connect()
        except NoBus as reason:
            again = self._pauses.failures > 0 or not reason.told
            log.log(
                logging.INFO if again else logging.WARNING, "%s; notifications stay in the desk's own list.", reason
            )
            return None

    async def _meet_service(self, bus: MessageBus) -> None:
        """Learn what the service can do; the bus starts one if it knows how. None there: we hear when one appears."""
        try:
            owner_before = self._owner
            answer = await self._call(bus, "GetCapabilities", due="as")
        except CallFailed as error:
            log.info("No notification service yet (%s); notifications wait.", error)
            self._failed()
            return
        if not self._owner:
            self._owner = await dbus_calls.owner(bus, _NAME)
        if owner_before in ("", self._owner):
            self._capabilities = frozenset(answer[0])
            self._met_at = asyncio.get_running_loop().time()
            self._sort_out_before()
        else:
            self._wake.set()  # it was replaced while it answered: ask the new one

    def _sort_out_before(self) -> None:
        """Now that it is known who is there: which of the bubbles of earlier desks stand, and which went."""
        before, self._before = self._before, {}
        again: dict[_Key, _Wanted | None] = {}
        for key, (service, number, wanted) in before.items():
            if service == self._service:
                self._standing[key] = _Standing(number, wanted)
            elif wanted is not None and service.partition(" ")[0] == self._bus_id:
                again[key] = wanted
            elif key not in self._waiting:
                self._post(ev.OffDesktop(*key))
        self._waiting = again | self._waiting
        self._keep_newest()

    async def _call(
        self, bus: MessageBus, member: str, signature: str = "", body: list[Any] | None = None, *, due: str = ""
    ) -> list[Any]:
        return await dbus_calls.call(bus, _NAME, _PATH, member, signature, body, due=due)

    def _on_message(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        if message.member == "NameOwnerChanged" and message.sender == BUS and message.signature == "sss":
            name, _, owner = message.body
            if name == _NAME and owner != self._owner:
                self._service_is(owner)
                if not owner:
                    self._failed()
        elif message.sender == self._owner and self._owner:
            if self._in_flight is not None:
                self._early.append(message)
            else:
                self._heard(message)

    def _service_is(self, owner: str) -> None:
        """Another service, or none: numbers of the one before mean nothing to it, and what stood there is gone."""
        waiting = {key: standing.wanted for key, standing in self._standing.items() if standing.wanted} | self._waiting
        self._standing.clear()
        for key in [key for key, what in waiting.items() if what is None and not self._may_come(key)]:
            del waiting[key]
            self._post(ev.OffDesktop(*key))
        self._waiting = waiting
        self._keep_newest()
        self._early.clear()
        self._owner, self._capabilities = owner, None
        if owner:
            self._next_try = 0.0
        self._wake.set()

    def _heard(self, message: Message) -> None:
        if message.member == "ActionInvoked" and message.signature == "us":
            self._on_pressed(*message.body)
        elif message.member == "NotificationClosed" and message.signature == "uu":
            self._on_closed(*message.body)

    def _on_pressed(self, number: int, action: str) -> None:
        key = self._key(number)
        if key is None:
            return
        if action == _CLICKED:
            self._post(ev.ActAsked(*key, ""))
        elif action.startswith(_BUTTON):
            self._post(ev.ActAsked(*key, action.removeprefix(_BUTTON)))

    def _on_closed(self, number: int, reason: int) -> None:
        """Its popup's time being over, reason 1, is no word of the person: it stays in the desk's own list."""
        key = self._key(number)
        if key is not None:
            del self._standing[key]
            self._post(ev.OffDesktop(*key))
            by_the_person = 2
            if reason == by_the_person and key not in self._waiting:
                self._post(ev.DismissAsked(*key))

    def _key(self, number: int) -> _Key | None:
        return next((key for key, standing in self._standing.items() if standing.number == number), None)

    def _on_bus_gone(self, ended: asyncio.Future[None]) -> None:
        if not ended.cancelled() and ended.exception() is not None:
            log.warning("The session bus is gone (%s); notifications wait for it.", ended.exception())
        self._wake.set()
