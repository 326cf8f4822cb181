"""The stage in Chromium on real parts: what a visitor is asked to try, tried, with the seconds a person notices."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import FrameLocator, Locator, Page, async_playwright, expect

from demo import world
from demo.folder import Folder
from demo.ports import free_port
from demo.stage.board import Machines
from demo.stage.server import Stage, opened
from demo.tour.witness import Witness
from tests.programs import CHROMIUM_FLAGS, chromium

pytestmark = pytest.mark.timeout(300)

LIMITS = {"background": 10.0, "expiry_lead": 4.0, "suspended": 12.0}
NOTICED = 15_000
"""Milliseconds within which a reopened window must show its chat; on an idle machine it is about one second."""


@dataclass
class Visitor:
    """The stage in a browser, and both Lobbies on it; what they wrote as the homeserver has it."""

    page: Page
    witness: Witness
    chat: str

    def lobby(self, person: str) -> FrameLocator:
        return self.page.frame_locator(f'iframe[title="{person}’s Lobby"]')

    def machine(self, person: str) -> Locator:
        return self.page.locator(f"#{person.lower()}")

    async def sees(self, person: str, state: str, patience: float = 30_000) -> None:
        await expect(self.machine(person).locator(".pill")).to_contain_text(state, timeout=patience)

    async def opens(self, person: str) -> None:
        await self.machine(person).get_by_role("button", name=f"Open {person}’s Lobby").click()

    async def closes(self, person: str) -> None:
        await self.page.get_by_role("button", name=f"Close {person}’s window").click()

    async def goes_to_chat(self, person: str, other: str) -> None:
        await self.lobby(person).get_by_role("link", name=other).first.click()
        await self.composer(person, other)

    async def composer(self, person: str, other: str) -> Locator:
        """Where they write: Enter sends once the module of Lobby's page is there, and as it comes it takes the focus,
        from the other person's window, too."""
        message = self.lobby(person).get_by_label(f"Message to {other}")
        window = await (await message.element_handle()).owner_frame()
        assert window is not None
        await window.wait_for_load_state()
        return message

    async def writes(self, person: str, other: str, text: str) -> None:
        message = await self.composer(person, other)
        await message.fill(text)
        await message.press("Enter")

    def notification(self, person: str, text: str) -> Locator:
        return self.machine(person).locator(".card", has_text=text)


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="fd-", dir="/tmp"))
    yield made
    shutil.rmtree(made)


@asynccontextmanager
async def visit(path: Path) -> AsyncIterator[Visitor]:
    stage = Stage(free_port())
    with Folder(path) as held:
        async with world.running(held, stage.origin, LIMITS, lambda what, seconds: None) as stand:
            board = Machines(stand.left, stand.right)
            watching = asyncio.create_task(board.watch())
            witness = Witness(stand.synapse.url, "right", world.PASSWORD)
            try:
                async with witness, opened(stage, board), async_playwright() as playwright:
                    browser = await playwright.chromium.launch(executable_path=chromium(), args=[*CHROMIUM_FLAGS])
                    page = await browser.new_page(viewport={"width": 1280, "height": 900})
                    await page.goto(stage.address())
                    yield Visitor(page, witness, stand.chat)
                    await browser.close()
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)


async def test_what_a_visitor_is_asked_to_try(folder: Path) -> None:
    async with visit(folder) as visitor:
        for person, other in (("Left", "Right"), ("Right", "Left")):
            await visitor.goes_to_chat(person, other)
            await visitor.sees(person, "In front")
        await _closed_and_still_reached(visitor)
        await _reopened_when_suspended_and_when_stopped(visitor)
        await _no_network_nothing_lost(visitor)
        await _even_the_desk_may_die(visitor)
        await _quit_is_quit(visitor)
        stored = await visitor.witness.messages(visitor.chat)
        assert {event["type"] for event in stored} == {"m.room.encrypted"}


async def _closed_and_still_reached(visitor: Visitor) -> None:
    await visitor.writes("Left", "Right", "Are you coming?")
    await expect(visitor.lobby("Right").get_by_text("Are you coming?").last).to_be_visible()
    await visitor.closes("Right")
    await visitor.sees("Right", "Asleep")
    await visitor.writes("Left", "Right", "We start at eight.")
    await visitor.notification("Right", "We start at eight.").click()
    await expect(visitor.lobby("Right").locator("#bubbles").get_by_text("We start at eight.")).to_be_visible()
    await visitor.sees("Right", "In front")
    await expect(visitor.page.locator(".act").first).to_have_class("act finished")


async def _reopened_when_suspended_and_when_stopped(visitor: Visitor) -> None:
    for state in ("Asleep", "Stopped"):
        await visitor.closes("Right")
        await visitor.sees("Right", state)
        await visitor.opens("Right")
        shown = visitor.lobby("Right").get_by_text("We start at eight.").last
        await expect(shown).to_be_visible(timeout=NOTICED)
        await visitor.sees("Right", "In front")


async def _no_network_nothing_lost(visitor: Visitor) -> None:
    await visitor.machine("Left").get_by_role("button", name="Off").click()
    await visitor.writes("Left", "Right", "Bring the projector")
    await expect(visitor.lobby("Left").locator("[data-mark=sending]")).to_have_count(1)
    await visitor.closes("Left")
    await visitor.sees("Left", "s left")
    await visitor.notification("Left", "Message not sent, please resend").wait_for(timeout=30_000)
    await visitor.sees("Left", "Asleep")
    await visitor.machine("Left").get_by_role("button", name="Good").click()
    await visitor.notification("Left", "Message not sent").click()
    await visitor.lobby("Left").get_by_role("button", name="Resend").click()
    await expect(visitor.lobby("Left").locator("[data-mark=sent]").last).to_contain_text("Bring the projector")
    await expect(visitor.lobby("Right").get_by_text("Bring the projector").last).to_be_visible()


async def _even_the_desk_may_die(visitor: Visitor) -> None:
    await visitor.closes("Right")
    await visitor.sees("Right", "Asleep")
    facts = visitor.machine("Right").locator("dl div")
    lobby, desk = (
        facts.filter(has=visitor.page.locator("dt", has_text="Lobby")),
        facts.filter(has=visitor.page.locator("dt", has_text="Desk")),
    )
    before, killed = await lobby.locator("dd").inner_text(), await desk.locator("dd").inner_text()
    await visitor.machine("Right").get_by_role("button", name="Kill the desk").click()
    # Until the next desk speaks, the page may still show what the killed one had said.
    await expect(desk.locator("dd")).not_to_have_text(killed)
    await expect(desk.locator("dd")).to_contain_text("process")
    await visitor.sees("Right", "Asleep")
    await expect(lobby.locator("dd")).to_have_text(before)
    await visitor.writes("Left", "Right", "Still there?")
    await visitor.notification("Right", "Still there?").wait_for(timeout=30_000)


async def _quit_is_quit(visitor: Visitor) -> None:
    await visitor.machine("Right").get_by_role("button", name="Quit Lobby").click()
    await visitor.sees("Right", "Quit")
    await visitor.opens("Right")
    await visitor.sees("Right", "In front")
