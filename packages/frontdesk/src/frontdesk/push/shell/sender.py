"""The gateway's outgoing posts to endpoints that strangers named: to checked addresses only, without redirects.

The address that was checked is the one that is connected to, so that a name cannot change its meaning in between.
"""

import asyncio
import logging
import socket
from collections.abc import Sequence

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from frontdesk.push.core import addresses
from frontdesk.push.core.gateway import Trouble
from frontdesk.wire import rfc8030

_log = logging.getLogger("frontdesk.push.sender")

_TIMEOUT = aiohttp.ClientTimeout(total=10, connect=5)
_MOST_CONNECTIONS = 100
_MOST_CONNECTIONS_PER_HOST = 10


class _AddressRefused(OSError):
    """A name that leads only to addresses the gateway may not connect to."""


class _CheckedResolver(AbstractResolver):
    """Names to addresses, those left out that may not be connected to."""

    def __init__(self, exceptions: Sequence[addresses.Network], only_exceptions: bool) -> None:
        self._exceptions = exceptions
        self._only_exceptions = only_exceptions

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        allowed = [
            ResolveResult(
                hostname=host, host=str(target[0]), port=port, family=kind, proto=proto, flags=socket.AI_NUMERICHOST
            )
            for kind, _, proto, _, target in found
            if self.allows(str(target[0]))
        ]
        if not allowed:
            raise _AddressRefused("no address of this host may be connected to")
        return allowed

    def allows(self, host: str) -> bool:
        address = addresses.address(host)
        if address is None:
            return False
        if self._only_exceptions:
            return addresses.is_excepted(address, self._exceptions)
        return addresses.may_connect(address, self._exceptions)

    async def close(self) -> None:
        """Nothing is kept open."""


class Sender:
    """Posts push messages. ``exceptions`` are private networks that may be reached, and without TLS too."""

    def __init__(self, exceptions: Sequence[addresses.Network]) -> None:
        self._resolvers = {
            "https": _CheckedResolver(exceptions, only_exceptions=False),
            # RFC 8030 §8 asks for TLS; without it only the operator's own networks are trusted.
            "http": _CheckedResolver(exceptions, only_exceptions=True),
        }
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def post(self, endpoint: str, push: rfc8030.Push) -> int | Trouble:
        """The status an endpoint answered with, or why there is none. Takes 10 s at most."""
        try:
            url = URL(endpoint)
            host = url.host
        except ValueError:
            return Trouble.NOT_AN_ADDRESS
        resolver = self._resolvers.get(url.scheme)
        if resolver is None or not host:
            return Trouble.NOT_AN_ADDRESS
        # The client asks no resolver about a host that is spelled as an address.
        spelled = _spelled_address(host)
        if spelled is not None and not resolver.allows(spelled):
            return Trouble.ADDRESS_REFUSED
        try:
            async with self._session(url.scheme).post(
                url, data=push.body, headers=rfc8030.push_headers(push), allow_redirects=False
            ) as response:
                return response.status
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, _AddressRefused):
                return Trouble.NAME_REFUSED
            if isinstance(error, aiohttp.InvalidURL):
                return Trouble.NOT_AN_ADDRESS
            _log.warning("event=endpoint_unreachable why=%s", type(error).__name__)
            return Trouble.UNREACHABLE

    async def close(self) -> None:
        """Close every connection."""
        for session in self._sessions.values():
            await session.close()

    def _session(self, scheme: str) -> aiohttp.ClientSession:
        if scheme not in self._sessions:
            connector = aiohttp.TCPConnector(
                resolver=self._resolvers[scheme],
                limit=_MOST_CONNECTIONS,
                limit_per_host=_MOST_CONNECTIONS_PER_HOST,
            )
            self._sessions[scheme] = aiohttp.ClientSession(
                connector=connector, timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )
        return self._sessions[scheme]


def _spelled_address(host: str) -> str | None:
    """The address that ``host`` is, in the old spellings too (``127.1``, ``2130706433``); None for a name."""
    if addresses.address(host) is not None:
        return host
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None
