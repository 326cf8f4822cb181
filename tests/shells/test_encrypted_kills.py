"""Lobby killed between any two steps of getting and sending encrypted messages: afterwards every one can be read."""

import asyncio
import contextlib
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lobby.core.views import Mark
from tests.homeserver import Homeserver, homeserver
from tests.people import PATIENCE, Person, introduce

__all__ = ["homeserver"]

GETTING = ["news fetched", "keys half taken in", "keys kept", "messages half taken in", "messages kept"]
SENDING = ["keys uploaded", "session made", "session shared", "message sealed", "message sent"]


async def killed(folder: Path, user_id: str, homeserver: Homeserver, point: str, room_id: str, text: str) -> None:
    """Have a Lobby of its own process do this, and be killed at that point."""
    program = [sys.executable, "-m", "tests.apps.mortal_lobby", str(folder), user_id, homeserver.url, point]
    process = await asyncio.create_subprocess_exec(*program, room_id, text)
    async with asyncio.timeout(PATIENCE):
        assert await process.wait() == -signal.SIGKILL, f"it never got to: {point}"


@asynccontextmanager
async def awake(folder: Path, user_id: str, homeserver: Homeserver) -> AsyncIterator[Person]:
    """The Lobby of that folder in this process, with what is new."""
    async with Person(folder, user_id, homeserver.url) as person:
        await person.lobby.fetch()
        yield person


@pytest.mark.timeout(300)
async def test_what_was_said_can_be_read_wherever_the_reader_was_killed(homeserver: Homeserver, tmp_path: Path) -> None:
    ids = await homeserver.account("Left"), await homeserver.account("Right")
    folders = tmp_path / "left", tmp_path / "right"
    async with Person(folders[0], ids[0], homeserver.url) as left:
        async with Person(folders[1], ids[1], homeserver.url) as right:
            room_id = await introduce(left, right)
    said: list[str] = []
    for point in GETTING:
        # A Lobby that was just started makes a new session: its key comes with the message.
        async with awake(folders[0], ids[0], homeserver) as left:
            said.append(f"before it was killed: {point}")
            await left.lobby.send(room_id, said[-1])
            await left.until(lambda: left.bubbles(room_id)[-1].mark is Mark.SENT)
        await killed(folders[1], ids[1], homeserver, point, room_id, "")
        async with awake(folders[1], ids[1], homeserver) as right:
            assert right.texts(room_id) == said, point


@pytest.mark.timeout(300)
async def test_what_was_said_can_be_read_wherever_the_writer_was_killed(homeserver: Homeserver, tmp_path: Path) -> None:
    ids = await homeserver.account("Left"), await homeserver.account("Right")
    folders = tmp_path / "left", tmp_path / "right"
    async with Person(folders[1], ids[1], homeserver.url) as right:
        async with Person(folders[0], ids[0], homeserver.url) as left:
            room_id = await introduce(left, right)
        said: list[str] = []
        for point in SENDING:
            if point == "keys uploaded":
                # As after a new log-in: the homeserver is given the device's keys again before all else.
                with contextlib.closing(sqlite3.connect(folders[0] / "keys.sqlite3")) as keys:
                    keys.execute("DELETE FROM notes WHERE name = 'login'")
                    keys.commit()
            said.append(f"sent when it was killed: {point}")
            await killed(folders[0], ids[0], homeserver, point, room_id, said[-1])
            async with awake(folders[0], ids[0], homeserver) as left:
                if left.texts(room_id)[-1:] != said[-1:]:
                    await left.lobby.send(room_id, said[-1])
                await left.until(lambda: all(bubble.mark is Mark.SENT for bubble in left.bubbles(room_id)))
                await right.until(lambda: right.texts(room_id)[-1:] == said[-1:])
        assert right.texts(room_id) == said
