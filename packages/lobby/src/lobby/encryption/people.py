"""Other persons: their identities as the homeserver shows them, who of them is verified, and signing who is."""

import asyncio
import logging
from collections.abc import Collection, Iterable

from lobby.core import identity as identities
from lobby.core.batch import Json
from lobby.core.identity import Identity
from lobby.core.people import PersonStanding, standing, with_devices
from lobby.encryption.cross_signing import CrossSigning
from lobby.encryption.engine import Engine
from lobby.encryption.recovery_store import RecoveryStore
from lobby.store import Store

AT_ONCE = 50
"""Persons asked for in one request: who has hundreds of chats does not wait for all of their homeservers at once."""

log = logging.getLogger("lobby")


class People:
    """The persons of one login's direct chats, and those who were verified."""

    def __init__(self, engine: Engine, cross_signing: CrossSigning, store: RecoveryStore, chats: Store) -> None:
        self._engine = engine
        self._cross_signing = cross_signing
        self._store = store
        self._chats = chats
        self._me = engine.user_id
        self._due: set[str] | None = None
        """Who is not as they were at the last look; None: anybody may be."""
        self._one_looks = asyncio.Lock()
        """An answer that was long on its way is never taken after a later one."""

    @property
    def verified(self) -> frozenset[str]:
        """Those who are who was verified, as of the last look."""
        return frozenset(self._store.people()) - self.changed

    @property
    def changed(self) -> frozenset[str]:
        """Those who were verified and show another identity now, as of the last look."""
        return frozenset(self._store.changed_people())

    @property
    def with_unverified_device(self) -> frozenset[str]:
        """Those of ``verified`` who have a device that their identity has not signed, as of the last look."""
        return frozenset(self._store.people_with_unverified_device())

    @property
    def look_again(self) -> bool:
        """Somebody may not be as they were at the last look."""
        return self._due is None or bool(self._due)

    def look_at_all(self) -> None:
        """Whom this account has signed may count now, or not any more."""
        self._due = None

    def devices_changed(self, user_ids: Collection[str]) -> None:
        """The devices or identities of these are not what they were; by our own we vouch for others."""
        if self._me in user_ids:
            self.look_at_all()
        elif self._due is not None:
            self._due |= set(user_ids)

    async def look(self) -> None:
        """Ask for those who may not be as they were. Raises LobbyError; who was not asked for is so the next time."""
        async with self._one_looks:
            due, self._due = self._due, set()
            try:
                of_interest = {*self._store.people(), *self._partners()}
                await self._look_at(of_interest if due is None else due & of_interest)
            except BaseException:
                self._due = None if due is None or self._due is None else self._due | due
                raise

    async def identity_of(self, user_id: str) -> Identity | None:
        """The identity that the homeserver shows of somebody; None: that person has none, or none that is valid.

        Raises LobbyError. That its keys are signed by each other does not prove that they are the person's.
        """
        return _read(user_id, await self._cross_signing.query([user_id]))[0]

    async def sign(self, user_id: str, master: str) -> bool:
        """A verification has shown that this master key is that person's; False: we have not got the key to sign it.

        That this was shown is remembered in any case. Raises LobbyError.
        """
        async with self._one_looks:
            other = await self.identity_of(user_id)
            if other is None or other.master != master:
                return False
            devices = self._engine.known_devices(user_id).values()
            self._keep(user_id, with_devices(PersonStanding.VERIFIED, other, devices), master)
        seeds = self._cross_signing.seeds()
        if seeds is None or not seeds.user_signing:
            return False
        signed = identities.person_signature(other, self._me, seeds)
        await self._cross_signing.upload_signatures({master: signed}, user_id)
        return True

    # Inside

    def _partners(self) -> set[str]:
        """The other persons of encrypted direct chats."""
        rooms = [room.room_id for room in self._chats.rooms() if room.direct and room.encrypted]
        members = [member for room_id in rooms for member in self._chats.members(room_id)]
        return {member.user_id for member in members if member.membership in ("join", "invite")} - {self._me}

    async def _look_at(self, user_ids: Iterable[str]) -> None:
        everybody = sorted(user_ids)
        for some in (everybody[at : at + AT_ONCE] for at in range(0, len(everybody), AT_ONCE)):
            answer = await self._cross_signing.query(some)
            compared = self._store.people()
            for user_id in some:
                shown, forged = _read(user_id, answer)
                before = self._standing_before(user_id)
                found = standing(compared.get(user_id, ""), self._cross_signing.trusted, shown, forged, before)
                if found is PersonStanding.VERIFIED:
                    # Those to which messages are encrypted, and no others that a homeserver may show here.
                    found = with_devices(found, shown, (await self._engine.devices_of(user_id)).values())
                self._keep(user_id, found, shown.master if shown is not None else "")

    def _standing_before(self, user_id: str) -> PersonStanding:
        """As of the last look, for one who was verified."""
        if user_id in self._store.changed_people():
            return PersonStanding.CHANGED
        apart = user_id in self._store.people_with_unverified_device()
        return PersonStanding.UNVERIFIED_DEVICE if apart else PersonStanding.VERIFIED

    def _keep(self, user_id: str, found: PersonStanding, master: str) -> None:
        """Who was verified, here or on another device, is remembered with the identity they had then."""
        verified = found in (PersonStanding.VERIFIED, PersonStanding.UNVERIFIED_DEVICE)
        if verified and master and self._store.people().get(user_id) != master:
            self._store.keep_person(user_id, master)
        self._store.keep_changed_person(user_id, found is PersonStanding.CHANGED)
        self._store.keep_person_with_unverified_device(user_id, found is PersonStanding.UNVERIFIED_DEVICE)


def _read(user_id: str, answer: Json) -> tuple[Identity | None, bool]:
    """What an answer shows of somebody, and whether that is forged."""
    try:
        return identities.read(user_id, answer), False
    except ValueError as error:
        log.warning("The identity of %s is not valid: %s", user_id, error)
        return None, True
