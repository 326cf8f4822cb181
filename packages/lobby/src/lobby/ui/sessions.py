"""Who may see the page: a browser that holds a session cookie, and what is kept of it.

A token is random and lives in the browser only; the store keeps its SHA-256, so a tab reopened after Lobby was
stopped is known again, and a stolen database opens nothing. The CSRF token follows from the session token and the
page's secret: nothing more to keep.
"""

import hashlib
import hmac
from typing import Protocol

COOKIE_AGE = 60 * 60 * 24 * 90
"""Seconds that the browser keeps the cookie."""


class SessionStore(Protocol):
    """What the store offers the page; each call is durable when it returns."""

    def page_session_add(self, hash: str, at: float) -> None:
        """Remember a session by the SHA-256 of its token."""

    def page_session_known(self, hash: str) -> bool:
        """Whether that session was added and not dropped since."""

    def page_session_drop_all(self) -> None:
        """Every open page must be opened anew."""

    def nonce_use(self, nonce: str, until: float) -> bool:
        """Mark the nonce of a one-time code as used; False: it was used before. May be forgotten after ``until``."""


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
