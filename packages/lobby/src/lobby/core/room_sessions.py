"""When the session that encrypts what this device says in a room has to be a new one; decided from who has its key.

Sources: Matrix client-server API v1.15, "m.room.encryption" (how often) and "Sharing keys between devices".
"""

from collections.abc import Set
from dataclasses import dataclass

Device = tuple[str, str]
"""User id and device id."""


@dataclass(frozen=True)
class Rotation:
    """How often a room wants new sessions; the defaults are those of the specification."""

    age: float = 604_800.0
    """Seconds that a session is used at most: a week."""
    messages: int = 100
    """How many messages are encrypted with one session at most."""


BY_DEFAULT = Rotation()
"""Of a room that says nothing about it."""


@dataclass
class _Session:
    devices: frozenset[Device]
    made_at: float
    messages: int = 0


class RoomSessions:
    """The sessions in use, by room. ``must_renew``, and where it must ``renewed``; then ``used`` for each message."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}

    def must_renew(self, room_id: str, devices: Set[Device], rotation: Rotation, now: float) -> bool:
        """Whether what is said now to exactly these devices needs a new session.

        One that a device has which is not among them would let it read on; one that a device has not got would leave it
        with a message that it cannot read, and giving it the old key would open what was said before it came.
        """
        session = self._sessions.get(room_id)
        if session is None or session.devices != devices:
            return True
        # A clock that was put back says nothing about the age.
        fresh = 0 <= now - session.made_at < rotation.age
        return not fresh or session.messages >= rotation.messages

    def renewed(self, room_id: str, devices: Set[Device], now: float) -> None:
        """There is a new session, and these devices have its key."""
        self._sessions[room_id] = _Session(frozenset(devices), now)

    def used(self, room_id: str) -> None:
        """A message was encrypted with the session of that room."""
        self._sessions[room_id].messages += 1

    def forget(self, room_id: str) -> None:
        """Nobody is known to have the session of that room."""
        self._sessions.pop(room_id, None)

    def forget_all(self) -> None:
        """The sessions are gone."""
        self._sessions.clear()
