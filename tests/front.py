"""A front of a real homeserver: passes requests on, counts them, and stops one where a test says so."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import aiohttp
from aiohttp import web
from yarl import URL

from demo.ports import LOOPBACK


@dataclass
class Front:
    """Use ``async with``. ``url`` stands for the homeserver behind it."""

    homeserver: str
    answers: Callable[[web.Request, bytes], web.Response | None] = lambda request, body: None
    """What is answered in the homeserver's place; None: the homeserver answers."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    """(method, path below /_matrix/client/v3) of all that came."""
    url: str = ""

    async def __aenter__(self) -> Self:
        self.reached = asyncio.Event()
        """Set when a request was stopped: that before which, or after which, whoever asked is to be killed."""
        self._ended = asyncio.Event()
        self._counted: Callable[[str, str], bool] = lambda method, path: False
        self._stop_at = 0
        self._after = False
        self._http = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, LOOPBACK, 0)
        await site.start()
        self.url = f"http://{LOOPBACK}:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ended.set()
        await self._http.close()
        await self._runner.cleanup()

    def stop_at(self, number: int, after: bool, counted: Callable[[str, str], bool]) -> None:
        """Of the requests that ``counted`` says so of, the ``number``th (from 1) is never answered.

        ``after``: the homeserver did it; else it never heard of it.
        """
        self.reached.clear()
        self._counted, self._stop_at, self._after = counted, number, after

    def let_pass(self) -> None:
        """Stop none any more."""
        self._stop_at = 0

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        path = request.rel_url.raw_path.removeprefix("/_matrix/client/v3")
        self.requests.append((request.method, path))
        stops = False
        if self._stop_at and self._counted(request.method, path):
            self._stop_at -= 1
            stops = self._stop_at == 0
        if stops and not self._after:
            await self._never_answer()
        if (instead := self.answers(request, body)) is not None:
            return instead
        answer = await self._homeservers(request, body)
        if stops:
            await self._never_answer()
        return answer

    async def _homeservers(self, request: web.Request, body: bytes) -> web.Response:
        """What the homeserver answers."""
        headers = {name: value for name, value in request.headers.items() if name.lower() not in ("host", "connection")}
        url = URL(f"{self.homeserver}{request.rel_url.raw_path_qs}", encoded=True)
        try:
            async with self._http.request(request.method, url, headers=headers, data=body) as answer:
                named = ("Content-Type", "Content-Encoding")
                kept = {name: answer.headers[name] for name in named if name in answer.headers}
                return web.Response(status=answer.status, body=await answer.read(), headers=kept)
        except aiohttp.ClientError as error:
            raise web.HTTPBadGateway from error

    async def _never_answer(self) -> None:
        self.reached.set()
        await self._ended.wait()
        raise web.HTTPServiceUnavailable
