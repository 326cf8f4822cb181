"""What is unread, and what is still worth a notification: counted here, since servers count differently.

Only what others said counts; own messages and lines about the chat do not. Writing in a chat reads it.
"""

from collections.abc import Iterable

from lobby.core.event import Kind
from lobby.core.timeline import KeptEvent, KeptRoom


def counts(event: KeptEvent, me: str) -> bool:
    """Whether an event can be unread at all."""
    return event.kind in (Kind.MESSAGE, Kind.SEALED) and event.sender != me


def unread(room: KeptRoom, known: int, oldest_place: int | None) -> int:
    """How many messages of a chat are unread.

    ``known``: kept events after ``room.read_place`` that count. ``oldest_place``: that of the oldest kept event (None:
    nothing kept). When what was read lies before all that is kept, the homeserver's count may know of more.
    """
    gap = bool(room.before) and (oldest_place is None or room.read_place < oldest_place)
    return max(known, room.server_unread) if gap else known


def read_up_to(events: Iterable[KeptEvent], me: str, receipts: Iterable[str], read_place: int) -> int:
    """The new ``read_place``: never earlier than before; receipts of any device and own messages move it on."""
    seen = set(receipts)
    places = (event.place for event in events if event.event_id in seen or event.sender == me)
    return max([read_place, *places])


def worth_showing(event: KeptEvent, me: str, read_place: int) -> bool:
    """Whether a notification is due for an event somebody pushed to us: said by another, and not read anywhere yet."""
    return counts(event, me) and event.place > read_place
