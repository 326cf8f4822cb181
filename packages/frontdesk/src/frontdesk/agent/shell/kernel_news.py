"""What the kernel says by itself: a netlink socket that is told when something of the machine changes (netlink(7))."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable

ROUTE, UEVENT = 0, 15
"""``NETLINK_ROUTE`` and ``NETLINK_KOBJECT_UEVENT``."""
LINKS, ROUTES_4, ROUTES_6 = 0x1, 0x40, 0x400
"""Groups of ``ROUTE`` (rtnetlink(7)): interfaces, and routes of both families."""
DEVICES = 0x1
"""Group of ``UEVENT``: what the kernel itself says of devices."""

_ROOM = 65536
_AT_ONCE = 256
"""Messages taken before others of the event loop have their turn."""


class KernelNews:
    """Calls ``on_news`` with the messages that wait, while it listens; one look may answer them all.

    None among them: some were lost, for there were too many.
    """

    def __init__(self, protocol: int, groups: int, on_news: Callable[[list[bytes | None]], None]) -> None:
        self._protocol, self._groups, self._on_news = protocol, groups, on_news
        self._socket: socket.socket | None = None

    def listen(self) -> bool:
        """False: this system lets nobody, or not us."""
        try:
            self._listen_at(_open(self._protocol, self._groups))
        except (OSError, AttributeError):  # the latter: a system without netlink
            return False
        return True

    def _listen_at(self, opened: socket.socket) -> None:
        opened.setblocking(False)
        self._socket = opened
        asyncio.get_running_loop().add_reader(opened.fileno(), self._heard)

    def close(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _heard(self) -> None:
        news: list[bytes | None] = []
        while self._socket is not None and len(news) < _AT_ONCE:
            try:
                news.append(self._socket.recv(_ROOM))
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                news.append(None)
        if news:
            self._on_news(news)


def _open(protocol: int, groups: int) -> socket.socket:
    with contextlib.ExitStack() as undo:
        opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        undo.callback(opened.close)
        opened.bind((0, groups))
        undo.pop_all()
    return opened
