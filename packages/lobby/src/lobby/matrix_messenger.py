"""The messenger itself: one login, its sync, its outbox and what is kept, behind the face of ``Messenger``."""

import asyncio
import importlib
import logging
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from lobby.core import outbox as box
from lobby.core import timeline
from lobby.core.batch import EMPTY_PAGES, TEXT_MOST, open_page, opened, read_event, read_page
from lobby.core.views import Account, Bubble, Change, ChatSummary, Connection, Invitation
from lobby.encryption.engine import Engine
from lobby.encryption.key_store import forget_keys
from lobby.encryption.login_keys import LoginKeys
from lobby.encryption.quiet import QuietEncryption
from lobby.errands import Errands
from lobby.errors import ChatRefused, LobbyError, LoginRefused, NotKept, ServerRefused
from lobby.home import AccountHome, Login
from lobby.intake import Applied
from lobby.matrix import chats
from lobby.matrix.login import log_in
from lobby.matrix.logout import end_unused, log_out_there
from lobby.matrix.pusher import forget_target
from lobby.matrix.session import Session
from lobby.matrix.sync import Sync
from lobby.messenger import Encryption
from lobby.pushing import Pushing
from lobby.reading import Reading
from lobby.receipts import Receipts
from lobby.sending import Guard, Sending
from lobby.store import Store

if TYPE_CHECKING:
    from lobby.encryption.keys import AccountEncryption

OLDER_PAGE = 50
PAGE_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")
"""What may be the key, and so the transaction id, of a message that the page has drawn one for."""
KEYS = "keys.sqlite3"
"""The key file, in the account's folder."""
REFUSED_LOGIN = "refused_login"
"""Note of the mark of a login that the homeserver does not know any more."""
ERRANDS_TIME = 2.0
"""Seconds that receipts and the like get to finish when the window is gone; the time box is L01's 5 s."""

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
        self._session: Session | None = None
        self._sync: Sync | None = None
        self._sending: Sending | None = None
        self.keys: LoginKeys | None = None
        """The keys of whoever is logged in."""
        self._encryption: AccountEncryption | None = None
        self._watching: asyncio.Task[None] | None = None
        self._foreground = False
        self._may_send = False
        self._receipts = Receipts(store)
        self.pushing = Pushing(store, lambda: self._changed("account"))
        """Where the homeserver pushes this person's messages to."""
        self._one_login_at_a_time = asyncio.Lock()
        self._notice = ""
        self._unkept = ""
        self._listeners: list[Callable[[Change], None]] = []
        self._errands = Errands(LobbyError, level=logging.INFO)
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
        if self._sending is not None:
            self._errands.start(self._open_keys())
            self._sending.start()

    def foreground(self) -> None:
        """Somebody looks: news is fetched as it comes."""
        self._foreground = True
        if self._sync is not None and self._watching is None:
            self._watching = asyncio.create_task(self._sync.run())
            self._watching.add_done_callback(self._watching_ended)
            self._errands.start(self._refresh())
        elif self._sync is not None:
            self._sync.hurry()

    async def background(self) -> None:
        """Nobody looks: no long poll any more; what is being sent goes on."""
        self._foreground = False
        await self._stop_watching()
        await self._errands.finish(ERRANDS_TIME)

    async def fetch(self, waits: float = 0.0) -> None:
        """Fetch what is new, once; ``waits``: seconds to wait for news when there is none. Raises LobbyError."""
        if self._sync is not None:
            await self._sync.step(waits)

    @property
    def encryption(self) -> Encryption:
        """Keys, recovery and verification of whoever is logged in."""
        return self._encryption or QuietEncryption()

    @property
    def watching(self) -> bool:
        """Whether news is being fetched as it comes."""
        return self._watching is not None

    async def drop_connections(self) -> None:
        """They may be dead after a sleep; the next request opens new ones."""
        if self._sending is not None:
            self._sending.slept()
        if self._session is not None:
            await self._session.drop_connections()

    async def stop(self) -> None:
        """Break off what is under way; all of it is kept."""
        await self.background()
        await self._let_go()

    @property
    def login_mark(self) -> str:
        """Tells this login from every other; empty: nobody is logged in."""
        return self._login.token_mark if self._login else ""

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

    async def distant_event(self, room_id: str, event_id: str) -> timeline.KeptEvent | None:
        """An event that is not kept (too many came at once). None: we may not see it. Raises LobbyError."""
        if self._session is None or self.keys is None or self._store.room(room_id) is None:
            return None
        await self.keys.engine()
        try:
            event = read_event(await self._session.event(room_id, event_id))
        except ServerRefused:
            return None
        if event is None:
            return None
        event = opened(event, room_id, self.keys.open)
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
            await self._stop_watching()
            told = self._session is None or await log_out_there(self._session, self._store)
            await self._let_go()
            self._login = None
            self._home.forget_login()
            forget_keys(self._home.folder / KEYS)
            self.reading.forget(None)
            self._changed("account")
            self._changed("chats")
            return told

    async def older(self, room_id: str) -> bool:
        session, keys = self._session, self.keys
        for _ in range(EMPTY_PAGES):
            room = self._store.room(room_id)
            if room is None or not room.before or session is None or keys is None:
                return False
            try:
                await keys.engine()
                page = read_page(await session.messages(room_id, room.before, OLDER_PAGE), room.before)
                if self._session is not session:
                    return False
                new = self._store.add_older(room_id, open_page(page, room_id, keys.open))
            except LobbyError as error:
                log.info("older messages: %s", error)
                return False
            self._errands.start(keys.settle())
            if new:
                self._changed("chat", room_id)
                return True
        return False

    def complete(self, room_id: str) -> bool:
        room = self._store.room(room_id)
        return room is not None and not room.before

    async def send(self, room_id: str, text: str, key: str = "") -> str:
        if self._sending is None:
            raise NotKept("You are signed out, so this was not kept. Log in and write it again.")
        if self._store.room(room_id) is None:
            raise NotKept("You are no longer in this chat, so this was not kept.")
        known = self._store.words_of(key) if PAGE_KEY.fullmatch(key) else ("", "")
        if known == (room_id, text[:TEXT_MOST]):
            return key
        # A key that is taken for other words would cost the person this message: it goes out under a new one.
        txn = key if known is None else self._new_id()
        self._sending.send(room_id, text, txn)
        return txn

    async def resend(self, room_id: str, key: str) -> None:
        if self._sending is not None:
            self._sending.resend(key)

    async def discard(self, room_id: str, key: str) -> None:
        if self._sending is not None:
            self._sending.discard(key)

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
        if event is not None:
            self._errands.start(self._tell_read())
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
        if self._session is None or self._connection is Connection.SIGNED_OUT:
            raise ChatRefused("You are signed out. Log in first; nothing was changed.")
        return self._session

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
        self._session = self.pushing.session = session = Session(login)
        path = self._home.folder / KEYS
        self.keys = keys = LoginKeys(path, session, self._store, self._clock, self._keys_open, self._opened)
        self._sync = Sync(session, self._store, keys, self._clock, self._applied, self._connected, self._news_unkept)
        self._sending = Sending(
            session,
            self._store,
            keys,
            self._guard,
            self._clock,
            room_name=self._room_name,
            on_change=self._outbox_changed,
            on_unsent=lambda drafts: self.on_unsent(drafts),
            on_token_refused=lambda: self._connected(Connection.SIGNED_OUT),
        )
        self.reading.as_it_is = self._sending.as_it_is
        if self._may_send:
            self.take_up_outbox()

    async def _stop_watching(self) -> None:
        # Whoever is back while this waits begins to watch anew; that one is not touched.
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _let_go(self) -> None:
        sync, self._sync = self._sync, None
        if sync is not None:
            sync.end()
        await self._stop_watching()
        await self._errands.drop()
        if self._sending is not None:
            await self._sending.stop()
        if self._encryption is not None:
            await self._encryption.stop()
        if self._session is not None:
            await self._session.close()
        # What was begun meanwhile finds no connection any more.
        await self._errands.drop()
        if self.keys is not None:
            self.keys.close()
        self._session = self._sending = self.keys = self.pushing.session = self._encryption = None
        self.reading.as_it_is = lambda draft: draft

    def _watching_ended(self, task: asyncio.Task[None]) -> None:
        if self._watching is task:
            self._watching = None
        if not task.cancelled() and (error := task.exception()):
            log.error("Fetching news ended; open Lobby again to resume.", exc_info=error)

    async def _refresh(self) -> None:
        """What is worth a request each time somebody looks: receipts, the pusher and the person's own name."""
        session, login = self._session, self._login
        if session is None or login is None:
            return
        await self._tell_read()
        await self.pushing.settle(again=True)
        name = await session.display_name()
        if name != login.name and self._session is session:
            self._login = Login(login.homeserver, login.user_id, login.device_id, login.token, name)
            self._home.keep_login(self._login)
            self._changed("account")
        if self._encryption is not None:
            await self._encryption.look()

    async def _tell_read(self) -> None:
        if self._session is not None:
            await self._receipts.tell(self._session)

    def _made(self, room_id: str) -> str:
        self._changed("chat", room_id)
        self._changed("chats")
        if self._sync is not None:
            self._sync.hurry()
        return room_id

    def _applied(self, applied: Applied) -> None:
        assert self._sending is not None
        for room_id in applied.left:
            self._sending.room_gone(room_id)
        for txn, event_id in applied.delivered:
            self._sending.seen(txn, event_id)
        if applied.direct:
            self.reading.forget(None)
        for room_id in applied.rooms:
            self._changed("chat", room_id)
        for room_id in (*applied.read, *applied.left):
            chat = self.chat(room_id)
            if chat is None or not chat.unread:
                self.on_read(room_id)
        if applied.rooms or applied.invitations or applied.direct:
            self._changed("chats")

    def _connected(self, connection: Connection) -> None:
        if connection is Connection.ONLINE and self._sending is not None:
            self._sending.reachable()
            self._settle_debts()
        if connection is Connection.SIGNED_OUT and self._sending is not None:
            self._sending.give_up_all(box.SIGNED_OUT)
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

    def _settle_debts(self) -> None:
        """The homeserver answers: tell it what it could not be told before."""
        if self._receipts.owed:
            self._errands.start(self._tell_read())
        if self.pushing.owed:
            self._errands.start(self.pushing.settle())
        if self.keys is not None:
            self._errands.start(self.keys.settle())
        if self._foreground and self._encryption is not None and self._encryption.look_again:
            self._errands.start(self._encryption.look())

    async def _open_keys(self) -> None:
        if self.keys is not None:
            await self.keys.engine()

    async def _keys_open(self, engine: Engine) -> None:
        """The keys of this login can be used: whoever does more with them than sealing and opening takes them up."""
        session, keys = self._session, self.keys
        # What it imports is slow, too: the page is served before.
        module = await asyncio.to_thread(importlib.import_module, "lobby.encryption.keys")
        if session is None or keys is None or self.keys is not keys:
            return
        self._encryption = module.AccountEncryption(
            engine,
            keys,
            session,
            self._home.folder,
            self._store,
            self._guard,
            self._clock,
            changed=lambda: self._changed("encryption"),
        )
        self._changed("account")
        self._changed("encryption")

    def _opened(self, events: list[timeline.KeptEvent]) -> None:
        for room_id in {event.room_id for event in events}:
            self._changed("chat", room_id)
        self._changed("chats")
        self._changed("encryption")
        self.on_opened(events)

    def _outbox_changed(self, room_id: str) -> None:
        self._changed("chat", room_id)
        self._changed("chats")

    def _changed(self, kind: Any, room_id: str | None = None) -> None:
        if room_id is not None:
            self.reading.forget(room_id)
        for listener in list(self._listeners):
            listener(Change(kind, room_id))

    def _room_name(self, room_id: str) -> str:
        chat = self.chat(room_id)
        return chat.name if chat else "a chat"


async def _tell_nobody(drafts: list[timeline.Draft]) -> None:
    """Nobody has asked to be told."""
