"""Unpadded Base64, against the specification's examples and garbage."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobby.core import unpadded

EXAMPLES = {"": "", "f": "Zg", "fo": "Zm8", "foo": "Zm9v", "foob": "Zm9vYg", "fooba": "Zm9vYmE", "foobar": "Zm9vYmFy"}
"""Matrix specification, "Appendices: Unpadded Base64"."""


@pytest.mark.parametrize(("text", "encoded"), EXAMPLES.items())
def test_it_is_written_and_read_as_the_specification_shows(text: str, encoded: str) -> None:
    assert unpadded.encode(text.encode()) == encoded
    assert unpadded.decode(encoded) == text.encode()


@given(st.binary(max_size=100))
def test_padding_is_read_as_well(data: bytes) -> None:
    text = unpadded.encode(data)
    assert unpadded.decode(text + "=" * (-len(text) % 4), len(data)) == data


@pytest.mark.parametrize("text", [None, 1, b"Zg", "Zm9v!", "Zm 9v", "Zm9v-_", "Z"])
def test_what_is_no_base64_is_refused(text: object) -> None:
    with pytest.raises(ValueError):
        unpadded.decode(text)


def test_a_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="3 bytes instead of 32"):
        unpadded.decode("Zm9v", 32)


@given(st.text(max_size=50))
def test_garbage_is_bytes_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(unpadded.decode(text), bytes)
