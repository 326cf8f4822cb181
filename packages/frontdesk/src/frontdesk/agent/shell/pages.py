"""The apps' listening sockets, kept open by the keeper while app and desk come and go (contract L06, L11).

Nobody accepts on them here. A listening socket shared with other processes shares its blocking mode too, so it is
never changed.
"""

import socket
from collections.abc import Sequence

from frontdesk.wire.keeper import PAGES_MOST, KeeperRefusal


class PageRefused(Exception):
    """No such socket can be kept; what was there is kept."""

    def __init__(self, reason: KeeperRefusal, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Pages:
    """One listening TCP socket by app id."""

    def __init__(self) -> None:
        self._sockets: dict[str, socket.socket] = {}

    def open(self, app: str, port: int) -> socket.socket:
        """The app's socket; made on 127.0.0.1:port (0: any free one) when there is none."""
        if app not in self._sockets:
            self._insist_on_room()
            try:
                self._sockets[app] = socket.create_server(("127.0.0.1", port), backlog=128)
            except (OSError, OverflowError) as error:
                raise PageRefused(KeeperRefusal.LISTEN_FAILED, f"Could not listen on port {port}: {error}.") from error
        return self._sockets[app]

    def adopt(self, app: str, handed: Sequence[int]) -> None:
        """Keep the socket that was handed over (one descriptor, ours from now on) in place of what there was."""
        received = [_as_listening(fd) for fd in handed]
        if len(received) != 1 or received[0] is None:
            for page in received:
                if page is not None:
                    page.close()
            raise PageRefused(KeeperRefusal.NOT_LISTENING, f"{app} did not hand over one listening TCP socket.")
        try:
            if app not in self._sockets:
                self._insist_on_room()
        except PageRefused:
            received[0].close()
            raise
        self.forget(app)
        self._sockets[app] = received[0]

    def forget(self, app: str) -> None:
        """Close the app's socket, if there is one."""
        page = self._sockets.pop(app, None)
        if page is not None:
            page.close()

    def listing(self) -> tuple[tuple[str, int], ...]:
        """(app, port) of each, in the order of ``descriptors``."""
        return tuple((app, port_of(page)) for app, page in self._sockets.items())

    def descriptors(self) -> list[int]:
        return [page.fileno() for page in self._sockets.values()]

    def _insist_on_room(self) -> None:
        if len(self._sockets) >= PAGES_MOST:
            raise PageRefused(KeeperRefusal.TOO_MANY_PAGES, f"{PAGES_MOST} pages are open already.")


def port_of(page: socket.socket) -> int:
    return int(page.getsockname()[1])


def _as_listening(fd: int) -> socket.socket | None:
    """The descriptor as a socket, or None (and closed) when it is not a listening TCP socket."""
    try:
        page = socket.socket(fileno=fd)
    except OSError:
        socket.close(fd)
        return None
    page.set_inheritable(False)
    tcp = page.family in (socket.AF_INET, socket.AF_INET6) and page.type == socket.SOCK_STREAM
    if tcp and page.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return page
    page.close()
    return None
