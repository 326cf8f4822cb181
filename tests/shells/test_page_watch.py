"""Watching the pages of sleeping apps: real sockets, real visitors."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from frontdesk.agent.shell.page_watch import PageWatch
from tests.desks import PATIENCE

APP = "org.example.app"


class Watching:
    def __init__(self) -> None:
        self.visits: asyncio.Queue[str] = asyncio.Queue()
        self.watch = PageWatch(self.visits.put_nowait)
        self.app_end = socket.create_server(("127.0.0.1", 0))
        self.watch.keep(APP, self.app_end.dup())
        self.visitors: list[socket.socket] = []

    async def visit(self) -> None:
        visitor = socket.socket()
        visitor.setblocking(False)
        await asyncio.get_running_loop().sock_connect(visitor, self.app_end.getsockname())
        self.visitors.append(visitor)

    async def told(self) -> str:
        return await asyncio.wait_for(self.visits.get(), PATIENCE)

    async def nothing_told(self) -> bool:
        for _ in range(5):
            await asyncio.sleep(0.01)  # that nothing comes can only be seen by waiting for it
        return self.visits.empty()


@pytest.fixture
async def watching() -> AsyncIterator[Watching]:
    made = Watching()
    yield made
    made.watch.forget(APP)
    made.app_end.close()
    for visitor in made.visitors:
        visitor.close()


@pytest.mark.contract("L11")
async def test_a_visit_is_told_once_and_the_visitor_is_left_to_the_app(watching: Watching) -> None:
    watching.watch.watch(APP)
    await watching.visit()
    assert await watching.told() == APP
    await watching.visit()
    assert await watching.nothing_told()
    for _ in range(2):
        accepted, _ = watching.app_end.accept()
        accepted.close()


@pytest.mark.contract("L11")
async def test_a_visitor_who_waits_already_is_told_when_watching_begins(watching: Watching) -> None:
    await watching.visit()
    assert await watching.nothing_told()
    watching.watch.watch(APP)
    assert await watching.told() == APP


@pytest.mark.contract("L04")
async def test_who_waits_is_turned_away_and_who_comes_later_is_told(watching: Watching) -> None:
    watching.watch.turn_away("org.example.unknown")
    for _ in range(2):
        await watching.visit()
    watching.watch.turn_away(APP)
    for visitor in watching.visitors:
        assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(visitor, 1), PATIENCE) == b""
    watching.watch.watch(APP)
    assert await watching.nothing_told()
    await watching.visit()
    assert await watching.told() == APP


async def test_a_running_apps_page_is_not_looked_at(watching: Watching) -> None:
    watching.watch.watch(APP)
    watching.watch.watch(APP)
    watching.watch.unwatch(APP)
    watching.watch.unwatch(APP)
    await watching.visit()
    assert await watching.nothing_told()


async def test_a_socket_that_comes_later_is_watched_as_was_asked(watching: Watching) -> None:
    other = "org.example.other"
    watching.watch.watch(other)
    assert not watching.watch.has(other) and watching.watch.port(other) == 0
    with socket.create_server(("127.0.0.1", 0)) as page, socket.socket() as visitor:
        watching.watch.keep(other, page.dup())
        assert watching.watch.port(other) == page.getsockname()[1]
        visitor.setblocking(False)
        await asyncio.get_running_loop().sock_connect(visitor, page.getsockname())
        assert await watching.told() == other
        watching.watch.forget(other)
        watching.watch.forget(other)
        assert not watching.watch.has(other)


async def test_a_new_socket_takes_the_place_of_the_old_one_while_watched(watching: Watching) -> None:
    watching.watch.watch(APP)
    old = watching.app_end
    watching.app_end = socket.create_server(("127.0.0.1", 0))
    watching.watch.keep(APP, watching.app_end.dup())
    old.close()
    await watching.visit()
    assert await watching.told() == APP
