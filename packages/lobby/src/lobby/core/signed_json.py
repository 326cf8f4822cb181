"""Signatures over JSON (Matrix specification, "Appendices: Signing JSON")."""

from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lobby.core import unpadded
from lobby.core.batch import Json
from lobby.core.canonical_json import canonical

SEED_BYTES = 32
"""Length of the secret part of an Ed25519 key (RFC 8032 §5.1.5)."""


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
