"""The person's session bus: where it is."""

import os
from pathlib import Path

from dbus_fast.aio import MessageBus

from frontdesk.agent.shell import dbus_calls


def address() -> str:
    """Of the person's bus: as told, else where systemd puts it; empty when there is none."""
    told = os.environ.get("DBUS_SESSION_BUS_ADDRESS", "")
    usual = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nonexistent") / "bus"
    return told or (f"unix:path={usual}" if usual.exists() else "")


async def connect() -> MessageBus:
    """A connection of our own; ``NoBus`` when there can be none."""
    return await dbus_calls.connect(address(), "session")
