"""Single sign-on with a real Synapse and a CAS server of the test's own."""

import json
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from demo.synapse import Synapse
from lobby.accounts import Accounts
from lobby.home import Home
from tests.people import HandGuard

ANSWER = """<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas"><cas:authenticationSuccess>
<cas:user>signer</cas:user></cas:authenticationSuccess></cas:serviceResponse>"""


class WithSignOn(Synapse):
    """A homeserver that lets a CAS server vouch for people."""

    def __init__(self, folder: Path, cas: str) -> None:
        super().__init__(folder, "sso.localhost")
        self._cas = cas

    def _write_configuration(self) -> None:
        super()._write_configuration()
        settings = json.loads(self._configuration.read_text())
        settings["cas_config"] = {"enabled": True, "server_url": self._cas, "idp_name": "House of Keys"}
        self._configuration.write_text(json.dumps(settings))


@pytest.fixture
async def synapse(tmp_path: Path) -> AsyncIterator[WithSignOn]:
    async def login(request: web.Request) -> web.StreamResponse:
        service = request.query["service"]
        raise web.HTTPFound(f"{service}{'&' if '?' in service else '?'}ticket=ST-1")

    async def validate(request: web.Request) -> web.Response:
        return web.Response(text=ANSWER, content_type="text/xml")

    app = web.Application()
    app.add_routes([web.get("/login", login), web.get("/proxyValidate", validate)])
    runner = web.AppRunner(app)
    await runner.setup()
    sock = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, sock).start()
    homeserver = WithSignOn(tmp_path / "synapse", f"http://127.0.0.1:{sock.getsockname()[1]}")
    try:
        await homeserver.start()
        yield homeserver
    finally:
        await homeserver.stop()
        await runner.cleanup()


@pytest.mark.timeout(120)
async def test_a_token_of_single_sign_on_logs_in_and_later_goes_on_as_the_same_device(
    synapse: WithSignOn, tmp_path: Path
) -> None:
    accounts = Accounts(Home(tmp_path / "lobby"), HandGuard(), lambda: 0.0, lambda: "")
    ways = await accounts.ways_in(synapse.url)
    assert ways.password and [provider.name for provider in ways.providers] == ["House of Keys"]
    back = "http://lobby-x.localhost:1/sign-on/state"

    async def token() -> str:
        address = accounts.sign_on_address(ways.homeserver, ways.providers[0].id, back)
        async with aiohttp.ClientSession() as browser, browser.get(address) as page:
            found = re.search(r"/sign-on/state\?loginToken=([\w.~%-]+)", await page.text())
        assert found is not None
        return found[1]

    assert await accounts.log_in_by_token(ways.homeserver, await token()) == 1
    first = Home(tmp_path / "lobby").account(1).login()
    assert first is not None and first.user_id == "@signer:sso.localhost"
    assert await accounts.log_in_by_token(ways.homeserver, await token(), number=1) == 1
    second = Home(tmp_path / "lobby").account(1).login()
    assert second is not None and second.device_id == first.device_id and second.token != first.token
    await accounts.stop()
    accounts.close()
