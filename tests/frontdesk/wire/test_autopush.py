"""The autopush messages, both ends: round trips, frames as others write them, and garbage."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.errors import WireError
from frontdesk.wire import autopush

CHANNEL = "5ae2ab00-5f1a-4c5c-9d0b-5b6a0a1fbb2e"

channels = st.uuids().map(str)
words = st.text(max_size=40)
codes = st.none() | st.sampled_from([100, 101, 102])

client_messages = st.one_of(
    st.builds(autopush.Hello, uaid=st.none() | words),
    st.builds(autopush.Register, channel_id=channels, key=st.none() | words),
    st.builds(autopush.Unregister, channel_id=channels, code=codes),
    st.builds(
        autopush.Ack,
        updates=st.lists(st.builds(autopush.AckUpdate, channel_id=words, version=words, code=codes)).map(tuple),
    ),
    st.builds(autopush.Nack, version=words, code=codes),
    st.just(autopush.BroadcastSubscribe()),
    st.just(autopush.Ping()),
)
server_messages = st.one_of(
    st.builds(autopush.HelloReply, uaid=st.text(min_size=1, max_size=128), status=st.integers(100, 599)),
    st.builds(autopush.RegisterReply, channel_id=channels, status=st.integers(100, 599), endpoint=words),
    st.builds(autopush.UnregisterReply, channel_id=channels, status=st.integers(100, 599)),
    st.builds(
        autopush.Arrival,
        channel_id=channels,
        version=words,
        data=st.none() | words,
        headers=st.none() | st.dictionaries(words, words, max_size=3),
        ttl=st.none() | st.integers(0, 10**9),
    ),
    st.just(autopush.Broadcast()),
    st.just(autopush.Ping()),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=10,
)
near_misses = st.builds(
    lambda kind, fields: json.dumps(fields | {"messageType": kind}),
    st.sampled_from(["hello", "register", "unregister", "ack", "nack", "notification", "broadcast", "ping", "x"]),
    st.dictionaries(
        st.sampled_from(
            ["uaid", "channelID", "updates", "version", "data", "headers", "status", "ttl", "pushEndpoint"]
        ),
        json_values,
    ),
)


@given(client_messages)
def test_the_service_reads_what_the_desk_writes(message: autopush.ClientMessage) -> None:
    assert autopush.client_message(autopush.encode(message)) == message


@given(server_messages)
def test_the_desk_reads_what_the_service_writes(message: autopush.ServerMessage) -> None:
    assert autopush.server_message(autopush.encode(message)) == message


@pytest.mark.contract("P11")
@given(st.text() | json_values.map(json.dumps) | near_misses)
def test_garbage_raises_nothing_but_wire_errors(frame: str) -> None:
    for parse in (autopush.client_message, autopush.server_message):
        with contextlib.suppress(WireError):
            parse(frame)


@pytest.mark.contract("P11")
def test_deep_nesting_is_refused() -> None:
    for parse in (autopush.client_message, autopush.server_message):
        with pytest.raises(WireError):
            parse('{"a":' * 100_000)


def test_a_browser_is_understood() -> None:
    hello = (
        '{"messageType":"hello","broadcasts":{"remote-settings/monitor_changes":"\\"0\\""},"use_webpush":true,"x":1}'
    )
    assert autopush.client_message(hello) == autopush.Hello(uaid=None)
    subscribe = '{"messageType":"broadcast_subscribe","broadcasts":{"a/b":"1"}}'
    assert autopush.client_message(subscribe) == autopush.BroadcastSubscribe()


def test_a_ping_has_two_spellings() -> None:
    assert autopush.client_message("{}") == autopush.client_message('{"messageType":"ping"}') == autopush.Ping()
    assert autopush.encode(autopush.Ping()) == "{}"
    with pytest.raises(WireError, match="messageType is missing"):
        autopush.client_message('{"uaid":"x"}')


@pytest.mark.parametrize("channel", ["", "abc", CHANNEL.upper(), CHANNEL.replace("-", ""), CHANNEL + "\n"])
def test_a_channel_id_that_is_no_uuid_is_refused(channel: str) -> None:
    with pytest.raises(WireError, match="channelID"):
        autopush.client_message(json.dumps({"messageType": "register", "channelID": channel}))


def test_a_message_without_a_body_has_neither_data_nor_headers() -> None:
    frame = json.loads(autopush.encode(autopush.Arrival(channel_id=CHANNEL, version="v")))
    assert frame == {"messageType": "notification", "channelID": CHANNEL, "version": "v"}
    assert autopush.Arrival(channel_id=CHANNEL, version="v").body() == b""


def test_the_body_comes_out_as_it_was_posted() -> None:
    frame = json.dumps(
        {
            "messageType": "notification",
            "channelID": CHANNEL,
            "version": "gAAA",
            "data": "_-8",
            "headers": {"encoding": "aes128gcm"},
            "reliability_id": "internal",
        }
    )
    message = autopush.server_message(frame)
    assert isinstance(message, autopush.Arrival)
    assert message.body() == b"\xff\xef"
    assert message.ttl is None


def test_a_newer_service_may_say_what_we_do_not_know() -> None:
    assert autopush.server_message('{"messageType":"urgency","status":200}') == autopush.Other("urgency")


@pytest.mark.parametrize("uaid", ["", "x" * 129])
def test_a_uaid_of_absurd_length_is_refused(uaid: str) -> None:
    with pytest.raises(WireError, match="uaid"):
        autopush.server_message(json.dumps({"messageType": "hello", "uaid": uaid, "status": 200}))


def test_a_uaid_is_compared_without_dashes_and_nonsense_counts_as_absent() -> None:
    assert autopush.plain_uaid(CHANNEL) == CHANNEL.replace("-", "")
    assert autopush.plain_uaid(CHANNEL.upper()) == CHANNEL.replace("-", "")
    assert autopush.plain_uaid("") is autopush.plain_uaid(None) is autopush.plain_uaid("nobody") is None
