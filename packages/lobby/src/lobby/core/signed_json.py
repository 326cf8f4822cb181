"""Canonical JSON, and signatures over it (Matrix specification, "Appendices: Canonical JSON", "Signing JSON")."""

import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lobby.core import unpadded
from lobby.core.batch import Json

SEED_BYTES = 32
"""Length of the secret part of an Ed25519 key (RFC 8032 §5.1.5)."""

_LARGEST = 2**53 - 1
"""Beyond this, implementations disagree about a number; canonical JSON has none larger."""


def canonical(value: object) -> bytes:
    """The one form that everybody signs. Raises ValueError for what has none: fractions, too large numbers."""
    try:
        _insist_on_canonical(value)
        return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode()
    except RecursionError as error:
        raise ValueError("too deep") from error


def sign(thing: Json, seed: bytes) -> str:
    """The signature of ``thing`` without its ``signatures`` and ``unsigned``, by the key of that seed."""
    return unpadded.encode(Ed25519PrivateKey.from_private_bytes(seed).sign(_signed_part(thing)))


def public_key(seed: bytes) -> str:
    """The public key that belongs to a seed."""
    return unpadded.encode(Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())


def with_signature(thing: Json, user_id: str, key: str, signature: str) -> Json:
    """``thing`` with one more signature. ``key``: what comes after ``ed25519:``, a device id or a public key."""
    signatures = {**thing.get("signatures", {})}
    signatures[user_id] = {**signatures.get(user_id, {}), f"ed25519:{key}": signature}
    return {**thing, "signatures": signatures}


def is_signed(thing: Any, user_id: str, key: str, public: str) -> bool:
    """Whether ``thing`` carries a good signature of that person's ``key``, whose public part is ``public``."""
    try:
        signature = unpadded.decode(thing["signatures"][user_id][f"ed25519:{key}"])
        known = Ed25519PublicKey.from_public_bytes(unpadded.decode(public, SEED_BYTES))
        known.verify(signature, _signed_part(thing))
    except (KeyError, TypeError, ValueError, InvalidSignature):
        return False
    return True


def _signed_part(thing: Json) -> bytes:
    return canonical({name: value for name, value in thing.items() if name not in ("signatures", "unsigned")})


def _insist_on_canonical(value: object) -> None:
    match value:
        case dict():
            for name, inner in value.items():
                if not isinstance(name, str):
                    raise ValueError("a name is no text")
                _insist_on_canonical(inner)
        case list() | tuple():
            for inner in value:
                _insist_on_canonical(inner)
        case None | bool() | str():
            pass
        case int() if abs(value) <= _LARGEST:
            pass
        case _:
            raise ValueError(f"{value!r:.40} has no canonical form")
