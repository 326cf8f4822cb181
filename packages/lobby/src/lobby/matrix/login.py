"""Getting in: which ways a homeserver offers, and the log-in by password or by the token that single sign-on ends with.

Matrix client-server API, "Login" and "SSO client login/authentication".
"""

import json
import socket
from urllib.parse import urlencode

import aiohttp

from lobby.core.batch import Json
from lobby.core.views import Provider, WaysIn
from lobby.errors import Cleartext, LobbyError, LoginRefused, ServerRefused, Unreachable
from lobby.home import Login
from lobby.matrix.session import (
    CLIENT,
    REQUEST_TIME,
    crosses_network_readable,
    only_unreadable,
    path_part,
    understood,
    why_unreachable,
)

LARGEST_ANSWER = 100_000
"""Bytes of an answer about log-ins; whoever sends more is no homeserver."""

MOST_PROVIDERS = 20


async def ways_in(named: str) -> WaysIn:
    """What the homeserver offers. ``named``: an address or a domain. Raises LoginRefused with a text for the person."""
    address = await find_homeserver(named)
    answer = await _ask(address, "GET")
    flows = answer.get("flows")
    found = [flow for flow in flows if isinstance(flow, dict)] if isinstance(flows, list) else []
    password = any(flow.get("type") == "m.login.password" for flow in found)
    providers = [provider for flow in found if flow.get("type") == "m.login.sso" for provider in _providers(flow)]
    if not password and not providers:
        raise LoginRefused(f"{address} offers no way to log in that Lobby knows. Nothing was changed.")
    return WaysIn(address, password, tuple(providers[:MOST_PROVIDERS]), crosses_network_readable(address))


async def log_in(homeserver: str, user: str, password: str, cleartext: str = "", device_id: str = "") -> Login:
    """Log in with a password. ``homeserver``: an address, or a bare domain (its .well-known file is asked first).

    ``cleartext``: the address to which the person agrees to send the password unencrypted; nothing but loopback gets it
    so otherwise. ``device_id``: of the login that this one goes on from; empty: a new device. Raises LoginRefused with
    a text for the person; Cleartext when that has to be asked first.
    """
    address = await find_homeserver(homeserver)
    who = {"type": "m.id.user", "user": user.strip()}
    proof = {"type": "m.login.password", "identifier": who, "password": password}
    return await _log_in(address, proof, cleartext, device_id)


async def log_in_by_token(homeserver: str, token: str, cleartext: str = "", device_id: str = "") -> Login:
    """Log in with what single sign-on gave. ``homeserver``: its address; the rest as for ``log_in``."""
    return await _log_in(homeserver, {"type": "m.login.token", "token": token}, cleartext, device_id)


async def insist_on_login(login: Login) -> None:
    """Ask the homeserver whether it still knows this login. Raises TokenRefused: it does not; LobbyError: unknown."""
    timeout = aiohttp.ClientTimeout(total=REQUEST_TIME)
    headers = {"Authorization": f"Bearer {login.token}"}
    try:
        session = aiohttp.ClientSession(timeout=timeout, trace_configs=_guards(login.homeserver), headers=headers)
        async with session as http, http.get(f"{login.homeserver}{CLIENT}/account/whoami") as answer:
            understood(answer.status, await _beginning(answer))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise Unreachable(why_unreachable(error, login.homeserver)) from error


def sign_on_address(homeserver: str, provider_id: str, back: str) -> str:
    """Where the browser goes for single sign-on; ``back``: where it comes back to, with a ``loginToken``."""
    which = f"/{path_part(provider_id)}" if provider_id else ""
    return f"{homeserver}{CLIENT}/login/sso/redirect{which}?{urlencode({'redirectUrl': back})}"


def device_name() -> str:
    """What a person's list of devices calls this one: homeservers take up to 100 characters."""
    host = socket.gethostname().partition(".")[0]
    return f"Lobby on {host}"[:100] if host else "Lobby"


def insist_on_agreement(homeserver: str, cleartext: str) -> None:
    """Raises Cleartext unless what is sent there is unreadable for others, or the person has agreed to that address."""
    if crosses_network_readable(homeserver) and cleartext != homeserver:
        raise Cleartext(homeserver)


async def find_homeserver(named: str) -> str:
    """The address of a homeserver. An address is taken as it is, a domain is looked up.

    Matrix client-server API, "Well-known URI": a domain without a usable file is the homeserver itself.
    """
    named = named.strip().rstrip("/")
    if not named:
        raise LoginRefused("Which homeserver? Give its address or its domain, such as matrix.org. Nothing was changed.")
    if named.startswith(("http://", "https://")):
        return named
    url = f"https://{named}/.well-known/matrix/client"
    try:
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIME / 3)
        session = aiohttp.ClientSession(timeout=timeout, trace_configs=[only_unreadable()])
        async with session as http, http.get(url) as answer:
            found = json.loads(await _beginning(answer)) if answer.status == 200 else {}
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, RecursionError):
        found = {}  # No file, or none that can be used: the specification says to try the domain itself.
    return named_in_file(found) or f"https://{named}"


def named_in_file(found: object) -> str:
    """The address in a .well-known file; empty: there is none, or none that Lobby would send a password to."""
    server = found.get("m.homeserver") if isinstance(found, dict) else None
    base = server.get("base_url") if isinstance(server, dict) else None
    return base.rstrip("/") if isinstance(base, str) and base.startswith("https://") else ""


async def _log_in(address: str, proof: Json, cleartext: str, device_id: str) -> Login:
    insist_on_agreement(address, cleartext)
    body = proof | {"initial_device_display_name": device_name()} | ({"device_id": device_id} if device_id else {})
    answer = await _ask(address, "POST", body)
    user_id, device, token = (answer.get(name) for name in ("user_id", "device_id", "access_token"))
    if not (isinstance(user_id, str) and isinstance(device, str) and isinstance(token, str) and token):
        raise _no_homeserver(address)
    return Login(address, user_id, device, token)


async def _ask(address: str, method: str, body: Json | None = None) -> Json:
    """One request about log-ins, without a login. Raises LoginRefused."""
    timeout = aiohttp.ClientTimeout(total=REQUEST_TIME)
    try:
        session = aiohttp.ClientSession(timeout=timeout, trace_configs=_guards(address))
        async with session as http, http.request(method, f"{address}{CLIENT}/login", json=body) as answer:
            return understood(answer.status, await _beginning(answer))
    except (ValueError, aiohttp.InvalidURL) as error:
        # A host name that cannot be looked up at all (RFC 5891: an empty or too long label).
        raise LoginRefused(f"{address} is not an address. Check it; nothing was changed.") from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise LoginRefused(f"{why_unreachable(error, address)} Nothing was changed.") from error
    except LobbyError as error:
        raise _refused(error, address, by_token="token" in (body or {})) from error


def _guards(address: str) -> list[aiohttp.TraceConfig]:
    """Whoever asks at an address that nobody can read along with is sent on to no other."""
    return [] if crosses_network_readable(address) else [only_unreadable()]


async def _beginning(answer: aiohttp.ClientResponse) -> bytes:
    """The body, or as much of it as an honest one has."""
    body = b""
    async for part in answer.content.iter_chunked(16_384):
        body += part
        if len(body) > LARGEST_ANSWER:
            break
    return body


def _providers(flow: Json) -> list[Provider]:
    """Of a flow m.login.sso; its icons are not looked at, they would tell others who logs in where."""
    named = flow.get("identity_providers")
    found = []
    for one in named if isinstance(named, list) else []:
        id, name = (one.get("id"), one.get("name")) if isinstance(one, dict) else (None, None)
        if isinstance(id, str) and id and isinstance(name, str) and name.strip():
            found.append(Provider(id, name.strip()[:100]))
    return found or [Provider("", "single sign-on")]


def _refused(error: LobbyError, address: str, by_token: bool) -> LoginRefused:
    match error:
        case ServerRefused(errcode="M_FORBIDDEN") if by_token:
            return LoginRefused("The homeserver does not take that sign-on any more: try again. Nothing was changed.")
        case ServerRefused(errcode="M_FORBIDDEN"):
            return LoginRefused("Name or password is wrong. Nothing was changed.")
        case ServerRefused(errcode="M_USER_DEACTIVATED"):
            return LoginRefused("This account was closed. Nothing was changed.")
        case Unreachable(retry_after=wait) if wait:
            return LoginRefused(f"Too many attempts. Try again in {wait:.0f} seconds. Nothing was changed.")
        case ServerRefused():
            return LoginRefused(f"{error}. Nothing was changed.")
    return _no_homeserver(address)


def _no_homeserver(address: str) -> LoginRefused:
    return LoginRefused(
        f"{address} does not answer as a Matrix homeserver does. Check the address; nothing was changed."
    )
