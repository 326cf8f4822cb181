"""Secrets that devices of one person give each other: asked for, given, taken.

``core.secret_sharing`` decides what is asked and answered; here it is checked that both ends are verified devices of
this person, and that what comes is a part of the account's identity, or opens its backup.
"""

import logging
import secrets
from collections.abc import Callable

from lobby.core import backup as core_backup
from lobby.core import unpadded
from lobby.core.batch import Json
from lobby.core.identity import SELF_SIGNING, secret_name, secrets_of
from lobby.core.key_news import ToDevice
from lobby.core.secret_sharing import NAMES, REQUEST, SEND, SecretSharing
from lobby.core.views import Backup
from lobby.encryption.cross_signing import CrossSigning
from lobby.encryption.engine import Engine
from lobby.encryption.key_backup import KeyBackup

log = logging.getLogger("lobby")


class OwnSecrets:
    """Of one login. ``taken`` is called with the name of a secret that came and is kept."""

    def __init__(
        self,
        engine: Engine,
        cross_signing: CrossSigning,
        backup: KeyBackup,
        clock: Callable[[], float],
        taken: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._cross_signing = cross_signing
        self._backup = backup
        self._clock = clock
        self._taken = taken
        self._sharing = SecretSharing()

    async def hear(self, message: ToDevice) -> None:
        """A message between devices about secrets. Raises LobbyError."""
        if message.sender != self._engine.user_id:
            return
        if message.type == REQUEST:
            self._sharing.hear(message.content, self._engine.device_id, self._clock())
            await self.grant()
        elif message.type == SEND and message.encrypted:
            await self._take(message)

    async def ask(self) -> None:
        """Ask the person's other devices for what this one has not got; only verified ones are listened to.

        Raises LobbyError.
        """
        for name in NAMES:
            if self._has(name) or self._sharing.request_ids(name):
                continue
            content = self._sharing.ask(name, secrets.token_urlsafe(16), self._engine.device_id, self._clock())
            await self._tell_own_devices(content)

    async def grant(self) -> None:
        """Give those that asked what they asked for, once they are verified. Raises LobbyError."""
        wishes = self._sharing.wishes(self._clock())
        if not wishes:
            return
        if not {wish.device_id for wish in wishes} <= self._cross_signing.other_verified_devices():
            # Both views of the devices: only one that is the same in both is trusted.
            await self._engine.devices_of(self._engine.user_id)
            await self._cross_signing.look()
        for wish in wishes:
            secret = self._secret(wish.name)
            if wish.device_id not in self._cross_signing.other_verified_devices() or not secret:
                continue
            content = {"request_id": wish.request_id, "secret": unpadded.encode(secret)}
            await self._engine.send_to_device(SEND, {self._engine.user_id: {wish.device_id: content}}, encrypted=True)
            self._sharing.granted(wish)

    # Inside

    async def _take(self, message: ToDevice) -> None:
        if message.sender_device not in self._cross_signing.other_verified_devices():
            await self._cross_signing.look()
        answer = self._sharing.answer(message.content, self._clock())
        if answer is None or message.sender_device not in self._cross_signing.other_verified_devices():
            log.info("A secret from device %s was not asked for, or the device is not verified.", message.sender_device)
            return
        name, secret = answer
        if name == core_backup.SECRET:
            await self._backup.look()
            fits = self._backup.adopt(secret)
        else:
            fits = self._cross_signing.take_secret(name, secret)
        if not fits:
            log.warning("Device %s sent a secret that is none of this account (%s).", message.sender_device, name)
            return
        for request_id in self._sharing.request_ids(name):
            await self._tell_own_devices(self._sharing.withdraw(request_id, self._engine.device_id))
        if name == secret_name(SELF_SIGNING):
            await self._cross_signing.sign_own_device(self._engine.device_id)
        self._taken(name)

    async def _tell_own_devices(self, content: Json) -> None:
        await self._engine.send_to_device(REQUEST, {self._engine.user_id: {"*": content}})

    def _has(self, name: str) -> bool:
        return bool(self._secret(name)) or (name == core_backup.SECRET and self._backup.state is Backup.NONE)

    def _secret(self, name: str) -> bytes:
        """A secret that can be given away: of the identity and the backup that the account has now."""
        if name == core_backup.SECRET:
            return self._backup.private_key()
        seeds = self._cross_signing.seeds()
        return secrets_of(seeds).get(name, b"") if seeds is not None else b""
