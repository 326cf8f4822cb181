"""What one answer of the homeserver says, checked and reduced to what Lobby keeps.

Homeservers, and through them strangers, write this JSON: whatever is not of the expected shape is left out, and
nothing raises. Sources: Matrix client-server API v1.15 §9.4 (sync), §9.5 (messages), §11.2 (receipts); of single
events: ``event``.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from lobby.core.event import Happened, Opener, as_mapping, as_text, opened, read_event
from lobby.core.room_sessions import BY_DEFAULT, Rotation

EMPTY_PAGES = 20
"""Pages of history in a row that may bring nothing before Lobby stops asking for more; homeservers that filter or purge
events give such pages, and only one that names no next page is the last."""

Json = dict[str, Any]


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
    sync = as_mapping(answer)
    token = as_text(sync.get("next_batch"))
    if not token:
        return None
    rooms = as_mapping(sync.get("rooms"))
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
    page = as_mapping(answer)
    read = _Read()
    for event in _events({"events": page.get("state")}):
        _note_state(event, read)
    events = tuple(happened for event in _events({"events": page.get("chunk")}) if (happened := read_event(event)))
    end = as_text(page.get("end"))
    return Page(events, tuple(read.members.values()), end if end != before else "")


def read_members(answer: object) -> list[Member]:
    """Read an answer to /members."""
    read = _Read()
    for event in _events({"events": as_mapping(answer).get("chunk")}):
        _note_state(event, read)
    return list(read.members.values())


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


def _joined(room_id: str, news: Json, me: str) -> RoomNews:
    timeline = as_mapping(news.get("timeline"))
    summary = as_mapping(news.get("summary"))
    read = _Read()
    happened: list[Happened] = []
    for event in (*_events(news.get("state")), *_events(news.get("state_after"))):
        _note_state(event, read)
    for event in _events(timeline):
        _note_state(event, read)
        if one := read_event(event):
            happened.append(one)
    counts = as_mapping(news.get("unread_notifications"))
    heroes = summary.get("m.heroes")
    return RoomNews(
        room_id=room_id,
        timeline=tuple(happened),
        limited=timeline.get("limited") is True,
        before=as_text(timeline.get("prev_batch")),
        members=tuple(read.members.values()),
        name=read.name,
        space=read.space,
        encrypted=read.encrypted,
        rotation=read.rotation,
        visibility=read.visibility,
        heroes=tuple(as_text(hero) for hero in heroes if as_text(hero)) if isinstance(heroes, list) else None,
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
            inviter = as_text(event.get("sender"))
            direct = as_mapping(event.get("content")).get("is_direct") is True
    known = read.members.get(inviter)
    members = tuple(read.members.values())
    name = known.name if known else ""
    return Invited(room_id, inviter, name, read.name or "", direct, read.encrypted is True, members)


def _note_state(event: Json, read: _Read) -> None:
    content = as_mapping(event.get("content"))
    whom = as_text(event.get("state_key"))
    if event.get("type") == "m.room.name" and event.get("state_key") == "":
        read.name = as_text(content.get("name"))[:200]
    elif event.get("type") == "m.room.create" and event.get("state_key") == "":
        read.space = content.get("type") == "m.space"
    elif event.get("type") == "m.room.encryption" and event.get("state_key") == "":
        # Once on, encryption is never off again, whatever a later event says (Matrix, "m.room.encryption").
        read.encrypted = True
        read.rotation = _rotation(content)
    elif event.get("type") == "m.room.history_visibility" and event.get("state_key") == "":
        read.visibility = as_text(content.get("history_visibility"))[:40]
    elif event.get("type") == "m.room.member" and whom:
        name = as_text(content.get("displayname"))[:200]
        read.members[whom] = Member(whom, as_text(content.get("membership")), name)


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
            if any(me in as_mapping(receipts.get(kind)) for kind in ("m.read", "m.read.private")):
                yield event_id


def _direct(account_data: object) -> frozenset[str] | None:
    for event in _events(account_data):
        if event.get("type") == "m.direct":
            lists = [rooms for rooms in as_mapping(event.get("content")).values() if isinstance(rooms, list)]
            return frozenset(room for rooms in lists for room in rooms if isinstance(room, str))
    return None


def _events(holder: object) -> Iterator[Json]:
    events = as_mapping(holder).get("events")
    for event in events if isinstance(events, list) else ():
        if isinstance(event, dict):
            yield event


def _mappings(value: object) -> Iterator[tuple[str, Json]]:
    for key, inner in as_mapping(value).items():
        if isinstance(inner, dict) and as_text(key):
            yield as_text(key), inner


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < 2**31 else None
