"""Watches the pages of sleeping apps: a browser's new connection, waiting in the socket, is what wakes the app (L11).

Only while the app is not running: a running app accepts for itself, and looking on would cost a wake-up each time.
"""

import asyncio
import logging
import select
import socket
from collections.abc import Callable

log = logging.getLogger("frontdesk.pages")


class PageWatch:
    """Holds the desk's ends of the apps' listening sockets. ``on_visit(app)`` is told once for each ``watch``."""

    def __init__(self, on_visit: Callable[[str], None]) -> None:
        self._on_visit = on_visit
        self._pages: dict[str, socket.socket] = {}
        self._watched: set[str] = set()
        self._wanted: set[str] = set()

    def keep(self, app: str, page: socket.socket) -> None:
        """Take this socket for the app's page, in place of an earlier one; watched if that was asked for."""
        self._unwatch(app)
        if app in self._pages:
            self._pages[app].close()
        # Left in the mode it came in: blocking or not is shared with the app, which may accept either way.
        self._pages[app] = page
        if app in self._wanted:
            self.watch(app)

    def has(self, app: str) -> bool:
        return app in self._pages

    def port(self, app: str) -> int:
        """Where the page is; 0 when there is none."""
        return int(self._pages[app].getsockname()[1]) if app in self._pages else 0

    def watch(self, app: str) -> None:
        """Tell of the next connection, one that waits already included."""
        self._wanted.add(app)
        if app in self._pages and app not in self._watched:
            self._watched.add(app)
            asyncio.get_running_loop().add_reader(self._pages[app], self._visited, app)

    def unwatch(self, app: str) -> None:
        self._wanted.discard(app)
        self._unwatch(app)

    def turn_away(self, app: str) -> None:
        """Close the connections that wait at the page of an app whose process is gone; their browsers see an end."""
        if app not in self._pages:
            return
        waiting = select.poll()
        waiting.register(self._pages[app], select.POLLIN)
        while waiting.poll(0):
            try:
                self._pages[app].accept()[0].close()
            except OSError as error:
                log.warning("A visitor of %s is left waiting at its page: %s.", app, error.strerror)
                return

    def forget(self, app: str) -> None:
        self.unwatch(app)
        if app in self._pages:
            self._pages.pop(app).close()

    def _unwatch(self, app: str) -> None:
        if app in self._watched:
            self._watched.discard(app)
            asyncio.get_running_loop().remove_reader(self._pages[app])

    def _visited(self, app: str) -> None:
        self.unwatch(app)
        self._on_visit(app)
