"""The search index and the upkeep of Lobby's database: what is found, what is forgotten, what is given back."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lobby import upkeep
from lobby.core.batch import Batch, RoomNews
from lobby.core.event import Happened, Kind
from lobby.database import Database
from lobby.reading import Reading
from lobby.search_index import STEP, STEPS_WHILE_ASKED
from lobby.store import Store

ME, YOU = "@me:x", "@you:x"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lobby.sqlite3"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = Database(path)
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


def said(number: int, text: str, kind: Kind = Kind.MESSAGE, replaces: str = "") -> Happened:
    return Happened(f"${number}", YOU, float(number), kind, text, replaces=replaces)


def tell(store: Store, *events: Happened, room_id: str = "!a") -> None:
    store.apply(Batch("s", (RoomNews(room_id, events),)), ME, 0.0)


def found(store: Store, typed: str, most: int = 50) -> list[str]:
    return [bubble.text for bubble in Reading(store, ME).search(typed, most).bubbles]


def test_a_search_finds_what_has_just_come_the_newest_first(store: Store) -> None:
    tell(store, said(1, "The map is here"), said(2, "No map"), said(3, "something else"))
    tell(store, said(4, "Maps of the hills"), room_id="!b")
    assert store.index.waiting() == 4, "no message is indexed while it comes"
    assert found(store, "map") == ["Maps of the hills", "No map", "The map is here"]
    assert store.index.waiting() == 0
    findings = Reading(store, ME).search("map", 2)
    assert (len(findings.bubbles), findings.more) == (2, True)


def test_what_is_edited_deleted_or_left_is_found_as_it_is_now(store: Store) -> None:
    tell(store, said(1, "apple"), said(2, "banana"), said(3, "cherry"))
    assert found(store, "apple") == ["apple"]
    tell(store, said(4, "pear", Kind.HIDDEN, replaces="$1"), said(5, "", Kind.HIDDEN, replaces="$2"))
    assert (found(store, "apple"), found(store, "banana"), found(store, "pear")) == ([], [], ["pear"])
    store.drop_room("!a")
    assert found(store, "cherry") == [] and store.index.waiting() == 0


def test_a_sealed_message_is_found_once_it_is_opened(store: Store) -> None:
    source = {
        "event_id": "$1",
        "sender": YOU,
        "type": "m.room.encrypted",
        "origin_server_ts": 1000,
        "content": {"ciphertext": "x", "session_id": "s1"},
    }
    tell(store, Happened("$1", YOU, 1.0, Kind.SEALED, "cannot be read yet", sealed=source))
    assert found(store, "read") == []
    store.keep_opened("!a", [said(1, "the secret plan")])
    assert found(store, "plan") == ["the secret plan"]


def test_how_far_back_a_message_stands_counts_what_is_shown(store: Store) -> None:
    tell(store, said(1, "one"), said(2, "", Kind.HIDDEN), said(3, "three"), said(4, "four"))
    reading = Reading(store, ME)
    for key, depth in (("$4", 1), ("$1", 3), ("$9", 0)):
        assert reading.depth("!a", key) == depth
        assert not depth or reading.bubbles("!a", None, depth)[0].key == key


def test_rooms_that_are_no_chats_are_not_searched(store: Store) -> None:
    store.apply(Batch("s", (RoomNews("!a", (said(1, "apple"),), space=True),)), ME, 0.0)
    assert found(store, "apple") == []


def test_a_search_waits_for_no_long_upkeep_and_says_what_it_has_not_looked_at(store: Store) -> None:
    many = STEP * STEPS_WHILE_ASKED + 10
    tell(store, *(said(number, "word") for number in range(many)))
    findings = Reading(store, ME).search("word", 5)
    assert (len(findings.bubbles), findings.more, findings.waiting) == (5, True, 10)


def connect_as_elsewhere(file: Path, **options: Any) -> sqlite3.Connection:
    """As in builds of SQLite that leave what is deleted in the file; that of Debian does not."""
    connection = sqlite3.Connection(file, **options)
    connection.execute("PRAGMA secure_delete = OFF")
    return connection


def test_upkeep_indexes_all_there_is_and_leaves_no_word_of_what_was_deleted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "connect", connect_as_elsewhere)
    database = Database(path)
    store = Store(database)
    tell(store, *(said(number, f"message {number}") for number in range(STEP + 1)), said(9999, "unmentionable"))
    for _ in upkeep.steps(database):
        pass
    assert store.index.waiting() == 0 and found(store, "unmentionable") == ["unmentionable"]
    tell(store, said(10000, "", Kind.HIDDEN, replaces="$9999"))
    for _ in upkeep.steps(database):
        pass
    for file in path.parent.iterdir():
        assert b"unmentionable" not in file.read_bytes(), file.name
    database.close()


def test_indexing_looks_at_what_waits_and_not_at_all_that_was_ever_said(store: Store, database: Database) -> None:
    tell(store, *(said(number, f"message {number}") for number in range(3000)))
    for _ in upkeep.steps(database):
        pass
    looks: list[None] = []
    with database.transaction() as db:
        db.set_progress_handler(lambda: looks.append(None), 100)
    assert store.index.add() == 0
    assert len(looks) < 5
    tell(store, said(9999, "the one that is new"))
    looks.clear()
    assert store.index.add() == 1
    assert len(looks) < 50


def test_upkeep_gives_back_what_is_free(store: Store, database: Database, path: Path) -> None:
    tell(store, *(said(number, "long " * 400) for number in range(2000)))
    store.drop_room("!a")
    before, free = path.stat().st_size, database.free_pages()
    database.give_back(upkeep.PAGES)
    assert database.free_pages() == free - upkeep.PAGES
    for _ in upkeep.steps(database):
        pass
    assert path.stat().st_size < before / 2
    assert 0 < database.free_pages() <= upkeep.WORTH_IT


class One:
    """The one account; its database may go."""

    def __init__(self, database: Database) -> None:
        self.there: Database | None = database

    def numbers(self) -> list[int]:
        return [1, 2]

    def database(self, number: int) -> Database | None:
        return self.there if number == 1 else None


async def test_upkeep_ends_between_two_steps_when_its_time_is_over_and_goes_on_the_next_time(
    store: Store, database: Database
) -> None:
    tell(store, *(said(number, "word") for number in range(3 * STEP)))
    running = asyncio.create_task(upkeep.look_after(One(database)))
    await asyncio.sleep(0)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert store.index.waiting() == 2 * STEP
    await upkeep.look_after(One(database))
    assert store.index.waiting() == 0


async def test_upkeep_leaves_an_account_alone_that_is_logged_out_meanwhile(store: Store, database: Database) -> None:
    tell(store, *(said(number, "word") for number in range(3 * STEP)))
    accounts = One(database)
    running = asyncio.create_task(upkeep.look_after(accounts))
    await asyncio.sleep(0)
    accounts.there = None
    await running
    assert store.index.waiting() == 2 * STEP


def test_the_messages_of_an_older_lobby_are_indexed_too_and_its_file_can_shrink_from_then_on(path: Path) -> None:
    database = Database(path)
    tell(Store(database), said(1, "from before"))
    database.close()
    with contextlib.closing(sqlite3.connect(path)) as other:
        for name in ("event_came", "event_changed", "event_gone"):
            other.execute(f"DROP TRIGGER {name}")
        for name in ("words", "indexed", "unindexed"):
            other.execute(f"DROP TABLE {name}")
        other.execute("PRAGMA user_version = 6")
        other.commit()
        other.execute("PRAGMA auto_vacuum = NONE")
        other.execute("VACUUM")
    database = Database(path)
    assert found(Store(database), "before") == ["from before"]
    assert not database.shrinks()
    for _ in upkeep.steps(database):
        pass
    assert database.shrinks() and found(Store(database), "before") == ["from before"]
    database.close()
