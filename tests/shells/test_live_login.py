"""One login at work: what it still brings when it is let go of changes nothing of the login that takes its place."""

import asyncio
import time
from pathlib import Path

import pytest

from lobby.database import Database
from lobby.home import AccountHome, Login
from lobby.live_login import Hears, LiveLogin
from lobby.matrix.session import Session
from lobby.pushing import Pushing
from lobby.reading import Reading
from lobby.sending import Unguarded
from lobby.store import Store

OLD = Login("http://127.0.0.1:1", "@me:x", "OLD", "old token")
NEW = Login("http://127.0.0.1:1", "@me:x", "NEW", "new token")


async def no_one(unsent: object) -> None:
    """Nobody is told."""


HEARS = Hears(
    account=lambda: None,
    chats=lambda: None,
    chat=lambda room_id: None,
    encryption=lambda: None,
    connection=lambda connection: None,
    unkept=lambda why: None,
    named=lambda login: None,
    read=lambda room_id: None,
    unsent=no_one,
    opened=lambda events: None,
)


async def test_a_name_that_comes_late_does_not_put_the_old_login_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, comes = asyncio.Event(), asyncio.Event()

    async def display_name(session: Session) -> str:
        asked.set()
        await comes.wait()
        return "Me"

    monkeypatch.setattr(Session, "display_name", display_name)
    home, database = AccountHome(tmp_path / "1"), Database(tmp_path / "lobby.sqlite3")
    store = Store(database)
    home.keep_login(OLD)
    live = LiveLogin(OLD, home, store, Reading(store), Pushing(store, lambda: None), Unguarded(), time.time, HEARS)
    live.foreground()
    await asked.wait()
    home.keep_login(NEW)
    comes.set()
    await live.end()
    assert home.login() == NEW
    database.close()
