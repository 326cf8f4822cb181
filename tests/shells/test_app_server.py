"""The desk's socket by itself: half frames, silence, floods, a client that never reads, descriptors beside a frame."""

import asyncio
import os
import resource
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from frontdesk.agent.core.limits import Limits
from frontdesk.agent.shell import app_server
from frontdesk.agent.shell.app_server import MOST_WAITING, AppServer, Connection
from frontdesk.errors import WireError
from frontdesk.terms import Notification, Refusal
from frontdesk.wire import desk as wire
from frontdesk.wire.frames import MOST_BYTES, frame
from tests.desks import PATIENCE
from tests.raw_client import RawClient, hello

HELLO = frame(wire.encode(hello("org.example.app")))
MOST_MESSAGES = Limits().messages


class Listening:
    """An AppServer, and what it was told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.messages: asyncio.Queue[tuple[Connection, wire.ToDesk]] = asyncio.Queue()
        self.ends: asyncio.Queue[Connection] = asyncio.Queue()
        self.broken: list[WireError] = []
        self.fds: list[int] = []
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        self.listener = listener
        self.server = AppServer(
            listener, self._received, self.ends.put_nowait, lambda _, error: self.broken.append(error), MOST_MESSAGES
        )

    def _received(self, connection: Connection, message: wire.ToDesk, fds: list[int]) -> None:
        self.fds += [os.dup(fd) for fd in fds]
        self.messages.put_nowait((connection, message))

    def _broke(self, connection: Connection, error: WireError) -> None:
        self.broken.append(error)

    async def message(self) -> tuple[Connection, wire.ToDesk]:
        return await asyncio.wait_for(self.messages.get(), PATIENCE)

    async def client(self) -> RawClient:
        return await RawClient.connect(self.path)


@pytest.fixture
async def listening() -> AsyncIterator[Listening]:
    folder = Path(tempfile.mkdtemp(prefix="fd-", dir="/tmp"))
    made = Listening(folder / "s")
    yield made
    made.server.close()
    made.listener.close()
    (folder / "s").unlink()
    folder.rmdir()


async def test_who_connects_is_known_by_the_kernels_word(listening: Listening) -> None:
    async with await listening.client() as client:
        client.write(HELLO)
        connection, message = await listening.message()
        assert isinstance(message, wire.Hello)
        assert (connection.pid, connection.uid) == (os.getpid(), os.getuid())
        connection.send(wire.Done(7))
        assert await client.hears() == wire.Done(7)
    await asyncio.wait_for(listening.ends.get(), PATIENCE)


@pytest.mark.contract("X02")
async def test_frames_in_any_pieces_are_the_same_frames(listening: Listening) -> None:
    async with await listening.client() as client:
        data = HELLO + frame(wire.encode(wire.EndTask(1))) + frame(wire.encode(wire.EndTask(2)))
        for at in range(0, len(data), 3):
            client.write(data[at : at + 3])
            await client.writer.drain()
            await asyncio.sleep(0)
        messages = [(await listening.message())[1] for _ in range(3)]
        assert messages[1:] == [wire.EndTask(1), wire.EndTask(2)]


@pytest.mark.contract("X02")
async def test_an_end_in_the_middle_of_a_frame_is_an_end(listening: Listening) -> None:
    async with await listening.client() as client:
        client.write(HELLO + frame(wire.encode(wire.EndTask(1)))[:-1])
        await listening.message()
    await asyncio.wait_for(listening.ends.get(), PATIENCE)
    assert listening.messages.empty() and listening.broken == []


@pytest.mark.contract("X02")
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (frame(b"\xc1"), Refusal.BAD_REQUEST),
        (frame(b""), Refusal.BAD_REQUEST),
        (frame(b"\x91" * 100_000), Refusal.BAD_REQUEST),
        (os.urandom(4096), None),
        ((MOST_BYTES + 1).to_bytes(4, "big"), Refusal.TOO_LARGE),
        (frame(wire.encode(wire.EndTask(1))), Refusal.BAD_REQUEST),
        (HELLO + HELLO, Refusal.BAD_REQUEST),
        (frame(wire.encode(wire.Done(1))), Refusal.BAD_REQUEST),
    ],
)
async def test_what_is_wrong_is_refused_and_the_next_client_is_served(
    listening: Listening, data: bytes, reason: Refusal | None
) -> None:
    async with await listening.client() as client:
        client.write(data)
        if reason is None:
            client.writer.write_eof()  # random lengths may announce more than came
        else:
            refused = await client.refused()
            assert refused.reason == reason and refused.text
            assert len(listening.broken) == 1
        await asyncio.wait_for(listening.ends.get(), PATIENCE)
    async with await listening.client() as client:
        client.write(HELLO)
        while not isinstance((await listening.message())[1], wire.Hello):
            pass


@pytest.mark.contract("X02")
async def test_a_flood_is_refused_and_what_came_before_was_taken(listening: Listening) -> None:
    async with await listening.client() as client:
        client.write(HELLO + frame(wire.encode(wire.EndTask(1))) * (3 * MOST_MESSAGES))
        assert (await client.refused()).reason is Refusal.TOO_FAST
    assert MOST_MESSAGES <= listening.messages.qsize() <= 2 * MOST_MESSAGES


@pytest.mark.contract("X02")
async def test_who_says_nothing_is_sent_away(listening: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_server, "HELLO_WITHIN", 0.1)
    async with await listening.client() as client:
        refused = await client.refused()
    assert refused.reason is Refusal.BAD_REQUEST and "0.1 s" in refused.text


@pytest.mark.contract("X02")
async def test_a_client_that_does_not_read_holds_up_nobody_and_gets_all_in_order_later(listening: Listening) -> None:
    sleeper = socket.socket(socket.AF_UNIX)
    sleeper.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sleeper, str(listening.path))
    sleeper.send(HELLO)
    connection, _ = await listening.message()
    message = wire.Push("p", "messages", bytes(2000), 1.0)
    for number in range(300):
        connection.send(message)
        connection.send(wire.Done(number))
    async with await listening.client() as client:
        client.write(HELLO)
        other, _ = await listening.message()
        other.send(wire.Done(1))
        assert await client.hears() == wire.Done(1)
    reading = RawClient(*await asyncio.open_unix_connection(sock=sleeper))
    async with reading:
        heard = [await reading.hears() for _ in range(600)]
    assert [each.request for each in heard if isinstance(each, wire.Done)] == list(range(300))


@pytest.mark.contract("X02")
async def test_a_client_for_which_too_much_waits_is_given_up(listening: Listening) -> None:
    async with await listening.client() as client:
        client.write(HELLO)
        connection, _ = await listening.message()
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        message = wire.Pressed("n", "x" * (MOST_BYTES // 2))
        for _ in range(2 + 2 * MOST_WAITING // MOST_BYTES):
            connection.send(message)
        await asyncio.wait_for(listening.ends.get(), PATIENCE)
        connection.send(message)  # to nobody, which is no error


async def test_descriptors_come_beside_the_frame_and_ours_do_not_pile_up(listening: Listening) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with socket.create_server(("127.0.0.1", 0)) as page, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(listening.path))
        socket.send_fds(client, [HELLO], [page.fileno()])
        await listening.message()
        with socket.socket(fileno=listening.fds.pop()) as received:
            assert received.getsockname() == page.getsockname()
        # More than are wanted, and with a message that has no use for them.
        socket.send_fds(client, [frame(wire.encode(wire.EndTask(1)))], [page.fileno()] * 8)
        await listening.message()
        for fd in listening.fds:
            os.close(fd)
    await asyncio.wait_for(listening.ends.get(), PATIENCE)
    assert len(os.listdir("/proc/self/fd")) == before


async def test_a_large_message_goes_out_whole(listening: Listening) -> None:
    async with await listening.client() as client:
        client.write(HELLO)
        connection, _ = await listening.message()
        big = wire.Push("p", "m", os.urandom(MOST_BYTES - 100), 1.0)
        connection.send(big)
        assert await client.hears() == big
        notification = Notification("n", "t", "x" * 1000)
        client.say(wire.Notify(1, notification))
        assert (await listening.message())[1] == wire.Notify(1, notification)


@pytest.mark.contract("X02")
async def test_without_a_descriptor_for_another_connection_the_desk_rests_and_takes_it_later(
    listening: Listening, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_server, "LOOK_AGAIN", 0.2)
    client = socket.socket(socket.AF_UNIX)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        client.connect(str(listening.path))
        async with asyncio.timeout(PATIENCE):
            while len(caplog.records) < 2:  # noqa: ASYNC110 - nobody is told of a line in a log
                await asyncio.sleep(0.01)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(caplog.records) < 10  # it rests in between
    client.sendall(HELLO)
    _, message = await listening.message()
    assert isinstance(message, wire.Hello)
    client.close()
