"""Pushes in, notification texts out."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobby.core.alerts import (
    BODY_MOST,
    SUMMARY,
    Pushed,
    invitation_alert,
    message_alert,
    read_push,
    room_of,
    summary_alert,
    unsent_alert,
)
from lobby.core.outbox import Item, Phase
from lobby.core.timeline import Draft
from lobby.core.views import ChatSummary, Invitation


def chat(group: bool) -> ChatSummary:
    return ChatSummary("!a", "Team", group, "", None, False, None, 1, ())


def draft(text: str) -> Draft:
    return Draft(Item("t", "!a", phase=Phase.UNSENT), text, 0.0)


def test_a_push_names_its_event() -> None:
    assert read_push(b'{"event_id": "$1", "room_id": "!a", "prio": "high"}') == Pushed("!a", "$1")


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b'{"unread": 3}', b'{"event_id": 3, "room_id": "!a"}', b"\xff"])
def test_a_push_without_an_event_is_about_nothing(payload: bytes) -> None:
    assert read_push(payload) is None


@given(st.binary(max_size=200) | st.text().map(lambda text: f'{{"event_id": "{text}", "room_id": "!a"}}'.encode()))
def test_no_payload_raises(payload: bytes) -> None:
    read_push(payload)


def test_deeply_nested_payloads_are_about_nothing() -> None:
    assert read_push(b"[" * 4_000) is None


def test_a_notification_shows_the_sender_and_in_a_group_the_group() -> None:
    assert message_alert(chat(group=False), "Left", "hello", "$1").title == "Left"
    alert = message_alert(chat(group=True), "Left", "hello", "$1")
    assert (alert.id, alert.title, alert.body) == ("!a", "Left in Team", "hello")


def test_several_messages_of_a_chat_are_counted() -> None:
    alert = message_alert(dataclasses.replace(chat(group=False), unread=3), "Left", "the newest", "$3")
    assert (alert.title, alert.body) == ("Left (3 new messages)", "the newest")


def test_a_summary_counts_messages_and_chats_and_opens_no_single_one() -> None:
    chats = [dataclasses.replace(chat(group=True), name=f"Chat {number}", unread=25) for number in range(1, 9)]
    alert = summary_alert(chats)
    assert (alert.id, alert.title) == (SUMMARY, "200 new messages in 8 chats")
    assert alert.body == "Chat 1, Chat 2, Chat 3, Chat 4, Chat 5, Chat 6 and 2 more"
    assert room_of(alert.id) == ""
    assert summary_alert([chat(group=True)]).title == "1 new message in 1 chat"


def test_long_messages_are_cut() -> None:
    assert len(message_alert(chat(group=False), "Left", "x" * 9_000, "$1").body) == BODY_MOST


def test_an_invitation_says_who_and_whereto() -> None:
    alert = invitation_alert(Invitation("!a", "Team", "@l:x", "Left", True, 0.0))
    assert (alert.title, alert.body) == ("Left invites you", "To the group “Team”")


def test_unsent_messages_ask_to_be_resent_under_an_id_of_their_own() -> None:
    alert = unsent_alert("!a", "Right", [draft("hello")])
    assert (alert.title, alert.body) == ("Message not sent, please resend", "To Right: hello")
    assert alert.id != "!a" and room_of(alert.id) == "!a" and room_of("!a") == "!a"
    assert unsent_alert("!a", "Right", [draft("a"), draft("b")]).body == "2 messages to Right"
