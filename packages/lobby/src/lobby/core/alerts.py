"""What a push is about, and what the person is told: payloads in, notification texts out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lobby.core.timeline import Draft
from lobby.core.views import ChatSummary, Invitation, Verification

BODY_MOST = 400
"""Characters of a message that a notification shows."""

UNSENT = "unsent:"
"""Begins the id of a notification about unsent messages; the room id follows."""

VERIFY = "verify:"
"""Begins the id of a notification about a request to verify; the room id follows, if it was made in one."""

SUMMARY = "summary"
"""The id of the one notification about many chats."""

NAMED = 6
"""Chats that a summary names."""


SIGNED_OUT = "signed-out"
"""The id of the notification that the homeserver refused the login."""


@dataclass(frozen=True)
class Place:
    """What of Lobby is to be shown: an account, and there a chat, the log-in, or (neither) what was shown last."""

    account: int = 1
    room_id: str = ""
    login: bool = False


NOWHERE = Place()
"""Lobby as it was left."""


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
    newest: str = ""
    """Of messages of a chat: the event id of the newest that it tells of."""


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


def message_alert(chat: ChatSummary, sender: str, text: str, newest: str) -> Alert:
    """Somebody has written: the newest message (its event id is ``newest``), and how many there are unread."""
    title = f"{sender} in {chat.name}" if chat.group else sender
    count = f" ({chat.unread} new messages)" if chat.unread > 1 else ""
    return Alert(chat.room_id, title + count, _short(text), newest)


def summary_alert(chats: Sequence[ChatSummary]) -> Alert:
    """Many chats have something new; ``chats``: all of them, in the order in which they are named."""
    unread = sum(chat.unread for chat in chats)
    names = ", ".join(chat.name for chat in chats[:NAMED])
    more = f" and {len(chats) - NAMED} more" if len(chats) > NAMED else ""
    return Alert(SUMMARY, f"{_count(unread, 'new message')} in {_count(len(chats), 'chat')}", _short(names + more))


def invitation_alert(invitation: Invitation) -> Alert:
    """Somebody asks the person into a chat."""
    body = f"To the group “{invitation.name}”" if invitation.group else "To a chat between the two of you"
    return Alert(invitation.room_id, f"{invitation.inviter_name} invites you", body)


def unsent_alert(room_id: str, chat_name: str, drafts: Sequence[Draft]) -> Alert:
    """Messages of one chat could not be sent."""
    if len(drafts) == 1:
        return Alert(UNSENT + room_id, "Message not sent, please resend", f"To {chat_name}: {_short(drafts[0].text)}")
    return Alert(UNSENT + room_id, "Messages not sent, please resend", f"{len(drafts)} messages to {chat_name}")


def verification_alert(asked: Verification) -> Alert:
    """Another person, or another device of this one, asks to be verified. A later request in a chat replaces it."""
    if asked.own:
        body = f"{asked.name} asks for it. Open Lobby within ten minutes to compare emoji, if it is you who asks."
        return Alert(VERIFY, "Another of your devices wants to be verified", _short(body))
    body = "Open Lobby within ten minutes to compare emoji."
    return Alert(VERIFY + asked.room_id, f"{asked.name} wants to verify you", body)


def signed_out_alert(user_id: str) -> Alert:
    """The homeserver does not know the login any more."""
    return Alert(
        SIGNED_OUT,
        "Lobby was signed out",
        f"Your homeserver ended the login of {user_id}. No messages arrive until you log in again.",
    )


def of_account(alert: Alert, number: int, name: str = "") -> Alert:
    """The alert as one of account ``number``: two accounts may be in the same chat.

    ``name``: of the account, where there are several and the person has to know which is meant.
    """
    title = f"{alert.title} · {name}" if name else alert.title
    return replace(alert, id=id_in_account(alert.id, number), title=title)


def id_in_account(alert_id: str, number: int) -> str:
    """The id of an alert, apart from those of other accounts."""
    return alert_id if number == 1 else f"{number}/{alert_id}"


def place_of(alert_id: str) -> Place:
    """What a notification was about. One that the desk showed by itself, or a summary, is about no single chat."""
    number, slash, rest = alert_id.partition("/")
    account, own = (int(number), rest) if slash and number.isascii() and number.isdigit() else (1, alert_id)
    if own == SIGNED_OUT:
        return Place(account, login=True)
    room_id = own.removeprefix(UNSENT).removeprefix(VERIFY)
    return Place(account, room_id if room_id.startswith("!") else "")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _short(text: str) -> str:
    return text if len(text) <= BODY_MOST else text[: BODY_MOST - 1] + "…"
