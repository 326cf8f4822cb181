"""Which requests the page refuses before looking at them: wrong host, other sites. Pure.

Any web page the person visits can make the browser send requests to this port; this is where they end (contract
X01). The session cookie and the CSRF token are checked after this, by ``server``.
"""

import enum
from collections.abc import Mapping

SAFE_METHODS = frozenset({"GET", "HEAD"})


class GuardRefusal(enum.StrEnum):
    """Why a request was refused."""

    WRONG_HOST = "wrong_host"
    """The Host header is not ours: another name was pointed at this port (DNS rebinding), or a stale address."""
    CROSS_SITE = "cross_site"
    """Another site made the browser send it."""


class Guard:
    """Knows the names under which the page is reached: its own host name, and 127.0.0.1."""

    def __init__(self, host: str, port: int) -> None:
        self._hosts = frozenset({f"{host}:{port}".lower(), f"127.0.0.1:{port}"})

    def refusal(self, method: str, headers: Mapping[str, str]) -> GuardRefusal | None:
        """Why this request must not be served; None: it may go on. Header names are those of a browser."""
        host = headers.get("Host", "").lower()
        if host not in self._hosts:
            return GuardRefusal.WRONG_HOST
        site = headers.get("Sec-Fetch-Site")
        if method in SAFE_METHODS:
            # Following a link to the page from anywhere is fine; embedding its parts (events, say) elsewhere is not.
            ours = site in (None, "same-origin", "none") or headers.get("Sec-Fetch-Mode") == "navigate"
            return None if ours else GuardRefusal.CROSS_SITE
        # Our own Referrer-Policy (no-referrer) makes browsers send "Origin: null" with our own forms (Fetch standard,
        # "append a request Origin header"); Sec-Fetch-Site tells these from a foreign page's, and cannot be forged.
        origin = headers.get("Origin")
        if site is not None:
            ours = site == "same-origin" and origin in (None, "null", f"http://{host}")
        else:
            ours = origin in (None, f"http://{host}")
        return None if ours else GuardRefusal.CROSS_SITE
