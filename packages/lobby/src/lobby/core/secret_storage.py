"""Secrets that the homeserver keeps and cannot read (Matrix, "Secret storage", m.secret_storage.v1.aes-hmac-sha2)."""

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lobby.core import unpadded
from lobby.core.batch import Json
from lobby.errors import RecoveryRefused

ALGORITHM = "m.secret_storage.v1.aes-hmac-sha2"
DEFAULT_KEY = "m.secret_storage.default_key"
KEY_BYTES = 32
IV_BYTES = 16
MOST_ROUNDS = 10_000_000
"""Of PBKDF2 for a passphrase: a homeserver that asks for more wants to keep this computer busy (Element: 500,000)."""


def description_name(key_id: str) -> str:
    """The account data that describes a key."""
    return f"m.secret_storage.key.{key_id}"


def describe(key: bytes, iv: bytes) -> Json:
    """What is kept about ``key`` at the homeserver, so that a client can tell whether the right one was entered."""
    check = seal(key, "", bytes(32), iv)
    return {"algorithm": ALGORITHM, "iv": check["iv"], "mac": check["mac"]}


def fits(key: bytes, description: Json) -> bool:
    """Whether ``key`` is the described one. A description without a check fits every key: its secrets then tell."""
    if "mac" not in description:
        return True
    try:
        iv = unpadded.decode(description.get("iv"), IV_BYTES)
        mac = unpadded.decode(description["mac"])
    except ValueError:
        return False
    aes, sealing = _keys(key, "")
    return hmac.compare_digest(hmac.digest(sealing, _counter(aes, iv, bytes(32)), "sha256"), mac)


def from_passphrase(passphrase: str, description: Json) -> bytes:
    """The key that a passphrase stands for ("Deriving keys from passphrases", m.pbkdf2). Takes up to some seconds.

    Raises RecoveryRefused: the key has no passphrase, or one that cannot be used.
    """
    how = description.get("passphrase")
    if not isinstance(how, dict) or how.get("algorithm") != "m.pbkdf2":
        raise RecoveryRefused("This account has a recovery key and no passphrase. Nothing was changed.")
    salt, rounds, bits = how.get("salt"), how.get("iterations"), how.get("bits", KEY_BYTES * 8)
    if not isinstance(salt, str) or type(rounds) is not int or not 0 < rounds <= MOST_ROUNDS or bits != KEY_BYTES * 8:
        raise RecoveryRefused(
            "The homeserver describes the passphrase in a way that Lobby does not use. Enter the recovery key instead; "
            "nothing was changed."
        )
    return hashlib.pbkdf2_hmac(
        "sha512", passphrase.encode("utf-8", "replace"), salt.encode("utf-8", "replace"), rounds
    )[:KEY_BYTES]


def seal(key: bytes, name: str, secret: bytes, iv: bytes) -> Json:
    """``secret`` encrypted for its name. ``iv``: 16 fresh random bytes."""
    iv = clear_bit_63(iv)
    aes, sealing = _keys(key, name)
    ciphertext = _counter(aes, iv, secret)
    mac = hmac.digest(sealing, ciphertext, "sha256")
    return {"iv": unpadded.encode(iv), "ciphertext": unpadded.encode(ciphertext), "mac": unpadded.encode(mac)}


def open_secret(key: bytes, name: str, sealed: object) -> bytes:
    """The secret of that name. Raises ValueError: not sealed with this key under this name, or damaged."""
    if not isinstance(sealed, dict):
        raise ValueError("not a secret")
    iv = unpadded.decode(sealed.get("iv"), IV_BYTES)
    ciphertext = unpadded.decode(sealed.get("ciphertext"))
    aes, sealing = _keys(key, name)
    if not hmac.compare_digest(hmac.digest(sealing, ciphertext, "sha256"), unpadded.decode(sealed.get("mac"))):
        raise ValueError("sealed with another key, or damaged")
    return _counter(aes, iv, ciphertext)


def clear_bit_63(iv: bytes) -> bytes:
    """With it clear, implementations that count in 64 bits only agree with the others (the specification asks it)."""
    if len(iv) != IV_BYTES:
        raise ValueError(f"an initialization vector has {IV_BYTES} bytes, not {len(iv)}")
    return iv[:8] + bytes([iv[8] & 0x7F]) + iv[9:]


def _keys(key: bytes, name: str) -> tuple[bytes, bytes]:
    derived = HKDF(SHA256(), 64, salt=bytes(32), info=name.encode()).derive(key)
    return derived[:32], derived[32:]


def _counter(key: bytes, iv: bytes, data: bytes) -> bytes:
    """AES-256 in counter mode: the same in both directions."""
    return Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor().update(data)
