"""Lobby and a real Synapse: logging in, chats, order, offline sending, reading, history, pushers, log-out."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from demo.network import Condition
from demo.throttle import Line
from lobby import arrival
from lobby.arrival import Arrivals
from lobby.core.alerts import Pushed
from lobby.core.views import Connection, Mark
from lobby.errors import ChatRefused, Cleartext, LoginRefused, NotKept, Unreachable
from lobby.matrix.login import find_homeserver, log_in, named_in_file
from lobby.matrix.pusher import PushTarget
from lobby.matrix.session import Session, crosses_network_readable
from tests.homeserver import PASSWORD, Homeserver, homeserver
from tests.people import Person, World, asked, bodies, introduce, readable_events, said_in, world

__all__ = ["homeserver", "world"]

TARGET = PushTarget("http://127.0.0.1:9/push/abc", "BP256", "AUTH")

ANSWERS_LATE = Line(latency=4.0, rate=8192.0)
"""What the homeserver has taken is seen by others, and the network cut, before its answer is back."""


async def introduce_and_greet(left: Person, right: Person) -> str:
    """A chat in which Left has greeted: the first message takes keys along, in more ways to the homeserver than one."""
    room_id = await introduce(left, right)
    await left.lobby.send(room_id, "good day")
    await left.until(lambda: left.bubbles(room_id)[-1].mark is Mark.SENT)
    await right.until(lambda: right.texts(room_id) == ["good day"])
    return room_id


async def test_a_wrong_password_is_a_sentence_and_changes_nothing(world: World) -> None:
    with pytest.raises(LoginRefused, match="Name or password is wrong"):
        await world.left.lobby.log_in(world.left.homeserver, world.left.user_id, "wrong")
    assert world.left.lobby.account() is None and world.left.home.login() is None


async def test_an_address_without_a_homeserver_is_a_sentence() -> None:
    with pytest.raises(LoginRefused, match="cannot be reached"):
        await log_in("http://127.0.0.1:9", "me", PASSWORD)
    with pytest.raises(LoginRefused, match="Which homeserver"):
        await find_homeserver("  ")
    assert await find_homeserver("http://127.0.0.1:8008/") == "http://127.0.0.1:8008"


async def test_a_domain_that_cannot_be_asked_is_taken_as_the_homeserver() -> None:
    # "invalid" never resolves (RFC 2606 §2).
    assert await find_homeserver("matrix.invalid") == "https://matrix.invalid"


@pytest.mark.parametrize("named", ["a..b", "https://a..b", "..", "x" * 70 + ".localhost"])
async def test_what_cannot_be_an_address_is_a_sentence(named: str) -> None:
    with pytest.raises(LoginRefused, match="is not an address"):
        await log_in(named, "somebody", "secret")


def test_only_a_good_file_names_another_address() -> None:
    assert named_in_file({"m.homeserver": {"base_url": "https://matrix.x/"}}) == "https://matrix.x"
    useless: tuple[object, ...] = (None, [], {}, {"m.homeserver": []}, {"m.homeserver": {"base_url": 5}})
    for found in useless:
        assert named_in_file(found) == ""
    assert named_in_file({"m.homeserver": {"base_url": "http://matrix.x"}}) == "", "no password over plain HTTP"


@pytest.mark.parametrize(
    ("address", "readable"),
    [
        ("https://matrix.x", False),
        ("http://matrix.x", True),
        ("http://127.0.0.1:8008", False),
        ("http://[::1]:8008", False),
        ("http://demo.localhost", False),
        ("http://localhost", False),
        ("http://notlocalhost", True),
        ("http://127.0.0.1@matrix.x", True),
        ("http://192.168.1.2", True),
        ("http://0.0.0.0:1", True),
        ("http://[nonsense", True),
    ],
)
def test_what_leaves_this_machine_unencrypted_is_known(address: str, readable: bool) -> None:
    assert crosses_network_readable(address) == readable


async def test_a_password_goes_out_readable_only_where_the_person_agreed(world: World) -> None:
    left = world.left
    # An address of this very machine that does not look like one.
    address = left.homeserver.replace("127.0.0.1", "0.0.0.0")
    with pytest.raises(Cleartext, match="Nothing was sent"):
        await left.lobby.log_in(address, left.user_id, PASSWORD)
    with pytest.raises(Cleartext):
        await left.lobby.log_in(address, left.user_id, PASSWORD, "http://elsewhere.example")
    assert left.lobby.account() is None
    await left.lobby.log_in(address + "/", left.user_id, PASSWORD, address)
    assert left.lobby.account() is not None


@pytest.mark.parametrize("status", [307, 308])
async def test_a_password_is_not_sent_on_to_where_it_is_readable(world: World, status: int) -> None:
    left = world.left
    readable = left.homeserver.replace("127.0.0.1", "0.0.0.0")

    async def send_on(request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": f"{readable}{request.path}"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", send_on)
    runner = web.AppRunner(app)
    await runner.setup()
    sock = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, sock).start()
    try:
        with pytest.raises(LoginRefused, match="sends Lobby on to an address that is not encrypted"):
            await log_in(f"http://127.0.0.1:{sock.getsockname()[1]}", left.user_id, PASSWORD)
    finally:
        await runner.cleanup()


async def test_two_people_meet_and_chat(world: World) -> None:
    left, right = world.left, world.right
    room_id = await introduce(left, right)
    key = await left.lobby.send(room_id, "hello")
    assert left.bubbles(room_id)[-1].mark is Mark.SENDING
    await right.until(lambda: right.texts(room_id) == ["hello"])
    await left.until(lambda: left.bubbles(room_id)[-1].mark is Mark.SENT)
    assert left.bubbles(room_id)[-1].key == key
    [chat] = right.lobby.chats()
    assert (chat.name, chat.group, chat.unread, chat.last_text, chat.members) == ("Left", False, 1, "hello", ("Left",))
    account = left.lobby.account()
    assert account is not None and (account.name, account.connection) == ("Left", Connection.ONLINE)
    assert left.guard.open == {}


async def test_reading_tells_the_homeserver_and_the_person_s_other_devices(
    world: World, homeserver: Homeserver, tmp_path: Path
) -> None:
    left, right = world.left, world.right
    room_id = await introduce(left, right)
    async with Person(tmp_path / "tablet", right.user_id, homeserver.url) as tablet:
        await tablet.log_in()
        tablet.lobby.foreground()
        await left.lobby.send(room_id, "hello")
        await tablet.until(lambda: [chat.unread for chat in tablet.lobby.chats()] == [1])
        await right.until(lambda: right.texts(room_id) == ["hello"])
        await right.lobby.mark_read(room_id)
        await tablet.until(lambda: [chat.unread for chat in tablet.lobby.chats()] == [0])
        assert room_id in tablet.read and room_id in right.read


async def test_starting_a_chat_twice_opens_the_same_one(world: World) -> None:
    room_id = await introduce(world.left, world.right)
    assert await world.left.lobby.start_chat(world.right.user_id) == room_id
    direct = await asked(world.right, f"/user/{world.right.user_id}/account_data/m.direct")
    assert direct == {world.left.user_id: [room_id]}


async def test_a_group_has_a_name_and_an_invitation_can_be_declined(world: World) -> None:
    left, right = world.left, world.right
    await introduce(left, right)
    room_id = await left.lobby.start_group("Team", [right.user_id])
    made = left.lobby.chat(room_id)
    assert made is not None and (made.name, made.group) == ("Team", True)
    await right.until(right.lobby.invitations)
    [invitation] = right.lobby.invitations()
    assert (invitation.name, invitation.inviter_name, invitation.group) == ("Team", "Left", True)
    await right.lobby.decline(room_id)
    assert right.lobby.invitations() == []
    with pytest.raises(ChatRefused, match="no longer open"):
        await right.lobby.accept(room_id)


async def test_what_cannot_be_a_chat_is_refused_in_words(world: World) -> None:
    left = world.left
    await left.log_in()
    with pytest.raises(ChatRefused, match="no Matrix id"):
        await left.lobby.start_chat("who is that")
    with pytest.raises(ChatRefused, match="That is you"):
        await left.lobby.start_chat(left.user_id)
    with pytest.raises(ChatRefused, match=r"nobody called @nobody:test\.localhost"):
        await left.lobby.start_chat("nobody")
    with pytest.raises(ChatRefused, match="needs a name"):
        await left.lobby.start_group("  ", [])
    world.network.set(Condition.OFF)
    with pytest.raises(ChatRefused, match="try again later"):
        await left.lobby.start_chat(world.right.user_id)


async def test_messages_written_offline_arrive_in_order_when_the_network_is_back(world: World) -> None:
    left, right = world.left, world.right
    room_id = await introduce(left, right)
    world.network.set(Condition.OFF)
    await left.until(lambda: (account := left.lobby.account()) and account.connection is Connection.OFFLINE)
    for number in range(5):
        await left.lobby.send(room_id, f"message {number}")
    assert {name for name, _ in left.guard.open.values()} == {"send to Right"} and len(left.guard.open) == 5
    world.network.set(Condition.GOOD)
    await right.until(lambda: len(right.texts(room_id)) == 5)
    assert right.texts(room_id) == [f"message {number}" for number in range(5)]
    await left.until(lambda: not left.guard.open)


@pytest.mark.contract("A05")
async def test_when_time_runs_out_messages_are_unsent_and_a_resend_arrives_once(world: World) -> None:
    left, right = world.left, world.right
    room_id = await introduce(left, right)
    world.network.set(Condition.OFF)
    await left.lobby.background()
    key = await left.lobby.send(room_id, "hello")
    left.guard.expire()
    await left.until(lambda: left.told_unsent)
    assert [draft.text for draft in left.told_unsent[0]] == ["hello"]
    assert left.held_when_told == [1], "let go of before the person was told"
    await left.until(lambda: not left.guard.open)
    [bubble] = left.bubbles(room_id)
    assert (bubble.mark, bubble.key) == (Mark.UNSENT, key) and "ran out" in bubble.reason
    world.network.set(Condition.GOOD)
    left.lobby.foreground()
    await left.lobby.resend(room_id, key)
    await right.until(lambda: right.texts(room_id) == ["hello"])
    await left.until(lambda: left.bubbles(room_id)[-1].mark is Mark.SENT)
    assert await bodies(right, room_id) == ["hello"]


async def test_a_resend_of_what_had_arrived_after_all_is_not_said_twice(world: World) -> None:
    left, right = world.left, world.right
    room_id = await introduce_and_greet(left, right)
    world.network.slow = ANSWERS_LATE
    world.network.set(Condition.SLOW)
    key = await left.lobby.send(room_id, "hello")
    # The request is on its way; the answer is lost with the connection.
    await right.until(lambda: right.texts(room_id) == ["good day", "hello"])
    world.network.set(Condition.OFF)
    await left.lobby.background()
    left.guard.expire()
    await left.until(lambda: not left.guard.open)
    assert left.bubbles(room_id)[-1].mark is Mark.UNSENT
    world.network.set(Condition.GOOD)
    await left.lobby.resend(room_id, key)
    await left.until(lambda: left.bubbles(room_id)[-1].mark is Mark.SENT)
    left.lobby.foreground()
    await left.lobby.send(room_id, "and on")
    await right.until(lambda: "and on" in right.texts(room_id))
    assert await bodies(right, room_id) == ["good day", "hello", "and on"]
    assert left.texts(room_id) == ["good day", "hello", "and on"]


async def test_after_a_new_log_in_too_a_resend_of_what_had_arrived_is_not_said_twice(world: World) -> None:
    """The homeserver knows transaction ids per login: the new one has to find the message by its words."""
    left, right = world.left, world.right
    room_id = await introduce_and_greet(left, right)
    world.network.slow = ANSWERS_LATE
    world.network.set(Condition.SLOW)
    keys = [await left.lobby.send(room_id, "hello") for _ in range(2)]
    await right.until(lambda: right.texts(room_id) == ["good day", "hello"])
    world.network.set(Condition.OFF)
    await left.lobby.background()
    left.guard.expire()
    await left.until(lambda: not left.guard.open)
    world.network.set(Condition.GOOD)
    await left.log_in()
    for key in keys:
        await left.lobby.resend(room_id, key)
    await left.until(lambda: [bubble.mark for bubble in left.bubbles(room_id)[1:]] == [Mark.SENT, Mark.SENT])
    await right.until(lambda: len(right.texts(room_id)) == 3)
    assert await bodies(right, room_id) == ["good day", "hello", "hello"], (
        "the first was there, the second had never left"
    )
    assert left.store.drafts() == []


async def test_the_timeline_settles_what_an_old_attempt_became(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    left, right = world.left, world.right
    room_id = await introduce(left, right)
    key = await left.lobby.send(room_id, "hello")
    await left.until(lambda: left.bubbles(room_id)[-1].mark is Mark.SENT)
    await left.lobby.stop()
    login = left.home.login()
    assert login is not None
    # As if Lobby had died before the answer came, two days ago.
    with left.database.transaction() as db:
        db.execute("DELETE FROM events WHERE key = ?", (key,))
        values = (key, room_id, 1, "queued", 1.0, 1, 0.0, "", "hello", 1.0, login.device_id)
        db.execute("INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    async def not_again(*message: str) -> str:
        raise AssertionError("sent without a look into the timeline")

    monkeypatch.setattr(Session, "send_event", not_again)
    left.lobby.start()
    left.lobby.take_up_outbox()
    await left.until(lambda: left.bubbles(room_id)[-1].mark is Mark.SENT)
    assert await bodies(right, room_id) == ["hello"]


async def test_the_same_message_of_the_page_goes_out_once(world: World, tmp_path: Path) -> None:
    left, right = world.left, world.right
    room_id = await introduce(left, right)
    world.network.set(Condition.OFF)
    key = "a-key-the-page-has-drawn"
    assert await left.lobby.send(room_id, "hello", key) == key
    await left.lobby.stop()  # killed, say, before the page was answered
    world.network.set(Condition.GOOD)
    async with Person(tmp_path / "left", left.user_id, left.homeserver) as later:
        assert await later.lobby.send(room_id, "hello", key) == key
        await later.until(lambda: later.bubbles(room_id)[-1].mark is Mark.SENT)
        assert await later.lobby.send(room_id, "hello", key) == key
        other = await later.lobby.send(room_id, "other words", key)
        assert other != key, "a message is never taken for another"
        assert await later.lobby.send(room_id, "and on", "no key/../") not in (key, other, "no key/../")
        await right.until(lambda: right.texts(room_id)[-1:] == ["and on"])
        assert await bodies(right, room_id) == ["hello", "other words", "and on"]


async def test_discarding_forgets_an_unsent_message(world: World) -> None:
    left, right = world.left, world.right
    room_id = await introduce(left, right)
    world.network.set(Condition.OFF)
    key = await left.lobby.send(room_id, "never mind")
    left.guard.expire()
    await left.until(lambda: not left.guard.open)
    await left.lobby.discard(room_id, key)
    assert left.texts(room_id) == []
    assert left.store.drafts() == []


async def test_the_outbox_is_taken_up_by_the_next_run(world: World, tmp_path: Path) -> None:
    left, right = world.left, world.right
    room_id = await introduce(left, right)
    world.network.set(Condition.OFF)
    await left.lobby.send(room_id, "hello")
    await left.lobby.stop()
    world.network.set(Condition.GOOD)
    async with Person(tmp_path / "left", left.user_id, left.homeserver):
        await right.until(lambda: right.texts(room_id) == ["hello"])


async def test_a_refused_message_says_why(world: World) -> None:
    left = world.left
    room_id = await introduce(left, world.right)
    await left.lobby.send(room_id, "x" * 70_000)
    await left.until(lambda: left.bubbles(room_id)[-1].mark is Mark.UNSENT)
    assert "refused" in left.bubbles(room_id)[-1].reason


@pytest.mark.timeout(300)
async def test_older_messages_are_fetched_page_by_page(world: World, homeserver: Homeserver, tmp_path: Path) -> None:
    left, right = world.left, world.right
    room_id = await introduce(left, right, encrypted=False)
    for number in range(50):
        await left.lobby.send(room_id, f"message {number}")
    await right.until(lambda: right.texts(room_id)[-1:] == ["message 49"])
    async with Person(tmp_path / "tablet", right.user_id, homeserver.url) as tablet:
        await tablet.log_in()
        await tablet.lobby.fetch()
        assert tablet.texts(room_id) == [f"message {number}" for number in range(20, 50)]
        while await tablet.lobby.older(room_id):
            pass
        assert tablet.texts(room_id) == [f"message {number}" for number in range(50)]
        assert {bubble.sender_name for bubble in tablet.bubbles(room_id)} == {"Left"}


async def test_a_token_the_homeserver_has_forgotten_signs_out_and_keeps_history(world: World) -> None:
    left = world.left
    room_id = await introduce(left, world.right)
    await left.lobby.send(room_id, "hello")
    await left.until(lambda: left.bubbles(room_id)[-1].mark is Mark.SENT)
    login = left.home.login()
    assert login is not None
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {login.token}"}) as http:
        async with http.post(f"{left.homeserver}/_matrix/client/v3/logout", json={}) as answer:
            assert answer.status == 200
    await left.until(lambda: (account := left.lobby.account()) and account.connection is Connection.SIGNED_OUT)
    assert left.texts(room_id) == ["hello"]
    with pytest.raises(ChatRefused, match="signed out"):
        await left.lobby.start_group("Team", [])
    await left.log_in()
    await left.until(lambda: (account := left.lobby.account()) and account.connection is Connection.ONLINE)
    assert left.texts(room_id) == ["hello"]


async def test_the_pusher_is_what_the_gateway_needs_and_goes_with_the_log_out(world: World) -> None:
    left = world.left
    await left.log_in()
    await left.lobby.pushing.to(TARGET)
    [pusher] = (await asked(left, "/pushers"))["pushers"]
    assert (pusher["kind"], pusher["app_id"], pusher["pushkey"]) == ("http", "org.frontdesk.lobby", "BP256")
    assert pusher["data"] == {
        "url": "http://127.0.0.1:9/_matrix/push/v1/notify",
        "format": "event_id_only",
        "events_only": True,
        "endpoint": "http://127.0.0.1:9/push/abc",
        "p256dh": "BP256",
        "auth": "AUTH",
    }
    changed = PushTarget("http://127.0.0.1:9/push/def", "BOTHER", "AUTH2")
    await left.lobby.pushing.to(changed)
    [pusher] = (await asked(left, "/pushers"))["pushers"]
    assert pusher["pushkey"] == "BOTHER"
    await left.lobby.pushing.to(None)
    assert (await asked(left, "/pushers"))["pushers"] == []


async def test_a_new_log_in_is_pushed_to_although_the_old_one_was_forgotten(world: World) -> None:
    left = world.left
    await left.log_in()
    await left.lobby.pushing.to(TARGET)
    assert left.lobby.pushing.reached
    login = left.home.login()
    assert login is not None
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {login.token}"}) as http:
        async with http.post(f"{left.homeserver}/_matrix/client/v3/logout", json={}) as answer:
            assert answer.status == 200
    await left.log_in()
    assert not left.lobby.pushing.reached
    await left.lobby.pushing.to(TARGET)
    assert [pusher["pushkey"] for pusher in (await asked(left, "/pushers"))["pushers"]] == ["BP256"]


async def test_news_that_comes_after_the_log_out_is_not_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    left = world.left
    await introduce(left, world.right)
    await left.lobby.background()
    before = left.store.token()
    answered, go_on = asyncio.Event(), asyncio.Event()
    sync = Session.sync

    async def late(self: Session, since: str, waits: float) -> Any:
        answer = await sync(self, "", waits)
        answered.set()
        await go_on.wait()
        return answer

    monkeypatch.setattr(Session, "sync", late)
    fetching = asyncio.create_task(left.lobby.fetch())
    await answered.wait()
    await left.lobby.log_out()
    go_on.set()
    with pytest.raises(Unreachable, match="has ended"):
        await fetching
    assert left.store.token() == before


async def made(person: Person, body: dict[str, Any]) -> str:
    """A room made past Lobby; its id."""
    login = person.home.login()
    assert login is not None
    headers = {"Authorization": f"Bearer {login.token}"}
    url = f"{person.homeserver}/_matrix/client/v3/createRoom"
    async with aiohttp.ClientSession(headers=headers) as http, http.post(url, json=body) as answer:
        return str((await answer.json())["room_id"])


async def test_nothing_is_sent_readable_into_an_encrypted_chat(world: World) -> None:
    left, right = world.left, world.right
    await left.log_in()
    await right.log_in()
    encryption = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
    room_id = await made(left, {"invite": [right.user_id], "initial_state": [encryption]})
    await right.lobby.fetch()
    await right.lobby.accept(room_id)
    await left.lobby.fetch()
    await left.lobby.send(room_id, "for your eyes only")
    await left.until(lambda: left.bubbles(room_id)[-1].mark is Mark.SENT)
    assert await bodies(left, room_id) == ["for your eyes only"] and await readable_events(left, room_id) == []


async def test_what_was_written_before_a_chat_was_encrypted_does_not_go_out_readable(world: World) -> None:
    left, right = world.left, world.right
    room_id = await introduce(left, right, encrypted=False)
    world.network.set(Condition.OFF)
    await left.lobby.send(room_id, "for your eyes only")
    path = f"/rooms/{room_id}/state/m.room.encryption/"
    await asked(left, path, right.homeserver, body={"algorithm": "m.megolm.v1.aes-sha2"}, method="PUT")
    world.network.set(Condition.GOOD)
    await right.until(lambda: right.texts(room_id) == ["for your eyes only"])
    assert await readable_events(right, room_id) == []


async def test_a_space_is_no_chat(world: World) -> None:
    left = world.left
    await left.log_in()
    await made(left, {"name": "Space", "creation_content": {"type": "m.space"}})
    await made(left, {"name": "Room"})
    await left.lobby.fetch()
    assert [chat.name for chat in left.lobby.chats()] == ["Room"]


async def test_a_full_disk_loses_no_news(world: World) -> None:
    left, right = world.left, world.right
    room_id = await introduce(left, right)
    [[pages]] = right.database.rows("PRAGMA page_count")
    right.database.rows(f"PRAGMA max_page_count = {pages}")
    for number in range(6):
        await left.lobby.send(room_id, f"{number}" + "x" * 20_000)
    await left.until(lambda: all(bubble.mark is Mark.SENT for bubble in left.bubbles(room_id)))
    with pytest.raises(NotKept, match="disk is full"):
        await right.lobby.background()
        await right.lobby.fetch()
    right.database.rows("PRAGMA max_page_count = 1000000")
    # Synapse repeats its answer to a question that is repeated, for two minutes; what came after it is in the next.
    right.lobby.foreground()
    await right.until(lambda: [text[0] for text in right.texts(room_id)] == ["0", "1", "2", "3", "4", "5"])


async def test_log_out_leaves_no_token_and_no_local_data(world: World, homeserver: Homeserver) -> None:
    left, right = world.left, world.right
    room_id = await introduce(left, right)
    await left.lobby.send(room_id, "a very secret word")
    await left.until(lambda: left.bubbles(room_id)[-1].mark is Mark.SENT)
    await left.lobby.pushing.to(TARGET)
    login = left.home.login()
    assert login is not None
    await left.lobby.log_out()
    assert left.lobby.account() is None and left.lobby.chats() == [] and left.lobby.bubbles(room_id) == []
    for file in left.home.folder.iterdir():
        assert login.token.encode() not in file.read_bytes() and not file.name.startswith("keys."), file.name
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {login.token}"}) as http:
        async with http.get(f"{homeserver.url}/_matrix/client/v3/account/whoami") as answer:
            assert answer.status == 401
    with pytest.raises(NotKept):
        await left.lobby.send(room_id, "hello")


async def test_log_out_works_without_a_network_too(world: World) -> None:
    left = world.left
    await left.log_in()
    world.network.set(Condition.OFF)
    await left.lobby.log_out()
    assert left.lobby.account() is None and left.home.login() is None


async def event_of(person: Person, room_id: str, text: str) -> Pushed:
    events = await said_in(person, room_id)
    [event_id] = [event["event_id"] for event in events if event["content"]["body"] == text]
    return Pushed(room_id, event_id)


async def test_a_push_becomes_sender_and_text_and_what_is_read_becomes_nothing(world: World) -> None:
    left, right = world.left, world.right
    room_id = await introduce(left, right)
    await right.lobby.background()
    await left.lobby.send(room_id, "hello")
    await left.until(lambda: left.bubbles(room_id)[-1].mark is Mark.SENT)
    pushed = await event_of(left, room_id, "hello")
    alert = await Arrivals(right.lobby).alert_for(pushed, page_visible=False)
    assert alert is not None and (alert.id, alert.title, alert.body) == (room_id, "Left", "hello")
    assert right.texts(room_id) == ["hello"]
    await right.lobby.mark_read(room_id)
    assert await Arrivals(right.lobby).alert_for(pushed, page_visible=False) is None
    assert await Arrivals(left.lobby).alert_for(pushed, page_visible=False) is None
    assert await Arrivals(right.lobby).alert_for(Pushed(room_id, "$unknown"), page_visible=False) is None
    assert await Arrivals(right.lobby).alert_for(Pushed("!unknown:x", "$unknown"), page_visible=False) is None


async def test_a_push_about_an_invitation_says_who_invites(world: World) -> None:
    left, right = world.left, world.right
    await left.log_in()
    await right.log_in()
    room_id = await left.lobby.start_group("Team", [right.user_id])
    alert = await Arrivals(right.lobby).alert_for(Pushed(room_id, "$unknown"), page_visible=False)
    assert alert is not None and (alert.title, alert.body) == ("Left invites you", "To the group “Team”")


@pytest.mark.timeout(300)
async def test_of_many_messages_at_once_the_newest_is_told_and_their_count(world: World) -> None:
    left, right = world.left, world.right
    room_id = await introduce(left, right)
    # Some homeservers count the invitation as unread too, until something was read.
    await left.lobby.send(room_id, "first")
    await right.until(lambda: right.texts(room_id) == ["first"])
    await right.lobby.mark_read(room_id)
    await right.lobby.background()
    for number in range(35):
        await left.lobby.send(room_id, f"message {number}")
    await left.until(lambda: all(bubble.mark is Mark.SENT for bubble in left.bubbles(room_id)))
    alert = await Arrivals(right.lobby).alert_for(await event_of(left, room_id, "message 3"), page_visible=False)
    assert alert is not None and (alert.title, alert.body) == ("Left (35 new messages)", "message 34")
    chat = right.lobby.chat(room_id)
    assert chat is not None and chat.unread == 35


async def test_a_visible_page_that_reads_at_once_needs_no_notification(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival, "READ_MOMENT", 20.0)  # what a person calls at once takes a busy machine longer
    left, right = world.left, world.right
    room_id = await introduce(left, right)
    await left.lobby.send(room_id, "hello")
    await left.until(lambda: left.bubbles(room_id)[-1].mark is Mark.SENT)
    pushed = await event_of(left, room_id, "hello")
    answer = asyncio.create_task(Arrivals(right.lobby).alert_for(pushed, page_visible=True))
    await right.until(lambda: right.texts(room_id) == ["hello"])
    await right.lobby.mark_read(room_id)
    assert await answer is None


async def test_the_login_file_holds_no_password(world: World) -> None:
    await world.left.log_in()
    kept = (world.left.home.folder / "account.json").read_text()
    assert PASSWORD not in kept and json.loads(kept)["user_id"] == world.left.user_id


async def test_who_is_back_while_watching_is_being_ended_is_watched_for(world: World) -> None:
    await world.left.log_in()
    lobby = world.left.lobby
    lobby.foreground()
    leaving = asyncio.create_task(lobby.background())
    for _ in range(100):
        if lobby.watching:
            await asyncio.sleep(0)
    lobby.foreground()
    await leaving
    assert lobby.watching
    await lobby.background()
    assert not lobby.watching
