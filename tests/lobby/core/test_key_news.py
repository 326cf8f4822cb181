"""Reading what a homeserver says about keys: what is good is understood, and nothing that anybody writes can raise."""

import json

from hypothesis import given
from hypothesis import strategies as st

from lobby.core.key_news import KeyNews, ToDevice, read_key_news

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def test_messages_changes_and_counts() -> None:
    news = read_key_news(
        {
            "to_device": {"events": [{"type": "m.dummy", "sender": "@you:x", "content": {"a": 1}}]},
            "device_lists": {"changed": ["@you:x"], "left": ["@gone:x"]},
            "device_one_time_keys_count": {"signed_curve25519": 7},
            "device_unused_fallback_key_types": [],
        }
    )
    assert news == KeyNews(
        (ToDevice("m.dummy", "@you:x", {"a": 1}),), frozenset(["@you:x"]), frozenset(["@gone:x"]), 7, True
    )


def test_a_homeserver_that_knows_no_fallback_keys_is_given_none() -> None:
    assert not read_key_news({}).fallback_used
    assert not read_key_news({"device_unused_fallback_key_types": ["signed_curve25519"]}).fallback_used


def test_what_is_no_message_is_left_out() -> None:
    wrong = [None, {}, {"type": "t", "sender": "@a:x"}, {"type": 1, "sender": "@a:x", "content": {}}]
    odd = {"type": "t", "sender": "\ud800", "content": {}}
    assert read_key_news({"to_device": {"events": [*wrong, odd]}}) == KeyNews()


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "to_device": JSON | st.fixed_dictionaries({"events": JSON}),
            "device_lists": JSON | st.fixed_dictionaries({"changed": JSON, "left": JSON}),
            "device_one_time_keys_count": JSON | st.fixed_dictionaries({"signed_curve25519": JSON}),
            "device_unused_fallback_key_types": JSON,
        },
    )
    | JSON
)
def test_nothing_raises(answer: object) -> None:
    news = read_key_news(answer)
    assert news.one_time_keys is None or news.one_time_keys >= 0
    json.dumps([message.content for message in news.messages])
