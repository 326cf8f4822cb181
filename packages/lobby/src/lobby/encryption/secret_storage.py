"""Secret storage at the homeserver: what is read from the account data and written there (Matrix, "Secret storage")."""

import asyncio
import secrets
from dataclasses import dataclass

from lobby.core import recovery_key, secret_storage, unpadded
from lobby.core.batch import Json
from lobby.errors import RecoveryRefused
from lobby.matrix.session import Session, path_part

SECRET_BYTES = 32

NONE_YET = (
    "This account has no recovery key yet. Create one on a device that is verified, or verify this device with "
    "another one of yours. Nothing was changed."
)


@dataclass(frozen=True)
class DefaultKey:
    """The key with which clients keep secrets, as the homeserver describes it."""

    key_id: str
    description: Json


@dataclass(frozen=True)
class OpenStorage:
    """Secret storage with its key."""

    key_id: str
    key: bytes


class SecretStorage:
    """Secret storage of one account. Everything raises Unreachable and ServerRefused."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def default_key(self) -> DefaultKey | None:
        """The key that is in use; None: there is none, or none of a kind that clients use."""
        key_id = (await self._session.account_data(secret_storage.DEFAULT_KEY)).get("key")
        if not isinstance(key_id, str) or not key_id:
            return None
        description = await self._session.account_data(path_part(secret_storage.description_name(key_id)))
        return DefaultKey(key_id, description) if description.get("algorithm") == secret_storage.ALGORITHM else None

    async def unlock(self, entered: str) -> OpenStorage:
        """Open it with what a person typed, recovery key or passphrase. Raises RecoveryRefused when that is wrong."""
        found = await self.default_key()
        if found is None:
            raise RecoveryRefused(NONE_YET)
        # A passphrase takes its time, on purpose.
        key = await asyncio.to_thread(_key_of, entered, found.description)
        return OpenStorage(found.key_id, key)

    async def read(self, name: str, storage: OpenStorage) -> bytes:
        """A secret of 32 bytes; empty: it is not kept. Raises RecoveryRefused when it does not open."""
        encrypted = (await self._session.account_data(name)).get("encrypted")
        sealed = encrypted.get(storage.key_id) if isinstance(encrypted, dict) else None
        if sealed is None:
            return b""
        try:
            text = secret_storage.open_secret(storage.key, name, sealed).decode()
            return unpadded.decode(text.strip(), SECRET_BYTES)
        except ValueError as error:
            raise RecoveryRefused(
                "The recovery key does not open what the homeserver has kept for it. Nothing was changed; try once "
                "more, or verify this device with another one of yours."
            ) from error

    async def keep(self, name: str, secret: bytes, storage: OpenStorage) -> None:
        """Keep a secret for the holder of that key, and of no other."""
        text = unpadded.encode(secret).encode()
        sealed = secret_storage.seal(storage.key, name, text, secrets.token_bytes(secret_storage.IV_BYTES))
        await self._session.set_account_data(name, {"encrypted": {storage.key_id: sealed}})

    async def make(self, kept: dict[str, bytes]) -> OpenStorage:
        """A new key, and these secrets kept for its holder. It is made the account's key last of all.

        So whoever is interrupted before leaves the earlier key's description, though not all of its secrets.
        """
        storage = OpenStorage(secrets.token_hex(16), secrets.token_bytes(secret_storage.KEY_BYTES))
        description = secret_storage.describe(storage.key, secrets.token_bytes(secret_storage.IV_BYTES))
        await self._session.set_account_data(secret_storage.description_name(storage.key_id), description)
        for name, secret in kept.items():
            await self.keep(name, secret, storage)
        await self._session.set_account_data(secret_storage.DEFAULT_KEY, {"key": storage.key_id})
        return storage


def _key_of(entered: str, description: Json) -> bytes:
    try:
        key = recovery_key.entered(entered)
    except RecoveryRefused:
        if not isinstance(description.get("passphrase"), dict):
            raise
        key = secret_storage.from_passphrase(entered, description)
        if not secret_storage.fits(key, description):
            raise RecoveryRefused(
                "That is neither the passphrase nor the recovery key of this account. Nothing was changed."
            ) from None
        return key
    if not secret_storage.fits(key, description):
        raise RecoveryRefused(
            "That is a recovery key, but not the one this account has now. Nothing was changed; look for a newer one."
        )
    return key
