"""The desk's Unix socket: connections of apps and of programs that steer, as messages. One bad client harms no other.

The desk never blocks on a client: what cannot be written waits in a queue of the desk's own, since a frozen app's
socket takes only a few hundred frames. A flood, too many connections, a broken frame, silence at the start: refused
with a reason (X02).
"""

import asyncio
import itertools
import logging
import os
import socket
import struct
from collections import deque
from collections.abc import Callable

from frontdesk.agent.shell.desk_log import write_down
from frontdesk.errors import WireError
from frontdesk.terms import Refusal
from frontdesk.wire import desk as wire
from frontdesk.wire import versions
from frontdesk.wire.frames import FrameReader, frame

MOST_CONNECTIONS = 100
"""Connections one process may hold: each costs a descriptor, of which the desk has some 1,000 for everybody (X02)."""
HELLO_WITHIN = 5.0
"""Seconds a connection may stay without saying who it is."""
MOST_WAITING = 8 << 20
"""Bytes that may wait for one client before it is given up."""
LOOK_AGAIN = 1.0
"""Seconds until the next look at who connects, when there was no descriptor for another connection."""

log = logging.getLogger("frontdesk.desk")

_READ = 1 << 16
_MOST_FDS = 4
_asker_numbers = itertools.count(1)


class Connection:
    """One client. ``asker`` is its number, never used twice; ``pid`` and ``uid`` are the kernel's word."""

    def __init__(self, server: "AppServer", sock: socket.socket) -> None:
        self.asker = next(_asker_numbers)
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid, uid, _ = struct.unpack("3i", credentials)
        self.pid: int = pid
        self.uid: int = uid
        self.app: str | None = None
        """The app it was admitted as; None for one that steers, or that has not said hello."""
        self.version = wire.NEWEST
        """Of the protocol, as agreed in its hello (X03)."""
        self.said_hello = False
        self._server = server
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._reader = FrameReader()
        self._waiting: deque[memoryview] = deque()
        self._waiting_bytes = 0
        self._ending = False
        self._second, self._frames = 0, 0
        self._hello_due = self._loop.call_later(HELLO_WITHIN, self._no_hello)
        self._loop.add_reader(sock, self._readable)

    def send(self, message: wire.ToApp) -> None:
        """Hand over a message; never blocks, never fails: a client that is gone is noticed by its own end.

        A message that is larger than one may be ends the connection, with that as the reason. One that the version
        of the protocol agreed with the client does not have is not sent.
        """
        understood = versions.for_peer(message, self.version)
        if self._sock.fileno() < 0 or self._ending or understood is None:
            return
        try:
            data = memoryview(frame(wire.encode(understood)))
        except WireError as error:
            log.error("A %s for process %d could not be sent: %s", type(message).__name__, self.pid, error)
            self.refuse(error.reason, f"The desk's answer was too large: {error}")
            return
        if not self._waiting:
            data = self._write(data)
        if data:
            if not self._waiting:
                self._loop.add_writer(self._sock, self._writable)
            self._waiting.append(data)
            self._waiting_bytes += len(data)
            if self._waiting_bytes > MOST_WAITING:
                self.close()

    def refuse(self, reason: Refusal, text: str) -> None:
        """Say why, and end the connection."""
        self.send(wire.Refused(reason, text))
        self._ending = True
        if not self._waiting:
            self.close()

    def close(self) -> None:
        if self._sock.fileno() < 0:
            return
        self._hello_due.cancel()
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        self._sock.close()
        self._server.ended(self)

    def _no_hello(self) -> None:
        if not self.said_hello:
            self.refuse(Refusal.BAD_REQUEST, f"Nothing was said within {HELLO_WITHIN:g} s; connect again.")

    def _readable(self) -> None:
        try:
            data, fds, _, _ = socket.recv_fds(self._sock, _READ, _MOST_FDS)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()
            return
        try:
            if not data:
                self.close()
            elif not self._ending:
                self._take(data, fds)
        except WireError as error:
            self._server.broke_protocol(self, error)
            self.refuse(error.reason, str(error))
        except Exception as error:  # noqa: BLE001 - one client's message must not take the desk from the others (X02)
            log.error("The desk failed over a message of process %d and ended its connection: %r", self.pid, error)
            write_down(error)
            text = "The desk failed over this message; what was said before it counts. Its log is logs/desk.log."
            self.refuse(Refusal.BAD_REQUEST, text)
        finally:
            for fd in fds:
                os.close(fd)

    def _take(self, data: bytes, fds: list[int]) -> None:
        for body in self._reader.feed(data):
            self._count()
            message = wire.decode_at_desk(body)
            if isinstance(message, wire.Opening):
                if self.said_hello:
                    raise WireError(Refusal.BAD_REQUEST, "Hello was said twice on one connection.")
                self.said_hello = True
                self._hello_due.cancel()
            elif not self.said_hello:
                raise WireError(Refusal.BAD_REQUEST, "The first message must say who is there.")
            self._server.on_message(self, message, fds)
            if self._ending or self._sock.fileno() < 0:
                return

    def _count(self) -> None:
        second = int(self._loop.time())
        self._frames = self._frames + 1 if second == self._second else 1
        self._second = second
        if self._frames > (most := self._server.most_messages):
            raise WireError(
                Refusal.TOO_FAST,
                f"More than {most} messages came within a second. Those before were taken; connect again.",
            )

    def _write(self, data: memoryview) -> memoryview:
        try:
            return data[self._sock.send(data) :]
        except (BlockingIOError, InterruptedError):
            return data
        except OSError:
            # Its end shows as an end of reading, which tells the rest of the desk.
            return data[:0]

    def _writable(self) -> None:
        while self._waiting:
            first = self._waiting.popleft()
            rest = self._write(first)
            self._waiting_bytes -= len(first) - len(rest)
            if rest:
                self._waiting.appendleft(rest)
                return
        self._loop.remove_writer(self._sock)
        if self._ending:
            self.close()


class AppServer:
    """Accepts on the socket the keeper owns. ``on_message`` gets every message with the descriptors beside it

    (closed afterwards: keep a duplicate); ``on_end`` every end; ``on_broken`` a client that broke the protocol.
    ``most_messages``: as many a client may send within one second (X02).
    """

    def __init__(
        self,
        listener: socket.socket,
        on_message: Callable[[Connection, wire.ToDesk, list[int]], None],
        on_end: Callable[[Connection], None],
        on_broken: Callable[[Connection, WireError], None],
        most_messages: int,
    ) -> None:
        self._listener = listener
        self.most_messages = most_messages
        self.on_message = on_message
        self._on_end = on_end
        self._on_broken = on_broken
        self._connections: set[Connection] = set()
        self._loop = asyncio.get_running_loop()
        self._again: asyncio.TimerHandle | None = None
        listener.setblocking(False)
        self._loop.add_reader(listener, self._accept)

    def close(self) -> None:
        if self._again is not None:
            self._again.cancel()
        self._loop.remove_reader(self._listener)
        for connection in list(self._connections):
            connection.close()

    def ended(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._on_end(connection)

    def broke_protocol(self, connection: Connection, error: WireError) -> None:
        self._on_broken(connection, error)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            # No descriptor is left. Whoever knocks waits in the socket; asking at once again would be all we do.
            log.error("Nobody can connect to the desk just now (%s); it looks again in %g s.", error, LOOK_AGAIN)
            self._loop.remove_reader(self._listener)
            self._again = self._loop.call_later(LOOK_AGAIN, self._loop.add_reader, self._listener, self._accept)
            return
        sock.setblocking(False)
        connection = Connection(self, sock)
        self._connections.add(connection)
        if sum(other.pid == connection.pid for other in self._connections) > MOST_CONNECTIONS:
            text = (
                f"Process {connection.pid} holds {MOST_CONNECTIONS} connections to the desk already. Close some first."
            )
            connection.refuse(Refusal.TOO_MANY, text)
