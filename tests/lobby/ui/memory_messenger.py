"""A messenger in memory for looking at the page and testing it: no homeserver, nothing kept.

It stands in for Lobby's own messenger where the page is what is tested; journeys use the real one.
"""

import dataclasses
import itertools
from collections.abc import Callable

from lobby.core.search import question
from lobby.core.views import Account, Bubble, Change, ChatSummary, Connection, Findings, Invitation, Mark
from lobby.messenger import ChatRefused, Encryption, NotKept
from lobby.ui.sessions import SignOn
from tests.lobby.ui.memory_encryption import MemoryEncryption

ME = "@left:demo.localhost"


class MemoryMessenger:
    """Implements ``lobby.messenger.Messenger``; what other people do is done to it by further methods."""

    def __init__(self, clock: Callable[[], float], logged_in: bool = True) -> None:
        self.clock = clock
        self.read: list[str] = []
        self.full = False
        """Nothing more can be written down."""
        self.hold = False
        """What is sent stays "sending" until ``deliver``."""
        self.earlier: dict[str, list[Bubble]] = {}
        """What the homeserver has and this computer has not, the oldest first."""
        self._account = Account(ME, "Left", "http://demo.localhost", Connection.ONLINE) if logged_in else None
        self._chats: dict[str, ChatSummary] = {}
        self._bubbles: dict[str, list[Bubble]] = {}
        self._invitations: dict[str, Invitation] = {}
        self._listeners: list[Callable[[Change], None]] = []
        self._taken: dict[str, tuple[str, str]] = {}
        self._numbers = itertools.count(1)
        self.keys = MemoryEncryption(lambda: self._tell("encryption"))
        """What other devices and the homeserver do about encryption is done to it."""

    # What other people and the network do.

    def put_chat(
        self,
        room_id: str,
        name: str,
        group: bool = False,
        members: tuple[str, ...] = (),
        encrypted: bool = False,
        partner: str = "",
    ) -> None:
        """A chat without messages."""
        members = members or (name,)
        chat = ChatSummary(room_id, name, group, "", None, False, None, 0, members, encrypted, partner)
        self._chats[room_id] = chat
        self._bubbles[room_id] = []
        self._tell("chats")

    def put(
        self,
        room_id: str,
        text: str,
        sender: str = ME,
        at: float | None = None,
        mark: Mark | None = None,
        reason: str = "",
        notice: bool = False,
        name: str = "",
        key: str = "",
        sealed: bool = False,
    ) -> str:
        """A message by anybody; those of others count as unread."""
        mine = sender == ME
        key = key or f"key{next(self._numbers)}"
        at = self.clock() if at is None else at
        mark = mark or (Mark.SENT if mine and not notice else None)
        name = name or sender[1:].split(":")[0].title()
        bubble = Bubble(key, room_id, sender, name, mine, text, at, mark, reason, notice, sealed)
        self._bubbles[room_id].append(bubble)
        self._summarise(room_id, 0 if mine or notice else 1)
        return key

    def put_earlier(self, room_id: str, texts: list[str], at: float) -> None:
        """Messages that only the homeserver has."""
        bubbles = [
            Bubble(f"early{index}", room_id, "@right:demo.localhost", "Right", False, text, at + index, None, "")
            for index, text in enumerate(texts)
        ]
        self.earlier[room_id] = bubbles

    def put_invitation(self, invitation: Invitation) -> None:
        """Somebody invites the person."""
        self._invitations[invitation.room_id] = invitation
        self._tell("chats")

    def connect(self, connection: Connection) -> None:
        """The network changes."""
        assert self._account is not None
        self._account = dataclasses.replace(self._account, connection=connection)
        self._tell("account")

    def deliver(self, room_id: str, key: str, mark: Mark = Mark.SENT, reason: str = "") -> None:
        """What was being sent has arrived, or has not."""
        self._bubbles[room_id] = [
            dataclasses.replace(bubble, mark=mark, reason=reason) if bubble.key == key else bubble
            for bubble in self._bubbles[room_id]
        ]
        self._summarise(room_id, 0)

    def open(self, room_id: str, key: str, text: str) -> None:
        """The key of a message has come."""
        self._bubbles[room_id] = [
            dataclasses.replace(bubble, text=text, sealed=False) if bubble.key == key else bubble
            for bubble in self._bubbles[room_id]
        ]
        self._summarise(room_id, 0)

    def leave(self, room_id: str) -> None:
        """The chat was left on another machine."""
        del self._chats[room_id]
        self._tell("chats")
        self._tell("chat", room_id)

    # The messenger's own face.

    @property
    def encryption(self) -> Encryption:
        return self.keys

    def account(self) -> Account | None:
        return self._account

    def enter(self, homeserver: str, user: str) -> None:
        """Somebody has logged in."""
        user_id = user if user.startswith("@") else ME
        self._account = Account(user_id, user, homeserver, Connection.ONLINE)
        self._tell("account")

    async def log_out(self) -> None:
        self._account = None
        self._chats.clear()
        self._bubbles.clear()
        self._tell("account")

    def chats(self) -> list[ChatSummary]:
        return sorted(self._chats.values(), key=lambda chat: chat.last_at or 0.0, reverse=True)

    def invitations(self) -> list[Invitation]:
        return list(self._invitations.values())

    def chat(self, room_id: str) -> ChatSummary | None:
        return self._chats.get(room_id)

    def bubbles(self, room_id: str, before: str | None = None, most: int = 50) -> list[Bubble]:
        found = self._bubbles.get(room_id, [])
        if before is not None:
            found = list(itertools.takewhile(lambda bubble: bubble.key != before, found))
        return found[-most:]

    def depth(self, room_id: str, key: str) -> int:
        shown = self._bubbles.get(room_id, [])
        return next((len(shown) - at for at, bubble in enumerate(shown) if bubble.key == key), 0)

    def search(self, typed: str, most: int = 50) -> Findings:
        """Those that contain what was typed."""
        if not question(typed):
            return Findings(asked=False)
        shown = [bubble for bubbles in self._bubbles.values() for bubble in bubbles]
        found = [bubble for bubble in shown if typed.casefold() in bubble.text.casefold()]
        return Findings(tuple(reversed(found[-most:])), len(found) > most)

    async def older(self, room_id: str) -> bool:
        earlier = self.earlier.get(room_id, [])
        self._bubbles[room_id] = earlier[-40:] + self._bubbles[room_id]
        self.earlier[room_id] = earlier[:-40]
        return bool(earlier)

    def complete(self, room_id: str) -> bool:
        return self._account is not None and self._account.connection is Connection.ONLINE

    async def send(self, room_id: str, text: str, key: str = "") -> str:
        if self.full:
            raise NotKept("The disk is full: the message was not kept and not sent. Make room, then send it again.")
        if self._taken.get(key) == (room_id, text):
            return key
        key = "" if key in self._taken else key
        if key:
            self._taken[key] = (room_id, text)
        return self.put(room_id, text, mark=Mark.SENDING if self.hold else Mark.SENT, key=key)

    async def resend(self, room_id: str, key: str) -> None:
        self.deliver(room_id, key, Mark.SENDING if self.hold else Mark.SENT)

    async def discard(self, room_id: str, key: str) -> None:
        self._bubbles[room_id] = [bubble for bubble in self._bubbles[room_id] if bubble.key != key]
        self._summarise(room_id, 0)

    async def start_chat(self, user_id: str) -> str:
        if user_id == "@nobody:demo.localhost":
            raise ChatRefused("The homeserver knows nobody of that name. No chat was made.")
        room_id = f"!{next(self._numbers)}:demo.localhost"
        self.put_chat(room_id, user_id, encrypted=True, partner=user_id)
        return room_id

    async def start_group(self, name: str, user_ids: list[str], encrypted: bool = True) -> str:
        room_id = f"!{next(self._numbers)}:demo.localhost"
        self.put_chat(room_id, name, group=True, members=tuple(user_ids), encrypted=encrypted)
        return room_id

    async def accept(self, room_id: str) -> None:
        invitation = self._invitations.pop(room_id, None)
        if invitation is None:
            raise ChatRefused("That invitation was withdrawn. Nothing was joined.")
        self.put_chat(room_id, invitation.name, invitation.group)

    async def decline(self, room_id: str) -> None:
        self._invitations.pop(room_id, None)
        self._tell("chats")

    async def mark_read(self, room_id: str) -> None:
        self.read.append(room_id)
        self._chats[room_id] = dataclasses.replace(self._chats[room_id], unread=0)
        self._tell("chats")

    def subscribe(self, on_change: Callable[[Change], None]) -> Callable[[], None]:
        self._listeners.append(on_change)
        return lambda: self._listeners.remove(on_change)

    def _summarise(self, room_id: str, more_unread: int) -> None:
        chat = self._chats[room_id]
        said = [bubble for bubble in self._bubbles[room_id] if not bubble.notice]
        if said:
            last = said[-1]
            chat = dataclasses.replace(
                chat, last_text=last.text, last_at=last.at, last_mine=last.mine, last_mark=last.mark
            )
        self._chats[room_id] = dataclasses.replace(chat, unread=chat.unread + more_unread)
        self._tell("chats")
        self._tell("chat", room_id)

    def _tell(self, kind: str, room_id: str | None = None) -> None:
        assert kind in ("account", "chats", "chat", "encryption")
        for listener in list(self._listeners):
            listener(Change(kind, room_id))  # type: ignore[arg-type]


class MemorySessions:
    """Implements ``lobby.ui.sessions.SessionStore``."""

    def __init__(self) -> None:
        self.known: dict[str, float] = {}
        self.full = False
        self.used: set[str] = set()
        self.sign_ons: dict[str, SignOn] = {}

    def page_session_add(self, hash: str, at: float) -> None:
        if self.full:
            raise NotKept("The disk is full.")
        self.known[hash] = at

    def page_session_at(self, hash: str) -> float | None:
        return self.known.get(hash)

    def page_session_drop_until(self, at: float) -> None:
        self.known = {hash: used for hash, used in self.known.items() if used > at}

    def page_session_drop_all(self) -> None:
        self.known.clear()

    def nonce_use(self, nonce: str, until: float) -> bool:
        fresh = nonce not in self.used
        self.used.add(nonce)
        return fresh

    def sign_on_begin(self, state: str, sign_on: SignOn, now: float) -> None:
        self.sign_ons[state] = sign_on

    def sign_on_end(self, state: str) -> SignOn | None:
        return self.sign_ons.pop(state, None)
