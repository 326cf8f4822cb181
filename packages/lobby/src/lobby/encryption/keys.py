"""All that a person can do about encryption, in one place: recovery and verification of one login."""

from collections.abc import Callable
from pathlib import Path

from lobby.core.key_news import ToDevice
from lobby.core.views import EncryptionState, Verification
from lobby.encryption.engine import Engine
from lobby.encryption.login_keys import LoginKeys
from lobby.encryption.recovery import Recovery
from lobby.encryption.recovery_store import RecoveryStore
from lobby.encryption.verifications import Verifications
from lobby.matrix.session import Session
from lobby.sending import Guard
from lobby.store import Store

RECOVERY = "recovery.sqlite3"
"""The file, in the folder of the account."""


class AccountEncryption:
    """Implements ``lobby.messenger.Encryption`` by handing on; each method is documented there."""

    def __init__(
        self,
        engine: Engine,
        keys: LoginKeys,
        session: Session,
        folder: Path,
        chats: Store,
        guard: Guard,
        clock: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        """Call it when the keys are open. ``folder``: of the account. Raises LobbyError."""
        store = RecoveryStore(folder / RECOVERY, engine.user_id)
        self.recovery = Recovery(engine, session, store, chats, guard, clock, changed)
        self._verifications = Verifications(engine, keys, session, self.recovery, chats, clock, changed)
        keys.on_keys = self.recovery.keys_came
        keys.on_devices = self.recovery.devices_changed
        keys.ask = self.recovery.ask
        keys.on_message = self._hear
        keys.on_verification = self._verifications.hear_event
        self.recovery.start()

    @property
    def look_again(self) -> bool:
        """The homeserver was not asked how things stand since they changed, or did not answer; nobody is asking it."""
        return self.recovery.look_again

    async def stop(self) -> None:
        """Break off what is under way; all of it is kept."""
        await self._verifications.stop()
        await self.recovery.stop()

    def state(self) -> EncryptionState | None:
        return self.recovery.state()

    async def look(self, only_changes: bool = False) -> None:
        await self.recovery.look(only_changes)

    async def create_recovery(self, password: str = "", session: str = "") -> str:
        return await self.recovery.create_recovery(password, session)

    async def begin_anew(self, password: str = "", session: str = "") -> str:
        return await self.recovery.begin_anew(password, session)

    async def recover(self, recovery_key: str) -> None:
        await self.recovery.recover(recovery_key)

    async def export_keys(self, passphrase: str) -> bytes:
        return await self.recovery.export_keys(passphrase)

    async def import_keys(self, file: bytes, passphrase: str) -> int:
        return await self.recovery.import_keys(file, passphrase)

    def verifications(self) -> list[Verification]:
        return self._verifications.verifications()

    async def verify(self, user_id: str, device_id: str = "") -> str:
        return await self._verifications.verify(user_id, device_id)

    async def accept_verification(self, id: str) -> None:
        await self._verifications.accept(id)

    async def confirm_verification(self, id: str) -> None:
        await self._verifications.confirm(id)

    async def cancel_verification(self, id: str, mismatch: bool = False) -> None:
        await self._verifications.cancel(id, mismatch)

    async def _hear(self, message: ToDevice) -> None:
        if message.type.startswith("m.secret."):
            await self.recovery.secrets.hear(message)
        else:
            await self._verifications.hear(message)
