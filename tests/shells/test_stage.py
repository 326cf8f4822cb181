"""The stage over HTTP and in Chromium, on hand-made desks: who may see and switch it, and that it shows what is."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import Browser, Page, Route, async_playwright, expect

from demo.errors import DemoError
from demo.network import Condition
from demo.ports import free_port
from demo.stage.guide import Guide
from demo.stage.scene import Scene, scene
from demo.stage.server import HOST, Stage, opened
from frontdesk import AppState, DeskStatus, Happening, Notification, Reading
from frontdesk import Condition as MachineCondition
from tests.demo.stage.desks import APP, NOW, status
from tests.programs import CHROMIUM_FLAGS, chromium

# Playwright's own five seconds are too few on a machine that is busy with other things.
expect.set_options(timeout=20_000)


class HandMade:
    """A board whose desks say what the test wants them to say; it notes the switches."""

    def __init__(self, windows: str) -> None:
        self.guide = Guide()
        self.windows = windows
        self.left = scene("Left", True, Condition.GOOD, status(AppState.FOREGROUND), APP)
        self.right = scene("Right", False, Condition.GOOD, status(AppState.SUSPENDED), APP)
        self.switched: list[tuple[str, ...]] = []
        self._changed = asyncio.Event()

    def scenes(self) -> tuple[Scene, Scene]:
        return self.left, self.right

    async def changes(self) -> AsyncIterator[None]:
        while True:
            changed = self._changed
            yield
            await changed.wait()

    def right_says(self, found: DeskStatus | None, window: bool = False, asked: int = 0) -> None:
        self.right = scene("Right", window, Condition.GOOD, found, APP, asked)
        self.guide.saw(self.left, self.right)
        self._changed.set()
        self._changed = asyncio.Event()

    async def switch(self, user: str, what: str, value: str, notification: str, app: str) -> None:
        if what == "broken":
            raise DemoError("The desk could not do that.")
        self.switched.append((user, what, value, notification))
        if (user, what) == ("right", "window"):
            self.right_says(status(AppState.FOREGROUND), window=value == "open")

    async def window_address(self, user: str) -> str:
        return self.windows.replace("USER", user)


@pytest.fixture
async def windows() -> AsyncIterator[str]:
    """The address of pages to frame; USER stands for the person."""

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=f"<h1>Lobby of {request.host.partition('.')[0]}</h1>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://USER.{HOST}:{port}/"
    await runner.cleanup()


@pytest.fixture
def board(windows: str) -> HandMade:
    return HandMade(windows)


@pytest.fixture
async def stage(board: HandMade) -> AsyncIterator[Stage]:
    async with opened(Stage(free_port()), board) as shown:
        yield shown


@pytest.fixture
async def http(stage: Stage) -> AsyncIterator[aiohttp.ClientSession]:
    """A browser that has come in by the one-time address; it calls the stage 127.0.0.1."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with session.get(here(stage, stage.address())) as answer:
            assert answer.status == 200
        yield session


def cookie_of(stage: Stage) -> str:
    return f"stage-{stage.origin.rpartition(':')[2]}"


def here(stage: Stage, address: str) -> str:
    return address.replace(HOST, "127.0.0.1")


async def test_without_the_one_time_address_nothing_is_shown(stage: Stage) -> None:
    async with aiohttp.ClientSession() as stranger:
        for path in ("/", "/events", "/machine/left/window"):
            async with stranger.get(here(stage, stage.origin + path)) as answer:
                assert answer.status == 401
                assert "Left" not in await answer.text()


async def test_a_garbled_cookie_is_no_session(stage: Stage) -> None:
    async with aiohttp.ClientSession() as stranger:
        async with stranger.get(
            here(stage, stage.origin), headers={"Cookie": f"{cookie_of(stage)}=caf\u00e9"}
        ) as answer:
            assert answer.status == 401


async def test_two_demos_in_one_browser_know_their_visitor_side_by_side(stage: Stage, board: HandMade) -> None:
    jar = aiohttp.CookieJar(unsafe=True)
    async with opened(Stage(free_port()), board) as other, aiohttp.ClientSession(cookie_jar=jar) as browser:
        for entered in (stage, other):
            assert (await browser.get(here(entered, entered.address()))).status == 200
        for shown in (stage, other):
            assert (await browser.get(here(shown, shown.origin))).status == 200
        assert {cookie.key for cookie in jar} == {cookie_of(stage), cookie_of(other)}


@pytest.mark.parametrize(("enter_helps", "said"), [(True, "Press Enter"), (False, "starting it again")])
async def test_the_way_in_is_one_that_there_is(board: HandMade, enter_helps: bool, said: str) -> None:
    async with opened(Stage(free_port(), enter_helps), board) as shown, aiohttp.ClientSession() as stranger:
        for path in ("/", "/enter?code=used"):
            async with stranger.get(here(shown, shown.origin + path)) as answer:
                text = await answer.text()
                assert answer.status == 401
                assert (said in text, "Enter" in text) == (True, enter_helps)


async def test_an_address_opens_the_stage_once(stage: Stage) -> None:
    address = here(stage, stage.address())
    for expected in (200, 401):
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
            async with browser.get(address) as answer:
                assert answer.status == expected


async def test_another_host_name_is_refused(stage: Stage, http: aiohttp.ClientSession) -> None:
    async with http.get(here(stage, stage.origin), headers={"Host": "evil.example"}) as answer:
        assert answer.status == 421


async def test_a_switch_needs_origin_and_token(stage: Stage, http: aiohttp.ClientSession, board: HandMade) -> None:
    address = here(stage, f"{stage.origin}/machine/left/quit")
    page = await (await http.get(here(stage, stage.origin))).text()
    token = page.partition('name="csrf" content="')[2].partition('"')[0]
    origin = here(stage, stage.origin)
    for headers in (
        {},
        {"Origin": origin},
        {"X-Stage-Token": token},
        {"Origin": f"http://left.{HOST}", "X-Stage-Token": token},
    ):
        async with http.post(address, headers=headers) as answer:
            assert (answer.status, answer.content_type) == (403, "text/plain")
            assert "<" not in await answer.text(), "the page's script shows it as it is"
    assert board.switched == []
    async with http.post(address, headers={"Origin": origin, "X-Stage-Token": token}) as answer:
        assert answer.status == 204
    assert board.switched == [("left", "quit", "", "")]
    async with http.post(
        address.replace("quit", "broken"), headers={"Origin": origin, "X-Stage-Token": token}
    ) as answer:
        assert (answer.status, await answer.text()) == (409, "The desk could not do that.")


async def test_every_answer_carries_the_policy_and_closes(stage: Stage, http: aiohttp.ClientSession) -> None:
    for path in ("/", "/events", "/static/stage.css", "/nowhere", "/machine/left/window"):
        async with http.get(here(stage, stage.origin + path), allow_redirects=False) as answer:
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"], path
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Connection"] == "close"


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=chromium(), args=[*CHROMIUM_FLAGS])
        yield started
        await started.close()


@pytest.fixture
async def page(browser: Browser, stage: Stage) -> AsyncIterator[Page]:
    shown = await browser.new_page()
    complaints: list[str] = []
    shown.on("pageerror", lambda error: complaints.append(str(error)))
    shown.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    await shown.goto(stage.address())
    yield shown
    assert complaints == [], "policy violations and errors of the page's module"


def switching(page: Page) -> AbstractAsyncContextManager[object]:
    """Around what a person does: left when the stage has answered."""
    return page.expect_response(lambda answer: answer.request.method == "POST")


async def test_the_page_follows_the_desk(page: Page, board: HandMade) -> None:
    right = page.locator("#right")
    await expect(right.get_by_role("status")).to_contain_text("Asleep")
    board.right_says(status(AppState.BACKGROUND, left=24.0))
    await expect(right.get_by_role("status")).to_contain_text("s left")
    await expect(right.locator("[data-seconds]")).to_have_text(re.compile(r"^(2[0-2]|1?\d)$"))  # counted down
    board.right_says(status(AppState.SUSPENDED, shown=(Notification("room", "Left", "Are you there?"),)))
    await expect(right.get_by_label("Notifications on Right’s desktop")).to_contain_text("Are you there?")
    board.right_says(None)
    await expect(right.get_by_role("status")).to_contain_text("Desk away")


async def test_what_is_followed_stays_in_place_with_its_focus(page: Page, board: HandMade) -> None:
    """A live region that is replaced says nothing, and a list that is replaced loses its reader."""
    sleeping = status(AppState.SUSPENDED, shown=(Notification("room", "Left", "Are you there?"),))
    board.right_says(sleeping)
    card = page.locator("#right .card")
    await card.focus()
    await page.evaluate("document.querySelectorAll('#right [id]').forEach((one) => (one.wasHere = true))")
    board.right_says(status(AppState.SUSPENDED, shown=(Notification("room", "Left", "Still there?"),)))
    await expect(card).to_contain_text("Still there?")
    await expect(card).to_be_focused()
    for region in ("right-state", "right-shown", "right-seen"):
        assert await page.evaluate("id => document.getElementById(id).wasHere", region)
    board.right_says(status(AppState.STOPPED))
    await expect(page.locator("#right-state")).to_have_attribute("data-tone", "gone")


async def test_switches_and_windows_by_keyboard(page: Page, board: HandMade) -> None:
    await expect(page.frame_locator('iframe[title="Left’s Lobby"]').locator("h1")).to_have_text("Lobby of left")
    assert await page.locator('iframe[title="Right’s Lobby"]').count() == 0
    await page.get_by_role("switch", name="Right’s window is open").focus()
    async with switching(page):
        await page.keyboard.press("Space")
    await expect(page.frame_locator('iframe[title="Right’s Lobby"]').locator("h1")).to_have_text("Lobby of right")
    assert await page.evaluate("document.activeElement.id") == "right-window", "the focus stays on the switch"
    async with switching(page):
        await page.get_by_role("button", name="Close Right’s window").click()
    await expect(page.locator('iframe[title="Right’s Lobby"]')).to_have_count(0)
    async with switching(page):
        await page.locator("#left").get_by_role("button", name="Slow").click()
    async with switching(page):
        await page.locator("#left").get_by_role("button", name="Kill the desk").click()
    assert board.switched == [
        ("right", "window", "open", ""),
        ("right", "window", "closed", ""),
        ("left", "network", "slow", ""),
        ("left", "kill", "", ""),
    ]


async def test_conditions_are_simulated_by_keyboard_and_stay_unfolded(page: Page, board: HandMade) -> None:
    conditions = page.locator("#right-conditions")
    power = conditions.get_by_role("group", name="Right’s power, simulated for the desk")
    await expect(power).to_be_hidden()
    await conditions.locator("summary").press("Enter")
    idle = Reading(MachineCondition.IDLE, "yes", forced=True)
    board.right_says(status(AppState.SUSPENDED, conditions=(idle,)))
    await expect(conditions.locator("summary")).to_have_text("Conditions: not in use simulated")
    await expect(conditions.locator("summary")).to_be_focused()
    await power.get_by_role("button", name="Battery").focus()
    async with switching(page):
        await page.keyboard.press("Enter")
    assert board.switched == [("right", "power", "battery", "")]
    battery = Reading(MachineCondition.POWER, "battery", forced=True, seen="external")
    board.right_says(status(AppState.SUSPENDED, conditions=(battery,)))
    await expect(conditions.locator("summary")).to_have_text("Conditions: on battery simulated")
    await expect(power.get_by_role("button", name="Battery")).to_have_attribute("aria-pressed", "true")
    await expect(power.get_by_role("button", name="Battery")).to_be_focused()


async def test_a_window_goes_where_lobby_wants_it(page: Page, board: HandMade) -> None:
    title = page.locator('iframe[title="Right’s Lobby"]')
    for asked in (1, 2):
        board.right_says(status(AppState.FOREGROUND), window=True, asked=asked)
        await expect(title).to_have_attribute("data-asked", str(asked))
        await expect(page.frame_locator('iframe[title="Right’s Lobby"]').locator("h1")).to_have_text("Lobby of right")


async def test_a_click_on_a_notification_reaches_the_desk(page: Page, board: HandMade) -> None:
    board.right_says(status(AppState.SUSPENDED, shown=(Notification("room", "Left", "Are you there?"),)))
    async with switching(page):
        await page.get_by_role("button", name="Are you there?").first.click()
    async with switching(page):
        await page.get_by_role("button", name="Dismiss “Left”").click()
    assert board.switched == [("right", "notification", "", "room"), ("right", "dismiss", "", "room")]


async def test_on_a_phone_one_machine_at_a_time(page: Page) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await expect(page.locator("#left")).to_be_visible()
    await expect(page.locator("#right")).to_be_hidden()
    await page.get_by_role("navigation", name="Machines").get_by_role("button", name="Right").click()
    await expect(page.locator("#right")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390


async def test_on_a_phone_the_tab_counts_what_waits_at_the_other_machine(page: Page, board: HandMade) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    count = page.get_by_role("navigation", name="Machines").locator("#right-count")
    await expect(count).to_be_hidden()
    board.right_says(status(AppState.SUSPENDED, shown=(Notification("room", "Left", "Are you there?"),)))
    await expect(count).to_be_visible()
    await expect(count).to_contain_text("1")
    board.right_says(status(AppState.SUSPENDED))
    await expect(count).to_be_hidden()


async def test_a_wake_is_told_for_a_moment(page: Page, board: HandMade) -> None:
    woken = page.locator("#right .woken")
    board.right_says(status(happenings=(Happening(time.time() - 60, APP, "thawed", "woken: a push"),)))
    await expect(woken).to_be_hidden()
    board.right_says(status(happenings=(Happening(time.time(), APP, "thawed", "woken: a push"),)))
    await expect(woken).to_be_visible()
    await expect(woken).to_contain_text("s ago")
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.get_by_role("navigation", name="Machines").get_by_role("button", name="Right").click()
    busy = status(AppState.BACKGROUND, left=24.0, happenings=(Happening(time.time(), APP, "thawed", "woken"),))
    board.right_says(busy)
    await expect(page.locator("#right-state")).to_contain_text("s left")
    right_edges = "['#right-state', '#right'].map(one => document.querySelector(one).getBoundingClientRect().right)"
    state, machine = await page.evaluate(right_edges)
    assert state <= machine, "the longest pill fits on a phone"
    await expect(woken).to_be_hidden()


@pytest.fixture
async def restarted(browser: Browser, board: HandMade) -> AsyncIterator[tuple[Page, Stage]]:
    """A tab that was left open while the demo was started again, and the stage of the new start."""
    port = free_port()
    async with opened(Stage(port), board) as before:
        context = await browser.new_context()
        tab = await context.new_page()
        await tab.goto(before.address())
        await expect(tab.locator("#right-state")).to_contain_text("Asleep")
    await expect(tab.locator("#lost")).to_contain_text("does not answer")
    await expect(tab.locator("#right-state")).to_be_hidden()
    async with opened(Stage(port), board) as after:
        yield tab, after


async def test_a_tab_of_an_earlier_start_says_so_and_comes_back_once_let_in(restarted: tuple[Page, Stage]) -> None:
    tab, after = restarted
    await expect(tab.locator("#lost")).to_have_text("The demo was started again: open the address it printed.")
    await expect(tab.locator("#right-state")).to_be_hidden()
    await expect(tab.locator("#left-state")).to_be_hidden()
    entered = await tab.context.new_page()
    await entered.goto(after.address())
    await tab.bring_to_front()
    await expect(tab.locator("#right-state")).to_be_visible()
    await expect(tab.locator("#lost")).to_be_hidden()
    assert await tab.locator("meta[name=csrf]").get_attribute("content") == await entered.locator(
        "meta[name=csrf]"
    ).get_attribute("content")


async def test_a_refused_switch_is_told_in_plain_words(browser: Browser, stage: Stage, board: HandMade) -> None:
    page = await browser.new_page()

    async def misspelt(route: Route) -> None:
        await route.continue_(url=route.request.url.replace("/kill", "/broken"))

    await page.route("**/machine/right/kill", misspelt)
    await page.goto(stage.address())
    await page.locator("#right-kill").click()
    await expect(page.get_by_role("alert")).to_have_text("The desk could not do that.")
    await page.context.clear_cookies()
    await page.locator("#left-kill").click()
    await expect(page.locator("#lost")).to_have_text("The demo was started again: open the address it printed.")
    await expect(page.get_by_role("alert")).to_be_hidden()
    assert board.switched == []


@pytest.mark.parametrize("how", ["mouse", "keyboard"])
async def test_a_press_counts_although_the_machine_changes_under_it(page: Page, board: HandMade, how: str) -> None:
    quit_button = page.locator("#right-quit")
    await expect(page.locator("#right")).to_contain_text("Asleep")
    await quit_button.focus()
    await quit_button.hover()
    await (page.mouse.down() if how == "mouse" else page.keyboard.down(" "))
    noted = (Happening(2.0, APP, "woken", "woken while pressed"),)
    board.right_says(status(AppState.STOPPED, quit=True, happenings=noted))
    await expect(page.locator("#right")).to_contain_text("Woken while pressed")
    async with switching(page):
        await (page.mouse.up() if how == "mouse" else page.keyboard.up(" "))
    await expect(quit_button).to_be_disabled()
    assert board.switched == [("right", "quit", "", "")]


async def test_a_button_with_its_menu_open_shows_what_the_machine_does(page: Page, board: HandMade) -> None:
    board.right_says(status(AppState.FOREGROUND))
    await page.locator("#right").get_by_role("button", name="Quit").hover()
    await page.mouse.down(button="right")
    board.right_says(status(AppState.STOPPED, quit=True))
    await expect(page.locator("#right").get_by_role("button", name="Quit")).to_be_disabled()
    await page.mouse.up(button="right")


async def test_every_control_has_a_name(page: Page) -> None:
    unnamed = await page.evaluate(
        """[...document.querySelectorAll('button, a, iframe, input')]
           .filter(one => !(one.ariaLabel || one.textContent.trim() || one.title)).map(one => one.outerHTML)"""
    )
    assert unnamed == []


async def test_the_time_line_tells_what_the_desks_did_and_why(page: Page, board: HandMade) -> None:
    lines = (
        Happening(NOW - 4, APP, "push", "push for messages", "push 1", "messages", number=1),
        Happening(NOW - 4, APP, "thawed", "woken after 3 s of sleep: a push came", why="push", number=2),
        Happening(NOW - 3.6, APP, "push_answered", "show my text", "push 1", "messages", "show_this", number=3),
        Happening(NOW - 3.6, APP, "notified", "notification: Left", "room", "Left", cause="push 1", number=4),
        Happening(NOW - 3.6, APP, "suspended", "nothing holds it: suspended", number=5),
    )
    board.right_says(status(AppState.SUSPENDED, happenings=lines))
    mark = page.get_by_role("group", name="Lobby, Right").locator(".tl-mark:visible")
    await mark.click()
    panel = page.locator("#tl-panel")
    await expect(panel).to_contain_text("A push for Lobby arrived. ")
    await expect(panel).to_contain_text(
        "Lobby was asleep, so it was woken; 0.4 s later it showed “Left” and slept again."
    )
    again = Happening(NOW - 1, APP, "pressed", "a notification was pressed", "room", number=6)
    board.right_says(status(AppState.SUSPENDED, happenings=(*lines, again)))
    await expect(panel).to_contain_text("Right pressed it.")
    await page.set_viewport_size({"width": 390, "height": 844})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
