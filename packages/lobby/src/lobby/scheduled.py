"""What Lobby does when nobody waits for it: fresh chats before the person looks, upkeep while the computer is not used.

When exactly is the desk's to decide (contract S08, S09, S14). Both ask for their next time by themselves, unless nobody
is logged in: then nothing launches Lobby until somebody is.
"""

import logging
from collections.abc import Callable
from typing import Protocol

from lobby.errors import LobbyError
from lobby.upkeep import Databases, look_after

REFRESH = "org.frontdesk.Lobby.refresh"
UPKEEP = "org.frontdesk.Lobby.upkeep"
"""What the desk calls them; declared in Lobby's manifest."""

REFRESH_AGAIN = 900.0
"""Seconds after a refresh before which another one is of no use; the desk knows when the person usually looks."""

FIRST_UPKEEP = 3600.0
"""Seconds after the first start before there can be anything to do."""

UPKEEP_AGAIN = 86400.0
"""Seconds from one upkeep to the next."""

log = logging.getLogger("lobby")


class Schedule(Protocol):
    """Where both ask for their time. What is refused is raised as LobbyError.

    ``earliest``: seconds since 1970. ``keep``: one that is asked for already stays as it is.
    """

    async def want_refresh(self, earliest: float, keep: bool) -> None: ...

    async def want_upkeep(self, earliest: float, keep: bool) -> None: ...


class Chats(Databases, Protocol):
    """The accounts, as far as they are refreshed and looked after."""

    async def catch_up(self) -> None:
        """Fetch what is new for each of them, once. Raises LobbyError: for one of them at least it failed."""


class Scheduled:
    """Use: ``ask()`` at every occasion once there is a desk, which then calls ``refresh`` and ``upkeep``.

    ``clock``: seconds since 1970.
    """

    def __init__(self, schedule: Schedule, chats: Chats, clock: Callable[[], float]) -> None:
        self._schedule = schedule
        self._chats = chats
        self._clock = clock

    async def ask(self) -> None:
        """Ask for both, at each start, look and login; what is asked for already is not put off by it."""
        if not self._chats.numbers():
            return
        try:
            await self._schedule.want_refresh(self._clock() + REFRESH_AGAIN, keep=True)
            await self._schedule.want_upkeep(self._clock() + FIRST_UPKEEP, keep=True)
        except LobbyError as error:
            log.warning("Chats are fetched when Lobby is opened, not before; there is no upkeep yet. %s", error)

    async def refresh(self) -> None:
        """Have chats fresh before the person looks. Raises LobbyError; there will be a next time all the same."""
        if self._chats.numbers():
            await self._schedule.want_refresh(self._clock() + REFRESH_AGAIN, keep=False)
        await self._chats.catch_up()

    async def upkeep(self) -> None:
        """Look after index and files. Raises LobbyError: the desk is to try this one again."""
        await look_after(self._chats)
        if self._chats.numbers():
            await self._schedule.want_upkeep(self._clock() + UPKEEP_AGAIN, keep=False)
