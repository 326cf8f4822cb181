"""RFC 8030: what a sender posts to an endpoint, checked; and the answers, as values.

Refusals carry the error numbers that Mozilla's push service uses, so that senders written for it understand ours.
"""

import enum
import re
from collections.abc import Mapping

import msgspec

from frontdesk.wire import webpush

MOST_TTL = 30 * 24 * 3600
"""Seconds a message may wait; a sender who asks for more is told this value in the answer (RFC 8030 §5.2)."""

HEADERS = ("TTL", "Urgency", "Topic", "Content-Encoding")
"""What a sender says about its message; all the rest is of no interest here."""

_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")
_SECONDS = re.compile(r"[0-9]{1,18}")


class Urgency(enum.StrEnum):
    """How much a message may ask of a device (RFC 8030 §5.3, contract P10)."""

    VERY_LOW = "very-low"
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class Push(msgspec.Struct, frozen=True):
    """A push message as accepted from a sender."""

    ttl: int
    """Seconds it may wait, at most MOST_TTL; 0 = now or never (contract P08)."""
    body: bytes = b""
    """Encrypted with RFC 8291, or empty."""
    urgency: Urgency = Urgency.NORMAL
    topic: str | None = None
    """A newer message with the same topic replaces one that still waits (RFC 8030 §5.4)."""


class Accepted(msgspec.Struct, frozen=True):
    """201: the message is durable, or its TTL is 0. ``ttl`` is what was granted."""

    message_id: str
    ttl: int


class Problem(msgspec.Struct, frozen=True):
    """A refusal: nothing was kept of the message."""

    status: int
    errno: int
    error: str
    message: str
    retry_after: int | None = None
    """Seconds after which to try again; None when trying again is of no use."""

    def body(self) -> bytes:
        """The JSON that goes with it."""
        return msgspec.json.encode(
            {
                "code": self.status,
                "errno": self.errno,
                "error": self.error,
                "message": self.message,
                "more_info": "https://www.rfc-editor.org/rfc/rfc8030",
            }
        )


UNKNOWN_ENDPOINT = Problem(404, 102, "Not Found", "There is no such endpoint. Do not use it again.")
GONE = Problem(410, 106, "Gone", "This subscription has ended. Do not use its endpoint again.")
TOO_LARGE = Problem(
    413, 104, "Payload Too Large", f"A message has at most {webpush.MOST_BODY} bytes. Nothing was kept; send less."
)
TOO_SLOW = Problem(408, 110, "Request Timeout", "The body did not come in time. Nothing was kept; send it again.")
BROKEN_OFF = Problem(400, 110, "Bad Request", "The body broke off. Nothing was kept; send it again.")
NO_TTL = Problem(400, 111, "Bad Request", "The TTL header is missing. Nothing was kept; say how many seconds to wait.")
BAD_TTL = Problem(400, 114, "Bad Request", "TTL is not a whole number of seconds from 0 on. Nothing was kept.")
BAD_TOPIC = Problem(400, 113, "Bad Request", "Topic is not 1 to 32 characters of base64url. Nothing was kept.")
BAD_ENCODING = Problem(
    400, 110, "Bad Request", "A body needs Content-Encoding aes128gcm (RFC 8291). Nothing was kept; encrypt it."
)
BAD_URGENCY = Problem(
    400, 1001, "Bad Request", "Urgency is one of very-low, low, normal, high. Nothing was kept."
)  # Mozilla's service ignores Urgency and has no number for it; this one is ours.
MAILBOX_FULL = Problem(
    503, 202, "Service Unavailable", "Too many messages wait for this device. Nothing was kept; try later.", 300
)
STORE_UNAVAILABLE = Problem(
    503, 201, "Service Unavailable", "The push service cannot write to its disk. Nothing was kept; try later.", 60
)


def parse_push(headers: Mapping[str, str], body: bytes) -> Push | Problem:
    """A sender's POST as a value, or why it is refused. ``headers`` has the names as they are in HEADERS."""
    ttl = headers.get("TTL")
    if ttl is None:
        return NO_TTL
    if not _SECONDS.fullmatch(ttl.strip()):
        return BAD_TTL
    if len(body) > webpush.MOST_BODY:
        return TOO_LARGE
    if body and headers.get("Content-Encoding", "").strip().lower() != "aes128gcm":
        return BAD_ENCODING
    topic = headers.get("Topic")
    if topic is not None and not _TOPIC.fullmatch(topic):
        return BAD_TOPIC
    try:
        urgency = Urgency(headers.get("Urgency", Urgency.NORMAL).strip().lower())
    except ValueError:
        return BAD_URGENCY
    return Push(ttl=min(int(ttl), MOST_TTL), body=body, urgency=urgency, topic=topic)


def push_headers(push: Push) -> dict[str, str]:
    """The headers with which to send ``push`` to an endpoint."""
    headers = {"TTL": str(push.ttl), "Urgency": push.urgency.value}
    if push.body:
        headers |= {"Content-Encoding": "aes128gcm", "Content-Type": "application/octet-stream"}
    if push.topic is not None:
        headers["Topic"] = push.topic
    return headers
