"""One account with several Lobbies, each a device of its own, for tests of encryption against a real homeserver."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest

from lobby.core.views import Backup, EncryptionState, Mark, Standing
from lobby.encryption.keys import AccountEncryption
from lobby.encryption.recovery import Recovery
from tests.homeserver import Homeserver
from tests.people import Person


class Account:
    """An account; its Lobbies end with the test."""

    def __init__(self, homeserver: Homeserver, folder: Path, user_id: str, stack: AsyncExitStack) -> None:
        self.homeserver = homeserver
        self.user_id = user_id
        self.folder = folder
        self.stack = stack
        self._number = 0

    async def lobby(self, url: str = "") -> Person:
        """A new device, watched by somebody; ``url``: how it reaches the homeserver, if not directly."""
        self._number += 1
        person = await self.again(self.folder / str(self._number), url)
        await person.log_in()
        person.lobby.foreground()
        await person.until(lambda: looked(person))
        return person

    async def again(self, folder: Path, url: str = "") -> Person:
        """A Lobby in the folder of an earlier one; nobody looks at it yet."""
        return await self.stack.enter_async_context(Person(folder, self.user_id, url or self.homeserver.url))


@pytest.fixture
async def account(homeserver: Homeserver, tmp_path: Path) -> AsyncIterator[Account]:
    async with AsyncExitStack() as stack:
        yield Account(homeserver, tmp_path, await homeserver.account("Me"), stack)


def state(person: Person) -> EncryptionState:
    found = person.lobby.encryption.state()
    assert found is not None
    return found


def looked(person: Person) -> bool:
    """Whether it knows how it stands with the homeserver."""
    found = person.lobby.encryption.state()
    return found is not None and found.standing is not Standing.UNKNOWN


def recovery(person: Person) -> Recovery:
    """What verifications call when they have shown something."""
    encryption = person.lobby.encryption
    assert isinstance(encryption, AccountEncryption)
    return encryption.recovery


async def diary(person: Person, *texts: str) -> str:
    """An encrypted chat with oneself, with something said in it. Returns its room id."""
    room_id = await person.lobby.start_group("Diary", [])
    await say(person, room_id, *texts)
    return room_id


async def say(person: Person, room_id: str, *texts: str) -> None:
    """Send these one after the other, and wait until the homeserver has them."""
    for text in texts:
        await person.lobby.send(room_id, text)
        await person.until(partial(is_sent, person, room_id, text))


def is_sent(person: Person, room_id: str, text: str) -> bool:
    return any(bubble.text == text and bubble.mark is Mark.SENT for bubble in person.bubbles(room_id))


async def fed(person: Person) -> None:
    """Wait until the backup has all keys."""
    await person.until(lambda: state(person).backup is Backup.IN_USE and not state(person).not_backed_up)
