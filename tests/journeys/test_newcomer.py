"""Somebody new: logs in through the page, finds people, chats, and leaves without a trace."""

import asyncio
import time
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import expect

from demo.machine import Machine
from frontdesk import AppState
from tests.journeys.stand import PASSWORD, Chat, Observer, Person, Stand

SAID = ("I am new here", "Welcome!", "brings cake", "are you coming?")
"""Of all that is said on the way."""

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]


async def log_in(person: Person, password: str) -> None:
    page = person.page
    await page.get_by_label("User name").fill(person.machine.user)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Log in").click()


async def choose_homeserver(person: Person) -> None:
    await person.page.get_by_label("Homeserver").fill(person.machine.homeserver)
    await person.page.get_by_role("button", name="Continue").click()


async def accept(person: Person, inviter: str) -> None:
    await person.page.get_by_role("button", name=f"Accept the invitation of {inviter}").click()
    await expect(person.page.locator("#composer")).to_be_visible()


async def test_from_the_first_log_in_to_the_log_out(stand: Stand, left: Person, right: Person) -> None:
    async with stand.newcomer("Third") as third, stand.observer(third.machine) as homeserver:
        devices_before = await homeserver.devices()
        page = await third.enters()
        await expect(page.get_by_role("heading", name="Log in to Lobby")).to_be_visible()
        await choose_homeserver(third)
        await log_in(third, "wrong")
        await expect(page.get_by_role("alert")).to_contain_text("password")
        await expect(page.get_by_label("User name")).to_have_value("third")
        await log_in(third, PASSWORD)
        await expect(page.get_by_role("heading", name="Welcome to Lobby")).to_be_visible()
        assert len(await homeserver.devices()) == len(devices_before) + 1
        await _chat_with_left(third, left)
        await _group_of_three(third, left, right)
        await _no_word_is_readable(homeserver, third, left, right)
        await _is_reached(third, left)
        (pusher,) = await homeserver.pushers()
        await _log_out(third, pusher["data"]["endpoint"])
        assert await homeserver.pushers() == []
        assert await homeserver.devices() == devices_before, "its token is good for nothing now"


async def _chat_with_left(third: Person, left: Person) -> None:
    await third.page.get_by_role("link", name="New chat").first.click()
    await third.page.get_by_label("Matrix address").fill("nobody-of-that-name")
    await third.page.get_by_role("button", name="Start chat").click()
    await expect(third.page.get_by_role("alert")).to_be_visible()
    await third.page.get_by_label("Matrix address").fill(left.user_id)
    await third.page.get_by_role("button", name="Start chat").click()
    await accept(left, "Third")
    await third.writes("Hello Left, I am new here")
    await left.sees("Hello Left, I am new here")
    await left.writes("Welcome!")
    await third.sees("Welcome!")


async def _group_of_three(third: Person, left: Person, right: Person) -> None:
    await third.page.get_by_role("link", name="New chat").first.click()
    await third.page.get_by_label("Name of the group").fill("Picnic")
    await third.page.get_by_label("People").fill(f"{left.user_id}, {right.user_id}")
    await third.page.get_by_role("button", name="Make group").click()
    for person in (left, right):
        await expect(person.page.get_by_text("invites you to Picnic")).to_be_visible()
        await accept(person, "Third")
        await expect(person.page.get_by_role("heading", name="Picnic")).to_be_visible()
    people = (third, left, right)
    for person in people:
        text = f"{person.machine.person} brings cake"
        await person.writes(text)
        for each in people:
            await each.sees(text)
    await expect(third.page.get_by_text("You, Left, Right")).to_be_visible()


async def _no_word_is_readable(homeserver: Observer, third: Person, *others: Person) -> None:
    """Both chats were made without a word about encryption, and are encrypted."""
    rooms = await homeserver.rooms()
    assert len(rooms) == 2
    for room_id in rooms:
        assert await homeserver.messages(room_id)
        await homeserver.has_it_as_promised(Chat(room_id, encrypted=True), third, *others)


async def _is_reached(third: Person, left: Person) -> None:
    """The first push of a fresh log-in, in a chat made minutes ago."""
    await third.falls_asleep()
    await left.writes("Third, are you coming?")
    status = await third.desk(lambda status: bool(status.shown), "a notification")
    shown = status.shown[0].notification
    assert "Picnic" in shown.title + shown.body and "Third, are you coming?" in shown.body
    await third.visits()
    await third.lobby(AppState.FOREGROUND)


async def _log_out(third: Person, endpoint: str) -> None:
    page = third.page
    await page.get_by_label("Account of Third").click()
    await page.get_by_role("link", name="Log out").click()
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_role("heading", name="Log in to Lobby")).to_be_visible()
    await _nothing_is_kept(third.machine)
    # The desk has given its subscription up, so the push service knows of none (RFC 8030 §7.3).
    async with aiohttp.ClientSession() as sender:
        async with sender.post(endpoint, headers={"TTL": "0"}) as answer:
            assert answer.status in (404, 410)


async def _nothing_is_kept(machine: Machine) -> None:
    """Neither Lobby's folder nor the desk's says what was said: no row, no free page, no write-ahead log, no log.

    The name of a chat stays in the desk's time line for the minutes that this tells of.
    """
    assert not list((machine.folder / "lobby" / "accounts").iterdir())
    # The desk empties its write-ahead log a second after it has deleted something, and tells nobody.
    deadline = time.monotonic() + 20
    while (found := _said_in(machine.folder)) and time.monotonic() < deadline:  # noqa: ASYNC110 - told to nobody
        await asyncio.sleep(0.2)
    assert found == {}


def _said_in(folder: Path) -> dict[str, list[str]]:
    found = {}
    for file in (path for path in folder.rglob("*") if path.is_file()):
        words = [said for said in SAID if said.encode() in file.read_bytes()]
        if words:
            found[str(file.relative_to(folder))] = words
    return found
