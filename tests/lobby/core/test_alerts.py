"""Pushes in, notification texts out."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobby.core.alerts import (
    BODY_MOST,
    NOWHERE,
    SIGNED_OUT,
    SUMMARY,
    Place,
    Pushed,
    id_in_account,
    invitation_alert,
    message_alert,
    of_account,
    place_of,
    read_push,
    signed_out_alert,
    summary_alert,
    unsent_alert,
    verification_alert,
)
from lobby.core.outbox import Item, Phase
from lobby.core.timeline import Draft
from lobby.core.views import ChatSummary, Invitation, Verification, VerificationPhase


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
    assert place_of(alert.id) == NOWHERE
    assert summary_alert([chat(group=True)]).title == "1 new message in 1 chat"


def test_long_messages_are_cut() -> None:
    assert len(message_alert(chat(group=False), "Left", "x" * 9_000, "$1").body) == BODY_MOST


def test_an_invitation_says_who_and_whereto() -> None:
    alert = invitation_alert(Invitation("!a", "Team", "@l:x", "Left", True, 0.0))
    assert (alert.title, alert.body) == ("Left invites you", "To the group “Team”")


def test_unsent_messages_ask_to_be_resent_under_an_id_of_their_own() -> None:
    alert = unsent_alert("!a", "Right", [draft("hello")])
    assert (alert.title, alert.body) == ("Message not sent, please resend", "To Right: hello")
    assert alert.id != "!a" and place_of(alert.id) == place_of("!a") == Place(1, "!a")
    assert unsent_alert("!a", "Right", [draft("a"), draft("b")]).body == "2 messages to Right"


@given(st.integers(1, 10**6), st.text(st.characters(exclude_characters="/")))
def test_a_notification_leads_to_the_chat_of_its_account(number: int, room_id: str) -> None:
    alert = of_account(
        message_alert(dataclasses.replace(chat(group=True), room_id=f"!{room_id}"), "Left", "x", "$1"), number
    )
    assert place_of(alert.id) == Place(number, f"!{room_id}")
    unsent = of_account(unsent_alert(f"!{room_id}", "Team", [draft("x")]), number)
    assert place_of(unsent.id) == Place(number, f"!{room_id}")
    assert place_of(id_in_account(SUMMARY, number)) == Place(number)
    assert place_of(id_in_account("messages", number)) == Place(number), "the desk's own words name no chat"


@given(st.text())
def test_any_id_leads_somewhere(alert_id: str) -> None:
    assert place_of(alert_id).account >= 0


def test_an_account_is_named_only_where_there_are_several() -> None:
    alert = message_alert(chat(group=False), "Left", "hello", "$1")
    assert of_account(alert, 1) == alert
    assert of_account(alert, 2, "@me:x").title == "Left · @me:x"


def test_who_was_signed_out_is_led_to_the_log_in() -> None:
    alert = signed_out_alert("@me:x")
    assert "@me:x" in alert.body and "log in again" in alert.body
    assert place_of(of_account(alert, 3).id) == Place(3, login=True)
    assert place_of(SIGNED_OUT) == Place(1, login=True)


def test_a_request_to_verify_says_who_asks_and_leads_to_where_it_is_shown() -> None:
    asked = Verification("$1", "@l:x", "Left", False, VerificationPhase.OFFERED, room_id="!a")
    alert = verification_alert(asked)
    assert (alert.title, alert.newest) == ("Left wants to verify you", "")
    assert alert.id not in ("!a", unsent_alert("!a", "Left", [draft("x")]).id), (
        "messages have a notification of their own"
    )
    assert place_of(of_account(alert, 2).id) == Place(2, "!a")
    own = verification_alert(Verification("t", "@me:x", "Laptop", True, VerificationPhase.OFFERED))
    assert own.title == "Another of your devices wants to be verified" and "Laptop" in own.body
    assert place_of(of_account(own, 2).id) == Place(2), "every page shows it"
