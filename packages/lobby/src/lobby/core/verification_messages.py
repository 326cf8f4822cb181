"""The messages of a verification, read and written (Matrix client-server API, "Key verification framework")."""

from dataclasses import dataclass
from typing import Any

from lobby.core import sas
from lobby.core.batch import Json
from lobby.core.sas import Party
from lobby.core.verification_ends import REASONS, STRANGE

PREFIX = "m.key.verification."
REQUEST, READY, START, ACCEPT = PREFIX + "request", PREFIX + "ready", PREFIX + "start", PREFIX + "accept"
KEY, MAC, DONE, CANCEL = PREFIX + "key", PREFIX + "mac", PREFIX + "done", PREFIX + "cancel"

LASTS = 600.0
"""Seconds from the request on ("Key verification framework": ten minutes)."""
AHEAD = 300.0
"""Seconds that the other end's clock may be ahead of ours for its request to be taken (the same place)."""


@dataclass(frozen=True)
class Request:
    """Somebody's request, read."""

    id: str
    sender: Party
    room_id: str
    methods: tuple[str, ...]
    at: float


def read_request(content: Any, id: object, sender: str, room_id: str, at: object, now: float) -> Request | None:
    """A request. ``id``: the transaction, or the event in a room; ``at``: milliseconds since 1970, as its sender says.

    None: it is none, or its time is over or too far ahead.
    """
    if not isinstance(content, dict) or not isinstance(at, int | float):
        return None
    device_id, methods = content.get("from_device"), content.get("methods")
    if not is_id(id) or not is_id(device_id) or not isinstance(methods, list):
        return None
    if not now - LASTS < at / 1000 <= now + AHEAD:
        return None
    known = tuple(method for method in methods if isinstance(method, str))
    return Request(str(id), Party(sender, str(device_id)), room_id, known, at / 1000)


def is_event(event: object) -> bool:
    """Whether an event of a room, in clear, belongs to a verification."""
    if not isinstance(event, dict) or not isinstance(event.get("content"), dict):
        return False
    kind = event.get("type")
    asks = kind == "m.room.message" and event["content"].get("msgtype") == REQUEST
    return asks or (isinstance(kind, str) and kind.startswith(PREFIX))


def sent_in_clear(answer: object) -> list[tuple[str, Json]]:
    """(room, event) of what an answer to /sync brings of verifications unencrypted: some clients send it so anywhere.

    Nothing is lost by that: what the two ends show and sign does not depend on who can read it.
    """
    found = []
    rooms = answer.get("rooms") if isinstance(answer, dict) else None
    joined = rooms.get("join") if isinstance(rooms, dict) else None
    for room_id, room in joined.items() if isinstance(joined, dict) else ():
        timeline = room.get("timeline") if isinstance(room, dict) else None
        events = timeline.get("events") if isinstance(timeline, dict) else None
        found += (
            [(str(room_id), event) for event in events or () if is_event(event)] if isinstance(events, list) else []
        )
    return found


def is_id(value: object) -> bool:
    """Whether it may name a device or a transaction."""
    return isinstance(value, str) and 0 < len(value) <= 255 and value.isprintable()


def request_content(device_id: str, now: float) -> Json:
    """``now``: seconds since 1970."""
    return {**ready_content(device_id), "timestamp": int(now * 1000)}


def ready_content(device_id: str) -> Json:
    return {"from_device": device_id, "methods": [sas.METHOD]}


def start_content(device_id: str) -> Json:
    return {
        "from_device": device_id,
        "method": sas.METHOD,
        "key_agreement_protocols": [sas.AGREEMENT],
        "hashes": [sas.HASH],
        "message_authentication_codes": [sas.MAC],
        "short_authentication_string": [sas.SHOWN],
    }


def is_acceptable(start: Json) -> bool:
    """Whether a start offers what we understand."""
    offered = start_content("")
    lists = [name for name, wanted in offered.items() if isinstance(wanted, list)]
    return start.get("method") == sas.METHOD and all(_has(start, name, offered[name][0]) for name in lists)


def accept_content(commitment: str) -> Json:
    return {
        "method": sas.METHOD,
        "key_agreement_protocol": sas.AGREEMENT,
        "hash": sas.HASH,
        "message_authentication_code": sas.MAC,
        "short_authentication_string": [sas.SHOWN],
        "commitment": commitment,
    }


def is_agreed(accept: Json) -> bool:
    """Whether an accept chooses among what we offered."""
    chosen = ("key_agreement_protocol", "hash", "message_authentication_code")
    same = tuple(accept.get(name) for name in chosen) == (sas.AGREEMENT, sas.HASH, sas.MAC)
    return same and _has(accept, "short_authentication_string", sas.SHOWN)


def cancel_content(code: str) -> Json:
    """``reason`` is for people who read logs: clients show words of their own for ``code``."""
    return {"code": code, "reason": REASONS.get(code, STRANGE)}


def _has(content: Json, name: str, wanted: str) -> bool:
    listed = content.get(name)
    return isinstance(listed, list) and wanted in listed
