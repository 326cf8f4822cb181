"""Somebody with many chats: the first sync brings all of them, and the page lists them and follows what is said."""

import asyncio
import itertools
import socket
import time
from pathlib import Path

import aiohttp

from demo.tour.window import opened
from lobby.accounts import Accounts
from lobby.home import Home
from lobby.ui.codes import mint
from lobby.ui.server import Page
from tests.homeserver import PASSWORD, Homeserver, homeserver
from tests.lobby.ui.memory_messenger import MemorySessions
from tests.people import HandGuard

__all__ = ["homeserver"]

CHATS = 120
"""As many as a homeserver under load makes within a few seconds."""

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


async def test_all_chats_of_a_first_sync_are_listed_and_one_with_news_comes_to_the_top(
    homeserver: Homeserver, tmp_path: Path
) -> None:
    user_id = await homeserver.account("Popular")
    ids = (f"key-key-key-key-{number}" for number in itertools.count(1))
    accounts = Accounts(Home(tmp_path), HandGuard(), time.time, lambda: next(ids))
    sock = socket.create_server(("127.0.0.1", 0))
    host, port = "lobby-x.localhost", sock.getsockname()[1]
    page = Page(accounts, MemorySessions(), host, port, SECRET)
    async with aiohttp.ClientSession(homeserver.url) as http:
        elsewhere = Client(http)
        await elsewhere.log_in(user_id)
        rooms = await asyncio.gather(*(elsewhere.make_room(number) for number in range(CHATS)))
        accounts.start()
        accounts.foreground()
        await page.serve(sock)
        try:
            await accounts.log_in(homeserver.url, user_id, PASSWORD)
            code = mint(SECRET, time.time(), "nonce-nonce-0001")
            async with opened(f"http://{host}:{port}/enter?code={code}") as window:
                await window.until(lambda window: len(window.chats) == CHATS, "all chats", 60.0)
                assert set(window.chats) == set(rooms)
                last = window.chats[-1]
                others = [room_id for room_id in window.chats if room_id != last]
                said = {"msgtype": "m.text", "body": "still here"}
                await elsewhere.ask("PUT", f"rooms/{last}/send/m.room.message/1", said)
                await window.until(lambda window: window.chats[0] == last, "the chat with news on top", 60.0)
                assert window.chats == [last, *others], "the others stay as they were"
                assert "still here" in window.fragment("chats")
        finally:
            await page.stop()
            await accounts.stop()
            accounts.close()
