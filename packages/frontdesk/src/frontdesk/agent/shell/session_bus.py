"""The person's session bus: where it is, and calls over it that end in an answer or in an error, in time."""

import asyncio
import os
from pathlib import Path
from typing import Any

from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError, DBusError, InvalidAddressError

ANSWER_WITHIN = 5.0
"""Seconds bus and services have to answer a call; a service that is started for it takes a while."""

BUS = "org.freedesktop.DBus"
_BUS_PATH = "/org/freedesktop/DBus"


class NoBus(Exception):
    """There is no bus, or none that lets us in; the text says which, and why. ``told``: somebody says there is one."""

    def __init__(self, text: str, *, told: bool) -> None:
        super().__init__(text)
        self.told = told


class CallFailed(Exception):
    """A service or the bus answered with an error, with something else than is due, or not in time."""


def address() -> str:
    """Of the person's bus: as told, else where systemd puts it; empty when there is none."""
    told = os.environ.get("DBUS_SESSION_BUS_ADDRESS", "")
    usual = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nonexistent") / "bus"
    return told or (f"unix:path={usual}" if usual.exists() else "")


async def connect() -> MessageBus:
    """A connection of our own; NoBus when there can be none."""
    at = address()
    if not at:
        raise NoBus("There is no session bus", told=False)
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            return await MessageBus(bus_address=at).connect()
    except (OSError, EOFError, TimeoutError, AuthError, InvalidAddressError) as error:
        raise NoBus(f"No session bus at {at} ({error})", told=True) from error


async def call(
    bus: MessageBus,
    to: str,
    path: str,
    member: str,
    signature: str = "",
    body: list[Any] | None = None,
    *,
    due: str = "",
) -> list[Any]:
    """What the service ``to`` answers, of the signature ``due``; whatever it has to say where nothing is due."""
    message = Message(
        destination=to, path=path, interface=to, member=member, signature=signature, body=body if body else []
    )
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
    return list(answer.body)


async def hear(bus: MessageBus, rule: str) -> None:
    """Have the bus pass on signals that this match rule describes."""
    await call(bus, BUS, _BUS_PATH, "AddMatch", "s", [rule])


async def bus_id(bus: MessageBus) -> str:
    """Of this run of the bus; no other has it (D-Bus specification, ``GetId``)."""
    return str((await call(bus, BUS, _BUS_PATH, "GetId", due="s"))[0])


async def owner(bus: MessageBus, name: str) -> str:
    """The unique name of who has this one now; as long as the bus lives, nobody else gets it."""
    return str((await call(bus, BUS, _BUS_PATH, "GetNameOwner", "s", [name], due="s"))[0])
