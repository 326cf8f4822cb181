"""The stage's HTTP server on loopback: one page, one event stream, and the switches. Thin: the board decides."""

import contextlib
import hmac
import json
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from aiohttp import web

from demo.errors import DemoError
from demo.ports import LOOPBACK
from demo.stage import render
from demo.stage.guide import Guide
from demo.stage.scene import Scene
from frontdesk.dashboard import STATIC as TIME_LINE_FILES

HOST = "demo.localhost"
"""The stage's own name: its windows (left.demo.localhost …) belong to the same site, or they would get no cookie."""

_SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        f"frame-src 'self' http://*.{HOST}:*; frame-ancestors 'self'; form-action 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Board(Protocol):
    """What the stage shows and switches; `board.Machines` is the real one."""

    guide: Guide

    def scenes(self) -> tuple[Scene, Scene]:
        """Left's and Right's machine as they are now."""

    def changes(self) -> AsyncIterator[None]:
        """Yields at once and after every change of the scenes."""

    async def switch(self, user: str, what: str, value: str, notification: str, app: str) -> None:
        """Carries out a switch; DemoError with a sentence when it cannot be done."""

    async def window_address(self, user: str) -> str:
        """A fresh address that opens that person's Lobby."""


class Stage:
    """Serves the board. Who has not come by `address()` sees nothing and switches nothing."""

    def __init__(self, port: int, enter_helps: bool = False) -> None:
        """`enter_helps`: pressing Enter where the demo runs prints a fresh address."""
        self.origin = f"http://{HOST}:{port}"
        self._cookie = f"stage-{port}"  # Cookies ignore ports: two demos in one browser need two names.
        self._way_in = (
            "Press Enter where the demo runs for a fresh address, and open that."
            if enter_helps
            else "Use the address that the demo printed when it was started; starting it again prints a fresh one."
        )
        self._port = port
        self._hosts = {f"{HOST}:{port}", f"{LOOPBACK}:{port}"}
        self._codes: set[str] = set()
        self._session = secrets.token_urlsafe(32)
        self._csrf = secrets.token_urlsafe(32)
        self._runner: web.AppRunner | None = None
        self._board: Board | None = None

    def address(self) -> str:
        """An address that opens the stage once, in one browser."""
        code = secrets.token_urlsafe(18)
        self._codes.add(code)
        return f"{self.origin}/enter?code={code}"

    async def start(self, board: Board) -> None:
        """Serves from now on. DemoError when somebody else has taken the port."""
        self._board = board
        app = web.Application(middlewares=[self._guard], client_max_size=65536)
        app.add_routes(
            [
                web.get("/enter", self._enter),
                web.get("/", self._page),
                web.get("/events", self._events),
                web.get("/machine/{user:left|right}/window", self._window),
                web.post("/machine/{user:left|right}/{what}", self._switch),
                web.static("/static", render.STATIC),
                web.static("/timeline", TIME_LINE_FILES),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=0, shutdown_timeout=0.5)
        await self._runner.setup()
        try:
            listening = socket.create_server((LOOPBACK, self._port))
        except OSError as reason:
            raise DemoError(f"Port {self._port} for the stage was taken just now. Start the demo again.") from reason
        await web.SockSite(self._runner, listening).start()

    async def stop(self) -> None:
        """Ends the page's event streams and the server."""
        if self._runner:
            await self._runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Refuses strangers: another Host (a name pointed at this port), no session, other sites' requests."""
        # Who switches is the page's script, which shows the answer as it is; who reads is a person.
        refused = _words if request.method == "POST" else _sentence
        try:
            if request.host not in self._hosts:
                answer: web.StreamResponse = refused(421, "Wrong address", f"The stage is at {self.origin}.")
            elif request.path == "/enter" or request.path.startswith(("/static/", "/timeline/")):
                answer = await handler(request)
            elif not _same(request.cookies.get(self._cookie, ""), self._session):
                answer = refused(401, "The stage is closed to this browser", self._way_in)
            elif request.method not in ("GET", "HEAD") and not self._ours(request):
                answer = refused(
                    403, "Not from here", "That did not come from the stage's page as it is now. Reload it; try again."
                )
            else:
                answer = await handler(request)
        except web.HTTPException as refusal:
            answer = refused(refusal.status, refusal.reason, "There is nothing here. The stage is at /.")
        if not answer.prepared:
            answer.headers.update(_SECURITY)
            answer.headers["Connection"] = "close"
        return answer

    def _ours(self, request: web.Request) -> bool:
        """Lobby's windows are the same site, so the cookie alone proves nothing: Origin and token are asked for too."""
        token = request.headers.get("X-Stage-Token", "")
        return request.headers.get("Origin") == f"http://{request.host}" and _same(token, self._csrf)

    async def _enter(self, request: web.Request) -> web.StreamResponse:
        code = request.query.get("code", "")
        if code not in self._codes:
            return _sentence(401, "This address was used before", self._way_in)
        self._codes.discard(code)
        answer = web.Response(status=303, headers={"Location": "/"})
        answer.set_cookie(self._cookie, self._session, httponly=True, samesite="Lax", path="/")
        return answer

    async def _page(self, request: web.Request) -> web.StreamResponse:
        html = render.page(self._shown.scenes(), self._shown.guide, self._csrf)
        return web.Response(text=html, content_type="text/html")

    async def _events(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={**_SECURITY, "Content-Type": "text/event-stream", "Connection": "close"})
        await answer.prepare(request)
        sent: dict[str, str] = {}
        before: dict[str, Scene] = {}
        # A page of an earlier start has another token: it loads itself anew.
        began = _event("began", {"csrf": self._csrf})
        # The visitor closing the page is the ordinary end of this stream.
        with contextlib.suppress(ConnectionResetError):
            await answer.write(began.encode())
            async for _ in self._shown.changes():
                for name, event in self._words(before):
                    if sent.get(name) != event:
                        sent[name] = event
                        await answer.write(event.encode())
        return answer

    def _words(self, before: dict[str, Scene]) -> list[tuple[str, str]]:
        """What there is to say; `before`: each machine as the page was told last, brought up to date here."""
        words = []
        for scene in self._shown.scenes():
            html = render.live_parts(scene)
            window = "open" if scene.window_open else "closed"
            machine = {"user": scene.user, "window": window, "asked": str(scene.asked), "html": html}
            words.append((scene.user, _event("machine", machine)))
            words.append(
                (f"{scene.user} lanes", _event("lanes", {"html": render.lanes(scene, before.get(scene.user))}))
            )
            before[scene.user] = scene
        words.append(("acts", _event("acts", {"html": render.acts(self._shown.guide)})))
        return words

    async def _window(self, request: web.Request) -> web.StreamResponse:
        try:
            address = await self._shown.window_address(request.match_info["user"])
        except DemoError as reason:
            return _sentence(502, "Lobby does not open", str(reason))
        return web.Response(status=303, headers={"Location": address})

    async def _switch(self, request: web.Request) -> web.StreamResponse:
        said = await request.post()
        value, notification, app = (str(said.get(name, "")) for name in ("value", "id", "app"))
        try:
            await self._shown.switch(request.match_info["user"], request.match_info["what"], value, notification, app)
        except DemoError as reason:
            return web.Response(status=409, text=str(reason))
        return web.Response(status=204)

    @property
    def _shown(self) -> Board:
        assert self._board is not None, "routes exist only once the stage has been started"
        return self._board


@asynccontextmanager
async def opened(stage: Stage, board: Board) -> AsyncIterator[Stage]:
    """The stage with a board on it, for as long as the block lasts."""
    await stage.start(board)
    try:
        yield stage
    finally:
        await stage.stop()


def _same(given: str, wanted: str) -> bool:
    """Compares secrets without telling by the time it takes; anything may have been given."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


def _event(name: str, data: dict[str, str]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def _words(status: int, title: str, text: str) -> web.Response:
    return web.Response(status=status, text=f"{title}. {text}")


def _sentence(status: int, title: str, text: str) -> web.Response:
    return web.Response(status=status, text=render.sentence(title, text), content_type="text/html")
