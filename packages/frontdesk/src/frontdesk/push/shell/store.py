"""The push service's SQLite file: what must survive a crash is in it before anyone is told of success.

Writes that come while a commit is on its way share the next one (group commit), so that many senders cost one flush
to disk. A file that cannot be read is moved aside, never deleted; the service then starts empty, desks register anew.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from frontdesk.errors import FrontdeskError
from frontdesk.push.core import records
from frontdesk.wire.rfc8030 import Urgency

LARGEST = 4 * 1024**3
"""Bytes the file may grow to; past it new messages are refused until some are delivered or over."""

LEAST = 50_000
"""Bytes below which the file has no room for anything beside its tables."""

_log = logging.getLogger("frontdesk.push.store")

_VERSION = 1
_SCHEMA = f"""
CREATE TABLE desk (uaid TEXT PRIMARY KEY, seen REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE channel (
    token TEXT PRIMARY KEY, uaid TEXT NOT NULL, channel_id TEXT NOT NULL, gone_at REAL
) WITHOUT ROWID;
CREATE TABLE message (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, token TEXT NOT NULL, topic TEXT,
    urgency TEXT NOT NULL, expires_at REAL NOT NULL, body BLOB NOT NULL
);
CREATE INDEX message_of_token ON message (token, topic);
PRAGMA user_version = {_VERSION};
"""

Done = Callable[[sqlite3.Error | None], None]
Bodies = dict[str, bytes] | sqlite3.Error
"""Bodies by message id, or why they could not be read."""


class StoreError(FrontdeskError):
    """The file cannot be used at all; the text says why and what to do."""


class Store:
    """The open file. ``write`` may be called from the event loop only; the file itself is used by one thread."""

    def __init__(self, file: Path, largest: int = LARGEST) -> None:
        """Open or make ``file``. Raises StoreError when it is in use, newer than this program, or cannot be opened."""
        self.commits = 0
        """Commits made so far."""
        self.trouble = ""
        """What went wrong with the last commit, or with a reading since; empty when all was well."""
        self._database = _open(file, largest)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="push-store")
        self._queue: list[tuple[Sequence[records.Change], Done]] = []
        self._writer: asyncio.Task[None] | None = None

    def load(self) -> records.Saved:
        """Everything that was durable. Call it before the first ``write``. Raises StoreError when it makes no sense."""
        try:
            return self._load()
        except (sqlite3.Error, ValueError) as error:
            self._database.close()
            raise StoreError(
                f"The database is not one of this push service ({error}). It was left as it is; move it away, or "
                "choose another folder with --data."
            ) from error

    def _load(self) -> records.Saved:
        rows = self._database.execute
        channels = rows("SELECT token, uaid, channel_id, gone_at FROM channel").fetchall()
        return records.Saved(
            seen=dict(rows("SELECT uaid, seen FROM desk")),
            channels=tuple(records.Channel(*row[:3]) for row in channels if row[3] is None),
            gone={token: gone_at for token, _, _, gone_at in channels if gone_at is not None},
            messages=tuple(
                records.Message(message_id, token, Urgency(urgency), topic, expires_at)
                for message_id, token, urgency, topic, expires_at in rows(
                    "SELECT id, token, urgency, topic, expires_at FROM message ORDER BY number"
                )
            ),
        )

    def write(self, changes: Sequence[records.Change], done: Done) -> None:
        """Make ``changes`` durable, all or none, in the order of the calls; then ``done(None)``, or the error."""
        self._queue.append((changes, done))
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write_queue())

    def read(self, ids: Sequence[str], done: Callable[[Bodies], None]) -> None:
        """Call ``done`` with the bodies of these messages, those left out that are not there; or with the error."""
        reading = asyncio.get_running_loop().run_in_executor(self._thread, self._bodies, ids)
        reading.add_done_callback(lambda read: self._have_read(read.result(), done))

    def _have_read(self, found: Bodies, done: Callable[[Bodies], None]) -> None:
        if isinstance(found, sqlite3.Error):
            _log.error("event=read_failed why=%r", str(found))
            self.trouble = str(found)
        done(found)

    def _bodies(self, ids: Sequence[str]) -> Bodies:
        one = "SELECT id, body FROM message WHERE id = ?"
        try:
            return dict(row for message_id in ids for row in self._database.execute(one, (message_id,)))
        except sqlite3.Error as error:
            return error

    async def close(self) -> None:
        """Finish what is queued and close the file."""
        if self._writer is not None:
            await self._writer
        await asyncio.get_running_loop().run_in_executor(self._thread, self._database.close)
        self._thread.shutdown()

    async def _write_queue(self) -> None:
        loop = asyncio.get_running_loop()
        while self._queue:
            batch, self._queue = self._queue, []
            errors = await loop.run_in_executor(self._thread, self._commit_together, [changes for changes, _ in batch])
            for (changes, done), error in zip(batch, errors, strict=True):
                if error is not None:
                    _log.error("event=write_failed changes=%d why=%r", len(changes), str(error))
                self.trouble = "" if error is None else str(error)
                done(error)
        self._writer = None

    def _commit_together(self, writes: list[Sequence[records.Change]]) -> list[sqlite3.Error | None]:
        """One commit for all; when that fails one for each, so that a write fails only for its own sake."""
        error = self._commit([change for changes in writes for change in changes])
        if error is None or len(writes) == 1:
            return [error] * len(writes)
        return [self._commit(changes) for changes in writes]

    def _commit(self, changes: Sequence[records.Change]) -> sqlite3.Error | None:
        try:
            self._database.execute("BEGIN IMMEDIATE")
            for change in changes:
                _apply(self._database, change)
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            if self._database.in_transaction:
                self._database.rollback()
            return error
        self.commits += 1
        return None


def _apply(database: sqlite3.Connection, change: records.Change) -> None:
    run = database.execute
    match change:
        case records.KeepMessage(message, body):
            if message.topic is not None:
                run("DELETE FROM message WHERE token = ? AND topic = ?", (message.token, message.topic))
            run(
                "INSERT INTO message (id, token, topic, urgency, expires_at, body) VALUES (?, ?, ?, ?, ?, ?)",
                (message.id, message.token, message.topic, message.urgency, message.expires_at, body),
            )
        case records.DropMessages(ids):
            database.executemany("DELETE FROM message WHERE id = ?", [(message_id,) for message_id in ids])
        case records.KeepChannel(channel, at):
            run(
                "INSERT INTO channel (token, uaid, channel_id) VALUES (?, ?, ?)",
                (channel.token, channel.uaid, channel.channel_id),
            )
            run("INSERT OR REPLACE INTO desk (uaid, seen) VALUES (?, ?)", (channel.uaid, at))
        case records.EndChannel(token, at):
            run("DELETE FROM message WHERE token = ?", (token,))
            run("UPDATE channel SET gone_at = ? WHERE token = ? AND gone_at IS NULL", (at, token))
        case records.SeenDesk(uaid, at):
            run("UPDATE desk SET seen = ? WHERE uaid = ?", (at, uaid))
        case records.ForgetDesk(uaid):
            run("DELETE FROM desk WHERE uaid = ?", (uaid,))
        case records.ForgetGone(before):
            run("DELETE FROM channel WHERE gone_at < ?", (before,))


def _open(file: Path, largest: int) -> sqlite3.Connection:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        return _connect_or_start_empty(file, largest)
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise StoreError(
                f"Another push service uses {file}. Nothing was changed; stop it, or choose another folder with --data."
            ) from error
        raise StoreError(f"{file} cannot be opened ({error}). Nothing was changed; check the folder.") from error
    except OSError as error:
        raise StoreError(f"{file} cannot be made ({error.strerror}). Nothing was changed; check --data.") from error


def _connect_or_start_empty(file: Path, largest: int) -> sqlite3.Connection:
    try:
        return _connect(file, largest)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        aside = _move_aside(file)
        _log.error(
            "event=store_corrupt why=%r kept=%s next=%r",
            str(error),
            aside,
            "started empty; desks register again by themselves, messages that waited are in the kept file",
        )
        return _connect(file, largest)


def _connect(file: Path, largest: int) -> sqlite3.Connection:
    database = sqlite3.connect(file, timeout=0.5, isolation_level=None, check_same_thread=False)
    try:
        # Exclusive: a second service on the same folder would answer from a memory that does not agree with the file.
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise StoreError(f"{file} was written by a newer frontdesk. Nothing was changed; use that version.")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        if version == 0:
            database.executescript(f"BEGIN EXCLUSIVE; {_SCHEMA} COMMIT;")
        else:
            found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise sqlite3.DatabaseError(found)
        page = database.execute("PRAGMA page_size").fetchone()[0]
        database.execute(f"PRAGMA max_page_count = {max(1, largest // page)}")
    except BaseException:
        database.close()
        raise
    return database


def _move_aside(file: Path) -> Path:
    aside = file.with_name(f"{file.name}.corrupt-{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 1000:03d}")
    try:
        for suffix in ("", "-wal", "-shm"):
            part = file.with_name(file.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
    except OSError as error:
        raise StoreError(
            f"{file} is damaged and cannot be moved aside ({error.strerror}). It was left as it is; move it away, or "
            "choose another folder with --data."
        ) from error
    return aside
