"""What a process of an app finds around it: its launch, its lock, its desk, the clocks and the signals to leave.

``frontdesk.testing`` puts others in their place for the apps that it runs within a test's own process.
"""

import asyncio
import functools
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from frontdesk import places
from frontdesk.app.launch import launch_token
from frontdesk.app.one_process import take_lock
from frontdesk.start import start_desk

Greeting = Callable[[], tuple[bytes, list[int]]]
"""Makes the first frame, and the descriptors that go beside it."""

TAKEN_WITHIN = 5.0
"""Seconds in which a desk at whose socket too many wait has to take one of them."""

_KNOCK_AGAIN = 0.02


async def reach_socket(
    path: Path, greeting: Greeting, protocol: Callable[[], asyncio.Protocol]
) -> asyncio.WriteTransport:
    """Connect to the desk's Unix socket and say the first words; ``OSError`` when nobody is there or stays."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        await connect(sock, path)
        first, fds = greeting()
        # The first frame is small and the socket new: it is taken whole, with its descriptors beside it.
        socket.send_fds(sock, [first], fds)
        transport, _ = await asyncio.get_running_loop().create_unix_connection(protocol, sock=sock)
    except BaseException:
        sock.close()
        raise
    return transport


async def connect(sock: socket.socket, path: Path) -> None:
    """Connect to a Unix socket; ``BlockingIOError`` when too many wait there for all of ``TAKEN_WITHIN``.

    The event loop's own way takes that error for a connection which is about to come, and then for one that is there.
    """
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    until = loop.time() + TAKEN_WITHIN
    while True:
        try:
            sock.connect(str(path))
            return
        except BlockingIOError:
            if loop.time() > until:
                raise
        await asyncio.sleep(_KNOCK_AGAIN)


class Surroundings:
    """Those of a real process."""

    def launch_token(self) -> str:
        """The token of this launch; "" when no desk launched it."""
        return launch_token()

    def take_lock(self, app: str) -> Callable[[], None] | None:
        """Be the one process of this app (contract X04): what gives that up again; None: another one is it."""
        lock = take_lock(app)
        return None if lock is None else functools.partial(os.close, lock)

    def desk_socket(self) -> Path:
        """Where the desk is reached, for ``reach_desk`` and for messages."""
        return places.desk_socket()

    async def reach_desk(
        self, path: Path, greeting: Greeting, protocol: Callable[[], asyncio.Protocol]
    ) -> asyncio.WriteTransport:
        """As ``reach_socket``."""
        return await reach_socket(path, greeting, protocol)

    def start_desk(self) -> None:
        """Nothing answered: have a desk (contract L14). Blocks; ``FrontdeskError``."""
        start_desk()

    def time(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that nobody can set."""
        return time.monotonic()

    @contextmanager
    def asked_to_leave(self, leave: Callable[[], None]) -> Iterator[None]:
        """Inside, ``leave`` is called on SIGTERM and SIGINT."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, leave)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


AROUND: ContextVar[Surroundings] = ContextVar("frontdesk_surroundings")
"""What an ``App`` that is made or started here finds around it, where a test has set it."""


def around() -> Surroundings:
    """What this process, or the test that runs the app, has around it."""
    return AROUND.get(_REAL)


_REAL = Surroundings()
