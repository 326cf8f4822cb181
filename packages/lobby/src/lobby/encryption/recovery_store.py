"""The file of what opens an account: secrets of its identity and backup, and whom we trust. SQLite, mode 0600.

The secrets are not encrypted a second time: who can read this file can read Lobby's messages beside it, too.
"""

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from lobby.core.backup import Place
from lobby.core.batch import Json
from lobby.core.identity import USAGES, Seeds, secret_name
from lobby.database import Database, Shape

SCHEMA = """
CREATE TABLE notes (name TEXT PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE secrets (name TEXT PRIMARY KEY, secret BLOB NOT NULL);
CREATE TABLE given (
    room_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    first INTEGER NOT NULL,
    PRIMARY KEY (room_id, session_id)
) WITHOUT ROWID;
CREATE TABLE people (user_id TEXT PRIMARY KEY, master TEXT NOT NULL);
"""

SHAPE = Shape(
    1,
    SCHEMA,
    {},
    "The file with the secrets of your account was damaged and was put aside as {aside}. Enter your recovery key "
    "again.",
)


class RecoveryStore:
    """The open file. Everything that writes raises NotKept when it cannot."""

    def __init__(self, path: Path, user_id: str) -> None:
        """Open or make it; what another person has left in it is forgotten. Raises LobbyError."""
        self._db = Database(path, SHAPE)
        self.trouble = self._db.trouble
        if self._note("user_id") not in ("", user_id):
            with self._db.transaction() as db:
                for table in ("notes", "secrets", "given", "people"):
                    db.execute(f"DELETE FROM {table}")
        self._keep_note("user_id", user_id)

    def close(self) -> None:
        self._db.close()

    # The account's identity

    def seeds(self) -> Seeds:
        """The secret parts of the identity that this device holds."""
        return Seeds(*(self.secret(secret_name(usage)) for usage in USAGES))

    def keep_seeds(self, seeds: Seeds) -> None:
        """These in place of others."""
        with self._db.transaction() as db:
            _keep_seeds(db, seeds, "")

    def next_seeds(self) -> Seeds:
        """The secret parts of an identity that is to take the place of the account's; empty ones: there is none."""
        return Seeds(*(self.secret(_NEXT + secret_name(usage)) for usage in USAGES))

    def keep_next_seeds(self, seeds: Seeds) -> None:
        with self._db.transaction() as db:
            _keep_seeds(db, seeds, _NEXT)

    def take_next_seeds(self, master: str) -> None:
        """That identity is the account's now, and trusted; nobody was shown a recovery key for it yet."""
        seeds = self.next_seeds()
        with self._db.transaction() as db:
            _keep_seeds(db, seeds, "")
            _keep_seeds(db, Seeds(b"", b""), _NEXT)
            for name, text in (("trusted_master", master), ("unfinished", "yes")):
                db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, text))

    @property
    def trusted_master(self) -> str:
        """The public master key that was shown to be the person's own; empty: none was yet."""
        return self._note("trusted_master")

    def trust_master(self, master: str) -> None:
        """It was."""
        self._keep_note("trusted_master", master)

    def secret(self, name: str) -> bytes:
        """A secret by the name that the specification gives it; empty: not held."""
        row = self._db.row("SELECT secret FROM secrets WHERE name = ?", name)
        return bytes(row["secret"]) if row else b""

    def keep_secret(self, name: str, secret: bytes) -> None:
        with self._db.transaction() as db:
            db.execute("INSERT OR REPLACE INTO secrets VALUES (?, ?)", (name, secret))

    def shown(self) -> Json | None:
        """What the homeserver showed of the account at the last look; None: it was never asked."""
        text = self._note("shown")
        return dict(json.loads(text)) if text else None

    def keep_shown(self, shown: Json) -> None:
        self._keep_note("shown", json.dumps(shown, sort_keys=True))

    @property
    def unfinished(self) -> bool:
        """A recovery key was being made, and nobody was shown it."""
        return bool(self._note("unfinished"))

    def keep_unfinished(self, unfinished: bool) -> None:
        self._keep_note("unfinished", "yes" if unfinished else "")

    # Other persons

    def people(self) -> dict[str, str]:
        """Persons whom the account's owner has verified, each with the master key they had then."""
        return {row["user_id"]: row["master"] for row in self._db.rows("SELECT user_id, master FROM people")}

    def keep_person(self, user_id: str, master: str) -> None:
        with self._db.transaction() as db:
            db.execute("INSERT OR REPLACE INTO people VALUES (?, ?)", (user_id, master))

    def changed_people(self) -> set[str]:
        """Those of them who showed another identity at the last look."""
        return self._people_in("changed_people")

    def keep_changed_person(self, user_id: str, changed: bool) -> None:
        self._keep_person_in("changed_people", user_id, changed)

    def people_with_unverified_device(self) -> set[str]:
        """Those of them who had a device at the last look that their identity has not signed."""
        return self._people_in("unverified_device")

    def keep_person_with_unverified_device(self, user_id: str, unverified: bool) -> None:
        self._keep_person_in("unverified_device", user_id, unverified)

    # The key backup

    @property
    def backup_version(self) -> str:
        """Of the backup that ``given`` is about."""
        return self._note("backup_version")

    def given(self) -> dict[Place, int]:
        """The keys that the backup has from us or to our knowledge, each with the first message it opens."""
        return {(row["room_id"], row["session_id"]): row["first"] for row in self._db.rows("SELECT * FROM given")}

    def keep_given(self, places: Mapping[Place, int]) -> None:
        """It has these now."""
        with self._db.transaction() as db:
            values = [(room_id, session_id, first) for (room_id, session_id), first in places.items()]
            db.executemany("INSERT OR REPLACE INTO given VALUES (?, ?, ?)", values)

    def begin_backup(self, version: str) -> None:
        """It is another backup now; of this one we know of no key that it has."""
        with self._db.transaction() as db:
            db.execute("DELETE FROM given")
            db.execute("INSERT OR REPLACE INTO notes VALUES ('backup_version', ?)", (version,))

    # Inside

    def _people_in(self, name: str) -> set[str]:
        text = self._note(name)
        return set(json.loads(text)) if text else set()

    def _keep_person_in(self, name: str, user_id: str, holds: bool) -> None:
        known = self._people_in(name)
        if (user_id in known) is not holds:
            self._keep_note(name, json.dumps(sorted(known ^ {user_id})))

    def _note(self, name: str) -> str:
        row = self._db.row("SELECT text FROM notes WHERE name = ?", name)
        return str(row["text"]) if row else ""

    def _keep_note(self, name: str, text: str) -> None:
        if self._note(name) != text:
            with self._db.transaction() as db:
                db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, text))


_NEXT = "frontdesk.next."
"""What the names of secrets begin with that belong to an identity which may not have been published yet."""


def _keep_seeds(db: sqlite3.Connection, seeds: Seeds, beginning: str) -> None:
    parts = zip(USAGES, (seeds.master, seeds.self_signing, seeds.user_signing), strict=True)
    rows = [(beginning + secret_name(usage), seed) for usage, seed in parts]
    db.executemany("INSERT OR REPLACE INTO secrets VALUES (?, ?)", rows)
