"""The connection to one homeserver: every request Lobby makes of it, and what its answers mean.

matrix-nio is the client. It takes most of a second to import, so that is done on first use, in a thread: the page is
served before. Sync, history and pushers go through nio's raw request:
its typed answers drop the transaction id, refuse homeservers that leave out optional fields, and know no pushers.
"""

import ipaddress
import json
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

import aiohttp

from lobby.core.batch import Json
from lobby.errors import PlaceForgotten, ProofWanted, ServerRefused, TokenRefused, Unreachable
from lobby.home import Login
from lobby.late_import import imported

REQUEST_TIME = 30.0
"""Seconds a request may take; a long poll may take its own time besides."""

OWN_RETRIES = {"max_limit_exceeded": 0, "max_timeouts": 0, "request_timeout": REQUEST_TIME}
"""nio retries for ever inside the call by default; the outbox and the sync loop decide about that here."""

PLACE_FORGOTTEN = ("M_UNKNOWN_POS", "M_INVALID_PARAM", "M_UNKNOWN")
"""What homeservers answer, with status 400, to a place they do not know; of the request nothing else is ever different.

M_UNKNOWN_POS is MSC3575's word, M_UNKNOWN is Synapse's for a token that it cannot read.
"""

CLIENT = "/_matrix/client/v3"

LET_GO = "Lobby has let go of this login; nothing is asked of the homeserver for it any more."


class Session:
    """One login at one homeserver. Connections are opened on first use and pooled."""

    def __init__(self, login: Login) -> None:
        self.login = login
        self._nio_client: Any = None
        self._ended = False

    async def drop_connections(self) -> None:
        """Give all connections up; the next request opens new ones."""
        client, self._nio_client = self._nio_client, None
        if client is not None:
            await client.close()

    async def close(self) -> None:
        """Give all connections up for good; requests raise Unreachable from here on."""
        self._ended = True
        await self.drop_connections()

    async def request(
        self, method: str, path: str, body: Json | None = None, query: Json | None = None, waits: float = 0.0
    ) -> Json:
        """One request below ``/_matrix/client/v3``; returns the JSON object of the answer.

        ``waits``: seconds the homeserver is asked to hold the answer back. Raises Unreachable, ServerRefused.
        """
        client = await self._client()
        url = f"{CLIENT}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Authorization": f"Bearer {self.login.token}", "Content-Type": "application/json"}
        data = json.dumps(body) if body is not None else None
        try:
            answer = await client.send(method, url, data, headers, timeout=REQUEST_TIME + waits)
            async with answer:
                return understood(answer.status, await answer.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(why_unreachable(error, self.login.homeserver)) from error

    async def send_event(self, room_id: str, kind: str, content: Json, txn: str) -> str:
        """Send an event under its transaction id; returns the event id. Errors as ``request``."""
        path = f"/rooms/{path_part(room_id)}/send/{path_part(kind)}/{path_part(txn)}"
        event_id = (await self.request("PUT", path, content)).get("event_id")
        if not isinstance(event_id, str) or not event_id:
            raise Unreachable("The homeserver did not say under which name it has the message. Lobby tries again.")
        return event_id

    async def is_encrypted(self, room_id: str) -> bool:
        """Whether the room is encrypted, as the homeserver has it now."""
        try:
            await self.request("GET", f"/rooms/{path_part(room_id)}/state/m.room.encryption/")
        except ServerRefused as error:
            if error.status == 404:
                return False
            raise
        return True

    async def sync(self, since: str, waits: float) -> Json:
        """One answer to /sync; ``waits``: seconds the homeserver may hold it back when there is no news.

        Raises what ``request`` raises; PlaceForgotten: not from ``since``, but from the beginning there may be news.
        """
        query = {"timeout": str(int(waits * 1000)), "filter": SYNC_FILTER}
        if since:
            query["since"] = since
        try:
            return await self.request("GET", "/sync", query=query, waits=waits)
        except ServerRefused as error:
            if since and error.status == 400 and error.errcode in PLACE_FORGOTTEN:
                raise PlaceForgotten(str(error), error.errcode, error.status) from error
            raise

    async def messages(self, room_id: str, before: str, most: int) -> Json:
        """One page of history, the newest first; ``before``: where to begin, empty: at the end of the room."""
        query = {"dir": "b", "limit": str(most), "filter": HISTORY_FILTER}
        if before:
            query["from"] = before
        return await self.request("GET", f"/rooms/{path_part(room_id)}/messages", query=query)

    async def event(self, room_id: str, event_id: str) -> Json:
        """A single event."""
        return await self.request("GET", f"/rooms/{path_part(room_id)}/event/{path_part(event_id)}")

    async def create_room(self, body: Json) -> str:
        """Make a room; returns its id."""
        return str((await self.request("POST", "/createRoom", body)).get("room_id", ""))

    async def join(self, room_id: str) -> None:
        await self.request("POST", f"/rooms/{path_part(room_id)}/join", {})

    async def leave(self, room_id: str) -> None:
        await self.request("POST", f"/rooms/{path_part(room_id)}/leave", {})

    async def tell_read(self, room_id: str, event_id: str) -> None:
        """The person has read up to this event (Matrix client-server API, "Receipts")."""
        await self.request("POST", f"/rooms/{path_part(room_id)}/receipt/m.read/{path_part(event_id)}", {})

    async def account_data(self, kind: str) -> Json:
        """Account data of that kind; empty when there is none."""
        try:
            return await self.request("GET", f"/user/{path_part(self.login.user_id)}/account_data/{kind}")
        except ServerRefused as error:
            if error.status == 404:
                return {}
            raise

    async def set_account_data(self, kind: str, content: Json) -> None:
        await self.request("PUT", f"/user/{path_part(self.login.user_id)}/account_data/{kind}", content)

    async def set_pusher(self, pusher: Json) -> None:
        """Set a pusher, or remove it (``kind`` null). nio has no call for it."""
        await self.request("POST", "/pushers/set", pusher)

    async def display_name(self) -> str:
        """The person's own name; empty when none is set."""
        try:
            answer = await self.request("GET", f"/profile/{path_part(self.login.user_id)}/displayname")
        except ServerRefused as error:
            if error.status == 404:
                return ""
            raise
        return str(answer.get("displayname") or "")[:200]

    async def log_out(self) -> None:
        """The token is worth nothing afterwards."""
        await self.request("POST", "/logout", {})

    async def _client(self) -> Any:
        if self._ended:
            raise Unreachable(LET_GO)
        if self._nio_client is None:
            client = await _nio_client(self.login.homeserver, self.login.user_id)
            client.restore_login(self.login.user_id, self.login.device_id, self.login.token)
            if self._ended:
                await client.close()
                raise Unreachable(LET_GO)
            if self._nio_client is None:
                self._nio_client = client
            else:
                await client.close()
        return self._nio_client


def crosses_network_readable(address: str) -> bool:
    """Whether somebody else could read what is sent there: it is neither encrypted nor stays on this machine."""
    if not address.startswith("http://"):
        return False
    try:
        host = urlsplit(address).hostname or ""
        if host == "localhost" or host.endswith(".localhost"):
            return False  # RFC 6761 §6.3: these never leave the machine.
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


async def _nio_client(homeserver: str, user: str) -> Any:
    nio = await imported("nio")
    config = nio.AsyncClientConfig(store_sync_tokens=False, encryption_enabled=False, **OWN_RETRIES)
    client = nio.AsyncClient(homeserver, user, config=config)
    if not crosses_network_readable(homeserver):
        client.client_session = aiohttp.ClientSession(trace_configs=[only_unreadable()])
    return client


def only_unreadable() -> aiohttp.TraceConfig:
    """For a client session that is sent on to no address where others could read along."""
    tracing = aiohttp.TraceConfig()
    tracing.on_request_redirect.append(_insist_on_unreadable)
    return tracing


class _SentOnReadable(aiohttp.ClientError):
    """The homeserver says to ask at an address where others could read along; nobody has agreed to that."""


async def _insist_on_unreadable(
    session: aiohttp.ClientSession, context: object, redirect: aiohttp.TraceRequestRedirectParams
) -> None:
    """Statuses 307 and 308 have the password, or a message, sent once more (RFC 9110 §15.4.8)."""
    try:
        place = urljoin(str(redirect.url), redirect.response.headers.get("Location", ""))
    except ValueError:
        return  # No address: nothing is sent there.
    if crosses_network_readable(place):
        raise _SentOnReadable


def understood(status: int, raw: bytes) -> Json:
    """The JSON object of an answer. Raises Unreachable, ServerRefused."""
    try:
        answer = json.loads(raw)
    except (ValueError, RecursionError):
        answer = None
    if status == 200 and isinstance(answer, dict):
        return answer
    if status == 401 and isinstance(answer, dict) and isinstance(answer.get("flows"), list):
        raise _proof_wanted(answer)
    if isinstance(answer, dict) and isinstance(answer.get("errcode"), str):
        raise _error(status, answer["errcode"], str(answer.get("error", "")), answer.get("retry_after_ms"))
    raise Unreachable(f"The homeserver's answer (status {status}) makes no sense. Lobby tries again.")


def _proof_wanted(answer: Json) -> ProofWanted:
    flows = [flow.get("stages") for flow in answer["flows"] if isinstance(flow, dict)]
    kinds = [tuple(kind for kind in stages if isinstance(kind, str)) for stages in flows if isinstance(stages, list)]
    return ProofWanted(str(answer.get("errcode", "")), str(answer.get("session", "")), tuple(kinds))


def _error(status: int, errcode: str, text: str, retry_after_ms: object) -> Unreachable | ServerRefused:
    said = text.strip()[:300] or errcode
    if status == 429 or errcode == "M_LIMIT_EXCEEDED":
        wait = retry_after_ms / 1000 if isinstance(retry_after_ms, int | float) else 5.0
        return Unreachable("The homeserver asks to go slower. Lobby tries again.", min(max(wait, 0.0), 600.0))
    if status >= 500:
        return Unreachable(f"The homeserver has trouble of its own ({said}). Lobby tries again.")
    if errcode in ("M_UNKNOWN_TOKEN", "M_MISSING_TOKEN"):
        return TokenRefused("The homeserver does not know this login any more. Log in again.", errcode, status)
    return ServerRefused(f"The homeserver refused: {said}", errcode, status)


def why_unreachable(error: Exception, address: str) -> str:
    """A sentence for the person about a request that found nobody."""
    if isinstance(error, TimeoutError):
        return f"{address} did not answer in time."
    match error:
        case aiohttp.ClientConnectorDNSError():
            why = "no computer of that name was found"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            why = "no secure connection could be made"
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            why = "nothing answers at that address"
        case _SentOnReadable():
            why = "it sends Lobby on to an address that is not encrypted"
        case _:
            why = "the connection failed"
    return f"{address} cannot be reached: {why}."


def path_part(text: str) -> str:
    """A Matrix id as one part of a path."""
    return quote(text, safe="")


SYNC_FILTER = json.dumps(
    {
        "presence": {"types": []},
        "account_data": {"types": ["m.direct"]},
        "room": {
            "timeline": {"limit": 30, "lazy_load_members": True},
            # Redundant members: each batch names its senders, so that a notification always has one to show.
            "state": {
                "types": [
                    "m.room.create",
                    "m.room.encryption",
                    "m.room.history_visibility",
                    "m.room.member",
                    "m.room.name",
                ],
                "lazy_load_members": True,
                "include_redundant_members": True,
            },
            "ephemeral": {"types": ["m.receipt"]},
            "account_data": {"types": []},
        },
    },
    separators=(",", ":"),
)

HISTORY_FILTER = json.dumps({"lazy_load_members": True, "include_redundant_members": True}, separators=(",", ":"))
