"""The app's end of the socket against a desk played by hand: refusals, silence, deaths, and what is said meanwhile."""

import asyncio
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from frontdesk.app import connection as app_connection
from frontdesk.app import surroundings
from frontdesk.app.connection import DeskConnection
from frontdesk.app.surroundings import reach_socket
from frontdesk.errors import AlreadyRunning, DeskUnavailable, RefusedError, VersionMismatch
from frontdesk.terms import RefreshTask, Refusal
from frontdesk.wire import desk as wire
from frontdesk.wire.frames import FrameReader, frame
from tests.desks import PATIENCE

WELCOME = wire.Welcome(version=1, desk="1.2.3")


class PlayedDesk:
    """Hears what clients say; answers nothing by itself."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: asyncio.Queue[tuple[asyncio.StreamWriter, wire.ToDesk]] = asyncio.Queue()
        self.server: asyncio.Server | None = None
        self.writers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        self.path.unlink(missing_ok=True)
        self.server = await asyncio.start_unix_server(self._serve, self.path)

    async def die(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

    async def hears(self) -> tuple[asyncio.StreamWriter, wire.ToDesk]:
        return await asyncio.wait_for(self.heard.get(), PATIENCE)

    async def welcomes(self) -> tuple[asyncio.StreamWriter, wire.ToDesk]:
        writer, opening = await self.hears()
        say(writer, WELCOME)
        return writer, opening

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        frames = FrameReader()
        try:
            while data := await reader.read(65536):
                for body in frames.feed(data):
                    self.heard.put_nowait((writer, wire.decode_at_desk(body)))
        except ConnectionError:
            return


def say(writer: asyncio.StreamWriter, message: wire.ToApp) -> None:
    writer.write(frame(wire.encode(message)))


def arrived(writer: asyncio.StreamWriter) -> list[wire.ToDesk]:
    """What lies in the socket of that connection just now, unread."""
    with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as at_desk:
        try:
            data = at_desk.recv(65536, socket.MSG_DONTWAIT | socket.MSG_PEEK)
        except BlockingIOError:
            return []
    return [wire.decode_at_desk(body) for body in FrameReader().feed(data)]


@pytest.fixture
async def played() -> AsyncIterator[PlayedDesk]:
    folder = Path(tempfile.mkdtemp(prefix="fd-", dir="/tmp"))
    desk = PlayedDesk(folder / "s")
    await desk.start()
    yield desk
    await desk.die()
    desk.path.unlink(missing_ok=True)
    folder.rmdir()


class Client:
    def __init__(self, path: Path, start_desk: Callable[[], None] | None = None) -> None:
        self.heard: asyncio.Queue[wire.ToApp] = asyncio.Queue()
        self.tasks: tuple[wire.OpenTask, ...] = ()
        self.connection = DeskConnection(path, self._hello, self.heard.put_nowait, start_desk)

    def _hello(self) -> tuple[wire.Opening, list[int]]:
        return wire.Hello(app="org.example.app", run="r", oldest=1, newest=1, tasks=self.tasks), []


async def greeting(played: PlayedDesk) -> tuple[Client, asyncio.Task[wire.Welcome], asyncio.StreamWriter]:
    """A client that has said hello and waits for what comes of it."""
    client = Client(played.path)
    opening = asyncio.create_task(client.connection.open())
    writer, hello = await played.hears()
    assert isinstance(hello, wire.Hello)
    return client, opening, writer


async def connected(played: PlayedDesk) -> tuple[Client, asyncio.StreamWriter]:
    client, opening, writer = await greeting(played)
    say(writer, WELCOME)
    assert await opening == WELCOME
    return client, writer


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that wait for a desk for a moment only."""
    monkeypatch.setattr(app_connection, "ANSWER_WITHIN", 0.1)


async def test_no_desk_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DeskUnavailable, match="frontdesk agent"):
        await Client(tmp_path / "none").connection.open()


@pytest.mark.usefixtures("impatient")
async def test_a_desk_that_was_started_and_is_not_there_is_started_again_for_a_while(tmp_path: Path) -> None:
    started: list[bool] = []
    with pytest.raises(DeskUnavailable, match="was started and does not answer"):
        await Client(tmp_path / "none", lambda: started.append(True)).connection.open()
    assert len(started) > 1


@pytest.mark.contract("X03", "X04")
@pytest.mark.parametrize(
    ("reason", "error"),
    [
        (Refusal.VERSION, VersionMismatch),
        (Refusal.ALREADY_RUNNING, AlreadyRunning),
        (Refusal.WRONG_TOKEN, RefusedError),
    ],
)
async def test_a_refusal_is_raised_by_its_name_with_the_desks_words(
    played: PlayedDesk, reason: Refusal, error: type[RefusedError]
) -> None:
    client, opening, writer = await greeting(played)
    say(writer, wire.Refused(reason, "Update frontdesk."))
    writer.close()
    with pytest.raises(error, match=r"Update frontdesk\."):
        await opening
    await client.connection.close()


@pytest.mark.contract("L06")
async def test_a_desk_that_is_killed_between_hello_and_welcome_leaves_the_app_to_the_next(played: PlayedDesk) -> None:
    client, opening, writer = await greeting(played)
    writer.transport.abort()
    writer, again = await played.hears()
    assert isinstance(again, wire.Hello)
    writer.transport.abort()
    _, again = await played.welcomes()
    assert isinstance(again, wire.Hello)
    assert await opening == WELCOME
    await client.connection.close()


@pytest.mark.contract("L06")
async def test_a_desk_that_is_killed_before_it_read_a_hello_leaves_the_app_to_the_next(
    played: PlayedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(played.path)
    unsent = [BrokenPipeError(), ConnectionResetError()]
    send_fds = socket.send_fds

    def send(*args: Any) -> int:
        if unsent:
            raise unsent.pop()
        return send_fds(*args)

    monkeypatch.setattr(socket, "send_fds", send)
    opening = asyncio.create_task(client.connection.open())
    await played.welcomes()
    assert await opening == WELCOME
    await client.connection.close()


@pytest.mark.usefixtures("impatient")
async def test_desks_that_all_end_at_once_are_unavailable_after_a_while(played: PlayedDesk) -> None:
    client = Client(played.path)
    opening = asyncio.create_task(client.connection.open())
    ended = 0
    while not opening.done():
        hears = asyncio.create_task(played.hears())
        await asyncio.wait([hears, opening], return_when=asyncio.FIRST_COMPLETED)
        if hears.done():
            hears.result()[0].close()
            ended += 1
        else:
            hears.cancel()
    with pytest.raises(DeskUnavailable, match="One desk after the other"):
        await opening
    assert ended > 1


@pytest.mark.parametrize("nonsense", [frame(b"\xc1"), b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_what_does_not_speak_like_a_desk_is_unavailable_at_once(played: PlayedDesk, nonsense: bytes) -> None:
    _, opening, writer = await greeting(played)
    writer.write(nonsense)
    with pytest.raises(DeskUnavailable, match="does not speak like a desk"):
        await opening
    assert played.heard.empty()


@pytest.mark.usefixtures("impatient")
async def test_a_desk_that_says_nothing_is_waited_for_only_so_long(played: PlayedDesk) -> None:
    client = Client(played.path)
    with pytest.raises(DeskUnavailable, match="says nothing"):
        await client.connection.open()
    await client.connection.close()


@pytest.mark.contract("A13")
async def test_what_is_reported_between_hello_and_welcome_goes_behind_the_hello(played: PlayedDesk) -> None:
    client, writer = await connected(played)
    writer.transport.abort()
    writer, again = await played.hears()
    assert isinstance(again, wire.Hello)
    assert client.connection.send(wire.EndTask(3))
    assert (await played.hears())[1] == wire.EndTask(3)
    say(writer, WELCOME)
    await client.connection.close()


@pytest.mark.contract("A01")
@pytest.mark.parametrize("keeps_awake", [wire.BeginTask(1, "save"), wire.Foreground()])
async def test_what_keeps_an_app_awake_leaves_before_its_turn_is_over_and_behind_what_was_said(
    played: PlayedDesk, keeps_awake: wire.ToDesk
) -> None:
    """It may be frozen within the turn: a desk that has heard of the task by then thaws it again."""
    client, writer = await connected(played)
    assert client.connection.send(wire.Ready(7)) and client.connection.send(keeps_awake)
    assert arrived(writer) == [wire.Ready(7), keeps_awake]
    await client.connection.close()


async def test_other_reports_of_one_turn_leave_in_one_piece(played: PlayedDesk) -> None:
    client, writer = await connected(played)
    assert client.connection.send(wire.EndTask(1))
    assert arrived(writer) == []
    assert (await played.hears())[1] == wire.EndTask(1)
    await client.connection.close()


@pytest.mark.contract("A13", "L06")
async def test_reconnects_when_the_desk_is_gone_for_a_while_and_says_hello_anew(played: PlayedDesk) -> None:
    client, _ = await connected(played)
    await played.die()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not client.connection.connected
    assert not client.connection.send(wire.BeginTask(3, "send"))
    client.tasks = (wire.OpenTask(3, "send"),)
    await asyncio.sleep(0.2)  # long enough for an attempt to be refused
    await played.start()
    _, again = await played.welcomes()
    assert isinstance(again, wire.Hello) and again.tasks == client.tasks
    await client.connection.close()


@pytest.mark.contract("L06")
async def test_an_app_that_is_welcomed_and_cut_again_and_again_comes_back_ever_more_slowly(
    played: PlayedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_connection, "_MOST_PAUSE", 0.4)
    client, writer = await connected(played)
    came: list[float] = []
    for _ in range(5):
        writer.transport.abort()
        writer, _ = await played.welcomes()
        came.append(asyncio.get_running_loop().time())
    assert came[-1] - came[0] >= 0.1 + 0.2 + 0.4 + 0.4
    await asyncio.sleep(0.5)  # it lasts: the next end is no part of that row
    cut = asyncio.get_running_loop().time()
    writer.transport.abort()
    await played.welcomes()
    assert asyncio.get_running_loop().time() - cut < 0.4
    await client.connection.close()


@pytest.mark.contract("L06")
async def test_a_request_is_asked_again_of_the_next_desk(played: PlayedDesk) -> None:
    client, _ = await connected(played)
    asking = asyncio.create_task(client.connection.ask(lambda request: wire.Unsubscribe(request, "m"), wire.Done))
    writer, first = await played.hears()
    writer.transport.abort()
    await played.welcomes()
    writer, second = await played.hears()
    assert first == second and isinstance(second, wire.Unsubscribe)
    say(writer, wire.Done(second.request))
    assert await asking == wire.Done(second.request)
    await client.connection.close()


async def test_a_refused_request_raises_and_the_connection_goes_on(played: PlayedDesk) -> None:
    client, writer = await connected(played)
    asking = asyncio.create_task(client.connection.ask(wire.GetStatus, wire.StatusIs))
    _, asked = await played.hears()
    assert isinstance(asked, wire.GetStatus)
    say(writer, wire.Refused(Refusal.STORE_UNAVAILABLE, "The disk is full.", asked.request))
    with pytest.raises(RefusedError, match="disk is full") as refused:
        await asking
    assert refused.value.reason is Refusal.STORE_UNAVAILABLE
    say(writer, wire.Open())
    heard = [await asyncio.wait_for(client.heard.get(), PATIENCE) for _ in range(2)]
    assert heard == [WELCOME, wire.Open()]
    await client.connection.close()


@pytest.mark.contract("X03")
async def test_a_desk_that_is_too_old_for_a_message_is_not_sent_it(played: PlayedDesk) -> None:
    client, _ = await connected(played)  # to one that speaks version 1
    with pytest.raises(VersionMismatch, match=r"needs protocol 2, and this desk speaks 1\. Nothing was asked"):
        await client.connection.ask(lambda request: wire.SubmitTask(request, RefreshTask("a")), wire.Done)
    assert client.connection.send(wire.CompleteTask("r1", True)) is False
    assert client.connection.send(wire.EndTask(7)) is True
    _, heard = await played.hears()
    assert heard == wire.EndTask(7)
    await client.connection.close()


async def test_an_answer_that_does_not_come_is_said(played: PlayedDesk) -> None:
    client, _ = await connected(played)
    with pytest.raises(DeskUnavailable, match=r"within 0\.1 s"):
        await client.connection.ask(wire.GetStatus, wire.StatusIs, 0.1)
    await client.connection.close()


@pytest.mark.contract("X02")
async def test_a_desk_at_whose_door_too_many_wait_lets_in_whom_it_comes_to(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as desk:
        desk.bind(str(tmp_path / "desk"))
        desk.listen(0)
        before = _as_many_as_may_wait(tmp_path / "desk")
        coming = asyncio.create_task(
            reach_socket(tmp_path / "desk", lambda: (b"hello", []), asyncio.Protocol), name="who came last"
        )
        await _has_been_turned_away(coming)
        for _ in before:
            desk.accept()[0].close()
        transport = await asyncio.wait_for(coming, PATIENCE)
        with desk.accept()[0] as taken:
            assert taken.recv(99) == b"hello"
        transport.close()
        for each in before:
            each.close()


async def test_a_desk_that_lets_nobody_in_is_given_up_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surroundings, "TAKEN_WITHIN", 0.1)
    with socket.socket(socket.AF_UNIX) as desk:
        desk.bind(str(tmp_path / "desk"))
        desk.listen(0)
        before = _as_many_as_may_wait(tmp_path / "desk")
        with pytest.raises(BlockingIOError):
            await reach_socket(tmp_path / "desk", lambda: (b"hello", []), asyncio.Protocol)
        for each in before:
            each.close()


def _as_many_as_may_wait(path: Path) -> list[socket.socket]:
    waiting: list[socket.socket] = []
    while True:
        visitor = socket.socket(socket.AF_UNIX)
        visitor.setblocking(False)
        try:
            visitor.connect(str(path))
        except BlockingIOError:
            visitor.close()
            return waiting
        waiting.append(visitor)


async def _has_been_turned_away(coming: "asyncio.Task[asyncio.WriteTransport]") -> None:
    """A few turns of the loop are enough for a first attempt."""
    for _ in range(10):
        await asyncio.sleep(0)
    assert not coming.done()
