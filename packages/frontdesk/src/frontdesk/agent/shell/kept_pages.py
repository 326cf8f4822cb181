"""The desk's part in the apps' listening sockets: the keeper holds them, ``page_watch`` looks at them (L11)."""

import socket
from collections.abc import Callable, Coroutine
from typing import Any

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.shell.keeper_channel import KeeperChannel, KeeperRefused, ListenFailed
from frontdesk.agent.shell.page_watch import PageWatch

PageEffect = do.WatchPage | do.TurnAway | do.ForgetPage


class KeptPages:
    """``start`` runs what takes a while. ``port_before(app)``: where its page was, 0 where that does not matter."""

    def __init__(
        self,
        keeper: KeeperChannel,
        post: Callable[[ev.Event], None],
        start: Callable[[Coroutine[Any, Any, None]], None],
        port_before: Callable[[str], int],
    ) -> None:
        self._keeper, self._post, self._start, self._port_before = keeper, post, start, port_before
        self._watch = PageWatch(lambda app: post(ev.PageVisited(app)))

    async def take_up(self) -> None:
        """Those that the keeper has held since the desk before."""
        for app, page in (await self._keeper.sockets()).items():
            self._watch.keep(app, page)

    async def keep(self, app: str) -> None:
        """See that the keeper holds the app's listening socket, at the port it had before."""
        if self._watch.has(app):
            return
        try:
            self._watch.keep(app, await self._keeper.listen(app, self._port_before(app)))
        except ListenFailed as error:
            # A running app of an earlier keeper has it still; it brings it along when it connects.
            self._post(ev.Noticed(app, "no_page", f"its page's port is taken: {error}"))

    def take(self, app: str, page: socket.socket) -> None:
        """An app brought the one it has; the keeper gets it when it holds another, or none."""
        if self._watch.port(app) == page.getsockname()[1]:
            page.close()
            return
        self._watch.keep(app, page)
        self._start(self._adopt(app, page))

    def carry_out(self, effect: PageEffect) -> None:
        match effect:
            case do.WatchPage(app=app, on=True):
                self._watch.watch(app)
            case do.WatchPage(app=app):
                self._watch.unwatch(app)
            case do.TurnAway(app=app):
                self._watch.turn_away(app)
            case do.ForgetPage(app=app):
                self._watch.forget(app)
                self._start(self._keeper.forget(app))

    async def _adopt(self, app: str, page: socket.socket) -> None:
        if page.fileno() < 0:
            return  # the app was removed, or brought another, before this began
        try:
            await self._keeper.adopt(app, page)
        except (KeeperRefused, OSError) as error:
            self._post(ev.Noticed(app, "no_page", f"its page is not kept while it is away: {error}"))
