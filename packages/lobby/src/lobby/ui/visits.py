"""Which account a request is about: its messenger, what its addresses begin with, and what stands around its panes.

Account 1 has the plain addresses, account N the same ones under ``/account/N``.
"""

from collections.abc import Callable, Iterable

from aiohttp import web

from lobby.core.views import Connection
from lobby.messenger import Accounts, Messenger
from lobby.ui.scenes import Neighbour, Scene, Scenes

FIRST = 1


def base_of(number: int) -> str:
    """What the addresses of that account begin with."""
    return "" if number == FIRST else f"/account/{number}"


def for_each_account(routes: Iterable[web.RouteDef]) -> list[web.RouteDef]:
    """The same addresses, and those of the other accounts."""
    routes = list(routes)
    under = [
        web.RouteDef(route.method, "/account/{account:[1-9][0-9]{0,5}}" + route.path, route.handler, route.kwargs)
        for route in routes
    ]
    return [*routes, *under]


class Visits:
    """What a handler asks of a request. ``csrf``: the form token of its session."""

    def __init__(self, accounts: Accounts, scenes: Scenes, csrf: Callable[[web.Request], str]) -> None:
        self._accounts = accounts
        self._scenes = scenes
        self.csrf = csrf

    def number(self, request: web.Request) -> int:
        """The account that the address names, whether or not there is one."""
        return int(request.match_info.get("account", FIRST))

    def base(self, request: web.Request) -> str:
        return base_of(self.number(request))

    def messenger(self, request: web.Request) -> Messenger:
        """Raises HTTPSeeOther where nobody is logged in: to the page that says what to do."""
        messenger = self._accounts.messenger(self.number(request))
        if messenger is None:
            raise web.HTTPSeeOther("/")
        return messenger

    def scene(self, request: web.Request) -> Scene:
        """What stands around every pane now. Raises HTTPSeeOther as ``messenger`` does."""
        scene = self.scenes(request)()
        if scene is None:
            raise web.HTTPSeeOther("/")
        return scene

    def scenes(self, request: web.Request) -> Callable[[], Scene | None]:
        """Gives what stands around the panes of that account whenever it is called; None: it is not there any more."""
        number, csrf = self.number(request), self.csrf(request)

        def now() -> Scene | None:
            messenger = self._accounts.messenger(number)
            return self._scenes.scene(messenger, csrf, base_of(number), self._others(number)) if messenger else None

        return now

    def _others(self, number: int) -> list[Neighbour]:
        return [
            Neighbour(
                base_of(other),
                account.name,
                account.user_id,
                sum(chat.unread for chat in messenger.chats()) + len(messenger.invitations()),
                account.connection is Connection.SIGNED_OUT,
            )
            for other in self._accounts.numbers()
            if other != number and (messenger := self._accounts.messenger(other)) and (account := messenger.account())
        ]
