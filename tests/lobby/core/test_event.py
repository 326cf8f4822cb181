"""Single events: what is good is understood, what is sealed waits and opens in its place, and nothing raises."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobby.core.event import CANNOT_READ, Happened, Kind, Opener, message_text, opened, read_event, session_of
from lobby.errors import Sealed
from tests.lobby.core.messages import message


def test_an_edit_names_what_it_replaces_and_an_empty_one_replaces_nothing() -> None:
    relation = {"rel_type": "m.replace", "event_id": "$1"}
    content = {"msgtype": "m.text", "body": "* b", "m.new_content": {"msgtype": "m.text", "body": "b"}}
    edit = read_event(message("$2", content={**content, "m.relates_to": relation}))
    assert edit is not None and (edit.kind, edit.text, edit.replaces) == (Kind.HIDDEN, "b", "$1")
    # Else an edit by a stranger could pass for the redaction of somebody's message.
    empty = read_event(message("$2", content={"m.new_content": {}, "m.relates_to": relation}))
    assert empty is not None and empty.replaces == ""


@pytest.mark.parametrize("where", [{"redacts": "$1"}, {"content": {"redacts": "$1"}}])
def test_a_redaction_is_understood_in_old_and_new_rooms(where: dict[str, Any]) -> None:
    event = read_event({**message("$2", type="m.room.redaction"), "content": {}, **where})
    assert event is not None and (event.kind, event.text, event.replaces) == (Kind.HIDDEN, "", "$1")


@pytest.mark.parametrize(
    ("membership", "before", "sender", "words"),
    [
        ("join", "", "@you:x", "joined"),
        ("join", "join", "@you:x", ""),
        ("invite", "", "@me:x", "was invited"),
        ("leave", "join", "@you:x", "left"),
        ("leave", "join", "@me:x", "was removed"),
        ("ban", "join", "@me:x", "was banned"),
    ],
)
def test_membership_becomes_a_line(membership: str, before: str, sender: str, words: str) -> None:
    unsigned = {"prev_content": {"membership": before}}
    content = {"membership": membership}
    event = read_event(
        message(type="m.room.member", state_key="@you:x", sender=sender, content=content, unsigned=unsigned)
    )
    assert event is not None
    assert (event.kind, event.text, event.about) == ((Kind.NOTICE, words, "@you:x") if words else (Kind.HIDDEN, "", ""))


@pytest.mark.parametrize(("editor", "shown"), [("@right:x", "corrected"), ("@other:x", "original")])
def test_a_message_that_was_edited_comes_with_its_last_edit(editor: str, shown: str) -> None:
    edit = {"sender": editor, "content": {"m.new_content": {"msgtype": "m.text", "body": "corrected"}}}
    event = {
        "event_id": "$1",
        "sender": "@right:x",
        "type": "m.room.message",
        "content": {"msgtype": "m.text", "body": "original"},
        "unsigned": {"m.relations": {"m.replace": edit}},
    }
    happened = read_event(event)
    assert happened is not None and happened.text == shown


def test_what_lobby_cannot_show_says_so() -> None:
    assert message_text({"msgtype": "m.image", "body": "cat.png"}) == "Picture: cat.png"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(anything)
def test_no_event_raises(event: object) -> None:
    read_event(event)
    read_event({**message(), "content": event, "unsigned": event, "origin_server_ts": event})


SEALED = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "AwgA", "session_id": "s1", "sender_key": "k"}


def encrypted(**more: Any) -> dict[str, Any]:
    return message(type="m.room.encrypted", content={**SEALED, **more})


def event_of(source: dict[str, Any]) -> Happened:
    event = read_event(source)
    assert event is not None
    return event


def opener(clear: dict[str, Any]) -> Opener:
    """Opens every event as the same content."""
    return lambda room_id, event: {**event, "type": "m.room.message", "content": clear}


def locked(room_id: str, event: dict[str, Any]) -> dict[str, Any]:
    raise Sealed(session_of(event), "its key has not come")


def test_an_encrypted_message_waits_sealed_and_says_what_it_needs() -> None:
    event = event_of(encrypted())
    assert (event.kind, event.text) == (Kind.SEALED, CANNOT_READ)
    assert event.sealed is not None and session_of(event.sealed) == "s1"
    assert opened(event, "!a:x", locked) == event


def test_an_opened_message_is_as_if_it_had_been_readable() -> None:
    clear = opened(event_of(encrypted()), "!a:x", opener({"msgtype": "m.text", "body": "hello"}))
    assert clear == event_of(message())


def test_what_can_never_be_opened_says_why_and_waits_no_more() -> None:
    def forged(room_id: str, event: dict[str, Any]) -> dict[str, Any]:
        raise Sealed("", "it is not from the one whose key it is encrypted with")

    event = opened(event_of(encrypted()), "!a:x", forged)
    assert event.sealed is None and event.kind is Kind.SEALED and "not from the one" in event.text


def test_an_edit_in_an_encrypted_chat_is_no_bubble_before_and_corrects_after() -> None:
    relation = {"rel_type": "m.replace", "event_id": "$0"}
    event = event_of(encrypted(**{"m.relates_to": relation}))
    assert (event.kind, event.text) == (Kind.HIDDEN, "") and event.sealed is not None
    new = {"msgtype": "m.text", "body": "right"}
    edit = opened(event, "!a:x", opener({"body": "* right", "m.new_content": new, "m.relates_to": relation}))
    assert (edit.kind, edit.text, edit.replaces, edit.sealed) == (Kind.HIDDEN, "right", "$0", None)


def test_the_last_edit_that_comes_with_an_encrypted_message_is_opened_with_it() -> None:
    edit = {**encrypted(), "event_id": "$edit"}
    source = {**encrypted(), "unsigned": {"m.relations": {"m.replace": edit}}}

    def open(room_id: str, event: dict[str, Any]) -> dict[str, Any]:
        old, new = {"msgtype": "m.text", "body": "old"}, {"msgtype": "m.text", "body": "new"}
        content = {**old, "m.new_content": new} if event["event_id"] == "$edit" else old
        return {**event, "type": "m.room.message", "content": content}

    assert opened(event_of(source), "!a:x", open).text == "new"
    assert opened(event_of(encrypted()), "!a:x", open).text == "old"


def test_a_deleted_encrypted_message_says_so() -> None:
    assert event_of(message(type="m.room.encrypted", content={})).text == "Message deleted"


def test_verification_makes_one_line_and_no_bubbles() -> None:
    asked = event_of(message(content={"msgtype": "m.key.verification.request", "body": "compare emoji"}))
    assert (asked.kind, asked.text, asked.about) == (Kind.NOTICE, "asked for a verification", "@you:x")
    assert event_of(message(type="m.key.verification.start", content={})).kind is Kind.HIDDEN
