"""One event of a timeline, checked and reduced to what Lobby keeps; and an encrypted one as it is when it is opened.

Homeservers, and through them strangers, write this JSON: whatever is not of the expected shape is left out, and
nothing raises. Sources: Matrix client-server API v1.15 §6 (events), "Event replacements", "m.room.encrypted".
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from lobby.errors import KeyWithheld, Sealed

Json = dict[str, Any]

TEXT_MOST = 20_000
"""Characters of one message that Lobby keeps; an event is 65,536 bytes at most, a name or reason far less."""

CANNOT_READ = "This message cannot be read yet: its key has not come."
"""Stands for an encrypted message until it is opened."""

Opener = Callable[[str, Json], Json]
"""From room id and encrypted event to the event in clear; raises Sealed."""


class Kind(enum.StrEnum):
    """How an event is shown."""

    MESSAGE = "message"
    SEALED = "sealed"
    """An encrypted message that could not be opened (yet); it counts as a message."""
    NOTICE = "notice"
    """A line about the chat (``text`` is written by ``timeline``): somebody joined or left."""
    HIDDEN = "hidden"
    """Kept only so that receipts and pages that name it can be placed."""


@dataclass(frozen=True)
class Happened:
    """One event of a timeline."""

    event_id: str
    sender: str
    at: float
    kind: Kind
    text: str = ""
    txn: str = ""
    """The transaction id, when this device sent it."""
    replaces: str = ""
    """The event whose text this one corrects (an edit), or takes away (a redaction, with empty ``text``)."""
    about: str = ""
    """Of a notice: whose membership changed."""
    sealed: Json | None = None
    """The encrypted event itself, while it is not opened and a key may still come."""


def read_event(event: object) -> Happened | None:
    """Read one event of a timeline; None: it is none."""
    source = as_mapping(event)
    event_id, sender, kind = (as_text(source.get(key)) for key in ("event_id", "sender", "type"))
    if not event_id or not sender:
        return None
    content = as_mapping(source.get("content"))
    unsigned = as_mapping(source.get("unsigned"))
    at = as_number(source.get("origin_server_ts")) / 1000.0
    txn = as_text(unsigned.get("transaction_id"))
    if kind == "m.room.redaction":
        redacts = as_text(source.get("redacts")) or as_text(content.get("redacts"))
        return Happened(event_id, sender, at, Kind.HIDDEN, replaces=redacts)
    if kind == "m.room.member":
        return _membership_line(event_id, sender, at, source, content)
    if "state_key" in source or kind not in ("m.room.message", "m.room.encrypted", "m.sticker"):
        return Happened(event_id, sender, at, Kind.HIDDEN, txn=txn)
    relation = as_mapping(content.get("m.relates_to"))
    if kind == "m.room.encrypted" and content:
        edit = relation.get("rel_type") == "m.replace"
        shown, text = (Kind.HIDDEN, "") if edit else (Kind.SEALED, CANNOT_READ)
        return Happened(event_id, sender, at, shown, text, txn, sealed=_ciphertext(source))
    if content.get("msgtype") == "m.key.verification.request":
        return Happened(event_id, sender, at, Kind.NOTICE, "asked for a verification", txn, about=sender)
    if relation.get("rel_type") == "m.replace":
        corrected = message_text(as_mapping(content.get("m.new_content")))
        replaces = as_text(relation.get("event_id")) if corrected else ""
        return Happened(event_id, sender, at, Kind.HIDDEN, corrected, txn, replaces)
    if not content:
        return Happened(event_id, sender, at, Kind.MESSAGE, "Message deleted", txn)
    return Happened(event_id, sender, at, Kind.MESSAGE, _edited(unsigned, sender) or message_text(content), txn)


def opened(event: Happened, room_id: str, open: Opener) -> Happened:
    """An event as it is when it is opened; as it was, while its key may still come, but with the reason where one is
    known."""
    if event.sealed is None:
        return event
    try:
        clear = open(room_id, event.sealed)
    except Sealed as why:
        shown = str(why) if event.kind is Kind.SEALED else ""
        if not why.session_id:
            return replace(event, text=shown, sealed=None)
        return replace(event, text=shown) if isinstance(why, KeyWithheld) else event
    return read_event(_with_edit_opened(clear, room_id, open)) or event


def session_of(sealed: Json) -> str:
    """The session whose key opens an encrypted event; empty: it names none."""
    return as_text(as_mapping(sealed.get("content")).get("session_id"))


def text_message(text: str) -> Json:
    """The content of an m.room.message that says ``text`` and mentions nobody."""
    return {"msgtype": "m.text", "body": text, "m.mentions": {}}


def message_text(content: Json) -> str:
    """The content of an m.room.message as plain text (Matrix client-server API §11.2.1)."""
    body = as_text(content.get("body"))[:TEXT_MOST]
    match content.get("msgtype"):
        case "m.image":
            return f"Picture: {body}" if body else "Picture"
        case "m.video":
            return f"Video: {body}" if body else "Video"
        case "m.audio":
            return f"Audio: {body}" if body else "Audio"
        case "m.file":
            return f"File: {body}" if body else "File"
        case "m.location":
            return f"Place: {body}" if body else "Place"
        case "m.emote":
            return f"* {body}"
        case _:
            return body


def _ciphertext(source: Json) -> Json:
    """What it takes to open an encrypted event later, and nothing else that somebody may have written into it."""
    content, unsigned = as_mapping(source.get("content")), as_mapping(source.get("unsigned"))
    relation = as_mapping(content.get("m.relates_to"))
    edit = as_mapping(as_mapping(unsigned.get("m.relations")).get("m.replace"))
    kept: Json = {
        **_texts(source, "event_id", "sender", "type"),
        "origin_server_ts": as_number(source.get("origin_server_ts")),
        "content": _texts(content, "algorithm", "ciphertext", "session_id"),
        "unsigned": _texts(unsigned, "transaction_id"),
    }
    if relation:
        kept["content"]["m.relates_to"] = _texts(relation, "rel_type", "event_id")
    if edit.get("type") == "m.room.encrypted":
        kept["unsigned"]["m.relations"] = {"m.replace": _ciphertext({**edit, "unsigned": {}})}
    return kept


def _texts(source: Json, *keys: str) -> Json:
    return {key: as_text(source.get(key)) for key in keys if as_text(source.get(key))}


def _with_edit_opened(clear: Json, room_id: str, open: Opener) -> Json:
    """The last edit of an event comes along with it, encrypted as well."""
    unsigned = as_mapping(clear.get("unsigned"))
    relations = as_mapping(unsigned.get("m.relations"))
    edit = as_mapping(relations.get("m.replace"))
    if edit.get("type") != "m.room.encrypted":
        return clear
    try:
        relations = {**relations, "m.replace": open(room_id, edit)}
    except Sealed:
        return clear
    return {**clear, "unsigned": {**unsigned, "m.relations": relations}}


def _edited(unsigned: Json, sender: str) -> str:
    """The text of the last edit, which comes along with the message itself (Matrix client-server API, "Event
    replacements"); empty: it was not edited."""
    edit = as_mapping(as_mapping(unsigned.get("m.relations")).get("m.replace"))
    new = as_mapping(as_mapping(edit.get("content")).get("m.new_content"))
    return message_text(new) if new and edit.get("sender") == sender else ""


def _membership_line(event_id: str, sender: str, at: float, source: Json, content: Json) -> Happened:
    now = as_text(content.get("membership"))
    before = as_text(as_mapping(as_mapping(source.get("unsigned")).get("prev_content")).get("membership"))
    whom = as_text(source.get("state_key"))
    words = {
        "join": "joined" if before != "join" else "",
        "invite": "was invited",
        "leave": "left" if whom == sender else "was removed",
        "ban": "was banned",
    }.get(now, "")
    if not words or not whom:
        return Happened(event_id, sender, at, Kind.HIDDEN)
    return Happened(event_id, sender, at, Kind.NOTICE, words, about=whom)


def as_mapping(value: object) -> Json:
    """An object; empty where it is none."""
    return value if isinstance(value, dict) else {}


def as_text(value: object) -> str:
    """A string SQLite and HTML can take: lone surrogates, which JSON can spell, become question marks."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else ""


def as_number(value: object) -> float:
    """Milliseconds as JSON may give them; what no clock can show counts as 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(value) if 0 <= value < 1e14 else 0.0
