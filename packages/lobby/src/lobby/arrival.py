"""Getting to know what a push is about, and whether the person still has to be told of it."""

import asyncio
from collections.abc import Callable

from lobby.core.alerts import Alert, Pushed, invitation_alert, message_alert
from lobby.core.timeline import KeptEvent, person_name
from lobby.matrix_messenger import MatrixMessenger

ON_ITS_WAY = 5.0
"""Seconds within which a running long poll surely brings what was pushed."""

READ_MOMENT = 1.0
"""Seconds a visible page gets to show a message before it is worth a notification."""


async def alert_for(messenger: MatrixMessenger, pushed: Pushed, page_visible: bool) -> Alert | None:
    """What to tell the person; None: nothing (own message, read already, invitation answered, nothing we may see).

    Raises LobbyError when the homeserver cannot be asked.
    """
    event = await _learn(messenger, pushed)
    if event is None:
        asked = [invitation for invitation in messenger.invitations() if invitation.room_id == pushed.room_id]
        return invitation_alert(asked[0]) if asked else None
    chat = messenger.chat(event.room_id)
    if chat is None or not messenger.reading.is_unread(event):
        return None
    if page_visible and await _until(messenger, lambda: not messenger.reading.is_unread(event), READ_MOMENT):
        return None
    return message_alert(chat, person_name(event.sender, messenger.reading.names(event.room_id)), event.text)


async def _learn(messenger: MatrixMessenger, pushed: Pushed) -> KeptEvent | None:
    """The event; None: there is none for this person. Asks the homeserver only for what is not on its way already."""

    def heard() -> bool:
        invited = any(invitation.room_id == pushed.room_id for invitation in messenger.invitations())
        return invited or messenger.reading.event(pushed.event_id) is not None

    if messenger.watching:
        await _until(messenger, heard, ON_ITS_WAY)
    else:
        await messenger.fetch()
    return messenger.reading.event(pushed.event_id) or await messenger.distant_event(pushed.room_id, pushed.event_id)


async def _until(messenger: MatrixMessenger, holds: Callable[[], bool], patience: float) -> bool:
    """Whether ``holds`` becomes true within ``patience`` seconds; asked again at every change."""
    changed = asyncio.Event()
    unsubscribe = messenger.subscribe(lambda change: changed.set())
    try:
        async with asyncio.timeout(patience):
            while not holds():
                await changed.wait()
                changed.clear()
        return True
    except TimeoutError:
        return False
    finally:
        unsubscribe()
