"""Messages between app and desk: what is sent is what arrives, and anything else is a WireError."""

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.errors import WireError
from frontdesk.terms import Refusal
from frontdesk.wire import desk as wire

TO_DESK = get_args(wire.ToDesk)
TO_APP = get_args(wire.ToApp)

# Surrogates are no text for msgpack; no message holds any.
st.register_type_strategy(str, st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
st.register_type_strategy(float, st.floats(allow_nan=False))
st.register_type_strategy(int, st.integers(-(2**63), 2**63 - 1))

to_desk = st.sampled_from(TO_DESK).flatmap(st.from_type)
to_app = st.sampled_from(TO_APP).flatmap(st.from_type)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats()
    | st.text(max_size=10)
    | st.binary(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


@given(to_desk)
def test_what_an_app_sends_is_what_the_desk_reads(message: wire.ToDesk) -> None:
    assert wire.decode_at_desk(wire.encode(message)) == message


@given(to_app)
def test_what_the_desk_sends_is_what_an_app_reads(message: wire.ToApp) -> None:
    assert wire.decode_at_app(wire.encode(message)) == message


def read_either_way(body: bytes) -> list[object]:
    read: list[object] = []
    for decode in (wire.decode_at_desk, wire.decode_at_app):
        try:
            read.append(decode(body))
        except WireError as error:
            assert error.reason is Refusal.BAD_REQUEST
            assert "Nothing of it was used" in str(error)
    return read


@pytest.mark.contract("X02")
@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_wire_error(body: bytes) -> None:
    read_either_way(body)


@pytest.mark.contract("X02")
@given(values)
def test_any_msgpack_is_a_message_or_a_wire_error(value: Any) -> None:
    read_either_way(msgspec.msgpack.encode(value))


@pytest.mark.contract("X02")
@given(to_desk | to_app, st.data())
def test_one_wrong_field_is_a_message_or_a_wire_error(message: wire.ToDesk | wire.ToApp, data: st.DataObject) -> None:
    raw = msgspec.msgpack.decode(wire.encode(message))
    raw[data.draw(st.sampled_from(sorted(raw)))] = data.draw(values)
    read_either_way(msgspec.msgpack.encode(raw))


@pytest.mark.contract("X02")
@given(to_desk, st.data())
def test_a_message_cut_short_is_refused(message: wire.ToDesk, data: st.DataObject) -> None:
    body = wire.encode(message)
    assert read_either_way(body[: data.draw(st.integers(0, len(body) - 1))]) == []


@pytest.mark.contract("X02")
@pytest.mark.parametrize("body", [b"\x91" * 200_000, b"\x81\xa1a" * 200_000, b"\xc1", b"", b"\x81\xa2is\xa2\xff\xfe"])
def test_what_is_nested_deep_or_no_text_is_refused(body: bytes) -> None:
    assert read_either_way(body) == []


@pytest.mark.contract("X02")
def test_a_message_for_the_other_side_is_refused() -> None:
    with pytest.raises(WireError):
        wire.decode_at_desk(wire.encode(wire.Open()))
    with pytest.raises(WireError):
        wire.decode_at_app(wire.encode(wire.Foreground()))


@pytest.mark.contract("X03")
def test_fields_that_a_later_version_adds_are_passed_over() -> None:
    raw = msgspec.msgpack.decode(wire.encode(wire.BeginTask(1, "send"))) | {"colour": "blue"}
    assert wire.decode_at_desk(msgspec.msgpack.encode(raw)) == wire.BeginTask(1, "send")


@pytest.mark.contract("X03")
@given(st.integers(-5, 10), st.integers(-5, 10))
def test_the_version_agreed_is_the_newest_that_both_speak(oldest: int, newest: int) -> None:
    both = [v for v in range(wire.OLDEST, wire.NEWEST + 1) if oldest <= v <= newest]
    assert wire.agreed_version(oldest, newest) == (max(both) if both else None)


@pytest.mark.contract("X03")
@pytest.mark.parametrize(
    ("ours", "theirs", "agreed"), [((2, 4), (3, 9), 4), ((2, 4), (1, 2), 2), ((2, 4), (5, 6), None)]
)
def test_versions_with_a_longer_history_meet_as_well(
    monkeypatch: pytest.MonkeyPatch, ours: tuple[int, int], theirs: tuple[int, int], agreed: int | None
) -> None:
    monkeypatch.setattr(wire, "OLDEST", ours[0])
    monkeypatch.setattr(wire, "NEWEST", ours[1])
    assert wire.agreed_version(*theirs) == agreed


def test_each_message_has_a_tag_of_its_own_on_its_way() -> None:
    for side in (TO_DESK, TO_APP):
        tags = [message.__struct_config__.tag for message in side]
        assert len(tags) == len(set(tags))
