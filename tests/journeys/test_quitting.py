"""Quit is quit: an open page does not call Lobby back, and messages wait, until the person opens it again."""

import asyncio
import subprocess
import sys

import pytest
from playwright.async_api import Request, expect

from demo.machine import LOBBY, app_of
from demo.tour.steps import notified
from frontdesk import AppState
from tests.journeys.stand import PATIENCE, Person

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]


async def quits(person: Person) -> None:
    async with person.machine.desk() as desk:
        await desk.quit(LOBBY)
    assert (await person.lobby(AppState.STOPPED)).quit


@pytest.mark.contract("L04", "P02")
async def test_an_open_page_says_that_lobby_was_quit_and_leaves_it_so(left: Person, right: Person) -> None:
    await left.writes("before the end")
    await right.sees("before the end")
    await right.lobby(AppState.FOREGROUND)
    # The page's timers go by this clock from now on, so that an hour of waiting passes in a moment.
    await right.page.clock.install()
    asked: list[str] = []
    await quits(right)
    await expect(right.page.get_by_text("Lobby was quit")).to_be_visible()

    def hear(request: Request) -> None:
        asked.append(request.url)

    right.page.on("request", hear)
    await right.page.clock.run_for(3_600_000)
    await left.writes("are you still there?")
    status = await right.desk(notified("New message", "Lobby"), "the fallback")
    assert (asked, app_of(status).state, app_of(status).quit) == ([], AppState.STOPPED, True)
    assert "are you still there?" not in str(status.shown), "nobody has fetched it"

    await right.page.get_by_role("button", name="Open again").click()
    await right.sees("are you still there?")
    await expect(right.page.get_by_text("Lobby was quit")).to_be_hidden()
    assert not (await right.lobby(AppState.FOREGROUND)).quit
    await right.desk(lambda status: not status.shown, "the fallback gone: its message has been seen")


@pytest.mark.contract("L04", "L11")
async def test_loading_the_page_again_ends_quit(left: Person, right: Person) -> None:
    await quits(right)
    await expect(right.page.get_by_text("Lobby was quit")).to_be_visible()
    await left.writes("come back")
    await right.desk(notified("New message", "Lobby"), "the fallback")
    await right.page.reload()
    await right.sees("come back")
    assert not (await right.lobby(AppState.FOREGROUND)).quit
    # What comes now is told in full again.
    await right.falls_asleep()
    await left.writes("good to have you back")
    await right.desk(notified("good to have you back", "Left"), "who wrote, and what")


@pytest.mark.contract("X04")
async def test_a_second_lobby_opens_the_first_and_leaves(right: Person) -> None:
    first = await right.falls_asleep()
    await right.machine.lobby("run")  # fails unless its exit status is 0
    await right.follows(await right.hears_lobby())
    await expect(right.page.get_by_role("link", name="Left").first).to_be_visible()
    assert (await right.lobby(AppState.FOREGROUND)).pid == first.pid


async def test_a_second_desk_says_so_and_leaves_the_first_alone(right: Person) -> None:
    before = await right.machine.status()
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "frontdesk.cli.main", "agent"],
        env=right.machine.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, error = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert (process.returncode, out) == (3, b"")
    sentence = error.decode().strip()
    assert "already running" in sentence and "\n" not in sentence
    assert (await right.machine.status()).pid == before.pid
