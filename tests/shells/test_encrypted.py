"""Encrypted chats between Lobbies, on a real homeserver that sees only ciphertext."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from lobby import arrival
from lobby.arrival import NO_KEY, Arrivals
from lobby.core.alerts import Pushed
from lobby.core.event import CANNOT_READ
from lobby.core.views import Mark
from lobby.matrix.session import Session
from tests.homeserver import Homeserver, homeserver
from tests.people import Person, World, asked, introduce, said_in, world

__all__ = ["homeserver", "world"]


async def test_two_lobbies_talk_and_the_homeserver_cannot_read_it(world: World) -> None:
    room_id = await introduce(world.left, world.right)
    await world.left.lobby.send(room_id, "for you alone")
    await world.right.until(lambda: world.right.texts(room_id) == ["for you alone"])
    await world.right.lobby.send(room_id, "and back")
    await world.left.until(lambda: world.left.texts(room_id) == ["for you alone", "and back"])
    answer = await asked(world.right, f"/rooms/{room_id}/messages?dir=b&limit=100")
    kinds = [event["type"] for event in answer["chunk"]]
    assert kinds.count("m.room.encrypted") == 2 and "m.room.message" not in kinds
    assert "for you alone" not in str(answer)


async def test_a_chat_gets_new_keys_as_often_as_it_asks_for_it(world: World) -> None:
    left = world.left
    await left.log_in()
    left.lobby.foreground()
    content = {"algorithm": "m.megolm.v1.aes-sha2", "rotation_period_msgs": 2}
    encryption = {"type": "m.room.encryption", "state_key": "", "content": content}
    room_id = (await asked(left, "/createRoom", body={"preset": "private_chat", "initial_state": [encryption]}))[
        "room_id"
    ]
    await left.until(lambda: (chat := left.lobby.chat(room_id)) and chat.encrypted)
    for number in range(3):
        await left.lobby.send(room_id, f"message {number}")
    await left.until(lambda: [bubble.mark for bubble in left.bubbles(room_id)] == [Mark.SENT] * 3)
    answer = await asked(left, f"/rooms/{room_id}/messages?dir=f&limit=100")
    sessions = [event["content"]["session_id"] for event in answer["chunk"] if event["type"] == "m.room.encrypted"]
    assert len(sessions) == 3 and sessions[0] == sessions[1] != sessions[2]


class LateKeys:
    """Keeps messages between devices back from one Lobby, as a homeserver may that has them later than the event."""

    def __init__(self, person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
        self._kept: list[Any] = []
        self._late = True
        real = Session.sync

        async def sync(session: Session, since: str, waits: float) -> Any:
            answer = await real(session, since, min(waits, 0.2) if session.login.user_id == person.user_id else waits)
            if session.login.user_id == person.user_id:
                self._kept += answer.get("to_device", {}).pop("events", [])
                if not self._late:
                    answer["to_device"] = {"events": self._kept}
                    self._kept = []
            return answer

        monkeypatch.setattr(Session, "sync", sync)

    def come(self) -> None:
        self._late = False


async def waiting_for_keys(one: Person, other: Person, monkeypatch: pytest.MonkeyPatch) -> tuple[str, LateKeys]:
    """A chat of both; nobody sees the other's Lobby, and no key reaches it until it may come."""
    room_id = await introduce(one, other)
    await other.lobby.background()
    return room_id, LateKeys(other, monkeypatch)


async def test_a_message_whose_key_comes_late_is_opened_in_its_place(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, right = world.left, world.right
    room_id, keys = await waiting_for_keys(left, right, monkeypatch)
    opened: list[str] = []
    right.lobby.on_opened = lambda events: opened.extend(event.text for event in events)
    for text in ("one", "two"):
        await left.lobby.send(room_id, text)
    await left.until(lambda: all(bubble.mark is Mark.SENT for bubble in left.bubbles(room_id)))
    await right.lobby.fetch()
    bubbles = right.bubbles(room_id)
    assert [(bubble.text, bubble.sealed) for bubble in bubbles] == [(CANNOT_READ, True)] * 2
    chat = right.lobby.chat(room_id)
    assert chat is not None and (chat.unread, chat.last_text) == (2, CANNOT_READ)
    keys.come()
    await right.lobby.fetch()
    assert right.texts(room_id) == opened == ["one", "two"]
    assert [bubble.key for bubble in right.bubbles(room_id)] == [bubble.key for bubble in bubbles]
    chat = right.lobby.chat(room_id)
    assert chat is not None and (chat.unread, chat.last_text) == (2, "two")


async def test_a_push_without_its_key_says_whom_it_is_from_and_the_words_follow(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, right = world.left, world.right
    monkeypatch.setattr(arrival, "KEY_TIME", 0.5)
    room_id, keys = await waiting_for_keys(left, right, monkeypatch)
    await left.lobby.send(room_id, "hello")
    await left.until(lambda: left.bubbles(room_id)[-1].mark is Mark.SENT)
    [event] = await said_in(left, room_id)
    arrivals = Arrivals(right.lobby)
    alert = await arrivals.alert_for(Pushed(room_id, event["event_id"]), page_visible=False)
    assert alert is not None and (alert.title, alert.body) == ("Left", NO_KEY)
    follow: list[str] = []
    right.lobby.on_opened = lambda events: follow.extend(alert.body for alert in arrivals.reworded(events))
    keys.come()
    await right.lobby.fetch()
    assert follow == ["hello"]


async def test_a_push_waits_for_a_key_that_is_a_little_late(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    left, right = world.left, world.right
    room_id, keys = await waiting_for_keys(left, right, monkeypatch)
    await left.lobby.send(room_id, "hello")
    await left.until(lambda: left.bubbles(room_id)[-1].mark is Mark.SENT)
    [event] = await said_in(left, room_id)
    telling = asyncio.create_task(Arrivals(right.lobby).alert_for(Pushed(room_id, event["event_id"]), False))
    await right.until(lambda: right.bubbles(room_id))
    assert right.bubbles(room_id)[0].sealed
    keys.come()
    alert = await telling
    assert alert is not None and alert.body == "hello"


async def test_a_request_to_verify_whose_key_is_late_is_not_told_as_a_message(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, right = world.left, world.right
    room_id, keys = await waiting_for_keys(left, right, monkeypatch)
    assert left.lobby.keys is not None
    request = {"msgtype": "m.key.verification.request", "body": "", "to": right.user_id}
    sealed = await left.lobby.keys.seal(
        room_id, "m.room.message", {**request, "from_device": "L", "methods": ["m.sas.v1"]}
    )
    answer = await asked(left, f"/rooms/{room_id}/send/m.room.encrypted/1", body=sealed, method="PUT")
    telling = asyncio.create_task(Arrivals(right.lobby).alert_for(Pushed(room_id, answer["event_id"]), False))
    await right.until(lambda: right.bubbles(room_id))
    keys.come()
    assert await telling is None
    await right.until(lambda: [one.id for one in right.lobby.encryption.verifications()] == [answer["event_id"]])


async def test_a_device_that_comes_later_reads_what_is_said_from_then_on(
    world: World, homeserver: Homeserver, tmp_path: Path
) -> None:
    left, right = world.left, world.right
    room_id = await introduce(left, right)
    await left.lobby.send(room_id, "before")
    await right.until(lambda: right.texts(room_id) == ["before"])
    async with Person(tmp_path / "tablet", right.user_id, homeserver.url) as tablet:
        await tablet.log_in()
        await tablet.lobby.fetch()
        assert tablet.texts(room_id) == [CANNOT_READ]
        keys = tablet.lobby.keys
        assert keys is not None
        await keys.settle()
        await left.lobby.background()
        await left.lobby.fetch()
        await left.lobby.send(room_id, "after")
        await left.until(lambda: left.bubbles(room_id)[-1].mark is Mark.SENT)
        await tablet.lobby.fetch()
        assert tablet.texts(room_id) == [CANNOT_READ, "after"]


async def test_an_edit_and_a_deletion_reach_an_encrypted_message(world: World) -> None:
    left, right = world.left, world.right
    room_id = await introduce(left, right)
    for text in ("wrong", "too much"):
        await left.lobby.send(room_id, text)
    await right.until(lambda: right.texts(room_id) == ["wrong", "too much"])
    wrong, too_much = await said_in(left, room_id)
    keys, login = left.lobby.keys, left.home.login()
    assert keys is not None and login is not None
    edit = {
        "msgtype": "m.text",
        "body": "* right",
        "m.new_content": {"msgtype": "m.text", "body": "right"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": wrong["event_id"]},
    }
    sealed = await keys.seal(room_id, "m.room.message", edit)
    await asked(left, f"/rooms/{room_id}/send/m.room.encrypted/edit", body=sealed, method="PUT")
    await asked(left, f"/rooms/{room_id}/redact/{too_much['event_id']}/gone", body={}, method="PUT")
    await right.until(lambda: right.texts(room_id) == ["right", "Message deleted"])


async def test_history_of_an_encrypted_chat_is_opened_page_by_page(world: World) -> None:
    left, right = world.left, world.right
    room_id = await introduce(left, right)
    await right.lobby.background()
    said = [f"message {number}" for number in range(40)]
    for text in said:
        await left.lobby.send(room_id, text)
    await left.until(lambda: all(bubble.mark is Mark.SENT for bubble in left.bubbles(room_id)))
    await right.lobby.fetch()
    assert right.texts(room_id) == said[10:]
    while await right.lobby.older(room_id):
        pass
    assert right.texts(room_id) == said


async def test_whoever_left_a_group_is_given_no_more_keys(world: World, homeserver: Homeserver, tmp_path: Path) -> None:
    left, right = world.left, world.right
    for person in (left, right):
        await person.log_in()
        person.lobby.foreground()
    room_id = await left.lobby.start_group("Team", [right.user_id])
    await right.until(right.lobby.invitations)
    await right.lobby.accept(room_id)
    await left.lobby.send(room_id, "to all")
    await right.until(lambda: right.texts(room_id) == ["to all"])
    await asked(left, f"/rooms/{room_id}/kick", body={"user_id": right.user_id})
    await left.until(lambda: (chat := left.lobby.chat(room_id)) and not chat.members)
    await left.lobby.send(room_id, "without you")
    await left.until(lambda: left.bubbles(room_id)[-1].mark is Mark.SENT)
    await right.lobby.background()
    await right.lobby.fetch()
    keys = [await person.lobby.keys.engine() for person in (left, right) if person.lobby.keys is not None]
    sessions = {key for key in keys[0].room_keys() if key[0] == room_id}
    assert len(sessions) == 2 and len(sessions & keys[1].room_keys()) == 1


async def test_keys_are_private_and_gone_with_the_log_out(world: World) -> None:
    left = world.left
    await introduce(left, world.right)
    files = list(left.home.folder.glob("keys.sqlite3*"))
    assert files and all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    await left.lobby.log_out()
    assert not list(left.home.folder.glob("keys.sqlite3*"))


async def test_a_damaged_key_file_is_put_aside_and_said(world: World) -> None:
    left = world.left
    await introduce(left, world.right)
    await left.lobby.stop()
    path = left.home.folder / "keys.sqlite3"
    path.write_bytes(os.urandom(20_000))
    left.lobby.start()
    await left.lobby.fetch()
    account = left.lobby.account()
    assert account is not None and "keys.sqlite3.damaged-1" in account.notice and "log in again" in account.notice


async def test_when_one_time_keys_run_out_the_fallback_key_takes_their_place(world: World) -> None:
    left, right = world.left, world.right
    room_id = await introduce(left, right)
    await right.lobby.stop()
    login = right.home.login()
    assert login is not None
    claim = {"one_time_keys": {right.user_id: {login.device_id: "signed_curve25519"}}}
    for _ in range(60):
        answer = await asked(left, "/keys/claim", body=claim)
    [key] = answer["one_time_keys"][right.user_id][login.device_id].values()
    assert key["fallback"] is True
    await left.lobby.send(room_id, "still for you alone")
    await left.until(lambda: left.bubbles(room_id)[-1].mark is Mark.SENT)
    right.lobby.start()
    await right.lobby.fetch()
    assert right.texts(room_id) == ["still for you alone"]
