"""One person's network: TCP proxies on loopback between their programs and the servers, good, slow or off at will."""

import asyncio
import contextlib
import enum
import socket
import struct
from pathlib import Path

from demo.errors import DemoError
from demo.ports import LOOPBACK, Claim, claim_noted
from demo.throttle import Line, Throttle

SLOW = Line(latency=3.0, rate=8192.0, setup=0.5)
"""A train in a valley: three seconds each way, 8 KiB/s. A message sent is still on its way when the window has been
gone for the two seconds that Lobby waits."""

_PIECE = 1024
"""Bytes read at a time while slow: small enough that the rate is felt within a message."""
_PIECES_UNDER_WAY = 64


class Condition(enum.StrEnum):
    """What a person's network is like."""

    GOOD = "good"
    SLOW = "slow"
    OFF = "off"


class Network:
    """All proxies of one person. `set()` takes effect at once, also on connections that are open:

    *off* resets them and refuses new ones; *slow* delays bytes and the setting up of connections; *good* lets pass.
    """

    def __init__(self, slow: Line = SLOW) -> None:
        self.slow = slow
        self.condition = Condition.GOOD
        self._changed = asyncio.Event()
        self._up, self._down = Throttle(slow), Throttle(slow)
        self._servers: list[asyncio.Server] = []
        self._links: dict[asyncio.Task[None], set[asyncio.StreamWriter]] = {}

    async def proxy(self, upstream: int, note: Path | None = None) -> int:
        """Opens a proxy to the port `upstream` of this machine and gives its own port.

        That is the one written in the file `note` if it is free; which one it is, is written there.
        """

        async def link(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # Only `stop()` cancels; Python 3.11 prints a traceback about a cancelled connection handler.
            with contextlib.suppress(asyncio.CancelledError):
                await self._link(reader, writer, upstream)

        try:
            with claim_noted(note) if note else Claim() as claim:
                self._servers.append(await asyncio.start_server(link, LOOPBACK, claim.port))
        except OSError as reason:
            raise DemoError(f"No port for a network proxy: {reason}. Start the demo again.") from reason
        return claim.port

    def set(self, condition: Condition) -> None:
        """Changes the network, from now on."""
        self.condition = condition
        self._up, self._down = Throttle(self.slow), Throttle(self.slow)
        # Everyone who waits on the old condition looks anew.
        self._changed.set()
        self._changed = asyncio.Event()
        if condition is Condition.OFF:
            for writers in self._links.values():
                for writer in writers:
                    _reset(writer)

    async def stop(self) -> None:
        """Ends all proxies and their connections."""
        for server in self._servers:
            server.close()
        for writers in self._links.values():
            for writer in writers:
                _reset(writer)
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream: int) -> None:
        task = asyncio.current_task()
        assert task is not None
        writers = self._links[task] = {writer}
        try:
            await self._late_by(self.slow.setup)
            self._refuse_when_off()
            far_reader, far_writer = await asyncio.open_connection(LOOPBACK, upstream)
            writers.add(far_writer)
            self._refuse_when_off()
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(reader, far_writer, up=True))
                both.create_task(self._carry(far_reader, writer, up=False))
            for each in writers:
                each.close()  # What is written still arrives.
        # A connection that breaks is what this file is for; both ends have felt it.
        except* OSError:
            for each in writers:
                _reset(each)
        finally:
            del self._links[task]

    def _refuse_when_off(self) -> None:
        if self.condition is Condition.OFF:
            raise ConnectionRefusedError("The network is off.")

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, up: bool) -> None:
        """Carries bytes one way; pieces are under way together, as on a real line."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_PIECES_UNDER_WAY)
        clock = asyncio.get_running_loop().time

        async def deliver() -> None:
            while True:
                due, piece = await under_way.get()
                await self._late_by(due - clock())
                if not piece:
                    break
                writer.write(piece)
                await writer.drain()
            with contextlib.suppress(OSError):
                writer.write_eof()

        async with asyncio.TaskGroup() as both:
            both.create_task(deliver())
            while True:
                piece = await reader.read(_PIECE if self.condition is Condition.SLOW else 65536)
                throttle = self._up if up else self._down
                due = throttle.due(len(piece), clock()) if self.condition is Condition.SLOW else 0.0
                await under_way.put((due, piece))
                if not piece:
                    break

    async def _late_by(self, seconds: float) -> None:
        """Waits `seconds` while the network is slow; not at all once it is anything else."""
        if self.condition is Condition.SLOW and seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), seconds)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Closes a connection with RST, as a cable pulled and plugged in again does: nothing lingers, nobody waits."""
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
