"""Frames: whole bodies come out however the bytes were cut, and too large a one is refused at its head."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.errors import WireError
from frontdesk.terms import Refusal
from frontdesk.wire.frames import MOST_BYTES, FrameReader, frame


@pytest.mark.contract("X02")
def test_the_limit_is_a_mebibyte_on_both_sides() -> None:
    assert MOST_BYTES == 1024 * 1024
    largest = b"x" * MOST_BYTES
    assert FrameReader().feed(frame(largest)) == [largest]
    with pytest.raises(WireError) as refused:
        frame(largest + b"x")
    assert refused.value.reason is Refusal.TOO_LARGE


@pytest.mark.contract("X02")
@given(st.integers(MOST_BYTES + 1, 2**32 - 1), st.lists(st.binary(max_size=20), max_size=3))
def test_too_large_is_refused_at_its_head_before_anything_is_kept(length: int, before: list[bytes]) -> None:
    reader = FrameReader()
    good = b"".join(frame(body) for body in before)
    assert reader.feed(good + length.to_bytes(4, "big")[:3]) == before
    with pytest.raises(WireError) as refused:
        reader.feed(length.to_bytes(4, "big")[3:])
    assert refused.value.reason is Refusal.TOO_LARGE
    assert str(length) in str(refused.value)


@given(st.lists(st.binary(max_size=300), max_size=8), st.data())
def test_bodies_come_out_whole_however_the_bytes_are_cut(bodies: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(frame(body) for body in bodies)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    reader = FrameReader()
    out: list[bytes] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        out += reader.feed(stream[start:end])
    assert out == bodies
    assert reader.unfinished == 0


@pytest.mark.contract("X02")
@given(st.lists(st.binary(max_size=40), max_size=8))
def test_any_bytes_are_frames_or_a_wire_error(pieces: list[bytes]) -> None:
    reader = FrameReader()
    fed = 0
    taken = 0
    try:
        for piece in pieces:
            fed += len(piece)
            taken += sum(len(body) + 4 for body in reader.feed(piece))
            assert reader.unfinished == fed - taken
    except WireError as error:
        assert error.reason is Refusal.TOO_LARGE


def test_an_empty_body_is_a_frame() -> None:
    assert FrameReader().feed(b"\0\0\0\0\0\0\0\x01x") == [b"", b"x"]


def test_what_is_unfinished_is_counted() -> None:
    reader = FrameReader()
    assert reader.feed(frame(b"hello")[:-1]) == []
    assert reader.unfinished == 8
    assert reader.feed(b"o") == [b"hello"]
    assert reader.unfinished == 0
