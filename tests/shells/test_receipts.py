"""What was read with the homeserver away is told at the next contact, by a later run of Lobby too."""

import asyncio
import itertools
from pathlib import Path

import pytest

from demo.network import Condition
from lobby.core.views import Mark
from tests.homeserver import homeserver
from tests.people import Person, World, asked, introduce, world

__all__ = ["homeserver", "world"]

WAITS = itertools.count(1)


async def read_offline(world: World) -> str:
    """Right has said something; Left has read it while the homeserver was away."""
    left, right = world.left, world.right
    room_id = await introduce(left, right)
    await right.lobby.send(room_id, "hello")
    await left.until(lambda: left.texts(room_id) == ["hello"])
    await right.until(lambda: right.bubbles(room_id)[-1].mark is Mark.SENT)
    world.network.set(Condition.OFF)
    await left.lobby.mark_read(room_id)
    await left.lobby.background()
    assert await unread_there(left, world.right.homeserver, room_id) == 1, "how should it know?"
    return room_id


async def unread_there(person: Person, homeserver: str, room_id: str) -> int:
    """How many messages the homeserver counts as unread."""
    # Synapse answers the same question alike for two minutes.
    sync = await asked(person, f"/sync?timeout={next(WAITS)}", homeserver)
    return int(sync["rooms"]["join"][room_id]["unread_notifications"]["notification_count"])


async def test_what_was_read_offline_is_told_when_the_network_is_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    room_id = await read_offline(world)
    left, told, heard = world.left, world.left.store.told, asyncio.Event()

    def hear(room_id: str, event_id: str) -> None:
        told(room_id, event_id)
        heard.set()

    monkeypatch.setattr(left.store, "told", hear)
    left.lobby.foreground()
    world.network.set(Condition.GOOD)
    await asyncio.wait_for(heard.wait(), 40.0)
    assert left.store.untold() == {}
    assert await unread_there(left, world.right.homeserver, room_id) == 0


async def test_the_next_run_tells_what_this_one_could_not(world: World, tmp_path: Path) -> None:
    room_id = await read_offline(world)
    await world.left.lobby.stop()
    world.network.set(Condition.GOOD)
    async with Person(tmp_path / "left", world.left.user_id, world.left.homeserver) as later:
        assert later.store.untold(), "kept"
        await later.lobby.fetch()
        await later.lobby.background()
        assert later.store.untold() == {}
        assert await unread_there(later, world.right.homeserver, room_id) == 0


async def test_a_receipt_that_is_refused_is_not_told_for_ever(world: World) -> None:
    left = world.left
    room_id = await introduce(left, world.right)
    with left.database.transaction() as db:
        db.execute("UPDATE rooms SET room_id = '!gone:test.localhost', untold = '$gone' WHERE room_id = ?", (room_id,))
    await left.lobby.background()
    await left.lobby.fetch()
    await left.lobby.background()
    assert left.store.untold() == {}
