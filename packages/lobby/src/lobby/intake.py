"""Taking what the homeserver tells into the database: the steps of one transaction of the store."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from lobby.core.batch import Batch, Invited, Member, Page, RoomNews
from lobby.core.event import Happened, Kind, session_of
from lobby.core.timeline import KeptEvent
from lobby.core.unread import read_up_to


@dataclass(frozen=True)
class Applied:
    """What a batch changed, for those who watch."""

    rooms: frozenset[str] = frozenset()
    """Rooms with something new to show: messages, names, or what has been read."""
    invitations: bool = False
    left: tuple[str, ...] = ()
    """Rooms that the person is no longer in, or was never let into."""
    read: tuple[str, ...] = ()
    """Rooms known before in which the person has read on, here or elsewhere."""
    direct: bool = False
    """Which rooms are direct chats was told anew."""
    delivered: tuple[tuple[str, str], ...] = ()
    """Own messages that turned out to be events: (transaction id, event id)."""


def take(db: sqlite3.Connection, batch: Batch, me: str, now: float, anew: bool = False) -> Applied:
    """Take in an answer to /sync. ``anew``: it tells all there is, of which much may be kept already."""
    rooms: set[str] = set()
    read: list[str] = []
    delivered: list[tuple[str, str]] = []
    answered = _drop_closed_invitations(db, batch) if anew else 0
    for news in batch.rooms:
        answered += db.execute("DELETE FROM invitations WHERE room_id = ?", (news.room_id,)).rowcount
        fresh = db.execute("INSERT OR IGNORE INTO rooms (room_id) VALUES (?)", (news.room_id,)).rowcount == 1
        changed = _take_room(db, news, delivered, anew)
        moved = _move_read_marker(db, news, me)
        if fresh or changed or moved:
            rooms.add(news.room_id)
        if moved and not fresh:
            read.append(news.room_id)
    for invited in batch.invited:
        _take_invitation(db, invited, now)
    for room_id in batch.left:
        forget_room(db, room_id)
    if batch.direct is not None:
        db.execute("UPDATE rooms SET direct = 0")
        db.executemany("UPDATE rooms SET direct = 1 WHERE room_id = ?", [(room_id,) for room_id in batch.direct])
    return Applied(
        rooms=frozenset(rooms | set(batch.left)),
        invitations=bool(answered or batch.invited or batch.left),
        left=batch.left,
        read=tuple(read),
        direct=batch.direct is not None,
        delivered=tuple(delivered),
    )


def take_older(db: sqlite3.Connection, room_id: str, page: Page) -> int:
    """Put a page of older events before those that are kept; returns how many were new."""
    new = 0
    first = db.execute("SELECT min(place) FROM events WHERE room_id = ?", (room_id,)).fetchone()[0]
    place = 1 if first is None else first
    for member in page.members:
        # What an old page says of somebody may be out of date.
        keep_new_member(db, room_id, member)
    for event in page.events:
        if not db.execute("SELECT 1 FROM events WHERE event_id = ?", (event.event_id,)).fetchone():
            place -= 1
            new += 1
            # No ``_correct``: what was edited or deleted since comes as it is now, and an old edit is out of date.
            insert(db, room_id, place, event)
    db.execute("UPDATE rooms SET before = ? WHERE room_id = ?", (page.next, room_id))
    return new


def keep_member(db: sqlite3.Connection, room_id: str, member: Member) -> None:
    """What is known of somebody in a room now."""
    db.execute(
        "INSERT OR REPLACE INTO members VALUES (?, ?, ?, ?)", (room_id, member.user_id, member.membership, member.name)
    )


def keep_new_member(db: sqlite3.Connection, room_id: str, member: Member) -> None:
    """As ``keep_member``, of somebody of whom nothing is known yet."""
    db.execute(
        "INSERT OR IGNORE INTO members VALUES (?, ?, ?, ?)", (room_id, member.user_id, member.membership, member.name)
    )


def forget_room(db: sqlite3.Connection, room_id: str) -> None:
    """Nothing of the room is kept."""
    for table in ("rooms", "invitations", "members", "events", "sealed", "outbox"):
        db.execute(f"DELETE FROM {table} WHERE room_id = ?", (room_id,))


def last_place(db: sqlite3.Connection, room_id: str) -> int:
    """The place of the newest event of a room; 0: there is none."""
    found = db.execute("SELECT max(place) FROM events WHERE room_id = ?", (room_id,)).fetchone()[0]
    return int(found or 0)


def insert(db: sqlite3.Connection, room_id: str, place: int, event: Happened) -> None:
    """A new event. Its key is the transaction id where we sent it, so that the bubble on the page stays the same."""
    key = event.txn or event.event_id
    if event.txn and db.execute("SELECT 1 FROM events WHERE key = ?", (key,)).fetchone():
        key = event.event_id
    db.execute(
        "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (event.event_id, key, room_id, place, event.sender, event.at, event.kind, event.text, event.about),
    )
    if event.sealed is not None:
        db.execute(
            "INSERT OR IGNORE INTO sealed VALUES (?, ?, ?, ?)",
            (event.event_id, room_id, session_of(event.sealed), json.dumps(event.sealed)),
        )


def take_opened(db: sqlite3.Connection, room_id: str, events: Iterable[Happened]) -> None:
    """Put events that were kept sealed, and are opened now, in their own places, the oldest first; one that is still
    sealed says why."""
    for event in events:
        if event.sealed is not None:
            values = (event.text, event.event_id, room_id, Kind.SEALED)
            db.execute("UPDATE events SET text = ? WHERE event_id = ? AND room_id = ? AND kind = ?", values)
            continue
        if db.execute("DELETE FROM sealed WHERE event_id = ?", (event.event_id,)).rowcount:
            db.execute(
                "UPDATE events SET kind = ?, text = ?, about = ? WHERE event_id = ? AND room_id = ?",
                (event.kind, event.text, event.about, event.event_id, room_id),
            )
            _correct(db, room_id, event)


def kept_event(row: sqlite3.Row) -> KeptEvent:
    """A row of ``events``."""
    return KeptEvent(
        key=row["key"],
        event_id=row["event_id"],
        room_id=row["room_id"],
        place=row["place"],
        sender=row["sender"],
        at=row["at"],
        kind=Kind(row["kind"]),
        text=row["text"],
        about=row["about"],
    )


def _take_room(db: sqlite3.Connection, news: RoomNews, delivered: list[tuple[str, str]], anew: bool) -> bool:
    empty = not last_place(db, news.room_id)
    if anew and not empty and (not news.limited or _some_kept(db, news)):
        # What is kept stays, as there is no gap; the homeserver may have forgotten the old place in history, too.
        db.execute("UPDATE rooms SET before = ? WHERE room_id = ? AND before != ''", (news.before, news.room_id))
    elif news.limited or empty:
        # What lies between the kept events and these is unknown: it can be fetched back from here.
        db.execute("DELETE FROM events WHERE room_id = ?", (news.room_id,))
        db.execute("DELETE FROM sealed WHERE room_id = ?", (news.room_id,))
        db.execute("UPDATE rooms SET before = ?, read_place = 0 WHERE room_id = ?", (news.before, news.room_id))
    if news.limited:
        # Of who came and went in between, the homeserver tells only those who wrote (lazy-loaded members).
        db.execute("UPDATE rooms SET all_members = 0 WHERE room_id = ?", (news.room_id,))
    for member in news.members:
        keep_member(db, news.room_id, member)
    for event in news.timeline:
        if event.txn and db.execute("DELETE FROM outbox WHERE txn = ?", (event.txn,)).rowcount:
            delivered.append((event.txn, event.event_id))
        if anew:
            # What is kept has its place, perhaps beside messages that the homeserver has lost.
            insert(db, news.room_id, last_place(db, news.room_id) + 1, event)
        else:
            _place_last(db, news.room_id, event)
        _correct(db, news.room_id, event)
    return bool(_take_facts(db, news) or news.timeline or news.members)


def _some_kept(db: sqlite3.Connection, news: RoomNews) -> bool:
    query = "SELECT 1 FROM events WHERE room_id = ? AND event_id = ?"
    return any(db.execute(query, (news.room_id, event.event_id)).fetchone() for event in news.timeline)


def _drop_closed_invitations(db: sqlite3.Connection, batch: Batch) -> int:
    """Forget invitations that an answer which tells of all open ones does not tell of; returns how many."""
    still = {invited.room_id for invited in batch.invited}
    closed = [row[0] for row in db.execute("SELECT room_id FROM invitations") if row[0] not in still]
    db.executemany("DELETE FROM invitations WHERE room_id = ?", [(room_id,) for room_id in closed])
    return len(closed)


def _take_facts(db: sqlite3.Connection, news: RoomNews) -> bool:
    facts: dict[str, object] = {
        "name": news.name,
        "space": news.space,
        "encrypted": news.encrypted,
        "rotation_age": news.rotation.age if news.rotation else None,
        "rotation_messages": news.rotation.messages if news.rotation else None,
        "visibility": news.visibility,
        "heroes": None if news.heroes is None else json.dumps(news.heroes),
        "joined": news.joined,
        "server_unread": news.unread,
    }
    changed = False
    for column, value in facts.items():
        if value is not None:
            query = f"UPDATE rooms SET {column} = ? WHERE room_id = ? AND {column} != ?"
            changed |= db.execute(query, (value, news.room_id, value)).rowcount > 0
    return changed


def _move_read_marker(db: sqlite3.Connection, news: RoomNews, me: str) -> bool:
    before = db.execute("SELECT read_place FROM rooms WHERE room_id = ?", (news.room_id,)).fetchone()[0]
    events: list[KeptEvent] = []
    for event_id in {*news.read, *(event.event_id for event in news.timeline if event.sender == me)}:
        row = db.execute("SELECT * FROM events WHERE room_id = ? AND event_id = ?", (news.room_id, event_id)).fetchone()
        events += [kept_event(row)] if row else []
    place = read_up_to(events, me, news.read, before)
    db.execute("UPDATE rooms SET read_place = ? WHERE room_id = ?", (place, news.room_id))
    return bool(place != before)


def _take_invitation(db: sqlite3.Connection, invited: Invited, now: float) -> None:
    db.execute(
        "INSERT OR IGNORE INTO invitations VALUES (?, ?, ?, ?, ?, ?, ?)",
        (invited.room_id, invited.name, invited.inviter, invited.inviter_name, invited.direct, invited.encrypted, now),
    )
    for member in invited.members:
        keep_member(db, invited.room_id, member)


def _place_last(db: sqlite3.Connection, room_id: str, event: Happened) -> None:
    place = last_place(db, room_id) + 1
    known = db.execute(
        "UPDATE events SET place = ?, at = ? WHERE event_id = ? AND room_id = ?",
        (place, event.at, event.event_id, room_id),
    )
    if not known.rowcount:
        insert(db, room_id, place, event)


def _correct(db: sqlite3.Connection, room_id: str, event: Happened) -> None:
    """An edit or a redaction; it reaches its own room only, whatever event it names."""
    if not event.replaces:
        return
    text, by = event.text or "Message deleted", "AND sender = ?" if event.text else ""
    values = (event.replaces, room_id, Kind.MESSAGE, Kind.SEALED, *((event.sender,) if event.text else ()))
    which = f"event_id = ? AND room_id = ? AND kind IN (?, ?) {by}"
    if db.execute(f"UPDATE events SET text = ?, kind = ? WHERE {which}", (text, Kind.MESSAGE, *values)).rowcount:
        # What it said before is not worth a key any more.
        db.execute("DELETE FROM sealed WHERE event_id = ?", (event.replaces,))
