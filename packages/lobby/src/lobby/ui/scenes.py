"""What stands around every pane, made from the messenger as it is now; and what the strip advises about encryption."""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lobby.core.views import (
    Account,
    Backup,
    ChatSummary,
    EncryptionState,
    Invitation,
    Standing,
    Verification,
    VerificationPhase,
)
from lobby.messenger import Messenger

OVER = (VerificationPhase.DONE, VerificationPhase.CANCELLED)


class Advice(enum.StrEnum):
    """What a person is advised to do about encryption."""

    SET_UP = "set_up"
    """Nothing opens what is encrypted, should this computer be lost."""
    VERIFY = "verify"
    """Other devices may keep their keys from this computer."""


def advice(state: EncryptionState | None, chats: Sequence[ChatSummary], put_off: bool) -> Advice | None:
    """What to advise; ``put_off``: the person does not want to hear of the recovery key now.

    Who writes nothing encrypted is left in peace about recovery. A device that is not verified misses what others
    write to it, so that is said as long as it is so.
    """
    if state is None:
        return None
    if state.standing is Standing.UNVERIFIED:
        return Advice.VERIFY
    without = state.standing is Standing.NO_RECOVERY or (
        state.standing is Standing.VERIFIED and state.backup is Backup.NONE
    )
    encrypted = any(chat.encrypted for chat in chats)
    return Advice.SET_UP if without and encrypted and not put_off else None


def keys_lost(state: EncryptionState | None, chats: Sequence[ChatSummary]) -> bool:
    """Whether a log-out would take keys along that are nowhere else."""
    if state is None or not any(chat.encrypted for chat in chats):
        return False
    return state.backup is not Backup.IN_USE or state.not_backed_up > 0


@dataclass(frozen=True)
class Neighbour:
    """Another account of this Lobby, as the account menu shows it."""

    base: str
    name: str
    user_id: str
    waiting: int
    """Unread messages and open invitations."""
    signed_out: bool


@dataclass(frozen=True)
class Scene:
    """The account, the chat list, the time, the form token of the session.

    ``base``: what the addresses of this account begin with, "" or "/account/N".
    """

    account: Account
    chats: Sequence[ChatSummary]
    invitations: Sequence[Invitation]
    now: float
    csrf: str
    base: str = ""
    encryption: EncryptionState | None = None
    verifications: Sequence[Verification] = ()
    advice: Advice | None = None
    others: Sequence[Neighbour] = ()

    @property
    def under_way(self) -> list[Verification]:
        """Verifications that have not ended."""
        return [one for one in self.verifications if one.phase not in OVER]


class Scenes:
    """Makes scenes. ``clock``: seconds since 1970."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._put_off: set[str] = set()

    def put_off(self, user_id: str) -> None:
        """This person wants to hear of the recovery key no more until Lobby is started again."""
        self._put_off.add(user_id)

    def scene(self, messenger: Messenger, csrf: str, base: str = "", others: Sequence[Neighbour] = ()) -> Scene | None:
        """What stands around every pane now; None: nobody is logged in."""
        account = messenger.account()
        if account is None:
            return None
        chats, state = messenger.chats(), messenger.encryption.state()
        return Scene(
            account=account,
            chats=chats,
            invitations=messenger.invitations(),
            now=self._clock(),
            csrf=csrf,
            base=base,
            encryption=state,
            verifications=messenger.encryption.verifications(),
            advice=advice(state, chats, account.user_id in self._put_off),
            others=others,
        )
