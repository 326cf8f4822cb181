"""A person's desktop for the matrix: a session bus, and a notification service that writes down what it was given.

Both outlive every desk, as a person's desktop does.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from demo import processes
from demo.errors import DemoError
from demo.kills.verdict import Bubble

_NAME = "org.freedesktop.Notifications"
_PATH = "/org/freedesktop/Notifications"
_BUS = "org.freedesktop.DBus"
_STARTS_WITHIN = 10.0
_PRESS_AGAIN = 1.0
"""Seconds until a person whose press did nothing presses again: a desk that is away hears none."""


class Desktop:
    """Use `async with`. `bubbles`: all that was ever put up or changed, in that order."""

    def __init__(self, person: str, folder: Path) -> None:
        self.bubbles: list[Bubble] = []
        self._person = person
        self._folder = folder
        self._daemon: processes.Program | None = None
        self._service: MessageBus | None = None
        self._stands: dict[int, Bubble] = {}
        self._numbers = 0
        self._askers: dict[str, list[tuple[Bubble, float]]] = {}
        """Bubbles by the bus name of the desk that asked for them, and when: until that desk is gone."""
        self._news = asyncio.Condition()
        self._telling: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        return f"unix:path={self._folder / 'bus'}"

    @property
    def stands(self) -> list[Bubble]:
        """What can be seen now."""
        return list(self._stands.values())

    async def __aenter__(self) -> "Desktop":
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        command = ["dbus-daemon", "--session", "--nofork", "--nopidfile", "--nosyslog", f"--address={self.address}"]
        try:
            self._daemon = await processes.start(f"{self._person}'s session bus", command, self._folder / "bus.log")
        except FileNotFoundError:
            raise DemoError("There is no dbus-daemon on this machine. Install it; nothing was started.") from None
        try:
            await self._daemon.until(self._connected, _STARTS_WITHIN)
        except BaseException:
            await self._daemon.stop()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._service is not None:
            self._service.disconnect()
        if self._daemon is not None:
            await self._daemon.stop()

    async def until(self, seen: Callable[["Desktop"], bool], what: str, patience: float) -> None:
        """Waits until the desktop shows it; DemoError with `what` when it does not within `patience` seconds."""
        try:
            async with asyncio.timeout(patience), self._news:
                await self._news.wait_for(lambda: seen(self))
        except TimeoutError:
            shown = ", ".join(f"“{bubble.title}: {bubble.body}”" for bubble in self.stands) or "nothing"
            raise DemoError(f"Waited {patience:g} s for {what}. {self._person}'s desktop shows {shown}.") from None

    async def press(self, bubble: Bubble, patience: float) -> None:
        """Clicks on it until it is gone: whose desk takes the click takes it off the desktop."""

        async def clicks() -> None:
            while True:
                self._tell("ActionInvoked", "us", [bubble.number, "default"])
                await asyncio.sleep(_PRESS_AGAIN)

        clicking = asyncio.create_task(clicks())
        try:
            await self.until(
                lambda desktop: all(each.number != bubble.number for each in desktop.stands),
                f"a click on “{bubble.title}” to be heard",
                patience,
            )
        finally:
            clicking.cancel()
            await asyncio.gather(clicking, return_exceptions=True)

    async def _connected(self) -> bool:
        with contextlib.suppress(OSError, EOFError):
            self._service = await MessageBus(bus_address=self.address).connect()
            self._service.add_message_handler(self._asked)
            rule = f"type='signal',sender='{_BUS}',member='NameOwnerChanged'"
            for member, body in (("AddMatch", [rule]), ("RequestName", [_NAME, 0])):
                signature = "s" if member == "AddMatch" else "su"
                ask = Message(
                    destination=_BUS, path="/org/freedesktop/DBus", interface=_BUS, member=member,
                    signature=signature, body=body,
                )  # fmt: skip
                answer = await self._service.call(ask)
                if answer.message_type is MessageType.ERROR:
                    raise DemoError(f"{self._person}'s session bus refused {member}: {answer.error_name}")
            return True
        return False

    def _asked(self, message: Message) -> Message | None:
        if message.message_type is MessageType.SIGNAL and message.member == "NameOwnerChanged":
            name, _, owner = message.body
            if not owner:
                self._desk_is_gone(name)
        if message.message_type is not MessageType.METHOD_CALL or message.interface != _NAME:
            return None
        match message.member:
            case "GetCapabilities":
                return Message.new_method_return(message, "as", [["actions", "body"]])
            case "Notify":
                return Message.new_method_return(message, "u", [self._put_up(message)])
            case "CloseNotification":
                closed = self._stands.pop(message.body[0], None)
                if closed is None:
                    return Message.new_error(message, f"{_NAME}.Error", "There is no such notification.")
                self._tell("NotificationClosed", "uu", [closed.number, 3])
                self._spread()
                return Message.new_method_return(message)
        return None

    def _put_up(self, message: Message) -> int:
        _, replaced, _, title, body, *_ = message.body
        fresh = replaced not in self._stands
        if fresh:
            self._numbers += 1
        number = self._numbers if fresh else int(replaced)
        bubble = Bubble(number, title, body, fresh, message.sender)
        self.bubbles.append(bubble)
        self._stands[number] = bubble
        self._askers.setdefault(message.sender, []).append((bubble, time.monotonic()))
        self._spread()
        return number

    def _desk_is_gone(self, name: str) -> None:
        now = time.monotonic()
        for bubble, at in self._askers.pop(name, []):
            bubble.outlived_by = now - at

    def _tell(self, member: str, signature: str, body: list[object]) -> None:
        if self._service is not None:
            signal = Message(
                message_type=MessageType.SIGNAL, path=_PATH, interface=_NAME, member=member,
                signature=signature, body=body,
            )  # fmt: skip
            _ = self._service.send(signal)

    def _spread(self) -> None:
        async def tell() -> None:
            async with self._news:
                self._news.notify_all()

        telling = asyncio.create_task(tell())
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)
