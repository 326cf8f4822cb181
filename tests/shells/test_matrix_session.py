"""The connection to a homeserver, from its first request to the last: what is let go of stays so."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from lobby.errors import Unreachable
from lobby.home import Login
from lobby.matrix.session import Session


class Answering:
    """A homeserver that knows one address and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        return web.json_response({"user_id": "@me:x"})


@pytest.fixture
async def answering() -> AsyncIterator[Answering]:
    homeserver, app = Answering(), web.Application()
    app.router.add_get("/_matrix/client/v3/account/whoami", homeserver.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    homeserver.url = f"http://{host}:{port}"
    yield homeserver
    await runner.cleanup()


@pytest.fixture
async def session(answering: Answering) -> AsyncIterator[Session]:
    session = Session(Login(answering.url, "@me:x", "DEVICE", "token"))
    yield session
    await session.close()


async def test_after_dropped_connections_the_next_request_opens_new_ones(
    answering: Answering, session: Session
) -> None:
    for _ in range(2):
        assert await session.request("GET", "/account/whoami") == {"user_id": "@me:x"}
        await session.drop_connections()
    assert answering.asked == 2


async def test_a_login_that_was_let_go_of_asks_nothing_any_more(answering: Answering, session: Session) -> None:
    await session.request("GET", "/account/whoami")
    await session.close()
    with pytest.raises(Unreachable, match="let go"):
        await session.request("GET", "/account/whoami")
    assert answering.asked == 1


async def test_a_request_that_was_just_beginning_leaves_no_connection_behind(
    answering: Answering, session: Session
) -> None:
    beginning = asyncio.create_task(session.request("GET", "/account/whoami"))
    await asyncio.sleep(0)
    await session.close()
    with pytest.raises(Unreachable, match="let go"):
        await beginning
    assert answering.asked == 0
