"""Reading the homeserver's answers: what is good is understood, and nothing that anybody writes can raise."""

import json
import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobby.core.batch import Batch, Member, read_batch, read_members, read_page
from lobby.core.event import Happened, Kind
from lobby.core.room_sessions import Rotation
from tests.lobby.core.messages import message

ME = "@me:x"


NAMED = {"type": "m.room.name", "state_key": "", "content": {"name": "Team"}}


def member(whom: str, membership: str, name: str = "", **more: Any) -> dict[str, Any]:
    content = {"membership": membership, "displayname": name}
    return {
        "type": "m.room.member", "state_key": whom, "sender": whom, "event_id": f"${whom}", "content": content, **more
    }  # fmt: skip


def sync(room: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"next_batch": "s2", "rooms": {"join": {"!a:x": room}}, **more}


def read(answer: object) -> Batch:
    batch = read_batch(answer, ME)
    assert batch is not None
    return batch


def test_a_message_with_its_sender_time_and_own_transaction() -> None:
    event = message(unsigned={"transaction_id": "t1"})
    [room] = read(sync({"timeline": {"events": [event], "limited": True, "prev_batch": "p1"}})).rooms
    assert room.timeline == (Happened("$1", "@you:x", 1.5, Kind.MESSAGE, "hello", "t1"),)
    assert (room.limited, room.before) == (True, "p1")


def test_members_names_and_counts() -> None:
    [room] = read(
        sync(
            {
                "state": {"events": [member("@you:x", "join", "You"), NAMED]},
                "summary": {"m.heroes": ["@you:x"], "m.joined_member_count": 2, "m.invited_member_count": 0},
                "unread_notifications": {"notification_count": 7},
            }
        )
    ).rooms  # fmt: skip
    assert room.members == (Member("@you:x", "join", "You"),)
    assert (room.name, room.heroes, room.joined, room.invited, room.unread) == ("Team", ("@you:x",), 2, 0, 7)


def test_only_own_receipts_count_private_ones_too() -> None:
    content = {
        "$1": {"m.read": {ME: {"ts": 1}}},
        "$2": {"m.read": {"@you:x": {"ts": 1}}},
        "$3": {"m.read.private": {ME: {"ts": 1}}},
    }
    [room] = read(sync({"ephemeral": {"events": [{"type": "m.receipt", "content": content}]}})).rooms
    assert room.read == ("$1", "$3")


def test_an_invitation_says_who_asks_and_whether_for_two() -> None:
    events = [
        member("@you:x", "join", "You"),
        member(ME, "invite", sender="@you:x", content={"membership": "invite", "is_direct": True}),
    ]
    [invited] = read({"next_batch": "s", "rooms": {"invite": {"!a:x": {"invite_state": {"events": events}}}}}).invited
    assert (invited.inviter, invited.inviter_name, invited.direct, invited.name) == ("@you:x", "You", True, "")


def test_a_space_and_an_encrypted_room_are_told_apart_from_a_chat() -> None:
    create = {"type": "m.room.create", "state_key": "", "content": {"type": "m.space"}}
    # An empty content does not switch encryption off again.
    encryption = {"type": "m.room.encryption", "state_key": "", "content": {}}
    [room] = read(sync({"state": {"events": [create, encryption]}})).rooms
    assert (room.space, room.encrypted) == (True, True)
    [room] = read(sync({"state": {"events": [{**create, "content": {}}]}})).rooms
    assert (room.space, room.encrypted) == (False, None)


@pytest.mark.parametrize(
    ("content", "rotation"),
    [
        ({}, Rotation(604_800.0, 100)),
        ({"rotation_period_ms": 3_600_000, "rotation_period_msgs": 7}, Rotation(3600.0, 7)),
        ({"rotation_period_ms": "soon", "rotation_period_msgs": True}, Rotation()),
        ({"rotation_period_ms": -1, "rotation_period_msgs": 2**60}, Rotation()),
        ({"rotation_period_ms": 0, "rotation_period_msgs": 0}, Rotation(0.0, 1)),
    ],
)
def test_how_often_a_room_wants_new_keys(content: dict[str, Any], rotation: Rotation) -> None:
    encryption = {"type": "m.room.encryption", "state_key": "", "content": content}
    [room] = read(sync({"timeline": {"events": [encryption]}})).rooms
    assert room.rotation == rotation
    [room] = read(sync({})).rooms
    assert room.rotation is None


def test_rooms_left_and_direct_chats() -> None:
    account_data = {"events": [{"type": "m.direct", "content": {"@you:x": ["!a:x", 3], "@bad:x": "!b:x"}}]}
    batch = read({"next_batch": "s", "account_data": account_data, "rooms": {"leave": {"!c:x": {}}}})
    assert batch.left == ("!c:x",)
    assert batch.direct == frozenset({"!a:x"})


def test_history_ends_where_no_next_page_is_named() -> None:
    answer = {"chunk": [message("$2"), message("$1")], "end": "p2", "state": [member("@you:x", "join", "You")]}
    page = read_page(answer, "p1")
    assert [event.event_id for event in page.events] == ["$2", "$1"]
    assert (page.next, page.members[0].name) == ("p2", "You")
    assert read_page({"chunk": [], "end": "p3"}, "p2").next == "p3", "an empty page is not the last one"
    assert read_page({"chunk": [message("$1")]}, "p2").next == ""
    assert read_page({"chunk": [], "end": "p2"}, "p2").next == "", "it goes on where it was: there is no more"


def test_an_answer_without_a_token_is_none() -> None:
    assert read_batch({"rooms": {}}, ME) is None
    assert read_batch([], ME) is None


def test_lone_surrogates_do_not_reach_the_database() -> None:
    spelled = json.dumps(sync({"timeline": {"events": [message(body="\ud800")]}})).replace("!a:x", "!\\ud800")
    answer = json.loads(spelled)
    [room] = read(answer).rooms
    values = (room.room_id, room.timeline[0].text)
    assert sqlite3.connect(":memory:").execute("SELECT ?, ?", values).fetchone() == ("!?", "?")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@st.composite
def nearly_sync(draw: st.DrawFn) -> object:
    """A good answer in which some parts were put in the place of others, or replaced by anything."""
    good: dict[str, Any] = sync(
        {
            "state": {"events": [member("@you:x", "join", "You")]},
            "timeline": {"events": [message(unsigned={"transaction_id": "t"}), member(ME, "join")], "prev_batch": "p"},
            "ephemeral": {"events": [{"type": "m.receipt", "content": {"$1": {"m.read": {ME: {}}}}}]},
            "summary": {"m.heroes": ["@you:x"], "m.joined_member_count": 2},
            "unread_notifications": {"notification_count": 7},
        },
        account_data={"events": [{"type": "m.direct", "content": {"@you:x": ["!a:x"]}}]},
    )
    good["rooms"]["invite"] = {"!i:x": {"invite_state": {"events": [member(ME, "invite")]}}}

    def spoil(value: Any) -> Any:
        if draw(st.integers(0, 14)) == 0:
            return draw(anything)
        if isinstance(value, dict):
            return {key: spoil(inner) for key, inner in value.items()}
        return [spoil(inner) for inner in value] if isinstance(value, list) else value

    return spoil(good)


@given(nearly_sync() | anything)
def test_no_answer_raises(answer: object) -> None:
    batch = read_batch(answer, ME)
    page = read_page(answer, "")
    for room in batch.rooms if batch else ():
        assert all(event.event_id and event.sender and event.at >= 0 for event in room.timeline)
    assert all(event.event_id for event in page.events)


def test_who_may_read_history_and_who_is_in_the_room() -> None:
    visible = {"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": "joined"}}
    [room] = read(sync({"state": {"events": [visible]}})).rooms
    assert room.visibility == "joined"
    assert read_members({"chunk": [member("@you:x", "join", "You"), None, {}]}) == [Member("@you:x", "join", "You")]
    assert read_members([]) == read_members({"chunk": 3}) == []
