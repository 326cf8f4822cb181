"""Somebody with two accounts in one Lobby that has no process: each is reached, and told apart from the other."""

import os
import signal

import pytest
from playwright.async_api import expect

from demo.errors import DemoError
from demo.machine import LOBBY
from demo.tour.steps import notified
from frontdesk import AppState
from tests.journeys.stand import PASSWORD, Person, Stand

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]


async def is_reachable(person: Person) -> None:
    await expect(person.page.locator("#welcome")).to_contain_text("reachable")


async def add_account(person: Person, user_id: str) -> None:
    """One more account, as somebody adds it on the page."""
    page = person.page
    await page.locator("#account-menu > summary").click()
    await page.get_by_role("link", name="Add another account").click()
    await page.get_by_label("Homeserver").fill(person.machine.homeserver)
    await page.get_by_role("button", name="Continue", exact=True).click()
    await page.get_by_label("User name").fill(user_id)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in", exact=True).click()
    await page.wait_for_url("**/account/2/")


async def chat_between(left: Person, other: Person, user_id: str) -> str:
    """A chat that Left begins and the account in front accepts; where it is on Left's page."""
    await left.page.goto(f"{left.origin}/new")
    await left.page.get_by_label("Matrix address").fill(user_id)
    await left.page.get_by_role("button", name="Start chat").click()
    await expect(left.page.locator("#composer")).to_be_visible()
    await other.page.get_by_role("button", name="Accept the invitation of Left").click()
    await expect(other.page.locator("#composer")).to_be_visible()
    await expect(left.page.locator("#bubbles")).to_contain_text("joined")
    return left.page.url.removeprefix(left.origin)


@pytest.mark.contract("P02")
async def test_both_accounts_of_a_killed_lobby_are_reached_and_told_apart(stand: Stand, left: Person) -> None:
    guest = stand.synapse.user_id("guest")
    await stand.synapse.register("guest", PASSWORD, "Guest")
    async with stand.resident("Host") as host:
        await host.enters()
        await is_reachable(host)
        places = {host.user_id: await chat_between(left, host, host.user_id)}
        await add_account(host, guest)
        await is_reachable(host)
        places[guest] = await chat_between(left, host, guest)

        os.kill((await host.falls_asleep()).pid, signal.SIGKILL)
        await host.lobby(AppState.STOPPED)
        for user_id, place in places.items():
            await left.page.goto(left.origin + place)
            await left.writes(f"Is {user_id} there?")
        for user_id in places:
            status = await host.desk(notified(f"Is {user_id} there?", f"Left · {user_id}"), "for whom, and what")

        (told,) = (one.notification.id for one in status.shown if guest in one.notification.title)
        await host.follows(await host.presses(told))
        await host.sees(f"Is {guest} there?")
        await expect(host.page.locator("#account-menu > summary")).to_contain_text("Guest")
        await host.page.locator("#account-menu > summary").click()
        await expect(host.page.locator("#account-menu .item", has_text=host.user_id)).to_contain_text("1 waiting")

        # Somebody who leaves in a terminal hears before what would be lost; what an earlier run has shown goes, too.
        await host.closes()
        async with host.machine.desk() as desk:
            await desk.quit(LOBBY)
        await host.lobby(AppState.STOPPED)
        assert [one.notification.title for one in (await host.machine.status()).shown] == [f"Left · {host.user_id}"]
        with pytest.raises(DemoError, match="Keys of encrypted messages are on this computer only"):
            await host.machine.lobby("logout", host.user_id)
        assert "nothing of it is kept here" in await host.machine.lobby("logout", host.user_id, "--anyway")
        assert not (await host.machine.status()).shown
