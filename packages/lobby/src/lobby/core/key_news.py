"""What one answer of the homeserver says about keys, checked: messages between devices, whose devices have changed.

Source: Matrix client-server API v1.15, "Extensions to /sync" of to-device messaging and end-to-end encryption.
"""

from dataclasses import dataclass, field
from typing import Any, TypeGuard

Json = dict[str, Any]

ID_MOST = 400
"""Characters of an id (room, session, key, device) that is taken for one; real ones have 255 or fewer."""


@dataclass(frozen=True)
class ToDevice:
    """A message from one device to this one."""

    type: str
    sender: str
    content: Json
    sender_device: str = ""
    """Of an encrypted message: the device whose keys it was encrypted with; empty: we do not know that device."""
    encrypted: bool = False
    sender_key: str = ""
    """Of an encrypted message: the Curve25519 key it was encrypted with, unpadded base64."""


@dataclass(frozen=True)
class KeyNews:
    """All of it that one /sync tells."""

    messages: tuple[ToDevice, ...] = ()
    changed: frozenset[str] = field(default_factory=frozenset)
    """People whose devices are not what they were."""
    left: frozenset[str] = field(default_factory=frozenset)
    """People with whom no encrypted room is shared any more."""
    one_time_keys: int | None = None
    """How many of this device's the homeserver still has; None: not told."""
    fallback_used: bool = False
    """The homeserver has no unused fallback key of this device, although it knows of such keys."""
    anew: bool = False
    """It does not go on from the last one: whose devices have changed in between, nobody tells."""


def read_key_news(answer: object, anew: bool = False) -> KeyNews:
    """Read an answer to /sync; what is not of the expected shape is left out, and nothing raises."""
    sync = _mapping(answer)
    devices = _mapping(sync.get("device_lists"))
    events = _mapping(sync.get("to_device")).get("events")
    messages = [_message(event) for event in events] if isinstance(events, list) else []
    count = _mapping(sync.get("device_one_time_keys_count")).get("signed_curve25519")
    unused = sync.get("device_unused_fallback_key_types")
    return KeyNews(
        messages=tuple(message for message in messages if message is not None),
        changed=_people(devices.get("changed")),
        left=_people(devices.get("left")),
        one_time_keys=count if isinstance(count, int) and not isinstance(count, bool) and count >= 0 else None,
        fallback_used=isinstance(unused, list) and "signed_curve25519" not in unused,
        anew=anew,
    )


def is_id(value: object) -> TypeGuard[str]:
    """Whether it can be an id or a key of somebody's."""
    return _storable(value) and len(value) <= ID_MOST


def _message(event: object) -> ToDevice | None:
    source = _mapping(event)
    kind, sender, content = source.get("type"), source.get("sender"), source.get("content")
    if not _storable(kind) or not _storable(sender) or not isinstance(content, dict):
        return None
    return ToDevice(kind, sender, content)


def _people(listed: object) -> frozenset[str]:
    return frozenset(one for one in listed if _storable(one)) if isinstance(listed, list) else frozenset()


def _mapping(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _storable(value: object) -> TypeGuard[str]:
    """Whether it is a string SQLite can take: JSON can spell lone surrogates, which are in no Matrix id."""
    return isinstance(value, str) and bool(value) and value.isprintable()
