"""What the addresses of the page do: each reads or acts on the messenger and answers with HTML.

By the time a handler runs, ``server`` has checked host, origin, session and form token. The page's module asks for
fragments (header ``Lobby-Fragment``); a browser without scripts gets whole pages and redirects.
"""

import asyncio
import itertools
import secrets
from collections.abc import Callable

from aiohttp import ClientConnectionError, web

from lobby.core.views import Connection, Mark
from lobby.messenger import ChatRefused, Cleartext, LobbyError, LoginRefused, Messenger, NotKept
from lobby.ui.answers import html, is_fragment, see, see_chat
from lobby.ui.forms import read_form
from lobby.ui.people import PersonUnclear, read_people, server_of
from lobby.ui.render import LONGEST_TEXT, Conversation, Renderer
from lobby.ui.scenes import Scene, Scenes
from lobby.ui.stream import NEWEST, Stream, conversation

MOST_SHOWN = 2000
"""Bubbles on one page; who wants more searches."""

OLDER_PAGES = 4
"""Pages fetched from the homeserver at most for one look at earlier messages."""

STILL_LISTED = (
    "You are logged out here, and nothing is kept. The homeserver could not be told, so it still lists this computer "
    "as logged in: end that from another client, or in the homeserver's settings."
)


class Routes:
    """The handlers. ``csrf``: the form token of a request's session.

    ``opened`` and ``closed`` are told of event streams: a stream is a visible page.
    """

    def __init__(
        self,
        messenger: Messenger,
        renderer: Renderer,
        clock: Callable[[], float],
        csrf: Callable[[web.Request], str],
        opened: Callable[[int], None],
        closed: Callable[[int], None],
    ) -> None:
        self._messenger = messenger
        self._renderer = renderer
        self._scenes = Scenes(clock)
        self._csrf = csrf
        self._opened = opened
        self._closed = closed
        self._stream_ids = itertools.count(1)
        self._streams: dict[asyncio.Task[None], Stream] = {}
        self._ending = False
        self._from_beginning: set[str] = set()

    def table(self) -> list[web.RouteDef]:
        """Every address but those that make and end sessions."""
        return [
            web.get("/", self._home),
            web.get("/login", self._login_page),
            web.post("/login", self._log_in),
            web.get("/logout", self._logout_page),
            web.get("/new", self._new_page),
            web.post("/new", self._new),
            web.get("/events", self._events, allow_head=False),
            web.get("/chat/{room_id}", self._chat),
            web.post("/chat/{room_id}/send", self._send),
            web.post("/chat/{room_id}/resend", self._resend),
            web.post("/chat/{room_id}/discard", self._discard),
            web.post("/invitations/{room_id}/accept", self._accept),
            web.post("/invitations/{room_id}/decline", self._decline),
        ]

    async def end_streams(self) -> None:
        """Tell every open page that Lobby stops, and those that call from now on; one that does not listen is cut off
        after half a second."""
        self._ending = True
        for stream in self._streams.values():
            stream.end()
        running = list(self._streams)
        if running:
            await asyncio.wait(running, timeout=0.5)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def log_out(self) -> bool:
        """Account and local data gone; what was known of its chats here too. Whether the homeserver heard of it."""
        self._from_beginning.clear()
        return await self._messenger.log_out()

    async def _home(self, request: web.Request) -> web.StreamResponse:
        if self._messenger.account() is None:
            return html(self._renderer.login(self._csrf(request)))
        return html(self._renderer.no_chat(self._scene(request)))

    async def _login_page(self, request: web.Request) -> web.StreamResponse:
        account = self._messenger.account()
        if account is None:
            still_listed = STILL_LISTED if "listed" in request.query else ""
            return html(self._renderer.login(self._csrf(request), error=still_listed))
        if account.connection is not Connection.SIGNED_OUT:
            return see("/")
        return html(self._renderer.login(self._csrf(request), account.homeserver, account.user_id))

    async def _log_in(self, request: web.Request) -> web.StreamResponse:
        form = await read_form(request)
        user, homeserver = form.get("user", "").strip(), form.get("homeserver", "").strip()
        try:
            if not user or not form.get("password"):
                raise LoginRefused("User name and password are needed.")
            if not (homeserver or server_of(user)):
                raise LoginRefused("Which homeserver? Give its address, or your whole Matrix address as the user name.")
            agreed = form.get("cleartext", "")
            await self._messenger.log_in(homeserver or server_of(user), user, form["password"], agreed)
        except Cleartext as asked:
            page = self._renderer.login(self._csrf(request), homeserver, user, str(asked), asked.address)
            return html(page, status=422)
        except LoginRefused as refusal:
            return html(self._renderer.login(self._csrf(request), homeserver, user, str(refusal)), status=422)
        return see("/")

    async def _logout_page(self, request: web.Request) -> web.StreamResponse:
        waiting = sum(
            bubble.mark in (Mark.SENDING, Mark.UNSENT)
            for chat in self._messenger.chats()
            for bubble in self._messenger.bubbles(chat.room_id)
        )
        return html(self._renderer.logout(self._scene(request), waiting))

    async def _new_page(self, request: web.Request) -> web.StreamResponse:
        return html(self._renderer.new(self._scene(request), {}))

    async def _new(self, request: web.Request) -> web.StreamResponse:
        form = await read_form(request)
        values = {name: form.get(name, "").strip() for name in ("user", "name", "users")}
        scene = self._scene(request)
        server = server_of(scene.account.user_id)
        try:
            if values["user"]:
                people = read_people(values["user"], server)
                if len(people) != 1:
                    raise PersonUnclear("That is more than one person. For several people, make a group.")
                room_id = await self._messenger.start_chat(people[0])
            elif values["name"]:
                room_id = await self._messenger.start_group(values["name"], [*read_people(values["users"], server)])
            else:
                raise PersonUnclear("Say who to chat with, or give the group a name.")
        except (ChatRefused, PersonUnclear) as refusal:
            return html(self._renderer.new(scene, values, str(refusal)), status=422)
        return see_chat(room_id)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        scene = self._scene(request)
        shown = await self._conversation(request, fetch="most" in request.query)
        return html(self._renderer.chat(scene, shown, secrets.token_urlsafe(18)))

    async def _send(self, request: web.Request) -> web.StreamResponse:
        room_id, form = self._room_id(request), await read_form(request)
        text, key = form.get("text", "").replace("\r\n", "\n").strip(), form.get("key", "")
        try:
            if len(text) > LONGEST_TEXT:
                raise NotKept(
                    f"A message holds {LONGEST_TEXT:,} characters at most. Nothing was sent; send it in parts."
                )
            if text:
                await self._messenger.send(room_id, text, key)
        except LobbyError as error:
            if is_fragment(request):
                raise
            shown = await self._conversation(request)
            return html(self._renderer.chat(self._scene(request), shown, key, text, str(error)), status=409)
        return await self._acted(request)

    async def _resend(self, request: web.Request) -> web.StreamResponse:
        await self._messenger.resend(self._room_id(request), (await read_form(request)).get("key", ""))
        return await self._acted(request)

    async def _discard(self, request: web.Request) -> web.StreamResponse:
        await self._messenger.discard(self._room_id(request), (await read_form(request)).get("key", ""))
        return await self._acted(request)

    async def _accept(self, request: web.Request) -> web.StreamResponse:
        room_id = request.match_info["room_id"]
        await self._messenger.accept(room_id)
        return see_chat(room_id) if self._messenger.chat(room_id) is not None else see("/")

    async def _decline(self, request: web.Request) -> web.StreamResponse:
        await self._messenger.decline(request.match_info["room_id"])
        return see("/")

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """The event stream of a page that is visible now; it lasts until the page is hidden."""
        response = web.StreamResponse(headers={"Cache-Control": "no-store"})
        response.content_type = "text/event-stream"
        response.charset = "utf-8"
        room_id = request.query.get("chat") or None
        csrf = self._csrf(request)
        stream = Stream(self._messenger, self._renderer, lambda: self._scenes.scene(self._messenger, csrf), room_id)
        if self._ending:
            stream.end()
        number = next(self._stream_ids)
        running = asyncio.ensure_future(self._run_stream(stream, response, request))
        self._streams[running] = stream
        self._opened(number)
        try:
            # Waited for, not awaited: a stream that ``end_streams`` cancels is no cancellation of this request.
            await asyncio.wait([running])
            if not running.cancelled():
                running.result()
        finally:
            running.cancel()
            self._streams.pop(running, None)
            self._closed(number)
        return response

    async def _run_stream(self, stream: Stream, response: web.StreamResponse, request: web.Request) -> None:
        try:
            await response.prepare(request)
            await stream.run(response.write)
        except ClientConnectionError:
            return  # The page is gone, which is how a stream ends.

    async def _acted(self, request: web.Request) -> web.StreamResponse:
        """After an act: the conversation as it is now."""
        room_id = self._room_id(request)
        if not is_fragment(request):
            return see_chat(room_id)
        return html(self._renderer.bubbles(await self._conversation(request), self._scene(request)))

    async def _conversation(self, request: web.Request, fetch: bool = False) -> Conversation:
        """The chat of the address; ``fetch``: when fewer than ``most`` are here, ask the homeserver for older ones."""
        room_id = self._room_id(request)
        asked = request.query.get("most", "")
        most = min(max(int(asked), 1), MOST_SHOWN) if asked.isascii() and asked.isdigit() else NEWEST
        if fetch and room_id not in self._from_beginning:
            await self._fetch_older(room_id, most)
        shown = conversation(self._messenger, room_id, most, room_id in self._from_beginning)
        if shown is None:
            raise web.HTTPNotFound
        return shown

    async def _fetch_older(self, room_id: str, most: int) -> None:
        for _ in range(OLDER_PAGES):
            if len(self._messenger.bubbles(room_id, most=most + 1)) > most:
                return
            if not await self._messenger.older(room_id):
                # Nothing came. It is the beginning, unless the homeserver could not be asked.
                if self._messenger.complete(room_id):
                    self._from_beginning.add(room_id)
                return

    def _room_id(self, request: web.Request) -> str:
        room_id = request.match_info["room_id"]
        if self._messenger.chat(room_id) is None:
            raise web.HTTPNotFound
        return room_id

    def _scene(self, request: web.Request) -> Scene:
        scene = self._scenes.scene(self._messenger, self._csrf(request))
        if scene is None:
            raise web.HTTPSeeOther("/")
        return scene
