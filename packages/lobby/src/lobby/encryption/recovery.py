"""What opens an account: its identity, the recovery key, the key backup, and secrets that own devices share.

Put together from ``CrossSigning``, ``People``, ``SecretStorage``, ``KeyBackup`` and ``OwnSecrets``; one at a time.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

from lobby.core import backup as core_backup
from lobby.core import key_file, recovery_key
from lobby.core.backup import Place
from lobby.core.batch import Json
from lobby.core.identity import USAGES, Identity, Seeds, secret_name, secrets_of
from lobby.core.views import Backup, EncryptionState, OtherDevice, Standing
from lobby.encryption.cross_signing import CrossSigning
from lobby.encryption.engine import Engine
from lobby.encryption.key_backup import KeyBackup
from lobby.encryption.own_secrets import OwnSecrets
from lobby.encryption.people import People
from lobby.encryption.recovery_store import RecoveryStore
from lobby.encryption.secret_storage import OpenStorage, SecretStorage
from lobby.errands import Errands
from lobby.errors import LobbyError, RecoveryRefused
from lobby.matrix.session import Session
from lobby.sending import Guard
from lobby.store import Store

GUARD_NAME = "back up keys"

ASK_MOST = 200
"""Missing keys that are asked for at once, after the backup was opened; the others when their chat is looked at."""

UNFINISHED = (
    "A recovery key was being made when Lobby was interrupted, and nobody was shown it. Do it once more: the key "
    "you see then opens everything."
)
OTHER_IDENTITY = (
    "The identity that the homeserver shows for your account is not the one that this device knows. If you did not "
    "begin anew yourself on another device, ask whoever runs the homeserver."
)
GONE = "The homeserver does not know your identity any more. Create a recovery key: it is published again then."
BACKUP_GONE = (
    "The key backup was deleted by another device. Create a new recovery key to have your messages backed up again."
)
BACKUP_REPLACED = "The key backup was replaced by another device. Enter the recovery key to use the new one."

log = logging.getLogger("lobby")


class Recovery:
    """Recovery of one login. Use ``start`` once the keys are open, ``stop`` at the end."""

    def __init__(
        self,
        engine: Engine,
        session: Session,
        store: RecoveryStore,
        chats: Store,
        guard: Guard,
        clock: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        """``chats``: where messages wait for their keys. ``changed``: ``state`` is another now."""
        self._engine = engine
        self._session = session
        self._store = store
        self._guard = guard
        self._chats = chats
        self._changed = changed
        self._cross_signing = CrossSigning(engine, session, store)
        self.people = People(engine, self._cross_signing, store, chats)
        """Other persons, as this account stands with them."""
        self._storage = SecretStorage(session)
        self._backup = KeyBackup(engine, session, store, clock, changed)
        self.secrets = OwnSecrets(engine, self._cross_signing, self._backup, clock, self._secret_came)
        """What the person's devices give each other."""
        self._held = set(engine.room_keys())
        self._names: dict[str, str] = {}
        self._failed = ""
        self._stale = True
        self._one_at_a_time = asyncio.Lock()
        self._errands = Errands(LobbyError, level=logging.INFO)

    def start(self) -> None:
        """Take up what the last run has left: keys that the backup has not got."""
        self._engine.trusted_devices = self.verified_devices
        self._feed_when_due()

    async def stop(self) -> None:
        """Break off what is under way; all of it is kept."""
        await self._errands.drop()
        self._store.close()

    # How things stand

    def state(self) -> EncryptionState:
        """From memory; never waits for the network."""
        cross, backup = self._cross_signing, self._backup
        verified = self.verified_devices()
        shown = cross.shown.devices if cross.shown is not None else {}
        others = [device for device in shown if device != self._engine.device_id]
        return EncryptionState(
            device_id=self._engine.device_id,
            fingerprint=_in_fours(self._engine.fingerprint_key),
            standing=cross.standing,
            backup=backup.state,
            not_backed_up=backup.waiting if backup.state is Backup.IN_USE else len(self._held),
            sealed=self._chats.sealed_count(),
            others=tuple(OtherDevice(id, self._names.get(id, id), id in verified) for id in sorted(others)),
            trouble=" ".join(self._troubles()),
            verified_people=self.people.verified,
            changed_people=self.people.changed,
            people_with_unverified_device=self.people.with_unverified_device,
        )

    def verified_devices(self) -> Collection[str]:
        """Other devices of this person that are the person's own without doubt."""
        return self._cross_signing.other_verified_devices()

    @property
    def look_again(self) -> bool:
        """The homeserver was not asked how things stand since they changed, or did not answer; nobody is asking it."""
        return not self._one_at_a_time.locked() and (self._stale or self.people.look_again)

    def devices_changed(self, user_ids: Collection[str]) -> None:
        """The devices or identities of these persons are not what they were at the last look."""
        self._stale = self._stale or self._engine.user_id in user_ids
        self.people.devices_changed(user_ids)

    async def look(self, only_changes: bool = False) -> None:
        """Ask the homeserver how things stand now; ``only_changes``: with what changed. Raises LobbyError."""
        async with self._one_at_a_time:
            if self._stale or not only_changes:
                await self._look()
        self._feed_when_due()
        await self.people.look()
        self._changed()

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Something is done that changes how things stand; what calls for another look meanwhile gets it afterwards."""
        trusted = self._store.trusted_master
        try:
            async with self._one_at_a_time:
                yield
        finally:
            if self._store.trusted_master != trusted:
                self.people.look_at_all()
            self._changed()
        self._feed_when_due()
        if self.look_again:
            self._errands.start(self.look(only_changes=True))

    async def _look(self) -> None:
        self._stale = True
        try:
            while self._stale:
                # What changes from here on calls for another look, whatever this one finds.
                self._stale = False
                await self._engine.upkeep()
                await self._cross_signing.look()
                await self._backup.look()
                self._names = _device_names(await self._session.request("GET", "/devices"))
        except LobbyError as error:
            self._failed, self._stale = str(error), True
            raise
        else:
            self._failed = ""
        finally:
            self._changed()

    def _troubles(self) -> list[str]:
        cross, troubles = self._cross_signing, [self._engine.trouble, self._store.trouble]
        known = self._store.trusted_master
        if self._store.unfinished:
            troubles.append(UNFINISHED)
        if cross.standing is Standing.NO_RECOVERY and known:
            troubles.append(GONE)
        if cross.standing is Standing.UNVERIFIED and known and cross.trusted is None:
            troubles.append(OTHER_IDENTITY)
        if self._backup.state is Backup.LOCKED and self._store.secret(core_backup.SECRET):
            troubles.append(BACKUP_REPLACED)
        if self._backup.is_gone:
            troubles.append(BACKUP_GONE)
        troubles += [
            f"{user_id} has a new identity since you verified them. Verify them again before you trust what they write."
            for user_id in sorted(self.people.changed)
        ]
        troubles.append(self._failed)
        return [trouble for trouble in troubles if trouble]

    # The recovery key

    async def create_recovery(self, password: str = "", session: str = "") -> str:
        """Give the account an identity, sign this device, make the backup; returns the recovery key for all of it.

        Everything is kept here before it is published, and the key is made the account's last of all: whoever is
        interrupted does it again, and the second try completes the first. ``session``: of the sign-on that was wanted.
        Raises PasswordNeeded, SignOnNeeded, RecoveryRefused, Unreachable, ServerRefused, NotKept.
        """
        async with self._alone():
            await self._look()
            self._cross_signing.insist_on_ours()
            await self._insist_that_backup_is_not_lost()
            await self._cross_signing.create(password, session)
            return await self._make_key()

    async def begin_anew(self, password: str = "", session: str = "") -> str:
        """Put an identity and a backup in place of those whose secrets nobody has any more; the rest as above.

        An identity that this device has all secrets of stays as it is: so the second try completes the first, too.
        """
        async with self._alone():
            await self._look()
            await self._cross_signing.replace(password, session)
            return await self._make_key()

    async def _make_key(self) -> str:
        """A backup, unless there is one that this device opens, and a recovery key for it and for the identity."""
        seeds = self._cross_signing.seeds()
        assert seeds is not None
        self._store.keep_unfinished(True)
        await self._backup.create(seeds)
        storage = await self._storage.make({**secrets_of(seeds), core_backup.SECRET: self._backup.private_key()})
        self._store.keep_unfinished(False)
        await self._look()
        return recovery_key.written(storage.key)

    async def recover(self, entered: str) -> None:
        """Open identity and backup with the recovery key, or its passphrase; this device is signed.

        Raises RecoveryRefused with a text for the person, Unreachable, ServerRefused, NotKept.
        """
        async with self._alone():
            storage = await self._storage.unlock(entered)
            await self._look()
            self._cross_signing.adopt(await self._read_seeds(storage))
            await self._cross_signing.sign_own_device(self._engine.device_id)
            await self._open_backup(storage)
            self._store.keep_unfinished(False)
            await self._look()
        self._errands.start(self._read_backup())

    async def _read_seeds(self, storage: OpenStorage) -> Seeds:
        return Seeds(*[await self._storage.read(secret_name(usage), storage) for usage in USAGES])

    async def _open_backup(self, storage: OpenStorage) -> None:
        """Use the backup whose key lies in secret storage; where there is no backup, make one."""
        private = await self._storage.read(core_backup.SECRET, storage)
        if private and self._backup.adopt(private):
            return
        seeds = self._cross_signing.seeds()
        if self._backup.state is Backup.NONE and seeds is not None:
            await self._backup.create(seeds)
            await self._storage.keep(core_backup.SECRET, self._backup.private_key(), storage)

    async def _insist_that_backup_is_not_lost(self) -> None:
        """A new backup takes the place of the one there is: not before that was opened, if it can be."""
        if self._backup.lost and await self._storage.default_key() is not None:
            raise RecoveryRefused(
                "Your messages are backed up under a recovery key already, and this device cannot open that backup. "
                "Enter that recovery key, or verify this device with another one of yours. Nothing was replaced."
            )

    async def _read_backup(self) -> None:
        """What was opened may hold keys of messages that are waiting for them."""
        await self._backup.read_all()
        for place in self._chats.sealed_keys()[:ASK_MOST]:
            await self._backup.ask(place)

    # The backup

    def keys_came(self, places: Collection[Place]) -> None:
        """New keys are here, wherever they came from."""
        self._held |= set(places)
        self._backup.came(places)
        self._changed()
        self._feed_when_due()

    async def feed(self) -> None:
        """Give the backup what it has not got yet; a failure leaves that for the next time."""
        await self._guarded_feed()

    async def ask(self, room_id: str, session_id: str) -> bool:
        """Ask the backup for a key that a message needs; returns whether it came. Bounded by itself."""
        try:
            return await self._backup.ask((room_id, session_id))
        except LobbyError as error:
            log.info("The key backup could not be asked: %s", error)
            return False

    def _feed_when_due(self) -> None:
        if self._backup.due:
            self._errands.start(self._guarded_feed())

    async def _guarded_feed(self) -> None:
        if not self._backup.due:
            return
        feeding = asyncio.ensure_future(self._backup.feed())
        held = self._guard.begin(GUARD_NAME, lambda: _break_off(feeding))
        try:
            await asyncio.wait([feeding])
        finally:
            feeding.cancel()
            self._guard.end(held)
        if not feeding.cancelled() and (error := feeding.exception()) is not None:
            raise error

    # Secrets that own devices share

    async def ask_for_secrets(self) -> None:
        """Ask the person's other devices for what this one has not got. Raises LobbyError."""
        if self._cross_signing.trusted is None:
            await self._look()
        await self.secrets.ask()

    def _secret_came(self, name: str) -> None:
        if name == core_backup.SECRET:
            self._feed_when_due()
            self._errands.start(self._read_backup())
        self._changed()

    # After a verification

    async def trust_own_identity(self, master: str) -> None:
        """A verification with another own device has shown that this is the account's master key. Raises LobbyError."""
        async with self._alone():
            self._cross_signing.trust(master)
            await self._look()

    @property
    def own_identity(self) -> Identity | None:
        """The account's identity, if this device knows it to be the person's; from memory."""
        return self._cross_signing.trusted

    @property
    def can_sign_persons(self) -> bool:
        """Whether this device holds the key with which other persons are signed."""
        seeds = self._cross_signing.seeds()
        return seeds is not None and bool(seeds.user_signing)

    async def sign_own_device(self, device_id: str, device_key: str) -> bool:
        """Sign a device of ours, whose key was verified to be this; False: this device has not got the key for it.

        Raises LobbyError; RecoveryRefused: the homeserver shows another key of it by now.
        """
        async with self._alone():
            await self._cross_signing.look()
            self._cross_signing.insist_on_key(device_id, device_key)
            signed = await self._cross_signing.sign_own_device(device_id)
        await self.secrets.grant()
        return signed

    async def sign_person(self, user_id: str, master: str) -> bool:
        """Sign the master key of a person who was verified; False: there is no key for it. Raises LobbyError."""
        async with self._alone():
            return await self.people.sign(user_id, master)

    # Files of keys

    async def export_keys(self, passphrase: str) -> bytes:
        """All message keys as a file that other clients import. Raises KeysRefused."""
        sessions = self._engine.export_sessions()
        salt, iv = secrets.token_bytes(key_file.SALT_BYTES), secrets.token_bytes(key_file.IV_BYTES)
        return await asyncio.to_thread(key_file.write, sessions, passphrase, salt, iv)

    async def import_keys(self, file: bytes, passphrase: str) -> int:
        """Take in such a file; returns how many keys were new. Raises KeysRefused, NotKept."""
        sessions = await asyncio.to_thread(key_file.read, file, passphrase)
        return len(await self._engine.import_sessions(sessions))


def _break_off(feeding: asyncio.Future[None]) -> None:
    """Time is almost up: what was not given is given the next time."""
    feeding.cancel()


def _in_fours(text: str) -> str:
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def _device_names(answer: Json) -> dict[str, str]:
    devices = answer.get("devices")
    found = [device for device in devices if isinstance(device, dict)] if isinstance(devices, list) else []
    return {
        str(device.get("device_id")): str(device.get("display_name") or device.get("device_id"))[:200]
        for device in found
    }
