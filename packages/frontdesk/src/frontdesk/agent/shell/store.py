"""The desk's memory: one SQLite file with what the machines saved and the receipts. Each batch is one commit."""

import logging
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from frontdesk.agent.core.effects import KeepReceipt, KeepTaskReceipt, Kept, Save
from frontdesk.errors import FrontdeskError
from frontdesk.terms import Receipt, TaskReceipt

log = logging.getLogger(__name__)

MOST_ANSWER = 512 * 1024
"""Bytes of receipts given at once: a month of a busy app's would be more than one frame may hold (X02)."""

MOST_OF_ONE_APP = 5000
"""Receipts of either kind that are kept of one app, the newest: no app fills the disk with them (X02)."""

_SCHEMA = 1
_Receipt = TypeVar("_Receipt", Receipt, TaskReceipt)

_WAITS_MOST = 2.0
"""Seconds a commit waits for another program that writes."""


class StoreFailed(FrontdeskError):
    """A commit did not succeed: nothing of it is kept. The text says why and what to do."""


class Store:
    """WAL with ``synchronous=FULL``: what ``commit`` returned for survives a power cut.

    A file that is no database any more is moved aside as ``….broken-SECONDS`` and a new one begun; ``trouble`` says so.
    ``traces``: what was deleted can still be read in the write-ahead log, until ``empty_log``.
    """

    def __init__(self, file: Path, receipts_kept: float) -> None:
        self.trouble = ""
        self.traces = False
        self._file = file
        self._receipts_kept = receipts_kept
        try:
            self._db = self._open()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and not _is_broken(error):
                raise StoreFailed(f"{file} cannot be opened ({error}). Make room, or correct its rights.") from error
            aside = file.with_name(f"{file.name}.broken-{time.time():.0f}")
            for part in ("", "-wal", "-shm"):
                whole = file.with_name(file.name + part)
                if whole.exists():
                    whole.replace(aside.with_name(aside.name + part))
            self._db = self._open()
            self.trouble = (
                f"The desk's database was broken and has been moved to {aside}. Registered apps are kept; "
                "subscriptions are made anew when their apps start."
            )
        self._write_anew()
        self.empty_log()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._file, isolation_level=None, timeout=_WAITS_MOST)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            # Notifications and pushes say what people wrote: what is deleted is not to stay in a free page.
            db.execute("PRAGMA secure_delete = ON")
            db.execute("PRAGMA temp_store = MEMORY")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > _SCHEMA:
                raise StoreFailed(
                    f"{self._file} was written by a newer frontdesk. Update frontdesk; nothing was changed."
                )
            db.execute(
                "CREATE TABLE IF NOT EXISTS kept (machine TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,"
                " PRIMARY KEY (machine, key)) WITHOUT ROWID"
            )
            db.execute("CREATE TABLE IF NOT EXISTS receipts (app TEXT NOT NULL, at REAL NOT NULL, value BLOB NOT NULL)")
            db.execute("CREATE INDEX IF NOT EXISTS receipts_by_app ON receipts (app, at)")
            db.execute(
                "CREATE TABLE IF NOT EXISTS task_receipts (app TEXT NOT NULL, at REAL NOT NULL, value BLOB NOT NULL)"
            )
            db.execute("CREATE INDEX IF NOT EXISTS task_receipts_by_app ON task_receipts (app, at)")
            db.execute(f"PRAGMA user_version = {_SCHEMA}")
            # A page that is broken further in would else show when it is needed, as a failure that stays.
            found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise sqlite3.DatabaseError(found)
        except BaseException:
            db.close()
            raise
        self._file.chmod(0o600)
        return db

    def _write_anew(self) -> None:
        """SQLite copies rows when it fills pages otherwise, and ``secure_delete`` finds only the last copy of them."""
        try:
            self._db.execute("VACUUM")
        except sqlite3.Error as error:
            log.info("Copies of what was deleted may stay in %s until the next start: %s", self._file, error)

    def close(self) -> None:
        self._db.close()

    def saved(self) -> Iterator[tuple[str, str, bytes]]:
        """All that is kept, as (machine, key, value)."""
        yield from self._db.execute("SELECT machine, key, value FROM kept")

    def commit(self, saves: Sequence[Save], receipts: Sequence[Kept]) -> None:
        """Keep all of it or nothing. ``StoreFailed`` says why not; calling again with the same is right."""
        if not saves and not receipts:
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
            gone = [(save.machine, save.key) for save in saves if save.value is None]
            kept = [(save.machine, save.key, save.value) for save in saves if save.value is not None]
            self._db.executemany("DELETE FROM kept WHERE machine = ? AND key = ?", gone)
            self._db.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", kept)
            self._keep("receipts", [keep.receipt for keep in receipts if isinstance(keep, KeepReceipt)])
            self._keep("task_receipts", [keep.receipt for keep in receipts if isinstance(keep, KeepTaskReceipt)])
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreFailed(
                f"The desk cannot write {self._file} ({error}). Apps go on; nothing new is accepted until then."
            ) from error
        finally:
            # Whatever stopped it half-way: no later commit takes that half along.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        self.traces = self.traces or bool(gone)

    def _keep(self, table: str, receipts: Sequence[Receipt | TaskReceipt]) -> None:
        """Add these; what is too old goes, of each app that has new ones also what is too much."""
        if not receipts:
            return
        rows = [(receipt.app, receipt.at, msgspec.msgpack.encode(receipt)) for receipt in receipts]
        self._db.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", rows)
        latest = max(receipt.at for receipt in receipts)
        self._db.execute(f"DELETE FROM {table} WHERE at < ?", (latest - self._receipts_kept,))
        too_many = f"SELECT rowid FROM {table} WHERE app = ? ORDER BY at DESC LIMIT -1 OFFSET {MOST_OF_ONE_APP}"
        apps = sorted({(receipt.app,) for receipt in receipts})
        self._db.executemany(f"DELETE FROM {table} WHERE rowid IN ({too_many})", apps)

    def empty_log(self) -> None:
        """What was deleted is in no file any more. It costs more than a commit: for a moment in which nobody waits.

        While another program reads the file it cannot be done, and is not waited for: ``traces`` stays.
        """
        try:
            self._db.execute("PRAGMA busy_timeout = 0")
            busy = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            self.traces = bool(busy)
            if busy:
                log.info(
                    "What was deleted stays in the write-ahead log of %s while another program reads it", self._file
                )
        except sqlite3.Error as error:
            self.traces = True
            log.info("What was deleted is in the write-ahead log of %s until a later commit: %s", self._file, error)
        finally:
            self._db.execute(f"PRAGMA busy_timeout = {_WAITS_MOST * 1000:.0f}")

    def receipts(self, app: str, since: float) -> tuple[Receipt, ...]:
        """Those of one app from ``since`` on, newest first (L05); as many as MOST_ANSWER bytes hold."""
        return self._newest("receipts", Receipt, app, since)

    def task_receipts(self, app: str, since: float) -> tuple[TaskReceipt, ...]:
        """Those of its scheduled tasks that were expired or given up, as ``receipts``."""
        return self._newest("task_receipts", TaskReceipt, app, since)

    def _newest(self, table: str, kind: type[_Receipt], app: str, since: float) -> tuple[_Receipt, ...]:
        query = f"SELECT value FROM {table} WHERE app = ? AND at >= ? ORDER BY at DESC"
        found, room = [], MOST_ANSWER
        for (value,) in self._db.execute(query, (app, since)):
            room -= len(value)
            if room < 0:
                break
            found.append(msgspec.msgpack.decode(value, type=kind))
        return tuple(found)


def _is_broken(error: sqlite3.Error) -> bool:
    return error.sqlite_errorcode in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
