"""The dashboard's HTTP server on loopback: one page, one event stream. It shows; it changes nothing.

Other users of the machine and web pages get nothing (contract X01): the page lives under a host name of its own, other
names are refused; a one-time code in the address is exchanged for a cookie, and without that there is only a sentence.
"""

import asyncio
import contextlib
import hmac
import json
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from aiohttp import web

from frontdesk.dashboard import page
from frontdesk.dashboard.page import Seen
from frontdesk.dashboard.timeline import STATIC
from frontdesk.errors import FrontdeskError

LOOPBACK = "127.0.0.1"

_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Connection": "close",
}

_WAY_IN = "Run frontdesk dashboard in a terminal, or press Enter where it runs: it gives an address that opens once."

_AT_MOST_EVERY = 0.4
"""Seconds between two words to a page: a busy desk changes faster than anybody reads."""

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Source(Protocol):
    """Where the page gets what it shows; ``following.Following`` is the real one."""

    def seen(self) -> Seen:
        """The desk as it is now."""

    def changes(self) -> AsyncIterator[None]:
        """Yields at once and after every change."""


class Dashboard:
    """Serves one person. ``served`` opens and closes it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._name = f"desk-{secrets.token_hex(4)}"
        self._session = secrets.token_urlsafe(32)
        self._codes: set[str] = set()
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def origin(self) -> str:
        return f"http://{self._name}.localhost:{self.port}"

    def address(self) -> str:
        """A fresh address that opens the page once, in one browser."""
        code = secrets.token_urlsafe(18)
        self._codes.add(code)
        return f"{self.origin}/enter?code={code}"

    async def start(self) -> None:
        """Serve from now on, at a free port. ``FrontdeskError``: this machine gives none."""
        app = web.Application(middlewares=[self._guard], client_max_size=4096)
        app.router.add_get("/enter", self._enter, allow_head=False)
        app.router.add_get("/", self._page)
        app.router.add_get("/events", self._events, allow_head=False)
        app.router.add_get("/static/{name}", self._static)
        # A closed page must be noticed at once: cancelled handlers are how aiohttp tells.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
        await self._runner.setup()
        try:
            listening = socket.create_server((LOOPBACK, 0))
        except OSError as error:
            raise FrontdeskError(f"No port of this machine can be opened for the page ({error.strerror}).") from error
        self.port = listening.getsockname()[1]
        await web.SockSite(self._runner, listening).start()

    async def stop(self) -> None:
        """End the page's streams and the server."""
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        known = {f"{self._name}.localhost:{self.port}", f"{LOOPBACK}:{self.port}"}
        try:
            if request.host not in known:
                answer: web.StreamResponse = _sentence(421, "Wrong address", "The dashboard has another address.")
            elif request.path != "/enter" and not self._is_let_in(request):
                answer = _sentence(401, "The dashboard is closed to this browser", _WAY_IN)
            else:
                answer = await handler(request)
        except web.HTTPException as refusal:
            answer = _sentence(refusal.status, refusal.reason, "There is nothing here. The dashboard is at /")
        if not answer.prepared:
            answer.headers.update(_HEADERS)
        return answer

    def _is_let_in(self, request: web.Request) -> bool:
        given = request.cookies.get(self._name, "")
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._session.encode())

    async def _enter(self, request: web.Request) -> web.StreamResponse:
        code = request.query.get("code", "")
        if code not in self._codes:
            if self._is_let_in(request):  # a restored tab still has the address it was opened with
                return web.Response(status=303, headers={"Location": "/"})
            return _sentence(401, "This address was used before", _WAY_IN)
        self._codes.discard(code)
        answer = web.Response(status=303, headers={"Location": "/"})
        answer.set_cookie(self._name, self._session, httponly=True, samesite="Lax", path="/")
        return answer

    async def _page(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text=page.page(self._source.seen()), content_type="text/html")

    async def _static(self, request: web.Request) -> web.StreamResponse:
        file = STATIC / request.match_info["name"]
        if file.parent != STATIC or file.suffix not in _KINDS or not file.is_file():
            raise web.HTTPNotFound
        return web.Response(body=file.read_bytes(), content_type=_KINDS[file.suffix], charset="utf-8")

    async def _events(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={**_HEADERS, "Content-Type": "text/event-stream"})
        await answer.prepare(request)
        before: Seen | None = None
        # The person closing the page is the ordinary end of this stream.
        with contextlib.suppress(ConnectionResetError):
            async for _ in self._source.changes():
                seen = self._source.seen()
                for name, html in page.parts(seen, before).items():
                    if html:
                        await answer.write(f"event: {name}\ndata: {json.dumps(html)}\n\n".encode())
                before = seen
                await asyncio.sleep(_AT_MOST_EVERY)
        return answer


@asynccontextmanager
async def served(source: Source) -> AsyncIterator[Dashboard]:
    """The dashboard for as long as the block lasts."""
    dashboard = Dashboard(source)
    await dashboard.start()
    try:
        yield dashboard
    finally:
        await dashboard.stop()


def _sentence(status: int, title: str, text: str) -> web.Response:
    return web.Response(status=status, text=page.sentence(title, text), content_type="text/html")
