"""Encrypted chats between Lobbies, on a real homeserver that sees only ciphertext."""

from tests.homeserver import homeserver
from tests.people import World, asked, introduce, world

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
