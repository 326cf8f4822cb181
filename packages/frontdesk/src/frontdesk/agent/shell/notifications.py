"""The desktop's notification service over D-Bus (freedesktop.org's Desktop Notifications Specification 1.2).

Best effort beside the desk's own list, which has every notification: where there is no bus, no service, or one that
hangs, nothing here fails and nobody waits (contract N05). What could not be shown yet is shown when a service appears.
"""

import asyncio
import html
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError, DBusError, InvalidAddressError

from frontdesk.terms import Level, Notification

log = logging.getLogger("frontdesk.notifications")

ANSWER_WITHIN = 5.0
"""Seconds the service has to answer a call; one that is started for it takes a while."""
WAITING_MOST = 100
"""Notifications kept for a service that is not there yet; past it the oldest are in the desk's own list only."""

_NAME = "org.freedesktop.Notifications"
_PATH = "/org/freedesktop/Notifications"
_BUS = "org.freedesktop.DBus"
_BUS_PATH = "/org/freedesktop/DBus"
_CLICKED = "default"
"""The specification's key for a click on the notification itself."""
_BUTTON = "app:"
"""Before an app's own action ids, so that none is mistaken for a click."""
_URGENCY = {Level.PASSIVE: 0, Level.ACTIVE: 1, Level.TIME_SENSITIVE: 1, Level.CRITICAL: 2}

_Key = tuple[str, str]


class _CallFailed(Exception):
    """The service or the bus answered with an error, or not in time."""


class DesktopNotifications:
    """Shows and withdraws; ``run`` does the work, in a task of its own.

    ``on_action(app, notification id, action id)`` is called when the person presses a button; "" is a click on the
    notification itself (N04). ``on_dismissed(app, notification id)``: the person closed it.
    """

    def __init__(
        self,
        on_action: Callable[[str, str, str], None],
        on_dismissed: Callable[[str, str], None] = lambda app, notification: None,
    ) -> None:
        self._on_action = on_action
        self._on_dismissed = on_dismissed
        self._owner = ""
        """The bus name of the service that runs now; what others send in its place is ignored."""
        self._capabilities: frozenset[str] | None = None
        self._shown: dict[_Key, int] = {}
        self._waiting: dict[_Key, tuple[str, Notification] | None] = {}
        """What is to be done next for each notification: (app's name, what to show), or None to withdraw."""
        self._early: list[tuple[int, str]] | None = None
        """Buttons pressed while the number of the notification was still on its way to us."""
        self._wake = asyncio.Event()
        self._bus_lost = False

    @property
    def available(self) -> bool:
        """There is a notification service, and it answered."""
        return self._capabilities is not None

    def show(self, app: str, name: str, notification: Notification) -> None:
        """Show it as from the app called ``name``, in place of one with the same app and id (N03). Never waits."""
        self._next((app, notification.id), (name, notification))

    def withdraw(self, app: str, notification: str) -> None:
        """Take it off the desktop, if it is there. Never waits."""
        self._next((app, notification), None)

    async def run(self) -> None:
        """Connect to the session bus and do what was asked, until cancelled or the bus is gone."""
        bus = await self._connect()
        if bus is None:
            return
        try:
            bus.add_message_handler(self._on_message)
            for rule in (
                f"type='signal',sender='{_NAME}',interface='{_NAME}'",
                f"type='signal',sender='{_BUS}',member='NameOwnerChanged',arg0='{_NAME}'",
            ):
                await self._call(bus, _BUS, "AddMatch", "s", [rule], path=_BUS_PATH)
            await self._meet_service(bus)
            disconnected = asyncio.ensure_future(bus.wait_for_disconnect())  # type: ignore[no-untyped-call]
            disconnected.add_done_callback(self._on_bus_lost)
            while not self._bus_lost:
                self._wake.clear()
                await self._work(bus)
                await self._wake.wait()
        except _CallFailed as error:
            log.warning("Notifications stay in the desk's own list: %s", error)
        finally:
            self._owner, self._capabilities = "", None
            bus.disconnect()

    # --- work -----------------------------------------------------------------------------------------------------

    def _next(self, key: _Key, what: tuple[str, Notification] | None) -> None:
        self._waiting.pop(key, None)
        self._waiting[key] = what
        while len(self._waiting) > WAITING_MOST:
            del self._waiting[next(iter(self._waiting))]
        self._wake.set()

    async def _work(self, bus: MessageBus) -> None:
        """Do what waits, in order; stops when the service is gone or does not answer."""
        if self._owner and self._capabilities is None:
            await self._meet_service(bus)
        while self._waiting and self.available:
            key = next(iter(self._waiting))
            what = self._waiting.pop(key)
            try:
                if what is None:
                    await self._withdraw(bus, key)
                else:
                    await self._show(bus, key, *what)
            except _CallFailed as error:
                log.warning("A notification of %s is in the desk's own list only: %s", key[0], error)

    async def _show(self, bus: MessageBus, key: _Key, name: str, notification: Notification) -> None:
        self._early = []
        try:
            answer = await self._call(bus, _NAME, "Notify", "susssasa{sv}i", self._arguments(key, name, notification))
            number = int(answer[0])
            self._shown[key] = number
            for early_number, action in self._early:
                if early_number == number:
                    self._pressed(key, action)
        finally:
            self._early = None

    async def _withdraw(self, bus: MessageBus, key: _Key) -> None:
        number = self._shown.pop(key, None)
        if number is not None:
            await self._call(bus, _NAME, "CloseNotification", "u", [number])

    def _arguments(self, key: _Key, name: str, notification: Notification) -> list[Any]:
        can = self._capabilities or frozenset()
        name, title, body = _sendable(name), _sendable(notification.title), _sendable(notification.body)
        actions: list[str] = []
        if "body" not in can and body:
            title, body = f"{title}: {body}", ""
        if "body-markup" in can:
            body = html.escape(body, quote=False)
        if "actions" in can:
            actions = [_CLICKED, name]
            for action in notification.actions:
                actions += [_BUTTON + _sendable(action.id), _sendable(action.title)]
        hints = {"urgency": Variant("y", _URGENCY[notification.level]), "desktop-entry": Variant("s", key[0])}
        if notification.level is Level.PASSIVE:
            hints["suppress-sound"] = Variant("b", True)
        expire = 0 if notification.level is Level.CRITICAL else -1  # milliseconds: 0 never, -1 as the service likes
        return [name, self._shown.get(key, 0), "", title, body, actions, hints, expire]

    # --- the bus --------------------------------------------------------------------------------------------------

    async def _connect(self) -> MessageBus | None:
        address = _session_bus()
        if not address:
            log.info("There is no session bus; notifications stay in the desk's own list.")
            return None
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await MessageBus(bus_address=address).connect()
        except (OSError, EOFError, TimeoutError, AuthError, InvalidAddressError) as error:
            log.warning("No session bus at %s (%s); notifications stay in the desk's own list.", address, error)
            return None

    async def _meet_service(self, bus: MessageBus) -> None:
        """Learn what the service can do; the bus starts one if it knows how. None there: we hear when one appears."""
        try:
            owner_before = self._owner
            answer = await self._call(bus, _NAME, "GetCapabilities")
        except _CallFailed as error:
            log.info("No notification service yet (%s); notifications wait.", error)
            return
        if not self._owner:
            self._owner = str((await self._call(bus, _BUS, "GetNameOwner", "s", [_NAME], path=_BUS_PATH))[0])
        if owner_before in ("", self._owner):
            self._capabilities = frozenset(answer[0])
        else:
            self._wake.set()  # it was replaced while it answered: ask the new one

    async def _call(
        self,
        bus: MessageBus,
        to: str,
        member: str,
        signature: str = "",
        body: list[Any] | None = None,
        *,
        path: str = _PATH,
    ) -> list[Any]:
        message = Message(
            destination=to, path=path, interface=to, member=member, signature=signature, body=body if body else []
        )
        try:
            # Not wait_for: in Python 3.11 it loses a cancellation that comes together with the answer.
            async with asyncio.timeout(ANSWER_WITHIN):
                answer = await bus.call(message)
        except TimeoutError as error:
            raise _CallFailed(f"{to} did not answer {member} in {ANSWER_WITHIN:.0f} s") from error
        except (OSError, EOFError, DBusError) as error:
            raise _CallFailed(f"{member}: {error}") from error
        if answer.message_type is MessageType.ERROR:
            raise _CallFailed(f"{member}: {answer.error_name}")
        return list(answer.body)

    def _on_message(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        if message.member == "NameOwnerChanged" and message.sender == _BUS and message.signature == "sss":
            name, _, owner = message.body
            if name == _NAME and owner != self._owner:
                # Numbers of the service before mean nothing to the one that comes.
                self._owner, self._capabilities = owner, None
                self._shown.clear()
                self._wake.set()
        elif message.sender == self._owner and self._owner:
            if message.member == "ActionInvoked" and message.signature == "us":
                self._on_pressed(*message.body)
            elif message.member == "NotificationClosed" and message.signature == "uu":
                self._on_closed(*message.body)

    def _on_pressed(self, number: int, action: str) -> None:
        key = self._key(number)
        if key is not None:
            self._pressed(key, action)
        elif self._early is not None:
            self._early.append((number, action))

    def _pressed(self, key: _Key, action: str) -> None:
        if action == _CLICKED:
            self._on_action(*key, "")
        elif action.startswith(_BUTTON):
            self._on_action(*key, action.removeprefix(_BUTTON))

    def _on_closed(self, number: int, reason: int) -> None:
        key = self._key(number)
        if key is not None:
            del self._shown[key]
            by_the_person = 2
            if reason == by_the_person:
                self._on_dismissed(*key)

    def _key(self, number: int) -> _Key | None:
        return next((key for key, shown in self._shown.items() if shown == number), None)

    def _on_bus_lost(self, ended: asyncio.Future[None]) -> None:
        if not ended.cancelled() and ended.exception() is not None:
            log.warning("The session bus is gone (%s); notifications stay in the desk's own list.", ended.exception())
        self._bus_lost = True
        self._wake.set()


def _sendable(text: str) -> str:
    """Without zero bytes, which D-Bus cannot carry and a stranger's push may hold: one would end the connection."""
    return text.replace("\0", "")


def _session_bus() -> str:
    """Address of the person's bus: as told, else where systemd puts it; empty when there is none."""
    told = os.environ.get("DBUS_SESSION_BUS_ADDRESS", "")
    usual = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nonexistent") / "bus"
    return told or (f"unix:path={usual}" if usual.exists() else "")
