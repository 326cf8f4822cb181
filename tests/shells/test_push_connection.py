"""The desk's line to a real push service: over restarts, silence, garbage, and a service that hangs."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import aiohttp
import pytest
from aiohttp import web

from frontdesk.agent.core.pushes import push_session as ps
from frontdesk.agent.shell.push_connection import PushConnection
from frontdesk.push.core import connection as service_side
from tests.shells.push_service import child, nobody_connected, running

CHANNEL = "5ae2ab00-5f1a-4c5c-9d0b-5b6a0a1fbb2e"
OTHER = "11111111-5f1a-4c5c-9d0b-5b6a0a1fbb2e"
BODY = {"TTL": "60", "Content-Encoding": "aes128gcm"}

Event = TypeVar("Event", bound=ps.PushEvent)


class Desk:
    """A push connection and what it told."""

    def __init__(self, url: str, uaid: str | None = None, keep_alive: float = ps.KEEP_ALIVE) -> None:
        self.heard: asyncio.Queue[ps.PushEvent] = asyncio.Queue()
        address = url.replace("http", "ws", 1) + "/"
        self.line = PushConnection(address, uaid, self.heard.put_nowait, keep_alive=keep_alive)

    async def next(self, kind: type[Event]) -> Event:
        """The next event of this kind; other ones before it are passed over."""
        while True:
            event = await self.heard.get()
            if isinstance(event, kind):
                return event


@contextlib.asynccontextmanager
async def connected(desk: Desk) -> AsyncIterator[Desk]:
    running_line = asyncio.create_task(desk.line.run())
    try:
        yield desk
    finally:
        assert not running_line.done(), running_line
        running_line.cancel()
        await asyncio.wait([running_line])
        assert running_line.cancelled()


async def post(endpoint: str, body: bytes = b"x", ttl: str = "60") -> None:
    async with aiohttp.ClientSession() as sender:
        async with sender.post(endpoint, headers=BODY | {"TTL": ttl}, data=body) as answer:
            assert answer.status == 201


@contextlib.asynccontextmanager
async def odd_service(behave: Callable[[web.WebSocketResponse], Awaitable[None]]) -> AsyncIterator[str]:
    """A push service that does something else; its URL."""

    async def handle(request: web.Request) -> web.WebSocketResponse:
        line = web.WebSocketResponse()
        await line.prepare(request)
        await behave(line)
        return line

    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    listening = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listening).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        await runner.cleanup()


@pytest.mark.contract("P01")
async def test_an_endpoint_asked_for_before_the_connection_works(tmp_path: Path) -> None:
    async with running(tmp_path) as url:
        desk = Desk(url)
        desk.line.register(CHANNEL)
        async with connected(desk):
            hello = await desk.next(ps.Connected)
            assert (len(hello.uaid), hello.changed) == (32, False)
            registered = await desk.next(ps.Registered)
            assert registered.channel_id == CHANNEL
            await post(registered.endpoint, b"ciphertext")
            arrived = await desk.next(ps.Arrived)
            assert (arrived.channel_id, arrived.data) == (CHANNEL, b"ciphertext")
            assert arrived.ttl is not None and 0 < arrived.ttl <= 60


@pytest.mark.contract("P09")
async def test_what_the_desk_has_not_acknowledged_comes_again(tmp_path: Path) -> None:
    async with running(tmp_path) as url:
        async with connected(Desk(url)) as desk:
            desk.line.register(CHANNEL)
            uaid = (await desk.next(ps.Connected)).uaid
            endpoint = (await desk.next(ps.Registered)).endpoint
            await post(endpoint)
            first = await desk.next(ps.Arrived)
        async with connected(Desk(url, uaid)) as desk:
            assert await desk.next(ps.Connected) == ps.Connected(uaid, changed=False)
            again = await desk.next(ps.Arrived)
            assert again.version == first.version
            desk.line.ack(CHANNEL, again.version)
            await post(endpoint, b"second")
            assert (await desk.next(ps.Arrived)).data == b"second"
        async with connected(Desk(url, uaid)) as desk:
            assert (await desk.next(ps.Arrived)).data == b"second"


async def test_the_service_restarts_and_the_desk_comes_back_by_itself(tmp_path: Path) -> None:
    async with child(tmp_path) as service:
        desk = Desk(service.url)
        async with connected(desk):
            desk.line.register(CHANNEL)
            hello = await desk.next(ps.Connected)
            endpoint = (await desk.next(ps.Registered)).endpoint
            await service.kill()
            lost = await desk.next(ps.Disconnected)
            assert 0 < lost.retry_in <= 1
            desk.line.register(OTHER)
            async with child(tmp_path, service.port):
                assert await desk.next(ps.Connected) == ps.Connected(hello.uaid, changed=False)
                assert (await desk.next(ps.Registered)).channel_id == OTHER
                await post(endpoint)
                assert (await desk.next(ps.Arrived)).channel_id == CHANNEL


@pytest.mark.contract("P01")
async def test_a_service_that_lost_its_memory_is_noticed(tmp_path: Path) -> None:
    async with running(tmp_path) as url, connected(Desk(url, "0123456789abcdef" * 2)) as desk:
        assert (await desk.next(ps.Connected)).changed


async def test_unregistered_endpoints_are_gone(tmp_path: Path) -> None:
    async with running(tmp_path) as url, connected(Desk(url)) as desk, aiohttp.ClientSession() as sender:
        for channel_id in (CHANNEL, OTHER):
            desk.line.register(channel_id)
        endpoint = (await desk.next(ps.Registered)).endpoint
        await desk.next(ps.Registered)
        desk.line.unregister(CHANNEL)
        desk.line.register(OTHER)
        await desk.next(ps.Registered)
        async with sender.post(endpoint, headers={"TTL": "1"}) as answer:
            assert answer.status == 410


async def test_the_services_pings_are_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pinged many times over, and still there."""
    monkeypatch.setattr(service_side, "PING_AFTER", 0.02)
    monkeypatch.setattr(service_side, "PONG_WITHIN", 5.0)
    pongs = 0
    heard = service_side.Connection.heard

    def count(self: service_side.Connection, now: float) -> None:
        nonlocal pongs
        pongs += 1
        heard(self, now)

    monkeypatch.setattr(service_side.Connection, "heard", count)
    async with running(tmp_path) as url, connected(Desk(url)) as desk:
        await desk.next(ps.Connected)
        async with aiohttp.ClientSession() as http:
            while pongs < 10:
                async with http.get(f"{url}/health") as health:
                    assert (await health.json())["connected"] == 1
        assert desk.heard.empty()


async def test_a_service_that_hangs_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped, it keeps its sockets: only the desk's own question finds out."""
    monkeypatch.setattr(ps, "REPLY_WITHIN", 0.5)
    async with child(tmp_path) as service, connected(Desk(service.url, keep_alive=0.3)) as desk:
        await desk.next(ps.Connected)
        service.process.send_signal(signal.SIGSTOP)
        while "no answer" not in (await desk.next(ps.Disconnected)).why:
            pass  # a slow machine: hello was late once before
        service.process.send_signal(signal.SIGCONT)
        await desk.next(ps.Connected)


async def test_a_changed_network_connects_anew_at_once(tmp_path: Path) -> None:
    async with running(tmp_path) as url, connected(Desk(url)) as desk:
        await desk.next(ps.Connected)
        desk.line.reconnect_now()
        assert await desk.next(ps.Disconnected) == ps.Disconnected("the network has changed", 0.0)
        await desk.next(ps.Connected)


async def test_a_network_that_changes_before_the_first_connection_does_no_harm(tmp_path: Path) -> None:
    async with running(tmp_path) as url:
        desk = Desk(url)
        async with connected(desk):
            await asyncio.sleep(0)  # run has begun, and has not come to connecting
            desk.line.reconnect_now()
            await desk.next(ps.Connected)


@pytest.mark.contract("P11")
@pytest.mark.parametrize("frame", ["nonsense", "[1]", '{"messageType":"notification"}', "x" * (1024 * 1024 + 1)])
async def test_garbage_from_the_service_ends_the_connection_and_the_desk_comes_back(frame: str) -> None:
    visits = 0

    async def babble(line: web.WebSocketResponse) -> None:
        nonlocal visits
        visits += 1
        await line.receive()
        await line.send_str(frame if visits == 1 else '{"messageType":"hello","uaid":"me","status":200}')
        await line.receive()

    async with odd_service(babble) as url, connected(Desk(url)) as desk:
        assert (await desk.next(ps.Disconnected)).retry_in <= 1
        assert (await desk.next(ps.Connected)).uaid == "me"


@pytest.mark.contract("P11")
async def test_binary_frames_are_passed_over(tmp_path: Path) -> None:
    async def send_binary(line: web.WebSocketResponse) -> None:
        await line.receive()
        await line.send_bytes(b"\x00\xff")
        await line.send_str('{"messageType":"hello","uaid":"me","status":200}')
        await line.receive()

    async with odd_service(send_binary) as url, connected(Desk(url)) as desk:
        assert (await desk.next(ps.Connected)).uaid == "me"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "nonsense", "http://no-such-host.invalid", "http://127.0.0.1:99999"]
)
async def test_a_service_that_cannot_be_reached_is_said_and_tried_again(url: str) -> None:
    async with connected(Desk(url)) as desk:
        first = await desk.next(ps.Disconnected)
        assert first.why
        assert 0.5 <= first.retry_in <= 1.0


async def test_a_service_that_is_none_is_said(tmp_path: Path) -> None:
    async with running(tmp_path) as url, connected(Desk(f"{url}/health")) as desk:
        assert "404" in (await desk.next(ps.Disconnected)).why


async def test_ending_it_leaves_no_connection_behind(tmp_path: Path) -> None:
    async with running(tmp_path) as url:
        async with connected(Desk(url)) as desk:
            await desk.next(ps.Connected)
        await nobody_connected(url)
