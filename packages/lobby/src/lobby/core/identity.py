"""A person's identity: three keys, of which one signs the others (Matrix client-server API, "Cross-signing").

The *master* key is the person. It signs the *self-signing* key, which signs the person's devices, and the
*user-signing* key, which signs the master keys of other persons. Whoever trusts a master key so knows which devices
are that person's.
"""

from dataclasses import dataclass
from typing import Any

from lobby.core.batch import Json
from lobby.core.signed_json import is_signed, public_key, sign, with_signature

MASTER, SELF_SIGNING, USER_SIGNING = "master", "self_signing", "user_signing"

USAGES = (MASTER, SELF_SIGNING, USER_SIGNING)


@dataclass(frozen=True)
class Seeds:
    """The secret parts, 32 bytes each; empty: this device has not got it."""

    master: bytes
    self_signing: bytes
    user_signing: bytes = b""


@dataclass(frozen=True)
class Identity:
    """The public parts as a homeserver shows them, each checked to be signed by the master key."""

    user_id: str
    master: str
    self_signing: str
    user_signing: str
    """Empty where the homeserver shows it to its owner only."""
    master_object: Json
    """What others sign."""


def secret_name(usage: str) -> str:
    """Under which a seed lies in secret storage, and is asked for ("Secrets")."""
    return f"m.cross_signing.{usage}"


def secrets_of(seeds: Seeds) -> dict[str, bytes]:
    """The parts that are held, by the names under which they are kept and asked for."""
    parts = zip(USAGES, (seeds.master, seeds.self_signing, seeds.user_signing), strict=True)
    return {secret_name(usage): seed for usage, seed in parts if seed}


def published(user_id: str, seeds: Seeds) -> Json:
    """What is uploaded to make an identity known (``/keys/device_signing/upload``)."""
    master = public_key(seeds.master)
    objects = {f"{MASTER}_key": _key_object(user_id, MASTER, master)}
    for usage, seed in ((SELF_SIGNING, seeds.self_signing), (USER_SIGNING, seeds.user_signing)):
        thing = _key_object(user_id, usage, public_key(seed))
        objects[f"{usage}_key"] = with_signature(thing, user_id, master, sign(thing, seeds.master))
    return objects


def read(user_id: str, answer: Any) -> Identity | None:
    """The identity of ``user_id`` in an answer to ``/keys/query``; None: that person has none.

    Raises ValueError: what the homeserver shows was not signed by its own master key, or is none.
    """
    found = {usage: _object_of(user_id, usage, answer) for usage in USAGES}
    if found[MASTER] is None:
        return None
    keys = {usage: _public_of(user_id, usage, thing) if thing is not None else "" for usage, thing in found.items()}
    for usage in (SELF_SIGNING, USER_SIGNING):
        if keys[usage] and not is_signed(found[usage], user_id, keys[MASTER], keys[MASTER]):
            raise ValueError(f"the {usage} key of {user_id} is not signed by the master key")
    if not keys[SELF_SIGNING]:
        raise ValueError(f"{user_id} has a master key and no self-signing key")
    return Identity(user_id, keys[MASTER], keys[SELF_SIGNING], keys[USER_SIGNING], found[MASTER] or {})


def belongs(seeds: Seeds, identity: Identity) -> bool:
    """Whether these seeds are secret parts of that identity, each that is held of the key it ought to be of."""
    held = (
        (seeds.master, identity.master),
        (seeds.self_signing, identity.self_signing),
        (seeds.user_signing, identity.user_signing),
    )
    return any(seed for seed, _ in held) and all(public_key(seed) == public for seed, public in held if seed)


def has_signed_device(identity: Identity, device_keys: Any) -> bool:
    """Whether the person has signed that device of theirs (``device_keys`` of ``/keys/query``)."""
    return _is_of(device_keys, identity.user_id) and is_signed(
        device_keys, identity.user_id, identity.self_signing, identity.self_signing
    )


def has_signed_person(mine: Identity, other: Identity) -> bool:
    """Whether the owner of ``mine`` has verified that other person."""
    return bool(mine.user_signing) and is_signed(
        other.master_object, mine.user_id, mine.user_signing, mine.user_signing
    )


def device_signature(device_keys: Json, user_id: str, seeds: Seeds) -> Json:
    """The device with the person's signature, to be uploaded (``/keys/signatures/upload``)."""
    return _signed_only(device_keys, user_id, seeds.self_signing)


def person_signature(other: Identity, user_id: str, seeds: Seeds) -> Json:
    """The other person's master key with our signature, to be uploaded."""
    return _signed_only(other.master_object, user_id, seeds.user_signing)


def _signed_only(thing: Json, user_id: str, seed: bytes) -> Json:
    bare = {name: value for name, value in thing.items() if name not in ("signatures", "unsigned")}
    return with_signature(bare, user_id, public_key(seed), sign(bare, seed))


def _key_object(user_id: str, usage: str, public: str) -> Json:
    return {"user_id": user_id, "usage": [usage], "keys": {f"ed25519:{public}": public}}


def _object_of(user_id: str, usage: str, answer: Any) -> Json | None:
    shown = answer.get(f"{usage}_keys") if isinstance(answer, dict) else None
    thing = shown.get(user_id) if isinstance(shown, dict) else None
    return thing if isinstance(thing, dict) else None


def _public_of(user_id: str, usage: str, thing: Json) -> str:
    usages, keys = thing.get("usage"), thing.get("keys")
    if not _is_of(thing, user_id) or not isinstance(usages, list) or usage not in usages:
        raise ValueError(f"the {usage} key of {user_id} is somebody else's, or for something else")
    if not isinstance(keys, dict) or len(keys) != 1:
        raise ValueError(f"the {usage} key of {user_id} is not one key")
    ((name, public),) = keys.items()
    if not isinstance(public, str) or name != f"ed25519:{public}":
        raise ValueError(f"the {usage} key of {user_id} is not named after itself")
    return public


def _is_of(thing: Any, user_id: str) -> bool:
    return isinstance(thing, dict) and thing.get("user_id") == user_id
