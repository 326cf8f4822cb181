"""One stand for all journeys; each begins with Left and Right sitting in front of their chat."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.journeys.stand import PATIENCE, Chat, Person, Stand

# Playwright's own five seconds are too few for a chain of programs on a machine that is busy with other things.
expect.set_options(timeout=PATIENCE * 1000)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stand() -> AsyncIterator[Stand]:
    """Homeserver, push service, two machines and a browser, until the last test is over."""
    async with Stand() as stand:
        yield stand


@pytest_asyncio.fixture(loop_scope="session")
async def chat(request: pytest.FixtureRequest, stand: Stand) -> Chat:
    """Where a journey is played: encrypted, as Lobby makes chats, unless it is parametrised (indirect) with "plain".

    What Left and Right have written is looked at after each journey, as the homeserver has it.
    """
    return await stand.plain() if getattr(request, "param", "encrypted") == "plain" else stand.chat


@pytest_asyncio.fixture(loop_scope="session")
async def left(stand: Stand, chat: Chat) -> AsyncIterator[Person]:
    """Left, the chat with Right open in a tab."""
    async with stand.person(stand.left) as person:
        await person.sits_down(chat.place)
        yield person
    await stand.homeserver.has_it_as_promised(chat, person)


@pytest_asyncio.fixture(loop_scope="session")
async def right(stand: Stand, chat: Chat) -> AsyncIterator[Person]:
    """Right, the chat with Left open in a tab."""
    async with stand.person(stand.right) as person:
        await person.sits_down(chat.place)
        yield person
    await stand.homeserver.has_it_as_promised(chat, person)
