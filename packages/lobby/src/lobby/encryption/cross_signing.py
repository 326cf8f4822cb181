"""The account's identity at the homeserver: looked at, made, used to sign the person's devices ("Cross-signing").

A homeserver may show an identity of its own making. So the master key counts as the person's only once it was made
here, opened with the recovery key, or compared in a verification: ``RecoveryStore.trusted_master``.
"""

import asyncio
import logging
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from lobby.core import identity as identities
from lobby.core.batch import Json
from lobby.core.identity import Identity, Seeds, secret_name
from lobby.core.signed_json import SEED_BYTES, public_key, sign, with_signature
from lobby.core.views import Standing
from lobby.encryption.engine import Engine
from lobby.encryption.recovery_store import RecoveryStore
from lobby.errors import PasswordNeeded, ProofWanted, RecoveryRefused, SignOnNeeded, Unreachable
from lobby.matrix.session import CLIENT, Session

PASSWORD, SIGN_ON = "m.login.password", "m.login.sso"

SERVERS_TIME = 10_000
"""Milliseconds that our homeserver may wait for those of others when it asks for their identities."""

log = logging.getLogger("lobby")


@dataclass(frozen=True)
class Shown:
    """What the homeserver shows of the account."""

    identity: Identity | None = None
    devices: dict[str, Json] = field(default_factory=dict)
    """Keys of all of its devices, this one included, as they were given to us."""
    forged: bool = False
    """There is an identity, and its keys were not signed by each other."""


class CrossSigning:
    """The identity of one account, as this device sees it."""

    def __init__(self, engine: Engine, session: Session, store: RecoveryStore) -> None:
        self._engine = engine
        self._session = session
        self._store = store
        self._me = engine.user_id
        self._one_looks = asyncio.Lock()
        """An answer that was long on its way is never taken after a later one."""
        kept = store.shown()
        self.shown: Shown | None = self._read_own(kept) if kept is not None else None
        """As of the last look, in this run or an earlier one; None: the homeserver was never asked."""

    # Looking

    async def look(self) -> None:
        """Ask the homeserver for this account. Raises LobbyError."""
        async with self._one_looks:
            answer = await self.query([self._me])
            self.shown = self._read_own(answer)
            found, following = self.shown.identity, self._store.next_seeds()
            if found is not None and _are_whole(following) and identities.belongs(following, found):
                # It was published, perhaps just before this device was interrupted.
                self._store.take_next_seeds(found.master)
            self._store.keep_shown(_own_part(answer, self._me))

    @property
    def standing(self) -> Standing:
        """Whether other clients know this device as the person's own."""
        if self.shown is None:
            return Standing.UNKNOWN
        if self.shown.identity is None:
            return Standing.UNVERIFIED if self.shown.forged else Standing.NO_RECOVERY
        return Standing.VERIFIED if self._engine.device_id in self.verified_devices() else Standing.UNVERIFIED

    @property
    def trusted(self) -> Identity | None:
        """The identity, when it is the one that was shown to be the person's own."""
        found = self.shown.identity if self.shown is not None else None
        return found if found is not None and found.master == self._store.trusted_master else None

    def seeds(self) -> Seeds | None:
        """The secret parts that this device holds of the trusted identity; None: it holds none."""
        seeds, found = self._store.seeds(), self.trusted
        return seeds if found is not None and identities.belongs(seeds, found) else None

    def verified_devices(self) -> set[str]:
        """Devices of the account that its trusted identity has signed."""
        found = self.trusted
        if self.shown is None or found is None:
            return set()
        return {device for device, keys in self.shown.devices.items() if identities.has_signed_device(found, keys)}

    def other_verified_devices(self) -> set[str]:
        """Those of them that are not this one, and to which messages are encrypted with the keys that were signed."""
        others, known = self.verified_devices() - {self._engine.device_id}, self._engine.known_devices(self._me)
        return {device_id for device_id in others if self._is_as_known(device_id, known)}

    # Making

    async def create(self, password: str, session: str) -> None:
        """Give the account an identity, or what is missing of it; kept before it is published, for a second try.

        ``password``, ``session`` (of a sign-on that was made): the proof of who asks, where it is wanted. Call ``look``
        before. Raises PasswordNeeded, SignOnNeeded, RecoveryRefused, Unreachable, ServerRefused, NotKept.
        """
        if self._found() is None:
            seeds = self._store.seeds()
            if not _are_whole(seeds):
                seeds = _new_seeds()
                self._store.keep_seeds(seeds)
            await self._publish(identities.published(self._me, seeds), password, session, instead=False)
            await self.look()
        found = self.insist_on_ours()
        if found is None:
            raise Unreachable("The homeserver does not show the identity that was just made. Try again.")
        self._store.trust_master(found.master)
        await self.sign_own_device(self._engine.device_id)
        await self._sign_master(found)

    async def replace(self, password: str, session: str) -> None:
        """Put a new identity in place of one whose secrets this device has not got all of; else as ``create``.

        The new one is kept beside what is known of the old one until the homeserver shows it.
        """
        found = self.shown.identity if self.shown is not None else None
        if found is not None and not self._is_ours(found):
            seeds = self._store.next_seeds()
            if not _are_whole(seeds):
                seeds = _new_seeds()
                self._store.keep_next_seeds(seeds)
            await self._publish(identities.published(self._me, seeds), password, session, instead=True)
            await self.look()
        await self.create(password, session)

    def insist_on_ours(self) -> Identity | None:
        """The identity of the account, all of whose secrets this device holds; None: there is none yet.

        Raises RecoveryRefused: it was made elsewhere.
        """
        found = self._found()
        if found is not None and not self._is_ours(found):
            raise RecoveryRefused(
                "This account has a recovery key already, made on another device. Enter it here, or verify this device "
                "with another one of yours. Nothing was changed."
            )
        return found

    def adopt(self, seeds: Seeds) -> None:
        """These secrets came with the recovery key: they are taken if the published identity is made of them.

        Call ``look`` before. Raises RecoveryRefused, NotKept.
        """
        found = self._found()
        if found is None:
            raise RecoveryRefused(
                "The homeserver shows no identity of this account, although the recovery key opens one. Nothing was "
                "changed; create a new recovery key."
            )
        if not seeds.master or not seeds.self_signing:
            raise RecoveryRefused(
                "The recovery key is right, but the keys of your identity are not kept with it. Nothing was changed; "
                "verify this device with another one of yours."
            )
        if not identities.belongs(seeds, found):
            raise RecoveryRefused(
                "The homeserver shows another identity for this account than the one that this recovery key opens: it "
                "was replaced since, or is not yours. Nothing was changed."
            )
        self._store.trust_master(found.master)
        self._store.keep_seeds(seeds)

    def trust(self, master: str) -> None:
        """A verification has shown that this master key is the person's own. Raises NotKept."""
        self._store.trust_master(master)

    def take_secret(self, name: str, secret: bytes) -> bool:
        """A verified device sent a secret part of the identity; False: it is none of it. Raises NotKept."""
        found = self.trusted
        if found is None:
            return False
        public = {secret_name(usage): getattr(found, usage) for usage in identities.USAGES}.get(name)
        if public != public_key(secret):
            return False
        self._store.keep_secret(name, secret)
        return True

    # Signing

    async def sign_own_device(self, device_id: str) -> bool:
        """Have other clients know a device of ours; False: this device has not got the key for it, or it has no keys.

        Raises LobbyError.
        """
        seeds = self.seeds()
        if seeds is None or not seeds.self_signing:
            return False
        own = device_id == self._engine.device_id
        keys = self._engine.device_keys() if own else (self.shown or Shown()).devices.get(device_id)
        if keys is None or device_id in self.verified_devices():
            return keys is not None
        await self.upload_signatures({device_id: identities.device_signature(keys, self._me, seeds)}, self._me)
        await self.look()
        return device_id in self.verified_devices()

    def insist_on_key(self, device_id: str, device_key: str) -> None:
        """Raises RecoveryRefused: the homeserver shows another key (Ed25519) of that device of ours, or none.

        The same where its other key is not the one that the device itself has signed.
        """
        keys = (self.shown or Shown()).devices.get(device_id, {}).get("keys")
        right = isinstance(keys, dict) and keys.get(f"ed25519:{device_id}") == device_key
        if not right or not self._is_as_known(device_id, self._engine.known_devices(self._me)):
            raise RecoveryRefused("The homeserver shows another key of that device than the one that was verified.")

    async def upload_signatures(self, signed: Json, user_id: str) -> None:
        """Have everybody see signatures of keys of ``user_id``. Raises LobbyError."""
        answer = await self._session.request("POST", "/keys/signatures/upload", {user_id: signed})
        failures = answer.get("failures")
        if isinstance(failures, dict) and failures.get(user_id):
            raise Unreachable("The homeserver did not take a signature. Nothing else was changed; try again.")

    async def query(self, user_ids: Iterable[str]) -> Json:
        """What the homeserver says of the keys of these persons. Raises LobbyError."""
        body = {"device_keys": {user_id: [] for user_id in user_ids}, "timeout": SERVERS_TIME}
        return await self._session.request("POST", "/keys/query", body)

    # Inside

    def _is_as_known(self, device_id: str, known: dict[str, Json]) -> bool:
        """Whether the engine, which was answered at another time, knows a device of ours by the same keys.

        Else a homeserver could show us keys of its own making first, under the name of a device that we trust.
        """
        shown = (self.shown or Shown()).devices.get(device_id, {})
        return device_id in known and known[device_id].get("keys") == shown.get("keys")

    def _is_ours(self, found: Identity) -> bool:
        """Whether this device holds all secrets of that identity."""
        seeds = self._store.seeds()
        return _are_whole(seeds) and identities.belongs(seeds, found)

    def _found(self) -> Identity | None:
        shown = self.shown or Shown()
        if shown.forged:
            raise RecoveryRefused(
                "The homeserver shows an identity for this account whose keys were not signed by each other. Nothing "
                "was changed; ask whoever runs it."
            )
        return shown.identity

    def _read_own(self, answer: Json) -> Shown:
        found = answer.get("device_keys")
        mine = found.get(self._me) if isinstance(found, dict) else None
        devices = {
            device_id: keys
            for device_id, keys in (mine.items() if isinstance(mine, dict) else ())
            if isinstance(keys, dict) and keys.get("device_id") == device_id
        }
        if self._engine.device_id in devices and not self._is_this(devices[self._engine.device_id]):
            del devices[self._engine.device_id]
        try:
            return Shown(identities.read(self._me, answer), devices)
        except ValueError as error:
            log.warning("The account's identity is not valid: %s", error)
            return Shown(None, devices, forged=True)

    def _is_this(self, keys: Json) -> bool:
        """Whether these are the keys that this device has now, and not those of an earlier one of the same id."""
        return bool(keys.get("keys") == self._engine.device_keys()["keys"])

    async def _publish(self, objects: Json, password: str, session: str, instead: bool) -> None:
        """``instead``: in place of another identity; else only where there is none."""
        path = "/keys/device_signing/upload"
        try:
            await self._session.request("POST", path, {**objects, "auth": {"session": session}} if session else objects)
            return
        except ProofWanted as wanted:
            proof = wanted
        if not instead:
            # Somebody may have been faster: with the proof, the homeserver would put ours in place of theirs.
            await self.look()
            if self._found() is not None:
                return
        if (PASSWORD,) not in proof.flows:
            raise self._sign_on_needed(proof)
        if not password:
            raise PasswordNeeded("The homeserver wants your account's password for this. Nothing was changed yet.")
        identifier = {"type": "m.id.user", "user": self._me}
        auth = {"type": PASSWORD, "identifier": identifier, "password": password, "session": proof.session}
        try:
            await self._session.request("POST", path, {**objects, "auth": auth})
        except ProofWanted as error:
            raise PasswordNeeded("That is not your account's password. Nothing was changed; try once more.") from error

    def _sign_on_needed(self, proof: ProofWanted) -> RecoveryRefused:
        """The way by the homeserver's own page ("User-Interactive Authentication", "Fallback")."""
        homeserver = self._session.login.homeserver
        if (SIGN_ON,) in proof.flows and proof.session:
            address = f"{homeserver}{CLIENT}/auth/{SIGN_ON}/fallback/web?{urlencode({'session': proof.session})}"
            return SignOnNeeded("The homeserver wants you to sign on once more for this.", address, proof.session)
        return RecoveryRefused(
            f"The homeserver lets this be done only on its own account page: look for it at {homeserver}, or do it in "
            "another client, then enter the recovery key here. Nothing was changed."
        )

    async def _sign_master(self, found: Identity) -> None:
        """This device says that the identity is its owner's, as other clients expect it."""
        bare = {name: value for name, value in found.master_object.items() if name not in ("signatures", "unsigned")}
        signed = with_signature(bare, self._me, self._engine.device_id, self._engine.sign(bare))
        await self.upload_signatures({found.master: signed}, self._me)


def backup_signature(seeds: Seeds, user_id: str, auth_data: Json) -> Json:
    """The backup's description with the identity's signature: clients that trust the identity trust the backup."""
    return with_signature(auth_data, user_id, public_key(seeds.master), sign(auth_data, seeds.master))


def _own_part(answer: Json, user_id: str) -> Json:
    """What an answer says of this account alone."""
    parts = {
        name: answer.get(name) for name in ("device_keys", "master_keys", "self_signing_keys", "user_signing_keys")
    }
    return {
        name: {user_id: part[user_id]} for name, part in parts.items() if isinstance(part, dict) and user_id in part
    }


def _new_seeds() -> Seeds:
    return Seeds(*(secrets.token_bytes(SEED_BYTES) for _ in range(3)))


def _are_whole(seeds: Seeds) -> bool:
    return bool(seeds.master and seeds.self_signing and seeds.user_signing)
