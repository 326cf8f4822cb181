"""The face Lobby shows its page: what a messenger offers."""

from collections.abc import Callable
from typing import Protocol

from lobby.core.views import (
    Account,
    Bubble,
    Change,
    ChatSummary,
    EncryptionState,
    Findings,
    Invitation,
    Verification,
    WaysIn,
)
from lobby.errors import (
    ChatRefused,
    Cleartext,
    KeysRefused,
    LobbyError,
    LoginRefused,
    NotKept,
    PasswordNeeded,
    RecoveryRefused,
    SignOnNeeded,
)

__all__ = [
    "Accounts",
    "ChatRefused",
    "Cleartext",
    "Encryption",
    "KeysRefused",
    "LobbyError",
    "LoginRefused",
    "Messenger",
    "NotKept",
    "PasswordNeeded",
    "RecoveryRefused",
    "SignOnNeeded",
]


class Encryption(Protocol):
    """What a person can do about encryption. Changes are told as ``Change("encryption")``."""

    def state(self) -> EncryptionState | None:
        """None: nobody is logged in, or the keys are not open yet. From memory; never waits for the network."""

    async def look(self) -> None:
        """Ask the homeserver how things stand now. Raises LobbyError."""

    async def create_recovery(self, password: str = "", session: str = "") -> str:
        """Give the account an identity (unless it has one that this device holds), sign this device, make the key
        backup, and return the recovery key that opens all of it: it is shown once and kept nowhere.

        ``password``: of the account, where the homeserver wants it for that; ``session``: of the sign-on it wanted.
        Raises PasswordNeeded, SignOnNeeded, RecoveryRefused (there is an identity already: enter its recovery key, or
        verify), Unreachable, ServerRefused.
        """

    async def begin_anew(self, password: str = "", session: str = "") -> str:
        """For who has lost the recovery key and all other devices: a new identity and a new backup in place of those
        that nobody can open. What only the old backup opens is lost; other persons have to verify this one again. The
        rest as for ``create_recovery``."""

    async def recover(self, recovery_key: str) -> None:
        """Open the account's identity and backup with its recovery key (or passphrase): this device is signed, the
        backup is read and fed. Raises RecoveryRefused with a text for the person, Unreachable, ServerRefused."""

    async def export_keys(self, passphrase: str) -> bytes:
        """All message keys as a file that other clients import ("Key exports"). Raises KeysRefused."""

    async def import_keys(self, file: bytes, passphrase: str) -> int:
        """Take in such a file; returns how many keys were new. Raises KeysRefused, NotKept."""

    def verifications(self) -> list[Verification]:
        """Those that go on, and those that ended a little while ago; the newest first."""

    async def verify(self, user_id: str, device_id: str = "") -> str:
        """Ask for a verification: of another own device (empty: all of them are asked), or of another person in the
        direct chat with them. Returns its id. Raises LobbyError."""

    async def accept_verification(self, id: str) -> None:
        """The person agrees to one that was offered. Raises LobbyError."""

    async def confirm_verification(self, id: str) -> None:
        """The emoji match: what they stand for is signed. Raises LobbyError."""

    async def cancel_verification(self, id: str, mismatch: bool = False) -> None:
        """Break it off; ``mismatch``: the emoji do not match. Raises LobbyError."""


class Messenger(Protocol):
    """All that a page can ask of Lobby. Reading is from memory or local disk and never waits for the network."""

    @property
    def encryption(self) -> Encryption:
        """Keys, recovery and verification of whoever is logged in."""

    def account(self) -> Account | None:
        """Who is logged in; None: nobody."""

    def chats(self) -> list[ChatSummary]:
        """Joined chats, the newest first."""

    def invitations(self) -> list[Invitation]:
        """Open invitations, the newest first."""

    def chat(self, room_id: str) -> ChatSummary | None:
        """One chat; None: not one of the person's."""

    def bubbles(self, room_id: str, before: str | None = None, most: int = 50) -> list[Bubble]:
        """The newest ``most`` bubbles, the oldest of them first; ``before``: only those older than that key's."""

    def depth(self, room_id: str, key: str) -> int:
        """How many bubbles, from the newest back to the one with that key, have to be shown for it; 0: it is not here.

        Past a few thousand they are not counted on.
        """

    def search(self, typed: str, most: int = 50) -> Findings:
        """The newest messages of all chats with all of these words, or words that begin like them. Raises NotKept."""

    async def older(self, room_id: str) -> bool:
        """Fetch earlier messages from the homeserver.

        False: none came. ``complete`` tells whether there are any; where there are, asking again goes on from there.
        """

    def complete(self, room_id: str) -> bool:
        """Whether the homeserver has nothing older of this chat than what is here."""

    async def send(self, room_id: str, text: str, key: str = "") -> str:
        """Keep ``text`` in the outbox, then send it in order. Returns its key as soon as it is durable.

        ``key``: 16 to 64 characters of base64url that the page drew for this message, empty: none. The same words under
        the same key are taken once, however often they come. Raises NotKept when it could not be written down.
        """

    async def resend(self, room_id: str, key: str) -> None:
        """Send an unsent message; it arrives once, even when an earlier attempt had arrived after all."""

    async def discard(self, room_id: str, key: str) -> None:
        """Forget an unsent message."""

    async def start_chat(self, user_id: str) -> str:
        """A direct chat with ``user_id``: the one there is, else a new one. Returns its room id; raises ChatRefused."""

    async def start_group(self, name: str, user_ids: list[str], encrypted: bool = True) -> str:
        """A group with that name; the others are invited. Returns its room id; raises ChatRefused."""

    async def accept(self, room_id: str) -> None:
        """Join the chat of an invitation. Raises ChatRefused."""

    async def decline(self, room_id: str) -> None:
        """Turn an invitation down. Raises ChatRefused."""

    async def mark_read(self, room_id: str) -> None:
        """The person has seen all of this chat: unread is 0, the homeserver is told when it can be."""

    def subscribe(self, on_change: Callable[[Change], None]) -> Callable[[], None]:
        """Be told of changes, in the event loop's thread; call what is returned to be told no more."""


class Accounts(Protocol):
    """The accounts of one Lobby, by number."""

    def numbers(self) -> list[int]:
        """Of those that are logged in (or were signed out by their homeserver), the lowest first."""

    def messenger(self, number: int) -> Messenger | None:
        """The messenger of that account; None: there is none."""

    def subscribe(self, on_change: Callable[[int, Change], None]) -> Callable[[], None]:
        """Be told of changes of all accounts, and (as ``account``) of those that come and go."""

    async def ways_in(self, homeserver: str) -> WaysIn:
        """What a homeserver offers. ``homeserver``: an address, or a bare domain. Raises LoginRefused."""

    async def log_in(
        self, homeserver: str, user: str, password: str, cleartext: str = "", number: int | None = None
    ) -> int:
        """Log in with a password; returns the account's number. ``homeserver``: an address, or a bare domain that says
        where its homeserver is.

        ``number``: the account that logs in again, None: another one. ``cleartext``: the address to which the person
        agrees to send the password unencrypted. Raises LoginRefused with a text for the person; Cleartext (with the
        address) when that has to be asked first.
        """

    def sign_on_address(self, homeserver: str, provider_id: str, back: str, cleartext: str = "") -> str:
        """Where a browser goes to sign on with a provider, to come ``back`` with a token. Raises Cleartext."""

    async def log_in_by_token(self, homeserver: str, token: str, cleartext: str = "", number: int | None = None) -> int:
        """Log in with the token that single sign-on gave; the rest as for ``log_in``."""

    async def log_out(self, number: int) -> bool:
        """Pusher, token and local data gone; local ones also when the homeserver cannot be reached.

        Returns whether the homeserver heard of it. Raises LobbyError: local data could not be removed.
        """
