"""What a sender may post, and the number of each refusal."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from frontdesk.wire import rfc8030
from frontdesk.wire.rfc8030 import Problem, Push, Urgency


def parse(headers: dict[str, str], body: bytes = b"") -> Push | Problem:
    return rfc8030.parse_push(CIMultiDict(headers), body)


def test_the_least_a_sender_must_say() -> None:
    assert parse({"ttl": "0"}) == Push(ttl=0)


def test_all_that_a_sender_can_say() -> None:
    headers = {"TTL": "60", "Urgency": "High", "Topic": "room_1-a", "Content-Encoding": "aes128gcm"}
    assert parse(headers, b"x") == Push(ttl=60, body=b"x", urgency=Urgency.HIGH, topic="room_1-a")


def test_thirty_days_are_the_most() -> None:
    assert parse({"TTL": "99999999999"}) == Push(ttl=30 * 24 * 3600)


@pytest.mark.parametrize(
    ("headers", "body", "status", "errno"),
    [
        ({}, b"", 400, 111),
        ({"TTL": ""}, b"", 400, 114),
        ({"TTL": "-1"}, b"", 400, 114),
        ({"TTL": "1.5"}, b"", 400, 114),
        ({"TTL": "²"}, b"", 400, 114),
        ({"TTL": "9" * 5000}, b"", 400, 114),
        ({"TTL": "1"}, b"x", 400, 110),
        ({"TTL": "1", "Content-Encoding": "aesgcm"}, b"x", 400, 110),
        ({"TTL": "1", "Content-Encoding": "gzip"}, b"x", 400, 110),
        ({"TTL": "1", "Topic": ""}, b"", 400, 113),
        ({"TTL": "1", "Topic": "a b"}, b"", 400, 113),
        ({"TTL": "1", "Topic": "a" * 33}, b"", 400, 113),
        ({"TTL": "1", "Urgency": "very high"}, b"", 400, 1001),
        ({"TTL": "1", "Urgency": "low, high"}, b"", 400, 1001),
    ],
)
def test_a_refusal_has_its_number(headers: dict[str, str], body: bytes, status: int, errno: int) -> None:
    problem = parse(headers, body)
    assert isinstance(problem, Problem)
    assert (problem.status, problem.errno) == (status, errno)
    shown = json.loads(problem.body())
    assert (shown["code"], shown["errno"]) == (status, errno)
    assert shown["error"] and shown["message"] and shown["more_info"]


@pytest.mark.contract("P11")
def test_four_thousand_and_ninety_six_bytes_are_the_most() -> None:
    headers = {"TTL": "1", "Content-Encoding": "aes128gcm"}
    assert parse(headers, bytes(4096)) == Push(ttl=1, body=bytes(4096))
    assert parse(headers, bytes(4097)) == rfc8030.TOO_LARGE


def test_without_a_body_its_encoding_does_not_matter() -> None:
    assert parse({"TTL": "1", "Content-Encoding": "whatever"}) == Push(ttl=1)


header_texts = st.text(max_size=40) | st.sampled_from(["0", "60", "high", "aes128gcm", "topic"])


@pytest.mark.contract("P11")
@given(
    st.dictionaries(st.sampled_from(["TTL", "Urgency", "Topic", "Content-Encoding"]), header_texts),
    st.binary(max_size=10),
)
def test_garbage_is_refused_and_what_is_accepted_is_sound(headers: dict[str, str], body: bytes) -> None:
    push = parse(headers, body)
    if isinstance(push, Push):
        assert 0 <= push.ttl <= rfc8030.MOST_TTL
        assert push.topic is None or 1 <= len(push.topic) <= 32
        assert push.body == body
    else:
        assert push.status in (400, 413)


@given(
    st.builds(
        Push,
        ttl=st.integers(0, rfc8030.MOST_TTL),
        body=st.binary(max_size=10),
        urgency=st.sampled_from(Urgency),
        topic=st.none() | st.from_regex(r"[A-Za-z0-9_-]{1,32}", fullmatch=True),
    )
)
def test_the_headers_we_send_say_what_was_meant(push: Push) -> None:
    assert parse(rfc8030.push_headers(push), push.body) == push
