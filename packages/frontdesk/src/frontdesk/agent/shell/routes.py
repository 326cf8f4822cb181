"""Stands in for NetworkManager: the machine is on line when a route leads out of it, over an interface that works.

Also where that is there and has no connection of its own making. Looked at when the kernel says that interfaces or
routes changed. What is sent may cost money or not: nobody can tell.
"""

import fcntl
import logging
import socket
import struct
from pathlib import Path

from frontdesk.agent.shell import kernel_news
from frontdesk.agent.shell.kernel_news import KernelNews
from frontdesk.agent.shell.service_properties import Tell
from frontdesk.terms import Condition

log = logging.getLogger("frontdesk.conditions")

SOURCE = "the kernel's routes"

_ROUTES_4, _ROUTES_6 = Path("/proc/net/route"), Path("/proc/net/ipv6_route")
_UP, _REJECT = 0x1, 0x200
"""``RTF_UP``, ``RTF_REJECT`` of a route."""
_ASK_FLAGS, _RUNNING = 0x8913, 0x40
"""``SIOCGIFFLAGS``; ``IFF_RUNNING``: the cable is in, the radio is connected (netdevice(7))."""


class Routes:
    """A ``StandIn`` for the network."""

    for_condition = Condition.NETWORK

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        groups = kernel_news.LINKS | kernel_news.ROUTES_4 | kernel_news.ROUTES_6
        self._news = KernelNews(kernel_news.ROUTE, groups, lambda _: self.refresh())
        self._on = False

    def start(self) -> None:
        if not self._on:
            self._on = True
            if not self._news.listen():
                log.info("The kernel does not tell of networks; they are looked at when the desk is awake.")
            self.refresh()

    def stop(self) -> None:
        if self._on:
            self._on = False
            self._news.close()
            self._tell(SOURCE, Condition.NETWORK, "")

    def refresh(self) -> None:
        """The desk is awake anyway."""
        if not self._on:
            return
        texts = [_text(_ROUTES_4), _text(_ROUTES_6)]
        if texts == [None, None]:
            self._tell(SOURCE, Condition.NETWORK, "")
            return
        ways_out = ways_out_4(texts[0] or "") | ways_out_6(texts[1] or "")
        self._tell(SOURCE, Condition.NETWORK, "online" if any(map(_works, ways_out)) else "offline")


def ways_out_4(table: str) -> set[str]:
    """Interfaces of default routes in the text of /proc/net/route; lines of another shape are passed over."""
    found = set()
    for line in table.splitlines()[1:]:
        match line.split():
            case [interface, "00000000", _, flags, _, _, _, "00000000", *_] if _leads(flags):
                found.add(interface)
    return found


def ways_out_6(table: str) -> set[str]:
    """The same of /proc/net/ipv6_route."""
    found = set()
    for line in table.splitlines():
        match line.split():
            case [destination, "00", _, _, _, _, _, _, flags, interface] if not destination.strip("0") and _leads(
                flags
            ):
                found.add(interface)
    return found - {"lo"}


def _leads(flags: str) -> bool:
    try:
        return int(flags, 16) & (_UP | _REJECT) == _UP
    except ValueError:
        return False


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return None


def _works(interface: str) -> bool:
    """By system call, not by /sys: that shows the network of whoever mounted it."""
    asked = struct.pack("16sH22x", interface.encode()[:15], 0)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as asking:
            (flags,) = struct.unpack_from("H", fcntl.ioctl(asking, _ASK_FLAGS, asked), 16)
    except OSError:
        return False  # it is gone
    return bool(flags & _RUNNING)
