"""What both ends work out: codes that vouch for keys, read from whatever the other end sends."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobby.core import sas
from lobby.core.sas import Party, TheirKeys

LEFT, RIGHT = Party("@left:test", "LEFTDEV"), Party("@right:test", "RIGHTDEV")
KEYS = TheirKeys("device key", "master key")
OWN = {"ed25519:LEFTDEV": "device key", "ed25519:master key": "master key"}


class ToySecret:
    def emoji(self, info: str) -> Sequence[int]:
        return list(hashlib.sha256(info.encode()).digest()[:7])

    def mac(self, text: str, info: str) -> str:
        return hashlib.sha256(f"{info}\0{text}".encode()).hexdigest()


def test_what_one_end_vouches_for_the_other_end_finds() -> None:
    sent = sas.macs(ToySecret(), LEFT, RIGHT, "id", OWN)
    assert sas.vouched(ToySecret(), LEFT, RIGHT, "id", sent, KEYS) == {"device key", "master key"}


def test_keys_that_we_do_not_know_are_passed_over() -> None:
    sent = sas.macs(ToySecret(), LEFT, RIGHT, "id", {**OWN, "ed25519:ANOTHER": "whatever"})
    assert sas.vouched(ToySecret(), LEFT, RIGHT, "id", sent, KEYS) == {"device key", "master key"}


@pytest.mark.parametrize("left_out", OWN)
def test_a_key_taken_away_on_the_way_is_noticed(left_out: str) -> None:
    sent = sas.macs(ToySecret(), LEFT, RIGHT, "id", OWN)
    del sent["mac"][left_out]
    with pytest.raises(ValueError, match="left out"):
        sas.vouched(ToySecret(), LEFT, RIGHT, "id", sent, KEYS)


@pytest.mark.parametrize(("sender", "id"), [(RIGHT, "id"), (Party("@left:test", "OTHER"), "id"), (LEFT, "another")])
def test_codes_hold_for_one_direction_and_one_verification(sender: Party, id: str) -> None:
    sent = sas.macs(ToySecret(), LEFT, RIGHT, "id", OWN)
    with pytest.raises(ValueError, match="left out"):
        sas.vouched(ToySecret(), sender, RIGHT, id, sent, KEYS)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(json_values | st.fixed_dictionaries({"mac": json_values, "keys": json_values}))
def test_garbage_vouches_for_nothing(content: object) -> None:
    with pytest.raises(ValueError, match=r"no codes|added or left out"):
        sas.vouched(ToySecret(), LEFT, RIGHT, "id", content, KEYS)
