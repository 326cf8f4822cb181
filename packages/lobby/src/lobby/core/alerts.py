"""What a push is about, and what the person is told: payloads in, notification texts out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from lobby.core.timeline import Draft
from lobby.core.views import ChatSummary, Invitation

BODY_MOST = 400
"""Characters of a message that a notification shows."""

UNSENT = "unsent:"
"""Begins the id of a notification about unsent messages; the room id follows."""


@dataclass(frozen=True)
class Pushed:
    """The event a push is about."""

    room_id: str
    event_id: str


@dataclass(frozen=True)
class Alert:
    """One notification. A later one with the same ``id`` replaces it."""

    id: str
    title: str
    body: str


def read_push(payload: bytes) -> Pushed | None:
    """What the gateway's payload names; None: no event, so it only says that counts have changed."""
    try:
        fields = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    room_id, event_id = fields.get("room_id"), fields.get("event_id")
    if not isinstance(room_id, str) or not isinstance(event_id, str) or not room_id or not event_id:
        return None
    return Pushed(room_id, event_id) if (room_id + event_id).isprintable() else None


def message_alert(chat: ChatSummary, sender: str, text: str) -> Alert:
    """Somebody has written."""
    return Alert(chat.room_id, f"{sender} in {chat.name}" if chat.group else sender, _short(text))


def invitation_alert(invitation: Invitation) -> Alert:
    """Somebody asks the person into a chat."""
    body = f"To the group “{invitation.name}”" if invitation.group else "To a chat between the two of you"
    return Alert(invitation.room_id, f"{invitation.inviter_name} invites you", body)


def unsent_alert(room_id: str, chat_name: str, drafts: Sequence[Draft]) -> Alert:
    """Messages of one chat could not be sent."""
    if len(drafts) == 1:
        return Alert(UNSENT + room_id, "Message not sent, please resend", f"To {chat_name}: {_short(drafts[0].text)}")
    return Alert(UNSENT + room_id, "Messages not sent, please resend", f"{len(drafts)} messages to {chat_name}")


def room_of(alert_id: str) -> str:
    """The room a notification was about."""
    return alert_id.removeprefix(UNSENT)


def _short(text: str) -> str:
    return text if len(text) <= BODY_MOST else text[: BODY_MOST - 1] + "…"
