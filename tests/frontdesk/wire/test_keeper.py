"""Datagrams between keeper and desk: what is sent is what arrives, and anything else is a WireError."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.errors import WireError
from frontdesk.terms import Refusal
from frontdesk.wire import keeper as wire

texts = st.text(max_size=40)
numbers = st.integers(min_value=-(2**40), max_value=2**40)
pairs = st.lists(st.tuples(texts, numbers), max_size=5).map(tuple)

requests = st.one_of(
    st.builds(
        wire.Launch,
        app=texts,
        argv=st.lists(texts, max_size=5).map(tuple),
        env=st.dictionaries(texts, texts, max_size=5),
        cwd=texts,
        log=texts,
        cgroup=st.none() | texts,
        listen=st.booleans(),
    ),
    st.builds(wire.Listen, texts, numbers),
    st.builds(wire.Adopt, texts),
    st.builds(wire.Forget, texts),
    st.just(wire.ListPages()),
    st.just(wire.ListChildren()),
    st.builds(wire.Seen, numbers),
)
reports = st.one_of(
    st.builds(wire.Launched, numbers),
    st.builds(wire.Listening, numbers),
    st.builds(wire.Pages, pairs),
    st.builds(wire.Children, pairs),
    st.just(wire.Done()),
    st.builds(wire.Refused, st.sampled_from(wire.KeeperRefusal), texts),
    st.builds(wire.Exited, numbers, numbers),
)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(numbers, requests)
def test_request_arrives_as_it_was_sent(number: int, request: wire.Request) -> None:
    assert wire.decode_request(wire.encode(number, request)) == (number, request)


@given(numbers, reports)
def test_report_arrives_as_it_was_sent(number: int, report: wire.Report) -> None:
    assert wire.decode_report(wire.encode(number, report)) == (number, report)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_wire_error(data: bytes) -> None:
    for decode in (wire.decode_request, wire.decode_report):
        try:
            decode(data)
        except WireError as error:
            assert error.reason in (Refusal.BAD_REQUEST, Refusal.TOO_LARGE)


@given(requests | reports, st.data())
def test_one_wrong_field_is_a_message_or_a_wire_error(message: wire.Request | wire.Report, data: st.DataObject) -> None:
    raw = json.loads(wire.encode(1, message))
    raw[data.draw(st.sampled_from(sorted(raw)))] = data.draw(json_values)
    for decode in (wire.decode_request, wire.decode_report):
        try:
            number, found = decode(json.dumps(raw).encode())
        except WireError as error:
            assert error.reason is Refusal.BAD_REQUEST
        else:
            assert json.loads(wire.encode(number, found)) == raw


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(WireError):
        wire.decode_request(b"[" * 60_000 + b"]" * 60_000)


def test_too_large_is_refused_on_both_sides() -> None:
    environment = {"BIG": "x" * wire.DATAGRAM_MOST}
    with pytest.raises(WireError, match="Launch takes"):
        wire.encode(1, wire.Launch("a.b", ("x",), environment, "/", "/dev/null"))
    with pytest.raises(WireError, match="fit"):
        wire.decode_request(b" " * (wire.DATAGRAM_MOST + 1))


def test_a_name_that_is_no_text_survives() -> None:
    """Environment and arguments of Unix are bytes; Python carries odd ones as lone surrogates."""
    launch = wire.Launch("a.b", ("\udcff",), {"X": "\udc80"}, "/", "/dev/null")
    assert wire.decode_request(wire.encode(1, launch)) == (1, launch)
