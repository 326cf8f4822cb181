"""Lobby's page in a real Chromium: by keyboard, live, on a narrow window, hidden and shown again, named for all."""

import asyncio
import re
import secrets
import socket
import time
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest
import pytest_asyncio
from aiohttp import ClientSession, web
from playwright.async_api import Browser, BrowserContext, Page, Route, async_playwright, expect
from yarl import URL

from lobby.core.views import Connection, Invitation, Mark
from lobby.ui.codes import mint
from lobby.ui.server import Page as PageServer
from tests.lobby.ui.memory_accounts import MemoryAccounts
from tests.lobby.ui.memory_messenger import MemoryMessenger, MemorySessions
from tests.programs import CHROMIUM_FLAGS, chromium
from tests.shells.tabs import chromium_tabs

# One Chromium for all tests of this file, each with a context of its own.
pytestmark = pytest.mark.asyncio(loop_scope="module")

# Playwright's own five seconds are too few on a machine that is busy with other things.
expect.set_options(timeout=20_000)

ROOM, OTHER, GROUP = "!right:demo.localhost", "!ann:demo.localhost", "!hills:demo.localhost"
RIGHT = "@right:demo.localhost"
SECRET = secrets.token_bytes(32)


class Lobby:
    """A served page with three chats."""

    def __init__(self, host: str = "lobby-test.localhost", frame_parents: tuple[str, ...] = ()) -> None:
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.origin = f"http://{host}:{self.sock.getsockname()[1]}"
        self.messenger = MemoryMessenger(time.time)
        self.messenger.put_chat(GROUP, "Hills", True, ("Right", "Ann"))
        self.messenger.put_chat(OTHER, "Ann")
        self.messenger.put(OTHER, "see you", "@ann:demo.localhost", time.time() - 60)
        self.messenger.put_chat(ROOM, "Right")
        self.messenger.put(ROOM, "hello", RIGHT, time.time() - 30)
        self.told: list[bool] = []
        self.tellings: asyncio.Queue[bool] = asyncio.Queue()
        self.accounts = MemoryAccounts(self.messenger)
        port = self.sock.getsockname()[1]
        self.server = PageServer(self.accounts, MemorySessions(), host, port, SECRET, frame_parents, self._tell)

    def _tell(self, visible: bool) -> None:
        self.told.append(visible)
        self.tellings.put_nowait(visible)

    def enter(self) -> str:
        return f"{self.origin}/enter?code={mint(SECRET, time.time(), secrets.token_urlsafe(16))}"

    def chat(self, room_id: str) -> str:
        return f"{self.origin}/chat/{quote(room_id, safe='')}"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def lobby() -> AsyncIterator[Lobby]:
    lobby = Lobby()
    await lobby.server.serve(lobby.sock)
    yield lobby
    await lobby.server.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A window of a desktop's size; what its policy refuses, and any error in it, fails the test."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    wrong: list[str] = []
    context.on("weberror", lambda error: wrong.append(str(error.error)))
    context.on("console", lambda line: wrong.append(line.text) if "Content Security Policy" in line.text else None)
    yield context
    await context.close()
    assert wrong == []


@pytest_asyncio.fixture(loop_scope="module")
async def page(context: BrowserContext, lobby: Lobby) -> Page:
    """Let in, and in the chat with Right."""
    page = await context.new_page()
    await page.goto(lobby.enter())
    await page.goto(lobby.chat(ROOM))
    assert await asyncio.wait_for(lobby.tellings.get(), 20) is True
    # Right's message counts as read as soon as the stream of this chat is open; Ann's does not.
    await expect(page.locator(".badge")).to_have_count(1)
    return page


async def test_sending_by_keyboard_shows_the_message_once_while_its_mark_changes(page: Page, lobby: Lobby) -> None:
    lobby.messenger.hold = True
    await expect(page.get_by_role("textbox", name="Message to Right")).to_be_focused()
    await page.keyboard.type("first line")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("second")
    await page.keyboard.press("Enter")
    row = page.locator("#bubbles .row", has_text="second")
    await expect(row).to_have_attribute("data-mark", "sending")
    await expect(row.locator(".text")).to_have_text("first line\nsecond")
    await expect(page.locator("#text")).to_have_value("")
    lobby.messenger.deliver(ROOM, await row.get_attribute("data-key") or "")
    await expect(row).to_have_attribute("data-mark", "sent")
    await expect(row.get_by_text("Sent")).to_have_count(1)
    await expect(row).to_have_count(1)


async def test_quick_messages_keep_their_order(page: Page, lobby: Lobby) -> None:
    words = [f"number {number}" for number in range(12)]
    for word in words:
        await page.keyboard.type(word)
        await page.keyboard.press("Enter")
    await expect(page.locator("#bubbles .row.mine")).to_have_count(12)
    assert await page.locator("#bubbles .row.mine .text").all_inner_texts() == words
    assert [bubble.text for bubble in lobby.messenger.bubbles(ROOM) if bubble.mine] == words


async def test_an_unsent_message_is_said_and_can_be_resent_or_discarded(page: Page, lobby: Lobby) -> None:
    lobby.messenger.hold = True
    await page.keyboard.type("late")
    await page.keyboard.press("Enter")
    row = page.locator("#bubbles .row", has_text="late")
    await expect(row).to_have_attribute("data-mark", "sending")
    key = await row.get_attribute("data-key") or ""
    lobby.messenger.deliver(ROOM, key, Mark.UNSENT, "Time ran out.")
    await expect(row.get_by_text("Not sent")).to_be_visible()
    await expect(page.locator("#heard")).to_have_text("Message not sent")
    lobby.messenger.hold = False
    await row.get_by_role("button", name="Resend").click()
    await expect(row).to_have_attribute("data-mark", "sent")
    await expect(row.get_by_role("button")).to_have_count(0)
    lobby.messenger.put(ROOM, "never mind", mark=Mark.UNSENT)
    await page.get_by_role("button", name="Discard").click()
    await expect(page.get_by_text("never mind")).to_have_count(0)


async def test_a_message_arrives_live_and_is_said_to_screen_readers(page: Page, lobby: Lobby) -> None:
    lobby.messenger.put(ROOM, "<b>news</b> 👋", RIGHT)
    await expect(page.locator("#bubbles .row").last.locator(".text")).to_have_text("<b>news</b> 👋")
    await expect(page.locator("#heard")).to_have_text("Right: <b>news</b> 👋")
    lobby.messenger.put(OTHER, "me too", "@ann:demo.localhost")
    await expect(page.get_by_role("link", name="Ann")).to_contain_text("me too")
    await expect(page).to_have_title("(2) Right")
    assert lobby.messenger.read.count(ROOM) >= 1 and OTHER not in lobby.messenger.read


async def test_who_reads_further_up_is_not_moved_but_told(page: Page, lobby: Lobby) -> None:
    for number in range(60):
        lobby.messenger.put(ROOM, f"line {number}", RIGHT)
    messages = page.get_by_role("log", name="Messages")
    await expect(messages.get_by_text("line 59", exact=True)).to_be_in_viewport()
    await messages.evaluate("element => { element.scrollTop = -600; }")
    seen = messages.get_by_text("line 40", exact=True)
    before = await seen.bounding_box()
    lobby.messenger.put(ROOM, "below", RIGHT)
    await page.get_by_role("button", name="New messages").wait_for()
    after = await seen.bounding_box()
    assert before and after and abs(before["y"] - after["y"]) < 2
    await page.get_by_role("button", name="New messages").click()
    await expect(messages.get_by_text("below", exact=True)).to_be_in_viewport()
    await expect(page.get_by_role("button", name="New messages")).to_be_hidden()


async def test_earlier_messages_come_when_the_top_is_in_sight(page: Page, lobby: Lobby) -> None:
    lobby.messenger.put_earlier(GROUP, [f"old {number}" for number in range(70)], time.time() - 9000)
    await page.goto(lobby.chat(GROUP))
    await expect(page.get_by_text("old 69", exact=True)).to_be_visible()
    for _ in range(30):
        if await page.get_by_text("This is the beginning").count():
            break
        await page.get_by_role("log", name="Messages").evaluate(
            "element => { element.scrollTop = -element.scrollHeight; }"
        )
        await page.wait_for_function("() => !document.querySelector('#top [data-busy]')")
    await expect(page.get_by_text("This is the beginning")).to_have_count(1)
    await expect(page.locator("#bubbles .row")).to_have_count(70)
    lobby.messenger.put(GROUP, "newest", RIGHT)
    await expect(page.locator("#bubbles .row")).to_have_count(71)
    keys = await page.locator("#bubbles > li").evaluate_all("rows => rows.map(row => row.dataset.key)")
    assert len(keys) == len(set(keys))


async def test_earlier_messages_that_come_late_do_not_hide_newer_ones(page: Page, lobby: Lobby) -> None:
    lobby.messenger.put_earlier(OTHER, ["long ago", "a little later"], time.time() - 120)

    async def hold_back(route: Route) -> None:
        """The answer was rendered before the newest message and reaches the page after it."""
        headers = await route.request.all_headers()
        async with ClientSession() as http:
            address = route.request.url.replace("lobby-test.localhost", "127.0.0.1")
            async with http.get(URL(address, encoded=True), headers={"Cookie": headers["cookie"]}) as found:
                answer = await found.text()
        lobby.messenger.put(OTHER, "newest", "@ann:demo.localhost")
        await expect(page.locator("#bubbles .text").last).to_have_text("newest")
        await route.fulfill(body=answer, content_type="text/html; charset=utf-8")

    await page.route("**/chat/*?most=*", hold_back)
    await page.goto(lobby.chat(OTHER))
    await expect(page.locator("#bubbles .text")).to_have_text(["long ago", "a little later", "see you", "newest"])
    keys = await page.locator("#bubbles > li").evaluate_all("rows => rows.map(row => row.dataset.key)")
    assert len(keys) == len(set(keys))


async def test_without_a_connection_earlier_messages_are_looked_for_once(page: Page, lobby: Lobby) -> None:
    lobby.messenger.connect(Connection.OFFLINE)
    asked: list[str] = []
    looked_for = f"{quote(OTHER, safe='')}?most="
    page.on("request", lambda request: asked.append(request.url) if looked_for in request.url else None)
    async with page.expect_response(lambda answer: looked_for in answer.url):
        await page.goto(lobby.chat(OTHER))
    await expect(page.get_by_role("link", name="Earlier messages", exact=True)).to_be_visible()
    lobby.messenger.put(OTHER, "still live", "@ann:demo.localhost")
    await expect(page.locator("#bubbles .text", has_text="still live")).to_be_visible()
    assert len(asked) == 1


async def test_a_hidden_page_closes_its_stream_and_misses_nothing(lobby: Lobby) -> None:
    async with chromium_tabs(chromium(), [*CHROMIUM_FLAGS]) as tabs:
        tab = await tabs.open(f"{lobby.enter()}&chat={quote(ROOM)}")
        assert await asyncio.wait_for(lobby.tellings.get(), 20) is True
        other = await tabs.open("about:blank")
        assert await asyncio.wait_for(lobby.tellings.get(), 20) is False
        read = lobby.messenger.read.count(ROOM)
        lobby.messenger.put(ROOM, "while you were away", RIGHT)
        assert lobby.messenger.read.count(ROOM) == read
        await tabs.to_front(tab)
        assert await asyncio.wait_for(lobby.tellings.get(), 20) is True
        await tabs.wait_for_text(tab, "#bubbles .text", "while you were away")
        await tabs.minimise(tab)
        assert await asyncio.wait_for(lobby.tellings.get(), 20) is False
        await tabs.close(other)


async def test_of_two_tabs_the_last_one_counts_and_a_step_to_another_chat_does_not(
    page: Page, context: BrowserContext, lobby: Lobby
) -> None:
    # The browser of a busy machine needs more than two seconds for such a step.
    lobby.server._onlookers._visibility._grace = 6.0
    second = await context.new_page()
    await second.goto(lobby.chat(OTHER))
    await expect(second.get_by_role("heading", name="Ann")).to_be_visible()
    await page.close()
    await second.get_by_role("link", name="Right").click()
    await expect(second.get_by_role("heading", name="Right")).to_be_visible()
    await second.reload()
    await expect(second.get_by_role("heading", name="Right")).to_be_visible()
    assert lobby.told == [True]
    await second.close()
    assert await asyncio.wait_for(lobby.tellings.get(), 20) is False


async def test_what_was_sent_as_the_window_closed_is_kept(page: Page, lobby: Lobby) -> None:
    kept = asyncio.Event()
    lobby.messenger.subscribe(lambda change: kept.set())
    await page.keyboard.type("goodbye")
    await page.keyboard.press("Enter")
    await page.close()
    await asyncio.wait_for(kept.wait(), 20)
    assert [bubble.text for bubble in lobby.messenger.bubbles(ROOM)][-1] == "goodbye"


async def test_what_cannot_be_kept_stays_in_the_composer_and_says_why(page: Page, lobby: Lobby) -> None:
    lobby.messenger.full = True
    await page.keyboard.type("precious")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("The disk is full")
    await expect(page.locator("#text")).to_have_value("precious")


def killed_after_keeping(lobby: Lobby) -> None:
    """As if Lobby were killed once between keeping a message and answering."""
    send = lobby.messenger.send

    async def kept_and_killed(room_id: str, text: str, key: str = "") -> str:
        await send(room_id, text, key)
        lobby.messenger.send = send  # type: ignore[method-assign]
        raise RuntimeError("killed")

    lobby.messenger.send = kept_and_killed  # type: ignore[method-assign]


async def test_what_was_kept_although_no_answer_came_is_not_said_twice(page: Page, lobby: Lobby) -> None:
    await page.route("**/events?*", lambda route: route.abort())
    await page.reload()
    killed_after_keeping(lobby)
    for times in (1, 2):
        await page.keyboard.type("ok")
        async with page.expect_response("**/send"):
            await page.keyboard.press("Enter")
        if times == 1:
            await expect(page.locator("#text")).to_have_value("ok")
            async with page.expect_response("**/send"):
                await page.keyboard.press("Enter")
        await expect(page.locator("#text")).to_have_value("")
        assert [bubble.text for bubble in lobby.messenger.bubbles(ROOM) if bubble.mine] == ["ok"] * times


async def test_what_is_shown_as_kept_is_not_waiting_to_be_sent(page: Page, lobby: Lobby) -> None:
    """The stream may tell before the answer fails to come, after it, or only a page that is loaded again."""
    for when in ("before", "after", "at a reload"):
        if when != "before":
            await page.route("**/events?*", lambda route: route.abort())
            await page.reload()
        killed_after_keeping(lobby)
        mine = await page.locator("#bubbles .row.mine").count()
        await page.keyboard.type("ok")
        async with page.expect_response("**/send"):
            await page.keyboard.press("Enter")
        if when != "before":
            await expect(page.locator("#text")).to_have_value("ok")
            await page.unroute("**/events?*")
        if when == "at a reload":
            await page.reload()
        await expect(page.locator("#bubbles .row.mine")).to_have_count(mine + 1)
        await expect(page.locator("#text")).to_have_value("")
        await page.locator("#text").focus()
        # The same words once more are another message.
        await page.keyboard.type("ok")
        await page.keyboard.press("Enter")
        await expect(page.locator("#bubbles .row.mine")).to_have_count(mine + 2)


async def sending_held_back(page: Page) -> asyncio.Event:
    """What is sent reaches Lobby when the event is set, and no earlier."""
    go_on = asyncio.Event()

    async def late(route: Route) -> None:
        await go_on.wait()
        await route.continue_()

    await page.route("**/send", late)
    return go_on


async def test_two_messages_that_came_back_keep_their_order_and_are_two_again(page: Page, lobby: Lobby) -> None:
    lobby.messenger.full = True
    go_on = await sending_held_back(page)
    for word in ("one", "two"):
        await page.keyboard.type(word)
        await page.keyboard.press("Enter")
    await page.keyboard.type("since")
    go_on.set()
    await expect(page.locator("#text")).to_have_value("one\ntwo\nsince")
    await page.locator("#text").fill("one\ntwo")
    lobby.messenger.full = False
    await page.keyboard.press("Enter")
    await expect(page.locator("#bubbles .row.mine .text")).to_have_text(["one", "two"])
    await expect(page.locator("#text")).to_have_value("")


async def test_what_was_refused_after_another_chat_was_opened_waits_in_its_own(page: Page, lobby: Lobby) -> None:
    lobby.messenger.full = True
    go_on = await sending_held_back(page)
    await page.keyboard.type("precious")
    async with page.expect_response("**/send"):
        await page.keyboard.press("Enter")
        await page.get_by_role("link", name="Ann").click()
        await expect(page.get_by_role("textbox", name="Message to Ann")).to_have_value("")
        go_on.set()
    await expect(page.get_by_role("textbox", name="Message to Ann")).to_have_value("")
    await page.get_by_role("link", name="Right").click()
    await expect(page.get_by_role("textbox", name="Message to Right")).to_have_value("precious")
    await page.reload()
    await expect(page.get_by_role("textbox", name="Message to Right")).to_have_value("precious")


async def test_a_lobby_that_does_not_answer_is_said_and_found_again(page: Page, lobby: Lobby) -> None:
    assert lobby.server._runner is not None
    await lobby.server._runner.cleanup()  # As when it crashed: the streams end without a word.
    await expect(page.get_by_text("Lobby does not answer")).to_be_visible(timeout=15000)
    await page.keyboard.type("kept here")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("not sent")
    await expect(page.locator("#text")).to_have_value("kept here")
    port = int(lobby.origin.rsplit(":", 1)[1])
    again = PageServer(MemoryAccounts(lobby.messenger), lobby.server._sessions, "lobby-test.localhost", port, SECRET)
    await again.serve(socket.create_server(("127.0.0.1", port)))
    try:
        await expect(page.get_by_text("Lobby does not answer. Trying")).to_be_hidden(timeout=15000)
        await page.locator("#text").press("Enter")
        await expect(page.locator("#bubbles .row", has_text="kept here")).to_have_attribute("data-mark", "sent")
    finally:
        await again.stop()


async def test_lobby_is_in_front_while_a_log_in_is_open(page: Page, lobby: Lobby) -> None:
    await page.goto("about:blank")
    assert await asyncio.wait_for(lobby.tellings.get(), 20) is False
    await page.goto(f"{lobby.origin}/account/new")
    assert await asyncio.wait_for(lobby.tellings.get(), 20) is True
    await page.goto("about:blank")
    assert await asyncio.wait_for(lobby.tellings.get(), 20) is False


async def test_a_lobby_that_was_quit_is_opened_again_by_the_person_only(page: Page, lobby: Lobby) -> None:
    await lobby.server.stop()
    await expect(page.get_by_text("Lobby was quit")).to_be_visible()
    calls = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        writer.close()

    port = int(lobby.origin.rsplit(":", 1)[1])
    async with await asyncio.start_server(count, "127.0.0.1", port):
        # Longer than the page waits before it looks for a lost Lobby for the first three times.
        await page.wait_for_timeout(2500)
    assert calls == 0
    again = PageServer(MemoryAccounts(lobby.messenger), lobby.server._sessions, "lobby-test.localhost", port, SECRET)
    await again.serve(socket.create_server(("127.0.0.1", port)))
    try:
        await page.get_by_role("button", name="Open again").click()
        await expect(page.get_by_text("Lobby was quit")).to_be_hidden()
        lobby.messenger.put(ROOM, "welcome back", RIGHT)
        await expect(page.locator("#bubbles .text", has_text="welcome back")).to_be_visible()
    finally:
        await again.stop()


async def test_a_short_wait_takes_no_room_on_the_page(page: Page, lobby: Lobby) -> None:
    lobby.messenger.connect(Connection.CONNECTING)
    strip = page.locator("#strip .strip.late")
    await strip.wait_for(state="attached")
    heights = await strip.evaluate(
        """async (strip) => {
             // From its beginning: it may have been there for a while.
             const [motion] = strip.getAnimations();
             motion.currentTime = 0;
             const first = strip.offsetHeight;
             await motion.finished;
             return [first, strip.offsetHeight];
           }"""
    )
    assert heights[0] == 0 and heights[1] > 20
    lobby.messenger.connect(Connection.ONLINE)
    await expect(strip).to_be_hidden()


async def test_the_connection_is_said(page: Page, lobby: Lobby) -> None:
    lobby.messenger.connect(Connection.OFFLINE)
    await expect(page.get_by_text("No connection. What you write waits, and is sent when it is back.")).to_be_visible()
    lobby.messenger.connect(Connection.ONLINE)
    await expect(page.get_by_text("No connection. What you write waits")).to_be_hidden()


async def test_from_chat_to_chat_by_keyboard(page: Page, lobby: Lobby) -> None:
    await page.keyboard.type("a draft")
    await page.keyboard.press("Alt+ArrowDown")
    await expect(page.get_by_role("heading", name="Ann")).to_be_visible()
    await expect(page.get_by_role("textbox", name="Message to Ann")).to_be_focused()
    await expect(page.locator("#text")).to_have_value("")
    await page.keyboard.press("Alt+ArrowUp")
    await expect(page.locator("#text")).to_have_value("a draft")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("link", name="Right")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("link", name="Ann")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Ann")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_role("heading", name="Right")).to_be_visible()


async def test_a_chat_with_news_comes_to_the_top_where_the_others_stay(page: Page, lobby: Lobby) -> None:
    names = page.locator(".chat .name")
    await expect(names).to_have_text(["Right", "Ann", "Hills"])
    await page.get_by_role("link", name="Ann").focus()
    lobby.messenger.put(GROUP, "who is coming?", "@ann:demo.localhost")
    await expect(names).to_have_text(["Hills", "Right", "Ann"])
    await expect(page.get_by_role("link", name="Ann")).to_be_focused()
    await expect(page.locator(".chat", has_text="who is coming?").locator(".badge")).to_have_count(1)
    await expect(page).to_have_title(re.compile(r"^\(2\) "))
    lobby.messenger.leave(GROUP)
    lobby.messenger.put_chat("!new:demo.localhost", "Zoe")
    await expect(names).to_have_text(["Right", "Ann", "Zoe"])
    await expect(page).to_have_title(re.compile(r"^\(1\) "))
    await expect(page.locator(".chat[aria-current]")).to_have_text(re.compile("Right"))


async def test_a_message_is_found_by_keyboard(page: Page, lobby: Lobby) -> None:
    lobby.messenger.put_chat("!map:demo.localhost", "Ann")
    lobby.messenger.put("!map:demo.localhost", "the map is in the drawer", name="Ann")
    for number in range(80):
        lobby.messenger.put("!map:demo.localhost", f"later {number}", name="Ann")
    await page.get_by_role("link", name="Search messages").press("Enter")
    await expect(page.get_by_role("searchbox", name="Words, or how they begin")).to_be_focused()
    await page.keyboard.type("drawer")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("One message.")).to_be_visible()
    await page.wait_for_load_state()
    found = page.get_by_role("list", name="Found messages").get_by_role("link", name="the map is in the drawer")
    await found.press("ArrowUp")
    await expect(found).to_be_focused()
    await found.press("Enter")
    await expect(page.get_by_role("heading", name="Ann")).to_be_visible()
    await expect(page.locator("#bubbles").get_by_text("the map is in the drawer")).to_be_in_viewport()
    await expect(page.locator("#bubbles").get_by_text("later 79")).not_to_be_in_viewport()


async def test_a_new_chat_an_invitation_and_a_log_out_by_keyboard(page: Page, lobby: Lobby) -> None:
    await page.get_by_role("link", name="New chat").press("Enter")
    await expect(page.get_by_label("Matrix address")).to_be_focused()
    await page.keyboard.type("nobody")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("knows nobody")
    await page.get_by_label("Name of the group").fill("Choir")
    await page.get_by_label("People").fill("ann ben")
    await page.get_by_role("button", name="Make group").press("Enter")
    await expect(page.get_by_role("heading", name="Choir")).to_be_visible()
    lobby.messenger.put_invitation(Invitation("!i:x", "Band", "@m:x", "Maria", True, time.time()))
    await page.get_by_role("button", name="Accept the invitation of Maria").press("Enter")
    await expect(page.get_by_role("heading", name="Band")).to_be_visible()
    await page.wait_for_load_state()  # the page's module has put the focus into the composer by then
    await page.locator("#account-menu summary").press("Enter")
    await page.get_by_role("link", name="Log out…").press("Enter")
    await page.get_by_role("button", name="Log out").press("Enter")
    await expect(page.get_by_role("heading", name="Log in to Lobby")).to_be_visible()
    await page.get_by_label("Homeserver").fill("demo.localhost")
    await page.keyboard.press("Enter")
    await page.get_by_label("User name").fill("left")
    await page.get_by_label("Password").fill("right")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("navigation", name="Chats")).to_be_visible()


async def test_what_was_typed_in_one_account_of_several_goes_with_its_log_out(page: Page, lobby: Lobby) -> None:
    await page.keyboard.type("for Right, later")
    number = await lobby.accounts.log_in("https://demo.localhost", "@second:demo.localhost", "right")
    (second := lobby.accounts.messengers[number]).put_chat(ROOM, "Right")
    second.put(ROOM, "hello", RIGHT, time.time() - 30)
    await page.goto(f"{lobby.origin}/account/{number}/chat/{quote(ROOM, safe='')}")
    await expect(page.locator("#text")).to_be_focused()
    await page.keyboard.type("nobody else's business")
    await page.goto(f"{lobby.origin}/account/new")
    await expect(page.get_by_role("heading", name="Add an account")).to_be_visible()
    await page.goto(f"{lobby.origin}/account/{number}/logout")
    await page.get_by_role("button", name="Log out").press("Enter")
    await page.wait_for_url(f"{lobby.origin}/")  # It is loaded then, with its module.
    assert await page.evaluate("Object.values(sessionStorage)") == ["for Right, later"]


async def test_a_phones_width_shows_one_pane_at_a_time(context: BrowserContext, lobby: Lobby) -> None:
    page = await context.new_page()
    await page.set_viewport_size({"width": 390, "height": 844})
    lobby.messenger.put(ROOM, "w" * 300 + " 陈佳 " + "https://example.org/" + "x" * 200, RIGHT)
    await page.goto(lobby.enter())
    await expect(page.get_by_role("main")).to_be_hidden()
    await page.get_by_role("link", name="Right").click()
    await expect(page.get_by_role("navigation", name="Chats")).to_be_hidden()
    await expect(page.get_by_role("heading", name="Right")).to_be_visible()
    for address in (page.url, f"{lobby.origin}/new", f"{lobby.origin}/logout", f"{lobby.origin}/"):
        await page.goto(address)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await page.goto(lobby.chat(ROOM))
    await page.get_by_role("link", name="Back to all chats").click()
    await expect(page.get_by_role("navigation", name="Chats")).to_be_visible()
    await expect(page.get_by_role("main")).to_be_hidden()


async def test_reading_and_sending_work_without_scripts(browser: Browser, lobby: Lobby) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(lobby.enter())
    await page.get_by_role("link", name="Right").click()
    await page.get_by_role("textbox", name="Message to Right").fill("plain")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator("#bubbles .row", has_text="plain")).to_have_attribute("data-mark", "sent")
    await context.close()


async def test_every_control_has_a_name(page: Page, context: BrowserContext, lobby: Lobby) -> None:
    lobby.messenger.put(ROOM, "lost", mark=Mark.UNSENT)
    lobby.messenger.put_invitation(Invitation("!i:x", "Band", "@m:x", "Maria", True, time.time()))
    session = await context.new_cdp_session(page)
    controls = {"button", "link", "textbox", "checkbox", "DisclosureTriangle", "navigation", "log", "heading"}
    for address in (lobby.chat(ROOM), f"{lobby.origin}/new", f"{lobby.origin}/logout", f"{lobby.origin}/"):
        await page.goto(address)
        tree = await session.send("Accessibility.getFullAXTree")
        found = [node for node in tree["nodes"] if not node.get("ignored") and node["role"]["value"] in controls]
        assert {"navigation", "link", "heading"} <= {node["role"]["value"] for node in found}
        unnamed = [node["role"]["value"] for node in found if not node.get("name", {}).get("value", "").strip()]
        assert unnamed == [], address
        assert await page.get_by_role("main").count() == 1


async def test_agreeing_to_a_readable_password_goes_by_keyboard_and_is_explained(page: Page, lobby: Lobby) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await lobby.messenger.log_out()
    # The page goes to the login by itself.
    await expect(page.get_by_label("Homeserver")).to_be_focused()
    await page.keyboard.type("http://matrix.example")
    await page.keyboard.press("Enter")
    agree = page.get_by_role("checkbox", name="Send what logs me in unencrypted to http://matrix.example")
    await expect(agree).to_have_accessible_description(re.compile("anybody on the way there could read"))
    await expect(page.get_by_label("User name")).to_be_focused()
    await page.keyboard.type("left")
    await page.keyboard.press("Tab")
    await page.keyboard.type("right")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("is not encrypted")
    await expect(page.get_by_label("Password", exact=True)).to_be_focused()
    await expect(agree).to_have_accessible_description(re.compile("anybody on the way there could read your password"))
    size = await agree.bounding_box()
    assert size is not None and min(size["width"], size["height"]) >= 20, "a finger meets it"
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await page.keyboard.type("right")
    await page.keyboard.press("Tab")
    await expect(agree).to_be_focused()
    await page.keyboard.press("Space")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("navigation", name="Chats")).to_be_visible()


async def test_a_link_from_another_site_lets_in_all_the_same(context: BrowserContext, lobby: Lobby) -> None:
    address = lobby.enter()

    async def elsewhere(request: web.Request) -> web.Response:
        return web.Response(text=f'<a href="{address}">Lobby</a>', content_type="text/html")

    app = web.Application()
    app.router.add_get("/", elsewhere)
    runner = web.AppRunner(app)
    await runner.setup()
    sock = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, sock).start()
    try:
        page = await context.new_page()
        await page.goto(f"http://127.0.0.1:{sock.getsockname()[1]}/")
        await page.get_by_role("link").click()
        await expect(page.get_by_role("navigation", name="Chats")).to_be_visible()
    finally:
        await runner.cleanup()


@pytest.mark.contract("X01")
async def test_it_can_be_framed_by_its_stage_and_by_nobody_else(context: BrowserContext) -> None:
    async def framing(request: web.Request) -> web.Response:
        return web.Response(
            text=f'<iframe src="{framed.enter()}" width="560" height="700"></iframe>', content_type="text/html"
        )

    app = web.Application()
    app.router.add_get("/", framing)
    runner = web.AppRunner(app)
    await runner.setup()
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    framed = Lobby("left.demo.localhost", (f"http://demo.localhost:{port}",))
    await framed.server.serve(framed.sock)
    await web.SockSite(runner, sock).start()
    try:
        page = await context.new_page()
        await page.goto(f"http://demo.localhost:{port}/")
        frame = page.frame_locator("iframe")
        await frame.get_by_role("link", name="Right").click()
        await frame.get_by_role("textbox", name="Message to Right").fill("from the stage")
        await frame.get_by_role("button", name="Send").click()
        await expect(frame.locator("#bubbles .row", has_text="from the stage")).to_have_attribute("data-mark", "sent")
        assert await asyncio.wait_for(framed.tellings.get(), 20) is True
        await page.evaluate("document.querySelector('iframe').remove()")
        assert await asyncio.wait_for(framed.tellings.get(), 20) is False
        alone = await context.browser.new_context() if context.browser else context
        other = await alone.new_page()
        await other.goto(f"http://127.0.0.1:{port}/")
        await expect(other.frame_locator("iframe").get_by_role("navigation", name="Chats")).to_have_count(0)
        await alone.close()
    finally:
        await framed.server.stop()
        await runner.cleanup()
