"""Cross-signing identities: made, read, and refused when their chain does not hold."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobby.core import identity
from lobby.core.identity import Seeds
from lobby.core.signed_json import public_key, sign, with_signature

ME, OTHER = "@me:here", "@other:there"
SEEDS = Seeds(b"m" * 32, b"s" * 32, b"u" * 32)
OTHER_SEEDS = Seeds(b"M" * 32, b"S" * 32, b"U" * 32)
DEVICE = {"user_id": ME, "device_id": "DEV", "algorithms": [], "keys": {"ed25519:DEV": "x", "curve25519:DEV": "y"}}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["user_id", "usage", "keys", "signatures", ME, "master", f"ed25519:{'a' * 43}"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


def answer(user_id: str = ME, seeds: Seeds = SEEDS, **changed: Any) -> dict[str, Any]:
    """What /keys/query says once the identity is published."""
    objects = {**identity.published(user_id, seeds), **changed}
    return {f"{name}s": {user_id: thing} for name, thing in objects.items()}


def test_what_is_published_is_read() -> None:
    found = identity.read(ME, answer())
    assert found is not None
    assert found.master == public_key(SEEDS.master)
    assert found.self_signing == public_key(SEEDS.self_signing)
    assert found.user_signing == public_key(SEEDS.user_signing)
    assert identity.belongs(SEEDS, found)


def test_of_others_one_sees_no_user_signing_key() -> None:
    shown = answer(OTHER, OTHER_SEEDS)
    del shown["user_signing_keys"]
    found = identity.read(OTHER, shown)
    assert found is not None and found.user_signing == ""


def test_nobody_has_an_identity_before_making_one() -> None:
    assert identity.read(ME, {}) is None
    assert identity.read(ME, {"master_keys": {OTHER: {}}}) is None
    assert identity.read(ME, None) is None


@pytest.mark.parametrize(
    ("seeds", "belongs"),
    [
        (SEEDS, True),
        (Seeds(SEEDS.master, SEEDS.self_signing), True),
        (Seeds(b"", SEEDS.self_signing), True),
        (Seeds(b"", b""), False),
        (OTHER_SEEDS, False),
        (Seeds(SEEDS.master, OTHER_SEEDS.self_signing, SEEDS.user_signing), False),
        (Seeds(SEEDS.master, SEEDS.self_signing, OTHER_SEEDS.user_signing), False),
    ],
)
def test_seeds_belong_to_the_identity_whose_keys_they_make(seeds: Seeds, belongs: bool) -> None:
    found = identity.read(ME, answer())
    assert found is not None and identity.belongs(seeds, found) is belongs


def test_a_self_signing_key_that_the_homeserver_slips_in_is_refused() -> None:
    forged = identity.published(ME, OTHER_SEEDS)["self_signing_key"]
    with pytest.raises(ValueError, match="not signed by the master key"):
        identity.read(ME, answer(self_signing_key=forged))
    with pytest.raises(ValueError, match="not signed by the master key"):
        identity.read(ME, answer(user_signing_key=identity.published(ME, OTHER_SEEDS)["user_signing_key"]))


def test_a_key_for_something_else_is_refused() -> None:
    objects = identity.published(ME, SEEDS)
    with pytest.raises(ValueError, match="for something else"):
        identity.read(ME, answer(self_signing_key=objects["user_signing_key"]))
    with pytest.raises(ValueError, match="somebody else's"):
        identity.read(ME, answer(master_key=identity.published(OTHER, SEEDS)["master_key"]))


def test_a_master_key_alone_or_two_at_once_are_refused() -> None:
    shown = answer()
    del shown["self_signing_keys"]
    with pytest.raises(ValueError, match="no self-signing key"):
        identity.read(ME, shown)
    master = identity.published(ME, SEEDS)["master_key"]
    two = {**master, "keys": {**master["keys"], "ed25519:other": "other"}}
    with pytest.raises(ValueError, match="not one key"):
        identity.read(ME, answer(master_key=two))
    misnamed = {**master, "keys": {"ed25519:other": public_key(SEEDS.master)}}
    with pytest.raises(ValueError, match="not named after itself"):
        identity.read(ME, answer(master_key=misnamed))


def test_a_device_is_signed_by_the_self_signing_key_only() -> None:
    mine = identity.read(ME, answer())
    assert mine is not None
    assert not identity.has_signed_device(mine, DEVICE)
    signed = identity.device_signature(DEVICE, ME, SEEDS)
    assert identity.has_signed_device(mine, signed)
    assert not identity.has_signed_device(mine, {**signed, "device_id": "EVIL"})
    by_another = identity.device_signature(DEVICE, ME, OTHER_SEEDS)
    assert not identity.has_signed_device(mine, by_another)
    assert not identity.has_signed_device(mine, identity.device_signature({**DEVICE, "user_id": OTHER}, ME, SEEDS))


def test_an_uploaded_signature_leaves_out_those_of_others() -> None:
    own = with_signature(dict(DEVICE), ME, "DEV", "of the device")
    signed = identity.device_signature({**own, "unsigned": {"device_display_name": "x"}}, ME, SEEDS)
    assert signed == {**DEVICE, "signatures": signed["signatures"]}
    assert list(signed["signatures"][ME]) == [f"ed25519:{public_key(SEEDS.self_signing)}"]


def test_a_person_is_signed_by_the_user_signing_key() -> None:
    mine, other = identity.read(ME, answer()), identity.read(OTHER, answer(OTHER, OTHER_SEEDS))
    assert mine is not None and other is not None
    assert not identity.has_signed_person(mine, other)
    signed = identity.person_signature(other, ME, SEEDS)
    again = identity.read(OTHER, answer(OTHER, OTHER_SEEDS, master_key=signed))
    assert again is not None and identity.has_signed_person(mine, again)
    # The same person with another identity is not who was verified.
    anew = Seeds(b"n" * 32, b"o" * 32, b"p" * 32)
    carried = {**identity.published(OTHER, anew)["master_key"], "signatures": signed["signatures"]}
    changed = identity.read(OTHER, answer(OTHER, anew, master_key=carried))
    assert changed is not None and not identity.has_signed_person(mine, changed)


@given(JSON, JSON, JSON)
def test_garbage_is_no_identity_or_a_value_error(master: Any, self_signing: Any, device: Any) -> None:
    shown = {"master_keys": {ME: master}, "self_signing_keys": {ME: self_signing}, "user_signing_keys": device}
    try:
        found = identity.read(ME, shown)
    except ValueError:
        found = None
    assert found is None
    mine = identity.read(ME, answer())
    assert mine is not None and not identity.has_signed_device(mine, device)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_only_the_master_keys_own_signature_makes_a_chain(master: bytes, signer: bytes) -> None:
    seeds = Seeds(master, SEEDS.self_signing, SEEDS.user_signing)
    thing = {
        name: value for name, value in identity.published(ME, seeds)["self_signing_key"].items() if name != "signatures"
    }
    forged = with_signature(thing, ME, public_key(master), sign(thing, signer))
    if master == signer:
        assert identity.read(ME, answer(seeds=seeds, self_signing_key=forged)) is not None
    else:
        with pytest.raises(ValueError):
            identity.read(ME, answer(seeds=seeds, self_signing_key=forged))
