"""Chats are fetched for a person who is about to look: broken off, beside a push, and with a login that has ended."""

import asyncio

from lobby.home import Login
from lobby.matrix.logout import end_unused
from tests.homeserver import homeserver
from tests.people import World, introduce, world

__all__ = ["homeserver", "world"]


async def test_a_refresh_that_is_broken_off_and_one_beside_a_push_lose_nothing_and_tell_nothing_twice(
    world: World,
) -> None:
    left, right = world.left, world.right
    room_id = await introduce(left, right)
    await right.lobby.background()
    for text in ("one", "two"):
        await left.lobby.send(room_id, text)
    await left.until(lambda: all(bubble.mark == "sent" for bubble in left.bubbles(room_id)))
    for turns in range(1, 6):
        broken_off = asyncio.ensure_future(right.lobby.catch_up())
        for _ in range(turns):
            await asyncio.sleep(0)
        broken_off.cancel()
        await asyncio.gather(broken_off, return_exceptions=True)
    await asyncio.gather(right.lobby.catch_up(), right.lobby.fetch())
    assert right.texts(room_id) == ["one", "two"]


async def test_a_login_that_has_ended_is_noticed_once_and_asked_for_no_more(world: World) -> None:
    right = world.right
    await right.log_in()
    login = right.home.login()
    assert isinstance(login, Login)
    await end_unused(login)
    [ended] = await asyncio.gather(right.lobby.catch_up(), return_exceptions=True)
    assert ended is not None and right.lobby.is_signed_out
    await right.lobby.catch_up()
