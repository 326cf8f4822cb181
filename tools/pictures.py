"""Makes the README's pictures of the stage: `uv run python -m tools.pictures`. Needs Chromium from the distribution."""

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Page, async_playwright, expect

from demo import world
from demo.folder import Folder
from demo.ports import free_port
from demo.stage.board import Machines
from demo.stage.server import Stage, opened
from tests.programs import CHROMIUM_FLAGS, chromium

PICTURES = Path(__file__).parent.parent / "docs"
SETTLES = 600
"""Milliseconds for what moves on the page to come to rest."""
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
        await expect(frame.get_by_label(f"Message to {other}")).to_be_visible()
    for person, other, text in TALK:
        await write(page, person, other, text)
        await expect(
            page.frame_locator(f'iframe[title="{other}’s Lobby"]').locator(f"text={text}").last
        ).to_be_visible()
    await page.get_by_role("button", name="Close Right’s window").click()
    await expect(page.locator("#right .pill")).to_contain_text("Suspended", timeout=20_000)
    await write(page, "Left", "Right", LAST)
    await expect(page.locator("#right .card", has_text=LAST)).to_be_visible(timeout=20_000)
    await expect(page.locator("#right .pill")).to_contain_text("Suspended", timeout=20_000)


async def main() -> int:
    with tempfile.TemporaryDirectory(prefix="pictures-") as home, Folder(Path(home) / "demo") as held:
        stage = Stage(free_port())
        async with world.running(
            held, stage.origin, {}, lambda what, seconds: print(f"{what}: {seconds:.1f} s")
        ) as stand:
            board = Machines(stand.left, stand.right)
            async with opened(stage, board), async_playwright() as play_wright:
                watching = asyncio.create_task(board.watch())
                browser = await play_wright.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
                page = await browser.new_page(viewport={"width": 1280, "height": 800}, device_scale_factor=1.25)
                await page.goto(stage.address())
                await play(page)
                for scheme in ("light", "dark"):
                    await page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
                    await page.wait_for_timeout(SETTLES)
                    await page.screenshot(path=PICTURES / f"stage-{scheme}.png", full_page=True)
                await browser.close()
                watching.cancel()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
