"""Read receipts on their way to the homeserver: kept until it has heard, since Lobby may sleep or end before."""

import asyncio
import logging

from lobby.errors import ServerRefused, TokenRefused
from lobby.matrix.session import Session
from lobby.store import Store

log = logging.getLogger("lobby")


class Receipts:
    """What the person has read and the homeserver does not know."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._one_at_a_time = asyncio.Lock()

    @property
    def owed(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self._store.untold()) and not self._one_at_a_time.locked()

    async def tell(self, session: Session) -> None:
        """Tell all. Raises LobbyError; what was not told is told the next time."""
        async with self._one_at_a_time:
            while untold := self._store.untold():
                for room_id, event_id in untold.items():
                    try:
                        await session.tell_read(room_id, event_id)
                    except TokenRefused:
                        raise
                    except ServerRefused as error:
                        # The chat was left, or its homeserver has lost the message: it will say so every time.
                        log.info("a read receipt is given up: %s", error)
                    self._store.told(room_id, event_id)
