"""Desks over real WebSockets, spoken by another library: greeting, messages, signs of life, bad behaviour."""

import asyncio
import json
import socket
from pathlib import Path

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from frontdesk.push import main as service
from frontdesk.push.core import connection, mailbox
from frontdesk.push.shell import websocket as websocket_side
from tests.shells.push_service import StrangeDesk, desk, nobody_connected, running

CHANNEL = "5ae2ab00-5f1a-4c5c-9d0b-5b6a0a1fbb2e"


def websocket(url: str) -> str:
    return url.replace("http", "ws", 1) + "/"


async def post(endpoint: str, ttl: int = 60) -> str:
    """The version of the message posted."""
    async with aiohttp.ClientSession() as sender, sender.post(endpoint, headers={"TTL": str(ttl)}) as answer:
        assert answer.status == 201
        return answer.headers["Location"].rpartition("/")[2]


async def closing_code(line: ClientConnection) -> int | None:
    """Read on until the other side closes."""
    try:
        while True:
            await line.recv()
    except ConnectionClosed as closed:
        return None if closed.rcvd is None else closed.rcvd.code


def narrow(url: str) -> socket.socket:
    """A connection with next to no room for what is not read yet."""
    host, port = url.removeprefix("http://").split(":")
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.connect((host, int(port)))
    return line


async def test_a_browsers_handshake_is_taken_without_subprotocol_and_compression(tmp_path: Path) -> None:
    async with (
        running(tmp_path) as url,
        connect(
            websocket(url),
            subprotocols=[Subprotocol("push-notification")],
            compression="deflate",
            origin=Origin("http://127.0.0.1"),
        ) as browser,
    ):
        assert browser.subprotocol is None
        assert browser.response is not None
        assert "Sec-WebSocket-Extensions" not in browser.response.headers
        await browser.send(json.dumps({"messageType": "hello", "broadcasts": {"a": "1"}, "use_webpush": True}))
        reply = json.loads(await browser.recv())
        assert (reply["messageType"], reply["status"], reply["use_webpush"]) == ("hello", 200, True)
        assert len(reply["uaid"]) == 32
        await browser.send(json.dumps({"messageType": "broadcast_subscribe", "broadcasts": {"a": "1"}}))
        await browser.send(json.dumps({"messageType": "nack", "version": "v", "code": 301}))
        await browser.send("{}")
        assert json.loads(await browser.recv()) == {}


@pytest.mark.contract("P09")
async def test_a_message_comes_again_until_it_is_acknowledged(tmp_path: Path) -> None:
    async with running(tmp_path) as url:
        async with desk(url) as first:
            endpoint = await first.register(CHANNEL)
            version = await post(endpoint)
            arrival = await first.hear()
            assert (arrival["messageType"], arrival["channelID"], arrival["version"]) == (
                "notification",
                CHANNEL,
                version,
            )
            assert "data" not in arrival and "headers" not in arrival
        async with desk(url, first.uaid) as second:
            assert second.uaid == first.uaid
            again = await second.hear()
            assert again["version"] == version
            await second.ack(again)
            await second.settled()
        async with desk(url, first.uaid) as third:
            await third.settled()


async def test_the_queue_goes_on_as_messages_are_acknowledged(tmp_path: Path) -> None:
    async with running(tmp_path) as url:
        async with desk(url) as away:
            endpoint = await away.register()
        await nobody_connected(url)
        versions = [await post(endpoint) for _ in range(mailbox.WINDOW + 5)]
        async with desk(url, away.uaid) as back:
            heard = [await back.hear() for _ in range(mailbox.WINDOW)]
            await back.settled()
            await back.ack(*heard)
            heard += [await back.hear() for _ in range(5)]
            assert [arrival["version"] for arrival in heard] == versions


async def test_a_desk_that_is_not_known_gets_another_name(tmp_path: Path) -> None:
    async with running(tmp_path) as url, desk(url, "0123456789abcdef" * 2) as stranger:
        assert stranger.uaid != "0123456789abcdef" * 2


async def test_a_newer_connection_takes_over(tmp_path: Path) -> None:
    async with running(tmp_path) as url, desk(url) as older:
        endpoint = await older.register()
        async with desk(url, older.uaid) as newer:
            assert await closing_code(older.socket) == 1011
            version = await post(endpoint)
            assert (await newer.hear())["version"] == version


async def test_who_does_not_say_hello_in_time_is_shut_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HELLO_WITHIN", 0.1)
    async with running(tmp_path) as url, connect(websocket(url)) as mute:
        assert await closing_code(mute) == 1011


@pytest.mark.contract("P11")
@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("nonsense", 1011),
        ("[]", 1011),
        ('{"messageType":"register","channelID":"no uuid"}', 1011),
        ('{"messageType":"hello"}', 1011),
        ('{"messageType":"make_coffee"}', 1011),
        (b"binary", 1003),
        ("x" * (1024 * 1024 + 1), 1009),
    ],
)
async def test_bad_behaviour_ends_this_connection_and_no_other(tmp_path: Path, frame: str | bytes, code: int) -> None:
    async with running(tmp_path) as url, desk(url) as good, desk(url) as bad:
        await bad.socket.send(frame)
        assert await closing_code(bad.socket) == code
        await good.settled()


async def test_a_silent_desk_is_pinged_and_one_that_answers_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PING_AFTER", 0.05)
    monkeypatch.setattr(connection, "PONG_WITHIN", 5.0)
    async with running(tmp_path) as url, aiohttp.ClientSession() as http:
        async with http.ws_connect(websocket(url), autoping=False) as line:
            await line.send_json({"messageType": "hello"})
            assert (await line.receive()).type is aiohttp.WSMsgType.TEXT
            for _ in range(3):
                ping = await line.receive()
                assert ping.type is aiohttp.WSMsgType.PING
                await line.pong(ping.data)


async def test_a_desk_that_does_not_answer_pings_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PING_AFTER", 0.05)
    monkeypatch.setattr(connection, "PONG_WITHIN", 0.05)
    async with running(tmp_path) as url, aiohttp.ClientSession() as http:
        async with http.ws_connect(websocket(url), autoping=False) as line:
            await line.send_json({"messageType": "hello"})
            kinds = [(await line.receive()).type for _ in range(3)]
            assert kinds == [aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.PING, aiohttp.WSMsgType.CLOSE]
            assert line.close_code == 1011


@pytest.mark.contract("P11")
async def test_a_desk_that_never_reads_is_cut_off_and_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket_side, "_MOST_QUEUED", 100_000)
    monkeypatch.setattr(websocket_side, "_CLOSE_WITHIN", 0.2)
    async with running(tmp_path) as url, desk(url) as good, aiohttp.ClientSession() as sender:
        async with connect(websocket(url), sock=narrow(url), max_queue=1, ping_interval=None, close_timeout=0) as lazy:
            stranger = StrangeDesk(lazy)
            await stranger.say(messageType="hello")
            await stranger.hear()
            endpoint = await stranger.register()
            headers = {"TTL": "0", "Content-Encoding": "aes128gcm"}
            for _ in range(5000):
                async with sender.post(endpoint, headers=headers, data=bytes(4096)) as answer:
                    assert answer.status == 201
                async with sender.get(f"{url}/health") as health:
                    if (await health.json())["connected"] == 1:
                        break
            else:
                raise AssertionError("the desk that does not read was never cut off")
            await good.settled()


@pytest.mark.contract("P11")
async def test_who_sends_pings_and_never_reads_the_answers_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket_side, "_SEND_WITHIN", 0.3)
    monkeypatch.setattr(websocket_side, "_CLOSE_WITHIN", 0.2)
    async with running(tmp_path) as url:
        reader, writer = await asyncio.open_connection(sock=narrow(url))
        writer.write(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert b"101" in await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        ping = bytes([0x89, 0x80 | 125, 0, 0, 0, 0]) + bytes(125)
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(20):
                while True:
                    writer.write(ping * 1000)
                    await writer.drain()
        await nobody_connected(url)


async def test_a_desk_that_reads_slowly_but_steadily_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is the time for a frame, not how long frames keep coming."""
    monkeypatch.setattr(websocket_side, "_SEND_WITHIN", 2.0)
    monkeypatch.setattr(websocket_side, "_MOST_QUEUED", 10_000_000)
    number = 800
    async with running(tmp_path) as url, aiohttp.ClientSession() as sender:
        async with connect(websocket(url), sock=narrow(url), max_queue=1, ping_interval=None, close_timeout=0) as line:
            stranger = StrangeDesk(line)
            await stranger.say(messageType="hello")
            await stranger.hear()
            endpoint = await stranger.register()
            headers = {"TTL": "0", "Content-Encoding": "aes128gcm"}

            async def read() -> None:
                for _ in range(number):
                    assert (await stranger.hear())["messageType"] == "notification"
                    await asyncio.sleep(0.004)

            async with asyncio.TaskGroup() as both:
                both.create_task(read())
                for _ in range(number):
                    async with sender.post(endpoint, headers=headers, data=bytes(4096)) as answer:
                        assert answer.status == 201


async def test_more_desks_than_there_are_files_for_are_told_to_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "open_files", lambda: service.FILES_BESIDE + 2)
    async with running(tmp_path) as url, desk(url) as first:
        async with desk(url):
            with pytest.raises(InvalidStatus) as refused:
                await connect(websocket(url))
            assert refused.value.response.status_code == 503
            assert refused.value.response.headers["Retry-After"] == "300"
            endpoint = await first.register()
            assert await post(endpoint) == (await first.hear())["version"]
        while True:
            try:
                async with desk(url) as third:
                    await third.settled()
                    break
            except InvalidStatus:
                continue  # the service has not noticed yet that the second one left


async def test_stopping_tells_the_desks(tmp_path: Path) -> None:
    async with running(tmp_path) as url:
        line = await connect(websocket(url))
        stranger = StrangeDesk(line)
        await stranger.say(messageType="hello")
        await stranger.hear()
        leaving = asyncio.create_task(closing_code(line))
    assert await leaving == 1001


async def test_a_visitor_without_a_websocket_is_told_what_this_is(tmp_path: Path) -> None:
    async with running(tmp_path) as url, aiohttp.ClientSession() as http, http.get(url) as answer:
        assert answer.status == 426
        assert "push service" in await answer.text()
