"""A person's network, tried with real connections: it lets pass, slows down, and cuts off, at the moment it is told."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from demo.network import Condition, Network
from demo.throttle import Line

SLOW = Line(latency=0.15, rate=20_000.0, burst=1000.0, setup=0.3)
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[int], Awaitable[Streams]]


@pytest.fixture
async def echo() -> AsyncIterator[int]:
    """The port of a server that answers with what it hears, and says goodbye when the other side is done."""

    ended: list[asyncio.Event] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(end := asyncio.Event())
        try:
            while heard := await reader.read(65536):
                writer.write(heard)
                await writer.drain()
            writer.write(b"goodbye")
        except OSError:
            writer.transport.abort()
        finally:
            writer.close()
            end.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for end in ended:
        await asyncio.wait_for(end.wait(), 20)


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    made = Network(SLOW)
    yield made
    await made.stop()


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    made: list[asyncio.StreamWriter] = []

    async def to(port: int) -> Streams:
        streams = await asyncio.open_connection("127.0.0.1", port)
        made.append(streams[1])
        return streams

    yield to
    for writer in made:
        writer.transport.abort()


async def say(streams: Streams, words: bytes) -> float:
    """Says `words`, hears them back, and gives the seconds it took."""
    reader, writer = streams
    before = asyncio.get_running_loop().time()
    writer.write(words)
    assert await reader.readexactly(len(words)) == words
    return asyncio.get_running_loop().time() - before


async def test_good_lets_everything_pass_both_ways_to_the_last_byte(
    echo: int, network: Network, connect: Connect
) -> None:
    reader, writer = await connect(await network.proxy(echo))
    assert await say((reader, writer), b"x" * 3_000_000) < 20
    writer.write_eof()
    assert await reader.read() == b"goodbye", "the half that is closed leaves the other open"


async def test_slow_delays_words_connections_and_many_bytes(echo: int, network: Network, connect: Connect) -> None:
    port = await network.proxy(echo)
    open_before = await connect(port)
    await say(open_before, b"hello")
    network.set(Condition.SLOW)
    assert await say(open_before, b"hello") >= 2 * SLOW.latency
    assert await say(await connect(port), b"hello") >= SLOW.setup + 2 * SLOW.latency
    assert await say(open_before, b"x" * 10_000) >= 2 * SLOW.latency + 9_000 / SLOW.rate


async def test_good_again_lets_go_what_is_held(echo: int, network: Network, connect: Connect) -> None:
    network.slow = Line(latency=60.0, rate=10.0)
    reader, writer = await connect(await network.proxy(echo))
    await say((reader, writer), b"hello")
    network.set(Condition.SLOW)
    writer.write(b"held")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.2)
    network.set(Condition.GOOD)
    assert await asyncio.wait_for(reader.readexactly(4), 20) == b"held"


async def test_off_cuts_what_is_open_and_refuses_what_is_new(echo: int, network: Network, connect: Connect) -> None:
    port = await network.proxy(echo)
    streams = await connect(port)
    await say(streams, b"hello")
    network.set(Condition.OFF)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(say(streams, b"hello"), 20)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(say(await connect(port), b"hello"), 20)
    network.set(Condition.GOOD)
    await say(await connect(port), b"hello")


async def test_its_port_is_the_same_the_next_time_and_another_where_that_is_taken(echo: int, tmp_path: Path) -> None:
    note, found = tmp_path / "person" / "port", []
    for _ in range(2):
        network = Network()
        found.append(await network.proxy(echo, note))
        await network.stop()
    assert found[0] == found[1] == int(note.read_text())
    with socket.create_server(("127.0.0.1", found[0])):
        network = Network()
        other = await network.proxy(echo, note)
        assert other != found[0] and int(note.read_text()) == other
        await network.stop()


async def test_nobody_behind_the_proxy_is_a_closed_connection(network: Network, connect: Connect) -> None:
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(say(await connect(await network.proxy(upstream=9)), b"hello"), 20)
