"""The keys of a login: what is broken off while they are opened is done by whoever needs them next."""

import asyncio
import time
from pathlib import Path

from lobby.database import Database
from lobby.encryption.engine import Engine
from lobby.encryption.login_keys import LoginKeys
from lobby.home import Login
from lobby.matrix.session import Session
from lobby.store import Store


async def test_keys_whose_opening_was_broken_off_are_opened_anew(tmp_path: Path) -> None:
    begun, opened = asyncio.Event(), list[Engine]()

    async def on_open(engine: Engine) -> None:
        if not begun.is_set():
            begun.set()
            await asyncio.Event().wait()
        opened.append(engine)

    session = Session(Login("http://127.0.0.1:1", "@me:x", "DEVICE", "token"))
    database = Database(tmp_path / "lobby.sqlite3")
    keys = LoginKeys(tmp_path / "keys.sqlite3", session, Store(database), time.time, on_open, lambda events: None)
    first = asyncio.create_task(keys.engine())
    await begun.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    engine = await keys.engine()
    assert opened == [engine]
    assert await keys.engine() is engine and opened == [engine], "and opened once"
    keys.close()
    database.close()
    await session.close()
