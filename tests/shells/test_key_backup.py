"""The key backup over time: restarts, a backup that others replace or delete, an identity that is not the person's."""

import secrets

import pytest
import vodozemac

from lobby.core import identity
from lobby.core.identity import Seeds
from lobby.core.views import Backup, Standing
from lobby.encryption import key_backup
from lobby.errors import RecoveryRefused
from tests.devices import Account, account, diary, fed, looked, recovery, state
from tests.front import Front
from tests.homeserver import PASSWORD, homeserver
from tests.people import Person, asked

__all__ = ["account", "homeserver"]

ALGORITHM = "m.megolm_backup.v1.curve25519-aes-sha2"


async def test_after_a_restart_nothing_is_given_twice_and_nothing_forgotten(account: Account) -> None:
    async with Front(account.homeserver.url) as front:
        first = await account.lobby(front.url)
        await first.lobby.encryption.create_recovery()
        room_id = await diary(first, "one")
        await fed(first)
        front.stop_at(1, False, is_feeding)
        await diary(first, "two")
        await front.reached.wait()
        assert state(first).not_backed_up == 1
        await first.__aexit__()
        front.let_pass()
        before = len([path for method, path in front.requests if is_feeding(method, path)])

        again = await account.again(first.home.folder, front.url)
        again.lobby.foreground()
        await again.until(lambda: looked(again))
        await fed(again)
        assert len([path for method, path in front.requests if is_feeding(method, path)]) == before + 1
        assert (await asked(again, "/room_keys/version"))["count"] == 2
        assert again.texts(room_id) == ["one"]
        assert state(again).standing is Standing.VERIFIED


async def test_of_a_large_backup_only_missing_keys_are_asked_for(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_backup, "SMALL", 0)
    first = await account.lobby()
    key = await first.lobby.encryption.create_recovery()
    room_id = await diary(first, "one")
    await fed(first)
    async with Front(account.homeserver.url) as front:
        second = await account.lobby(front.url)
        await second.until(lambda: state(second).sealed == 1)
        await second.lobby.encryption.recover(key)
        await second.until(lambda: second.texts(room_id) == ["one"])
        read = [path for method, path in front.requests if method == "GET" and path.startswith("/room_keys/keys")]
        assert len(read) == 1 and read[0].startswith("/room_keys/keys/")


async def test_a_backup_that_another_client_puts_in_place_gets_no_keys_until_it_is_opened(account: Account) -> None:
    me = await account.lobby()
    await me.lobby.encryption.create_recovery()
    public = vodozemac.Curve25519SecretKey().public_key().to_base64()
    body = {"algorithm": ALGORITHM, "auth_data": {"public_key": public, "signatures": {}}}
    await asked(me, "/room_keys/version", body=body)
    await diary(me, "not for that one")
    await me.until(lambda: state(me).backup is Backup.LOCKED)
    assert "The key backup was replaced by another device" in state(me).trouble
    assert (await asked(me, "/room_keys/version"))["count"] == 0
    with pytest.raises(RecoveryRefused, match="Nothing was replaced"):
        await me.lobby.encryption.create_recovery()


async def test_a_deleted_backup_is_told_and_made_anew_with_a_new_recovery_key(account: Account) -> None:
    me = await account.lobby()
    await me.lobby.encryption.create_recovery()
    room_id = await diary(me, "one")
    await fed(me)
    version = (await asked(me, "/room_keys/version"))["version"]
    await asked(me, f"/room_keys/version/{version}", method="DELETE")
    await me.lobby.encryption.look()
    assert state(me).backup is Backup.NONE
    assert "The key backup was deleted" in state(me).trouble
    key = await me.lobby.encryption.create_recovery()
    await fed(me)
    assert state(me).trouble == ""
    second = await account.lobby()
    await second.lobby.encryption.recover(key)
    await second.until(lambda: second.texts(room_id) == ["one"])


async def test_another_identity_than_the_persons_own_is_told_and_signs_nothing(account: Account) -> None:
    me = await account.lobby()
    key = await me.lobby.encryption.create_recovery()
    await replace_identity(me)
    await me.lobby.encryption.look()
    assert state(me).standing is Standing.UNVERIFIED
    assert "is not the one that this device knows" in state(me).trouble
    assert recovery(me).verified_devices() == set()
    with pytest.raises(RecoveryRefused, match="another identity for this account"):
        await me.lobby.encryption.recover(key)
    with pytest.raises(RecoveryRefused, match="made on another device"):
        await me.lobby.encryption.create_recovery(PASSWORD)


def is_feeding(method: str, path: str) -> bool:
    return method == "PUT" and path.startswith("/room_keys/keys")


async def replace_identity(person: Person) -> None:
    """What a homeserver, or somebody who knows the password, may do: publish an identity of its own making."""
    objects = identity.published(person.user_id, Seeds(*(secrets.token_bytes(32) for _ in range(3))))
    path = "/keys/device_signing/upload"
    session = (await asked(person, path, body=objects))["session"]
    who = {"type": "m.id.user", "user": person.user_id}
    auth = {"type": "m.login.password", "identifier": who, "password": PASSWORD, "session": session}
    assert await asked(person, path, body={**objects, "auth": auth}) == {}
