"""Where the homeserver pushes to: what is wanted, what it was told, and why messages do not arrive when it was not."""

import asyncio
from collections.abc import Callable

from lobby.errors import LobbyError, Unreachable
from lobby.matrix.pusher import PushTarget, kept_target, remove_pusher, set_pusher
from lobby.matrix.session import Session
from lobby.store import Store

FIRST_RETRY = 1.0
LONGEST_RETRY = 15.0
"""Seconds between attempts. A changed target gets the time of one background task, half a minute (contract A03)."""


class Pushing:
    """The pusher of whoever is logged in: ``session`` is theirs, None while nobody is."""

    def __init__(self, store: Store, on_change: Callable[[], None]) -> None:
        self.session: Session | None = None
        self._store = store
        self._on_change = on_change
        self._target: PushTarget | None = None
        self._why_not = ""

    @property
    def reached(self) -> bool:
        """Whether the homeserver has been told where to push, the last place that was wanted."""
        return self._target is not None and kept_target(self._store) == self._target

    @property
    def why_not(self) -> str:
        """Why messages do not arrive with the window closed, sentences for the person; empty: they do, or soon will."""
        return "" if self.reached else self._why_not

    @property
    def owed(self) -> bool:
        """Whether the homeserver still has to hear of the place that is wanted."""
        return self.session is not None and self._target is not None and not self.reached

    def failed(self, why: str) -> None:
        """Pushes could not be arranged; ``why`` is shown until they are."""
        if why != self._why_not:
            self._why_not = why
            self._on_change()

    async def to(self, target: PushTarget | None) -> None:
        """Have the homeserver push to ``target``; None: nowhere.

        One that cannot be reached is asked again until it answers or this is cancelled; then ``settle`` goes on with it
        at the next contact. Raises LobbyError for what asking again does not help.
        """
        self._target = target
        if target is None:
            if self.session is not None:
                await remove_pusher(self.session, self._store)
            self._settled()
            return
        wait = FIRST_RETRY
        while self.owed and self._target == target:
            try:
                await self.settle()
            except Unreachable as error:
                await asyncio.sleep(max(wait, error.retry_after))
                wait = min(wait * 2.0, LONGEST_RETRY)

    async def settle(self, again: bool = False) -> None:
        """Tell the homeserver what it has not heard yet; ``again``: also what it has. Raises LobbyError."""
        session, target = self.session, self._target
        if session is None or target is None or not (again or self.owed):
            return
        try:
            await set_pusher(session, self._store, target)
        except LobbyError as error:
            self.failed(f"The homeserver could not be told where to push. {error}")
            raise
        self._settled()

    def _settled(self) -> None:
        self._why_not = ""
        self._on_change()
