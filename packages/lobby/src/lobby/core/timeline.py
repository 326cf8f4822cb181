"""What a conversation looks like: names, bubbles and the last line, from what is kept of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lobby.core.event import Kind
from lobby.core.outbox import Item, Phase
from lobby.core.room_sessions import BY_DEFAULT, Rotation
from lobby.core.views import Bubble, ChatSummary, Mark


@dataclass(frozen=True)
class KeptEvent:
    """One event of a room as the store has it; ``place`` grows with the homeserver's order."""

    key: str
    event_id: str
    room_id: str
    place: int
    sender: str
    at: float
    kind: Kind
    text: str
    about: str = ""


@dataclass(frozen=True)
class Draft:
    """One own message that is not an event yet."""

    item: Item
    text: str
    at: float


@dataclass(frozen=True)
class KeptRoom:
    """What is kept of a joined room besides its events."""

    room_id: str
    name: str = ""
    direct: bool = False
    heroes: tuple[str, ...] = ()
    joined: int = 0
    """Joined members as the homeserver counts them, this person included; 0: not told."""
    server_unread: int = 0
    read_place: int = 0
    """``place`` of the last event that this person has read."""
    space: bool = False
    """Not a chat: it holds rooms."""
    encrypted: bool = False
    """Only encrypted messages may be sent to it."""
    rotation: Rotation = BY_DEFAULT
    """How often it wants new sessions for them."""
    visibility: str = ""
    """Who may read what was said earlier (m.room.history_visibility); empty: not told, so "shared"."""
    all_members: bool = False
    """Every member is kept; else only those of whom the homeserver has told by itself."""
    before: str = ""
    """Where older events can be fetched; empty: the beginning is kept."""


def person_name(user_id: str, names: Mapping[str, str]) -> str:
    """The name somebody goes by in a room, else the readable part of the Matrix id."""
    return names.get(user_id) or user_id.removeprefix("@").partition(":")[0] or user_id


def room_name(room: KeptRoom, names: Mapping[str, str], others: Sequence[str]) -> str:
    """What to call a chat (Matrix client-server API, "Calculating the display name for a room").

    ``names``: user id → display name; ``others``: user ids of joined or invited members other than the person.
    """
    if room.name.strip():
        return room.name.strip()
    whom = list(others) or list(room.heroes)
    if not whom:
        return "Empty chat"
    called = [person_name(user_id, names) for user_id in whom[:3]]
    more = max(len(whom), room.joined - 1) - len(called)
    return ", ".join(called) + (f" and {more} more" if more > 0 else "")


def is_group(room: KeptRoom, others: Sequence[str]) -> bool:
    """Whether a chat is a group: it has a name, or more than one other in it; a direct chat never is."""
    return not room.direct and (bool(room.name.strip()) or len(others) > 1 or room.joined > 2)


def mark_of(phase: Phase) -> Mark:
    """How an outbox item is shown."""
    return Mark.UNSENT if phase is Phase.UNSENT else Mark.SENDING


def bubble_of_event(event: KeptEvent, me: str, names: Mapping[str, str]) -> Bubble:
    """One kept event as it is shown."""
    notice = event.kind is Kind.NOTICE
    mine = event.sender == me and not notice
    text = _notice_line(event, me, names) if notice else event.text
    sender = person_name(event.sender, names)
    mark = Mark.SENT if mine else None
    sealed = event.kind is Kind.SEALED
    return Bubble(event.key, event.room_id, event.sender, sender, mine, text, event.at, mark, "", notice, sealed)


def _notice_line(event: KeptEvent, me: str, names: Mapping[str, str]) -> str:
    if event.about == me:
        return f"You {event.text.replace('was ', 'were ')}"
    return f"{person_name(event.about, names)} {event.text}"


def bubble_of_draft(draft: Draft, me: str, names: Mapping[str, str]) -> Bubble:
    """One outbox item as it is shown."""
    item = draft.item
    mark = mark_of(item.phase)
    reason = item.reason if mark is Mark.UNSENT else ""
    return Bubble(item.txn, item.room_id, me, person_name(me, names), True, draft.text, draft.at, mark, reason)


def bubbles(events: Iterable[KeptEvent], drafts: Iterable[Draft], me: str, names: Mapping[str, str]) -> list[Bubble]:
    """A conversation, the oldest first. What is not sent yet comes last: that is where the person looks for it.

    A message is never shown twice: a draft whose event is already there (same key) is left out.
    """
    shown = [bubble_of_event(event, me, names) for event in events if event.kind is not Kind.HIDDEN]
    keys = {bubble.key for bubble in shown}
    return shown + [bubble_of_draft(draft, me, names) for draft in drafts if draft.item.txn not in keys]


def summary(
    room: KeptRoom,
    others: Sequence[str],
    joined: Sequence[str],
    names: Mapping[str, str],
    last: Bubble | None,
    unread: int,
) -> ChatSummary:
    """One line of the chat list. ``others``: joined or invited members but the person; ``joined``: the joined."""
    return ChatSummary(
        room_id=room.room_id,
        name=room_name(room, names, others),
        group=is_group(room, others),
        last_text=last.text if last else "",
        last_at=last.at if last else None,
        last_mine=bool(last and last.mine),
        last_mark=last.mark if last else None,
        unread=unread,
        members=tuple(sorted((person_name(user_id, names) for user_id in joined), key=str.casefold)),
        encrypted=room.encrypted,
        partner=others[0] if len(others) == 1 and not is_group(room, others) else "",
    )


def newest_first(chats: Iterable[ChatSummary]) -> list[ChatSummary]:
    """The order of the chat list; chats in which nothing was ever said come last, by name."""
    return sorted(chats, key=lambda chat: (-(chat.last_at or 0.0), chat.name.casefold()))
