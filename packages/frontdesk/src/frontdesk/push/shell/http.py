"""The HTTP side: RFC 8030 for senders, the Matrix gateway for homeservers, and ``/health`` for the operator."""

import asyncio
import logging
from typing import Protocol

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from frontdesk.errors import WireError
from frontdesk.push.core.gateway import Reply
from frontdesk.wire import matrix_push, rfc8030, webpush

BODY_WITHIN = 10.0
"""Seconds a sender has for the body of its request."""

IDLE = 30.0
"""Seconds after which a connection is closed that has not sent a whole request, or no other one."""

_DAY = 24 * 3600

_log = logging.getLogger("frontdesk.push.http")


class Service(Protocol):
    """What stands behind the routes."""

    async def post(self, token: str, push: rfc8030.Push) -> rfc8030.Accepted | rfc8030.Problem:
        """Take a message for an endpoint."""

    def withdraw(self, message_id: str) -> None:
        """Take a message back."""

    async def notify(self, notification: matrix_push.Notification) -> Reply:
        """Push a homeserver's notification."""

    def health(self) -> dict[str, str | int]:
        """How the service is."""


class _BadRequestsInALine(logging.Filter):
    """Anybody can send what is not HTTP. The server's own words for it hold a traceback, and the endpoint's address."""

    def filter(self, record: logging.LogRecord) -> bool:
        """False for what has been said in a line instead."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError):
            return True
        _log.info("event=bad_request status=%d why=%s", error.code, type(error).__name__)
        return False


BAD_REQUESTS_IN_A_LINE = _BadRequestsInALine()


class HttpSide:
    """The handlers. ``public_url`` is how senders reach this service, without a slash at its end."""

    def __init__(self, service: Service, public_url: str) -> None:
        self._service = service
        self._public_url = public_url

    def routes(self) -> list[web.RouteDef]:
        """All routes of this side."""
        return [
            web.post("/push/{token}", self.post),
            web.delete("/m/{message_id}", self.withdraw),
            web.post(matrix_push.PATH, self.notify),
            web.get(matrix_push.PATH, self.discover),
            web.get("/health", self.health),
        ]

    async def post(self, request: web.Request) -> web.Response:
        """A sender's message (RFC 8030 §5): 201 once it is durable, else why not."""
        body = await _body(request, webpush.MOST_BODY)
        if isinstance(body, rfc8030.Problem):
            return _refusal(body)
        # A header that came twice is one with two values (RFC 9110 §5.3), and none of these may have two.
        said = request.headers
        headers = {name: ", ".join(said.getall(name)) for name in rfc8030.HEADERS if name in said}
        push = rfc8030.parse_push(headers, body)
        if isinstance(push, rfc8030.Problem):
            return _refusal(push)
        answer = await self._service.post(request.match_info["token"], push)
        if isinstance(answer, rfc8030.Problem):
            return _refusal(answer)
        location = f"{self._public_url}/m/{answer.message_id}"
        return web.Response(status=201, headers={"Location": location, "TTL": str(answer.ttl)})

    async def withdraw(self, request: web.Request) -> web.Response:
        """A sender takes its message back. 204 also when it is too late: nothing is left of it either way."""
        self._service.withdraw(request.match_info["message_id"])
        return web.Response(status=204)

    async def notify(self, request: web.Request) -> web.Response:
        """A homeserver's notification."""
        body = await _body(request, matrix_push.MOST_REQUEST)
        if isinstance(body, rfc8030.Problem):
            return _matrix_error(body.status, "M_TOO_LARGE" if body.status == 413 else "M_UNKNOWN", body.message)
        try:
            notification = matrix_push.parse_notify(body)
        except WireError as error:
            return _matrix_error(400, "M_BAD_JSON", str(error))
        reply = await self._service.notify(notification)
        if reply.status != 200:
            return _matrix_error(reply.status, "M_UNKNOWN", "A device could not be reached now; send it again later.")
        return web.Response(body=matrix_push.reply(reply.rejected), content_type="application/json")

    async def discover(self, request: web.Request) -> web.Response:
        """Says that there is a Matrix gateway here."""
        return web.json_response(matrix_push.DISCOVERY)

    async def health(self, request: web.Request) -> web.Response:
        """200 when all is well, 503 when the last write failed."""
        health = self._service.health()
        return web.json_response(health, status=200 if health["status"] == "ok" else 503)


async def _body(request: web.Request, most: int) -> bytes | rfc8030.Problem:
    """The request's body, of which never more than ``most`` bytes are taken into memory."""
    if (request.content_length or 0) > most:
        return rfc8030.TOO_LARGE
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > most:
                    return rfc8030.TOO_LARGE
    except TimeoutError:
        return rfc8030.TOO_SLOW
    except (web.RequestPayloadError, ConnectionError):
        return rfc8030.BROKEN_OFF
    return bytes(body)


def _refusal(problem: rfc8030.Problem) -> web.Response:
    headers = {}
    if problem.retry_after is not None:
        headers["Retry-After"] = str(problem.retry_after)
    if problem.status == 410:
        headers["Cache-Control"] = f"max-age={_DAY}"
    return web.Response(status=problem.status, body=problem.body(), content_type="application/json", headers=headers)


def _matrix_error(status: int, errcode: str, text: str) -> web.Response:
    body = msgspec.json.encode({"errcode": errcode, "error": text})
    return web.Response(status=status, body=body, content_type="application/json")
