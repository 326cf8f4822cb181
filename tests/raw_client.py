"""A client of the desk by hand: raw frames on the Unix socket, right ones and wrong ones."""

import asyncio
import contextlib
import socket
import sys
from pathlib import Path
from typing import Self

from frontdesk.app.surroundings import connect
from frontdesk.wire import desk as wire
from frontdesk.wire.frames import FrameReader, frame
from tests.desks import PATIENCE


class RawClient:
    """One connection; says what it is told to, valid or not."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._frames = FrameReader()
        self._heard: list[wire.ToApp] = []

    @classmethod
    async def connect(cls, path: Path) -> Self:
        sock = socket.socket(socket.AF_UNIX)
        await connect(sock, path)
        return cls(*await asyncio.open_unix_connection(sock=sock))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):  # the desk has ended it before
            await self.writer.wait_closed()

    def say(self, message: wire.ToDesk) -> None:
        self.writer.write(frame(wire.encode(message)))

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def hears(self) -> wire.ToApp:
        """The next message of the desk."""
        async with asyncio.timeout(PATIENCE):
            while not self._heard:
                data = await self.reader.read(1 << 16)
                assert data, "the desk has ended the connection"
                self._heard += [wire.decode_at_app(body) for body in self._frames.feed(data)]
        return self._heard.pop(0)

    async def refused(self) -> wire.Refused:
        """The desk's last word on this connection, which then ends; what it said before is passed over."""
        while not isinstance(message := await self.hears(), wire.Refused) or message.request:
            pass
        async with asyncio.timeout(PATIENCE):
            try:
                while await self.reader.read(1 << 16):
                    pass
            except ConnectionError:
                pass  # it ended while we were still writing: an end all the same
        return message


def hello(
    app: str, token: str = "", run: str = "raw", oldest: int = wire.OLDEST, newest: int = wire.NEWEST
) -> wire.Hello:
    return wire.Hello(app=app, run=run, oldest=oldest, newest=newest, token=token, python=sys.executable)
