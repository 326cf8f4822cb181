"""Notifications of homeservers: read with tolerance, and made into payloads that fit."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.errors import WireError
from frontdesk.wire import matrix_push, webpush
from frontdesk.wire.matrix_push import Device, Notification, Wishes
from frontdesk.wire.rfc8030 import Urgency

KEYS = webpush.receiver_keys(bytes(range(40)), bytes(16))
DATA = {"endpoint": "https://push.example/push/x", "auth": KEYS.auth}
DEVICE = Device("org.frontdesk.lobby", KEYS.p256dh, DATA)

FROM_SYNAPSE: dict[str, Any] = {
    "id": "$event",
    "event_id": "$event",
    "room_id": "!room:demo",
    "type": "m.room.message",
    "sender": "@left:demo",
    "prio": "high",
    "membership": None,
    "sender_display_name": "Left",
    "room_name": None,
    "content": {"msgtype": "m.text", "body": "hello"},
    "counts": {"unread": 3},
    "devices": [
        {
            "app_id": "org.frontdesk.lobby",
            "pushkey": KEYS.p256dh,
            "pushkey_ts": 1700000000,
            "data": DATA,
            "tweaks": {"sound": "default", "highlight": False},
        }
    ],
}
BADGE: dict[str, Any] = {
    "id": "",
    "type": None,
    "sender": "",
    "counts": {"unread": 2},
    "devices": FROM_SYNAPSE["devices"],
}


def parse(fields: dict[str, Any]) -> Notification:
    return matrix_push.parse_notify(json.dumps({"notification": fields}).encode())


def test_what_synapse_sends_is_understood() -> None:
    notification = parse(FROM_SYNAPSE)
    assert notification.event_id == "$event"
    device = notification.devices[0]
    assert (device.app_id, device.pushkey, device.tweaks["sound"]) == ("org.frontdesk.lobby", KEYS.p256dh, "default")
    assert json.loads(matrix_push.payload(notification, device)) == {
        "event_id": "$event",
        "room_id": "!room:demo",
        "type": "m.room.message",
        "sender": "@left:demo",
        "sender_display_name": "Left",
        "prio": "high",
        "unread": 3,
        "content": {"msgtype": "m.text", "body": "hello"},
    }


def test_event_id_only_says_no_more_than_to_look() -> None:
    device = Device("app", KEYS.p256dh, DATA | {"format": "event_id_only"})
    assert json.loads(matrix_push.payload(parse(FROM_SYNAPSE), device)) == {
        "event_id": "$event",
        "room_id": "!room:demo",
        "prio": "high",
        "unread": 3,
    }


def test_a_message_asks_for_a_day_and_for_what_the_homeserver_thinks_of_it() -> None:
    high, low = parse(FROM_SYNAPSE), parse(FROM_SYNAPSE | {"prio": "low"})
    unsaid = parse({name: value for name, value in FROM_SYNAPSE.items() if name != "prio"})
    assert matrix_push.wishes(high, DEVICE) == Wishes(86400, Urgency.HIGH)
    assert matrix_push.wishes(low, DEVICE) == Wishes(86400, Urgency.LOW)
    assert matrix_push.wishes(unsaid, DEVICE) == Wishes(86400, Urgency.HIGH)


def test_a_call_is_urgent_and_soon_too_late() -> None:
    ringing = Device("app", KEYS.p256dh, DATA, {"sound": "ring"})
    assert matrix_push.wishes(parse(FROM_SYNAPSE), ringing) == Wishes(60, Urgency.HIGH)
    assert matrix_push.wishes(parse(FROM_SYNAPSE | {"type": "m.call.invite"}), DEVICE) == Wishes(60, Urgency.HIGH)


def test_a_badge_is_never_urgent_and_only_the_newest_counts() -> None:
    badge = parse(BADGE)
    assert badge.event_id is None
    assert matrix_push.wishes(badge, DEVICE) == Wishes(86400, Urgency.LOW, "badge")
    assert json.loads(matrix_push.payload(badge, DEVICE)) == {"unread": 2}


def test_an_app_that_counts_for_itself_gets_no_badges() -> None:
    counts_itself = Device("app", KEYS.p256dh, DATA | {"events_only": True})
    assert matrix_push.wanted(parse(BADGE), DEVICE)
    assert not matrix_push.wanted(parse(BADGE), counts_itself)
    assert matrix_push.wanted(parse(FROM_SYNAPSE), counts_itself)


def test_the_key_is_the_pushkey_or_stands_in_the_data() -> None:
    by_pushkey = matrix_push.target_of(DEVICE)
    by_data = matrix_push.target_of(Device("app", "some other key", DATA | {"p256dh": KEYS.p256dh}))
    assert by_pushkey == by_data == matrix_push.Target(DATA["endpoint"], KEYS.p256dh, KEYS.auth)


@pytest.mark.contract("P11")
@pytest.mark.parametrize(
    "device",
    [
        Device("app", KEYS.p256dh),
        Device("app", KEYS.p256dh, {"endpoint": "https://x"}),
        Device("app", KEYS.p256dh, {"auth": KEYS.auth}),
        Device("app", KEYS.p256dh, {"endpoint": 1, "auth": KEYS.auth}),
        Device("app", KEYS.p256dh, DATA | {"auth": "short"}),
        Device("app", "not a key", DATA),
        Device("app", KEYS.p256dh, DATA | {"p256dh": ["x"]}),
    ],
)
def test_a_device_whose_data_cannot_be_used_has_no_target(device: Device) -> None:
    assert matrix_push.target_of(device) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"notification": 1}',
        b'{"notification": {}}',
        b'{"notification": {"devices": []}}',
        b'{"notification": {"devices": {}}}',
        b'{"notification": {"devices": [1]}}',
        b'{"notification": {"devices": [{"app_id": "a"}]}}',
        b'{"notification": {"devices": [{"app_id": "a", "pushkey": ""}]}}',
        b'{"notification": {"event_id": 1, "devices": [{"app_id": "a", "pushkey": "b"}]}}',
        b'{"notification": {"room_id": "' + b"x" * 256 + b'", "devices": [{"app_id": "a", "pushkey": "b"}]}}',
        b'{"notification": {"devices": ' + b"[" * 100_000,
    ],
)
def test_what_is_no_notification_is_refused(body: bytes) -> None:
    with pytest.raises(WireError, match="not a push notification"):
        matrix_push.parse_notify(body)


def test_the_reply_names_the_dead() -> None:
    assert json.loads(matrix_push.reply(["a", "b"])) == {"rejected": ["a", "b"]}
    assert json.loads(matrix_push.reply([])) == {"rejected": []}


def test_a_long_message_loses_its_markup_then_its_end_then_itself() -> None:
    markup = {"body": "short", "formatted_body": "<b>" + "x" * 4000}
    assert json.loads(matrix_push.payload(parse(FROM_SYNAPSE | {"content": markup}), DEVICE))["content"] == {
        "body": "short"
    }
    long = {"body": "y" * 4000}
    shortened = json.loads(matrix_push.payload(parse(FROM_SYNAPSE | {"content": long}), DEVICE))
    assert shortened["content"] == {"body": "y" * 1000}
    ciphertext = {"ciphertext": "z" * 5000}
    without = json.loads(matrix_push.payload(parse(FROM_SYNAPSE | {"content": ciphertext}), DEVICE))
    assert "content" not in without
    assert without["sender_display_name"] == "Left"


texts = st.text(max_size=300)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    ["event_id", "room_id", "type", "sender", "prio", "counts", "content", "room_name", "user_is_target", "x"]
)
devices = st.lists(
    st.fixed_dictionaries(
        {"app_id": texts | json_values, "pushkey": texts | st.just(KEYS.p256dh)},
        optional={"data": json_values | st.just(DATA), "tweaks": json_values},
    )
)


@pytest.mark.contract("P11")
@given(st.dictionaries(names, json_values), devices)
def test_whatever_is_accepted_becomes_a_payload_that_fits(fields: dict[str, Any], entries: list[Any]) -> None:
    try:
        notification = parse(fields | {"devices": entries})
    except WireError:
        return
    for device in notification.devices:
        matrix_push.target_of(device)
        matrix_push.wishes(notification, device)
        for payload in (matrix_push.payload(notification, device), matrix_push.smallest_payload(notification)):
            assert len(payload) <= webpush.MOST_PLAIN
            assert isinstance(json.loads(payload), dict)


@given(st.binary(max_size=100))
def test_garbage_raises_nothing_but_wire_errors(body: bytes) -> None:
    with pytest.raises(WireError):
        matrix_push.parse_notify(body)
