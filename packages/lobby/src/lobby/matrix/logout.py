"""Ending a login at the homeserver; the person wants to be gone, with or without its answer, so the wait is short."""

import asyncio
import logging

from lobby.errors import LobbyError, NotKept, TokenRefused
from lobby.home import Login
from lobby.matrix.pusher import remove_pusher
from lobby.matrix.session import Session
from lobby.store import Store

LOGOUT_PATIENCE = 5.0
"""Seconds the homeserver gets to hear of a log-out; local data goes in any case."""

log = logging.getLogger("lobby")


async def log_out_there(session: Session, store: Store) -> bool:
    """End the person's login and its pusher. Returns whether the homeserver heard of it."""
    try:
        async with asyncio.timeout(LOGOUT_PATIENCE):
            try:
                await remove_pusher(session, store)
            except NotKept as error:
                log.info("The pusher is gone from the homeserver; here all goes next: %s", error)
            await session.log_out()
    except TokenRefused:
        return True
    except (LobbyError, TimeoutError) as error:
        log.info("The homeserver could not be told of the log-out: %s", error)
        return False
    return True


async def end_unused(login: Login) -> None:
    """End a login that nobody uses; nothing more can be done when the homeserver does not hear of it."""
    session = Session(login)
    try:
        async with asyncio.timeout(LOGOUT_PATIENCE):
            await session.log_out()
    except TokenRefused:
        return
    except (LobbyError, TimeoutError) as error:
        log.info("The homeserver keeps a login that nobody uses: %s", error)
    finally:
        await session.close()
