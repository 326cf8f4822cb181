"""A connection between an app and the desk within one process: the same frames as on the socket, and no socket."""

import asyncio
from typing import Protocol

from frontdesk.errors import WireError
from frontdesk.terms import Refusal
from frontdesk.testing.process import Process
from frontdesk.wire import desk as wire
from frontdesk.wire.frames import FrameReader, frame


class Desk(Protocol):
    """Whoever is at the desk's end."""

    def heard(self, line: "Line", message: wire.ToDesk) -> None: ...

    def hung_up(self, line: "Line") -> None: ...


class Line(asyncio.Transport):
    """The app's end is the transport, the desk's end is ``send`` and ``cut``. Nothing reaches a frozen app."""

    def __init__(self, asker: int, process: Process, protocol: asyncio.Protocol, desk: Desk) -> None:
        super().__init__()
        self.asker = asker
        """By this the desk knows whom to answer."""
        self.process = process
        self.pid = process.pid
        self.app: str | None = None
        """Set once it has been admitted as that app."""
        self.version = 0
        self._desk = desk
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._from_app = FrameReader()
        self._to_app: list[bytes | None] = []
        """What the app has not read yet; None: the end."""
        self._is_open = True
        self._is_heard = True
        process.on_thaw.append(self._deliver_soon)
        process.at_end.append(self.close)
        protocol.connection_made(self)

    # --- the desk's end -------------------------------------------------------------------------------------------

    def send(self, message: wire.ToApp) -> None:
        if self._is_open:
            self._to_app.append(frame(wire.encode(message)))
            self._deliver_soon()

    def refuse(self, reason: Refusal, text: str) -> None:
        """Say why, and end the connection."""
        self.send(wire.Refused(reason, text))
        self.cut()

    def cut(self) -> None:
        """The desk ends it, or has ended: the app reads what was said before, and is heard no more."""
        self._is_heard = False
        if self._is_open:
            self._is_open = False
            self._to_app.append(None)
            self._deliver_soon()

    def _deliver_soon(self) -> None:
        self._loop.call_soon(self._deliver, context=self.process.context)

    def _deliver(self) -> None:
        while self._to_app and not self.process.frozen:
            data = self._to_app.pop(0)
            if data is None:
                self._protocol.connection_lost(None)
            else:
                self._protocol.data_received(data)

    # --- the app's end --------------------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._is_open:
            self._loop.call_soon(self._arrived, bytes(data))

    def is_closing(self) -> bool:
        return not self._is_open

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._to_app = [None]
            self._deliver_soon()
            self._loop.call_soon(self._desk.hung_up, self)

    def abort(self) -> None:
        self.close()

    def _arrived(self, data: bytes) -> None:
        """What the app wrote before it ended the connection is read, as from a socket."""
        if not self._is_heard:
            return
        try:
            for body in self._from_app.feed(data):
                self._desk.heard(self, wire.decode_at_desk(body))
        except WireError as error:
            self.refuse(error.reason, str(error))
            self._desk.hung_up(self)
