"""What Lobby keeps: chats, names, messages, outbox and sync token; each change is one transaction."""

import json
import sqlite3
from collections.abc import Iterable

from lobby import intake, search_index
from lobby.core.batch import Batch, Member, Page
from lobby.core.event import TEXT_MOST, Happened, Kind, read_event
from lobby.core.outbox import Item, Phase
from lobby.core.room_sessions import Rotation
from lobby.core.timeline import Draft, KeptEvent, KeptRoom
from lobby.database import Database
from lobby.intake import Applied, kept_event
from lobby.search_index import SearchIndex


class Store:
    """Reads and writes of one person's chats."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self.index = SearchIndex(database)
        """Finds messages by their words."""

    # What the homeserver tells

    def token(self) -> str:
        """Where the next sync goes on; empty: from the beginning."""
        return self.note("sync_token")

    def apply(self, batch: Batch, me: str, now: float, anew: bool = False) -> Applied:
        """Take in an answer to /sync, its token last and in the same transaction. Raises NotKept.

        ``anew``: it does not go on from the last one, but tells all there is.
        """
        with self._db.transaction() as db:
            applied = intake.take(db, batch, me, now, anew)
            keep_note(db, "sync_token", batch.token)
        return applied

    def add_older(self, room_id: str, page: Page) -> int:
        """Put a page of older events before those that are kept; returns how many were new. Raises NotKept."""
        with self._db.transaction() as db:
            return intake.take_older(db, room_id, page)

    # Rooms, members, events

    def rooms(self) -> list[KeptRoom]:
        return [_room(row) for row in self._db.rows("SELECT * FROM rooms")]

    def room(self, room_id: str) -> KeptRoom | None:
        row = self._db.row("SELECT * FROM rooms WHERE room_id = ?", room_id)
        return _room(row) if row else None

    def members(self, room_id: str) -> list[Member]:
        rows = self._db.rows("SELECT user_id, membership, name FROM members WHERE room_id = ?", room_id)
        return [Member(*row) for row in rows]

    def events(self, room_id: str, before: int | None, most: int) -> list[KeptEvent]:
        """The last ``most`` events that can be shown, before the place ``before``; the oldest first."""
        limit = before if before is not None else 2**62
        rows = self._db.rows(
            "SELECT * FROM events WHERE room_id = ? AND place < ? AND kind != ? ORDER BY place DESC LIMIT ?",
            room_id, limit, Kind.HIDDEN, most,
        )  # fmt: skip
        return [kept_event(row) for row in reversed(rows)]

    def event(self, event_id: str) -> KeptEvent | None:
        row = self._db.row("SELECT * FROM events WHERE event_id = ?", event_id)
        return kept_event(row) if row else None

    def place_of(self, key: str) -> int | None:
        """Where the bubble with that key stands; None: it is no event (yet)."""
        row = self._db.row("SELECT place FROM events WHERE key = ?", key)
        return int(row[0]) if row else None

    def shown_from(self, room_id: str, place: int, most: int) -> int:
        """How many events that can be shown stand at that place and after it; ``most``: no more are counted."""
        row = self._db.row(
            "SELECT count(*) FROM (SELECT 1 FROM events WHERE room_id = ? AND place >= ? AND kind != ? LIMIT ?)",
            room_id, place, Kind.HIDDEN, most,
        )  # fmt: skip
        return int(row[0]) if row else 0

    def newest(self, room_id: str) -> KeptEvent | None:
        """The last event of a room, shown or not: reading it reads all."""
        row = self._db.row("SELECT * FROM events WHERE room_id = ? ORDER BY place DESC LIMIT 1", room_id)
        return kept_event(row) if row else None

    def oldest_place(self, room_id: str) -> int | None:
        row = self._db.row("SELECT min(place) FROM events WHERE room_id = ?", room_id)
        return row[0] if row else None

    def others_messages_after(self, room_id: str, place: int, me: str) -> int:
        """How many messages of others come after ``place`` (the rule of ``unread.counts``, as a query)."""
        row = self._db.row(
            "SELECT count(*) FROM events WHERE room_id = ? AND place > ? AND kind IN (?, ?) AND sender != ?",
            room_id, place, Kind.MESSAGE, Kind.SEALED, me,
        )  # fmt: skip
        return int(row[0]) if row else 0

    def mark_read(self, room_id: str) -> KeptEvent | None:
        """All of the room is read, up to the event that is returned; None: there is none. Raises NotKept.

        That the homeserver does not know it yet is kept with it, until ``told``.
        """
        newest = self.newest(room_id)
        if newest is not None:
            with self._db.transaction() as db:
                db.execute(
                    "UPDATE rooms SET read_place = ?, server_unread = 0, untold = ? WHERE room_id = ?",
                    (newest.place, newest.event_id, room_id),
                )
        return newest

    def untold(self) -> dict[str, str]:
        """Room id → the event up to which it was read, where the homeserver does not know that."""
        rows = self._db.rows("SELECT room_id, untold FROM rooms WHERE untold != ''")
        return {row["room_id"]: row["untold"] for row in rows}

    def told(self, room_id: str, event_id: str) -> None:
        """The homeserver knows that the room was read up to this event. Raises NotKept."""
        with self._db.transaction() as db:
            db.execute("UPDATE rooms SET untold = '' WHERE room_id = ? AND untold = ?", (room_id, event_id))

    def invitations(self) -> list[sqlite3.Row]:
        """Open invitations (room_id, name, inviter, inviter_name, direct, encrypted, at), the newest first."""
        return self._db.rows("SELECT * FROM invitations ORDER BY at DESC")

    def invitation(self, room_id: str) -> sqlite3.Row | None:
        return self._db.row("SELECT * FROM invitations WHERE room_id = ?", room_id)

    def add_room(self, room_id: str, name: str, direct: bool, encrypted: bool = False) -> None:
        """A room that was just made or joined: shown before the next sync tells (all) of it. Raises NotKept."""
        with self._db.transaction() as db:
            db.execute("INSERT OR IGNORE INTO rooms (room_id) VALUES (?)", (room_id,))
            db.execute("UPDATE rooms SET name = ? WHERE room_id = ? AND name = ''", (name, room_id))
            db.execute(
                "UPDATE rooms SET direct = max(direct, ?), encrypted = max(encrypted, ?) WHERE room_id = ?",
                (direct, encrypted, room_id),
            )
            db.execute("DELETE FROM invitations WHERE room_id = ?", (room_id,))

    def add_members(self, room_id: str, members: Iterable[Member]) -> None:
        """Members we know of, unless the homeserver was quicker to tell. Raises NotKept."""
        with self._db.transaction() as db:
            for member in members:
                intake.keep_new_member(db, room_id, member)

    def keep_all_members(self, room_id: str, members: Iterable[Member]) -> None:
        """These are all members of the room, as the homeserver has just told. Raises NotKept."""
        with self._db.transaction() as db:
            db.execute("DELETE FROM members WHERE room_id = ?", (room_id,))
            for member in members:
                intake.keep_member(db, room_id, member)
            db.execute("UPDATE rooms SET all_members = 1 WHERE room_id = ?", (room_id,))

    def drop_room(self, room_id: str) -> None:
        """The chat or invitation is gone, with all that was kept of it. Raises NotKept."""
        with self._db.transaction() as db:
            intake.forget_room(db, room_id)

    # Sealed events

    def sealed_keys(self) -> list[tuple[str, str]]:
        """(room, session) of the keys that kept events wait for."""
        return [(row[0], row[1]) for row in self._db.rows("SELECT DISTINCT room_id, session_id FROM sealed")]

    def sealed(self, room_id: str, session_id: str) -> list[Happened]:
        """The events that wait for that key, the oldest first."""
        # CROSS: in this order. SQLite does not know that few events wait for a key, and goes through all of the room.
        rows = self._db.rows(
            "SELECT source FROM sealed CROSS JOIN events USING (event_id, room_id) "
            "WHERE room_id = ? AND session_id = ? ORDER BY place",
            room_id, session_id,
        )  # fmt: skip
        found = (read_event(json.loads(row["source"])) for row in rows)
        return [event for event in found if event is not None]

    def sealed_count(self) -> int:
        """How many messages wait for a key."""
        row = self._db.row("SELECT count(*) FROM sealed CROSS JOIN events USING (event_id) WHERE kind = ?", Kind.SEALED)
        return int(row[0]) if row else 0

    def keep_opened(self, room_id: str, events: Iterable[Happened]) -> None:
        """What waited for a key takes its own form, or says why its key does not come. Raises NotKept."""
        with self._db.transaction() as db:
            intake.take_opened(db, room_id, events)

    # Outbox

    def drafts(self, room_id: str | None = None) -> list[Draft]:
        """Own messages that are no events yet, in the order of the outbox; of one room or of all."""
        where = "WHERE room_id = ?" if room_id is not None else ""
        values = () if room_id is None else (room_id,)
        return [_draft(row) for row in self._db.rows(f"SELECT * FROM outbox {where} ORDER BY turn", *values)]

    def draft(self, txn: str) -> Draft | None:
        row = self._db.row("SELECT * FROM outbox WHERE txn = ?", txn)
        return _draft(row) if row else None

    def words_of(self, key: str) -> tuple[str, str] | None:
        """Room and words (at most TEXT_MOST) of the own or other message with that key; None: there is none."""
        row = self._db.row(
            "SELECT room_id, text FROM outbox WHERE txn = ? UNION ALL SELECT room_id, text FROM events WHERE key = ?",
            key, key,
        )  # fmt: skip
        return (row["room_id"], row["text"][:TEXT_MOST]) if row else None

    def keep_draft(self, draft: Draft) -> None:
        """A new own message, durable when this returns. Raises NotKept."""
        with self._db.transaction() as db:
            db.execute("INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _draft_values(draft))

    def keep_item(self, item: Item) -> None:
        """The item's new standing. Raises NotKept."""
        with self._db.transaction() as db:
            db.execute(
                "UPDATE outbox SET turn = ?, phase = ?, first_tried = ?, attempts = ?, retry_at = ?, reason = ?, "
                "device = ? WHERE txn = ?",
                (
                    item.turn, item.phase, item.first_tried, item.attempts, item.retry_at, item.reason,
                    item.device, item.txn,
                ),
            )  # fmt: skip

    def drop_draft(self, txn: str) -> None:
        """The person discarded it. Raises NotKept."""
        with self._db.transaction() as db:
            db.execute("DELETE FROM outbox WHERE txn = ?", (txn,))

    def delivered(self, txn: str, event_id: str, me: str, now: float) -> None:
        """An outbox item has become an event under the same key; the next sync gives it its place. Raises NotKept."""
        row = self._db.row("SELECT room_id, text FROM outbox WHERE txn = ?", txn)
        if row is None:
            return
        with self._db.transaction() as db:
            db.execute("DELETE FROM outbox WHERE txn = ?", (txn,))
            # Sent by an earlier login, it came as anybody's event: it is this message from now on, and no other.
            db.execute(
                "UPDATE OR IGNORE events SET key = ? WHERE event_id = ? AND key = event_id AND sender = ?",
                (txn, event_id, me),
            )
            if not db.execute("SELECT 1 FROM events WHERE event_id = ?", (event_id,)).fetchone():
                event = Happened(event_id, me, now, Kind.MESSAGE, row["text"], txn)
                place = intake.last_place(db, row["room_id"]) + 1
                intake.insert(db, row["room_id"], place, event)
                db.execute("UPDATE rooms SET read_place = ? WHERE room_id = ?", (place, row["room_id"]))

    # Notes, log out

    def note(self, name: str) -> str:
        """A single value by name; empty when there is none."""
        row = self._db.row("SELECT text FROM notes WHERE name = ?", name)
        return str(row[0]) if row else ""

    def keep_note(self, name: str, text: str) -> None:
        """Raises NotKept."""
        with self._db.transaction() as db:
            keep_note(db, name, text)

    def forget_all(self) -> None:
        """All data of the account is gone. Raises NotKept."""
        with self._db.transaction() as db:
            search_index.forget_all(db)
            for table in ("notes", "rooms", "invitations", "members", "events", "sealed", "outbox"):
                db.execute(f"DELETE FROM {table}")
        self._db.compact()


def _room(row: sqlite3.Row) -> KeptRoom:
    return KeptRoom(
        room_id=row["room_id"],
        name=row["name"],
        direct=bool(row["direct"]),
        space=bool(row["space"]),
        encrypted=bool(row["encrypted"]),
        rotation=Rotation(row["rotation_age"], row["rotation_messages"]),
        visibility=row["visibility"],
        all_members=bool(row["all_members"]),
        heroes=tuple(json.loads(row["heroes"])),
        joined=row["joined"],
        server_unread=row["server_unread"],
        read_place=row["read_place"],
        before=row["before"],
    )


def keep_note(db: sqlite3.Connection, name: str, text: str) -> None:
    db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, text))


def _draft(row: sqlite3.Row) -> Draft:
    item = Item(
        txn=row["txn"],
        room_id=row["room_id"],
        turn=row["turn"],
        phase=Phase(row["phase"]),
        first_tried=row["first_tried"],
        attempts=row["attempts"],
        retry_at=row["retry_at"],
        reason=row["reason"],
        device=row["device"],
    )
    return Draft(item, row["text"], row["at"])


def _draft_values(draft: Draft) -> tuple[object, ...]:
    item = draft.item
    return (
        item.txn, item.room_id, item.turn, item.phase, item.first_tried, item.attempts, item.retry_at, item.reason,
        draft.text, draft.at, item.device,
    )  # fmt: skip
