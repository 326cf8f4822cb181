"""Where to push is told to the homeserver as soon as it can be reached, not only when it happens to be there."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from demo.network import Condition
from frontdesk import App, ExistingWork, Notification, PushKind, Subscription, TaskRequest
from lobby.accounts import Accounts
from lobby.background import Background
from lobby.core.alerts import Place
from lobby.home import Home
from lobby.matrix.pusher import PushTarget
from lobby.scheduled import REFRESH, UPKEEP
from tests.homeserver import PASSWORD, homeserver
from tests.people import HandGuard, Person, World, asked, until, world

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


class DeskPlayed(App):
    """As an app is with a desk that has one push endpoint to give, and takes its time to take it back."""

    def __init__(self) -> None:
        super().__init__("org.frontdesk.Lobby")
        self.subscribed: bool | None = None
        self.heard = asyncio.Event()
        self.takes_back = asyncio.Event()
        self.takes_back.set()

    async def start(self) -> None:
        return None

    async def subscribe(self, name: str, *, kind: PushKind, fallback: Notification | None = None) -> Subscription:
        self._hear(True)
        return Subscription(name=name, kind=kind, endpoint=OLD.endpoint, p256dh=OLD.p256dh, auth=OLD.auth)

    async def unsubscribe(self, name: str) -> None:
        self._hear(False)
        await self.takes_back.wait()

    async def withdraw(self, id: str) -> None:
        return None

    @contextlib.asynccontextmanager
    async def background_task(self, name: str) -> AsyncIterator[None]:  # type: ignore[override]
        yield

    def _hear(self, subscribed: bool) -> None:
        self.subscribed = subscribed
        self.heard.set()

    async def until(self, subscribed: bool) -> None:
        async with asyncio.timeout(60.0):
            while self.subscribed is not subscribed:
                await self.heard.wait()
                self.heard.clear()


async def open_no_page(place: Place) -> None:
    raise AssertionError("nobody asked for it")


async def test_who_logs_out_while_the_homeserver_is_away_is_subscribed_no_more(world: World, tmp_path: Path) -> None:
    left, desk = world.left, DeskPlayed()
    accounts = Accounts(Home(tmp_path / "lobby"), HandGuard(), time.time, lambda: "")
    ties = Background(desk, tmp_path / "lobby.toml", accounts, time.time, open_no_page)
    assert await accounts.log_in(left.homeserver, left.user_id, PASSWORD) == 1
    world.network.set(Condition.OFF)
    await ties.start()
    messenger = accounts.messengers()[1]
    await until(accounts, lambda: "could not be told where to push" in messenger.pushing.why_not)
    assert not await accounts.log_out(1)
    await desk.until(subscribed=False)
    assert accounts.numbers() == [] and list((tmp_path / "lobby" / "accounts").iterdir()) == []
    await ties.stop()
    await accounts.stop()


async def test_who_logs_in_after_the_last_subscription_was_given_up_is_subscribed_and_refreshed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, desk = world.left, DeskPlayed()
    submitted: list[str] = []

    async def submit(request: TaskRequest, existing: ExistingWork) -> None:
        submitted.append(request.identifier)

    monkeypatch.setattr(desk.scheduler, "submit", submit)
    accounts = Accounts(Home(tmp_path / "lobby"), HandGuard(), time.time, lambda: "")
    ties = Background(desk, tmp_path / "lobby.toml", accounts, time.time, open_no_page)
    await accounts.log_in(left.homeserver, left.user_id, PASSWORD)
    await ties.start()
    await until(accounts, lambda: accounts.messengers()[1].pushing.reached)
    desk.takes_back.clear()
    leaving = asyncio.create_task(accounts.log_out(1))
    await desk.until(subscribed=False)
    submitted.clear()
    again = asyncio.create_task(accounts.log_in(left.homeserver, left.user_id, PASSWORD))
    desk.takes_back.set()
    assert await leaving and await again == 1
    await desk.until(subscribed=True)
    await until(accounts, lambda: accounts.messengers()[1].pushing.reached)
    assert submitted == [REFRESH, UPKEEP]
    await ties.stop()
    await accounts.stop()
    accounts.close()
