"""Lobby and matrix-js-sdk on a real homeserver: what one encrypts, the other reads; each can verify the other."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from lobby.core.views import Backup, Standing, Verification, VerificationPhase
from lobby.core.withheld import WORDS
from lobby.errors import LobbyError
from tests.devices import Account, account, looked, say, state
from tests.homeserver import PASSWORD, Homeserver, homeserver
from tests.js_client import JsClient, JsDevice, js_client
from tests.people import Person

__all__ = ["account", "homeserver", "js_client"]


@dataclass
class Two:
    """Two persons: one with Lobby, one with matrix-js-sdk."""

    me: Person
    js: JsDevice


@pytest.fixture
async def two(homeserver: Homeserver, js_client: JsClient, tmp_path: Path) -> AsyncIterator[Two]:
    async with AsyncExitStack() as stack:
        js = await js_client.log_in(homeserver.url, await homeserver.account("Right"), PASSWORD)
        me = Person(tmp_path / "left", await homeserver.account("Left"), homeserver.url)
        await stack.enter_async_context(me)
        await me.log_in()
        me.lobby.foreground()
        await me.until(lambda: looked(me))
        yield Two(me, js)


async def chat_by_lobby(two: Two) -> str:
    room_id = await two.me.lobby.start_chat(two.js.user_id)
    await two.js.invited(room_id)
    await two.js.join(room_id)
    await two.me.until(lambda: (chat := two.me.lobby.chat(room_id)) and chat.members)
    return room_id


async def chat_by_js(two: Two, name: str = "") -> str:
    room_id = await two.js.create_room(two.me.user_id, name=name)
    await two.me.until(two.me.lobby.invitations)
    await two.me.lobby.accept(room_id)
    await two.me.until(lambda: (chat := two.me.lobby.chat(room_id)) and chat.encrypted and chat.members)
    return room_id


async def converse(two: Two, room_id: str) -> None:
    """Both ways, twice, so that later messages of a session are read, too."""
    for number in ("first", "second"):
        await two.me.lobby.send(room_id, f"{number} from Lobby")
        assert (await two.js.text(room_id, f"{number} from Lobby"))["encrypted"]
        await two.js.send(room_id, f"{number} from js")
        await two.me.until(lambda number=number: f"{number} from js" in two.me.texts(room_id))  # type: ignore[misc]


async def test_a_direct_chat_that_lobby_began(two: Two) -> None:
    room_id = await chat_by_lobby(two)
    assert await two.js.encrypted(room_id)
    await converse(two, room_id)
    assert two.me.texts(room_id) == [f"{n} from {who}" for n in ("first", "second") for who in ("Lobby", "js")]


async def test_a_direct_chat_that_js_began_and_what_it_edits(two: Two) -> None:
    room_id = await chat_by_js(two)
    await converse(two, room_id)
    said = await two.js.send(room_id, "a word to be mended")
    await two.me.until(lambda: "a word to be mended" in two.me.texts(room_id))
    await two.js.edit(room_id, said, "a word that was mended")
    await two.js.send(room_id, "after it")
    await two.me.until(lambda: "after it" in two.me.texts(room_id))
    assert two.me.texts(room_id)[-2:] == ["a word that was mended", "after it"]


async def test_a_group_of_three_clients(two: Two, homeserver: Homeserver, js_client: JsClient) -> None:
    third = await js_client.log_in(homeserver.url, await homeserver.account("Third"), PASSWORD)
    room_id = await two.me.lobby.start_group("Three", [two.js.user_id, third.user_id])
    for device in (two.js, third):
        await device.invited(room_id)
        await device.join(room_id)
    await two.me.until(lambda: (chat := two.me.lobby.chat(room_id)) and len(chat.members) == 2)
    await converse(two, room_id)
    await third.send(room_id, "from the third")
    await two.me.until(lambda: "from the third" in two.me.texts(room_id))
    await third.until(lambda: sorted(third.texts(room_id)) == sorted(two.me.texts(room_id)))


async def test_a_long_history_is_read_page_by_page(two: Two) -> None:
    room_id = await chat_by_js(two, name="Long")
    await two.me.lobby.background()
    for number in range(90):
        await two.js.send(room_id, f"line {number}")
    two.me.lobby.foreground()
    await two.me.until(lambda: "line 89" in two.me.texts(room_id))
    while "line 0" not in two.me.texts(room_id):
        assert await two.me.lobby.older(room_id)
    assert two.me.texts(room_id) == [f"line {number}" for number in range(90)]


async def test_a_key_that_js_keeps_from_an_unverified_device_is_said_to_be(two: Two) -> None:
    room_id = await chat_by_js(two)
    await converse(two, room_id)
    await two.js.keep_from_unverified()
    await two.js.send(room_id, "for verified eyes only")
    why = f"This message cannot be read: {WORDS['m.unverified']}."
    await two.me.until(lambda: two.me.texts(room_id)[-1] == why)
    assert two.me.bubbles(room_id)[-1].sealed, "the key may come from elsewhere"


# Files of keys


async def test_a_key_file_goes_from_js_to_lobby(account: Account, js_client: JsClient) -> None:
    js = await js_client.log_in(account.homeserver.url, account.user_id, PASSWORD)
    room_id = await js.create_room(name="Diary")
    await js.send(room_id, "before Lobby was there")
    me = await account.lobby()
    await me.until(lambda: [bubble.sealed for bubble in me.bubbles(room_id)] == [True])
    file = await js.export_file("a passphrase")
    assert await me.lobby.encryption.import_keys(file.encode(), "a passphrase") == 1
    await me.until(lambda: me.texts(room_id) == ["before Lobby was there"])


async def test_a_key_file_goes_from_lobby_to_js(account: Account, js_client: JsClient) -> None:
    me = await account.lobby()
    room_id = await me.lobby.start_group("Diary", [])
    await say(me, room_id, "before js was there")
    js = await js_client.log_in(account.homeserver.url, account.user_id, PASSWORD)
    assert [message["sealed"] for message in await js.history(room_id)] == [True]
    file = await me.lobby.encryption.export_keys("a passphrase")
    assert await js.import_file(file.decode(), "a passphrase") == 1
    assert [message["content"]["body"] for message in await js.history(room_id)] == ["before js was there"]


# Verification


async def shown(person: Person, id: str, *phases: VerificationPhase) -> Verification:
    """Wait for one to be in one of these phases."""

    def found() -> list[Verification]:
        listed = person.lobby.encryption.verifications()
        return [one for one in listed if one.id == id and one.phase in phases]

    await person.until(found)
    return found()[0]


async def offered(person: Person) -> Verification:
    """Wait for the one that the other side offers."""

    def found() -> list[Verification]:
        listed = person.lobby.encryption.verifications()
        return [one for one in listed if one.phase is VerificationPhase.OFFERED]

    await person.until(found)
    return found()[0]


async def same_emoji(person: Person, js: JsDevice, id: str) -> None:
    ours = await shown(person, id, VerificationPhase.COMPARING)
    theirs = await js.verification("started", id, emoji=True)
    assert [list(pair) for pair in ours.emoji] == theirs["emoji"]
    assert len(ours.emoji) == 7


async def agree(person: Person, js: JsDevice, id: str) -> None:
    """Both see the same and say so; ends when both are done."""
    await same_emoji(person, js, id)
    await person.lobby.encryption.confirm_verification(id)
    await js.confirm(id)
    await shown(person, id, VerificationPhase.DONE)
    await js.verification("done", id)


async def test_lobby_asks_the_device_that_has_the_keys_and_gets_them(account: Account, js_client: JsClient) -> None:
    js = await js_client.log_in(account.homeserver.url, account.user_id, PASSWORD)
    await js.bootstrap()
    room_id = await js.create_room(name="Diary")
    await js.send(room_id, "before Lobby was there")
    await js.backed_up()
    me = await account.lobby()
    assert (state(me).standing, state(me).backup) == (Standing.UNVERIFIED, Backup.LOCKED)
    id = await me.lobby.encryption.verify(account.user_id)
    await js.verification("requested", id)
    await js.accept(id)
    await agree(me, js, id)
    await me.until(lambda: (state(me).standing, state(me).backup) == (Standing.VERIFIED, Backup.IN_USE))
    assert [(other.device_id, other.verified) for other in state(me).others] == [(js.device_id, True)]
    await js.device_verified(account.user_id, state(me).device_id)
    await me.until(lambda: me.texts(room_id) == ["before Lobby was there"])


async def test_js_asks_lobby_and_lobby_signs_it(account: Account, js_client: JsClient) -> None:
    me = await account.lobby()
    await me.lobby.encryption.create_recovery()
    js = await js_client.log_in(account.homeserver.url, account.user_id, PASSWORD)
    id = await js.verify()
    one = await offered(me)
    assert (one.id, one.own) == (id, True)
    await me.lobby.encryption.accept_verification(id)
    await js.verification("ready", id)
    await js.start(id)
    await agree(me, js, id)
    await me.until(lambda: [other.verified for other in state(me).others] == [True])
    await js.device_verified(account.user_id, state(me).device_id)
    await js.device_verified(account.user_id, js.device_id)
    await js.given_secrets()


async def both_with_identity(two: Two) -> str:
    await two.me.lobby.encryption.create_recovery()
    await two.js.bootstrap()
    return await chat_by_lobby(two)


async def test_lobby_asks_another_person(two: Two) -> None:
    room_id = await both_with_identity(two)
    id = await two.me.lobby.encryption.verify(two.js.user_id)
    request = await two.js.verification("requested", id)
    assert (request["room_id"], request["own"]) == (room_id, False)
    await two.js.accept(id)
    await agree(two.me, two.js, id)
    await two.js.person_verified(two.me.user_id)


async def test_another_person_asks_lobby(two: Two) -> None:
    room_id = await both_with_identity(two)
    id = await two.js.verify(two.me.user_id, room_id=room_id)
    one = await offered(two.me)
    assert (one.id, one.own, one.user_id) == (id, False, two.js.user_id)
    await two.me.lobby.encryption.accept_verification(id)
    await two.js.verification("ready", id)
    await agree(two.me, two.js, id)  # Nobody presses a button over there: Lobby begins after a while.
    await two.js.person_verified(two.me.user_id)


async def test_differing_emoji_end_it_on_both_sides(two: Two) -> None:
    await both_with_identity(two)
    id = await two.me.lobby.encryption.verify(two.js.user_id)
    await two.js.verification("requested", id)
    await two.js.accept(id)
    await same_emoji(two.me, two.js, id)
    await two.js.mismatch(id)
    ended = await shown(two.me, id, VerificationPhase.CANCELLED)
    assert "other emoji" in ended.reason
    second = await two.me.lobby.encryption.verify(two.js.user_id)
    await two.js.verification("requested", second)
    await two.js.accept(second)
    await same_emoji(two.me, two.js, second)
    await two.me.lobby.encryption.cancel_verification(second, mismatch=True)
    assert (await two.js.verification("cancelled", second))["code"] == "m.mismatched_sas"
    assert not await two.js.trusts(two.me.user_id)


async def test_without_identities_nothing_is_asked(two: Two) -> None:
    await chat_by_lobby(two)
    with pytest.raises(LobbyError, match="Enter your recovery key"):
        await two.me.lobby.encryption.verify(two.js.user_id)
    await two.me.lobby.encryption.create_recovery()
    with pytest.raises(LobbyError, match="have to create a recovery key first"):
        await two.me.lobby.encryption.verify(two.js.user_id)
    with pytest.raises(LobbyError, match="no other device"):
        await two.me.lobby.encryption.verify(two.me.user_id)
    assert two.me.lobby.encryption.verifications() == []
    assert not two.js.verifications
