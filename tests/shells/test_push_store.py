"""The push service's file: durable before success, many writes in one commit, and trouble said in words."""

import asyncio
import os
import sqlite3
from pathlib import Path

import pytest

from frontdesk.push.core import records as rec
from frontdesk.push.shell.store import Bodies, Store, StoreError
from frontdesk.wire.rfc8030 import Urgency

DESK = "a" * 32


def message(message_id: str, token: str = "token", topic: str | None = None) -> rec.Message:
    return rec.Message(message_id, token, Urgency.HIGH, topic, 2e9)


def keep(message_id: str, token: str = "token", topic: str | None = None, body: bytes = b"x") -> rec.KeepMessage:
    return rec.KeepMessage(message(message_id, token, topic), body)


async def write(store: Store, *changes: rec.Change) -> sqlite3.Error | None:
    done: asyncio.Future[sqlite3.Error | None] = asyncio.get_running_loop().create_future()
    store.write(changes, done.set_result)
    return await done


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path / "push.db")
    channel, ended = rec.Channel("token", DESK, "channel"), rec.Channel("ended", DESK, "other")
    assert await write(store, rec.KeepChannel(channel, 1.0), rec.KeepChannel(ended, 2.0)) is None
    assert await write(store, *(keep(i) for i in ("m1", "m2", "m3"))) is None
    assert await write(store, keep("gone", token="ended")) is None
    assert await write(store, rec.EndChannel("ended", 3.0), rec.DropMessages(("m2",)), rec.SeenDesk(DESK, 4.0)) is None
    await store.close()
    again = Store(tmp_path / "push.db")
    saved = rec.Saved({DESK: 4.0}, (channel,), {"ended": 3.0}, (message("m1"), message("m3")))
    assert again.load() == saved
    assert await write(again, rec.ForgetDesk(DESK), rec.ForgetGone(3.5)) is None
    assert again.load().seen == again.load().gone == {}
    await again.close()


async def read(store: Store, *ids: str) -> Bodies:
    done: asyncio.Future[Bodies] = asyncio.get_running_loop().create_future()
    store.read(ids, done.set_result)
    return await done


async def test_bodies_are_read_one_by_one_and_not_at_the_start(tmp_path: Path) -> None:
    store = Store(tmp_path / "push.db")
    for number in range(20):
        assert await write(store, keep(str(number), body=bytes([number]))) is None
    await store.close()
    again = Store(tmp_path / "push.db")
    assert [kept.id for kept in again.load().messages] == [str(number) for number in range(20)]
    assert await read(again, "7", "not there", "3") == {"7": b"\x07", "3": b"\x03"}
    await again.close()


async def test_a_body_that_cannot_be_read_is_an_error_not_a_missing_message(tmp_path: Path) -> None:
    """The disk goes bad under a running service: nothing is taken for gone, and ``/health`` says so."""
    store = Store(tmp_path / "push.db")
    assert await write(store, keep("m", body=bytes(60_000))) is None
    await store.close()
    damaged = Store(tmp_path / "push.db")
    os.truncate(tmp_path / "push.db", 30_000)
    assert isinstance(await read(damaged, "m"), sqlite3.Error)
    assert "malformed" in damaged.trouble
    await damaged.close()


async def test_a_new_message_replaces_the_one_with_its_topic_and_no_other(tmp_path: Path) -> None:
    store = Store(tmp_path / "push.db")
    for change in (
        keep("a1", topic="a"),
        keep("other", token="other", topic="a"),
        keep("b1", topic="b"),
        keep("plain"),
        keep("a2", topic="a"),
    ):
        assert await write(store, change) is None
    assert [kept.id for kept in store.load().messages] == ["other", "b1", "plain", "a2"]
    await store.close()


async def test_writes_that_come_together_share_commits(tmp_path: Path) -> None:
    store = Store(tmp_path / "push.db")
    errors = await asyncio.gather(*(write(store, keep(str(number))) for number in range(500)))
    assert errors == [None] * 500
    assert store.commits <= 2
    assert [kept.id for kept in store.load().messages] == [str(number) for number in range(500)]
    await store.close()


async def test_a_write_that_cannot_be_done_fails_alone_and_changes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "push.db")
    assert await write(store, keep("twin")) is None
    errors = await asyncio.gather(
        write(store, keep("good")),
        write(store, keep("half"), keep("twin")),
        write(store, keep("also good")),
    )
    assert [type(error) for error in errors] == [type(None), sqlite3.IntegrityError, type(None)]
    assert [kept.id for kept in store.load().messages] == ["twin", "good", "also good"]
    await store.close()


async def test_a_full_file_refuses_until_there_is_room_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "push.db", largest=200_000)
    accepted: list[str] = []
    while (error := await write(store, keep(str(len(accepted)), body=bytes(4000)))) is None:
        accepted.append(str(len(accepted)))
    assert "full" in str(error)
    assert "full" in store.trouble
    assert len(accepted) > 20
    assert [kept.id for kept in store.load().messages] == accepted
    assert await write(store, rec.DropMessages(tuple(accepted[:10]))) is None
    assert await write(store, keep("fits again", body=bytes(4000))) is None
    assert store.trouble == ""
    await store.close()


@pytest.mark.parametrize("damage", ["header", "middle"])
async def test_a_corrupt_file_is_kept_aside_and_the_service_starts_empty(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "push.db"
    store = Store(file)
    for number in range(50):
        await write(store, keep(str(number), body=bytes(4000)))
    await store.close()
    content = bytearray(file.read_bytes())
    if damage == "header":
        content[:4096] = b"this is not a database, not any more" + bytes(4060)
    else:
        content[8192 : len(content) // 2] = os.urandom(len(content) // 2 - 8192)
    file.write_bytes(content)
    again = Store(file)
    assert again.load() == rec.Saved()
    assert await write(again, keep("new")) is None
    await again.close()
    (aside,) = tmp_path.glob("push.db.corrupt-*")
    assert aside.read_bytes() == content
    assert "event=store_corrupt" in caplog.text
    assert aside.name in caplog.text


def test_a_corrupt_file_that_cannot_be_kept_aside_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / f"{'p' * 240}.db"  # the name to keep it under would be longer than a name may be
    file.write_bytes(b"this is not a database " * 100)
    with pytest.raises(StoreError, match="damaged and cannot be moved aside"):
        Store(file)
    assert file.read_bytes() == b"this is not a database " * 100


async def test_a_second_service_on_the_same_file_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "push.db")
    with pytest.raises(StoreError, match="Another push service uses"):
        Store(tmp_path / "push.db")
    assert await write(store, keep("m")) is None
    await store.close()


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "push.db"
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    before = file.read_bytes()
    with pytest.raises(StoreError, match="newer frontdesk"):
        Store(file)
    assert file.read_bytes() == before


def test_a_file_that_makes_no_sense_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "push.db"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE recipes (name TEXT)")
        database.execute("PRAGMA user_version = 1")
    database.close()
    with pytest.raises(StoreError, match="not one of this push service"):
        Store(file).load()
    with sqlite3.connect(file) as database:
        assert database.execute("SELECT count(*) FROM recipes").fetchone() == (0,)
    database.close()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="check --data"):
        Store(tmp_path / "file" / "push.db")


async def test_the_file_is_its_owners_only(tmp_path: Path) -> None:
    store = Store(tmp_path / "service" / "push.db")
    assert (tmp_path / "service").stat().st_mode & 0o077 == 0
    assert (tmp_path / "service" / "push.db").stat().st_mode & 0o077 == 0
    await store.close()
