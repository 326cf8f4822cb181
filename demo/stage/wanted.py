"""An address at which Lobby wants to be shown: used while its one-time code is good, renewed when nobody came. Pure."""

import dataclasses
from urllib.parse import parse_qs, urlencode, urlsplit

GOOD_FOR = 30.0
"""Seconds; a code is good for twice as long, and the browser still has to get there."""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What Lobby asked for. `at`: when, in seconds since 1970."""

    address: str
    at: float

    def good(self, now: float) -> bool:
        """Whether it still opens Lobby."""
        return 0 <= now - self.at < GOOD_FOR

    def renewed(self, fresh: str) -> str:
        """The chat that was wanted, at a fresh address of the page."""
        chat = parse_qs(urlsplit(self.address).query).get("chat")
        return f"{fresh}&{urlencode({'chat': chat[0]})}" if chat else fresh
