"""What both ends of a verification by emoji work out (Matrix client-server API, "Short Authentication String (SAS)").

The secret that the two devices agree on is handed in as ``Secret``; here is what goes into it and what comes out.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lobby.core import unpadded
from lobby.core.batch import Json
from lobby.core.canonical_json import canonical
from lobby.core.emoji import EMOJI

METHOD = "m.sas.v1"
AGREEMENT = "curve25519-hkdf-sha256"
HASH = "sha256"
MAC = "hkdf-hmac-sha256.v2"
SHOWN = "emoji"

MACS_MOST = 100
"""Keys in one message that are looked at; an honest one has two."""


class Secret(Protocol):
    """What two devices have agreed on."""

    def emoji(self, info: str) -> Sequence[int]:
        """Seven numbers from 0 to 63."""

    def mac(self, text: str, info: str) -> str:
        """The authentication code of ``text``, unpadded base64."""


class Sas(Protocol):
    """One device's half of an agreement, of which the public key is told; good for one agreement."""

    @property
    def public_key(self) -> str:
        """Curve25519, unpadded base64."""

    def agree(self, their_key: str) -> Secret:
        """Raises ValueError: their key is none, or one that makes the secret guessable."""


@dataclass(frozen=True, order=True)
class Party:
    """One end: a device of a person."""

    user_id: str
    device_id: str


@dataclass(frozen=True)
class TheirKeys:
    """What a homeserver says are the keys of the other end, unpadded base64."""

    device_key: str
    """Ed25519, of the device's own list of keys, whose signature was checked."""
    master_key: str
    """Of the person's identity; empty: there is none."""


def commitment(public_key: str, start: Json) -> str:
    """What binds an end to its key before it has seen the other's. ``start``: the content of that message."""
    return unpadded.encode(hashlib.sha256(public_key.encode() + canonical(start)).digest())


def emoji(
    secret: Secret, starter: tuple[Party, str], accepter: tuple[Party, str], id: str
) -> tuple[tuple[str, str], ...]:
    """The seven emoji. ``starter``, ``accepter``: each end with its public key."""
    ends = "|".join(f"{party.user_id}|{party.device_id}|{key}" for party, key in (starter, accepter))
    return tuple(EMOJI[number] for number in secret.emoji(f"MATRIX_KEY_VERIFICATION_SAS|{ends}|{id}"))


def macs(secret: Secret, sender: Party, receiver: Party, id: str, keys: Mapping[str, str]) -> Json:
    """Vouch for ``keys`` (key id → key): the content of the m.key.verification.mac, without its transaction id."""
    info = _mac_info(sender, receiver, id)
    names = ",".join(sorted(keys))
    return {
        "mac": {name: secret.mac(key, info + name) for name, key in keys.items()},
        "keys": secret.mac(names, info + "KEY_IDS"),
    }


def vouched(secret: Secret, sender: Party, receiver: Party, id: str, content: Any, keys: TheirKeys) -> frozenset[str]:
    """Which of ``keys`` the other end vouches for, as it has sent ``content`` of an m.key.verification.mac.

    Raises ValueError: what it vouches for is not what the homeserver shows us, or the message is none.
    """
    sent = content.get("mac") if isinstance(content, dict) else None
    if not isinstance(sent, dict) or not all(isinstance(code, str) for code in sent.values()) or len(sent) > MACS_MOST:
        raise ValueError("no codes")
    info = _mac_info(sender, receiver, id)
    if not _same(secret.mac(",".join(sorted(sent)), info + "KEY_IDS"), content.get("keys")):
        raise ValueError("keys were added or left out on the way")
    if keys.master_key == sender.device_id:
        raise ValueError("a device named like a master key: one's code would pass for the other's")
    shown = {f"ed25519:{sender.device_id}": keys.device_key}
    if keys.master_key:
        shown[f"ed25519:{keys.master_key}"] = keys.master_key
    if any(not _same(secret.mac(shown[name], info + name), sent[name]) for name in shown if name in sent):
        raise ValueError("a key is not the one that the homeserver shows us")
    return frozenset(shown[name] for name in shown if name in sent)


def _mac_info(sender: Party, receiver: Party, id: str) -> str:
    ends = f"{sender.user_id}{sender.device_id}{receiver.user_id}{receiver.device_id}"
    return f"MATRIX_KEY_VERIFICATION_MAC{ends}{id}"


def _same(one: str, other: object) -> bool:
    return isinstance(other, str) and hmac.compare_digest(one.encode(), other.encode(errors="replace"))
