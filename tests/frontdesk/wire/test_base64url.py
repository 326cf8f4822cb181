"""base64url: what we write we read, padded or not; what is not base64url is refused, not skipped over."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.errors import WireError
from frontdesk.wire import base64url


@given(st.binary(max_size=100))
def test_what_is_written_is_read_with_and_without_padding(raw: bytes) -> None:
    text = base64url.encode(raw)
    assert base64url.decode(text, "it") == raw
    assert base64url.decode(text + "=" * (-len(text) % 4), "it") == raw


@pytest.mark.parametrize("text", ["a", "ab!c", "ab+/", "a=bc", "ab===", "äöü", "ab\n"])
def test_what_is_not_base64url_is_refused_by_name(text: str) -> None:
    with pytest.raises(WireError, match="the key is not base64url"):
        base64url.decode(text, "the key")


@given(st.text(max_size=50))
def test_garbage_raises_nothing_but_wire_errors(text: str) -> None:
    with contextlib.suppress(WireError):
        base64url.decode(text, "it")
