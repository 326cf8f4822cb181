"""One login at work: its connection, keys, sync and outbox, from when it is taken up until it is let go of."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lobby.core import outbox as box
from lobby.core.timeline import Draft, KeptEvent
from lobby.core.views import Connection
from lobby.encryption.engine import Engine
from lobby.encryption.login_keys import LoginKeys
from lobby.errands import Errands
from lobby.errors import LobbyError
from lobby.home import AccountHome, Login
from lobby.intake import Applied
from lobby.late_import import imported
from lobby.matrix.session import Session
from lobby.matrix.sync import Sync
from lobby.pushing import Pushing
from lobby.reading import Reading
from lobby.receipts import Receipts
from lobby.sending import Guard, Sending
from lobby.store import Store

if TYPE_CHECKING:
    from lobby.encryption.keys import AccountEncryption

KEYS = "keys.sqlite3"
"""The key file, in the account's folder."""
ERRANDS_TIME = 2.0
"""Seconds that receipts and the like get to finish when the window is gone; the time box is L01's 5 s."""

log = logging.getLogger("lobby")


@dataclass(frozen=True)
class Hears:
    """Who is told of what a login brings."""

    account: Callable[[], None]
    """Its keys are open, and may say what the person has to know."""
    chats: Callable[[], None]
    """The list of chats or the invitations."""
    chat: Callable[[str], None]
    """What is shown of that room."""
    encryption: Callable[[], None]
    """What is known about keys and devices."""
    connection: Callable[[Connection], None]
    """Each answer of the homeserver, and each that did not come."""
    unkept: Callable[[str], None]
    """Why news cannot be kept, sentences for the person; empty: it could be."""
    named: Callable[[Login], None]
    """The person has another name: the login with it."""
    read: Callable[[str], None]
    """That chat has been read, or is gone."""
    unsent: Callable[[list[Draft]], Awaitable[None]]
    """Awaited when messages could not be sent, before the process is let go of."""
    opened: Callable[[list[KeptEvent]], None]
    """Messages that could not be read when they came, and can be now."""


class LiveLogin:
    """Use: ``foreground()`` or ``fetch()``, ``take_up_outbox()`` when the guard can hold this process; last ``end()``,
    after which it does nothing any more."""

    def __init__(
        self,
        login: Login,
        home: AccountHome,
        store: Store,
        reading: Reading,
        pushing: Pushing,
        guard: Guard,
        clock: Callable[[], float],
        hears: Hears,
    ) -> None:
        self._login = login
        self._home = home
        self._store = store
        self._reading = reading
        self._pushing = pushing
        self._guard = guard
        self._clock = clock
        self._hears = hears
        self._foreground = False
        self._over = False
        self._watching: asyncio.Task[None] | None = None
        self._receipts = Receipts(store)
        self._errands = Errands(LobbyError, level=logging.INFO)
        self.session = session = Session(login)
        """The connection with the homeserver."""
        self.keys = LoginKeys(home.folder / KEYS, session, store, clock, self._keys_open, self._opened)
        """What messages are sealed and opened with."""
        self.encryption: AccountEncryption | None = None
        """Recovery and verification; None: the keys are not open yet."""
        self._sync: Sync | None = Sync(
            session, store, self.keys, clock, self._applied, self._connected, self._hears.unkept
        )
        self.sending = Sending(
            session,
            store,
            self.keys,
            guard,
            clock,
            room_name=self._room_name,
            on_change=self._outbox_changed,
            on_unsent=hears.unsent,
            on_token_refused=lambda: self._connected(Connection.SIGNED_OUT),
        )
        """The outbox."""
        reading.as_it_is = self.sending.as_it_is
        pushing.session = session

    def take_up_outbox(self) -> None:
        """Go on with what the last run had not sent."""
        self._errands.start(self._open_keys())
        self.sending.start()

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
        await self.stop_watching()
        await self._errands.finish(ERRANDS_TIME)

    @property
    def watching(self) -> bool:
        """Whether news is being fetched as it comes."""
        return self._watching is not None

    async def stop_watching(self) -> None:
        """No long poll any more."""
        # Whoever is back while this waits begins to watch anew; that one is not touched.
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def fetch(self, waits: float) -> None:
        """Fetch what is new, once; ``waits``: seconds to wait for news when there is none. Raises LobbyError."""
        if self._sync is not None:
            await self._sync.step(waits)

    async def catch_up(self) -> None:
        """Fetch what is new, once, and deal with what came with it. Raises LobbyError."""
        if self._sync is None or self.watching:
            return
        await self._sync.step()
        await self._errands.wait(ERRANDS_TIME)

    def hurry(self) -> None:
        """There may be news at once."""
        if self._sync is not None:
            self._sync.hurry()

    async def drop_connections(self) -> None:
        """They may be dead after a sleep; the next request opens new ones."""
        self.sending.slept()
        await self.session.drop_connections()

    def tell_read(self) -> None:
        """Tell the homeserver soon what the person has read; what it does not hear, it is told at the next contact."""
        self._errands.start(self._receipts.tell(self.session))

    def settle_keys(self) -> None:
        """Hand on what came with messages, and ask soon for keys that are missing."""
        self._errands.start(self.keys.settle())

    async def end(self) -> None:
        """Break off what is under way; all of it is kept."""
        # First: what comes to its end meanwhile must not put this login back, nor open files that nobody closes.
        self._over = True
        sync, self._sync = self._sync, None
        if sync is not None:
            sync.end()
        await self.stop_watching()
        await self._errands.drop()
        await self.sending.stop()
        if self.encryption is not None:
            await self.encryption.stop()
        await self.session.close()
        # What was begun meanwhile finds no connection any more.
        await self._errands.drop()
        self.keys.close()
        self._pushing.session = None
        self._reading.as_it_is = lambda draft: draft

    # What its parts tell

    def _watching_ended(self, task: asyncio.Task[None]) -> None:
        if self._watching is task:
            self._watching = None
        if not task.cancelled() and (error := task.exception()):
            log.error("Fetching news ended; open Lobby again to resume.", exc_info=error)

    def _applied(self, applied: Applied) -> None:
        for room_id in applied.left:
            self.sending.room_gone(room_id)
        for txn, event_id in applied.delivered:
            self.sending.seen(txn, event_id)
        if applied.direct:
            self._reading.forget(None)
        for room_id in applied.rooms:
            self._hears.chat(room_id)
        for room_id in (*applied.read, *applied.left):
            chat = self._reading.chat(room_id)
            if chat is None or not chat.unread:
                self._hears.read(room_id)
        if applied.rooms or applied.invitations or applied.direct:
            self._hears.chats()

    def _connected(self, connection: Connection) -> None:
        if connection is Connection.ONLINE:
            self.sending.reachable()
            self._settle_debts()
        if connection is Connection.SIGNED_OUT:
            self.sending.give_up_all(box.SIGNED_OUT)
        self._hears.connection(connection)

    def _settle_debts(self) -> None:
        """The homeserver answers: tell it what it could not be told before."""
        if self._receipts.owed:
            self.tell_read()
        if self._pushing.owed:
            self._errands.start(self._pushing.settle())
        self.settle_keys()
        if self._foreground and self.encryption is not None and self.encryption.look_again:
            self._errands.start(self.encryption.look(only_changes=True))

    async def _refresh(self) -> None:
        """What is worth a request each time somebody looks: receipts, the pusher and the person's own name."""
        await self._receipts.tell(self.session)
        await self._pushing.settle(again=True)
        name = await self.session.display_name()
        if name != self._login.name and not self._over:
            self._login = replace(self._login, name=name)
            self._home.keep_login(self._login)
            self._hears.named(self._login)
        if self.encryption is not None:
            await self.encryption.look()

    async def _open_keys(self) -> None:
        await self.keys.engine()

    async def _keys_open(self, engine: Engine) -> None:
        """The keys of this login can be used: whoever does more with them than sealing and opening takes them up."""
        # What it imports is slow, too: the page is served before.
        module = await imported("lobby.encryption.keys")
        if self._over:
            return
        self.encryption = module.AccountEncryption(
            engine,
            self.keys,
            self.session,
            self._home.folder,
            self._store,
            self._guard,
            self._clock,
            changed=self._hears.encryption,
        )
        self._hears.account()
        self._hears.encryption()

    def _opened(self, events: list[KeptEvent]) -> None:
        for room_id in {event.room_id for event in events}:
            self._hears.chat(room_id)
        self._hears.chats()
        self._hears.encryption()
        self._hears.opened(events)

    def _outbox_changed(self, room_id: str) -> None:
        self._hears.chat(room_id)
        self._hears.chats()

    def _room_name(self, room_id: str) -> str:
        chat = self._reading.chat(room_id)
        return chat.name if chat else "a chat"
