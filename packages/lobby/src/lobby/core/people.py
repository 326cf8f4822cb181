"""Whether another person is verified: what was compared with them once, against what their homeserver shows now."""

import enum

from lobby.core.identity import Identity, has_signed_person


class PersonStanding(enum.Enum):
    """How the person here stands with somebody."""

    UNVERIFIED = "nobody has compared anything with them, or they have no identity"
    VERIFIED = "they are who was verified"
    CHANGED = "they were verified, and show another identity now"


def standing(compared: str, mine: Identity | None, shown: Identity | None, forged: bool = False) -> PersonStanding:
    """``compared``: their public master key when they were verified, empty: never, to this device's knowledge.

    ``mine``: the account's own identity, if this device knows it to be the person's: whom it has signed, another device
    of the person may have verified. ``shown``: what their homeserver shows; None is no change: no answer, maybe.
    ``forged``: it shows an identity whose keys were not signed by each other.
    """
    if shown is not None and mine is not None and has_signed_person(mine, shown):
        return PersonStanding.VERIFIED
    if not compared:
        return PersonStanding.UNVERIFIED
    if forged or (shown is not None and shown.master != compared):
        return PersonStanding.CHANGED
    return PersonStanding.VERIFIED
