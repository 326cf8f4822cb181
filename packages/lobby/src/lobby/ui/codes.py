"""One-time codes that open the page: made by whoever can read the page's secret, checked by the page.

Rule of this file: no clock and no dice; ``now`` and the nonce are handed in. A code is ``UNTIL.NONCE.MAC``: the
second its validity ends, a nonce, and HMAC-SHA256 over both. The page remembers used nonces for as long as the code
would be valid, so a code opens it once.
"""

import base64
import enum
import hashlib
import hmac
import re
from dataclasses import dataclass

VALID_FOR = 60.0
"""Seconds that a code is good for."""

NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")
"""A nonce: 16 to 64 characters of base64url, 96 bits of chance at least."""

_SHAPE = re.compile(r"([0-9]{1,12})\.([A-Za-z0-9_-]{16,64})\.([A-Za-z0-9_-]{43})")


class CodeRefusal(enum.StrEnum):
    """Why a code opens nothing."""

    MALFORMED = "malformed"
    FORGED = "forged"
    """Not made with this Lobby's secret."""
    EXPIRED = "expired"
    USED = "used"
    """It opened the page before (``server`` finds this out: the store knows used nonces)."""


@dataclass(frozen=True)
class GoodCode:
    """A code made with the secret and still valid. ``until``: remember the used ``nonce`` up to then."""

    nonce: str
    until: float


def mint(secret: bytes, now: float, nonce: str) -> str:
    """A code valid for 60 s from ``now`` (seconds since 1970). ValueError: the nonce is not one of ``NONCE``."""
    if not NONCE.fullmatch(nonce):
        raise ValueError("A nonce is 16 to 64 characters of base64url.")
    until = int(now + VALID_FOR)
    return f"{until}.{nonce}.{_mac(secret, until, nonce)}"


def check(secret: bytes, code: str, now: float) -> GoodCode | CodeRefusal:
    """What ``code`` is worth at ``now``. Takes any text and never raises."""
    found = _SHAPE.fullmatch(code)
    if found is None:
        return CodeRefusal.MALFORMED
    until, nonce, mac = int(found[1]), found[2], found[3]
    if not hmac.compare_digest(mac, _mac(secret, until, nonce)):
        return CodeRefusal.FORGED
    # A machine whose clock was set back must not honour a code for longer than a code lives.
    if not now < until <= now + VALID_FOR:
        return CodeRefusal.EXPIRED
    return GoodCode(nonce, float(until))


def _mac(secret: bytes, until: int, nonce: str) -> str:
    digest = hmac.digest(secret, f"lobby page code {until} {nonce}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
