"""Somebody makes a recovery key, opens everything with it on a second computer, and verifies by emoji."""

import asyncio
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import pytest
from playwright.async_api import expect

from demo.world import together
from tests.journeys.stand import Person, Stand

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

SECRET = "The key is under the mat"


async def begin_chat(one: Person, other: Person) -> None:
    """A chat begun by one and accepted by the other, who both have it open then."""
    await one.page.get_by_role("link", name="New chat").first.click()
    await one.page.get_by_label("Matrix address").fill(other.user_id)
    await one.page.get_by_role("button", name="Start chat").click()
    await other.page.get_by_role("button", name=f"Accept the invitation of {one.machine.person}").click()
    for each in (one, other):
        await expect(each.page.locator("#composer")).to_be_visible()
    await other.writes(SECRET)
    await one.sees(SECRET)


async def create_recovery_key(person: Person) -> str:
    page = person.page
    await page.goto(f"{person.origin}/encryption")
    await page.get_by_role("button", name="Create a recovery key").click()
    key = await page.locator("#new-recovery-key").inner_text()
    await page.get_by_role("checkbox", name="I have kept it").check()
    await page.get_by_role("button", name="Done").click()
    await is_verified(person)
    assert key not in await page.content(), "it is shown once"
    return key


async def is_verified(person: Person) -> None:
    await expect(person.page.get_by_role("heading", name="This computer is verified")).to_be_visible()
    await expect(person.page.get_by_text("All of them are there.")).to_be_visible()


async def reads_what_was_written(person: Person) -> None:
    await person.page.get_by_role("link", name="Otto").click()
    await person.sees(SECRET)


async def open_with(person: Person, key: str) -> None:
    await person.page.get_by_role("textbox", name="Recovery key").fill(key)
    await person.page.get_by_role("button", name="Open with this key").click()


async def see_the_same_emoji(one: Person, other: Person) -> None:
    for each in (one, other):
        await expect(each.page.locator(".emoji li")).to_have_count(7)
    assert await one.page.locator(".emoji").inner_text() == await other.page.locator(".emoji").inner_text()


async def test_a_recovery_key_and_emoji(stand: Stand) -> None:
    async with AsyncExitStack() as stack:

        async def comes(person: AbstractAsyncContextManager[Person]) -> Person:
            come = await stack.enter_async_context(person)
            await come.enters()
            return come

        async with asyncio.TaskGroup() as group:
            residents = [group.create_task(comes(stand.resident(name))) for name in ("Emma", "Otto")]
        emma, otto = (task.result() for task in residents)
        await begin_chat(emma, otto)
        chat = emma.page.url
        async with asyncio.TaskGroup() as group:
            computers = [group.create_task(comes(stand.other_computer(emma, name))) for name in ("laptop", "tablet")]
            keys = [group.create_task(create_recovery_key(each)) for each in (emma, otto)]
        laptop, tablet = (task.result() for task in computers)
        await _recovers(laptop, keys[0].result())
        await _verifies_own(tablet, emma)
        await _verifies_after_a_mismatch(emma, otto, chat)
        await together(*(each.machine.stop() for each in (emma, otto, laptop, tablet)))


async def _recovers(laptop: Person, key: str) -> None:
    page = laptop.page
    await expect(page.get_by_role("link", name="Otto")).to_contain_text("cannot be read yet")
    await page.goto(f"{laptop.origin}/encryption")
    await open_with(laptop, key[:9])
    await expect(page.locator(".refused:visible")).to_contain_text("too few")
    await open_with(laptop, key)
    await is_verified(laptop)
    await reads_what_was_written(laptop)


async def _verifies_own(tablet: Person, emma: Person) -> None:
    await tablet.page.goto(f"{tablet.origin}/encryption")
    await tablet.page.get_by_role("button", name="Verify with another of your devices").click()
    await emma.page.get_by_role("button", name="Accept").click()
    await see_the_same_emoji(emma, tablet)
    for each in (emma, tablet):
        await each.page.get_by_role("button", name="They match").click()
    for each in (emma, tablet):
        await expect(each.page.get_by_role("heading", name="Verified", exact=True)).to_be_visible()
    await tablet.page.get_by_role("link", name="Done").click()
    await is_verified(tablet)
    await reads_what_was_written(tablet)


async def _compare(emma: Person, otto: Person, chat: str) -> None:
    await emma.page.goto(f"{chat}/security")
    await emma.page.get_by_role("button", name="Verify Otto").click()
    await otto.page.get_by_role("button", name="Accept").click()
    await see_the_same_emoji(emma, otto)


async def _verifies_after_a_mismatch(emma: Person, otto: Person, chat: str) -> None:
    await _compare(emma, otto, chat)
    await otto.page.get_by_role("button", name="They do not match").click()
    for each in (emma, otto):
        await expect(each.page.get_by_role("heading", name="Not verified")).to_be_visible()
    await _compare(emma, otto, chat)
    for each in (emma, otto):
        await each.page.get_by_role("button", name="They match").click()
    for each, other in ((emma, "Otto"), (otto, "Emma")):
        await expect(each.page.get_by_role("heading", name=f"{other} is verified")).to_be_visible()
        await each.page.get_by_role("link", name="Done").click()
        await expect(each.page.locator("#head")).to_contain_text("Verified")
