"""One stand for all journeys; each begins with Left and Right sitting in front of their chat."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import expect

from tests.journeys.stand import PATIENCE, Person, Stand

# Playwright's own five seconds are too few for a chain of programs on a machine that is busy with other things.
expect.set_options(timeout=PATIENCE * 1000)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stand() -> AsyncIterator[Stand]:
    """Homeserver, push service, two machines and a browser, until the last test is over."""
    async with Stand() as stand:
        yield stand


@pytest_asyncio.fixture(loop_scope="session")
async def left(stand: Stand) -> AsyncIterator[Person]:
    """Left, the chat with Right open in a tab."""
    async with stand.person(stand.left) as person:
        await person.sits_down(stand.place)
        yield person


@pytest_asyncio.fixture(loop_scope="session")
async def right(stand: Stand) -> AsyncIterator[Person]:
    """Right, the chat with Left open in a tab."""
    async with stand.person(stand.right) as person:
        await person.sits_down(stand.place)
        yield person
