"""Whether another person is verified: what was compared with them once, against what their homeserver shows now."""

import enum
from collections.abc import Iterable

from lobby.core.batch import Json
from lobby.core.identity import Identity, has_signed_device, has_signed_person


class PersonStanding(enum.Enum):
    """How the person here stands with somebody."""

    UNVERIFIED = "nobody has compared anything with them, or they have no identity"
    VERIFIED = "they are who was verified"
    UNVERIFIED_DEVICE = "they are who was verified, and have a device that their identity has not signed"
    CHANGED = "they were verified, and show another identity now"


def standing(
    compared: str,
    mine: Identity | None,
    shown: Identity | None,
    forged: bool = False,
    before: PersonStanding = PersonStanding.VERIFIED,
) -> PersonStanding:
    """``compared``: their public master key when they were verified, empty: never, to this device's knowledge.

    ``mine``: the account's own identity, if this device knows it to be the person's: whom it has signed, another device
    of the person may have verified. ``shown``: what their homeserver shows; None is no change: no answer, maybe.
    ``forged``: it shows an identity whose keys were not signed by each other. ``before``: at the last look.

    Of their devices nothing is said here: see ``with_devices``.
    """
    if shown is not None and mine is not None and has_signed_person(mine, shown):
        return PersonStanding.VERIFIED
    if not compared:
        return PersonStanding.UNVERIFIED
    if forged or (shown is not None and shown.master != compared):
        return PersonStanding.CHANGED
    return before if shown is None else PersonStanding.VERIFIED


def with_devices(found: PersonStanding, shown: Identity | None, devices: Iterable[Json]) -> PersonStanding:
    """How they stand with these devices, to all of which messages are encrypted, when ``found`` without them.

    One that is not signed may be that of somebody who has only their password. None is judged without an identity.
    """
    if found is not PersonStanding.VERIFIED or shown is None:
        return found
    signed = all(has_signed_device(shown, device) for device in devices)
    return PersonStanding.VERIFIED if signed else PersonStanding.UNVERIFIED_DEVICE
