"""Encryption while nobody is logged in: there is nothing to show, and nothing can be done."""

from lobby.core.views import EncryptionState, Verification
from lobby.errors import LobbyError

NOBODY = "The keys of this account are not open. Nothing was changed. Log in, then try again."


class QuietEncryption:
    """Implements ``lobby.messenger.Encryption``; whatever is asked of it is refused with LobbyError."""

    def state(self) -> EncryptionState | None:
        return None

    async def look(self) -> None:
        raise LobbyError(NOBODY)

    async def create_recovery(self, password: str = "", session: str = "") -> str:
        raise LobbyError(NOBODY)

    async def begin_anew(self, password: str = "", session: str = "") -> str:
        raise LobbyError(NOBODY)

    async def recover(self, recovery_key: str) -> None:
        raise LobbyError(NOBODY)

    async def export_keys(self, passphrase: str) -> bytes:
        raise LobbyError(NOBODY)

    async def import_keys(self, file: bytes, passphrase: str) -> int:
        raise LobbyError(NOBODY)

    def verifications(self) -> list[Verification]:
        return []

    async def verify(self, user_id: str, device_id: str = "") -> str:
        raise LobbyError(NOBODY)

    async def accept_verification(self, id: str) -> None:
        raise LobbyError(NOBODY)

    async def confirm_verification(self, id: str) -> None:
        raise LobbyError(NOBODY)

    async def cancel_verification(self, id: str, mismatch: bool = False) -> None:
        raise LobbyError(NOBODY)
