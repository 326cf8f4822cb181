"""Recovery on a real homeserver: what Lobby makes opens in Lobby and in matrix-js-sdk, and the other way round."""

import json
import socket

import pytest
from aiohttp import web

from lobby.core.views import Backup, OtherDevice, Standing
from lobby.errors import KeysRefused, PasswordNeeded, RecoveryRefused
from tests.devices import Account, account, diary, fed, say, state
from tests.front import Front
from tests.homeserver import PASSWORD, homeserver
from tests.js_client import JsClient, js_client

__all__ = ["account", "homeserver", "js_client"]


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

    here = socket.gethostname().partition(".")[0]
    expected = OtherDevice(state(second).device_id, f"Lobby on {here}", verified=True)
    await first.until(lambda: state(first).others == (expected,))
    await say(second, room_id, "from the second")
    await first.until(lambda: first.texts(room_id)[-1] == "from the second")
    await second.lobby.log_out()
    await first.until(lambda: state(first).others == ())


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


async def test_who_has_lost_the_key_and_all_devices_begins_anew(account: Account) -> None:
    first = await account.lobby()
    old = await first.lobby.encryption.create_recovery()
    room_id = await diary(first, "lost with the first")
    await fed(first)
    second = await account.lobby()
    with pytest.raises(PasswordNeeded, match="wants your account's password"):
        await second.lobby.encryption.begin_anew()
    with pytest.raises(PasswordNeeded, match="not your account's password"):
        await second.lobby.encryption.begin_anew("wrong")
    assert (state(second).standing, state(second).backup) == (Standing.UNVERIFIED, Backup.LOCKED)
    new = await second.lobby.encryption.begin_anew(PASSWORD)
    assert (state(second).standing, state(second).backup) == (Standing.VERIFIED, Backup.IN_USE)
    assert state(second).trouble == ""
    await say(second, room_id, "written anew")
    await fed(second)

    await first.until(lambda: state(first).standing is Standing.UNVERIFIED)
    assert "is not the one that this device knows" in state(first).trouble
    third = await account.lobby()
    with pytest.raises(RecoveryRefused, match="not the one this account has now"):
        await third.lobby.encryption.recover(old)
    await third.lobby.encryption.recover(new)
    assert (state(third).standing, state(third).backup) == (Standing.VERIFIED, Backup.IN_USE)
    await third.until(lambda: "written anew" in third.texts(room_id))
    assert [bubble.sealed for bubble in third.bubbles(room_id)] == [True, False]


async def test_what_lobby_has_begun_anew_js_sdk_recovers(account: Account, js_client: JsClient) -> None:
    first = await account.lobby()
    await first.lobby.encryption.create_recovery()
    second = await account.lobby()
    key = await second.lobby.encryption.begin_anew(PASSWORD)
    room_id = await diary(second, "said anew")
    await fed(second)
    js = await js_client.log_in(account.homeserver.url, account.user_id, PASSWORD)
    assert await js.recover(key) == {"imported": 1, "total": 1}
    assert [message["content"]["body"] for message in await js.history(room_id)] == ["said anew"]
    await js.device_verified(account.user_id, state(second).device_id)
    trust = await js.backup_trust()
    assert trust is not None and trust["trusted"] and trust["matchesDecryptionKey"]


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


async def test_an_older_homeserver_gets_the_password_it_wants(account: Account) -> None:
    """The front asks for proof of who it is, as homeservers did before MSC3967, and checks it itself."""
    async with Front(account.homeserver.url, answers=wants_password) as front:
        me = await account.lobby(front.url)
        with pytest.raises(PasswordNeeded, match="wants your account's password"):
            await me.lobby.encryption.create_recovery()
        with pytest.raises(PasswordNeeded, match="not your account's password"):
            await me.lobby.encryption.create_recovery("wrong")
        assert state(me).standing is Standing.NO_RECOVERY
        await me.lobby.encryption.create_recovery(PASSWORD)
        assert (state(me).standing, state(me).backup) == (Standing.VERIFIED, Backup.IN_USE)


async def test_a_homeserver_that_wants_its_own_page_is_named(account: Account) -> None:
    async with Front(account.homeserver.url, answers=wants_its_account_page) as front:
        me = await account.lobby(front.url)
        with pytest.raises(RecoveryRefused, match=f"only on its own account page: look for it at {front.url}"):
            await me.lobby.encryption.create_recovery(PASSWORD)


def wants_password(request: web.Request, body: bytes) -> web.Response | None:
    if not request.path.endswith("/keys/device_signing/upload"):
        return None
    auth = json.loads(body).get("auth", {})
    if (auth.get("type"), auth.get("session"), auth.get("password")) == ("m.login.password", "s", PASSWORD):
        return None
    return proof_wanted("m.login.password")


def wants_its_account_page(request: web.Request, body: bytes) -> web.Response | None:
    return proof_wanted("m.oauth") if request.path.endswith("/keys/device_signing/upload") else None


def proof_wanted(kind: str) -> web.Response:
    return web.json_response({"flows": [{"stages": [kind]}], "params": {}, "session": "s"}, status=401)
