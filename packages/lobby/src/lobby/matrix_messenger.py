"""The messenger itself: one login, its sync, its outbox and what is kept, behind the face of ``Messenger``."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable

from lobby.core import timeline
from lobby.core.batch import EMPTY_PAGES, open_page, read_page
from lobby.core.event import TEXT_MOST, opened, read_event
from lobby.core.views import Account, Bubble, Change, ChangeKind, ChatSummary, Connection, Findings, Invitation
from lobby.encryption.key_store import forget_keys
from lobby.encryption.login_keys import LoginKeys
from lobby.encryption.quiet import QuietEncryption
from lobby.errors import ChatRefused, LobbyError, LoginRefused, NotKept, ServerRefused
from lobby.home import AccountHome, Login
from lobby.live_login import KEYS, Hears, LiveLogin
from lobby.matrix import chats
from lobby.matrix.login import log_in
from lobby.matrix.logout import end_unused, log_out_there
from lobby.matrix.pusher import forget_target
from lobby.matrix.session import Session
from lobby.messenger import Encryption
from lobby.pushing import Pushing
from lobby.reading import Reading
from lobby.sending import Guard
from lobby.store import Store

OLDER_PAGE = 50
PAGE_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")
"""What may be the key, and so the transaction id, of a message that the page has drawn one for."""
REFUSED_LOGIN = "refused_login"
"""Note of the mark of a login that the homeserver does not know any more."""

log = logging.getLogger("lobby")


class MatrixMessenger:
    """Lobby without page and desk. Use: ``start()``, then ``foreground()`` or ``fetch()``, last ``stop()``."""

    def __init__(
        self, home: AccountHome, store: Store, guard: Guard, clock: Callable[[], float], new_id: Callable[[], str]
    ) -> None:
        self._home = home
        self._store = store
        self._guard = guard
        self._clock = clock
        self._new_id = new_id
        self.reading = Reading(store)
        """What is kept, for those who need more of it than the page."""
        self._login: Login | None = None
        self._connection = Connection.CONNECTING
        self._live: LiveLogin | None = None
        self._foreground = False
        self._may_send = False
        self.pushing = Pushing(store, lambda: self._changed("account"))
        """Where the homeserver pushes this person's messages to."""
        self._one_login_at_a_time = asyncio.Lock()
        self._notice = ""
        self._unkept = ""
        self._listeners: list[Callable[[Change], None]] = []
        self.on_read: Callable[[str], None] = lambda room_id: None
        """Called when a chat has been read, here or elsewhere."""
        self.on_unsent: Callable[[list[timeline.Draft]], Awaitable[None]] = _tell_nobody
        """Awaited when messages could not be sent, before the process is let go of."""
        self.on_opened: Callable[[list[timeline.KeptEvent]], None] = lambda events: None
        """Called with messages that could not be read when they came, and can be now."""

    # Life

    def start(self) -> None:
        """Take up the login of the last run, so that chats can be read. Nothing is sent or fetched yet."""
        login = self._home.login()
        if login is not None:
            self._take_up(login)

    def take_up_outbox(self) -> None:
        """Go on with what the last run had not sent; call it when the guard can hold this process."""
        self._may_send = True
        if self._live is not None:
            self._live.take_up_outbox()

    def foreground(self) -> None:
        """Somebody looks: news is fetched as it comes."""
        self._foreground = True
        if self._live is not None:
            self._live.foreground()

    async def background(self) -> None:
        """Nobody looks: no long poll any more; what is being sent goes on."""
        self._foreground = False
        if self._live is not None:
            await self._live.background()

    async def fetch(self, waits: float = 0.0) -> None:
        """Fetch what is new, once; ``waits``: seconds to wait for news when there is none. Raises LobbyError."""
        if self._live is not None:
            await self._live.fetch(waits)

    async def catch_up(self) -> None:
        """Fetch what is new, once, unless that is done as it comes, and deal with what came with it, keys and receipts.

        Raises LobbyError.
        """
        if self._live is not None and not self.is_signed_out:
            await self._live.catch_up()

    @property
    def keys(self) -> LoginKeys | None:
        """The keys of whoever is logged in."""
        return self._live.keys if self._live is not None else None

    @property
    def encryption(self) -> Encryption:
        """Keys, recovery and verification of whoever is logged in."""
        return (self._live.encryption if self._live is not None else None) or QuietEncryption()

    @property
    def watching(self) -> bool:
        """Whether news is being fetched as it comes."""
        return self._live is not None and self._live.watching

    async def drop_connections(self) -> None:
        """They may be dead after a sleep; the next request opens new ones."""
        if self._live is not None:
            await self._live.drop_connections()

    async def stop(self) -> None:
        """Break off what is under way; all of it is kept."""
        await self.background()
        await self._let_go()

    @property
    def login_mark(self) -> str:
        """Tells this login from every other; empty: nobody is logged in."""
        return self._login.token_mark if self._login else ""

    @property
    def is_signed_out(self) -> bool:
        """Whether the homeserver has ended the login, as far as is known here; not when nobody is logged in."""
        return self._login is not None and self._connection is Connection.SIGNED_OUT

    # Reading

    def account(self) -> Account | None:
        if self._login is None:
            return None
        name = self._login.name or timeline.person_name(self._login.user_id, {})
        login, pushing = self._login, self.pushing
        lost = self.keys.trouble if self.keys is not None else ""
        notice = " ".join(filter(None, (self._notice, self._unkept, lost)))
        return Account(
            login.user_id, name, login.homeserver, self._connection, pushing.reached, pushing.why_not, notice
        )

    def chats(self) -> list[ChatSummary]:
        return self.reading.chats() if self._login else []

    def chat(self, room_id: str) -> ChatSummary | None:
        return self.reading.chat(room_id) if self._login else None

    def invitations(self) -> list[Invitation]:
        return self.reading.invitations() if self._login else []

    def bubbles(self, room_id: str, before: str | None = None, most: int = 50) -> list[Bubble]:
        return self.reading.bubbles(room_id, before, most) if self._login else []

    def depth(self, room_id: str, key: str) -> int:
        return self.reading.depth(room_id, key) if self._login else 0

    def search(self, typed: str, most: int = 50) -> Findings:
        return self.reading.search(typed, most) if self._login else Findings()

    async def distant_event(self, room_id: str, event_id: str) -> timeline.KeptEvent | None:
        """An event that is not kept (too many came at once). None: we may not see it. Raises LobbyError."""
        live = self._live
        if live is None or self._store.room(room_id) is None:
            return None
        await live.keys.engine()
        try:
            event = read_event(await live.session.event(room_id, event_id))
        except ServerRefused:
            return None
        if event is None:
            return None
        event = opened(event, room_id, live.keys.open)
        far = 2**62  # Newer than all that is kept.
        return timeline.KeptEvent(event_id, event_id, room_id, far, event.sender, event.at, event.kind, event.text)

    # Doing

    async def log_in(self, homeserver: str, user: str, password: str, cleartext: str = "") -> None:
        """Log in with a password, as the device that this was, if any. Raises LoginRefused, Cleartext."""
        async with self._one_login_at_a_time:
            device_id = self._login.device_id if self._login else ""
            await self._admit(await log_in(homeserver, user, password, cleartext, device_id))

    async def admit(self, login: Login) -> None:
        """Take up a login that was made for this account. Raises LoginRefused: it was ended, all is as it was."""
        async with self._one_login_at_a_time:
            await self._admit(login)

    async def _admit(self, login: Login) -> None:
        old = self._login
        goes_on = old is not None and (old.user_id, old.device_id) == (login.user_id, login.device_id)
        try:
            self._keep_login(login)
        except LobbyError as error:
            if not goes_on:
                await end_unused(login)
            raise LoginRefused(str(error)) from error
        await self._let_go()
        self._take_up(login)
        if self._foreground:
            self.foreground()
        self._changed("account")
        self._changed("chats")
        if old is not None and not goes_on:
            # Its token may still be good: nobody would ever use it, and its device would be listed for ever. Where the
            # device is the same, its old token is worth nothing, and ending it would end the device.
            await end_unused(old)

    async def log_out(self) -> bool:
        """End the login, there and here; what else is kept stays, for whoever removes the folder (``Accounts``).

        Returns whether the homeserver heard of it.
        """
        async with self._one_login_at_a_time:
            live = self._live
            if live is not None:
                await live.stop_watching()
            told = live is None or await log_out_there(live.session, self._store)
            await self._let_go()
            self._login = None
            self._home.forget_login()
            forget_keys(self._home.folder / KEYS)
            self.reading.forget(None)
            self._changed("account")
            self._changed("chats")
            return told

    async def older(self, room_id: str) -> bool:
        live = self._live
        for _ in range(EMPTY_PAGES):
            room = self._store.room(room_id)
            if room is None or not room.before or live is None:
                return False
            try:
                await live.keys.engine()
                page = read_page(await live.session.messages(room_id, room.before, OLDER_PAGE), room.before)
                if self._live is not live:
                    return False
                new = self._store.add_older(room_id, open_page(page, room_id, live.keys.open))
            except LobbyError as error:
                log.info("older messages: %s", error)
                return False
            live.settle_keys()
            if new:
                self._changed("chat", room_id)
                return True
        return False

    def complete(self, room_id: str) -> bool:
        room = self._store.room(room_id)
        return room is not None and not room.before

    async def send(self, room_id: str, text: str, key: str = "") -> str:
        if self._live is None:
            raise NotKept("You are signed out, so this was not kept. Log in and write it again.")
        if self._store.room(room_id) is None:
            raise NotKept("You are no longer in this chat, so this was not kept.")
        known = self._store.words_of(key) if PAGE_KEY.fullmatch(key) else ("", "")
        if known == (room_id, text[:TEXT_MOST]):
            return key
        # A key that is taken for other words would cost the person this message: it goes out under a new one.
        txn = key if known is None else self._new_id()
        self._live.sending.send(room_id, text, txn)
        return txn

    async def resend(self, room_id: str, key: str) -> None:
        if self._live is not None:
            self._live.sending.resend(key)

    async def discard(self, room_id: str, key: str) -> None:
        if self._live is not None:
            self._live.sending.discard(key)

    async def start_chat(self, user_id: str) -> str:
        session = self._signed_in()
        whom = chats.full_user_id(user_id, self._me)
        for room in self._store.rooms():
            if room.direct and self.reading.others(room.room_id) == [whom]:
                return room.room_id
        return self._made(await chats.start_direct(session, self._store, whom))

    async def start_group(self, name: str, user_ids: list[str], encrypted: bool = True) -> str:
        session = self._signed_in()
        whom = [chats.full_user_id(user_id, self._me) for user_id in user_ids]
        return self._made(await chats.start_group(session, self._store, name, list(dict.fromkeys(whom)), encrypted))

    async def accept(self, room_id: str) -> None:
        await chats.join(self._signed_in(), self._store, room_id)
        self._made(room_id)
        self.on_read(room_id)

    async def decline(self, room_id: str) -> None:
        await chats.leave(self._signed_in(), self._store, room_id)
        self._changed("chats")
        self.on_read(room_id)

    async def mark_read(self, room_id: str) -> None:
        chat = self.chat(room_id)
        if chat is None or not chat.unread:
            return
        event = self._store.mark_read(room_id)
        if event is not None and self._live is not None:
            self._live.tell_read()
        self._changed("chat", room_id)
        self._changed("chats")
        self.on_read(room_id)

    def notice(self, text: str) -> None:
        """Show ``text`` on the page, in place of an earlier one; empty: no more."""
        if text != self._notice:
            self._notice = text
            self._changed("account")

    def subscribe(self, on_change: Callable[[Change], None]) -> Callable[[], None]:
        self._listeners.append(on_change)

        def unsubscribe() -> None:
            if on_change in self._listeners:
                self._listeners.remove(on_change)

        return unsubscribe

    # Inside

    @property
    def _me(self) -> str:
        return self._login.user_id if self._login else ""

    def _signed_in(self) -> Session:
        if self._live is None or self._connection is Connection.SIGNED_OUT:
            raise ChatRefused("You are signed out. Log in first; nothing was changed.")
        return self._live.session

    def _keep_login(self, login: Login) -> None:
        """Write a new login down in place of the old one; when it cannot be, the old one stays. Raises LobbyError."""
        if self._login is None:
            self._store.forget_all()
        elif self._login.user_id != login.user_id:
            raise LoginRefused(
                f"That was {login.user_id}, and here it is {self._login.user_id} who has to log in again. Nothing was "
                "changed. Another account can be added beside this one."
            )
        # Homeservers forget the pusher together with the login that set it.
        forget_target(self._store)
        self._home.keep_login(login)

    def _take_up(self, login: Login) -> None:
        self._login = login
        self.reading.forget(None)
        self.reading.me = login.user_id
        refused = self._store.note(REFUSED_LOGIN) == login.token_mark
        self._connection = Connection.SIGNED_OUT if refused else Connection.CONNECTING
        hears = Hears(
            account=lambda: self._changed("account"),
            chats=lambda: self._changed("chats"),
            chat=lambda room_id: self._changed("chat", room_id),
            encryption=lambda: self._changed("encryption"),
            connection=self._connected,
            unkept=self._news_unkept,
            named=self._named,
            read=lambda room_id: self.on_read(room_id),
            unsent=lambda drafts: self.on_unsent(drafts),
            opened=lambda events: self.on_opened(events),
        )
        self._live = LiveLogin(
            login, self._home, self._store, self.reading, self.pushing, self._guard, self._clock, hears
        )
        if self._may_send:
            self._live.take_up_outbox()

    async def _let_go(self) -> None:
        live = self._live
        if live is not None:
            await live.end()
        if self._live is live:
            self._live = None

    def _made(self, room_id: str) -> str:
        self._changed("chat", room_id)
        self._changed("chats")
        if self._live is not None:
            self._live.hurry()
        return room_id

    def _connected(self, connection: Connection) -> None:
        if connection is Connection.OFFLINE and self._connection is Connection.SIGNED_OUT:
            return  # Whoever cannot be reached has not taken the login back.
        if connection is not self._connection:
            if Connection.SIGNED_OUT in (connection, self._connection):
                self._keep_refusal(self.login_mark if connection is Connection.SIGNED_OUT else "")
            self._connection = connection
            self._changed("account")

    def _keep_refusal(self, mark: str) -> None:
        """The next run knows at once that somebody was signed out, or (empty) that they are not any more."""
        try:
            self._store.keep_note(REFUSED_LOGIN, mark)
        except NotKept as error:
            log.warning("Only this run knows how the login stands. %s", error)

    def _news_unkept(self, why: str) -> None:
        if why != self._unkept:
            self._unkept = why
            self._changed("account")

    def _named(self, login: Login) -> None:
        self._login = login
        self._changed("account")

    def _changed(self, kind: ChangeKind, room_id: str | None = None) -> None:
        if room_id is not None:
            self.reading.forget(room_id)
        for listener in list(self._listeners):
            listener(Change(kind, room_id))


async def _tell_nobody(drafts: list[timeline.Draft]) -> None:
    """Nobody has asked to be told."""
