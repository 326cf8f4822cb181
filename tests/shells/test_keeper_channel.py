"""The two ends of the channel against each other, in one process: what if one is slow, gone, or of another make?

That both do their work with real processes is proven in test_keeper.
"""

import asyncio
import os
import select
import socket
from collections.abc import Iterator

import pytest

from frontdesk.agent.shell.desk_channel import ChannelLost, DeskChannel
from frontdesk.agent.shell.keeper_channel import KeeperChannel, KeeperLost, LaunchFailed
from frontdesk.wire import keeper as wire


class Pair:
    """A channel with the test as its keeper."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.keeper = DeskChannel(ours)
        self.lost = 0

    def desk(self) -> KeeperChannel:
        channel = KeeperChannel(self.theirs)
        channel.on_lost = self._on_lost
        return channel

    def _on_lost(self) -> None:
        self.lost += 1


@pytest.fixture
def pair() -> Iterator[Pair]:
    before = len(os.listdir("/proc/self/fd"))
    pair = Pair()
    yield pair
    pair.keeper.close()
    pair.theirs.close()
    assert len(os.listdir("/proc/self/fd")) <= before + 3  # what the event loop itself opened meanwhile


async def readable(channel: DeskChannel) -> None:
    ready = asyncio.Event()
    asyncio.get_running_loop().add_reader(channel.fileno(), ready.set)
    try:
        await asyncio.wait_for(ready.wait(), 20)
    finally:
        asyncio.get_running_loop().remove_reader(channel.fileno())


async def test_whoever_asks_when_the_keeper_dies_is_told(pair: Pair) -> None:
    desk = pair.desk()
    asking = [asyncio.ensure_future(desk.children()), asyncio.ensure_future(desk.forget("a.b"))]
    await readable(pair.keeper)
    pair.keeper.close()
    answers = await asyncio.wait_for(asyncio.gather(*asking, return_exceptions=True), 20)
    assert [type(answer) for answer in answers] == [KeeperLost, KeeperLost]
    assert pair.lost == 1
    with pytest.raises(KeeperLost):
        await desk.children()
    desk.seen(1)
    desk.close()
    assert pair.lost == 1


async def test_keeper_of_another_make_is_left(pair: Pair) -> None:
    desk = pair.desk()
    asking = asyncio.ensure_future(desk.children())
    await readable(pair.keeper)
    pair.keeper.send(1, wire.Launched(5))
    with pytest.raises(KeeperLost, match="answered Launched to ListChildren"):
        await asyncio.wait_for(asking, 20)
    assert pair.lost == 1


async def test_command_too_large_for_a_datagram(pair: Pair) -> None:
    desk = pair.desk()
    with pytest.raises(LaunchFailed, match="too large"):
        await desk.launch("a.b", ["x" * wire.DATAGRAM_MOST], env={}, cwd="/", log="/dev/null")
    desk.close()


async def test_answers_to_a_slow_desk_wait_and_arrive_in_order_with_their_sockets(pair: Pair) -> None:
    page = socket.create_server(("127.0.0.1", 0))
    count = 0
    while pair.keeper.wants == select.POLLIN:  # until the desk's buffer is full and an answer has to wait
        count += 1
        pair.keeper.send(count, wire.Pages((("org.example.app" * 500, count),)), [page.fileno()])
    port = page.getsockname()[1]
    page.close()
    assert pair.keeper.receive() is None
    desk = pair.desk()
    answers = [asyncio.get_running_loop().create_future() for _ in range(count)]
    desk._asked.update(enumerate(answers, start=1))
    for number, answer in enumerate(answers, start=1):
        report, fds = await asyncio.wait_for(answer, 20)
        assert report.pages[0][1] == number
        with socket.socket(fileno=fds[0]) as handed:
            assert handed.getsockname()[1] == port
        pair.keeper.flush()
    desk.close()


async def test_questions_to_a_slow_keeper_wait(pair: Pair) -> None:
    desk = pair.desk()
    env = {"BIG": "x" * 60_000}
    asking = [asyncio.ensure_future(desk.launch("a.b", ["x"], env=env, cwd="/", log="/x")) for _ in range(20)]
    for number in range(1, 21):
        await readable(pair.keeper)
        received = pair.keeper.receive()
        assert received is not None and received[0] == number
        pair.keeper.send(number, wire.Launched(100 + number))
    assert await asyncio.wait_for(asyncio.gather(*asking), 20) == list(range(101, 121))
    desk.close()


async def test_answer_that_nobody_waits_for_any_more_leaves_no_socket_open(pair: Pair) -> None:
    desk = pair.desk()
    asking = asyncio.ensure_future(desk.listen("a.b"))
    await readable(pair.keeper)
    asking.cancel()
    before = len(os.listdir("/proc/self/fd"))
    with socket.create_server(("127.0.0.1", 0)) as page:
        pair.keeper.send(1, wire.Listening(1), [page.fileno()])
    pair.keeper.send(0, wire.Exited(7, 0))
    heard = asyncio.Event()
    desk.on_exit = lambda pid, status: heard.set()
    await asyncio.wait_for(heard.wait(), 20)
    assert len(os.listdir("/proc/self/fd")) == before
    desk.close()


@pytest.mark.parametrize("data", [b"nonsense", b"{}", b"[]"])
def test_desk_of_another_make_loses_its_channel(pair: Pair, data: bytes) -> None:
    pair.theirs.send(data)
    with pytest.raises(ChannelLost, match="broke the protocol"):
        pair.keeper.receive()


def test_socket_that_belongs_to_no_request_is_closed(pair: Pair) -> None:
    with socket.socket() as stray:
        socket.send_fds(pair.theirs, [wire.encode(1, wire.ListPages())], [stray.fileno()])
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ChannelLost, match="hands nothing over"):
        pair.keeper.receive()
    assert len(os.listdir("/proc/self/fd")) == before
