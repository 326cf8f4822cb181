"""Makes the README's pictures of stage and dashboard: `make pictures`. Needs Chromium from the distribution."""

import asyncio
import base64
import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright, expect

from demo import world
from demo.folder import Folder
from demo.ports import free_port
from demo.stage.board import Machines
from demo.stage.server import Stage, opened
from frontdesk.dashboard.following import Following
from frontdesk.dashboard.server import served
from tests.programs import CHROMIUM_FLAGS, chromium

PICTURES = Path(__file__).parent.parent / "docs"
SETTLES = 700
"""Milliseconds for what moves on the page to come to rest."""
PATIENCE = 30_000
TALK = (
    ("Left", "Right", "Morning! Did you get home all right?"),
    ("Right", "Left", "Yes, thanks! Closing my laptop now, back at six."),
)
LAST = "Then this is for when you open it: the tickets are booked!"


async def write(page: Page, person: str, other: str, text: str) -> None:
    message = page.frame_locator(f'iframe[title="{person}’s Lobby"]').get_by_label(f"Message to {other}")
    await message.fill(text)
    await message.press("Enter")


async def play(page: Page) -> None:
    """The moment that says it all: Right's window is closed and Lobby asleep, and Left's message has arrived."""
    for person, other in (("Left", "Right"), ("Right", "Left")):
        frame = page.frame_locator(f'iframe[title="{person}’s Lobby"]')
        await frame.get_by_role("link", name=other).first.click()
        await expect(frame.get_by_label(f"Message to {other}")).to_be_visible(timeout=PATIENCE)
    for person, other, text in TALK:
        await write(page, person, other, text)
        theirs = page.frame_locator(f'iframe[title="{other}’s Lobby"]')
        await expect(theirs.locator(f"text={text}").last).to_be_visible(timeout=PATIENCE)
    await page.get_by_role("button", name="Close Right’s window").click()
    await expect(page.locator("#right .pill")).to_contain_text("Suspended", timeout=PATIENCE)
    await page.wait_for_timeout(8000)  # so that the picture shows a sleep, and what interrupts it
    await write(page, "Left", "Right", LAST)
    await expect(page.locator("#right .card", has_text=LAST)).to_be_visible(timeout=PATIENCE)
    await expect(page.locator("#right .pill")).to_contain_text("Suspended", timeout=PATIENCE)
    await page.wait_for_timeout(5000)


async def tell(page: Page, lane: str) -> None:
    """Opens the story of the last push."""
    push = page.get_by_role("group", name=lane).locator(".tl-mark:visible", has_text="Push").last
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
    stage = Stage(free_port())
    async with contextlib.AsyncExitStack() as all_of_it:
        home = all_of_it.enter_context(tempfile.TemporaryDirectory(prefix="pictures-", dir="/tmp"))
        held = all_of_it.enter_context(Folder(Path(home) / "demo"))
        told = lambda what, seconds: print(f"{what}: {seconds:.1f} s")  # noqa: E731
        stand = await all_of_it.enter_async_context(world.running(held, stage.origin, {}, told))
        board = Machines(stand.left, stand.right)
        await all_of_it.enter_async_context(opened(stage, board))
        desk = await all_of_it.enter_async_context(following(stand.right.folder))
        dashboard = await all_of_it.enter_async_context(served(desk))
        chromium_runs = await all_of_it.enter_async_context(async_playwright())
        watching = asyncio.create_task(board.watch())
        try:
            browser = await chromium_runs.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
            page = await look(browser, stage.address())
            await play(page)
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
