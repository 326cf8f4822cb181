"""Secret storage: what is sealed opens with its key and name only; descriptions of hostile homeservers are refused."""

from typing import Any

import pytest
from Crypto.Cipher import AES
from Crypto.Hash import HMAC, SHA256
from Crypto.Protocol.KDF import HKDF
from hypothesis import given
from hypothesis import strategies as st

from lobby.core import secret_storage, unpadded
from lobby.errors import RecoveryRefused

KEY = bytes(range(32))
IVS = st.binary(min_size=16, max_size=16)
KEYS = st.binary(min_size=32, max_size=32)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: st.dictionaries(st.sampled_from(["iv", "mac", "ciphertext", "passphrase", "x"]), inner, max_size=4),
    max_leaves=6,
)


@given(KEYS, st.text(max_size=30), st.binary(max_size=200), IVS)
def test_a_secret_opens_with_its_key_under_its_name(key: bytes, name: str, secret: bytes, iv: bytes) -> None:
    sealed = secret_storage.seal(key, name, secret, iv)
    assert secret_storage.open_secret(key, name, sealed) == secret
    for other_key, other_name in ((bytes(32) if key != bytes(32) else KEY, name), (key, name + "x")):
        with pytest.raises(ValueError, match="another key"):
            secret_storage.open_secret(other_key, other_name, sealed)


@given(KEYS, st.binary(min_size=1, max_size=100), IVS)
def test_another_library_opens_it(key: bytes, secret: bytes, iv: bytes) -> None:
    sealed = secret_storage.seal(key, "m.cross_signing.master", secret, iv)
    derived: Any = HKDF(key, 32, bytes(32), SHA256, 2, b"m.cross_signing.master")
    aes, sealing = derived
    ciphertext = unpadded.decode(sealed["ciphertext"])
    HMAC.new(sealing, ciphertext, SHA256).verify(unpadded.decode(sealed["mac"]))
    start = int.from_bytes(unpadded.decode(sealed["iv"]), "big")
    assert start >> 63 & 1 == 0
    opened = AES.new(aes, AES.MODE_CTR, nonce=b"", initial_value=start).decrypt(ciphertext)
    assert opened == secret


@given(KEYS, IVS)
def test_the_right_key_fits_its_description(key: bytes, iv: bytes) -> None:
    description = secret_storage.describe(key, iv)
    assert description["algorithm"] == "m.secret_storage.v1.aes-hmac-sha2"
    assert secret_storage.fits(key, description)
    assert secret_storage.fits(key, {**description, "mac": description["mac"] + "="})
    assert not secret_storage.fits(bytes(31) + b"\1" + key[32:] if key != bytes(31) + b"\1" else KEY, description)


def test_a_description_without_a_check_leaves_it_to_the_secrets() -> None:
    assert secret_storage.fits(KEY, {"algorithm": secret_storage.ALGORITHM})


def test_a_passphrase_gives_the_key_that_other_implementations_derive() -> None:
    description = {"passphrase": {"algorithm": "m.pbkdf2", "salt": "salt", "iterations": 1}}
    # PBKDF2-HMAC-SHA-512 ("password", "salt", 1 round), a vector that many implementations test against.
    expected = bytes.fromhex("867f70cf1ade02cff3752599a3a53dc4af34c7a669815ae5d513554e1c8cf252")
    assert secret_storage.from_passphrase("password", description) == expected


@pytest.mark.parametrize(
    "passphrase",
    [
        None,
        "m.pbkdf2",
        {"algorithm": "m.other", "salt": "s", "iterations": 1},
        {"algorithm": "m.pbkdf2", "iterations": 1},
        {"algorithm": "m.pbkdf2", "salt": "s", "iterations": 0},
        {"algorithm": "m.pbkdf2", "salt": "s", "iterations": True},
        {"algorithm": "m.pbkdf2", "salt": "s", "iterations": 10**12},
        {"algorithm": "m.pbkdf2", "salt": "s", "iterations": 1, "bits": 10**9},
        {"algorithm": "m.pbkdf2", "salt": "s", "iterations": 1, "bits": "256"},
    ],
)
def test_a_passphrase_that_cannot_be_used_is_refused(passphrase: object) -> None:
    with pytest.raises(RecoveryRefused, match=r"(?i)nothing was changed"):
        secret_storage.from_passphrase("words", {"passphrase": passphrase})


@given(JSON)
def test_garbage_is_no_secret_and_fits_no_key(value: Any) -> None:
    with pytest.raises(ValueError):
        secret_storage.open_secret(KEY, "name", value)
    if isinstance(value, dict):
        assert not secret_storage.fits(KEY, {"mac": "", **value}) or "mac" not in value


def test_an_initialization_vector_has_sixteen_bytes() -> None:
    with pytest.raises(ValueError):
        secret_storage.seal(KEY, "name", b"secret", b"short")
