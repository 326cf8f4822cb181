"""Whether a person is verified: every case, and what a homeserver can and cannot bring about."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobby.core import identity
from lobby.core.batch import Json
from lobby.core.identity import Identity, Seeds
from lobby.core.people import PersonStanding, standing, with_devices
from lobby.core.signed_json import public_key

ME, THEM = "@me:x", "@them:x"
MINE, THEIRS, LATER = (Seeds(*(bytes([number + part]) * 32 for part in range(3))) for number in (1, 11, 21))


def shown(user_id: str, seeds: Seeds, signed_by: Seeds | None = None) -> Identity:
    """An identity as the homeserver shows it, ``signed_by`` somebody who verified it."""
    found = identity.read(user_id, {name + "s": {user_id: thing} for name, thing in published(user_id, seeds)})
    assert found is not None
    if signed_by is None:
        return found
    return replace(found, master_object=identity.person_signature(found, ME, signed_by))


def published(user_id: str, seeds: Seeds) -> list[tuple[str, Json]]:
    return [*identity.published(user_id, seeds).items()]


MY_OWN = shown(ME, MINE)
COMPARED = public_key(THEIRS.master)


def device(id: str, signed_by: Seeds | None = None) -> Json:
    """Keys of a device of theirs as the homeserver shows them."""
    keys: Json = {"user_id": THEM, "device_id": id, "keys": {f"ed25519:{id}": id}}
    return identity.device_signature(keys, THEM, signed_by) if signed_by is not None else keys


@pytest.mark.parametrize(
    ("compared", "mine", "now", "expected"),
    [
        ("", MY_OWN, None, PersonStanding.UNVERIFIED),
        ("", MY_OWN, shown(THEM, THEIRS), PersonStanding.UNVERIFIED),
        ("", MY_OWN, shown(THEM, THEIRS, MINE), PersonStanding.VERIFIED),
        ("", None, shown(THEM, THEIRS, MINE), PersonStanding.UNVERIFIED),
        ("", MY_OWN, shown(THEM, THEIRS, LATER), PersonStanding.UNVERIFIED),
        (COMPARED, MY_OWN, shown(THEM, THEIRS), PersonStanding.VERIFIED),
        (COMPARED, None, shown(THEM, THEIRS), PersonStanding.VERIFIED),
        (COMPARED, MY_OWN, None, PersonStanding.VERIFIED),
        (COMPARED, MY_OWN, shown(THEM, LATER), PersonStanding.CHANGED),
        (COMPARED, MY_OWN, shown(THEM, LATER, MINE), PersonStanding.VERIFIED),
    ],
    ids=[
        "nobody compared, nothing is shown",
        "nobody compared",
        "another device of mine has signed them",
        "signed by an identity that may not be mine",
        "signed by an identity that is not mine any more",
        "the one that was compared",
        "the one that was compared, though mine is not known",
        "their homeserver does not answer",
        "another one",
        "another one, which another device of mine has verified",
    ],
)
def test_how_the_person_stands(
    compared: str, mine: Identity | None, now: Identity | None, expected: PersonStanding
) -> None:
    assert standing(compared, mine, now) is expected


def test_an_identity_that_is_forged_is_another_one_for_who_was_verified() -> None:
    assert standing(COMPARED, MY_OWN, None, forged=True) is PersonStanding.CHANGED
    assert standing("", MY_OWN, None, forged=True) is PersonStanding.UNVERIFIED


@pytest.mark.parametrize("before", [one for one in PersonStanding if one is not PersonStanding.UNVERIFIED])
def test_one_whose_homeserver_does_not_answer_is_as_before(before: PersonStanding) -> None:
    assert standing(COMPARED, MY_OWN, None, before=before) is before
    assert standing("", MY_OWN, None, before=before) is PersonStanding.UNVERIFIED
    assert standing(COMPARED, MY_OWN, shown(THEM, THEIRS), before=before) is PersonStanding.VERIFIED


def test_a_device_that_a_verified_person_has_not_signed_is_told_of() -> None:
    theirs, own, other = shown(THEM, THEIRS), device("OWN", THEIRS), device("OTHER")
    assert with_devices(PersonStanding.VERIFIED, theirs, [own]) is PersonStanding.VERIFIED
    assert with_devices(PersonStanding.VERIFIED, theirs, [own, other]) is PersonStanding.UNVERIFIED_DEVICE
    assert with_devices(PersonStanding.VERIFIED, theirs, [own, device("OTHER", THEIRS)]) is PersonStanding.VERIFIED
    renamed = {**device("OWN", THEIRS), "device_id": "OTHER"}
    assert with_devices(PersonStanding.VERIFIED, theirs, [renamed]) is PersonStanding.UNVERIFIED_DEVICE
    assert with_devices(PersonStanding.VERIFIED, None, [other]) is PersonStanding.VERIFIED
    for found in (PersonStanding.UNVERIFIED, PersonStanding.CHANGED):
        assert with_devices(found, theirs, [other]) is found, "they are told of in another way, or not at all"


@given(signers=st.lists(st.sampled_from([None, THEIRS, MINE, LATER])))
def test_only_their_own_signature_makes_a_device_theirs(signers: list[Seeds | None]) -> None:
    devices = [device(f"D{number}", signer) for number, signer in enumerate(signers)]
    theirs = all(signer is THEIRS for signer in signers)
    expected = PersonStanding.VERIFIED if theirs else PersonStanding.UNVERIFIED_DEVICE
    assert with_devices(PersonStanding.VERIFIED, shown(THEM, THEIRS), devices) is expected


@given(seed=st.binary(min_size=32, max_size=32), known=st.booleans(), forged=st.booleans())
def test_no_homeserver_makes_somebody_verified_by_an_identity_of_its_own_making(
    seed: bytes, known: bool, forged: bool
) -> None:
    made_up = Seeds(seed, seed[::-1], seed)
    theirs = shown(THEM, made_up, signed_by=made_up)
    expected = PersonStanding.CHANGED if known else PersonStanding.UNVERIFIED
    assert standing(COMPARED if known else "", MY_OWN, theirs, forged) is expected
