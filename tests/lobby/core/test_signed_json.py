"""Canonical JSON and signatures, against the specification's vectors and Synapse's own libraries."""

from typing import Any

import canonicaljson
import pytest
import signedjson.key
import signedjson.sign
from hypothesis import given
from hypothesis import strategies as st

from lobby.core import unpadded
from lobby.core.canonical_json import canonical
from lobby.core.signed_json import is_signed, public_key, sign, with_signature

SEED = unpadded.decode("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")
"""Of the specification, "Appendices: Cryptographic Test Vectors"."""

VECTORS: list[tuple[dict[str, Any], str]] = [
    ({}, "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"),
    (
        {"one": 1, "two": "Two"},
        "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw",
    ),
]

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(("thing", "signature"), VECTORS)
def test_the_vectors_of_the_specification(thing: dict[str, Any], signature: str) -> None:
    assert sign(thing, SEED) == signature
    signed = with_signature(thing, "domain", "1", signature)
    assert is_signed(signed, "domain", "1", public_key(SEED))


@given(VALUES)
def test_canonical_json_is_what_a_homeserver_makes_of_it(value: Any) -> None:
    assert canonical(value) == canonicaljson.encode_canonical_json(value)


@given(st.dictionaries(st.text(max_size=8), VALUES, max_size=4), st.binary(min_size=32, max_size=32))
def test_a_homeserver_accepts_our_signatures_and_we_accept_its(thing: dict[str, Any], seed: bytes) -> None:
    bare = {name: value for name, value in thing.items() if name not in ("signatures", "unsigned")}
    key = signedjson.key.decode_signing_key_base64("ed25519", "DEVICE", unpadded.encode(seed))
    ours = with_signature(bare, "@a:b", "DEVICE", sign(bare, seed))
    signedjson.sign.verify_signed_json(ours, "@a:b", signedjson.key.get_verify_key(key))
    theirs = signedjson.sign.sign_json(dict(bare), "@a:b", key)
    assert is_signed(theirs, "@a:b", "DEVICE", public_key(seed))


@given(st.dictionaries(st.text(max_size=8), VALUES, max_size=4))
def test_a_changed_object_is_not_signed(thing: dict[str, Any]) -> None:
    bare = {name: value for name, value in thing.items() if name not in ("signatures", "unsigned", "more")}
    signed = with_signature(bare, "@a:b", "K", sign(bare, SEED))
    assert is_signed({**signed, "unsigned": {"age": 1}}, "@a:b", "K", public_key(SEED))
    assert not is_signed({**signed, "more": 1}, "@a:b", "K", public_key(SEED))
    assert not is_signed(signed, "@c:b", "K", public_key(SEED))
    assert not is_signed(signed, "@a:b", "L", public_key(SEED))
    assert not is_signed(signed, "@a:b", "K", public_key(bytes(32)))


def test_a_second_signature_leaves_the_first() -> None:
    once = with_signature({"a": 1}, "@a:b", "K", "one")
    twice = with_signature(with_signature(once, "@a:b", "L", "two"), "@c:d", "M", "three")
    assert twice["signatures"] == {"@a:b": {"ed25519:K": "one", "ed25519:L": "two"}, "@c:d": {"ed25519:M": "three"}}
    assert once["signatures"] == {"@a:b": {"ed25519:K": "one"}}


@pytest.mark.parametrize("value", [0.5, float("nan"), 2**53, -(2**53), "\ud800", {1: 2}, b"bytes"])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(ValueError):
        canonical({"a": [value]})


def test_a_deep_object_is_refused_and_not_signed() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(ValueError, match="too deep"):
        canonical(deep)
    assert not is_signed({**deep, "signatures": {"@a:b": {"ed25519:K": "AA"}}}, "@a:b", "K", public_key(SEED))


@given(VALUES, st.text(max_size=10))
def test_garbage_is_never_signed(thing: Any, text: str) -> None:
    assert not is_signed(thing, "@a:b", "K", public_key(SEED))
    assert not is_signed({"signatures": thing}, "@a:b", "K", text)
    assert not is_signed({"signatures": {"@a:b": {"ed25519:K": text}}}, "@a:b", "K", public_key(SEED))
