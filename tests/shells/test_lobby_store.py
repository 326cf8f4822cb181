"""Lobby's database: what is kept, in which order, and what happens to damaged files and full disks."""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lobby.core.batch import Batch, Invited, Member, Page, RoomNews
from lobby.core.event import CANNOT_READ, Happened, Kind
from lobby.core.outbox import Item, Phase
from lobby.core.room_sessions import Rotation
from lobby.core.timeline import Draft
from lobby.core.unread import counts
from lobby.database import VERSION, Database
from lobby.errors import LobbyError, NotKept
from lobby.reading import Reading
from lobby.store import Store

ME = "@me:x"
YOU = "@you:x"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lobby.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    database = Database(path)
    yield Store(database)
    database.close()


def said(number: int, sender: str = YOU, text: str = "", **more: Any) -> Happened:
    return Happened(f"${number}", sender, float(number), Kind.MESSAGE, text or f"message {number}", **more)


def news(*timeline: Happened, **more: object) -> Batch:
    room = RoomNews("!a", timeline, members=(Member(YOU, "join", "You"), Member(ME, "join", "Me")), **more)  # type: ignore[arg-type]
    return Batch("s1", (room,))


def texts(store: Store) -> list[str]:
    return [bubble.text for bubble in Reading(store, ME).bubbles("!a", None, 50)]


def unread(store: Store) -> int:
    chat = Reading(store, ME).chat("!a")
    assert chat is not None
    return chat.unread


def test_a_batch_is_kept_with_its_token(store: Store) -> None:
    applied = store.apply(news(said(1), said(2)), ME, 0.0)
    assert applied.rooms == {"!a"}
    assert store.token() == "s1"
    assert texts(store) == ["message 1", "message 2"]


def test_how_often_a_room_wants_new_keys_is_kept(store: Store) -> None:
    def rotation() -> Rotation:
        room = store.room("!a")
        assert room is not None
        return room.rotation

    store.apply(news(said(1)), ME, 0.0)
    assert rotation() == Rotation()
    store.apply(news(rotation=Rotation(3600.0, 7)), ME, 0.0)
    store.apply(news(said(2)), ME, 0.0)
    assert rotation() == Rotation(3600.0, 7)


def test_a_batch_that_cannot_be_kept_leaves_the_old_token(store: Store, path: Path) -> None:
    store.apply(news(said(1)), ME, 0.0)
    with sqlite3.connect(path) as other:
        other.execute("CREATE TRIGGER no BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(NotKept):
        store.apply(Batch("s2", (RoomNews("!a", (said(2),)),)), ME, 0.0)
    assert store.token() == "s1"
    assert texts(store) == ["message 1"]


def test_the_same_news_twice_changes_nothing(store: Store) -> None:
    store.apply(news(said(1), said(2)), ME, 0.0)
    store.apply(news(said(1), said(2)), ME, 0.0)
    assert texts(store) == ["message 1", "message 2"]


def test_an_own_message_keeps_its_key_from_outbox_to_history(store: Store) -> None:
    store.apply(news(said(1)), ME, 0.0)
    store.keep_draft(Draft(Item("t1", "!a"), "mine", 5.0))
    keys = [bubble.key for bubble in Reading(store, ME).bubbles("!a", None, 50)]
    store.delivered("t1", "$9", ME, 6.0)
    assert [bubble.key for bubble in Reading(store, ME).bubbles("!a", None, 50)] == keys
    store.apply(news(said(2), said(9, ME, "mine", txn="t1")), ME, 0.0)
    shown = Reading(store, ME).bubbles("!a", None, 50)
    assert [(bubble.key, bubble.text) for bubble in shown] == [("$1", "message 1"), ("$2", "message 2"), ("t1", "mine")]


def test_the_timeline_may_tell_of_an_own_message_before_the_answer_does(store: Store) -> None:
    store.keep_draft(Draft(Item("t1", "!a"), "mine", 5.0))
    applied = store.apply(news(said(9, ME, "mine", txn="t1")), ME, 0.0)
    assert applied.delivered == (("t1", "$9"),)
    store.delivered("t1", "$9", ME, 6.0)
    assert store.drafts() == []
    assert texts(store) == ["mine"]


def test_a_transaction_id_of_another_event_is_no_key_of_this_one(store: Store) -> None:
    store.apply(news(said(1, ME, txn="t1"), said(2, ME, txn="t1")), ME, 0.0)
    assert [bubble.key for bubble in Reading(store, ME).bubbles("!a", None, 50)] == ["t1", "$2"]


def test_after_a_gap_only_what_follows_it_is_shown_until_older_pages_are_fetched(store: Store) -> None:
    store.apply(news(said(1)), ME, 0.0)
    store.apply(news(said(8), said(9), limited=True, before="p8"), ME, 0.0)
    assert texts(store) == ["message 8", "message 9"]
    assert store.add_older("!a", Page((said(7), said(6)), next="p6")) == 2
    assert store.add_older("!a", Page((said(6), said(5)), next="")) == 1
    assert texts(store) == [f"message {number}" for number in (5, 6, 7, 8, 9)]
    room = store.room("!a")
    assert room is not None and room.before == ""


def test_bubbles_are_paged_by_key(store: Store) -> None:
    store.apply(news(*(said(number) for number in range(1, 8))), ME, 0.0)
    reading = Reading(store, ME)
    newest = reading.bubbles("!a", None, 3)
    assert [bubble.key for bubble in newest] == ["$5", "$6", "$7"]
    assert [bubble.key for bubble in reading.bubbles("!a", newest[0].key, 3)] == ["$2", "$3", "$4"]
    assert reading.bubbles("!a", "nobody knows this key", 3) == []


def test_unread_counts_what_others_said_since_one_read_or_wrote(store: Store) -> None:
    store.apply(news(said(1), said(2)), ME, 0.0)
    assert unread(store) == 2
    store.apply(news(said(3, ME), said(4)), ME, 0.0)
    assert unread(store) == 1
    assert store.mark_read("!a") == store.event("$4")
    assert unread(store) == 0


def test_reading_on_another_device_counts_here(store: Store) -> None:
    store.apply(news(said(1), said(2), said(3)), ME, 0.0)
    applied = store.apply(Batch("s2", (RoomNews("!a", read=("$2",)),)), ME, 0.0)
    assert applied.rooms == {"!a"}
    assert unread(store) == 1


def test_the_homeserver_is_believed_about_what_lies_before_all_that_is_kept(store: Store) -> None:
    store.apply(news(said(8), said(9), limited=True, before="p8", unread=40), ME, 0.0)
    assert unread(store) == 40
    store.mark_read("!a")
    assert unread(store) == 0


def test_the_count_in_sql_follows_the_rule_in_the_core(store: Store) -> None:
    line = Happened("$n", YOU, 0.0, Kind.NOTICE, "joined", about=YOU)
    store.apply(news(said(1), said(2, ME), line, said(3), Happened("$h", YOU, 0.0, Kind.HIDDEN)), ME, 0.0)
    events = [event for event_id in ("$1", "$2", "$n", "$3", "$h") if (event := store.event(event_id))]
    assert store.others_messages_after("!a", 0, ME) == sum(counts(event, ME) for event in events) == 2


def test_edits_count_only_from_the_author_and_redactions_hide(store: Store) -> None:
    store.apply(news(said(1), said(2)), ME, 0.0)
    forged = Happened("$e1", "@evil:x", 3.0, Kind.HIDDEN, "forged", replaces="$1")
    edit = Happened("$e2", YOU, 3.0, Kind.HIDDEN, "edited", replaces="$1")
    redaction = Happened("$e3", YOU, 3.0, Kind.HIDDEN, "", replaces="$2")
    store.apply(news(forged), ME, 0.0)
    assert texts(store) == ["message 1", "message 2"]
    store.apply(news(edit, redaction), ME, 0.0)
    assert texts(store) == ["edited", "Message deleted"]


def test_a_redaction_of_another_room_changes_nothing(store: Store) -> None:
    store.apply(news(said(1)), ME, 1.0)
    elsewhere = RoomNews("!b", (Happened("$2", YOU, 2.0, Kind.HIDDEN, replaces="$1"),))
    store.apply(Batch("s2", (elsewhere,)), ME, 2.0)
    assert texts(store) == ["message 1"]


def test_an_old_edit_in_an_older_page_does_not_undo_a_later_one(store: Store) -> None:
    store.apply(news(said(9), before="p1"), ME, 1.0)
    first_edit = Happened("$2", YOU, 2.0, Kind.HIDDEN, "first edit", replaces="$1")
    store.add_older("!a", Page((first_edit, said(1, text="as edited last"))))
    assert texts(store) == ["as edited last", "message 9"]


def test_an_invitation_is_open_until_joined_or_left(store: Store) -> None:
    invited = Batch("s1", invited=(Invited("!a", YOU, "You", "", True),))
    assert store.apply(invited, ME, 1.0).invitations
    assert [row["inviter_name"] for row in store.invitations()] == ["You"]
    assert store.apply(news(said(1)), ME, 2.0).invitations
    assert store.invitations() == []
    store.apply(invited, ME, 1.0)
    store.apply(Batch("s3", left=("!a",)), ME, 2.0)
    assert store.invitations() == [] and store.room("!a") is None


def test_a_room_made_here_has_its_name_although_sync_was_quicker(store: Store) -> None:
    store.apply(Batch("s1", (RoomNews("!a", (said(1),), members=(Member(YOU, "join", "You"),)),)), ME, 1.0)
    store.add_room("!a", "Team", direct=False)
    store.add_members("!a", [Member(YOU, "invite"), Member("@third:x", "invite")])
    room = store.room("!a")
    assert room is not None and room.name == "Team"
    assert {(member.user_id, member.membership) for member in store.members("!a")} == {
        (YOU, "join"),
        ("@third:x", "invite"),
    }


def test_names_survive_a_restart(path: Path) -> None:
    database = Database(path)
    Store(database).apply(news(said(1)), ME, 0.0)
    database.close()
    database = Database(path)
    [bubble] = Reading(Store(database), ME).bubbles("!a", None, 50)
    database.close()
    assert bubble.sender_name == "You"


def test_an_older_page_does_not_bring_back_an_old_name(store: Store) -> None:
    store.apply(news(said(2)), ME, 0.0)
    store.add_older("!a", Page((said(1),), (Member(YOU, "join", "Old name"),)))
    assert {bubble.sender_name for bubble in Reading(store, ME).bubbles("!a", None, 50)} == {"You"}


def test_the_outbox_comes_back_as_it_was_kept(store: Store) -> None:
    item = Item("t1", "!a", 3, Phase.UNSENT, 7.0, 2, 9.0, "no time")
    store.keep_draft(Draft(Item("t1", "!a"), "mine", 5.0))
    store.keep_item(item)
    assert store.drafts() == [Draft(item, "mine", 5.0)]
    store.drop_draft("t1")
    assert store.drafts("!a") == []


def test_a_kept_message_survives_sigkill(path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from lobby.database import Database; from lobby.store import Store\n"
        "from lobby.core.outbox import Item; from lobby.core.timeline import Draft\n"
        "store = Store(Database(Path(sys.argv[1])))\n"
        "store.keep_draft(Draft(Item('t1', '!a'), 'mine', 5.0))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    database = Database(path)
    assert [draft.text for draft in Store(database).drafts()] == ["mine"]
    database.close()


def test_nothing_that_was_said_is_left_in_the_files_after_forgetting(store: Store, path: Path) -> None:
    store.apply(news(said(1, text="a very secret word")), ME, 0.0)
    store.index.add()
    store.forget_all()
    for file in path.parent.iterdir():
        assert b"secret" not in file.read_bytes(), file.name
    assert store.rooms() == [] and store.token() == ""


def test_the_files_are_for_their_owner_only(store: Store, path: Path) -> None:
    store.keep_note("a", "b")
    for file in path.parent.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file.name


@pytest.mark.parametrize(
    "damage", [b"this is no database, but it is long enough to be looked at" * 100, b"SQLite format 3\0"]
)
def test_a_damaged_database_is_put_aside_and_said_so(path: Path, damage: bytes) -> None:
    path.write_bytes(damage)
    database = Database(path)
    assert "put aside" in database.trouble
    Store(database).keep_note("a", "b")
    database.close()
    assert path.with_name("lobby.sqlite3.damaged-1").read_bytes() == damage


def fill(database: Database) -> None:
    Store(database).apply(news(*(said(number, text="x" * 500) for number in range(200))), ME, 0.0)
    database.compact()


def filled(path: Path) -> None:
    """A file with much in it, closed in order."""
    database = Database(path)
    fill(database)
    database.close()


def is_put_aside(path: Path) -> None:
    database = Database(path)
    assert "put aside" in database.trouble
    database.close()


def damage_the_middle(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(20_000))


def test_damage_in_the_middle_of_the_file_is_found(path: Path) -> None:
    filled(path)
    damage_the_middle(path)
    database = Database(path)
    assert "put aside" in database.trouble and Store(database).rooms() == []
    database.close()


def test_damage_that_came_with_a_crash_is_found(path: Path) -> None:
    before = Database(path)
    before.close()
    crashed = Database(path)
    fill(crashed)
    crashed._db.close()  # As far as the file is concerned, a process that was killed.
    damage_the_middle(path)
    is_put_aside(path)


def test_a_database_that_is_as_it_was_closed_is_not_read_through_and_damage_is_found_in_the_end(path: Path) -> None:
    filled(path)
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(before.st_size // 4)  # What opening it reads, its schema, stands in the first and last pages.
        file.write(b"\xff" * (before.st_size // 2))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # As when a disk goes bad.
    database = Database(path)
    assert database.trouble == "", "nobody has looked"
    with pytest.raises(LobbyError, match="Start Lobby again"):
        Store(database).events("!a", None, 500)
    database.close()
    is_put_aside(path)


def test_a_note_of_how_it_was_closed_that_is_garbage_is_no_note(path: Path) -> None:
    filled(path)
    path.with_name(f"{path.name}.closed").write_bytes(b"\xff\xfe")
    damage_the_middle(path)
    is_put_aside(path)


def test_a_database_with_changes_beside_it_was_not_closed_whatever_the_note_says(path: Path) -> None:
    filled(path)
    note = path.with_name(f"{path.name}.closed")
    kept = note.read_bytes()
    before = path.stat()
    killed = Database(path)
    Store(killed).keep_note("written", "by a process that was killed")
    crashed = path.with_name("crashed")
    crashed.mkdir()
    shutil.copy(path, crashed)
    shutil.copy(path.with_name(f"{path.name}-wal"), crashed)
    killed.close()
    found = crashed / path.name
    damage_the_middle(found)
    os.utime(found, ns=(before.st_atime_ns, before.st_mtime_ns))
    (crashed / note.name).write_bytes(kept)  # As after a power cut that has undone its removal.
    is_put_aside(found)


def test_a_database_of_a_later_lobby_is_left_alone(path: Path) -> None:
    Database(path).close()
    with sqlite3.connect(path) as other:
        other.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(LobbyError, match="later Lobby"):
        Database(path)
    assert path.read_bytes() == before


def test_a_database_of_the_first_version_is_brought_up(path: Path) -> None:
    database = Database(path)
    Store(database).keep_draft(Draft(Item("t1", "!a", 1, Phase.UNSENT, first_tried=5.0), "hello", 1.0))
    database.close()
    make_older(path, 1)
    database = Database(path)
    [draft] = Store(database).drafts()
    assert (draft.text, draft.item) == ("hello", Item("t1", "!a", 1, Phase.UNSENT, first_tried=5.0))
    assert database.rows("PRAGMA user_version")[0][0] == VERSION
    database.close()


def test_a_database_that_cannot_be_brought_up_stays_as_it_was(path: Path) -> None:
    database = Database(path)
    Store(database).keep_draft(Draft(Item("t1", "!a"), "hello", 1.0))
    database.close()
    with sqlite3.connect(path) as other:
        other.execute("ALTER TABLE outbox DROP COLUMN device")
        other.execute("PRAGMA user_version = 1")
    with pytest.raises(LobbyError, match="Nothing was changed"):
        Database(path)  # The first step succeeds, the second finds its column there already.
    with contextlib.closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (1,)
        assert "device" not in [column[1] for column in other.execute("PRAGMA table_info(outbox)")]
        assert other.execute("SELECT text FROM outbox").fetchone() == ("hello",)


def test_two_that_bring_a_database_up_at_once_both_have_it(path: Path) -> None:
    failures: list[LobbyError] = []

    def opened(at_once: threading.Barrier) -> None:
        at_once.wait()
        try:
            Database(path).close()
        except LobbyError as error:
            failures.append(error)

    for _ in range(10):
        path.unlink(missing_ok=True)
        Database(path).close()
        make_older(path, 2)
        at_once = threading.Barrier(2)
        both = [threading.Thread(target=opened, args=(at_once,)) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join()
        assert failures == []


def test_a_folder_in_its_place_is_a_clear_error(path: Path) -> None:
    path.mkdir()
    with pytest.raises(LobbyError, match="cannot be opened"):
        Database(path)


def test_a_full_disk_is_said_and_what_was_kept_stays(path: Path) -> None:
    database = Database(path)
    store = Store(database)
    store.keep_draft(Draft(Item("t0", "!a"), "kept", 5.0))
    # SQLite's own limit gives the same error as a disk without room.
    [[pages]] = database.rows("PRAGMA page_count")
    database.rows(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(NotKept, match="disk is full"):
        store.keep_draft(Draft(Item("t1", "!a"), "x" * 100_000, 5.0))
    assert [draft.text for draft in store.drafts()] == ["kept"]
    database.rows("PRAGMA max_page_count = 100000")
    store.keep_draft(Draft(Item("t1", "!a", 2), "x" * 100_000, 5.0))
    assert len(store.drafts()) == 2
    database.close()


def test_a_sealed_message_says_why_its_key_does_not_come_and_opens_when_it_does(store: Store) -> None:
    store.apply(news(sealed(1)), ME, 0.0)
    [waiting] = store.sealed("!a", "s1")
    store.keep_opened("!a", [replace(waiting, text="why")])
    assert texts(store) == ["why"] and store.sealed_count() == 1
    store.keep_opened("!a", [replace(waiting, kind=Kind.MESSAGE, text="one", sealed=None)])
    assert texts(store) == ["one"] and store.sealed_count() == 0


def make_older(path: Path, version: int) -> None:
    """Take back what was added to the schema after that version."""
    added = {
        6: [
            *("DROP TRIGGER event_came", "DROP TRIGGER event_changed", "DROP TRIGGER event_gone"),
            *("DROP TABLE words", "DROP TABLE indexed", "DROP TABLE unindexed"),
        ],
        5: [
            "ALTER TABLE rooms DROP COLUMN rotation_age",
            "ALTER TABLE rooms DROP COLUMN rotation_messages",
        ],
        4: [
            "CREATE TABLE page_sessions (hash TEXT PRIMARY KEY, at REAL NOT NULL)",
            "CREATE TABLE nonces (nonce TEXT PRIMARY KEY, until REAL NOT NULL)",
        ],
        3: [
            "DROP TABLE sealed",
            "ALTER TABLE rooms DROP COLUMN all_members",
            "ALTER TABLE rooms DROP COLUMN visibility",
        ],
        2: ["ALTER TABLE rooms DROP COLUMN untold"],
        1: ["ALTER TABLE outbox DROP COLUMN device"],
    }
    with contextlib.closing(sqlite3.connect(path)) as other:
        for number in range(VERSION - 1, version - 1, -1):
            for step in added[number]:
                other.execute(step)
        other.execute(f"PRAGMA user_version = {version}")
        other.commit()


def sealed(number: int, session: str = "s1", kind: Kind = Kind.SEALED) -> Happened:
    source = {
        "event_id": f"${number}",
        "sender": YOU,
        "type": "m.room.encrypted",
        "origin_server_ts": number * 1000.0,
        "content": {"ciphertext": "x", "session_id": session},
        "unsigned": {},
    }
    if kind is Kind.HIDDEN:
        source["content"] = {"ciphertext": "x", "session_id": session, "m.relates_to": {"rel_type": "m.replace"}}
    return Happened(f"${number}", YOU, float(number), kind, CANNOT_READ if kind is Kind.SEALED else "", sealed=source)


def test_sealed_events_wait_for_their_key_and_are_opened_in_their_places(store: Store) -> None:
    store.apply(news(said(1), sealed(2), said(3), sealed(4), sealed(5, "other")), ME, 0.0)
    assert texts(store) == ["message 1", CANNOT_READ, "message 3", CANNOT_READ, CANNOT_READ] and unread(store) == 5
    assert sorted(store.sealed_keys()) == [("!a", "other"), ("!a", "s1")] and store.sealed_count() == 3
    assert store.sealed("!a", "s1") == [sealed(2), sealed(4)]
    store.keep_opened("!a", [said(2, text="two"), said(4, text="four")])
    assert texts(store) == ["message 1", "two", "message 3", "four", CANNOT_READ] and unread(store) == 5
    assert store.sealed_keys() == [("!a", "other")]


def test_looking_for_what_waits_for_a_key_does_not_go_through_all_that_was_ever_said(path: Path) -> None:
    database, looks = Database(path), list[None]()
    store = Store(database)
    store.apply(news(*(said(number) for number in range(3000)), sealed(9999)), ME, 0.0)
    with database.transaction() as db:
        db.set_progress_handler(lambda: looks.append(None), 100)
    assert store.sealed_count() == 1
    assert store.sealed("!a", "s1") == [sealed(9999)]
    assert len(looks) < 10
    database.close()


def test_an_edit_that_was_sealed_corrects_when_it_is_opened(store: Store) -> None:
    store.apply(news(sealed(1), sealed(2, kind=Kind.HIDDEN)), ME, 0.0)
    assert texts(store) == [CANNOT_READ] and store.sealed_count() == 1
    edit = Happened("$2", YOU, 2.0, Kind.HIDDEN, "right", replaces="$1")
    store.keep_opened("!a", [said(1, text="wrong"), edit])
    assert texts(store) == ["right"] and store.sealed_keys() == []


def test_what_was_deleted_needs_no_key_any_more(store: Store) -> None:
    store.apply(news(sealed(1)), ME, 0.0)
    store.apply(news(Happened("$2", YOU, 2.0, Kind.HIDDEN, replaces="$1")), ME, 0.0)
    assert texts(store) == ["Message deleted"] and store.sealed_keys() == []
    store.keep_opened("!a", [said(1, text="not this")])
    assert texts(store) == ["Message deleted"]


def test_what_goes_takes_its_sealed_events_along(store: Store) -> None:
    store.apply(news(sealed(1)), ME, 0.0)
    store.apply(news(said(9), limited=True), ME, 0.0)
    assert store.sealed_keys() == []
    store.apply(news(sealed(10)), ME, 0.0)
    store.drop_room("!a")
    assert store.sealed_keys() == []


def test_after_a_gap_not_all_members_are_known(store: Store) -> None:
    store.apply(news(said(1)), ME, 0.0)
    store.keep_all_members("!a", [Member(YOU, "join", "You"), Member("@new:x", "invite")])
    room = store.room("!a")
    assert room is not None and room.all_members
    assert {member.user_id for member in store.members("!a")} == {YOU, "@new:x"}
    store.apply(news(said(9), limited=True), ME, 0.0)
    room = store.room("!a")
    assert room is not None and not room.all_members


def test_a_database_from_before_encryption_is_brought_up(path: Path) -> None:
    database = Database(path)
    Store(database).apply(news(said(1)), ME, 0.0)
    database.close()
    make_older(path, 3)
    database = Database(path)
    store = Store(database)
    assert texts(store) == ["message 1"]
    store.apply(news(sealed(2)), ME, 0.0)
    assert store.sealed_count() == 1
    database.close()
