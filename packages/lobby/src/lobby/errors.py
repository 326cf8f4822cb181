"""Every error of Lobby. The text of each is a sentence for the person: what happened, what was kept, what to do next.

LobbyError
├── LoginRefused        nobody was logged in
│   └── Cleartext       the password would cross the network readable, and nobody has agreed to that
├── ChatRefused         a chat was not made, joined or left
├── RecoveryRefused     neither identity nor backup was opened or made
│   ├── PasswordNeeded  the homeserver wants the account's password for it
│   └── SignOnNeeded    the homeserver wants the person to sign on again for it
├── KeysRefused         a file of keys could not be read or made
├── Sealed              a message cannot be opened (yet)
├── NotKept             something could not be written to disk
├── Unreachable         the homeserver did not answer, or not as a homeserver does; trying again may help
└── ServerRefused       the homeserver answered no; ``errcode`` and ``status`` say why
    ├── TokenRefused    it does not know our login any more
    ├── ProofWanted     it does this only for somebody who proves once more who they are
    └── PlaceForgotten  it does not know up to where news was fetched
"""


class LobbyError(Exception):
    """Root of Lobby's errors."""


class LoginRefused(LobbyError):
    """Nobody was logged in, and nothing was changed."""


class Cleartext(LoginRefused):
    """The password was not sent: anybody on the way to ``address`` could read it. The person may agree to that."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"{address} is not encrypted: anybody on the way there could read your password and your messages. "
            "Nothing was sent. Give an address with https://, or confirm that you want this one."
        )
        self.address = address


class ChatRefused(LobbyError):
    """The chat was not made, joined or left."""


class RecoveryRefused(LobbyError):
    """Neither identity nor key backup was opened or made; nothing was changed."""


class PasswordNeeded(RecoveryRefused):
    """The homeserver does this only for somebody who gives the account's password again."""


class SignOnNeeded(RecoveryRefused):
    """The homeserver does this only for somebody who signs on again at ``address``; ``session``: names that sign-on."""

    def __init__(self, text: str, address: str, session: str) -> None:
        super().__init__(text)
        self.address = address
        self.session = session


class KeysRefused(LobbyError):
    """The file holds no keys, the passphrase is wrong, or keys could not be written to a file."""


class Sealed(LobbyError):
    """An encrypted message cannot be opened. ``session_id``: of the key that may open it when it comes; empty: none."""

    def __init__(self, session_id: str, why: str) -> None:
        super().__init__(f"This message cannot be read: {why}.")
        self.session_id = session_id


class KeyWithheld(Sealed):
    """The sender's device has said that this one does not get the key, and why; it may still come from elsewhere."""


class NotKept(LobbyError):
    """It could not be written to disk: a message is neither kept nor sent, news will be fetched again."""


class Unreachable(LobbyError):
    """No answer, or not a homeserver's; ``retry_after``: seconds the homeserver asked to wait, 0: it asked nothing."""

    def __init__(self, text: str, retry_after: float = 0.0) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class ServerRefused(LobbyError):
    """The homeserver said no, and will say so again. ``errcode``: Matrix client-server API, "Standard error"."""

    def __init__(self, text: str, errcode: str, status: int) -> None:
        super().__init__(text)
        self.errcode = errcode
        self.status = status


class TokenRefused(ServerRefused):
    """The homeserver does not know our token any more: the person must log in again."""


class ProofWanted(ServerRefused):
    """The homeserver wants proof of who asks (Matrix client-server API, "User-Interactive Authentication").

    ``session``: names the attempt; ``flows``: the ways that will do, each the kinds of proof it takes together.
    """

    def __init__(self, errcode: str, session: str, flows: tuple[tuple[str, ...], ...]) -> None:
        super().__init__("The homeserver wants proof of who you are first.", errcode, 401)
        self.session = session
        self.flows = flows


class PlaceForgotten(ServerRefused):
    """The homeserver does not know the place up to which news was fetched (it was restored from a backup, say)."""
