"""A Lobby that fetches what is new and sends what it is told to, and dies by SIGKILL at one point of its way.

Arguments: its folder, the user id, the homeserver, the point (empty: it lives), and what to send to which room.
"""

import asyncio
import functools
import inspect
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lobby import intake
from lobby.core.views import Mark
from lobby.encryption.engine import Engine
from lobby.encryption.login_keys import LoginKeys
from lobby.encryption.machine import Machine
from lobby.matrix.session import Session
from lobby.store import Store
from tests.people import Person

POINTS: dict[str, tuple[Any, str, str]] = {
    "news fetched": (Session, "sync", "after"),
    "keys half taken in": (Machine, "take", "after"),
    "keys kept": (Store, "apply", "before"),
    "messages half taken in": (intake, "take", "after"),
    "messages kept": (Store, "apply", "after"),
    "keys uploaded": (Engine, "_mark_as_published", "before"),
    "session made": (Engine, "_put_to_devices", "before"),
    "session shared": (Engine, "_put_to_devices", "after"),
    "message sealed": (LoginKeys, "seal", "after"),
    "message sent": (Session, "send_event", "after"),
}


def die_at(point: str) -> None:
    """Have this process killed when it gets there."""
    owner, name, when = POINTS[point]
    real: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(real)
    def sync(*arguments: Any, **named: Any) -> Any:
        if when == "after":
            real(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    @functools.wraps(real)
    async def unsync(*arguments: Any, **named: Any) -> Any:
        if when == "after":
            await real(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, unsync if inspect.iscoroutinefunction(real) else sync)


async def main(folder: str, user_id: str, homeserver: str, point: str, room_id: str, text: str) -> None:
    if point:
        die_at(point)
    async with Person(Path(folder), user_id, homeserver) as person:
        await person.lobby.fetch()
        if text:
            await person.lobby.send(room_id, text)
            await person.until(lambda: all(bubble.mark is not Mark.SENDING for bubble in person.bubbles(room_id)))
        if person.lobby.keys is not None:
            await person.lobby.keys.settle()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
