"""What the addresses of coming and going do: log in by password or single sign-on, add an account, log out.

A log-in has two steps, each a form that works without scripts: which homeserver, then one of the ways in that it
offers. Single sign-on leaves for the homeserver's pages and comes back with a token; what comes back counts once, for
the session that began it, so that no other site can log this Lobby in to an account of its own (login CSRF).
"""

import secrets
from collections.abc import Callable

from aiohttp import web

from lobby.core.views import Connection, WaysIn
from lobby.messenger import Accounts, Cleartext, LobbyError, LoginRefused
from lobby.ui.answers import html, see
from lobby.ui.forms import read_form
from lobby.ui.people import server_of
from lobby.ui.render import Door, Renderer
from lobby.ui.sessions import SIGN_ON_TIME, SessionStore, SignOn, digest
from lobby.ui.visits import FIRST, Visits, base_of, for_each_account

ADD = "/account/new"
"""Where another account is added."""

BACK = "/sign-on/"
"""What the address begins with at which a browser comes back from single sign-on."""

STILL_LISTED = (
    "You are logged out here, and nothing is kept. The homeserver could not be told, so it still lists this computer "
    "as logged in: end that from another client, or in the homeserver's settings."
)

OVER = (
    "That sign-on is over: it is good for ten minutes, once, and in the browser that began it. Nothing was changed; "
    "begin again."
)


class LoginRoutes:
    """The handlers. ``session``: the digest of a request's session. ``clock``: seconds since 1970."""

    def __init__(
        self,
        accounts: Accounts,
        visits: Visits,
        renderer: Renderer,
        sessions: SessionStore,
        session: Callable[[web.Request], str],
        clock: Callable[[], float],
    ) -> None:
        self._accounts = accounts
        self._visits = visits
        self._renderer = renderer
        self._sessions = sessions
        self._session = session
        self._clock = clock

    def table(self) -> list[web.RouteDef]:
        """The addresses."""
        return [
            web.get(ADD, self._add_page),
            web.post(ADD, self._log_in),
            web.post(f"{ADD}/sign-on", self._sign_on),
            # Once: a HEAD must not use it up.
            web.get(BACK + "{state}", self._signed_on, allow_head=False),
            *for_each_account(
                [
                    web.get("/", self._home),
                    web.get("/login", self._login_page),
                    web.post("/login", self._log_in),
                    web.post("/login/sign-on", self._sign_on),
                ]
            ),
        ]

    async def log_out(self, request: web.Request) -> web.Response:
        """Log out of the homeserver. Raises LobbyError: what is kept here could not be removed."""
        told = await self._accounts.log_out(self._visits.number(request))
        return see("/" if told else "/login?listed")

    async def _home(self, request: web.Request) -> web.StreamResponse:
        number = self._visits.number(request)
        if self._accounts.messenger(number) is not None:
            return html(self._renderer.no_chat(self._visits.scene(request)))
        numbers = self._accounts.numbers()
        if numbers:
            return see(f"{base_of(numbers[0])}/")
        return self._door(request, Door("/login")) if number == FIRST else see("/")

    async def _login_page(self, request: web.Request) -> web.StreamResponse:
        again = self._again(self._visits.number(request))
        if again is not None:
            return await self._door_with_ways(request, again)
        listed = "listed" in request.query
        if self._accounts.numbers() and not listed:
            return see("/")
        return self._door(request, Door("/login", error=STILL_LISTED if listed else "", back=self._back()))

    async def _add_page(self, request: web.Request) -> web.StreamResponse:
        return self._door(request, Door(ADD, back=self._back()))

    async def _log_in(self, request: web.Request) -> web.StreamResponse:
        """Both steps: which homeserver, and (with a password) who."""
        form = await read_form(request)
        user, named = form.get("user", "").strip(), form.get("homeserver", "").strip()
        if named.startswith("@"):
            user, named = user or named, server_of(named)
        door = self._named(request).typed(named, user)
        try:
            if "password" not in form:
                return self._door(request, door.offering(await self._accounts.ways_in(named)))
            if not user or not form["password"]:
                raise LoginRefused("User name and password are needed.")
            if not (named or server_of(user)):
                raise LoginRefused("Which homeserver? Give its address, or your whole Matrix address as the user name.")
            number = await self._accounts.log_in(
                named or server_of(user), user, form["password"], form.get("cleartext", ""), door.number
            )
        except LoginRefused as refusal:
            return await self._refused(request, door, refusal)
        return see(f"{base_of(number)}/")

    async def _sign_on(self, request: web.Request) -> web.StreamResponse:
        """Send the browser to the homeserver's sign-on. By a page: a form's answer may not lead to another site."""
        form = await read_form(request)
        door = self._named(request).typed(form.get("homeserver", ""), form.get("user", ""))
        agreed, state = form.get("cleartext", ""), secrets.token_urlsafe(32)
        back = f"http://{request.host}{BACK}{state}"
        try:
            ways = await self._accounts.ways_in(door.homeserver)
            provider = next((one for one in ways.providers if one.id == form.get("provider", "")), None)
            if provider is None:
                raise LoginRefused(f"{ways.homeserver} does not offer that sign-on any more. Nothing was changed.")
            address = self._accounts.sign_on_address(ways.homeserver, provider.id, back, agreed)
        except LoginRefused as refusal:
            return await self._refused(request, door, refusal)
        now = self._clock()
        begun = SignOn(self._session(request), ways.homeserver, agreed, door.number, now + SIGN_ON_TIME)
        self._sessions.sign_on_begin(digest(state), begun, now)
        return html(self._renderer.sign_on(address, ways.homeserver))

    async def _signed_on(self, request: web.Request) -> web.StreamResponse:
        """A browser is back."""
        begun = self._sessions.sign_on_end(digest(request.match_info["state"]))
        token = request.query.get("loginToken", "")
        if begun is None or begun.session != self._session(request) or begun.until <= self._clock() or not token:
            return self._door(request, self._beside().refusing(OVER), 422)
        try:
            number = await self._accounts.log_in_by_token(begun.homeserver, token, begun.cleartext, begun.account)
        except LoginRefused as refusal:
            door = (self._again(begun.account) if begun.account else None) or self._beside()
            door = door.typed(begun.homeserver, "").refusing(str(refusal))
            return await self._door_with_ways(request, door, 422)
        return see(f"{base_of(number)}/")

    async def _refused(self, request: web.Request, door: "Door", refusal: LoginRefused) -> web.StreamResponse:
        """The same step again, with what was typed and why it was not taken."""
        door = door.refusing(str(refusal), refusal.address if isinstance(refusal, Cleartext) else "")
        form = await read_form(request) if request.method == "POST" else {}
        if "password" not in form and "provider" not in form:
            return self._door(request, door, 422)
        return await self._door_with_ways(request, door, 422)

    async def _door_with_ways(self, request: web.Request, door: "Door", status: int = 200) -> web.StreamResponse:
        """The second step; where the homeserver cannot be asked now, with the form that nearly all of them take."""
        named = door.homeserver or server_of(door.user)
        try:
            ways = await self._accounts.ways_in(named)
        except LobbyError as error:
            ways = WaysIn(named, True, (), bool(door.cleartext))
            door = door if door.error else door.refusing(str(error), door.cleartext)
        return self._door(request, door.offering(ways), status)

    def _door(self, request: web.Request, door: "Door", status: int = 200) -> web.Response:
        return html(self._renderer.login(self._visits.csrf(request), door), status=status)

    def _named(self, request: web.Request) -> "Door":
        """The log-in that the address names: of somebody who was signed out, or of somebody who is not known yet."""
        adds = request.path.startswith(ADD)
        again = None if adds else self._again(self._visits.number(request))
        return again or Door(ADD if adds else "/login", back=self._back())

    def _beside(self) -> "Door":
        """The log-in of one more, or of the first."""
        return Door(ADD if self._accounts.numbers() else "/login", back=self._back())

    def _again(self, number: int) -> "Door | None":
        """The log-in of that account; None: it is not signed out."""
        messenger = self._accounts.messenger(number)
        account = messenger.account() if messenger else None
        if account is None or account.connection is not Connection.SIGNED_OUT:
            return None
        base = base_of(number)
        return Door(f"{base}/login", back=f"{base}/", number=number).typed(account.homeserver, account.user_id)

    def _back(self) -> str:
        """Where somebody goes who does not want to log in after all; empty: there is nothing else."""
        numbers = self._accounts.numbers()
        return f"{base_of(numbers[0])}/" if numbers else ""
