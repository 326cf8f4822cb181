"""Who may see the page: a browser that holds a session cookie, and what is kept of it.

A token is random and lives in the browser only; the store keeps its SHA-256, so a tab reopened after Lobby was
stopped is known again, and a stolen database opens nothing. The CSRF token follows from the session token and the
page's secret: nothing more to keep.
"""

import enum
import hashlib
import hmac
from dataclasses import dataclass
from typing import Protocol

COOKIE_AGE = 60 * 60 * 24 * 30
"""Seconds without use after which a session is over, in the browser and here."""

RENEWED_AFTER = 60 * 60 * 24
"""Seconds after which use of a session is written down again, so that not every request is."""


SIGN_ON_TIME = 600.0
"""Seconds within which a browser that was sent to single sign-on has to come back."""


@dataclass(frozen=True)
class SignOn:
    """A browser that was sent to a homeserver for single sign-on, and is to come back with a log-in token."""

    session: str
    """Digest of the session that began it: nobody else's coming back logs anybody in (login CSRF)."""
    homeserver: str
    cleartext: str
    """The address to which the person agrees to send the token unencrypted; empty: to none."""
    account: int | None
    """The account that logs in again; None: it is another one."""
    until: float


class Standing(enum.Enum):
    """What a session is worth."""

    NONE = enum.auto()
    """Unknown, or not used for too long."""
    GOOD = enum.auto()
    DUE = enum.auto()
    """Good, and its use is to be written down."""


class SessionStore(Protocol):
    """What the store offers the page; each call is durable when it returns."""

    def page_session_add(self, hash: str, at: float) -> None:
        """Remember a session, used at ``at``, by the SHA-256 of its token; a known one anew."""

    def page_session_at(self, hash: str) -> float | None:
        """When that session was last added; None: never, or it was dropped since."""

    def page_session_drop_until(self, at: float) -> None:
        """Forget the sessions that were last added at ``at`` or earlier."""

    def page_session_drop_all(self) -> None:
        """Every open page must be opened anew."""

    def nonce_use(self, nonce: str, until: float) -> bool:
        """Mark the nonce of a one-time code as used; False: it was used before. May be forgotten after ``until``."""

    def sign_on_begin(self, state: str, sign_on: SignOn, now: float) -> None:
        """Remember a sign-on by the SHA-256 of its state; those that are over by ``now`` may be forgotten."""

    def sign_on_end(self, state: str) -> SignOn | None:
        """What was begun under that state, which is good for this once; None: nothing, or it has come back before."""


def standing(used: float | None, now: float) -> Standing:
    """What a session last used at ``used`` is worth at ``now``, both seconds since 1970; None: it is not known.

    One used in the future, as the clock was set back since, is good: it counts from now on.
    """
    if used is None or now - used >= COOKIE_AGE:
        return Standing.NONE
    return Standing.GOOD if 0.0 <= now - used < RENEWED_AFTER else Standing.DUE


def digest(token: str) -> str:
    """What the store keeps of a session token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def cookie_name(secret: bytes) -> str:
    """Each Lobby has a cookie name of its own: on 127.0.0.1 cookies are shared by all ports."""
    return "lobby-" + hmac.digest(secret, b"lobby page cookie name", hashlib.sha256).hex()[:12]


def csrf_token(secret: bytes, token: str) -> str:
    """What a form of this session must carry."""
    return hmac.digest(secret, b"lobby page csrf " + token.encode("utf-8", "replace"), hashlib.sha256).hex()


def csrf_holds(secret: bytes, token: str, given: str) -> bool:
    """Whether ``given`` came from a page of this session."""
    return hmac.compare_digest(csrf_token(secret, token).encode(), given.encode("utf-8", "replace"))
