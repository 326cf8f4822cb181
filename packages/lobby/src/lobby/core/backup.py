"""The key backup at the homeserver (Matrix, "Server-side key backups", m.megolm_backup.v1.curve25519-aes-sha2).

``Feed`` knows which keys it has not got yet, ``Asking`` how often it is worth asking for one it did not have.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from lobby.core import unpadded
from lobby.core.batch import Json

ALGORITHM = "m.megolm_backup.v1.curve25519-aes-sha2"
SECRET = "m.megolm_backup.v1"
"""Under which the backup's private key lies in secret storage, and is asked for ("Secrets")."""

KEY_BYTES = 32

FIRST_WAIT = 60.0
LONGEST_WAIT = 24 * 3600.0
MOST_REMEMBERED = 10_000

Place = tuple[str, str]
"""Where a key belongs: (room id, session id)."""

_INSIDE = ("algorithm", "forwarding_curve25519_key_chain", "sender_claimed_keys", "sender_key", "session_key")
_EXPORTED_VERSION = 1


def place_of(session: Json) -> Place:
    """Where an exported session belongs."""
    return session["room_id"], session["session_id"]


def first_index(session_key: Any) -> int:
    """From which message on a session in exported form opens. Raises ValueError: it is not of that form.

    Megolm, "Session export format": a byte for the version, then the index in four bytes.
    """
    data = unpadded.decode(session_key)
    if len(data) < 5 or data[0] != _EXPORTED_VERSION:
        raise ValueError("not an exported session")
    return int.from_bytes(data[1:5], "big")


def plain_entry(session: Json) -> bytes:
    """What is encrypted for the backup of a session in exported form."""
    return json.dumps({name: session[name] for name in _INSIDE if name in session}).encode()


def entry(session: Json, encrypted: Json) -> Json:
    """One session as the backup keeps it. ``encrypted``: ciphertext, ephemeral and mac of ``plain_entry``."""
    return {
        "first_message_index": first_index(session.get("session_key")),
        "forwarded_count": len(session.get("forwarding_curve25519_key_chain") or []),
        # Lobby does not tell keys that came from a verified device from others.
        "is_verified": False,
        "session_data": encrypted,
    }


def encrypted_parts(kept: Any) -> tuple[str, str, str]:
    """Ciphertext, mac and ephemeral key of a session in the backup. Raises ValueError."""
    data = kept.get("session_data") if isinstance(kept, dict) else None
    match data:
        case {"ciphertext": str(ciphertext), "mac": str(mac), "ephemeral": str(ephemeral)}:
            return ciphertext, mac, ephemeral
    raise ValueError("not a session of this backup")


def opened(place: Place, plain: bytes) -> Json:
    """The session that was encrypted for the backup, in the form in which keys are imported. Raises ValueError."""
    try:
        session = json.loads(plain)
    except RecursionError as error:
        raise ValueError("too deep") from error
    if not isinstance(session, dict):
        raise ValueError("not a session")
    first_index(session.get("session_key"))
    room_id, session_id = place
    return {**session, "room_id": room_id, "session_id": session_id}


class Feed:
    """What the backup has, and what is still to be given to it."""

    def __init__(self, given: Mapping[Place, int]) -> None:
        """``given``: what it has, each with the first message it opens."""
        self._given = dict(given)
        self._waiting: dict[Place, None] = {}

    @property
    def waiting(self) -> int:
        """How many keys it has not got yet."""
        return len(self._waiting)

    def held(self, sessions: Mapping[Place, int]) -> None:
        """All that this device holds, each with the first message it opens: what is new or better is to be given."""
        for place, index in sessions.items():
            if index < self._given.get(place, index + 1):
                self._waiting[place] = None

    def came(self, places: Iterable[Place]) -> None:
        """Keys came, or better ones than before: they are looked at when it is their turn."""
        self._waiting.update(dict.fromkeys(places))

    def next(self, most: int) -> list[Place]:
        """Those whose turn it is."""
        return [place for place, _ in zip(self._waiting, range(most), strict=False)]

    def is_news(self, place: Place, index: int) -> bool:
        """Whether the backup lacks that key, or has one that opens less."""
        return index < self._given.get(place, index + 1)

    def gave(self, places: Mapping[Place, int]) -> None:
        """The backup has these now."""
        for place, index in places.items():
            self._given[place] = min(index, self._given.get(place, index))
            self._waiting.pop(place, None)

    def skip(self, places: Iterable[Place]) -> None:
        """These cannot be given, or need not be."""
        for place in places:
            self._waiting.pop(place, None)

    def begin_anew(self) -> None:
        """It is another backup now, and empty."""
        self._waiting = dict.fromkeys([*self._given, *self._waiting])
        self._given = {}


class Asking:
    """How often a missing key is asked for: at once, then after a minute, and ever more seldom up to once a day."""

    def __init__(self) -> None:
        self._missed: dict[Place, tuple[float, float]] = {}
        """When to ask again, and how long was waited for that."""

    def may_ask(self, place: Place, now: float) -> bool:
        """Whether it is worth asking."""
        return place not in self._missed or now >= self._missed[place][0]

    def missed(self, place: Place, now: float) -> None:
        """It was not there."""
        wait = min(self._missed[place][1] * 4, LONGEST_WAIT) if place in self._missed else FIRST_WAIT
        self._missed.pop(place, None)
        self._missed[place] = (now + wait, wait)
        while len(self._missed) > MOST_REMEMBERED:
            del self._missed[next(iter(self._missed))]

    def found(self, place: Place) -> None:
        """It was there."""
        self._missed.pop(place, None)

    def begin_anew(self) -> None:
        """It may have other keys now."""
        self._missed.clear()
