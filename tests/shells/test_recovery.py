"""Recovery on a real homeserver: what Lobby makes opens in Lobby and in matrix-js-sdk, and the other way round."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest

from lobby.core.views import Backup, EncryptionState, Mark, Standing
from lobby.errors import KeysRefused, RecoveryRefused
from tests.homeserver import PASSWORD, Homeserver, homeserver
from tests.js_client import JsClient, js_client
from tests.people import Person

__all__ = ["homeserver", "js_client"]


class Account:
    """One account and its Lobbies, each a device of its own."""

    def __init__(self, homeserver: Homeserver, folder: Path, user_id: str, stack: AsyncExitStack) -> None:
        self.homeserver = homeserver
        self.user_id = user_id
        self._folder = folder
        self._stack = stack
        self._number = 0

    async def lobby(self) -> Person:
        """A new device, watched by somebody."""
        self._number += 1
        folder = self._folder / str(self._number)
        person = await self._stack.enter_async_context(Person(folder, self.user_id, self.homeserver.url))
        await person.log_in()
        person.lobby.foreground()
        await person.until(lambda: looked(person))
        return person


@pytest.fixture
async def account(homeserver: Homeserver, tmp_path: Path) -> AsyncIterator[Account]:
    async with AsyncExitStack() as stack:
        yield Account(homeserver, tmp_path, await homeserver.account("Me"), stack)


def state(person: Person) -> EncryptionState:
    found = person.lobby.encryption.state()
    assert found is not None
    return found


def looked(person: Person) -> bool:
    found = person.lobby.encryption.state()
    return found is not None and found.standing is not Standing.UNKNOWN


async def diary(person: Person, *texts: str) -> str:
    """An encrypted chat with oneself, with something said in it. Returns its room id."""
    room_id = await person.lobby.start_group("Diary", [])
    await say(person, room_id, *texts)
    return room_id


async def say(person: Person, room_id: str, *texts: str) -> None:
    for text in texts:
        await person.lobby.send(room_id, text)
        await person.until(partial(is_sent, person, room_id, text))


def is_sent(person: Person, room_id: str, text: str) -> bool:
    return any(bubble.text == text and bubble.mark is Mark.SENT for bubble in person.bubbles(room_id))


async def fed(person: Person) -> None:
    await person.until(lambda: state(person).backup is Backup.IN_USE and not state(person).not_backed_up)
    await person.until(lambda: not person.guard.open)


async def test_a_recovery_key_opens_everything_on_the_next_device(account: Account) -> None:
    first = await account.lobby()
    assert (state(first).standing, state(first).backup) == (Standing.NO_RECOVERY, Backup.NONE)
    room_id = await diary(first, "said before")
    assert state(first).not_backed_up == 1
    key = await first.lobby.encryption.create_recovery()
    assert (state(first).standing, state(first).backup) == (Standing.VERIFIED, Backup.IN_USE)
    await say(first, room_id, "and after")
    await fed(first)

    second = await account.lobby()
    assert (state(second).standing, state(second).backup) == (Standing.UNVERIFIED, Backup.LOCKED)
    await second.until(lambda: len(second.bubbles(room_id)) == 2)
    assert [bubble.sealed for bubble in second.bubbles(room_id)] == [True, True]
    await second.lobby.encryption.recover(key)
    assert (state(second).standing, state(second).backup) == (Standing.VERIFIED, Backup.IN_USE)
    await second.until(lambda: second.texts(room_id) == ["said before", "and after"])
    assert state(second).sealed == 0
    assert state(second).trouble == ""

    await first.lobby.encryption.look()
    assert [(other.name, other.verified) for other in state(first).others] == [("Lobby", True)]
    await say(second, room_id, "from the second")
    await first.until(lambda: first.texts(room_id)[-1] == "from the second")


async def test_what_js_sdk_has_made_lobby_recovers(account: Account, js_client: JsClient) -> None:
    js = await js_client.log_in(account.homeserver.url, account.user_id, PASSWORD)
    key = await js.bootstrap()
    room_id = await js.create_room(name="Diary")
    await js.send(room_id, "written by the other client")
    assert await js.backed_up() == 1
    me = await account.lobby()
    assert (state(me).standing, state(me).backup) == (Standing.UNVERIFIED, Backup.LOCKED)
    await me.lobby.encryption.recover(key)
    assert (state(me).standing, state(me).backup) == (Standing.VERIFIED, Backup.IN_USE)
    await me.until(lambda: me.texts(room_id) == ["written by the other client"])
    assert [other.verified for other in state(me).others] == [True]
    await js.device_verified(account.user_id, state(me).device_id)
    await say(me, room_id, "from Lobby")
    await js.text(room_id, "from Lobby")
    await fed(me)
    assert (await js.restore_backup())["total"] == 2


async def test_what_lobby_has_made_js_sdk_recovers(account: Account, js_client: JsClient) -> None:
    me = await account.lobby()
    key = await me.lobby.encryption.create_recovery()
    room_id = await diary(me, "one", "two")
    await fed(me)
    js = await js_client.log_in(account.homeserver.url, account.user_id, PASSWORD)
    assert await js.recover(key) == {"imported": 1, "total": 1}
    assert [message["content"]["body"] for message in await js.history(room_id)] == ["one", "two"]
    await js.device_verified(account.user_id, state(me).device_id)
    trust = await js.backup_trust()
    assert trust is not None and trust["trusted"] and trust["matchesDecryptionKey"]
    await me.lobby.encryption.look()
    assert [other.verified for other in state(me).others] == [True]


async def test_a_passphrase_opens_it_as_well(account: Account, js_client: JsClient) -> None:
    js = await js_client.log_in(account.homeserver.url, account.user_id, PASSWORD)
    await js.bootstrap(passphrase="a horse in the corridor")
    me = await account.lobby()
    with pytest.raises(RecoveryRefused, match="neither the passphrase nor the recovery key"):
        await me.lobby.encryption.recover("a cow in the corridor")
    assert state(me).standing is Standing.UNVERIFIED
    await me.lobby.encryption.recover("a horse in the corridor")
    assert (state(me).standing, state(me).backup) == (Standing.VERIFIED, Backup.IN_USE)


async def test_a_wrong_key_changes_nothing(account: Account) -> None:
    first = await account.lobby()
    with pytest.raises(RecoveryRefused, match="no recovery key yet"):
        await first.lobby.encryption.recover("whatever")
    old = await first.lobby.encryption.create_recovery()
    new = await first.lobby.encryption.create_recovery()
    second = await account.lobby()
    with pytest.raises(RecoveryRefused, match="not the one this account has now"):
        await second.lobby.encryption.recover(old)
    with pytest.raises(RecoveryRefused, match="A recovery key has 48 letters"):
        await second.lobby.encryption.recover(new[:-1])
    with pytest.raises(RecoveryRefused, match="made on another device"):
        await second.lobby.encryption.create_recovery(PASSWORD)
    assert (state(second).standing, state(second).backup) == (Standing.UNVERIFIED, Backup.LOCKED)
    await second.lobby.encryption.recover(new)
    assert state(second).standing is Standing.VERIFIED


async def test_keys_go_to_a_file_and_come_from_one(account: Account) -> None:
    first = await account.lobby()
    room_id = await diary(first, "in the file")
    file = await first.lobby.encryption.export_keys("passphrase")
    second = await account.lobby()
    await second.until(lambda: len(second.bubbles(room_id)) == 1)
    with pytest.raises(KeysRefused, match="passphrase is wrong"):
        await second.lobby.encryption.import_keys(file, "another")
    assert await second.lobby.encryption.import_keys(file, "passphrase") == 1
    await second.until(lambda: second.texts(room_id) == ["in the file"])
    assert await second.lobby.encryption.import_keys(file, "passphrase") == 0
