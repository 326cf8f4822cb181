"""Lobby's page as an HTTP server on loopback: who is let in, and what every response carries.

What the addresses do is in ``routes``. Every connection is closed after its response: a sleeping Lobby is woken by
*new* connections only, and a pooled one would hang in the browser.
"""

import asyncio
import logging
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress

from aiohttp import web

from lobby.messenger import Accounts, LobbyError
from lobby.ui import static_files
from lobby.ui.answers import part
from lobby.ui.codes import CodeRefusal, check
from lobby.ui.encryption_routes import EncryptionRoutes
from lobby.ui.forms import read_form
from lobby.ui.guard import Guard, GuardRefusal
from lobby.ui.login_routes import BACK, LoginRoutes
from lobby.ui.onlookers import Onlookers
from lobby.ui.refusals import Refusals
from lobby.ui.render import Renderer
from lobby.ui.routes import Routes
from lobby.ui.scenes import Scene, Scenes
from lobby.ui.sessions import (
    COOKIE_AGE,
    SessionStore,
    Standing,
    cookie_name,
    csrf_holds,
    csrf_token,
    digest,
    standing,
)
from lobby.ui.visits import FIRST, Visits, base_of, for_each_account

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LARGEST_REQUEST = 256 * 1024
"""Bytes of a request body; the longest message, percent-encoded, is 270,000 in the worst case and usually a tenth."""

_REMEMBERED = web.RequestKey("remembered", str)
"""The session token that the browser is told to keep (again)."""

_log = logging.getLogger(__name__)


class Page:
    """The page server. ``on_visible``: True when the first page becomes visible, False 2 s after the last is gone.

    ``secret`` is what one-time codes are made with (``codes.mint``); ``frame_parents``: origins whose pages may frame
    this one, none by default. ``clock``: seconds since 1970. ``awake``: entered while an answer is made and sent;
    suspended in the middle of it, Lobby would leave the browser waiting for one (contract L11). ``on_looking``: hears
    which accounts visible pages show.
    """

    def __init__(
        self,
        accounts: Accounts,
        sessions: SessionStore,
        host: str,
        port: int,
        secret: bytes,
        frame_parents: tuple[str, ...] = (),
        on_visible: Callable[[bool], None] = lambda visible: None,
        clock: Callable[[], float] = time.time,
        awake: Callable[[], AbstractContextManager[None]] = nullcontext,
        on_looking: Callable[[frozenset[int]], None] = lambda accounts: None,
    ) -> None:
        self._awake = awake
        self._sessions = sessions
        self._secret = secret
        self._clock = clock
        self._guard = Guard(host, port)
        self._cookie = cookie_name(secret)
        self._headers = _security_headers(frame_parents)
        self._static = static_files.load()
        self._renderer = Renderer({name: file.address for name, file in self._static.items()})
        self._refusals = Refusals(self._renderer)
        self._onlookers = Onlookers(on_visible, on_looking)
        self._accounts = accounts
        scenes = Scenes(clock)
        self._visits = visits = Visits(accounts, scenes, self._csrf)
        self._routes = Routes(accounts, visits, self._renderer, self._onlookers.opened, self._onlookers.closed)
        self._logins = LoginRoutes(accounts, visits, self._renderer, sessions, self._session, clock)
        self._encryption = EncryptionRoutes(self._renderer, scenes, visits)
        self._acts: set[asyncio.Task[web.StreamResponse]] = set()
        self._runner: web.AppRunner | None = None

    async def serve(self, sock: socket.socket) -> None:
        """Serve on a bound (and perhaps listening) socket; returns as soon as it is served."""
        app = web.Application(middlewares=[self._admit], client_max_size=LARGEST_REQUEST)
        app.on_response_prepare.append(self._finish_headers)
        app.router.add_get("/enter", self._enter, allow_head=False)
        app.router.add_get("/static/{name}", self._static_file)
        app.router.add_get("/seen/events", self._routes.seen, allow_head=False)
        app.add_routes(self._logins.table())
        of_an_account = [web.post("/logout", self._log_out), *self._routes.table(), *self._encryption.table()]
        app.add_routes(for_each_account(of_an_account))
        # A closed page must be noticed at once: cancelled handlers are how aiohttp tells. Acts are shielded from it.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.SockSite(self._runner, sock).start()

    async def stop(self) -> None:
        """End the streams, let acts under way finish, close the socket. Nothing is told of visibility any more."""
        self._onlookers.stop()
        await self._routes.end_streams()
        if self._acts:
            await asyncio.wait(self._acts, timeout=1.0)
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let in what the guard lets in, and stay awake until it is answered."""
        refusal = self._guard.refusal(request.method, request.headers)
        if refusal is not None:
            return self._refusals.guarded(refusal)
        if request.path.endswith("/events"):
            return await self._answer(request, handler)  # A visible page keeps Lobby awake by itself.
        with self._awake():
            answer = await self._answer(request, handler)
            with suppress(ConnectionError):  # The page is gone: aiohttp finds that out for itself once more.
                await answer.prepare(request)
                await answer.write_eof()
        return answer

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Session, form token; then the handler; and a sentence for whatever goes wrong in it."""
        try:
            if request.path == "/enter" or request.path.startswith("/static/"):
                return await handler(request)
            token = request.cookies.get(self._cookie, "")
            if not self._let_in(request, token):
                return self._refusals.locked()
            if request.path.startswith(BACK):
                return await self._act(request, handler)
            if request.method != "POST":
                return await handler(request)
            if not csrf_holds(self._secret, token, (await read_form(request)).get("csrf", "")):
                return self._refusals.guarded(GuardRefusal.CROSS_SITE)
            return await self._act(request, handler)
        except web.HTTPException as answer:
            if answer.status < 400:
                raise
            return self._refusals.trouble(answer.status, self._around(request) if answer.status == 404 else None)
        except LobbyError as error:
            return self._refusals.failed(request, str(error))
        except Exception:  # noqa: BLE001 - the last resort: logged with its traceback, and a sentence for the person
            _log.exception("The page could not answer %s %s", request.method, request.path)
            return self._refusals.broken(request)

    def _around(self, request: web.Request) -> Scene | None:
        """What stands around a page that is not there, for whoever is let in: it is seen like any other page, so Lobby
        does not sleep under it."""
        let_in = self._let_in(request, request.cookies.get(self._cookie, ""))
        return self._visits.scenes(request)() if let_in else None

    async def _act(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Run it to its end even when the window is closed in the middle of it: what was sent must be kept."""
        act = asyncio.ensure_future(handler(request))
        self._acts.add(act)
        act.add_done_callback(self._acts.discard)
        return await asyncio.shield(act)

    async def _finish_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(self._headers)
        response.headers["Connection"] = "close"
        if _REMEMBERED in request:
            response.headers.add("Set-Cookie", _set_cookie(self._cookie, request[_REMEMBERED]))
        response.force_close()

    async def _enter(self, request: web.Request) -> web.StreamResponse:
        """Exchange a one-time code for a session cookie; ``account`` and ``chat`` (or ``login``) say what to open."""
        place = _place(request.query)
        answer = web.Response(status=303, headers={"Location": place})
        good = check(self._secret, request.query.get("code", ""), self._clock())
        if not isinstance(good, CodeRefusal) and not self._sessions.nonce_use(good.nonce, good.until):
            good = CodeRefusal.USED
        if isinstance(good, CodeRefusal):
            # A restored tab still has the address it was opened with; its session is what counts.
            token = request.cookies.get(self._cookie, "")
            return answer if self._let_in(request, token) else self._refusals.locked(good)
        token = secrets.token_urlsafe(32)
        self._sessions.page_session_drop_until(self._clock() - COOKIE_AGE)
        self._remember(request, token)
        return answer

    def _let_in(self, request: web.Request, token: str) -> bool:
        """Whether the token is that of a session; one in use lasts on."""
        found = standing(self._sessions.page_session_at(digest(token)), self._clock()) if token else Standing.NONE
        if found is Standing.DUE:
            try:
                self._remember(request, token)
            except LobbyError as error:
                _log.warning("The session of a page is not prolonged now. %s", error)
        return found is not Standing.NONE

    def _remember(self, request: web.Request, token: str) -> None:
        """The session is used now; the browser is told so with the response. Raises LobbyError."""
        self._sessions.page_session_add(digest(token), self._clock())
        request[_REMEMBERED] = token

    async def _log_out(self, request: web.Request) -> web.StreamResponse:
        """Log out of an account. With the last one every other browser is shut out; this one may log in again."""
        answer = await self._logins.log_out(request)
        if not self._accounts.numbers():
            self._sessions.page_session_drop_all()
            self._sessions.page_session_add(self._session(request), self._clock())
            # Drafts live in the browser's session storage; those of one account of several go by the page's module.
            answer.headers["Clear-Site-Data"] = '"storage"'
        return answer

    async def _static_file(self, request: web.Request) -> web.StreamResponse:
        file = self._static.get(request.match_info["name"])
        if file is None:
            raise web.HTTPNotFound
        known = request.query.get("v") == file.tag
        headers = {
            "ETag": f'"{file.tag}"',
            "Cache-Control": "max-age=31536000, immutable" if known else "no-cache",
        }
        if f'"{file.tag}"' in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        return web.Response(body=file.body, content_type=file.kind, charset="utf-8", headers=headers)

    def _session(self, request: web.Request) -> str:
        return digest(request.cookies.get(self._cookie, ""))

    def _csrf(self, request: web.Request) -> str:
        return csrf_token(self._secret, request.cookies.get(self._cookie, ""))


def _place(query: Mapping[str, str]) -> str:
    """What an address with a code leads to."""
    account, room_id = query.get("account", ""), query.get("chat")
    base = base_of(int(account)) if account.isascii() and account.isdigit() and int(account) else base_of(FIRST)
    if "login" in query:
        return f"{base}/login"
    return f"{base}/chat/{part(room_id)}" if room_id else f"{base}/"


def _set_cookie(name: str, token: str) -> str:
    """Lax, not Strict: with Strict a browser that came by a link from another site (web mail, say) does not send the
    cookie along with the redirect. What Lax lets through from elsewhere is following a link, and no act."""
    return f"{name}={token}; HttpOnly; Max-Age={COOKIE_AGE}; Path=/; SameSite=Lax"


def _security_headers(frame_parents: tuple[str, ...]) -> dict[str, str]:
    """What every response carries; a page that may be framed cannot insist on a browsing context of its own."""
    parents = " ".join(frame_parents) or "'none'"
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
        f"form-action 'self'; base-uri 'none'; frame-ancestors {parents}"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    if not frame_parents:
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["X-Frame-Options"] = "DENY"
    return headers
