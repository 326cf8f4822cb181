"""Encryption in memory for looking at its pages and testing them: no keys, no homeserver; the phases are real."""

import dataclasses
from collections.abc import Callable

from lobby.core.views import (
    Backup,
    EncryptionState,
    OtherDevice,
    Standing,
    Verification,
    VerificationPhase,
)
from lobby.messenger import KeysRefused, LobbyError, PasswordNeeded, RecoveryRefused, SignOnNeeded

RECOVERY_KEY = "EsTc LW2K PGiF wKEA 3As5 g5c4 BXwk qeeJ ZJV8 Q9fu gUMN UE4d"
PASSPHRASE = "correct horse"
SESSION = "the session of a sign-on"
EMOJI = (
    ("🐶", "Dog"),
    ("🎩", "Hat"),
    ("🌽", "Corn"),
    ("🚲", "Bicycle"),
    ("☎️", "Telephone"),
    ("🎸", "Guitar"),
    ("🎅", "Santa"),
)


class MemoryEncryption:
    """Implements ``lobby.messenger.Encryption``; what other devices do is done to it by further methods."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self.password = ""
        """The homeserver wants it for ``create_recovery``; empty: it does not."""
        self.sign_on = ""
        """The address of the sign-on that the homeserver wants for it; empty: it wants none."""
        self.signed_on = False
        """The person has gone there."""
        self.begun_anew = 0
        self.trouble: LobbyError | None = None
        """What the homeserver answers to everything."""
        self.shown: list[str] = []
        """The recovery keys that were given out."""
        self.imported: list[tuple[bytes, str]] = []
        self.asked: list[tuple[str, str]] = []
        self._tell = tell
        self._state: EncryptionState | None = EncryptionState(
            device_id="LOBBYDEVICE",
            fingerprint="kV3q 7Yp0 Zc9d wq1T 0hXn 5uJr Lm2e aB8s Rt6v NxQ4 yKo",
            standing=Standing.VERIFIED,
            backup=Backup.IN_USE,
            not_backed_up=0,
            sealed=0,
        )
        self._verifications: list[Verification] = []

    # What other devices and the homeserver do.

    def become(self, state: EncryptionState | None = None, **changes: object) -> None:
        """Things stand otherwise now."""
        if self._state is not None and changes:
            state = dataclasses.replace(self._state, **changes)  # type: ignore[arg-type]
        self._state = state
        self._tell()

    def offer(self, name: str = "Element on phone", own: bool = True, id: str = "$offer/1") -> str:
        """Another device, or another person, asks for a verification."""
        return self._put(Verification(id, "@left:demo.localhost", name, own, VerificationPhase.OFFERED))

    def move(self, id: str, phase: VerificationPhase, reason: str = "", name: str = "") -> None:
        """The other end has gone on; ``name``: it is that one, of those that were asked."""
        comparing = phase in (VerificationPhase.COMPARING, VerificationPhase.CONFIRMED)
        self._verifications = [
            dataclasses.replace(
                one, phase=phase, reason=reason, emoji=EMOJI if comparing else (), name=name or one.name
            )
            if one.id == id
            else one
            for one in self._verifications
        ]
        self._tell()

    def phase(self, id: str) -> VerificationPhase | None:
        """Where that verification is."""
        return next((one.phase for one in self._verifications if one.id == id), None)

    # The face of it.

    def state(self) -> EncryptionState | None:
        return self._state

    async def look(self) -> None:
        self._reach()
        if self._state is not None and self._state.standing is Standing.UNKNOWN:
            self.become(standing=Standing.VERIFIED)

    async def create_recovery(self, password: str = "", session: str = "") -> str:
        self._reach()
        if self.sign_on and not (self.signed_on and session == SESSION):
            raise SignOnNeeded("Your homeserver wants you to sign on again.", self.sign_on, SESSION)
        if self.password and password != self.password:
            wrong = "That is not the password of this account." if password else "Your homeserver wants your password."
            raise PasswordNeeded(f"{wrong} Nothing was changed.")
        self.shown.append(RECOVERY_KEY)
        self.become(standing=Standing.VERIFIED, backup=Backup.IN_USE, not_backed_up=0)
        return RECOVERY_KEY

    async def begin_anew(self, password: str = "", session: str = "") -> str:
        key = await self.create_recovery(password, session)
        self.begun_anew += 1
        return key

    async def recover(self, recovery_key: str) -> None:
        self._reach()
        if recovery_key.replace(" ", "") != RECOVERY_KEY.replace(" ", ""):
            raise RecoveryRefused(
                "That is not the recovery key of this account. Nothing was changed; look it up again."
            )
        self.become(standing=Standing.VERIFIED, backup=Backup.IN_USE, sealed=0)

    async def export_keys(self, passphrase: str) -> bytes:
        return f"keys under {passphrase}".encode()

    async def import_keys(self, file: bytes, passphrase: str) -> int:
        if passphrase != PASSPHRASE:
            raise KeysRefused("The passphrase does not fit this file. No key was taken in.")
        self.imported.append((file, passphrase))
        return len(file)

    def verifications(self) -> list[Verification]:
        return list(self._verifications)

    async def verify(self, user_id: str, device_id: str = "") -> str:
        self._reach()
        self.asked.append((user_id, device_id))
        own = user_id == "@left:demo.localhost"
        others = self._state.others if self._state is not None else ()
        name = next((other.name for other in others if other.device_id == device_id), "your other devices")
        name = name if own else user_id[1:].split(":")[0].title()
        return self._put(Verification(f"asked-{len(self.asked)}", user_id, name, own, VerificationPhase.ASKED))

    async def accept_verification(self, id: str) -> None:
        self._reach()
        self.move(id, VerificationPhase.BEGINNING)

    async def confirm_verification(self, id: str) -> None:
        self._reach()
        self.move(id, VerificationPhase.CONFIRMED)

    async def cancel_verification(self, id: str, mismatch: bool = False) -> None:
        self._reach()
        reason = "You said that the emoji do not match." if mismatch else "You broke it off."
        self.move(id, VerificationPhase.CANCELLED, reason)

    def _put(self, verification: Verification) -> str:
        self._verifications.insert(0, verification)
        self._tell()
        return verification.id

    def _reach(self) -> None:
        if self.trouble is not None:
            raise self.trouble


def other_devices() -> tuple[OtherDevice, ...]:
    """Two of them, one of which is verified."""
    return OtherDevice("PHONE", "Element on phone", True), OtherDevice("WEB", "Browser at work", False)
