"""The dashboard of a real desk: who may see it; what a person reads there in Chromium, over the desk's death too."""

import asyncio
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from frontdesk.dashboard.following import Following
from frontdesk.dashboard.page import Seen
from frontdesk.dashboard.server import Dashboard, served
from frontdesk.terms import AppState, AppStatus, DeskStatus
from tests.desks import APP, PATIENCE, DeskHome, RunningPushService
from tests.programs import CHROMIUM_FLAGS, chromium
from tests.web_push import send, subscribed

WAIT = 20_000
"""Milliseconds; Playwright's own five seconds are too few on a machine that is busy with other things."""


class OneStatus:
    """A source that says one thing."""

    def seen(self) -> Seen:
        row = AppStatus(APP, "Puppet <b>", AppState.SUSPENDED, 1000.0)
        return Seen(DeskStatus(1010.0, 1, "1", (row,), (), ()), False, 1010.0)

    async def changes(self) -> AsyncIterator[None]:
        yield
        await asyncio.Event().wait()


@pytest.fixture
async def dashboard() -> AsyncIterator[Dashboard]:
    async with served(OneStatus()) as shown:
        yield shown


def here(shown: Dashboard, path: str = "/") -> str:
    return f"http://127.0.0.1:{shown.port}{path}"


def code(shown: Dashboard) -> str:
    return here(shown, "/enter?" + shown.address().partition("?")[2])


PATHS = ("/", "/events", "/static/dashboard.css", "/nowhere")


@pytest.mark.contract("X01")
async def test_who_has_no_code_sees_nothing_but_a_sentence(dashboard: Dashboard) -> None:
    async with aiohttp.ClientSession() as stranger:
        for path in (*PATHS, "/enter", "/enter?code=guessed"):
            async with stranger.get(here(dashboard, path)) as answer:
                assert answer.status == 401
                assert "Puppet" not in await answer.text()
        garbled = {"Cookie": f"{dashboard.origin.partition('//')[2].partition('.')[0]}=caf\u00e9"}
        assert (await stranger.get(here(dashboard), headers=garbled)).status == 401


@pytest.mark.contract("X01")
async def test_a_code_opens_it_once_and_the_cookie_from_then_on(dashboard: Dashboard) -> None:
    address = code(dashboard)
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as browser, aiohttp.ClientSession() as other:
        assert "Puppet" in await (await browser.get(address)).text()
        assert (await other.get(address)).status == 401
        assert (await browser.get(address)).status == 200, "a restored tab has its first address still"
        (cookie,) = jar
        assert cookie["httponly"] and cookie["samesite"] == "Lax"


@pytest.mark.contract("X01")
async def test_another_host_name_is_refused_with_a_good_cookie_too(dashboard: Dashboard) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        await browser.get(code(dashboard))
        for name in ("evil.example", f"localhost:{dashboard.port}", f"demo.localhost:{dashboard.port}"):
            async with browser.get(here(dashboard), headers={"Host": name}) as answer:
                assert answer.status == 421 and "Puppet" not in await answer.text()
        own = dashboard.origin.partition("//")[2]
        assert (await browser.get(here(dashboard), headers={"Host": own})).status == 200


@pytest.mark.contract("X01")
async def test_every_answer_carries_the_policy_and_nothing_can_be_posted(dashboard: Dashboard) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        await browser.get(code(dashboard))
        for path in (*PATHS, "/static/..%2fpage.py", "/enter"):
            async with browser.get(here(dashboard, path)) as answer:
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
                assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert (answer.status == 200) == (path in PATHS[:3] or path == "/enter"), path
        for path in PATHS:
            assert (await browser.post(here(dashboard, path))).status in (404, 405)


async def test_names_from_outside_are_text(dashboard: Dashboard) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        text = await (await browser.get(code(dashboard))).text()
    assert "Puppet &lt;b&gt;" in text and "Puppet <b>" not in text


# --- the command ------------------------------------------------------------------------------------------------------


async def test_without_a_desk_it_says_how_to_start_one(home: DeskHome) -> None:
    status, out, said = await home.command("dashboard", "--no-browser")
    assert (status, out) == (1, "")
    assert "No desk answers" in said and "frontdesk agent" in said and "frontdesk enable" in said


@asynccontextmanager
async def command(home: DeskHome, *words: str, stdin: int, **more: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "frontdesk.cli.main", "dashboard", *words],
        env=home.environment | more,
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def next_address(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        while "http://desk-" not in (line := (await process.stdout.readline()).decode()):
            assert line, "it ended and gave no address"
    return line.strip()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_it_prints_an_address_and_another_on_enter_and_ends_in_order(desk: DeskHome, how: signal.Signals) -> None:
    person, terminal = pty.openpty()
    with closing(os.fdopen(person, "wb", buffering=0)) as typed:
        async with command(desk, "--no-browser", stdin=terminal) as process:
            os.close(terminal)
            first = await next_address(process)
            typed.write(b"\n")
            assert await next_address(process) != first
            process.send_signal(how)
            assert await asyncio.wait_for(process.wait(), PATIENCE) == 0


async def test_it_opens_the_browser(desk: DeskHome, tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    os.mkfifo(opened)
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o700)
    async with command(desk, stdin=asyncio.subprocess.DEVNULL, BROWSER=str(browser)) as process:
        address = await asyncio.wait_for(asyncio.to_thread(opened.read_text), PATIENCE)
        assert address.startswith("http://desk-") and "/enter?code=" in address
        assert process.stdout is not None
        assert b"open in your browser" in await asyncio.wait_for(process.stdout.readline(), PATIENCE)


# --- in a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=chromium(), args=[*CHROMIUM_FLAGS])
        yield started
        await started.close()


@asynccontextmanager
async def looked_at(home: DeskHome, browser: Browser, **context: object) -> AsyncIterator[Page]:
    """The dashboard of this desk in the browser; policy violations and errors of its modules fail the test."""
    following = Following(home.home)
    work = asyncio.create_task(following.run())
    try:
        async with served(following) as shown:
            page = await browser.new_page(**context)  # type: ignore[arg-type]
            page.set_default_timeout(WAIT)
            complaints: list[str] = []
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
            await page.goto(shown.address())
            yield page
            await page.close()
            assert complaints == []
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


@pytest.mark.timeout(180)
async def test_a_person_finds_out_what_the_desk_did_and_why(
    home: DeskHome, push_service: RunningPushService, browser: Browser
) -> None:
    await home.start_reachable(push_service)
    puppet = await home.launch()
    to = await subscribed(puppet)
    async with looked_at(home, browser) as page:
        card = page.locator(f"[id='app-{APP}']")
        await expect(card).to_contain_text("in front", timeout=WAIT)
        await expect(card).to_contain_text("wakes it, and it says what to show", timeout=WAIT)
        task = await puppet.do("begin", name="upload", handler="ends")
        puppet.order("background")
        await expect(card).to_contain_text("the background task “upload”, for", timeout=WAIT)
        await expect(card).to_contain_text("Background time left", timeout=WAIT)
        await puppet.do("end", task=task)
        await expect(card).to_contain_text("asleep", timeout=WAIT)
        assert await send(to, answer="this", body="hello", id="n") == 201
        await expect(page.locator("#shown")).to_contain_text("Puppet: Decrypted hello", timeout=WAIT)
        lane = page.get_by_role("group", name="Puppet")
        push = lane.locator(".tl-mark:visible", has_text="Push: “Decrypted” shown").first
        await push.click()
        story = page.locator("#tl-panel")
        await expect(story).to_contain_text(
            "A push for Puppet arrived. Puppet was asleep, so it was woken", timeout=WAIT
        )
        await expect(story).to_contain_text("it showed “Decrypted: hello”", timeout=WAIT)
        await expect(story).to_contain_text("slept again", timeout=WAIT)
        await page.keyboard.press("Escape")
        await expect(story).to_contain_text("Press a mark", timeout=WAIT)
        await _by_keyboard(page)
        await _over_the_death_of_the_desk(home, page)
        await home.control.quit(APP)
        await expect(page.locator("#receipts")).to_contain_text("Puppet: quit", timeout=WAIT)


async def _by_keyboard(page: Page) -> None:
    """A lane is one stop; the arrows go along it in the order of time."""
    lane = page.get_by_role("group", name="Puppet")
    assert await lane.locator("button[tabindex='0']").count() == 1
    await lane.locator("button[tabindex='0']").focus()
    await page.keyboard.press("Home")
    moments: list[float] = []
    for _ in range(4):
        moments.append(float(str(await page.evaluate("document.activeElement.dataset.at"))))
        await page.keyboard.press("ArrowRight")
    assert moments == sorted(moments) and moments[0] < moments[-1]
    await page.keyboard.press("Enter")
    await expect(page.locator("#tl-panel article")).not_to_have_count(0, timeout=WAIT)
    await page.keyboard.press("Escape")


async def _looking_back(page: Page) -> None:
    """The picture stands still for who has scrolled back, until that person wants the present again."""
    now, track = page.get_by_role("button", name="Now", exact=True), page.locator(".tl-track")
    await expect(now).to_be_hidden()
    await page.locator(".tl-scroll").evaluate("each => { each.scrollLeft = 0; }")
    await expect(now).to_be_visible(timeout=WAIT)
    where = str(await track.get_attribute("style"))
    lasting = page.locator(".tl-band:not([data-to])").last
    await expect(lasting).not_to_have_attribute("style", str(await lasting.get_attribute("style")), timeout=WAIT)
    await expect(track).to_have_attribute("style", where)
    await now.click()
    await expect(now).to_be_hidden()
    await expect(track).not_to_have_attribute("style", where, timeout=WAIT)


async def _over_the_death_of_the_desk(home: DeskHome, page: Page) -> None:
    before = await page.locator("#desk").inner_text()
    await home.kill_desk()
    await expect(page.locator("#desk")).to_contain_text("Started again", timeout=WAIT)
    assert await page.locator("#desk").inner_text() != before
    desk = page.get_by_role("group", name="Desk")
    await desk.locator(".tl-mark:visible").last.click()
    await expect(page.locator("#tl-panel")).to_contain_text("It was killed, or died without a word", timeout=WAIT)
    await expect(desk.locator("[data-state=away]")).to_have_count(1, timeout=WAIT)
    await expect(page.locator(f"[id='app-{APP}']")).to_contain_text("asleep", timeout=WAIT)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
async def test_it_fits_moves_on_by_itself_and_stops_when_nobody_looks(
    desk: DeskHome, browser: Browser, width: int, scheme: str
) -> None:
    puppet = await desk.launch()
    puppet.order("background")
    async with looked_at(
        desk, browser, viewport={"width": width, "height": 844}, color_scheme=scheme, reduced_motion="no-preference"
    ) as page:
        await expect(page.locator(f"[id='app-{APP}']")).to_contain_text("asleep", timeout=WAIT)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        track = page.locator(".tl-track")
        moved = "document.querySelector('.tl-track').style.transform"
        await expect(track).not_to_have_attribute("style", str(await track.get_attribute("style")), timeout=WAIT)
        band = track.locator(".tl-band[data-state=suspended]").last
        right = "each => each.getBoundingClientRect().right"
        edges = [await band.evaluate(right), await page.locator(".tl-scroll").evaluate(right)]
        assert 0 <= edges[1] - edges[0] <= 24, "what lasts reaches to the present"
        slipped = "sheet => { sheet.scrollTop = 50; return sheet.scrollTop; }"
        assert await page.locator(".tl-sheet").evaluate(slipped) == 0, "lanes stay beside their names"
        await _looking_back(page)
        await page.get_by_role("button", name="Minutes").click()
        await expect(band).to_be_visible(timeout=WAIT)
        await page.get_by_role("button", name="Seconds").click()
        unnamed = await page.evaluate(
            "[...document.querySelectorAll('button')].filter(one => !one.textContent.trim()).map(one => one.outerHTML)"
        )
        assert unnamed == []
        hide = "value => { Object.defineProperty(document, 'hidden', { value, configurable: true });"
        hide += " document.dispatchEvent(new Event('visibilitychange')); }"
        async with page.expect_event("requestfailed", lambda request: request.url.endswith("/events"), timeout=WAIT):
            await page.evaluate(hide, True)
        still = await page.evaluate(moved)
        await desk.control.quit(APP)
        await desk.until_state(AppState.STOPPED)
        assert await page.evaluate(moved) == still
        await expect(page.locator(f"[id='app-{APP}']")).to_contain_text("asleep", timeout=WAIT)
        await page.evaluate(hide, False)
        await expect(page.locator(f"[id='app-{APP}']")).to_contain_text("quit", timeout=WAIT)
