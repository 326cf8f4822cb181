"""Where to push is told to the homeserver as soon as it can be reached, not only when it happens to be there."""

import asyncio

import pytest

from demo.network import Condition
from lobby.matrix.pusher import PushTarget
from tests.homeserver import homeserver
from tests.people import Person, World, asked, world

__all__ = ["homeserver", "world"]

OLD = PushTarget("http://127.0.0.1:9/push/old", "BOLD", "AUTH")
NEW = PushTarget("http://127.0.0.1:9/push/new", "BNEW", "AUTH")


async def pushed_to(person: Person) -> list[str]:
    """The keys of the pushers that the homeserver has."""
    return [pusher["pushkey"] for pusher in (await asked(person, "/pushers"))["pushers"]]


def why_not(person: Person) -> str:
    account = person.lobby.account()
    assert account is not None
    return account.unreachable


async def told_while_away(world: World) -> "asyncio.Task[None]":
    """The endpoint has changed while the homeserver was away; the attempt to tell it goes on."""
    left = world.left
    await left.log_in()
    await left.lobby.pushing.to(OLD)
    world.network.set(Condition.OFF)
    telling = asyncio.create_task(left.lobby.pushing.to(NEW))
    await left.until(lambda: "could not be told where to push" in why_not(left))
    return telling


async def test_a_changed_endpoint_is_told_as_soon_as_the_homeserver_is_back(world: World) -> None:
    telling = await told_while_away(world)
    world.network.set(Condition.GOOD)
    await asyncio.wait_for(telling, 40.0)
    assert await pushed_to(world.left) == ["BNEW"]
    assert why_not(world.left) == "" and world.left.lobby.pushing.reached


async def test_when_time_is_up_it_is_told_at_the_next_contact(world: World) -> None:
    telling = await told_while_away(world)
    telling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await telling
    world.network.set(Condition.GOOD)
    await world.left.lobby.fetch()
    await world.left.until(lambda: world.left.lobby.pushing.reached)
    assert await pushed_to(world.left) == ["BNEW"]


async def test_a_log_out_ends_the_attempts(world: World) -> None:
    telling = await told_while_away(world)
    await world.left.lobby.log_out()
    await asyncio.wait_for(telling, 40.0)
    assert not world.left.lobby.pushing.reached
