"""The Matrix push gateway API: what a homeserver tells a gateway, and what becomes a push message.

Read with tolerance: homeservers add fields (Synapse: ``id``, ``membership``) and send null where others send nothing.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from frontdesk.errors import WireError
from frontdesk.terms import Refusal
from frontdesk.wire import webpush
from frontdesk.wire.rfc8030 import Urgency

PATH = "/_matrix/push/v1/notify"
"""Where a homeserver insists on finding a gateway."""

MOST_REQUEST = 512 * 1024
"""Bytes of one notify request."""

DISCOVERY = {"gateway": "matrix", "unifiedpush": {"gateway": "matrix"}}
"""The answer to GET: by it UnifiedPush apps recognise a gateway beside their endpoint."""

MESSAGE_TTL = 24 * 3600
CALL_TTL = 60
"""Seconds: a call that nobody answered for so long has ended (contract C05)."""

_MOST_ID = 255
"""Bytes of any Matrix identifier (Matrix specification, appendix on identifiers)."""

_MOST_TEXT = 1000
"""Characters of a message's text that are worth showing in a notification."""


class Device(msgspec.Struct, frozen=True):
    """One pusher of one person, as the client set it. ``data`` is the pusher's, without its url."""

    app_id: str
    pushkey: str
    data: dict[str, Any] = {}
    tweaks: dict[str, Any] = {}


class Notification(msgspec.Struct, frozen=True):
    """What a homeserver reports. Without ``event_id`` only the counts have changed (a badge)."""

    devices: tuple[Device, ...]
    fields: dict[str, Any] = {}
    """Everything but the devices, as it came."""
    event_id: str | None = None


class Target(msgspec.Struct, frozen=True):
    """Where a device's pushes go, and for whom they are encrypted."""

    endpoint: str
    p256dh: str
    auth: str


class Wishes(msgspec.Struct, frozen=True):
    """What the push service is asked to do with a message."""

    ttl: int
    urgency: Urgency
    topic: str | None = None


class _Request(msgspec.Struct, frozen=True):
    notification: dict[str, Any]


_REQUEST = msgspec.json.Decoder(_Request)


def parse_notify(body: bytes) -> Notification:
    """The notification in a request's body. Raises WireError unless there are devices with app_id and pushkey."""
    try:
        fields = _REQUEST.decode(body).notification
        devices = tuple(_device(entry) for entry in _list(fields.pop("devices", None)))
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise _bad(str(error)) from error
    if not devices:
        raise _bad("it names no devices")
    event_id = fields.get("event_id") or None
    for name, value in (("event_id", event_id), ("room_id", fields.get("room_id"))):
        if value is not None and (not isinstance(value, str) or len(value.encode("utf-8", "replace")) > _MOST_ID):
            raise _bad(f"{name} is not a text of at most {_MOST_ID} bytes")
    return Notification(devices=devices, fields=fields, event_id=event_id)


def reply(rejected: Iterable[str]) -> bytes:
    """The body of a 200: these pushkeys are dead, and the homeserver must forget them."""
    return msgspec.json.encode({"rejected": list(rejected)})


def target_of(device: Device) -> Target | None:
    """Where the device's pushes go; None when its data cannot be used, and so never will be.

    The public key stands in ``data.p256dh``, or is the pushkey itself (the shape other gateways use).
    """
    p256dh = device.data.get("p256dh") or device.pushkey
    endpoint, auth = device.data.get("endpoint"), device.data.get("auth")
    if not (isinstance(p256dh, str) and isinstance(endpoint, str) and isinstance(auth, str)):
        return None
    try:
        webpush.check_receiver(p256dh, auth)
    except WireError:
        return None
    return Target(endpoint=endpoint, p256dh=p256dh, auth=auth)


def wanted(notification: Notification, device: Device) -> bool:
    """False for a badge when the pusher's data says ``events_only``: its app counts for itself."""
    return notification.event_id is not None or device.data.get("events_only") is not True


def wishes(notification: Notification, device: Device) -> Wishes:
    """How long, how urgent, and what it replaces. The homeserver's ``prio`` is high unless it says low."""
    if notification.event_id is None:
        return Wishes(ttl=MESSAGE_TTL, urgency=Urgency.LOW, topic="badge")
    if device.tweaks.get("sound") == "ring" or notification.fields.get("type") == "m.call.invite":
        return Wishes(ttl=CALL_TTL, urgency=Urgency.HIGH)
    low = notification.fields.get("prio") == "low"
    return Wishes(ttl=MESSAGE_TTL, urgency=Urgency.LOW if low else Urgency.HIGH)


def payload(notification: Notification, device: Device) -> bytes:
    """The JSON for the app, one flat object; what does not fit into a push message is left out, content first."""
    if device.data.get("format") != "event_id_only":
        for fields in _shorter_and_shorter(notification):
            try:
                whole = msgspec.json.encode(fields)
            except (msgspec.MsgspecError, UnicodeError):  # a lone surrogate: JSON can escape what UTF-8 cannot hold
                continue
            if len(whole) <= webpush.MOST_PLAIN:
                return whole
    return smallest_payload(notification)


def smallest_payload(notification: Notification) -> bytes:
    """Only what tells the app to look: ids, priority and counts. Always fits."""
    fields = notification.fields
    small: dict[str, Any] = {
        name: fields[name] for name in ("event_id", "room_id") if isinstance(fields.get(name), str) and fields[name]
    }
    if fields.get("prio") in ("high", "low"):
        small["prio"] = fields["prio"]
    return msgspec.json.encode(small | _counts(fields))


def _shorter_and_shorter(notification: Notification) -> Iterable[dict[str, Any]]:
    fields = {
        name: notification.fields[name]
        for name in (
            "event_id",
            "room_id",
            "type",
            "sender",
            "sender_display_name",
            "room_name",
            "room_alias",
            "membership",
            "user_is_target",
            "prio",
        )
        if notification.fields.get(name) not in (None, "")
    } | _counts(notification.fields)
    content = notification.fields.get("content")
    if isinstance(content, dict):
        yield fields | {"content": content}
        short = {name: value for name, value in content.items() if name != "formatted_body"}
        if isinstance(short.get("body"), str):
            short["body"] = short["body"][:_MOST_TEXT]
        yield fields | {"content": short}
    yield fields


def _counts(fields: dict[str, Any]) -> dict[str, int]:
    counts = fields.get("counts")
    if not isinstance(counts, dict):
        return {}
    return {
        name: counts[name]
        for name in ("unread", "missed_calls")
        if isinstance(counts.get(name), int) and 0 <= counts[name] < 2**53
    }


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _bad("devices is not a list")
    return value


def _device(entry: Any) -> Device:
    if not isinstance(entry, dict):
        raise _bad("a device is not an object")
    app_id, pushkey = entry.get("app_id"), entry.get("pushkey")
    if not isinstance(app_id, str) or not isinstance(pushkey, str) or not pushkey:
        raise _bad("a device lacks app_id or pushkey")
    data, tweaks = entry.get("data"), entry.get("tweaks")
    return Device(
        app_id=app_id,
        pushkey=pushkey,
        data=data if isinstance(data, dict) else {},
        tweaks=tweaks if isinstance(tweaks, dict) else {},
    )


def _bad(why: str) -> WireError:
    return WireError(Refusal.BAD_REQUEST, f"This is not a push notification of a homeserver: {why}. Nothing was sent.")
