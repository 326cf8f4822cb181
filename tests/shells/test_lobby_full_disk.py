"""A full disk while messages are on their way: they stay, with the reason, and go on when there is room again."""

from pathlib import Path

import pytest

from demo.network import Condition
from demo.throttle import Line
from lobby.core.outbox import Phase
from lobby.core.views import Mark
from lobby.errors import LobbyError, NotKept
from lobby.home import Home
from lobby.main import write_manifest
from tests.full_disk import no_room
from tests.homeserver import homeserver
from tests.people import Person, World, bodies, introduce, world

__all__ = ["homeserver", "world"]

ANSWERS_LATE = Line(latency=1.0, rate=8192.0)
"""The disk is full before the homeserver's answer is back."""


def notice(person: Person) -> str:
    account = person.lobby.account()
    assert account is not None
    return account.notice


async def test_what_cannot_be_noted_is_not_sent_and_says_why(world: World) -> None:
    left, right = world.left, world.right
    room_id = await introduce(left, right)
    world.network.set(Condition.OFF)
    keys = [await left.lobby.send(room_id, text) for text in ("one", "two")]
    await left.until(lambda: left.store.drafts()[0].item.phase is Phase.WAITING)
    with no_room():
        world.network.set(Condition.GOOD)
        await left.until(lambda: [bubble.mark for bubble in left.bubbles(room_id)] == [Mark.UNSENT, Mark.UNSENT])
        assert all("could not be kept" in bubble.reason for bubble in left.bubbles(room_id))
        assert [bubble.key for bubble in left.bubbles(room_id)] == keys
        assert left.lobby.reading.unsent_rooms() == {room_id}
        await left.until(lambda: not left.guard.open)
        await left.lobby.resend(room_id, keys[0])
        assert left.bubbles(room_id)[-1].mark is Mark.UNSENT, "there is no room yet"
        with pytest.raises(NotKept):
            await left.lobby.discard(room_id, keys[1])
        assert len(left.bubbles(room_id)) == 2
        with pytest.raises(NotKept):
            await left.lobby.send(room_id, "three")
    await left.lobby.resend(room_id, keys[0])
    await left.lobby.discard(room_id, keys[1])
    await right.until(lambda: right.texts(room_id) == ["one"])
    await left.until(lambda: [bubble.mark for bubble in left.bubbles(room_id)] == [Mark.SENT])
    assert await bodies(right, room_id) == ["one"]


async def test_what_became_of_a_message_is_written_down_when_there_is_room(world: World, tmp_path: Path) -> None:
    left, right = world.left, world.right
    room_id = await introduce(left, right)
    world.network.set(Condition.OFF)
    key = await left.lobby.send(room_id, "one")
    with no_room():
        left.guard.expire()
        await left.until(lambda: left.bubbles(room_id)[-1].mark is Mark.UNSENT)
    await left.until(lambda: left.told_unsent)
    await left.lobby.send(room_id, "two")
    await left.lobby.stop()
    world.network.set(Condition.GOOD)
    async with Person(tmp_path / "left", left.user_id, left.homeserver) as later:
        await right.until(lambda: right.texts(room_id) == ["two"])
        assert [bubble.mark for bubble in later.bubbles(room_id) if bubble.key == key] == [Mark.UNSENT]


async def test_a_database_that_cannot_be_read_keeps_nobody_awake(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    left = world.left
    room_id = await introduce(left, world.right)
    world.network.set(Condition.OFF)
    await left.lobby.send(room_id, "one")

    def unreadable(txn: str) -> None:
        raise LobbyError("the disk has a bad place")

    monkeypatch.setattr(left.store, "draft", unreadable)
    left.guard.expire()
    assert not left.guard.open


@pytest.mark.timeout(120)
async def test_an_answer_that_comes_while_the_disk_is_full_is_not_lost(world: World) -> None:
    left, right = world.left, world.right
    room_id = await introduce(left, right, encrypted=False)
    world.network.slow = ANSWERS_LATE
    world.network.set(Condition.SLOW)
    await left.lobby.send(room_id, "one")
    with no_room():
        await left.until(lambda: "wait at the homeserver" in notice(left))
        await left.until(lambda: not left.guard.open)
    world.network.set(Condition.GOOD)
    await left.until(lambda: [bubble.mark for bubble in left.bubbles(room_id)] == [Mark.SENT])
    await left.until(lambda: notice(left) == "")
    assert await bodies(right, room_id) == ["one"] and left.store.drafts() == []


def test_a_manifest_that_cannot_be_written_is_a_sentence_and_the_old_one_stays(tmp_path: Path) -> None:
    home = Home(tmp_path / "lobby")
    with no_room(), pytest.raises(LobbyError, match="cannot be written"):
        write_manifest(home)
    assert not home.manifest.exists()
    home.manifest.write_text("old")
    with no_room(), pytest.raises(LobbyError, match="cannot be written"):
        write_manifest(home)
    assert home.manifest.read_text() == "old"
    write_manifest(home)
    assert 'name = "Lobby"' in home.manifest.read_text()
