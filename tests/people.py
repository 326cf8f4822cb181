"""A person with a Lobby of their own, without page and desk, for tests against a real homeserver."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from demo.network import Network
from lobby.accounts import Accounts
from lobby.core.timeline import Draft
from lobby.core.views import Bubble, Change
from lobby.database import Database
from lobby.home import AccountHome
from lobby.matrix_messenger import MatrixMessenger
from lobby.store import Store
from tests.homeserver import PASSWORD, Homeserver

PATIENCE = 90.0
"""Seconds until what ought to happen counts as not happening."""


class HandGuard:
    """Background tasks whose time runs out when the test says so."""

    def __init__(self) -> None:
        self.open: dict[int, tuple[str, Callable[[], None]]] = {}
        self._numbers = itertools.count(1)

    def begin(self, name: str, on_expiry: Callable[[], None]) -> int:
        task = next(self._numbers)
        self.open[task] = (name, on_expiry)
        return task

    def end(self, task: int) -> None:
        del self.open[task]

    def expire(self) -> None:
        """Time is almost up: every handler is called once."""
        for _, on_expiry in list(self.open.values()):
            on_expiry()


async def until(accounts: Accounts, holds: Callable[[], object]) -> None:
    """Wait for a change after which ``holds()`` is true."""
    news = asyncio.Event()
    unsubscribe = accounts.subscribe(lambda number, change: news.set())
    async with asyncio.timeout(60.0):
        while not holds():
            await news.wait()
            news.clear()
    unsubscribe()


class Person:
    """Somebody with a Lobby in ``folder``. Use ``async with``; ``log_in`` first."""

    def __init__(self, folder: Path, user_id: str, homeserver: str) -> None:
        self.user_id = user_id
        self.homeserver = homeserver
        self.guard = HandGuard()
        self.told_unsent: list[list[Draft]] = []
        self.held_when_told: list[int] = []
        self.read: list[str] = []
        self.home = AccountHome(folder)
        self.database = Database(self.home.database)
        self.store = Store(self.database)
        self._numbers = itertools.count(1)
        self.lobby = MatrixMessenger(self.home, self.store, self.guard, time.time, self._new_id)
        self.lobby.on_unsent = self._hear_unsent
        self.lobby.on_read = self.read.append
        self._news = asyncio.Event()
        self.lobby.subscribe(self._hear)

    def _new_id(self) -> str:
        return f"{self.user_id}-{time.time_ns()}-{next(self._numbers)}"

    async def _hear_unsent(self, drafts: list[Draft]) -> None:
        self.told_unsent.append(drafts)
        self.held_when_told.append(len(self.guard.open))
        self._news.set()

    def _hear(self, change: Change) -> None:
        self._news.set()

    async def __aenter__(self) -> "Person":
        self.lobby.start()
        self.lobby.take_up_outbox()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.lobby.stop()
        self.database.close()

    async def log_in(self) -> None:
        await self.lobby.log_in(self.homeserver, self.user_id, PASSWORD)

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait for a change after which ``holds()`` is true; fails after PATIENCE."""
        async with asyncio.timeout(PATIENCE):
            while not holds():
                await self._news.wait()
                self._news.clear()

    def bubbles(self, room_id: str) -> list[Bubble]:
        """What is said in a chat, without the lines about it."""
        return [bubble for bubble in self.lobby.bubbles(room_id, most=200) if not bubble.notice]

    def texts(self, room_id: str) -> list[str]:
        return [bubble.text for bubble in self.bubbles(room_id)]


async def introduce(one: Person, other: Person, encrypted: bool = True) -> str:
    """Both watch and are in a direct chat with each other; returns its room id."""
    for person in (one, other):
        await person.log_in()
        person.lobby.foreground()
    room_id = await (one.lobby.start_chat(other.user_id) if encrypted else start_readable_chat(one, other))
    await other.until(other.lobby.invitations)
    await other.lobby.accept(room_id)
    await one.until(lambda: (chat := one.lobby.chat(room_id)) and chat.members)
    return room_id


async def start_readable_chat(one: Person, other: Person) -> str:
    """A direct chat as other clients may make them: not encrypted, so that a test can ask the homeserver for it."""
    body = {"preset": "trusted_private_chat", "is_direct": True, "invite": [other.user_id]}
    room_id = str((await asked(one, "/createRoom", body=body))["room_id"])
    await asked(one, f"/user/{one.user_id}/account_data/m.direct", body={other.user_id: [room_id]}, method="PUT")
    await one.until(lambda: (chat := one.lobby.chat(room_id)) and not chat.group)
    return room_id


class World:
    """Two people on one homeserver; Left's network can be switched."""

    def __init__(self, left: Person, right: Person, network: Network) -> None:
        self.left = left
        self.right = right
        self.network = network


@pytest.fixture
async def world(homeserver: Homeserver, tmp_path: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        network = Network()
        stack.push_async_callback(network.stop)
        proxy = await network.proxy(homeserver.synapse.port)
        left_id, right_id = await homeserver.account("Left"), await homeserver.account("Right")
        left = await stack.enter_async_context(Person(tmp_path / "left", left_id, f"http://127.0.0.1:{proxy}"))
        right = await stack.enter_async_context(Person(tmp_path / "right", right_id, homeserver.url))
        yield World(left, right, network)


async def asked(person: Person, path: str, homeserver: str = "", body: object = None, method: str = "") -> Any:
    """The homeserver's own word, past Lobby; ``homeserver``: past the person's network, too."""
    login = person.home.login()
    assert login is not None
    headers = {"Authorization": f"Bearer {login.token}"}
    url = f"{homeserver or person.homeserver}/_matrix/client/v3{path}"
    method = method or ("GET" if body is None else "POST")
    async with aiohttp.ClientSession(headers=headers) as http, http.request(method, url, json=body) as answer:
        return await answer.json()


async def said_in(person: Person, room_id: str) -> list[dict[str, Any]]:
    """The message events of a room as the homeserver has them, opened with this person's keys; the oldest first."""
    answer = await asked(person, f"/rooms/{room_id}/messages?dir=b&limit=500")
    keys = person.lobby.keys
    assert keys is not None
    await keys.engine()
    events = [
        keys.open(room_id, event) if event["type"] == "m.room.encrypted" and event["content"] else event
        for event in reversed(answer["chunk"])
    ]
    return [event for event in events if event["type"] == "m.room.message"]


async def bodies(person: Person, room_id: str) -> list[str]:
    """What all messages of a room say."""
    return [event["content"]["body"] for event in await said_in(person, room_id)]


async def readable_events(person: Person, room_id: str) -> list[str]:
    """The bodies of those messages that the homeserver can read."""
    answer = await asked(person, f"/rooms/{room_id}/messages?dir=b&limit=500")
    return [event["content"].get("body", "") for event in answer["chunk"] if event["type"] == "m.room.message"]
