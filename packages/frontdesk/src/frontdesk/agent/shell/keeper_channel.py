"""The desk's end of its channel to the keeper: asks for launches and sockets, hears which launched apps ended.

The other end is ``desk_channel``. Belongs to one event loop; no thread, and idle it wakes nobody.
"""

import asyncio
import collections
import os
import socket
from collections.abc import Callable, Sequence
from typing import TypeVar

from frontdesk.environment import KEEPER_FD
from frontdesk.errors import FrontdeskError, WireError
from frontdesk.wire import keeper as wire

_GONE = "The keeper is gone. Apps run on; start the desk again."
_Answer = TypeVar("_Answer", bound=wire.Reply)


class KeeperLost(FrontdeskError):
    """The keeper is gone, so nothing can be launched; apps run on. The desk is to leave."""


class KeeperRefused(FrontdeskError):
    """The keeper did not do it, and changed nothing. ``reason`` is stable, the text is for a person."""

    def __init__(self, reason: wire.KeeperRefusal, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class LaunchFailed(KeeperRefused):
    """The program could not be started."""


class ListenFailed(KeeperRefused):
    """The port is taken, or there is no room for another page."""


class KeeperChannel:
    """Set at once: ``on_exit(pid, status)`` hears of ends of launched processes, ``on_lost()`` of the keeper's end.

    A status is an exit status, or minus the number of a signal. It is reported to this desk and the next ones until
    ``seen(pid)``: call that when the news is safe.
    """

    def __init__(self, end: socket.socket) -> None:
        """``end`` is a SOCK_SEQPACKET socket, ours from now on. Needs a running event loop."""
        end.setblocking(False)
        self._end = end
        self._loop = asyncio.get_running_loop()
        self._asked: dict[int, asyncio.Future[tuple[wire.Reply, list[int]]]] = {}
        self._outbox: collections.deque[tuple[bytes, list[int]]] = collections.deque()
        self._number = 0
        self.on_exit: Callable[[int, int], None] = lambda pid, status: None
        self.on_lost: Callable[[], None] = lambda: None
        self._loop.add_reader(end, self._readable)

    @classmethod
    def from_environment(cls) -> "KeeperChannel":
        """The channel that the keeper handed to this process (``environment.KEEPER_FD``). KeyError: it did not."""
        end = socket.socket(fileno=int(os.environ[KEEPER_FD]))
        end.set_inheritable(False)
        return cls(end)

    async def launch(
        self,
        app: str,
        argv: Sequence[str],
        *,
        env: dict[str, str],
        cwd: str,
        log: str,
        cgroup: str | None = None,
        listen: bool = False,
    ) -> int:
        """Start a program in a session of its own; its process id. Arguments: see ``wire.keeper.Launch``.

        Raises:
            LaunchFailed: there is no such program, or its log, folder or cgroup cannot be used.
        """
        request = wire.Launch(app, tuple(argv), env, cwd, log, cgroup, listen)
        return (await self._ask(request, wire.Launched))[0].pid

    async def listen(self, app: str, port: int = 0) -> socket.socket:
        """The app's listening socket on 127.0.0.1; made at ``port`` (0: any) unless the keeper has one. Raises
        ListenFailed. The descriptor is the caller's, the socket stays the keeper's."""
        _, fds = await self._ask(wire.Listen(app, port), wire.Listening)
        return _sockets(fds)[0]

    async def adopt(self, app: str, page: socket.socket) -> None:
        """Let the keeper keep this listening socket for the app, in place of what it has. ``page`` stays open here."""
        await self._ask(wire.Adopt(app), wire.Done, [page.fileno()])

    async def forget(self, app: str) -> None:
        """Close the keeper's socket for the app."""
        await self._ask(wire.Forget(app), wire.Done)

    async def sockets(self) -> dict[str, socket.socket]:
        """All listening sockets by app; the descriptors are the caller's."""
        answer, fds = await self._ask(wire.ListPages(), wire.Pages)
        return dict(zip((app for app, _ in answer.pages), _sockets(fds), strict=True))

    async def children(self) -> list[tuple[str, int]]:
        """(app, process id) of every launched process that lives."""
        return list((await self._ask(wire.ListChildren(), wire.Children))[0].children)

    def seen(self, pid: int) -> None:
        """The news of this end is safe: no other desk needs to hear it."""
        if not self._closed:
            self._send(wire.encode(0, wire.Seen(pid)), [])

    def close(self) -> None:
        """Hang up. The keeper takes it as a desk that leaves; who still waits for an answer gets KeeperLost."""
        if self._closed:
            return
        self._loop.remove_reader(self._end)
        self._loop.remove_writer(self._end)
        self._end.close()
        for _, fds in self._outbox:
            _close(fds)
        self._outbox.clear()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(KeeperLost(_GONE))
        self._asked.clear()

    async def _ask(
        self, request: wire.Request, kind: type[_Answer], fds: Sequence[int] = ()
    ) -> tuple[_Answer, list[int]]:
        if self._closed:
            raise KeeperLost(_GONE)
        self._number += 1
        data = self._encoded(request)
        answered = self._asked[self._number] = self._loop.create_future()
        self._send(data, [os.dup(fd) for fd in fds])
        answer, handed = await answered
        if isinstance(answer, kind):
            return answer, handed
        _close(handed)
        if not isinstance(answer, wire.Refused):
            self._lost()
            raise KeeperLost(f"The keeper answered {type(answer).__name__} to {type(request).__name__}.")
        kinds = {wire.Launch: LaunchFailed, wire.Listen: ListenFailed}
        raise kinds.get(type(request), KeeperRefused)(answer.reason, answer.text)

    def _encoded(self, request: wire.Request) -> bytes:
        try:
            return wire.encode(self._number, request)
        except WireError as error:
            raise LaunchFailed(
                wire.KeeperRefusal.BAD_REQUEST, f"Command and environment are too large: {error}"
            ) from error

    @property
    def _closed(self) -> bool:
        return self._end.fileno() < 0

    def _send(self, data: bytes, fds: list[int]) -> None:
        self._outbox.append((data, fds))
        self._writable()

    def _writable(self) -> None:
        """Send what waits, as far as the keeper takes it."""
        while self._outbox:
            data, fds = self._outbox[0]
            try:
                socket.send_fds(self._end, [data], fds)
            except BlockingIOError:
                self._loop.add_writer(self._end, self._writable)
                return
            except OSError:
                # Its end has gone; the reader hears the same. Whoever asked is told by close().
                self._lost()
                return
            self._outbox.popleft()
            _close(fds)
        self._loop.remove_writer(self._end)

    def _readable(self) -> None:
        try:
            data, fds, _, _ = socket.recv_fds(self._end, wire.DATAGRAM_MOST + 1, wire.PAGES_MOST)
        except BlockingIOError:
            return
        except OSError:
            data, fds = b"", []
        for fd in fds:
            os.set_inheritable(fd, False)
        try:
            number, report = wire.decode_report(data)
        except WireError:  # an empty datagram is the end; anything else comes from a keeper of another make
            _close(fds)
            self._lost()
            return
        if isinstance(report, wire.Exited):
            self.on_exit(report.pid, report.status)
            return
        answered = self._asked.pop(number, None)
        if answered is None or answered.done():
            _close(fds)  # whoever asked was cancelled meanwhile
        else:
            answered.set_result((report, fds))

    def _lost(self) -> None:
        if not self._closed:
            self.close()
            self.on_lost()


def _sockets(fds: list[int]) -> list[socket.socket]:
    return [socket.socket(fileno=fd) for fd in fds]


def _close(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)
