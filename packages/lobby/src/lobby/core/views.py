"""What a page may show of Lobby: frozen values, made by the messenger, read by the ui.

Times are seconds since 1970. Names are never empty: where nobody gave one, the Matrix id stands for it.
"""

import enum
from dataclasses import dataclass
from typing import Literal


class Connection(enum.StrEnum):
    """How Lobby stands with the homeserver."""

    CONNECTING = "connecting"
    """Nothing heard yet since Lobby began to ask; nothing has failed either."""
    ONLINE = "online"
    OFFLINE = "offline"
    """The last attempt failed. Lobby tries again by itself; messages wait in the outbox."""
    SIGNED_OUT = "signed_out"
    """The homeserver refused the token: the person must log in again. History stays readable."""


class Mark(enum.StrEnum):
    """Where an own message is on its way."""

    SENDING = "sending"
    """Kept in the outbox; being sent, or waiting for its turn or for the network."""
    SENT = "sent"
    """The homeserver has it."""
    UNSENT = "unsent"
    """Given up; it goes out only when the person says "resend"."""


@dataclass(frozen=True)
class Account:
    """Who is logged in, and where."""

    user_id: str
    name: str
    homeserver: str
    connection: Connection
    reachable: bool = False
    """Messages arrive with the window closed: the homeserver knows where to push."""
    unreachable: str = ""
    """Why they do not, sentences for the person; empty while that is still being arranged, and when they do."""
    notice: str = ""
    """What happened to the kept data, sentences for the person; else empty."""


@dataclass(frozen=True)
class Provider:
    """A service that can vouch for the person (single sign-on); empty ``id``: whichever the homeserver chooses."""

    id: str
    name: str


@dataclass(frozen=True)
class WaysIn:
    """How one can log in at the homeserver with that address."""

    homeserver: str
    password: bool
    providers: tuple[Provider, ...]
    readable: bool
    """Others could read along on the way there; the person has to agree first."""


@dataclass(frozen=True)
class ChatSummary:
    """One line of the chat list."""

    room_id: str
    name: str
    group: bool
    """More than the two of a direct chat, or made as a group."""
    last_text: str
    last_at: float | None
    """None: nothing was ever said here."""
    last_mine: bool
    last_mark: Mark | None
    """Set when the last message is one's own."""
    unread: int
    members: tuple[str, ...]
    """Names of the joined members other than the person, by name."""
    encrypted: bool = False
    """Only its members can read what is said in it."""
    partner: str = ""
    """Matrix id of the other one of a direct chat; empty in a group, and when nobody else is in it."""


@dataclass(frozen=True)
class Invitation:
    """A chat that somebody asks the person to join."""

    room_id: str
    name: str
    inviter_id: str
    inviter_name: str
    group: bool
    at: float


@dataclass(frozen=True)
class Bubble:
    """One message of a conversation, or (``notice``) one line about it."""

    key: str
    """Unchanging from the moment the person pressed Enter until the message is history; unique in Lobby."""
    room_id: str
    sender_id: str
    sender_name: str
    mine: bool
    text: str
    at: float
    mark: Mark | None
    """None for what others wrote and for notices."""
    reason: str
    """Why it is unsent, a sentence for the person; else empty."""
    notice: bool = False
    """A line such as "Right joined": not somebody's words."""
    sealed: bool = False
    """Encrypted, and its key has not come yet; ``text`` says so, and becomes what was said when the key comes."""


@dataclass(frozen=True)
class Findings:
    """What a search has found."""

    bubbles: tuple[Bubble, ...] = ()
    """The newest first."""
    more: bool = False
    """There are older ones, too."""
    waiting: int = 0
    """Messages that are not in the index yet, so they were not looked at."""
    asked: bool = True
    """Whether there was a word to look for in what was typed."""


ChangeKind = Literal["account", "chats", "chat", "encryption"]
"""``account``: any of ``Account``; ``chats``: the list or the invitations; ``chat``: the one that is named;
``encryption``: ``EncryptionState`` or a verification."""


@dataclass(frozen=True)
class Change:
    """Something that is shown may look different now; ask again."""

    kind: ChangeKind
    room_id: str | None = None


class Standing(enum.StrEnum):
    """Whether other clients know this device as the person's own (Matrix client-server API, "Cross-signing")."""

    UNKNOWN = "unknown"
    """The homeserver could not be asked yet."""
    NO_RECOVERY = "no_recovery"
    """The account has no identity of its own: no device of it is signed, and no recovery key opens anything."""
    UNVERIFIED = "unverified"
    """The account has an identity that has not signed this device: other clients may keep their keys from it."""
    VERIFIED = "verified"


class Backup(enum.StrEnum):
    """How the key backup at the homeserver stands with this device ("Server-side key backups")."""

    NONE = "none"
    LOCKED = "locked"
    """There is one, and this device has not got its key: neither read nor fed."""
    IN_USE = "in_use"


@dataclass(frozen=True)
class OtherDevice:
    """Another device of the person."""

    device_id: str
    name: str
    verified: bool


@dataclass(frozen=True)
class EncryptionState:
    """How this device stands with encryption, for the page that lets a person put it right."""

    device_id: str
    fingerprint: str
    """This device's Ed25519 key, unpadded base64 in groups of four."""
    standing: Standing
    backup: Backup
    not_backed_up: int
    """Keys that the backup has not got yet."""
    sealed: int
    """Kept messages whose key has not come."""
    others: tuple[OtherDevice, ...] = ()
    trouble: str = ""
    """What did not work lately, sentences for the person; else empty."""
    verified_people: frozenset[str] = frozenset()
    """Matrix ids of other persons who are who this person has verified."""
    changed_people: frozenset[str] = frozenset()
    """Of those who were verified, and show another identity now."""
    people_with_unverified_device: frozenset[str] = frozenset()
    """Of ``verified_people``: who has a device that their identity has not signed; it may be somebody else's."""


class VerificationPhase(enum.StrEnum):
    """Where a verification by emoji is; the last two are its ends."""

    ASKED = "asked"
    """We asked; the other end has not answered."""
    OFFERED = "offered"
    """The other end asks us."""
    BEGINNING = "beginning"
    """Both agreed; the emoji are being worked out."""
    COMPARING = "comparing"
    CONFIRMED = "confirmed"
    """The person said that they match; the other end has not yet."""
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Verification:
    """One verification by emoji ("Short Authentication String")."""

    id: str
    user_id: str
    name: str
    """Of the person, or of the person's own other device."""
    own: bool
    """The other end is another device of the same person."""
    phase: VerificationPhase
    emoji: tuple[tuple[str, str], ...] = ()
    """While comparing: seven times (emoji, its English name)."""
    reason: str = ""
    """Why it was cancelled, a sentence for the person."""
    room_id: str = ""
    """The chat in which it goes on; empty: from device to device."""
