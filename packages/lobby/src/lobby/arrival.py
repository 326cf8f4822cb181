"""Getting to know what a push is about, and whether the person still has to be told of it."""

import asyncio
import logging
from collections.abc import Callable, Iterable

from lobby.core.alerts import Alert, Pushed, invitation_alert, message_alert
from lobby.core.event import CANNOT_READ, Kind
from lobby.core.timeline import KeptEvent, person_name
from lobby.errors import LobbyError
from lobby.matrix_messenger import MatrixMessenger

ON_ITS_WAY = 5.0
"""Seconds within which a running long poll surely brings what was pushed."""

READ_MOMENT = 1.0
"""Seconds a visible page gets to show a message before it is worth a notification."""


KEY_TIME = 6.0
"""Seconds that the key of an encrypted message gets to come after it, before the person is told without its words."""

KEY_POLL = 2.0
"""Seconds of one question for more news meanwhile."""

log = logging.getLogger("lobby")

NO_KEY = "Encrypted message: its key has not come yet. It is shown when it does."


class Arrivals:
    """Finds out what pushes to one account are about; what many of them ask for is asked of the homeserver once."""

    def __init__(self, messenger: MatrixMessenger) -> None:
        self._messenger = messenger
        self._one_fetch_at_a_time = asyncio.Lock()

    async def alert_for(self, pushed: Pushed, page_visible: bool) -> Alert | None:
        """What to tell of the push's chat as it is now: its newest message, and how many there are.

        None: nothing (own message, read already, invitation answered, nothing we may see). Raises LobbyError when the
        homeserver cannot be asked.
        """
        messenger = self._messenger
        await self._hear_of(pushed)
        event = messenger.reading.event(pushed.event_id)
        chat = messenger.chat(pushed.room_id)
        if chat is None:
            asked = [invitation for invitation in messenger.invitations() if invitation.room_id == pushed.room_id]
            return invitation_alert(asked[0]) if asked else None
        if not chat.unread or (event is not None and not messenger.reading.is_unread(event)):
            return None
        newest = messenger.reading.newest_unread(pushed.room_id)
        if newest is None:
            newest = await messenger.distant_event(pushed.room_id, pushed.event_id)
        if newest is None or not messenger.reading.is_unread(newest):
            return None
        if page_visible and await _until(messenger, lambda: not messenger.reading.is_unread(newest), READ_MOMENT):
            return None
        event = await self._with_words(newest)
        # It may turn out to be no message, but a part of a verification, say.
        return self._alert_of(event) if messenger.reading.is_unread(event) else None

    async def more(self) -> list[Alert]:
        """Alerts of what the homeserver has not pushed, though it counts it as unread. Raises LobbyError.

        Chats that the person has muted are not among them: the homeserver counts nothing there. None while news is
        fetched as it comes.
        """
        messenger = self._messenger
        if messenger.watching:
            return []
        changed: dict[str, None] = {}
        unsubscribe = messenger.subscribe(lambda change: changed.update({change.room_id or "": None}))
        try:
            async with self._one_fetch_at_a_time:
                await messenger.fetch()
        finally:
            unsubscribe()
        newest = [messenger.reading.newest_unread(room_id) for room_id in changed if messenger.reading.counted(room_id)]
        alerts = [self._alert_of(event) for event in newest if event is not None]
        return [alert for alert in alerts if alert is not None]

    def reworded(self, events: Iterable[KeptEvent]) -> list[Alert]:
        """Alerts of the chats whose newest unread message is among these, which could not be read until now."""
        reading = self._messenger.reading
        alerts = [self._alert_of(event) for event in events if event == reading.newest_unread(event.room_id)]
        return [alert for alert in alerts if alert is not None]

    def _alert_of(self, event: KeptEvent) -> Alert | None:
        chat = self._messenger.chat(event.room_id)
        sender = person_name(event.sender, self._messenger.reading.names(event.room_id))
        text = NO_KEY if _waits(event) else event.text
        return message_alert(chat, sender, text, event.event_id) if chat is not None else None

    async def _with_words(self, event: KeptEvent) -> KeptEvent:
        """The event when it can be read, or as it was when its key does not come in time."""
        reading, messenger = self._messenger.reading, self._messenger

        def now() -> KeptEvent:
            return reading.event(event.event_id) or event

        async def keep_asking() -> None:
            while _waits(now()):
                async with self._one_fetch_at_a_time:
                    if _waits(now()):
                        await messenger.fetch(KEY_POLL)

        if not _waits(now()):
            return now()
        if messenger.watching:
            await _until(messenger, lambda: not _waits(now()), KEY_TIME)
            return now()
        try:
            async with asyncio.timeout(KEY_TIME):
                await keep_asking()
        except (TimeoutError, LobbyError) as error:
            log.info("The key of a message has not come: %s", error)
        return now()

    async def _hear_of(self, pushed: Pushed) -> None:
        """Fetches what is new, unless the push's event is here already, or surely on its way."""
        messenger = self._messenger

        def heard() -> bool:
            invited = any(invitation.room_id == pushed.room_id for invitation in messenger.invitations())
            return invited or messenger.reading.event(pushed.event_id) is not None

        if messenger.watching:
            await _until(messenger, heard, ON_ITS_WAY)
            return
        async with self._one_fetch_at_a_time:
            if messenger.reading.event(pushed.event_id) is None:
                await messenger.fetch()


def _waits(event: KeptEvent) -> bool:
    """Whether its key may be on its way: nobody has said that it does not come."""
    return event.kind is Kind.SEALED and event.text == CANNOT_READ


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
