"""The key backup at the homeserver, at work: made, opened, fed with new keys, asked for missing ones.

Its public key is what we trust: the private part is held by this device, so a homeserver that shows a backup of its own
gets no keys. What was given is kept (``RecoveryStore``), so that nothing is given twice and nothing forgotten.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Collection
from typing import Any

import vodozemac

from lobby.core import backup as core
from lobby.core import unpadded
from lobby.core.backup import Place
from lobby.core.batch import Json
from lobby.core.identity import Seeds
from lobby.core.views import Backup
from lobby.encryption.cross_signing import backup_signature
from lobby.encryption.engine import Engine
from lobby.encryption.recovery_store import RecoveryStore
from lobby.errors import LobbyError, ServerRefused
from lobby.matrix.session import Session, path_part

BATCH = 100
"""Keys given in one request."""
SMALL = 1_000
"""Keys of a backup that is read as a whole once it is opened; of a larger one a key is asked for when it is missing."""

KEYS = "/room_keys/keys"
VERSION = "/room_keys/version"
WRONG_VERSION = "M_WRONG_ROOM_KEYS_VERSION"

log = logging.getLogger("lobby")


class KeyBackup:
    """The backup of one account, as this device stands with it."""

    def __init__(
        self,
        engine: Engine,
        session: Session,
        store: RecoveryStore,
        clock: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._session = session
        self._store = store
        self._clock = clock
        self._changed = changed
        self._there: Json | None = None
        """What the homeserver says of the backup; None: it was not asked yet, or there is none."""
        self._looked = False
        self._asking = core.Asking()
        self._feed = core.Feed(store.given())
        self._feed.came(place for place in engine.room_keys() if place not in store.given())
        self._one_feeds = asyncio.Lock()

    # How it stands

    @property
    def state(self) -> Backup:
        """From memory; before the homeserver was asked, as it was the last time."""
        if not self._looked:
            return Backup.IN_USE if self._store.backup_version and self._private else Backup.NONE
        if self._there is None:
            return Backup.NONE
        return Backup.IN_USE if self._opens(self._private, self._there) else Backup.LOCKED

    @property
    def is_gone(self) -> bool:
        """There was one that this device fed, and there is none any more."""
        return self._looked and self._there is None and bool(self._store.backup_version)

    @property
    def lost(self) -> bool:
        """There is one that this device neither opens nor was about to make."""
        return self.state is Backup.LOCKED and not self._opens(self._store.secret(_NEXT), self._there)

    @property
    def waiting(self) -> int:
        """Keys that it has not got yet."""
        return self._feed.waiting

    @property
    def due(self) -> bool:
        """Whether there are keys to give, and a backup to take them."""
        return bool(self._feed.waiting) and self.state is Backup.IN_USE and not self._one_feeds.locked()

    async def look(self) -> None:
        """Ask the homeserver for it. Raises LobbyError."""
        try:
            self._there = await self._session.request("GET", VERSION)
        except ServerRefused as error:
            if error.status != 404:
                raise
            self._there = None
        self._looked = True
        if self.state is Backup.IN_USE:
            self._begin(str(self._version), self._count)

    # Making and opening it

    async def create(self, seeds: Seeds) -> None:
        """Make one, unless there is one that this device opens. Kept before it is made: a second try completes it.

        Call ``look`` before. Raises LobbyError.
        """
        if self.state is Backup.IN_USE:
            return
        # A key of an earlier backup is not used again: others may have been given it for that one.
        private = self._store.secret(_NEXT) or secrets.token_bytes(core.KEY_BYTES)
        self._store.keep_secret(_NEXT, private)
        public = _public(private)
        auth_data: Json = {"public_key": public}
        device_signature = {self._engine.user_id: {f"ed25519:{self._engine.device_id}": self._engine.sign(auth_data)}}
        signed = backup_signature(seeds, self._engine.user_id, {**auth_data, "signatures": device_signature})
        if not self._opens(private, self._there):
            await self._session.request("POST", VERSION, {"algorithm": core.ALGORITHM, "auth_data": signed})
        self._store.keep_secret(core.SECRET, private)
        await self.look()
        self._store.keep_secret(_NEXT, b"")

    def adopt(self, private: bytes) -> bool:
        """Use the backup with this key, which came with the recovery key or from a verified device.

        False: there is none that it opens. Call ``look`` before. Raises NotKept.
        """
        if self._there is None or not self._opens(private, self._there):
            return False
        self._store.keep_secret(core.SECRET, private)
        self._begin(str(self._version), self._count)
        self._asking.begin_anew()
        return True

    def private_key(self) -> bytes:
        """The key of the backup in use; empty: this device has not got it."""
        return self._private if self.state is Backup.IN_USE else b""

    # Giving

    def came(self, places: Collection[Place]) -> None:
        """New keys are here, or better ones."""
        self._feed.came(places)

    async def feed(self) -> None:
        """Give it all that it has not got yet. Raises LobbyError; what was not given is given the next time."""
        async with self._one_feeds:
            while self._feed.waiting and self.state is Backup.IN_USE:
                try:
                    await self._give(self._feed.next(BATCH))
                except ServerRefused as error:
                    if error.errcode != WRONG_VERSION and error.status != 404:
                        raise
                    log.info("The key backup was replaced; looking at the new one.")
                    await self.look()
                self._changed()

    async def _give(self, places: list[Place]) -> None:
        exported = {core.place_of(session): session for session in self._engine.export_sessions(places)}
        indexes = {place: core.first_index(session["session_key"]) for place, session in exported.items()}
        news = {place: index for place, index in indexes.items() if self._feed.is_news(place, index)}
        rooms: Json = {}
        public = vodozemac.Curve25519PublicKey.from_base64(_public(self._private))
        sealing = vodozemac.PkEncryption.from_key(public)
        for place in news:
            room_id, session_id = place
            rooms.setdefault(room_id, {"sessions": {}})["sessions"][session_id] = core.entry(
                exported[place], _sealed(sealing, core.plain_entry(exported[place]))
            )
        if rooms:
            await self._session.request("PUT", KEYS, {"rooms": rooms}, {"version": self._store.backup_version})
            self._store.keep_given(news)
            self._feed.gave(news)
        self._feed.skip([place for place in places if place not in news])

    # Asking

    async def ask(self, place: Place) -> bool:
        """Ask for a missing key; returns whether it came. Not again and again for one that is not there.

        Raises LobbyError.
        """
        if self.state is not Backup.IN_USE or not self._asking.may_ask(place, self._clock()):
            return False
        room_id, session_id = place
        self._asking.missed(place, self._clock())
        path = f"{KEYS}/{path_part(room_id)}/{path_part(session_id)}"
        try:
            kept = await self._session.request("GET", path, query={"version": self._store.backup_version})
        except ServerRefused as error:
            if error.status != 404:
                raise
            return False
        except LobbyError:
            self._asking.found(place)  # Nobody answered: that says nothing about the key.
            raise
        came = place in await self._take({place: kept})
        if came:
            self._asking.found(place)
        return came

    async def read_all(self) -> int:
        """Read the whole of a small backup; returns how many keys were new. Raises LobbyError."""
        if self.state is not Backup.IN_USE or self._count > SMALL:
            return 0
        answer = await self._session.request("GET", KEYS, query={"version": self._store.backup_version})
        kept: dict[Place, Any] = {}
        for room_id, room in _items(answer.get("rooms")):
            for session_id, entry in _items(room.get("sessions") if isinstance(room, dict) else None):
                kept[room_id, session_id] = entry
        return len(await self._take(kept))

    async def _take(self, kept: dict[Place, Any]) -> frozenset[Place]:
        opening = vodozemac.PkDecryption.from_key(vodozemac.Curve25519SecretKey.from_bytes(self._private))
        sessions: list[Json] = []
        for place, entry in kept.items():
            try:
                ciphertext, mac, ephemeral = core.encrypted_parts(entry)
                plain = opening.decrypt(vodozemac.Message.from_base64(ciphertext, mac, ephemeral))
                sessions.append(core.opened(place, plain))
            except ValueError as error:  # vodozemac's errors are such, too.
                log.warning("A key in the backup does not open (room %s): %s", place[0], error)
        places = {core.place_of(session): core.first_index(session["session_key"]) for session in sessions}
        came = await self._engine.import_sessions(sessions)
        here = self._engine.room_keys()
        there = {place: index for place, index in places.items() if place in here}
        if there:
            self._store.keep_given(there)
            self._feed.gave(there)
            # What we hold may open more than what was there.
            self._feed.came(place for place in there if place not in came)
        return came

    # Inside

    @property
    def _private(self) -> bytes:
        return self._store.secret(core.SECRET)

    @property
    def _version(self) -> object:
        return (self._there or {}).get("version")

    @property
    def _count(self) -> int:
        count = (self._there or {}).get("count")
        return count if isinstance(count, int) else 0

    def _opens(self, private: bytes, there: Json | None) -> bool:
        auth_data = there.get("auth_data") if there is not None else None
        return (
            bool(private)
            and there is not None
            and there.get("algorithm") == core.ALGORITHM
            and isinstance(auth_data, dict)
            and auth_data.get("public_key") == _public(private)
        )

    def _begin(self, version: str, count: int) -> None:
        """A backup that has fewer keys than we gave it is another one under the same name (a restored homeserver)."""
        given = self._store.given()
        if version != self._store.backup_version or count < len(given):
            self._store.begin_backup(version)
            self._feed = core.Feed({})
            self._feed.came(self._engine.room_keys())
            self._asking.begin_anew()


_NEXT = "frontdesk.backup.next"
"""Under which the key of a backup is kept that may not have been made yet."""


def _public(private: bytes) -> str:
    return vodozemac.Curve25519SecretKey.from_bytes(private).public_key().to_base64()


def _sealed(sealing: Any, plain: bytes) -> Json:
    # ``Message.to_base64`` of vodozemac 0.10 returns its parts in another order than it says; the fields are right.
    message = sealing.encrypt(plain)
    parts = {"ciphertext": message.ciphertext, "mac": message.mac, "ephemeral": message.ephemeral_key}
    return {name: unpadded.encode(bytes(part)) for name, part in parts.items()}


def _items(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []
