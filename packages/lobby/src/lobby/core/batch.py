"""What one answer of the homeserver says, checked and reduced to what Lobby keeps.

Homeservers, and through them strangers, write this JSON: whatever is not of the expected shape is left out, and
nothing raises. Sources: Matrix client-server API v1.15 §6 (events), §9.4 (sync), §9.5 (messages), §11.2 (receipts).
"""

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from lobby.core.room_sessions import BY_DEFAULT, Rotation
from lobby.errors import KeyWithheld, Sealed

TEXT_MOST = 20_000
"""Characters of one message that Lobby keeps; an event is 65,536 bytes at most, a name or reason far less."""

EMPTY_PAGES = 20
"""Pages of history in a row that may bring nothing before Lobby stops asking for more; homeservers that filter or purge
events give such pages, and only one that names no next page is the last."""

CANNOT_READ = "This message cannot be read yet: its key has not come."
"""Stands for an encrypted message until it is opened."""

Json = dict[str, Any]

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


@dataclass(frozen=True)
class Member:
    """Somebody's standing in a room."""

    user_id: str
    membership: str
    """``join``, ``invite``, ``leave``, ``ban`` or ``knock``."""
    name: str = ""


@dataclass(frozen=True)
class RoomNews:
    """What is new in a joined room."""

    room_id: str
    timeline: tuple[Happened, ...] = ()
    limited: bool = False
    """Events before ``timeline`` were left out; ``before`` is where they can be fetched."""
    before: str = ""
    members: tuple[Member, ...] = ()
    name: str | None = None
    """The room's new name; None: not changed."""
    space: bool | None = None
    """It holds rooms, not messages (Matrix client-server API, "Spaces"); None: not told this time."""
    encrypted: bool | None = None
    """Messages in it must be encrypted; None: not told this time."""
    rotation: Rotation | None = None
    """How often it wants new sessions; None: not told this time."""
    visibility: str | None = None
    """Who may read what was said earlier (m.room.history_visibility); None: not told this time."""
    heroes: tuple[str, ...] | None = None
    joined: int | None = None
    invited: int | None = None
    unread: int | None = None
    """The homeserver's own count of unread messages."""
    read: tuple[str, ...] = ()
    """Events up to which this person has read, on any device."""


@dataclass(frozen=True)
class Invited:
    """Somebody asks this person to join."""

    room_id: str
    inviter: str
    inviter_name: str
    name: str
    direct: bool
    encrypted: bool = False
    members: tuple[Member, ...] = ()


@dataclass(frozen=True)
class Batch:
    """One answer to /sync."""

    token: str
    rooms: tuple[RoomNews, ...] = ()
    invited: tuple[Invited, ...] = ()
    left: tuple[str, ...] = ()
    direct: frozenset[str] | None = None
    """All rooms that are direct chats; None: not told this time."""


@dataclass(frozen=True)
class Page:
    """One answer to /messages, the newest event first; ``next`` is empty at the beginning of the room only."""

    events: tuple[Happened, ...] = ()
    members: tuple[Member, ...] = ()
    next: str = ""


@dataclass
class _Read:
    """What the events of one room add up to while they are being read."""

    members: dict[str, Member] = field(default_factory=dict)
    name: str | None = None
    space: bool | None = None
    encrypted: bool | None = None
    rotation: Rotation | None = None
    visibility: str | None = None


def read_batch(answer: object, me: str) -> Batch | None:
    """Read an answer to /sync; None: it is none (it has no token), so nothing of it may be kept."""
    sync = _mapping(answer)
    token = _text(sync.get("next_batch"))
    if not token:
        return None
    rooms = _mapping(sync.get("rooms"))
    return Batch(
        token=token,
        rooms=tuple(_joined(room_id, news, me) for room_id, news in _mappings(rooms.get("join"))),
        invited=tuple(_invited(room_id, news, me) for room_id, news in _mappings(rooms.get("invite"))),
        left=tuple(room_id for room_id, _ in _mappings(rooms.get("leave"))),
        direct=_direct(sync.get("account_data")),
    )


def read_page(answer: object, before: str) -> Page:
    """Read an answer to /messages (direction back). ``before``: the place asked for.

    A page may be empty and have a next one all the same (Matrix client-server API §9.5: the end is told by leaving
    ``end`` out). A homeserver that names the very place that was asked for has no other.
    """
    page = _mapping(answer)
    read = _Read()
    for event in _events({"events": page.get("state")}):
        _note_state(event, read)
    events = tuple(happened for event in _events({"events": page.get("chunk")}) if (happened := read_event(event)))
    end = _text(page.get("end"))
    return Page(events, tuple(read.members.values()), end if end != before else "")


def read_members(answer: object) -> list[Member]:
    """Read an answer to /members."""
    read = _Read()
    for event in _events({"events": _mapping(answer).get("chunk")}):
        _note_state(event, read)
    return list(read.members.values())


def read_event(event: object) -> Happened | None:
    """Read one event of a timeline; None: it is none."""
    source = _mapping(event)
    event_id, sender, kind = (_text(source.get(key)) for key in ("event_id", "sender", "type"))
    if not event_id or not sender:
        return None
    content = _mapping(source.get("content"))
    unsigned = _mapping(source.get("unsigned"))
    at = _number(source.get("origin_server_ts")) / 1000.0
    txn = _text(unsigned.get("transaction_id"))
    if kind == "m.room.redaction":
        redacts = _text(source.get("redacts")) or _text(content.get("redacts"))
        return Happened(event_id, sender, at, Kind.HIDDEN, replaces=redacts)
    if kind == "m.room.member":
        return _membership_line(event_id, sender, at, source, content)
    if "state_key" in source or kind not in ("m.room.message", "m.room.encrypted", "m.sticker"):
        return Happened(event_id, sender, at, Kind.HIDDEN, txn=txn)
    relation = _mapping(content.get("m.relates_to"))
    if kind == "m.room.encrypted" and content:
        edit = relation.get("rel_type") == "m.replace"
        shown, text = (Kind.HIDDEN, "") if edit else (Kind.SEALED, CANNOT_READ)
        return Happened(event_id, sender, at, shown, text, txn, sealed=_ciphertext(source))
    if content.get("msgtype") == "m.key.verification.request":
        return Happened(event_id, sender, at, Kind.NOTICE, "asked for a verification", txn, about=sender)
    if relation.get("rel_type") == "m.replace":
        corrected = message_text(_mapping(content.get("m.new_content")))
        replaces = _text(relation.get("event_id")) if corrected else ""
        return Happened(event_id, sender, at, Kind.HIDDEN, corrected, txn, replaces)
    if not content:
        return Happened(event_id, sender, at, Kind.MESSAGE, "Message deleted", txn)
    return Happened(event_id, sender, at, Kind.MESSAGE, _edited(unsigned, sender) or message_text(content), txn)


def open_batch(batch: Batch, open: Opener) -> Batch:
    """The same news with its encrypted messages opened, as far as ``open`` can."""
    return replace(
        batch,
        rooms=tuple(
            replace(room, timeline=tuple(opened(event, room.room_id, open) for event in room.timeline))
            for room in batch.rooms
        ),
    )


def open_page(page: Page, room_id: str, open: Opener) -> Page:
    """The same page with its encrypted messages opened, as far as ``open`` can."""
    return replace(page, events=tuple(opened(event, room_id, open) for event in page.events))


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
    return _text(_mapping(sealed.get("content")).get("session_id"))


def _ciphertext(source: Json) -> Json:
    """What it takes to open an encrypted event later, and nothing else that somebody may have written into it."""
    content, unsigned = _mapping(source.get("content")), _mapping(source.get("unsigned"))
    relation = _mapping(content.get("m.relates_to"))
    edit = _mapping(_mapping(unsigned.get("m.relations")).get("m.replace"))
    kept: Json = {
        **_texts(source, "event_id", "sender", "type"),
        "origin_server_ts": _number(source.get("origin_server_ts")),
        "content": _texts(content, "algorithm", "ciphertext", "session_id"),
        "unsigned": _texts(unsigned, "transaction_id"),
    }
    if relation:
        kept["content"]["m.relates_to"] = _texts(relation, "rel_type", "event_id")
    if edit.get("type") == "m.room.encrypted":
        kept["unsigned"]["m.relations"] = {"m.replace": _ciphertext({**edit, "unsigned": {}})}
    return kept


def _texts(source: Json, *keys: str) -> Json:
    return {key: _text(source.get(key)) for key in keys if _text(source.get(key))}


def _with_edit_opened(clear: Json, room_id: str, open: Opener) -> Json:
    """The last edit of an event comes along with it, encrypted as well."""
    unsigned = _mapping(clear.get("unsigned"))
    relations = _mapping(unsigned.get("m.relations"))
    edit = _mapping(relations.get("m.replace"))
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
    edit = _mapping(_mapping(unsigned.get("m.relations")).get("m.replace"))
    new = _mapping(_mapping(edit.get("content")).get("m.new_content"))
    return message_text(new) if new and edit.get("sender") == sender else ""


def text_message(text: str) -> Json:
    """The content of an m.room.message that says ``text`` and mentions nobody."""
    return {"msgtype": "m.text", "body": text, "m.mentions": {}}


def message_text(content: Json) -> str:
    """The content of an m.room.message as plain text (Matrix client-server API §11.2.1)."""
    body = _text(content.get("body"))[:TEXT_MOST]
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


def _membership_line(event_id: str, sender: str, at: float, source: Json, content: Json) -> Happened:
    now = _text(content.get("membership"))
    before = _text(_mapping(_mapping(source.get("unsigned")).get("prev_content")).get("membership"))
    whom = _text(source.get("state_key"))
    words = {
        "join": "joined" if before != "join" else "",
        "invite": "was invited",
        "leave": "left" if whom == sender else "was removed",
        "ban": "was banned",
    }.get(now, "")
    if not words or not whom:
        return Happened(event_id, sender, at, Kind.HIDDEN)
    return Happened(event_id, sender, at, Kind.NOTICE, words, about=whom)


def _joined(room_id: str, news: Json, me: str) -> RoomNews:
    timeline = _mapping(news.get("timeline"))
    summary = _mapping(news.get("summary"))
    read = _Read()
    happened: list[Happened] = []
    for event in (*_events(news.get("state")), *_events(news.get("state_after"))):
        _note_state(event, read)
    for event in _events(timeline):
        _note_state(event, read)
        if one := read_event(event):
            happened.append(one)
    counts = _mapping(news.get("unread_notifications"))
    heroes = summary.get("m.heroes")
    return RoomNews(
        room_id=room_id,
        timeline=tuple(happened),
        limited=timeline.get("limited") is True,
        before=_text(timeline.get("prev_batch")),
        members=tuple(read.members.values()),
        name=read.name,
        space=read.space,
        encrypted=read.encrypted,
        rotation=read.rotation,
        visibility=read.visibility,
        heroes=tuple(_text(hero) for hero in heroes if _text(hero)) if isinstance(heroes, list) else None,
        joined=_count(summary.get("m.joined_member_count")),
        invited=_count(summary.get("m.invited_member_count")),
        unread=_count(counts.get("notification_count")),
        read=tuple(_own_receipts(news.get("ephemeral"), me))[-100:],
    )


def _invited(room_id: str, news: Json, me: str) -> Invited:
    read = _Read()
    inviter, direct = "", False
    for event in _events(news.get("invite_state")):
        _note_state(event, read)
        if event.get("type") == "m.room.member" and event.get("state_key") == me:
            inviter = _text(event.get("sender"))
            direct = _mapping(event.get("content")).get("is_direct") is True
    known = read.members.get(inviter)
    members = tuple(read.members.values())
    name = known.name if known else ""
    return Invited(room_id, inviter, name, read.name or "", direct, read.encrypted is True, members)


def _note_state(event: Json, read: _Read) -> None:
    content = _mapping(event.get("content"))
    whom = _text(event.get("state_key"))
    if event.get("type") == "m.room.name" and event.get("state_key") == "":
        read.name = _text(content.get("name"))[:200]
    elif event.get("type") == "m.room.create" and event.get("state_key") == "":
        read.space = content.get("type") == "m.space"
    elif event.get("type") == "m.room.encryption" and event.get("state_key") == "":
        # Once on, encryption is never off again, whatever a later event says (Matrix, "m.room.encryption").
        read.encrypted = True
        read.rotation = _rotation(content)
    elif event.get("type") == "m.room.history_visibility" and event.get("state_key") == "":
        read.visibility = _text(content.get("history_visibility"))[:40]
    elif event.get("type") == "m.room.member" and whom:
        name = _text(content.get("displayname"))[:200]
        read.members[whom] = Member(whom, _text(content.get("membership")), name)


def _rotation(content: Json) -> Rotation:
    """What is no number of theirs is the default; a session is good for one message at least."""
    age, messages = _count(content.get("rotation_period_ms")), _count(content.get("rotation_period_msgs"))
    return Rotation(
        BY_DEFAULT.age if age is None else age / 1000.0, BY_DEFAULT.messages if messages is None else max(messages, 1)
    )


def _own_receipts(ephemeral: object, me: str) -> Iterator[str]:
    for event in _events(ephemeral):
        if event.get("type") != "m.receipt":
            continue
        for event_id, receipts in _mappings(event.get("content")):
            if any(me in _mapping(receipts.get(kind)) for kind in ("m.read", "m.read.private")):
                yield event_id


def _direct(account_data: object) -> frozenset[str] | None:
    for event in _events(account_data):
        if event.get("type") == "m.direct":
            lists = [rooms for rooms in _mapping(event.get("content")).values() if isinstance(rooms, list)]
            return frozenset(room for rooms in lists for room in rooms if isinstance(room, str))
    return None


def _events(holder: object) -> Iterator[Json]:
    events = _mapping(holder).get("events")
    for event in events if isinstance(events, list) else ():
        if isinstance(event, dict):
            yield event


def _mappings(value: object) -> Iterator[tuple[str, Json]]:
    for key, inner in _mapping(value).items():
        if isinstance(inner, dict) and _text(key):
            yield _text(key), inner


def _mapping(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    """A string SQLite and HTML can take: lone surrogates, which JSON can spell, become question marks."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else ""


def _number(value: object) -> float:
    """Milliseconds as JSON may give them; what no clock can show counts as 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return float(value) if 0 <= value < 1e14 else 0.0


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < 2**31 else None
