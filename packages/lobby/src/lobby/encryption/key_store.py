"""The file of an account's keys: this device's own, those of its sessions, those that open messages. SQLite, mode 0600.

It has the methods that nio's Olm machine asks of a store, so that machine and file stay in step: whoever makes a
change opens ``transaction`` around it, and all that the machine saves meanwhile is durable together, or not at all.
The keys are not encrypted a second time: who can read this file can read Lobby's messages beside it, too.
"""

import hashlib
import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lobby.core.key_news import Json, ToDevice
from lobby.core.withheld import Withheld
from lobby.database import Database, Shape

FIRST_SCHEMA = """
CREATE TABLE notes (name TEXT PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE account (
    device_id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    shared INTEGER NOT NULL,
    account TEXT NOT NULL
);
CREATE TABLE device_sessions (
    session_id TEXT PRIMARY KEY,
    sender_key TEXT NOT NULL,
    session TEXT NOT NULL,
    made REAL NOT NULL,
    used REAL NOT NULL
);
CREATE TABLE room_keys (
    room_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    sender_key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    chain TEXT NOT NULL,
    sender TEXT NOT NULL,
    first INTEGER NOT NULL,
    session TEXT NOT NULL,
    PRIMARY KEY (room_id, session_id)
) WITHOUT ROWID;
CREATE TABLE devices (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    keys TEXT NOT NULL,
    PRIMARY KEY (user_id, device_id)
) WITHOUT ROWID;
CREATE TABLE heard (hash BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE inbox (number INTEGER PRIMARY KEY, message TEXT NOT NULL);
CREATE TABLE asked (room_id TEXT NOT NULL, session_id TEXT NOT NULL, PRIMARY KEY (room_id, session_id)) WITHOUT ROWID;
"""

WITHHELD = """
CREATE TABLE withheld (
    number INTEGER PRIMARY KEY,
    room_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    sender TEXT NOT NULL,
    code TEXT NOT NULL,
    UNIQUE (room_id, session_id, sender)
);
"""

KEYS = Shape(
    2,
    FIRST_SCHEMA + WITHHELD,
    {1: WITHHELD},
    "The file with your encryption keys was damaged and was put aside as {aside}. Other clients refuse a device whose "
    "keys change: log out, then log in again, and enter your recovery key to read what was said before.",
)

HEARD_MOST = 5_000
"""Encrypted messages between devices that are remembered, so that one that comes again is known; /sync brings 100."""


WITHHELD_MOST = 5_000
"""Keys of which it is remembered that they are withheld: anybody may say so of any number."""


@dataclass(frozen=True)
class RoomKey:
    """What opens the messages that one device sent in one room, from the index ``first`` on."""

    room_id: str
    session_id: str
    sender_key: str
    fingerprint: str
    chain: tuple[str, ...]
    sender: str
    """Whose device gave it to us directly; empty: it came from a backup, a file or another device of ours."""
    first: int
    session: str
    """As ``vodozemac`` pickles it."""


class KeyStore:
    """The open file. Everything that writes raises NotKept when it cannot."""

    def __init__(self, path: Path, user_id: str, device_id: str) -> None:
        """Open or make it for this login: another person's keys are forgotten, of another device only room keys stay.

        Raises LobbyError.
        """
        self._db = Database(path, KEYS)
        self.trouble = self._db.trouble
        self.user_id = user_id
        self.device_id = device_id
        self._inside: sqlite3.Connection | None = None
        found = self._db.row("SELECT user_id, device_id FROM account")
        if found and (found["user_id"], found["device_id"]) != (user_id, device_id):
            with self.transaction() as db:
                gone = ("account", "device_sessions", "heard", "inbox", "asked", "withheld", "notes")
                for table in (*gone, "room_keys", "devices") if found["user_id"] != user_id else gone:
                    db.execute(f"DELETE FROM {table}")

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of what is done inside is durable together; inside another one, together with that."""
        if self._inside is not None:
            yield self._inside
            return
        with self._db.transaction() as db:
            self._inside = db
            try:
                yield db
            finally:
                self._inside = None

    # What nio's machine asks for

    def load_account(self) -> Any:
        from nio.crypto.sessions import OlmAccount

        row = self._db.row("SELECT account, shared FROM account WHERE device_id = ?", self.device_id)
        return OlmAccount.from_pickle(row["account"].encode(), "", bool(row["shared"])) if row else None

    def save_account(self, account: Any) -> None:
        with self.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO account VALUES (?, ?, ?, ?)",
                (self.device_id, self.user_id, account.shared, account.pickle("").decode()),
            )

    def load_sessions(self) -> Any:
        from nio.crypto.memorystores import SessionStore
        from nio.crypto.sessions import Session

        found = SessionStore()  # type: ignore[no-untyped-call]
        for row in self._db.rows("SELECT * FROM device_sessions"):
            made, used = datetime.fromtimestamp(row["made"]), datetime.fromtimestamp(row["used"])
            found.add(row["sender_key"], Session.from_pickle(row["session"].encode(), made, "", used))
        return found

    def save_session(self, sender_key: str, session: Any) -> None:
        made, used = session.creation_time.timestamp(), session.use_time.timestamp()
        with self.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO device_sessions VALUES (?, ?, ?, ?, ?)",
                (session.id, sender_key, session.pickle("").decode(), made, used),
            )

    def load_inbound_group_sessions(self) -> Any:
        """None of them: there may be many thousands, and each is read when a message needs it (``room_key``)."""
        from nio.crypto.memorystores import GroupSessionStore

        return GroupSessionStore()  # type: ignore[no-untyped-call]

    def load_device_keys(self) -> Any:
        from nio.crypto.device import DeviceStore, OlmDevice

        found = DeviceStore()  # type: ignore[no-untyped-call]
        for row in self._db.rows("SELECT * FROM devices"):
            # Not ``add``: it compares with every device that is there, and somebody with many chats knows thousands.
            device = OlmDevice(row["user_id"], row["device_id"], plain_keys(json.loads(row["keys"])))
            found[device.user_id][device.id] = device
        return found

    def load_outgoing_key_requests(self) -> dict[str, Any]:
        """Lobby keeps its own (``asked``)."""
        return {}

    def is_device_verified(self, device: Any) -> bool:
        return False

    def is_device_blacklisted(self, device: Any) -> bool:
        return False

    def is_device_ignored(self, device: Any) -> bool:
        """nio's word for "gets keys although nobody has verified it"; so do all, as in Element by default."""
        return True

    # Devices

    def devices(self, user_id: str) -> dict[str, Json]:
        """Device id → its signed keys, as the homeserver gave them."""
        rows = self._db.rows("SELECT device_id, keys FROM devices WHERE user_id = ?", user_id)
        return {row["device_id"]: json.loads(row["keys"]) for row in rows}

    def keep_devices(self, user_id: str, devices: dict[str, Json]) -> None:
        """These are all devices of that person."""
        with self.transaction() as db:
            db.execute("DELETE FROM devices WHERE user_id = ?", (user_id,))
            values = [(user_id, device_id, json.dumps(keys)) for device_id, keys in devices.items()]
            db.executemany("INSERT INTO devices VALUES (?, ?, ?)", values)

    # Room keys

    def room_key(self, room_id: str, session_id: str) -> RoomKey | None:
        query = "SELECT * FROM room_keys WHERE room_id = ? AND session_id = ?"
        row = self._db.row(query, room_id, session_id)
        return _room_key(row) if row else None

    def room_keys(self) -> list[tuple[str, str]]:
        """(room, session) of all that are kept."""
        return [(row[0], row[1]) for row in self._db.rows("SELECT room_id, session_id FROM room_keys")]

    def keep_room_key(self, key: RoomKey) -> None:
        with self.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO room_keys VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    key.room_id, key.session_id, key.sender_key, key.fingerprint, json.dumps(key.chain), key.sender,
                    key.first, key.session,
                ),
            )  # fmt: skip
            db.execute("DELETE FROM asked WHERE room_id = ? AND session_id = ?", (key.room_id, key.session_id))

    def asked(self, room_id: str, session_id: str) -> bool:
        """Whether other devices of ours have been asked for that key."""
        query = "SELECT 1 FROM asked WHERE room_id = ? AND session_id = ?"
        return self._db.row(query, room_id, session_id) is not None

    def keep_asked(self, wanted: Collection[tuple[str, str]]) -> None:
        with self.transaction() as db:
            db.executemany("INSERT OR IGNORE INTO asked VALUES (?, ?)", list(wanted))

    def withheld(self, room_id: str, session_id: str, sender: str) -> str | None:
        """Why a device of that person keeps the key from this one, a code; None: none has said that it does."""
        query = "SELECT code FROM withheld WHERE room_id = ? AND session_id = ? AND sender = ?"
        row = self._db.row(query, room_id, session_id, sender)
        return str(row["code"]) if row else None

    def keep_withheld(self, withheld: Withheld, sender: str) -> None:
        with self.transaction() as db:
            newest = db.execute("SELECT coalesce(max(number), 0) FROM withheld").fetchone()[0]
            db.execute(
                "INSERT OR REPLACE INTO withheld VALUES (?, ?, ?, ?, ?)",
                (newest + 1, withheld.room_id, withheld.session_id, sender, withheld.code),
            )
            db.execute("DELETE FROM withheld WHERE number <= ?", (newest + 1 - WITHHELD_MOST,))

    # Messages between devices

    def hear(self, ciphertext: str) -> bool:
        """Remember an encrypted message; False: it was heard before, and can be opened only once."""
        hashed = hashlib.sha256(ciphertext.encode()).digest()
        with self.transaction() as db:
            newest = db.execute("SELECT coalesce(max(number), 0) FROM heard").fetchone()[0]
            fresh = db.execute("INSERT OR IGNORE INTO heard VALUES (?, ?)", (hashed, newest + 1)).rowcount == 1
            db.execute("DELETE FROM heard WHERE number <= ?", (newest - HEARD_MOST,))
        return fresh

    def put_into_inbox(self, message: ToDevice) -> None:
        """A message for others in Lobby, who get it after this transaction, and again when they could not take it."""
        fields = [message.type, message.sender, message.content, message.sender_device, message.encrypted]
        with self.transaction() as db:
            db.execute("INSERT INTO inbox (message) VALUES (?)", (json.dumps([*fields, message.sender_key]),))

    def inbox(self) -> list[tuple[int, ToDevice]]:
        """Numbered, the oldest first."""
        rows = self._db.rows("SELECT number, message FROM inbox ORDER BY number")
        return [(row["number"], ToDevice(*json.loads(row["message"]))) for row in rows]

    def take_from_inbox(self, numbers: Iterable[int]) -> None:
        with self.transaction() as db:
            db.executemany("DELETE FROM inbox WHERE number = ?", [(number,) for number in numbers])

    # Notes

    def note(self, name: str) -> str:
        """A single value by name; empty when there is none."""
        row = self._db.row("SELECT text FROM notes WHERE name = ?", name)
        return str(row[0]) if row else ""

    def keep_note(self, name: str, text: str) -> None:
        with self.transaction() as db:
            db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, text))


def forget_keys(path: Path) -> None:
    """Delete a key file that nobody has open; those that were put aside with it, too."""
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink(missing_ok=True)


def plain_keys(keys: Json) -> dict[str, str]:
    """The two keys of a device's signed keys, by algorithm."""
    device_id = keys["device_id"]
    return {algorithm: str(keys["keys"][f"{algorithm}:{device_id}"]) for algorithm in ("ed25519", "curve25519")}


def _room_key(row: sqlite3.Row) -> RoomKey:
    return RoomKey(
        row["room_id"], row["session_id"], row["sender_key"], row["fingerprint"], tuple(json.loads(row["chain"])),
        row["sender"], row["first"], row["session"],
    )  # fmt: skip
