"""Makes the README's pictures of stage and dashboard: `make pictures`. Needs Chromium from the distribution."""

import asyncio
import base64
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from playwright.async_api import Browser, FrameLocator, Locator, Page, async_playwright, expect

from demo import world
from demo.folder import Folder
from demo.machine import Machine
from demo.ports import free_port
from demo.stage.board import Machines
from demo.stage.server import Stage, opened
from frontdesk.dashboard.following import Following
from frontdesk.dashboard.server import served
from tests.programs import CHROMIUM_FLAGS, chromium

PICTURES = Path(__file__).parent.parent / "docs"
SETTLES = 700
"""Milliseconds for what moves on the page to come to rest."""
LOOKS = 3000
"""Milliseconds for which a person looks at something: on the time line it is wide enough to be seen."""
PATIENCE = 30_000
LIMITS = {"background": 18.0, "expiry_lead": 4.0, "suspended": 14.0}
"""A desk lets an app sleep for ten minutes before it stops it; a picture has two in all."""
SECOND = Path(__file__).parent.parent / "examples" / "keep_sending" / "keep_sending.toml"
TALK = (
    ("Left", "Right", "Morning! Did you get home all right?"),
    ("Right", "Left", "Yes, thanks! Closing my laptop now, back at six."),
)
LAST = "Then this is for when you open it: the tickets are booked!"


class Play:
    """Both persons at their machines, on the stage."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def lobby(self, person: str) -> FrameLocator:
        return self.page.frame_locator(f'iframe[title="{person}’s Lobby"]')

    def machine(self, person: str) -> Locator:
        return self.page.locator(f"#{person.lower()}")

    def message(self, person: str, other: str) -> Locator:
        return self.lobby(person).get_by_label(f"Message to {other}")

    async def goes_to_chat(self, person: str, other: str) -> None:
        """In a narrow window Lobby shows its chats first, each time the window is opened."""
        await self.lobby(person).get_by_role("link", name=other).first.click()
        await expect(self.message(person, other)).to_be_visible(timeout=PATIENCE)

    async def writes(self, person: str, other: str, text: str) -> None:
        await self.message(person, other).fill(text)
        await self.message(person, other).press("Enter")
        await expect(self.lobby(person).locator("#bubbles").get_by_text(text)).to_be_visible(timeout=PATIENCE)

    async def sees(self, person: str, state: str) -> None:
        await expect(self.machine(person).locator(".pill")).to_contain_text(state, timeout=PATIENCE)

    async def closes(self, person: str) -> None:
        await self.page.get_by_role("button", name=f"Close {person}’s window").click()
        await self.sees(person, "Asleep")
        await self.looks()

    async def opens(self, person: str) -> None:
        await self.machine(person).get_by_role("button", name=f"Open {person}’s Lobby").click()
        await self.sees(person, "In front")

    async def network(self, person: str, condition: str) -> None:
        await self.machine(person).get_by_role("button", name=condition, exact=True).click()

    async def is_told(self, person: str, text: str) -> Locator:
        card = self.machine(person).locator(".card", has_text=text)
        await expect(card).to_be_visible(timeout=PATIENCE)
        await self.sees(person, "Asleep")
        await self.looks()
        return card

    async def looks(self) -> None:
        await self.page.wait_for_timeout(LOOKS)


async def play(page: Page, right: Machine) -> None:
    """Two minutes with everything in them; it ends when Right's window is closed and Left's message is there."""
    story = Play(page)
    for person, other in (("Left", "Right"), ("Right", "Left")):
        later = story.lobby(person).get_by_role("button", name="Later")
        await page.add_locator_handler(later, lambda button: button.click())
        await story.goes_to_chat(person, other)
    for person, other, text in TALK:
        await story.writes(person, other, text)
        await expect(story.lobby(other).locator("#bubbles").get_by_text(text)).to_be_visible(timeout=PATIENCE)
        await story.looks()
    await asleep_and_stopped(story)
    await sends_and_walks_away(story)
    await without_a_network(story)
    await the_desk_dies(story)
    async with right.desk() as desk:
        await desk.add_app(SECOND)
        await desk.open("org.example.KeepSending")
    await story.looks()
    await story.writes("Left", "Right", LAST)
    await story.is_told("Right", LAST)


async def asleep_and_stopped(story: Play) -> None:
    await story.closes("Right")
    await story.writes("Left", "Right", "One more thing …")
    await story.is_told("Right", "One more thing …")
    await story.sees("Right", "Stopped")
    await story.looks()
    await story.writes("Left", "Right", "Do you like the theatre?")
    await (await story.is_told("Right", "Do you like the theatre?")).click()
    await story.sees("Right", "In front")
    await story.writes("Right", "Left", "I do! What is on?")
    await story.looks()


async def sends_and_walks_away(story: Play) -> None:
    await story.network("Left", "Slow")
    await story.writes("Left", "Right", "Hamlet, on Friday.")
    await story.closes("Left")


async def without_a_network(story: Play) -> None:
    await story.opens("Left")
    await story.goes_to_chat("Left", "Right")
    await story.network("Left", "Off")
    await story.writes("Left", "Right", "Shall I get tickets?")
    await story.page.get_by_role("button", name="Close Left’s window").click()
    notification = await story.is_told("Left", "Message not sent")
    await story.network("Left", "Good")
    await notification.click()
    await story.lobby("Left").get_by_role("button", name="Resend").click()
    await expect(story.lobby("Left").locator("[data-mark=sent]").last).to_contain_text("Shall I get", timeout=PATIENCE)
    await story.writes("Right", "Left", "Yes, please!")


async def the_desk_dies(story: Play) -> None:
    await story.closes("Right")
    await story.machine("Right").get_by_role("button", name="Kill the desk").click()
    await story.sees("Right", "Desk away")
    await story.sees("Right", "Asleep")
    await story.looks()


async def tell(page: Page, lane: str) -> None:
    """Opens the story of the last push."""
    push = page.get_by_role("group", name=lane, exact=True).locator(".tl-mark:visible", has_text="Push").last
    await push.click()
    await page.evaluate("scrollTo(0, 0)")


async def picture(page: Page, name: str) -> None:
    chrome = await page.context.new_cdp_session(page)
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
        await page.wait_for_timeout(SETTLES)
        # As WebP a picture is a fourth of the size; Playwright has no word for that.
        size = (await chrome.send("Page.getLayoutMetrics"))["cssContentSize"]
        whole = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        taken = await chrome.send(
            "Page.captureScreenshot", {"format": "webp", "quality": 88, "clip": whole, "captureBeyondViewport": True}
        )
        (PICTURES / f"{name}-{scheme}.webp").write_bytes(base64.b64decode(taken["data"]))


@contextlib.asynccontextmanager
async def following(home: Path) -> AsyncIterator[Following]:
    """Follows the desk of that folder."""
    found = Following(home)
    work = asyncio.create_task(found.run())
    try:
        yield found
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def look(browser: Browser, address: str) -> Page:
    page = await browser.new_page(viewport={"width": 1280, "height": 800}, device_scale_factor=1.25)
    await page.goto(address)
    return page


async def main() -> int:
    # The apps of the story run in this environment, too.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    stage = Stage(free_port())
    async with contextlib.AsyncExitStack() as all_of_it:
        home = all_of_it.enter_context(tempfile.TemporaryDirectory(prefix="pictures-", dir="/tmp"))
        held = all_of_it.enter_context(Folder(Path(home) / "demo"))
        told = lambda what, seconds: print(f"{what}: {seconds:.1f} s")  # noqa: E731
        stand = await all_of_it.enter_async_context(world.running(held, stage.origin, LIMITS, told))
        board = Machines(stand.left, stand.right)
        await all_of_it.enter_async_context(opened(stage, board))
        desk = await all_of_it.enter_async_context(following(stand.right.folder))
        dashboard = await all_of_it.enter_async_context(served(desk))
        chromium_runs = await all_of_it.enter_async_context(async_playwright())
        watching = asyncio.create_task(board.watch())
        try:
            browser = await chromium_runs.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
            page = await look(browser, stage.address())
            await play(page, stand.right)
            await tell(page, "Lobby, Right")
            await picture(page, "stage")
            page = await look(browser, dashboard.address())
            await tell(page, "Lobby")
            await picture(page, "dashboard")
            await browser.close()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
