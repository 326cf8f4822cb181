"""What the mailbox wants done: the contract between the machine and ``push/loop.py``, which carries it out."""

import msgspec

from frontdesk.push.core.records import Change
from frontdesk.wire import autopush, rfc8030

NOBODY_WAITS = 0
"""The ticket of a write whose outcome no one asks for: should it fail, a message comes twice, and desks know that."""


class Write(msgspec.Struct, frozen=True):
    """Make all changes durable at once, then say so with ``stored(ticket)``, unless the ticket is NOBODY_WAITS."""

    ticket: int
    changes: tuple[Change, ...]


class Send(msgspec.Struct, frozen=True):
    """Send a frame on this connection."""

    session: int
    message: autopush.ServerMessage


class Close(msgspec.Struct, frozen=True):
    """End this connection; it counts as ended already."""

    session: int
    reason: str


class Fetch(msgspec.Struct, frozen=True):
    """Read the bodies of these messages, then call ``fetched(session, …)``, or ``not_fetched(session)``."""

    session: int
    ids: tuple[str, ...]


class Answer(msgspec.Struct, frozen=True):
    """The answer to the post that came with this message id."""

    message_id: str
    answer: rfc8030.Accepted | rfc8030.Problem


Effect = Write | Send | Close | Fetch | Answer
