"""Asking a desk that dies at the worst moments, with no socket in between."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from frontdesk.app.connection import DeskConnection
from frontdesk.app.surroundings import Greeting
from frontdesk.errors import DeskUnavailable, WireError
from frontdesk.terms import Notification, Verdict
from frontdesk.wire import desk as wire
from frontdesk.wire.frames import MOST_BYTES, FrameReader, frame

WELCOME = wire.Welcome(version=wire.NEWEST, desk="test")


class Line(asyncio.Transport):
    """One connection to a desk that the test plays."""

    def __init__(self, protocol: asyncio.Protocol, answer: Callable[["Line", wire.ToDesk], None]) -> None:
        super().__init__()
        self._protocol = protocol
        self._answer = answer
        self._reader = FrameReader()
        self._ended = False
        protocol.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        for body in self._reader.feed(bytes(data)):
            self._answer(self, wire.decode_at_desk(body))

    def say(self, message: wire.ToApp) -> None:
        self._protocol.data_received(frame(wire.encode(message)))

    def die(self) -> None:
        if not self._ended:
            self._ended = True
            self._protocol.connection_lost(None)

    def close(self) -> None:
        asyncio.get_running_loop().call_soon(self.die)


def client(
    answer: Callable[[Line, wire.ToDesk], None], on_message: Callable[[wire.ToApp], None] = lambda message: None
) -> DeskConnection:
    async def reach(path: Path, greeting: Greeting, protocol: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
        hello, _ = greeting()
        line = Line(protocol(), answer)
        asyncio.get_running_loop().call_soon(line.write, hello)
        return line

    opening = wire.ControlHello(wire.OLDEST, wire.NEWEST)
    return DeskConnection(Path("nowhere"), lambda: (opening, []), on_message, None, reach=reach)


@pytest.mark.contract("L06")
async def test_what_was_about_to_be_asked_as_the_desk_died_is_asked_of_the_next() -> None:
    lines: list[Line] = []
    asked: list[int] = []

    def answer(line: Line, message: wire.ToDesk) -> None:
        if isinstance(message, wire.ControlHello):
            lines.append(line)
            line.say(WELCOME)
            if len(lines) == 2:
                line.die()  # in the very turn in which those who wait for the welcome have been woken
        elif isinstance(message, wire.GetStatus):
            asked.append(len(lines))
            line.say(wire.Done(message.request))

    connection = client(answer)
    await connection.open()
    lines[0].die()
    done = await connection.ask(wire.GetStatus, wire.Done, within=2.0)
    assert done == wire.Done(1) and asked == [3]
    await connection.close()


@pytest.mark.contract("X02", "L06")
@pytest.mark.parametrize("title", ["T" * MOST_BYTES, "\ud800"])
async def test_what_cannot_be_said_is_logged_and_is_no_reason_to_leave_the_desk(
    title: str, caplog: pytest.LogCaptureFixture
) -> None:
    lines: list[Line] = []

    def answer(line: Line, message: wire.ToDesk) -> None:
        if isinstance(message, wire.ControlHello):
            lines.append(line)
            line.say(WELCOME)
        elif isinstance(message, wire.GetStatus):
            line.say(wire.Done(message.request))

    def repeats(message: wire.ToApp) -> None:
        """As an app does that has an answer in hand, whenever it is welcomed."""
        assert not connection.send(wire.PushAnswer("p", Verdict.SHOW_THIS, Notification("n", title)))

    connection = client(answer, repeats)
    await connection.open()
    assert await connection.ask(wire.GetStatus, wire.Done, within=2.0) == wire.Done(1)
    assert len(lines) == 1 and "PushAnswer" in caplog.text
    with pytest.raises((WireError, UnicodeEncodeError)):
        await connection.ask(lambda request: wire.Notify(request, Notification("n", title)), wire.Done)
    await connection.close()


@pytest.mark.parametrize("desk_is_there", [True, False])
async def test_who_waits_for_an_answer_while_the_app_leaves_hears_so_at_once(desk_is_there: bool) -> None:
    lines: list[Line] = []

    def answer(line: Line, message: wire.ToDesk) -> None:
        if isinstance(message, wire.ControlHello) and not lines:
            lines.append(line)
            line.say(WELCOME)

    connection = client(answer)
    await connection.open()
    if not desk_is_there:
        lines[0].die()
    asking = asyncio.create_task(connection.ask(wire.GetStatus, wire.Done))
    await asyncio.sleep(0)
    await connection.close()
    with pytest.raises(DeskUnavailable, match="has left the desk"):
        await asyncio.wait_for(asking, 1.0)
    assert not connection.connected
