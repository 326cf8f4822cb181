"""What is kept, as the page sees it: chats, invitations, bubbles. From disk and memory only."""

from collections.abc import Callable

from lobby.core import timeline, unread
from lobby.core.outbox import Phase
from lobby.core.search import question
from lobby.core.views import Bubble, ChatSummary, Findings, Invitation
from lobby.store import Store

RECENT = 50
"""Events of a chat among which its newest message is looked for."""

DEEPEST = 5000
"""Events that are counted at most."""


class Reading:
    """The kept chats of one person (``me``, a user id; set before anything is read)."""

    def __init__(self, store: Store, me: str = "") -> None:
        self.me = me
        self.as_it_is: Callable[[timeline.Draft], timeline.Draft] = lambda draft: draft
        """Gives an own message its standing of now, where that is newer than what is kept."""
        self._store = store
        self._summaries: dict[str, ChatSummary] = {}

    def forget(self, room_id: str | None) -> None:
        """What was made of this room is out of date; None: of all rooms."""
        if room_id is None:
            self._summaries.clear()
        else:
            self._summaries.pop(room_id, None)

    def chats(self) -> list[ChatSummary]:
        """Joined chats, the newest first."""
        return timeline.newest_first(self._summary(room) for room in self._store.rooms() if not room.space)

    def chat(self, room_id: str) -> ChatSummary | None:
        """One chat; None: not one of the person's."""
        room = self._store.room(room_id)
        return self._summary(room) if room else None

    def invitations(self) -> list[Invitation]:
        """Open invitations, the newest first."""
        found = []
        for row in self._store.invitations():
            inviter = row["inviter_name"] or timeline.person_name(row["inviter"], {})
            name = row["name"] or inviter
            group = bool(row["name"]) and not row["direct"]
            found.append(Invitation(row["room_id"], name, row["inviter"], inviter, group, row["at"]))
        return found

    def bubbles(self, room_id: str, before: str | None, most: int) -> list[Bubble]:
        """The newest ``most`` bubbles, or those before the one with the key ``before``; the oldest first."""
        names = self.names(room_id)
        if before is None:
            drafts = [self.as_it_is(draft) for draft in self._store.drafts(room_id)]
            return timeline.bubbles(self._store.events(room_id, None, most), drafts, self.me, names)[-most:]
        place = self._store.place_of(before)
        if place is None:
            return []
        return timeline.bubbles(self._store.events(room_id, place, most), (), self.me, names)

    def depth(self, room_id: str, key: str) -> int:
        """How many bubbles have to be shown for the one with that key, at most ``DEEPEST``; 0: it is not here."""
        place = self._store.place_of(key)
        if place is None:
            return 0
        return self._store.shown_from(room_id, place, DEEPEST) + len(self._store.drafts(room_id))

    def search(self, typed: str, most: int) -> Findings:
        """The newest ``most`` messages of all chats with all of these words. Raises NotKept."""
        asked = question(typed)
        if not asked:
            return Findings(asked=False)
        waiting = self._store.index.catch_up()
        found = self._store.index.find(asked, most + 1)
        names = {room_id: self.names(room_id) for room_id in {event.room_id for event in found}}
        shown = tuple(timeline.bubble_of_event(event, self.me, names[event.room_id]) for event in found[:most])
        return Findings(shown, len(found) > most, waiting)

    def unsent_rooms(self) -> set[str]:
        """Rooms with messages that wait for the person to say what becomes of them."""
        items = [self.as_it_is(draft).item for draft in self._store.drafts()]
        return {item.room_id for item in items if item.phase is Phase.UNSENT}

    def names(self, room_id: str) -> dict[str, str]:
        """User id → display name in that room; empty where none was given."""
        return {member.user_id: member.name for member in self._store.members(room_id)}

    def others(self, room_id: str) -> list[str]:
        """User ids of the joined and invited members other than the person."""
        members = self._store.members(room_id)
        return [
            member.user_id
            for member in members
            if member.membership in ("join", "invite") and member.user_id != self.me
        ]

    def event(self, event_id: str) -> timeline.KeptEvent | None:
        """An event that is kept."""
        return self._store.event(event_id)

    def is_unread(self, event: timeline.KeptEvent) -> bool:
        """Whether an event is worth a notification now."""
        room = self._store.room(event.room_id)
        return room is not None and unread.worth_showing(event, self.me, room.read_place)

    def newest_unread(self, room_id: str) -> timeline.KeptEvent | None:
        """The newest message that the person has not read; None: among the last ``RECENT`` there is none."""
        events = self._store.events(room_id, None, RECENT)
        return next((event for event in reversed(events) if self.is_unread(event)), None)

    def counted(self, room_id: str) -> bool:
        """Whether the homeserver counts something as unread there; in a chat that the person has muted it does not."""
        room = self._store.room(room_id)
        return room is not None and room.server_unread > 0

    def _summary(self, room: timeline.KeptRoom) -> ChatSummary:
        if found := self._summaries.get(room.room_id):
            return found
        last = self.bubbles(room.room_id, None, 1)
        known = self._store.others_messages_after(room.room_id, room.read_place, self.me)
        joined = [member.user_id for member in self._store.members(room.room_id) if member.membership == "join"]
        made = timeline.summary(
            room,
            others=self.others(room.room_id),
            joined=[user_id for user_id in joined if user_id != self.me],
            names=self.names(room.room_id),
            last=last[-1] if last else None,
            unread=unread.unread(room, known, self._store.oldest_place(room.room_id)),
        )
        self._summaries[room.room_id] = made
        return made
