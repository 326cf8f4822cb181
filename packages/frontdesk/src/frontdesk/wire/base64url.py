"""base64url without padding (RFC 4648 §5), the spelling of keys and payloads in every push protocol."""

import base64
import re

from frontdesk.errors import WireError
from frontdesk.terms import Refusal

_ALPHABET = re.compile(r"[A-Za-z0-9_-]*={0,2}")


def encode(raw: bytes) -> str:
    """The text form of ``raw``, without ``=``."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decode(text: str, what: str) -> bytes:
    """The bytes behind ``text``, which may be padded or not; ``what`` names it in the error.

    Raises WireError for a foreign character or an impossible length: the standard library would skip the former
    in silence, and a key read that way is a different key.
    """
    digits = text.rstrip("=")
    if not _ALPHABET.fullmatch(text) or len(digits) % 4 == 1:
        raise WireError(Refusal.BAD_REQUEST, f"{what} is not base64url. It was not used; send it again, well encoded.")
    return base64.urlsafe_b64decode(digits + "=" * (-len(digits) % 4))
