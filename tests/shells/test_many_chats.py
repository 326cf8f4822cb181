"""Somebody with 500 chats: the first sync brings all of them, and the page lists them and follows what is said.

Real are Synapse, the whole of Lobby from its connection to its page, and 20 chats. The other 480 are what Synapse says
of those 20, told again under other ids: its answer to the first /sync passes through a server that repeats each chat.
(Making 500 rooms takes Synapse half a minute.)
"""

import asyncio
import copy
import itertools
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from demo.tour.window import opened
from lobby.accounts import Accounts
from lobby.home import Home
from lobby.ui.codes import mint
from lobby.ui.server import Page
from tests.homeserver import PASSWORD, Homeserver, homeserver
from tests.lobby.ui.memory_messenger import MemorySessions
from tests.people import HandGuard

__all__ = ["homeserver"]

REAL = 20
TIMES = 25
CHATS = REAL * TIMES

A_FEW = 4096
"""Bytes that one message in one of many chats may cost the page."""

AT_ONCE = 4
SECRET = b"s" * 32


class Client:
    """Somebody else's client: speaks to the homeserver itself."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http
        self._free = asyncio.Semaphore(AT_ONCE)

    async def log_in(self, user_id: str) -> None:
        identifier = {"type": "m.id.user", "user": user_id}
        body = {"type": "m.login.password", "identifier": identifier, "password": PASSWORD}
        answer = await self.ask("POST", "login", body)
        self._http.headers["Authorization"] = f"Bearer {answer['access_token']}"

    async def ask(self, method: str, path: str, body: object) -> dict[str, str]:
        async with self._free, self._http.request(method, f"/_matrix/client/v3/{path}", json=body) as answer:
            found: dict[str, str] = await answer.json()
            assert answer.status == 200, found
            return found

    async def make_room(self, number: int) -> str:
        return (await self.ask("POST", "createRoom", {"name": f"Chat {number}", "preset": "private_chat"}))["room_id"]


def told_again(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer to /sync with TIMES times its rooms, each with an id of its own, and so its events."""
    rooms = answer["rooms"]["join"]
    for (room_id, room), number in itertools.product(list(rooms.items()), range(1, TIMES)):
        again = rooms[f"{room_id}-{number}"] = copy.deepcopy(room)
        for one in (*again["state"]["events"], *again["timeline"]["events"]):
            one["event_id"] += f"-{number}"
    return answer


class InBetween:
    """Between Lobby and its homeserver: hands everything on, and the first answer to /sync with more chats."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http

    async def hand_on(self, request: web.Request) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name in ("Authorization", "Content-Type")}
        body = await request.read()
        async with self._http.request(
            request.method, URL(request.raw_path, encoded=True), headers=headers, data=body
        ) as answer:
            if request.path.endswith("/sync") and "since" not in request.query:
                return web.json_response(told_again(await answer.json()))
            return web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)


@asynccontextmanager
async def more_chats(url: str) -> AsyncIterator[str]:
    """The address of a homeserver that knows of more chats than the one at ``url``."""
    async with aiohttp.ClientSession(url) as http:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", InBetween(http).hand_on)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        sock = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(runner, sock).start()
        try:
            yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        finally:
            await runner.cleanup()


async def test_all_of_500_chats_are_listed_and_one_with_news_comes_to_the_top_at_little_cost(
    homeserver: Homeserver, tmp_path: Path
) -> None:
    user_id = await homeserver.account("Popular")
    ids = (f"key-key-key-key-{number}" for number in itertools.count(1))
    accounts = Accounts(Home(tmp_path), HandGuard(), time.time, lambda: next(ids))
    sock = socket.create_server(("127.0.0.1", 0))
    host, port = "lobby-x.localhost", sock.getsockname()[1]
    page = Page(accounts, MemorySessions(), host, port, SECRET)
    async with more_chats(homeserver.url) as address, aiohttp.ClientSession(homeserver.url) as http:
        elsewhere = Client(http)
        await elsewhere.log_in(user_id)
        rooms = await asyncio.gather(*(elsewhere.make_room(number) for number in range(REAL)))
        accounts.start()
        accounts.foreground()
        await page.serve(sock)
        try:
            await accounts.log_in(address, user_id, PASSWORD)
            code = mint(SECRET, time.time(), "nonce-nonce-0001")
            async with opened(f"http://{host}:{port}/enter?code={code}") as window:
                await window.until(lambda window: len(window.chats) == CHATS, "all chats", 60.0)
                assert set(rooms) <= set(window.chats)
                last = [room_id for room_id in window.chats if room_id in rooms][-1]
                others = [room_id for room_id in window.chats if room_id != last]
                before = window.taken
                said = {"msgtype": "m.text", "body": "still here"}
                await elsewhere.ask("PUT", f"rooms/{last}/send/m.room.message/1", said)
                await window.until(lambda window: window.chats[0] == last, "the chat with news on top", 60.0)
                assert window.chats == [last, *others], "the others stay as they were"
                assert "still here" in window.fragment("rows")
                assert window.taken - before < A_FEW
        finally:
            await page.stop()
            await accounts.stop()
            accounts.close()
