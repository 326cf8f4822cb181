"""News from the homeserver: one step at a time, kept together with the token that says where the next one begins."""

import asyncio
import logging
from collections.abc import Callable

from lobby.core.batch import Json, open_batch, read_batch
from lobby.core.key_news import read_key_news
from lobby.core.verification_messages import sent_in_clear
from lobby.core.views import Connection
from lobby.encryption.login_keys import LoginKeys
from lobby.errors import LobbyError, NotKept, PlaceForgotten, TokenRefused, Unreachable
from lobby.intake import Applied
from lobby.matrix.session import Session
from lobby.store import Store

LONG_POLL = 30.0
"""Seconds the homeserver may hold an answer back while somebody looks at Lobby."""

AT_ONCE = 0.001
"""As good as no wait; but Synapse answers the same question alike for two minutes, and 0 may have been asked before."""

FIRST_RETRY = 1.0
LONGEST_RETRY = 5.0
"""Somebody is looking: a network that is back should show within seconds."""

ENDED = "This login has ended. What came for it was not kept."

log = logging.getLogger("lobby")


class Sync:
    """Fetches news of one login. ``on_applied`` hears what each step changed, ``on_connection`` how it went.

    ``on_trouble`` hears, in sentences for the person, why news cannot be kept; empty when it could be.
    """

    def __init__(
        self,
        session: Session,
        store: Store,
        keys: LoginKeys,
        clock: Callable[[], float],
        on_applied: Callable[[Applied], None],
        on_connection: Callable[[Connection], None],
        on_trouble: Callable[[str], None],
    ) -> None:
        self._session = session
        self._store = store
        self._keys = keys
        self._clock = clock
        self._on_applied = on_applied
        self._on_connection = on_connection
        self._on_trouble = on_trouble
        self._one_at_a_time = asyncio.Lock()
        self._hurry = asyncio.Event()
        self._ended = False

    async def step(self, waits: float = 0.0) -> Applied:
        """Fetch what is new and keep it. ``waits``: seconds to wait for news when there is none.

        Raises Unreachable, TokenRefused, ServerRefused, or NotKept (the same news will be fetched again).
        """
        async with self._one_at_a_time:
            try:
                answer, anew = await self._ask(waits)
                batch = read_batch(answer, self._session.login.user_id)
                if batch is None:
                    raise Unreachable("The homeserver's answer makes no sense. Lobby tries again.")
            except TokenRefused:
                self._on_connection(Connection.SIGNED_OUT)
                raise
            except LobbyError:
                self._on_connection(Connection.OFFLINE)
                raise
            if self._ended:
                raise Unreachable(ENDED)
            try:
                # Keys first: with the token that is kept next, the homeserver forgets them.
                await self._keys.receive(read_key_news(answer, anew))
                self._keys.hear(sent_in_clear(answer))
                batch = open_batch(batch, self._keys.open)
                if self._ended:
                    raise Unreachable(ENDED)
                applied = self._store.apply(batch, self._session.login.user_id, self._clock(), anew)
            except LobbyError as error:
                self._on_connection(Connection.ONLINE)
                self._on_trouble(f"New messages wait at the homeserver. {error}")
                raise
            self._on_trouble("")
            self._on_connection(Connection.ONLINE)
            self._on_applied(applied)
            return applied

    async def run(self) -> None:
        """Fetch news as it comes, until cancelled or signed out; failures are waited out, longer each time."""
        failures = 0
        waits = 0.0
        while True:
            try:
                await self.step(waits)
                failures, waits = 0, LONG_POLL
            except TokenRefused:
                return
            except (Unreachable, NotKept) as error:
                log.info("sync: %s", error)
                await self._pause(failures, getattr(error, "retry_after", 0.0))
                failures, waits = failures + 1, 0.0
            except LobbyError as error:
                log.warning("sync: %s", error)
                await self._pause(10, 0.0)
                waits = 0.0

    def end(self) -> None:
        """The login ends: what is on its way for it may not be kept any more."""
        self._ended = True

    def hurry(self) -> None:
        """Something suggests that the homeserver can be reached: do not wait for the next attempt."""
        self._hurry.set()

    async def _ask(self, waits: float) -> tuple[Json, bool]:
        """The news since the last step, or (True) all there is, where the homeserver has forgotten that place."""
        try:
            return await self._session.sync(self._store.token(), waits), False
        except PlaceForgotten as error:
            log.warning("The homeserver does not know what Lobby has fetched already; it begins anew. %s", error)
            return await self._session.sync("", AT_ONCE), True

    async def _pause(self, failures: int, retry_after: float) -> None:
        self._hurry.clear()
        wait = max(min(FIRST_RETRY * 2.0 ** min(failures, 10), LONGEST_RETRY), retry_after)
        try:
            async with asyncio.timeout(wait):
                await self._hurry.wait()
        except TimeoutError:
            return
