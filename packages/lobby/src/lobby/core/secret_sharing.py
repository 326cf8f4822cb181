"""Secrets from one device of a person to another (Matrix client-server API, "Sharing secrets between devices").

A device asks all others of the same person by name; whoever has the secret, and knows that the person trusts the
asking device, sends it encrypted. What was not asked for is not taken, whoever sends it.
"""

from dataclasses import dataclass
from typing import Any

from lobby.core import backup, unpadded
from lobby.core.batch import Json
from lobby.core.identity import USAGES, secret_name

REQUEST = "m.secret.request"
SEND = "m.secret.send"
NAMES = (*(secret_name(usage) for usage in USAGES), backup.SECRET)
"""The only secrets that are asked for and given."""

PATIENCE = 600.0
"""Seconds for which an answer is taken, and for which a device that asked may still come to be trusted."""
MOST_WAITING = 50
"""Requests of others kept at once; the oldest is dropped for a new one."""

SECRET_BYTES = 32
MOST_ID = 255


@dataclass(frozen=True)
class Wish:
    """Another device of ours asks for a secret."""

    name: str
    device_id: str
    request_id: str


class SecretSharing:
    """What we asked for, and what others asked us."""

    def __init__(self) -> None:
        self._asked: dict[str, tuple[str, float]] = {}
        self._wishes: dict[Wish, float] = {}

    def ask(self, name: str, request_id: str, device_id: str, now: float) -> Json:
        """Ask for a secret; returns the request's content. ``device_id``: our own."""
        self._asked[request_id] = (name, now)
        return {"action": "request", "name": name, "request_id": request_id, "requesting_device_id": device_id}

    def withdraw(self, request_id: str, device_id: str) -> Json:
        """It is not needed any more; returns what tells the others so."""
        self._asked.pop(request_id, None)
        return {"action": "request_cancellation", "request_id": request_id, "requesting_device_id": device_id}

    def request_ids(self, name: str) -> list[str]:
        """Requests for that secret that nobody has answered."""
        return [request_id for request_id, (asked, _) in self._asked.items() if asked == name]

    def answer(self, content: Any, now: float) -> tuple[str, bytes] | None:
        """Name and value of a secret that was sent; None: not asked for, too late, or no secret.

        The caller has made sure that it came encrypted from a device of ours that is trusted.
        """
        request_id = content.get("request_id") if isinstance(content, dict) else None
        name, at = self._asked.get(request_id, ("", 0.0)) if isinstance(request_id, str) else ("", 0.0)
        if not name or now > at + PATIENCE:
            return None
        try:
            return name, unpadded.decode(content.get("secret"), SECRET_BYTES)
        except ValueError:
            return None

    def hear(self, content: Any, own_device: str, now: float) -> None:
        """A device of ours asks for something, or does so no more."""
        if not isinstance(content, dict):
            return
        device_id, request_id = _id(content, "requesting_device_id"), _id(content, "request_id")
        if not device_id or not request_id or device_id == own_device:
            return
        name = content.get("name")
        if content.get("action") == "request" and name in NAMES:
            self._wishes[Wish(name, device_id, request_id)] = now
            while len(self._wishes) > MOST_WAITING:
                del self._wishes[next(iter(self._wishes))]
        elif content.get("action") == "request_cancellation":
            for wish in [wish for wish in self._wishes if (wish.device_id, wish.request_id) == (device_id, request_id)]:
                del self._wishes[wish]

    def wishes(self, now: float) -> list[Wish]:
        """What is still wished for."""
        self._wishes = {wish: at for wish, at in self._wishes.items() if now <= at + PATIENCE}
        return list(self._wishes)

    def granted(self, wish: Wish) -> None:
        """It was sent."""
        self._wishes.pop(wish, None)


def _id(content: Json, name: str) -> str:
    value = content.get(name)
    return value if isinstance(value, str) and len(value) <= MOST_ID else ""
