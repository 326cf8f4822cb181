"""Single sign-on with a real Synapse and a CAS server of the test's own."""

import asyncio
import json
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from html import escape, unescape
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import async_playwright, expect

from demo.synapse import Synapse
from lobby.accounts import Accounts
from lobby.database import Database
from lobby.home import Home
from lobby.matrix.session import Session
from lobby.page_store import PAGE, PageStore
from lobby.sign_on import NobodyCame, token_of_browser
from lobby.ui.codes import mint
from lobby.ui.server import Page as PageServer
from tests.people import HandGuard
from tests.programs import CHROMIUM_FLAGS, chromium

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
        vouched = f"{service}{'&' if '?' in service else '?'}ticket=ST-1"
        return web.Response(text=f'<a href="{escape(vouched)}">I am signer</a>', content_type="text/html")

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


async def through_sign_on(address: str, back: str) -> str:
    """What a person does in a browser, who then does not go back: the address to go to, which begins with ``back``."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        for beginning in ("http://", back):
            async with browser.get(address) as page:
                found = re.search(rf'href="({re.escape(beginning)}[^"]+)"', await page.text())
            assert found is not None
            address = unescape(found[1])
    assert "loginToken=" in address
    return address


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
        return (await through_sign_on(address, back)).rpartition("=")[2]

    assert await accounts.log_in_by_token(ways.homeserver, await token()) == 1
    first = Home(tmp_path / "lobby").account(1).login()
    assert first is not None and first.user_id == "@signer:sso.localhost"
    assert await accounts.log_in_by_token(ways.homeserver, await token(), number=1) == 1
    second = Home(tmp_path / "lobby").account(1).login()
    assert second is not None and second.device_id == first.device_id and second.token != first.token
    await accounts.stop()
    accounts.close()


class Terminal:
    """`lobby login --sso` in ``folder``, of a person who goes to the address it prints. Where no desk runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self.address = ""

    async def run(self, *words: str) -> None:
        """Run it until it has printed the address of the sign-on."""
        self._process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "lobby.main", "login", "--sso", *words],
            env={
                "PATH": "/usr/bin:/bin",
                "FRONTDESK_HOME": str(self._folder / "desk"),
                "LOBBY_HOME": str(self._folder / "lobby"),
                "LOBBY_BROWSER": "none",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(30.0):
            while not self.address.startswith("http"):
                line = await self._process.stdout.readline()
                assert line, await self.end()
                self.address = line.decode().strip()

    async def back(self) -> str:
        """Go through the sign-on as a browser does; the address to come back to, with the token."""
        return await through_sign_on(self.address, "http://127.0.0.1:")

    async def end(self) -> tuple[int, str, str]:
        """Exit status, and what else it has said."""
        assert self._process is not None
        async with asyncio.timeout(30.0):
            out, error = await self._process.communicate()
        assert self._process.returncode is not None
        return self._process.returncode, out.decode().strip(), error.decode().strip()

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@pytest.fixture
async def terminal(tmp_path: Path) -> AsyncIterator[Callable[[], Terminal]]:
    """Opens terminals of one person."""
    opened: list[Terminal] = []

    def open_one() -> Terminal:
        opened.append(Terminal(tmp_path))
        return opened[-1]

    yield open_one
    for each in opened:
        await each.kill()


@pytest.mark.timeout(120)
async def test_in_a_terminal_single_sign_on_comes_back_to_an_address_that_nobody_can_guess_and_counts_once(
    synapse: WithSignOn, tmp_path: Path, terminal: Callable[[], Terminal]
) -> None:
    first = terminal()
    await first.run("--homeserver", synapse.url)
    back = await first.back()
    there = back.partition("?")[0]
    async with aiohttp.ClientSession() as browser:
        for address, status in ((f"{there}x?loginToken=y", 404), (there, 422)):
            async with browser.get(address) as answer:
                assert answer.status == status
        async with browser.head(back) as answer:
            assert answer.status == 405
        async with browser.get(back) as answer:
            assert (answer.status, "close this window" in await answer.text()) == (200, True)
    assert await first.end() == (0, "Logged in as @signer:sso.localhost.", "")
    login = Home(tmp_path / "lobby").account(1).login()
    assert login is not None and login.user_id == "@signer:sso.localhost"

    again = terminal()
    await again.run("--homeserver", synapse.url, "--provider", "cas")
    async with aiohttp.ClientSession() as browser, browser.get(await again.back()) as answer:
        assert answer.status == 200
    status, _, error = await again.end()
    assert status == 1 and "is logged in already" in error
    assert Home(tmp_path / "lobby").account(1).login() == login

    # Signed out, and Lobby has not noticed: whoever comes back is the same device, and has to be named before.
    session = Session(login)
    await session.request("POST", "/logout/all", {})
    await session.close()
    with pytest.raises(AssertionError, match="--user @signer:sso"):
        await terminal().run("--homeserver", synapse.url)
    back_again = terminal()
    await back_again.run("--homeserver", synapse.url, "--user", "signer")
    async with aiohttp.ClientSession() as browser, browser.get(await back_again.back()) as answer:
        assert answer.status == 200
    assert await back_again.end() == (0, "Logged in as @signer:sso.localhost.", "")
    after = Home(tmp_path / "lobby").account(1).login()
    assert after is not None and after.device_id == login.device_id and after.token != login.token


@pytest.mark.timeout(120)
async def test_a_provider_that_there_is_not_is_refused_with_those_that_there_are(
    synapse: WithSignOn, terminal: Callable[[], Terminal]
) -> None:
    with pytest.raises(AssertionError, match="Say one with --provider: cas"):
        await terminal().run("--homeserver", synapse.url, "--provider", "nobody")


async def test_a_browser_that_does_not_come_back_is_not_waited_for_for_ever() -> None:
    shown: list[str] = []
    with pytest.raises(NobodyCame, match="Nothing was changed"):
        await token_of_browser(lambda back: f"to {back}", shown.append, 0.01)
    assert shown and shown[0].startswith("to http://127.0.0.1:")


@pytest.fixture
async def page_server(tmp_path: Path) -> AsyncIterator[tuple[str, str]]:
    """A Lobby in which nobody is logged in: the origin of its page, and an address that opens it."""
    home = Home(tmp_path / "lobby")
    database = Database(home.page_database, PAGE)
    accounts = Accounts(home, HandGuard(), time.time, lambda: secrets.token_urlsafe(18))
    sock = socket.create_server(("127.0.0.1", 0))
    host, port = "lobby-sso.localhost", sock.getsockname()[1]
    server = PageServer(accounts, PageStore(database), host, port, home.page_secret())
    await server.serve(sock)
    origin = f"http://{host}:{port}"
    yield origin, f"{origin}/enter?code={mint(home.page_secret(), time.time(), secrets.token_urlsafe(16))}"
    await server.stop()
    await accounts.stop()
    accounts.close()
    database.close()


@pytest.mark.timeout(180)
async def test_a_person_gets_in_by_single_sign_on_in_a_browser_and_what_came_back_counts_once(
    synapse: WithSignOn, page_server: tuple[str, str]
) -> None:
    origin, entrance = page_server
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
        context = await browser.new_context()
        context.set_default_timeout(20_000)
        wrong: list[str] = []
        context.on("console", lambda line: wrong.append(line.text) if "Content Security Policy" in line.text else None)
        page = await context.new_page()
        await page.goto(entrance)
        await page.get_by_label("Homeserver").fill(synapse.url)
        await page.get_by_role("button", name="Continue").click()
        await page.get_by_role("button", name="Continue with House of Keys").click()
        await page.get_by_role("link", name="I am signer").click()
        onward = page.locator(f'a[href^="{origin}/sign-on/"]')
        back = await onward.get_attribute("href") or ""
        # From the homeserver's site to Lobby's: its cookie has to come along, and the token not to stay in sight.
        await onward.click()
        await expect(page.locator("#account-menu")).to_contain_text("signer", timeout=20_000)
        assert page.url == f"{origin}/"
        answer = await page.goto(back)
        assert answer is not None and answer.status == 422
        await expect(page.get_by_role("alert")).to_contain_text("That sign-on is over")
        assert wrong == []
        await browser.close()
