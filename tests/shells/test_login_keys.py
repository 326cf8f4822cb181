"""The keys of a login: opened once, whatever is broken off; what cannot be read says why when that becomes known."""

import asyncio
import time
from pathlib import Path

from lobby.core.batch import Batch, RoomNews, open_batch
from lobby.core.event import CANNOT_READ, read_event
from lobby.core.key_news import KeyNews, ToDevice
from lobby.core.timeline import KeptEvent
from lobby.core.withheld import WORDS
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


async def nobody(engine: Engine) -> None:
    """Whoever takes the keys up does nothing with them."""


async def test_a_message_whose_key_is_withheld_later_says_so_once(tmp_path: Path) -> None:
    session = Session(Login("http://127.0.0.1:1", "@me:x", "DEVICE", "token"))
    database = Database(tmp_path / "lobby.sqlite3")
    store, heard = Store(database), list[list[KeptEvent]]()
    keys = LoginKeys(tmp_path / "keys.sqlite3", session, store, time.time, nobody, heard.append)
    await keys.engine()
    content = {"algorithm": "m.megolm.v1.aes-sha2", "session_id": "s1", "ciphertext": "AwgA"}
    event = {"event_id": "$1", "sender": "@you:x", "type": "m.room.encrypted", "content": content}
    happened = read_event({**event, "origin_server_ts": 1_000})
    assert happened is not None
    store.apply(open_batch(Batch("s1", (RoomNews("!a:x", (happened,)),)), keys.open), "@me:x", 1.0)

    async def said_by(sender: str, code: str) -> str:
        told = {"room_id": "!a:x", "session_id": "s1", "code": code}
        await keys.receive(KeyNews((ToDevice("m.room_key.withheld", sender, told),)))
        kept = store.event("$1")
        assert kept is not None
        return kept.text

    assert await said_by("@mallory:x", "m.blacklisted") == CANNOT_READ and heard == []
    assert await said_by("@you:x", "m.unverified") == f"This message cannot be read: {WORDS['m.unverified']}."
    assert [[kept.event_id for kept in told] for told in heard] == [["$1"]]
    assert store.sealed_keys() == [("!a:x", "s1")], "the key may still come from elsewhere"
    keys.close()
    database.close()
    await session.close()


async def test_after_a_gap_in_the_news_anybodys_devices_may_be_others(tmp_path: Path) -> None:
    session = Session(Login("http://127.0.0.1:1", "@me:x", "DEVICE", "token"))
    database = Database(tmp_path / "lobby.sqlite3")
    keys = LoginKeys(tmp_path / "keys.sqlite3", session, Store(database), time.time, nobody, lambda events: None)
    heard = list[frozenset[str]]()
    keys.on_devices = heard.append
    await keys.receive(KeyNews())
    assert heard == []
    await keys.receive(KeyNews(changed=frozenset({"@you:x"})))
    await keys.receive(KeyNews(anew=True))
    assert heard == [{"@you:x"}, {"@me:x"}], "one's own: by them one vouches for all others"
    keys.close()
    database.close()
    await session.close()
