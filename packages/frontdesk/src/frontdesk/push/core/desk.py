"""One desk as the mailbox knows it: its channels, what waits for it, and what it has been sent but not acknowledged."""

from frontdesk.push.core.records import Message

MOST_WAITING = 1000
"""Messages that may wait for one desk; further senders are told to try later."""


class Desk:
    """One user agent (autopush's word), connected or not."""

    def __init__(self, uaid: str, seen: float) -> None:
        self.uaid = uaid
        self.seen = seen
        self.session: int | None = None
        self.channels: dict[str, str] = {}  # channel id → token
        self.waiting: dict[str, Message] = {}  # in order of acceptance
        self.sent: dict[str, Message] = {}  # sent on this connection, not acknowledged
        self.registering = 0  # channels of it that are being written
        self.arriving = 0  # messages for it that are being written
        self.fetching: tuple[str, ...] = ()  # of waiting: what this connection gets next, once its bodies are read

    @property
    def is_full(self) -> bool:
        """As many messages wait as may, those included that are on their way to the disk."""
        return len(self.waiting) + len(self.sent) + self.arriving >= MOST_WAITING

    def find_topic(self, token: str, topic: str) -> str | None:
        """The id of the message that a new one with this topic replaces."""
        for message in (*self.waiting.values(), *self.sent.values()):
            if message.token == token and message.topic == topic:
                return message.id
        return None

    def drop(self, message_id: str) -> bool:
        """Let go of a message; False when it was not here."""
        return self.waiting.pop(message_id, None) is not None or self.sent.pop(message_id, None) is not None
