"""A database file of Lobby's: opened, repaired from the worst, written in transactions. SQLite, WAL, durable."""

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lobby.errors import LobbyError, NotKept

log = logging.getLogger("lobby")

VERSION = 7
"""Of the schema below; a database of a later Lobby is refused, an older one is brought up by ``STEPS``."""

SEARCH = """
CREATE TABLE indexed (number INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE);
CREATE TABLE unindexed (event_id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5 (text, content = '', tokenize = 'unicode61 remove_diacritics 2');
CREATE TRIGGER event_came AFTER INSERT ON events WHEN new.kind = 'message' BEGIN
    INSERT OR IGNORE INTO unindexed VALUES (new.event_id);
END;
CREATE TRIGGER event_changed AFTER UPDATE OF text, kind ON events
WHEN old.text != new.text OR old.kind != new.kind BEGIN
    INSERT INTO words (words, rowid, text) SELECT 'delete', number, old.text FROM indexed WHERE event_id = old.event_id;
    DELETE FROM indexed WHERE event_id = old.event_id;
    DELETE FROM unindexed WHERE event_id = old.event_id;
    INSERT INTO unindexed SELECT new.event_id WHERE new.kind = 'message';
END;
CREATE TRIGGER event_gone AFTER DELETE ON events BEGIN
    INSERT INTO words (words, rowid, text) SELECT 'delete', number, old.text FROM indexed WHERE event_id = old.event_id;
    DELETE FROM indexed WHERE event_id = old.event_id;
    DELETE FROM unindexed WHERE event_id = old.event_id;
END;
"""
"""The search index: ``words`` of messages, which are kept in ``events`` alone. What changes there is taken out of it at
once, in the same transaction; what comes waits in ``unindexed`` (``search_index``)."""

FIRST_SCHEMA = """
CREATE TABLE notes (name TEXT PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE rooms (
    room_id TEXT PRIMARY KEY,
    name TEXT NOT NULL DEFAULT '',
    direct INTEGER NOT NULL DEFAULT 0,
    space INTEGER NOT NULL DEFAULT 0,
    encrypted INTEGER NOT NULL DEFAULT 0,
    heroes TEXT NOT NULL DEFAULT '[]',
    joined INTEGER NOT NULL DEFAULT 0,
    server_unread INTEGER NOT NULL DEFAULT 0,
    read_place INTEGER NOT NULL DEFAULT 0,
    before TEXT NOT NULL DEFAULT '',
    untold TEXT NOT NULL DEFAULT '',
    all_members INTEGER NOT NULL DEFAULT 0,
    visibility TEXT NOT NULL DEFAULT '',
    rotation_age REAL NOT NULL DEFAULT 604800,
    rotation_messages INTEGER NOT NULL DEFAULT 100
);
CREATE TABLE invitations (
    room_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    inviter TEXT NOT NULL,
    inviter_name TEXT NOT NULL,
    direct INTEGER NOT NULL,
    encrypted INTEGER NOT NULL,
    at REAL NOT NULL
);
CREATE TABLE members (
    room_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    membership TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (room_id, user_id)
) WITHOUT ROWID;
CREATE TABLE events (
    event_id TEXT PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    room_id TEXT NOT NULL,
    place INTEGER NOT NULL,
    sender TEXT NOT NULL,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    about TEXT NOT NULL
);
CREATE INDEX events_in_order ON events (room_id, place);
CREATE TABLE sealed (
    event_id TEXT PRIMARY KEY,
    room_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    source TEXT NOT NULL
);
CREATE INDEX sealed_by_key ON sealed (room_id, session_id);
CREATE TABLE outbox (
    txn TEXT PRIMARY KEY,
    room_id TEXT NOT NULL,
    turn INTEGER NOT NULL,
    phase TEXT NOT NULL,
    first_tried REAL,
    attempts INTEGER NOT NULL,
    retry_at REAL NOT NULL,
    reason TEXT NOT NULL,
    text TEXT NOT NULL,
    at REAL NOT NULL,
    device TEXT NOT NULL DEFAULT ''
);
"""

SCHEMA = FIRST_SCHEMA + SEARCH

STEPS = {
    1: "ALTER TABLE outbox ADD COLUMN device TEXT NOT NULL DEFAULT '';",
    2: "ALTER TABLE rooms ADD COLUMN untold TEXT NOT NULL DEFAULT '';",
    3: """
ALTER TABLE rooms ADD COLUMN all_members INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rooms ADD COLUMN visibility TEXT NOT NULL DEFAULT '';
CREATE TABLE sealed (
    event_id TEXT PRIMARY KEY,
    room_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    source TEXT NOT NULL
);
CREATE INDEX sealed_by_key ON sealed (room_id, session_id);""",
    # The page has a database of its own since (``page_store``).
    4: "DROP TABLE IF EXISTS page_sessions; DROP TABLE IF EXISTS nonces;",
    5: """
ALTER TABLE rooms ADD COLUMN rotation_age REAL NOT NULL DEFAULT 604800;
ALTER TABLE rooms ADD COLUMN rotation_messages INTEGER NOT NULL DEFAULT 100;""",
    6: f"{SEARCH} INSERT INTO unindexed SELECT event_id FROM events WHERE kind = 'message';",
}
"""What makes the next version of a version's schema."""


@dataclass(frozen=True)
class Shape:
    """What a database file is to look like. ``damage``: what it means to a person when the file was unreadable."""

    version: int
    schema: str
    steps: Mapping[int, str]
    damage: str


CHATS = Shape(
    VERSION,
    SCHEMA,
    STEPS,
    "Lobby's database was damaged. It was put aside as {aside}; chats are fetched again from the homeserver, messages "
    "that were not sent yet are only in that file.",
)


class Database:
    """An open database. ``trouble`` is a sentence for the person when a damaged one had to be put aside."""

    def __init__(self, path: Path, shape: Shape = CHATS) -> None:
        """Open or make the file (mode 0600). Raises LobbyError when that cannot be, or a later Lobby has written it."""
        self.trouble = ""
        self._shape = shape
        self._path = path
        self._sound = True
        try:
            self._db = self._open(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "malformed" not in str(error):
                raise LobbyError(f"{path} cannot be opened: {error}. Nothing was changed.") from error
            aside = self._put_aside(path)
            self.trouble = shape.damage.format(aside=aside.name)
            self._db = self._open(path)

    def close(self) -> None:
        self._db.close()
        if self._sound:
            _mark_as_closed(self._path)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of what is done inside is kept durably, or nothing. Raises NotKept when it could not be written."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._roll_back()
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            self._doubt(error)
            raise NotKept(_why_not_kept(error)) from error

    def compact(self) -> None:
        """Write the file anew, so that what was deleted is really gone from it. Raises NotKept."""
        self._carry_out("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)")

    def shrinks(self) -> bool:
        """Whether free pages can be given back one by one; only after ``compact`` where an older Lobby made it."""
        return bool(self._pragma("auto_vacuum"))

    def pages(self) -> int:
        """How long the file is."""
        return self._pragma("page_count")

    def free_pages(self) -> int:
        """How many pages of the file hold nothing and could be given back one by one."""
        return self._pragma("freelist_count") if self.shrinks() else 0

    def give_back(self, pages: int) -> None:
        """Cut off so many free pages. Raises NotKept."""
        self._carry_out(f"PRAGMA incremental_vacuum({pages})")

    def learn(self) -> None:
        """Have SQLite look at what its ways of finding things rest on, where that has changed. Raises NotKept."""
        self._carry_out("PRAGMA analysis_limit = 400", "PRAGMA optimize", "PRAGMA wal_checkpoint(TRUNCATE)")

    def _pragma(self, name: str) -> int:
        row = self.row(f"PRAGMA {name}")
        return int(row[0]) if row else 0

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """All rows a query finds. Raises LobbyError when the file cannot be read."""
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            self._doubt(error)
            raise LobbyError(
                f"Lobby's database cannot be read: {error}. Start Lobby again; it repairs what it can."
            ) from error

    def row(self, query: str, *values: object) -> sqlite3.Row | None:
        """The first row a query finds."""
        found = self.rows(query, *values)
        return found[0] if found else None

    def _carry_out(self, *statements: str) -> None:
        """What no transaction can hold."""
        try:
            # As a script each runs to its end; ``execute`` stops after the first row of one that gives no values.
            self._db.executescript(f"{'; '.join(statements)};")
        except sqlite3.Error as error:
            self._doubt(error)
            raise NotKept(_why_not_kept(error)) from error

    def _doubt(self, error: sqlite3.Error) -> None:
        """What is wrong with the file is looked for when it is opened the next time."""
        if not isinstance(error, sqlite3.OperationalError):
            self._sound = False

    def _roll_back(self) -> None:
        """SQLite ends a transaction by itself on some errors (a full disk): then there is nothing to roll back."""
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def _open(self, path: Path) -> sqlite3.Connection:
        try:
            # Reading all of it takes the longer the more was ever said, and each message may launch Lobby.
            as_closed = _take_mark(path)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            path.chmod(0o600)
        except OSError as error:
            raise LobbyError(f"{path} cannot be opened: {error.strerror}. Nothing was changed.") from error
        db = sqlite3.connect(path, isolation_level=None, timeout=5.0)
        try:
            db.row_factory = sqlite3.Row
            # What is free can then be given back piece by piece; of use only before there is anything in the file.
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            # What is deleted is not to stay in a free page; whether SQLite does so unasked depends on who built it.
            db.execute("PRAGMA secure_delete = ON")
            if not as_closed:
                found = db.execute("PRAGMA quick_check(1)").fetchone()
                if found[0] != "ok":
                    raise sqlite3.DatabaseError(found[0])
            self._bring_up(db, path)
        except BaseException:
            db.close()
            raise
        return db

    def _bring_up(self, db: sqlite3.Connection, path: Path) -> None:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        shape = self._shape
        if version > shape.version:
            raise LobbyError(
                f"{path} was written by a later Lobby (schema {version}). Nothing was changed; update Lobby."
            )
        if version == shape.version:
            return
        db.execute("BEGIN IMMEDIATE")
        # Another process may have brought it up since; this one waited for it to finish.
        version = db.execute("PRAGMA user_version").fetchone()[0]
        steps = (
            shape.schema if version == 0 else "".join(shape.steps[number] for number in range(version, shape.version))
        )
        for statement in _statements(steps):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {shape.version}")
        db.execute("COMMIT")

    def _put_aside(self, path: Path) -> Path:
        number = 1
        while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
            number += 1
        path.rename(aside)
        for suffix in ("-wal", "-shm"):
            companion = path.with_name(path.name + suffix)
            if companion.exists():
                companion.rename(aside.with_name(aside.name + suffix))
        return aside


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one; a trigger is one, whatever semicolons stand in it."""
    statement = ""
    for part in script.split(";"):
        statement += f"{part};"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _mark(path: Path) -> Path:
    return path.with_name(f"{path.name}.closed")


def _changes(path: Path) -> Path:
    """What is not in the file itself yet; SQLite removes it when the last one closes the file."""
    return path.with_name(f"{path.name}-wal")


def _as_it_is(path: Path) -> bytes:
    found = path.stat()
    return f"{found.st_size} {found.st_mtime_ns}".encode()


def _mark_as_closed(path: Path) -> None:
    """Note how the file was left; whoever opens it just so need not read all of it. Without a note it is read."""
    if _changes(path).exists():
        return  # Somebody else has it open, or the disk was too full for all of it.
    try:
        found = _as_it_is(path)
        with open(os.open(_mark(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(found)
    except OSError as error:
        log.info("%s will be looked through when it is opened next: %s", path, error)


def _take_mark(path: Path) -> bool:
    """Whether the file is as it was left in good order; whoever does not close it leaves no mark."""
    try:
        mark = _mark(path).read_bytes()
        _mark(path).unlink()
        return mark == _as_it_is(path) and not _changes(path).exists()
    except FileNotFoundError:
        return False


def _why_not_kept(error: sqlite3.Error) -> str:
    if error.sqlite_errorname == "SQLITE_FULL":
        return "The disk is full, so this could not be kept. Make room and try again."
    return f"This could not be kept: {error}. Nothing was changed; try again."
