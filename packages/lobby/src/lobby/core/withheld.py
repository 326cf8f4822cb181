"""Why a device does not get the key of a message: read from what the sender's device says, and put into words.

Source: Matrix client-server API v1.15, "m.room_key.withheld" ("Reporting that decryption keys are withheld").
"""

from dataclasses import dataclass

from lobby.core.key_news import Json, is_id

WORDS = {
    "m.blacklisted": "the person who wrote it has blocked this computer",
    "m.unverified": "the device it was written on gives its key to verified computers only. Verify this computer, or "
    "verify each other, then ask for the message once more",
    "m.unauthorised": "the device it was written on says that you were not in this chat then",
    "m.unavailable": "the device it was written on has no key for it any more",
    "m.no_olm": "the device it was written on could not reach this computer with its key",
}
"""By code; each completes "This message cannot be read: "."""

OTHER = "the device it was written on keeps its key from this computer"


@dataclass(frozen=True)
class Withheld:
    """This device does not get the key of that session, says one of the sender's devices."""

    room_id: str
    session_id: str
    code: str
    """One of ``WORDS``, or another that somebody made up: then empty."""


def read_withheld(content: Json) -> Withheld | None:
    """Read an m.room_key.withheld; None: it is not about a session (m.no_olm may be about the device as a whole)."""
    room_id, session_id, code = content.get("room_id"), content.get("session_id"), content.get("code")
    if not is_id(room_id) or not is_id(session_id):
        return None
    return Withheld(room_id, session_id, code if isinstance(code, str) and code in WORDS else "")


def words(code: str) -> str:
    """What that code means to the person."""
    return WORDS.get(code, OTHER)
