"""Calls over D-Bus that end in an answer or in an error, in time; which bus it is, is said by who connects."""

import asyncio
import os
from collections.abc import Callable
from typing import Any, TypeVar

from dbus_fast import Message, MessageFlag, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError, DBusError, InvalidAddressError

ANSWER_WITHIN = 5.0
"""Seconds bus and services have to answer a call; a service that is started for it takes a while."""

BUS = "org.freedesktop.DBus"
PROPERTIES = "org.freedesktop.DBus.Properties"
_BUS_PATH = "/org/freedesktop/DBus"

_Bus = TypeVar("_Bus", bound=MessageBus)


class NoBus(Exception):
    """There is no bus, or none that lets us in; the text says which, and why. ``told``: somebody says there is one."""

    def __init__(self, text: str, *, told: bool) -> None:
        super().__init__(text)
        self.told = told


class CallFailed(Exception):
    """A service or the bus answered with an error, with something else than is due, or not in time."""


class FileBus(MessageBus):
    """A bus whose messages may bring open files along; those that nobody waits for are closed.

    Whoever is on the machine's bus may send us some, until we can open none ourselves; and a lock that is given too
    late would be held as long as the desk lives.
    """

    def __init__(self, address: str) -> None:
        super().__init__(bus_address=address, negotiate_unix_fd=True)
        self.due: dict[int, list[int]] = {}
        """By the serial of a call that asks for files: those that came."""
        self.add_message_handler(self._take_files)

    def _take_files(self, message: Message) -> None:
        files, message.unix_fds = message.unix_fds, []
        if message.message_type is MessageType.METHOD_RETURN and message.reply_serial in self.due:
            self.due[message.reply_serial] += files
        else:
            _close(files)


async def connect(address: str, which: str) -> MessageBus:
    """A connection of our own to the ``which`` bus; NoBus when there can be none."""
    return await _connect(address, which, lambda: MessageBus(bus_address=address))


async def connect_for_files(address: str, which: str) -> FileBus:
    """The same, for ``call_for_file``."""
    return await _connect(address, which, lambda: FileBus(address))


async def _connect(address: str, which: str, make: Callable[[], _Bus]) -> _Bus:
    if not address:
        raise NoBus(f"There is no {which} bus", told=False)
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            bus = make()
            await bus.connect()
            return bus
    # OverflowError: of a port that is none.
    except (OSError, EOFError, TimeoutError, ValueError, OverflowError, AuthError, InvalidAddressError) as error:
        raise NoBus(f"No {which} bus at {address} ({str(error) or 'no answer in time'})", told=True) from error


async def call(
    bus: MessageBus,
    to: str,
    path: str,
    member: str,
    signature: str = "",
    body: list[Any] | None = None,
    *,
    interface: str = "",
    due: str = "",
) -> list[Any]:
    """What the service ``to`` answers, of the signature ``due``; whatever it has to say where nothing is due.

    ``interface``: where it is not called as the service is.
    """
    message = Message(
        destination=to, path=path, interface=interface or to, member=member, signature=signature, body=body or []
    )
    return list((await _answer(bus, message, due)).body)


async def call_for_file(
    bus: FileBus, to: str, path: str, member: str, signature: str, body: list[Any], *, interface: str
) -> int:
    """The open file that the service answers with; it is the caller's to close."""
    message = Message(destination=to, path=path, interface=interface, member=member, signature=signature, body=body)
    message.serial = bus.next_serial()
    came = bus.due[message.serial] = []
    try:
        await _answer(bus, message, "h")
        if len(came) != 1:
            raise CallFailed(f"{to} answered {member} with {len(came)} open files where one was due")
        return came.pop()
    finally:
        del bus.due[message.serial]
        _close(came)


def _close(files: list[int]) -> None:
    for file in files:
        os.close(file)


async def properties(bus: MessageBus, to: str, path: str, interface: str) -> dict[str, Any]:
    """All that the object says of itself on this interface, variants unwrapped. Nobody is started for it."""
    message = Message(
        destination=to,
        path=path,
        interface=PROPERTIES,
        member="GetAll",
        signature="s",
        body=[interface],
        flags=MessageFlag.NO_AUTOSTART,
    )
    answer = await _answer(bus, message, "a{sv}")
    return {name: variant.value for name, variant in answer.body[0].items()}


async def _answer(bus: MessageBus, message: Message, due: str) -> Message:
    to, member = message.destination, message.member
    try:
        # Not wait_for: in Python 3.11 it loses a cancellation that comes together with the answer.
        async with asyncio.timeout(ANSWER_WITHIN):
            answer = await bus.call(message)
    except TimeoutError as error:
        raise CallFailed(f"{to} did not answer {member} in {ANSWER_WITHIN:.0f} s") from error
    except (OSError, EOFError, DBusError) as error:
        raise CallFailed(f"{member}: {error}") from error
    if answer.message_type is MessageType.ERROR:
        raise CallFailed(f"{member}: {answer.error_name}")
    if due and answer.signature != due:
        raise CallFailed(f"{to} answered {member} with {answer.signature!r} where {due!r} was due")
    return answer


async def hear(bus: MessageBus, rule: str) -> None:
    """Have the bus pass on signals that this match rule describes."""
    await call(bus, BUS, _BUS_PATH, "AddMatch", "s", [rule])


async def bus_id(bus: MessageBus) -> str:
    """Of this run of the bus; no other has it (D-Bus specification, ``GetId``)."""
    return str((await call(bus, BUS, _BUS_PATH, "GetId", due="s"))[0])


async def owner(bus: MessageBus, name: str) -> str:
    """The unique name of who has this one now; as long as the bus lives, nobody else gets it."""
    return str((await call(bus, BUS, _BUS_PATH, "GetNameOwner", "s", [name], due="s"))[0])


def sendable(text: str) -> str:
    """Without zero bytes, which D-Bus cannot carry and a stranger's text may hold: one would end the connection."""
    return text.replace("\0", "")
