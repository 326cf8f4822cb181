"""Pushes: what one may do, where senders push to, what an app answers."""

import enum

import msgspec


class PushKind(enum.StrEnum):
    """What a push of a subscription may do; a property of the subscription that no sender can raise (P01)."""

    ALERT = "alert"
    """Shown by the desk without waking the app."""
    CHANGEABLE_ALERT = "changeable_alert"
    """First given to the app, which says what to show; fallback when it does not (P02)."""


class Verdict(enum.StrEnum):
    """An app's answer to a changeable alert (P02)."""

    SHOW_THIS = "show_this"
    SHOW_AS_IT_IS = "show_as_it_is"
    SHOW_NOTHING = "show_nothing"


class Subscription(msgspec.Struct, frozen=True):
    """Where senders push to (RFC 8030 push resource, RFC 8291 keys).

    ``p256dh`` (65 bytes, uncompressed P-256 point) and ``auth`` (16 bytes) are base64url without padding, as
    browsers give them. ``name`` is the app's own word for it, unique in the app.
    """

    name: str
    kind: PushKind
    endpoint: str
    p256dh: str
    auth: str


class SubscriptionStatus(msgspec.Struct, frozen=True):
    """A subscription of an app as the desk sees it; its endpoint and keys stay with the app."""

    name: str
    kind: PushKind
    registered: bool
    """The push service has given it an endpoint."""
