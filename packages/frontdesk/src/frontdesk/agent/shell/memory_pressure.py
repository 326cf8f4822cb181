"""Memory pressure as the kernel tells it (PSI, /proc/pressure/memory): an event when work stalls for want of memory.

Unprivileged programs may set a trigger from Linux 6.4 on; where that fails, nothing polls in its place (an idle desk
wakes up for nothing), and ``set_trigger`` says so by returning False.
"""

import asyncio
import os
import select
from collections.abc import Callable

STALLED, WINDOW = 150_000, 2_000_000
"""Microseconds stalled within a window of microseconds; the window must be a multiple of 2 s without privileges."""

_FILE = "/proc/pressure/memory"


class MemoryPressure:
    """Calls ``on_pressure`` when some work was stalled for 0.15 s within 2 s, at most once for each window."""

    def __init__(self, on_pressure: Callable[[], None]) -> None:
        self._on_pressure = on_pressure
        self._fd = -1
        self._poll = select.epoll()
        self._stalled_before = 0

    def set_trigger(self) -> bool:
        """False: this kernel has none for us."""
        try:
            self._fd = os.open(_FILE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            os.write(self._fd, f"some {STALLED} {WINDOW}\0".encode())
            self._poll.register(self._fd, select.EPOLLPRI)
        except OSError:
            self.close()
            return False
        self._stalled_before = _stalled_in_all()
        # asyncio watches for reading and writing only; an epoll of our own becomes readable for PRI as well.
        asyncio.get_running_loop().add_reader(self._poll.fileno(), self._told)
        return True

    def close(self) -> None:
        if not self._poll.closed:
            asyncio.get_running_loop().remove_reader(self._poll.fileno())
            self._poll.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _told(self) -> None:
        self._poll.poll(0)
        stalled = _stalled_in_all()
        # The first event after setting a trigger can be spurious: the total tells.
        if stalled - self._stalled_before >= STALLED:
            self._on_pressure()
        self._stalled_before = stalled


def _stalled_in_all() -> int:
    with open(_FILE, encoding="ascii") as file:
        return int(file.readline().rpartition("total=")[2])
