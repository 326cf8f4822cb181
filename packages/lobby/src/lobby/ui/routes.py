"""What the addresses of the page do: each reads or acts on the messenger and answers with HTML.

By the time a handler runs, ``server`` has checked host, origin, session and form token. The page's module asks for
fragments (header ``Lobby-Fragment``); a browser without scripts gets whole pages and redirects.
"""

import asyncio
import itertools
import secrets
from collections.abc import Callable

from aiohttp import ClientConnectionError, web

from lobby.core.views import Mark
from lobby.messenger import Accounts, ChatRefused, LobbyError, Messenger, NotKept
from lobby.ui.answers import html, is_fragment, see, see_chat
from lobby.ui.forms import read_form
from lobby.ui.people import PersonUnclear, read_people, server_of
from lobby.ui.render import LONGEST_TEXT, Conversation, Renderer
from lobby.ui.stream import NEWEST, Farewell, Silence, Stream, conversation
from lobby.ui.visits import Visits

MOST_SHOWN = 2000
"""Bubbles on one page; who wants more searches."""

OLDER_PAGES = 4
"""Pages fetched from the homeserver at most for one look at earlier messages."""

NO_ACCOUNT = 0
"""Stands for the account of a page that shows none."""


class Routes:
    """The handlers. ``opened`` and ``closed`` are told of event streams, by number and account: a stream is a visible
    page."""

    def __init__(
        self,
        accounts: Accounts,
        visits: Visits,
        renderer: Renderer,
        opened: Callable[[int, int], None],
        closed: Callable[[int, int], None],
    ) -> None:
        self._accounts = accounts
        self._visits = visits
        self._renderer = renderer
        self._opened = opened
        self._closed = closed
        self._stream_ids = itertools.count(1)
        self._streams: dict[asyncio.Task[None], Stream | Silence | Farewell] = {}
        self._ending = False
        self._from_beginning: set[tuple[str, str]] = set()
        """Person and room: the homeserver has nothing older."""

    def table(self) -> list[web.RouteDef]:
        """The addresses of one account."""
        return [
            web.get("/logout", self._logout_page),
            web.get("/search", self._search),
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

    async def _logout_page(self, request: web.Request) -> web.StreamResponse:
        messenger = self._visits.messenger(request)
        waiting = sum(
            bubble.mark in (Mark.SENDING, Mark.UNSENT)
            for chat in messenger.chats()
            for bubble in messenger.bubbles(chat.room_id)
        )
        return html(self._renderer.logout(self._visits.scene(request), waiting))

    async def _search(self, request: web.Request) -> web.StreamResponse:
        scene, typed = self._visits.scene(request), request.query.get("q", "").strip()
        try:
            found = self._visits.messenger(request).search(typed) if typed else None
        except LobbyError as error:
            return html(self._renderer.search(scene, typed, None, str(error)), status=503)
        return html(self._renderer.search(scene, typed, found))

    async def _new_page(self, request: web.Request) -> web.StreamResponse:
        return html(self._renderer.new(self._visits.scene(request), {}))

    async def _new(self, request: web.Request) -> web.StreamResponse:
        form = await read_form(request)
        values = {name: form.get(name, "").strip() for name in ("user", "name", "users")}
        # A box that is not ticked is not posted at all: only the form of the group tells that it was there.
        values["encrypted"] = form.get("encrypted", "") if "group" in form else "yes"
        scene = self._visits.scene(request)
        server = server_of(scene.account.user_id)
        try:
            if values["user"]:
                people = read_people(values["user"], server)
                if len(people) != 1:
                    raise PersonUnclear("That is more than one person. For several people, make a group.")
                room_id = await self._visits.messenger(request).start_chat(people[0])
            elif values["name"]:
                room_id = await self._visits.messenger(request).start_group(
                    values["name"], [*read_people(values["users"], server)], bool(values["encrypted"])
                )
            else:
                raise PersonUnclear("Say who to chat with, or give the group a name.")
        except (ChatRefused, PersonUnclear) as refusal:
            return html(self._renderer.new(scene, values, str(refusal)), status=422)
        return see_chat(room_id, self._visits.base(request))

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        scene = self._visits.scene(request)
        if any(invitation.room_id == request.match_info["room_id"] for invitation in scene.invitations):
            return see(f"{scene.base}/")  # Where it can be accepted; its notification leads here.
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
                await self._visits.messenger(request).send(room_id, text, key)
        except LobbyError as error:
            if is_fragment(request):
                raise
            shown = await self._conversation(request)
            return html(self._renderer.chat(self._visits.scene(request), shown, key, text, str(error)), status=409)
        return await self._acted(request)

    async def _resend(self, request: web.Request) -> web.StreamResponse:
        await self._visits.messenger(request).resend(self._room_id(request), (await read_form(request)).get("key", ""))
        return await self._acted(request)

    async def _discard(self, request: web.Request) -> web.StreamResponse:
        await self._visits.messenger(request).discard(self._room_id(request), (await read_form(request)).get("key", ""))
        return await self._acted(request)

    async def _accept(self, request: web.Request) -> web.StreamResponse:
        room_id, messenger, base = (
            request.match_info["room_id"],
            self._visits.messenger(request),
            self._visits.base(request),
        )
        await messenger.accept(room_id)
        return see_chat(room_id, base) if messenger.chat(room_id) is not None else see(f"{base}/")

    async def _decline(self, request: web.Request) -> web.StreamResponse:
        await self._visits.messenger(request).decline(request.match_info["room_id"])
        return see(f"{self._visits.base(request)}/")

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """The event stream of a page that is visible now; it lasts until the page is hidden."""
        account = self._visits.number(request)
        messenger = self._accounts.messenger(account)
        if messenger is None:
            return await self._last(Farewell(), account, request)
        room_id = request.query.get("chat") or None
        stream = Stream(
            messenger,
            self._renderer,
            self._visits.scenes(request),
            room_id,
            request.query.get("verification", ""),
        )
        unsubscribe = self._accounts.subscribe(lambda other, _: stream.others_changed() if other != account else None)
        try:
            return await self._last(stream, account, request)
        finally:
            unsubscribe()

    async def seen(self, request: web.Request) -> web.StreamResponse:
        """The stream of a visible page that shows no account, such as a log-in; it tells of nothing but a quit."""
        return await self._last(Silence(), NO_ACCOUNT, request)

    async def _last(
        self, stream: Stream | Silence | Farewell, account: int, request: web.Request
    ) -> web.StreamResponse:
        """Run a stream for as long as its page is visible, which it is from now on."""
        response = _no_events_yet()
        if self._ending:
            stream.end()
        number = next(self._stream_ids)
        running = asyncio.ensure_future(self._run_stream(stream, response, request))
        self._streams[running] = stream
        self._opened(number, account)
        try:
            # Waited for, not awaited: a stream that ``end_streams`` cancels is no cancellation of this request.
            await asyncio.wait([running])
            if not running.cancelled():
                running.result()
        finally:
            running.cancel()
            self._streams.pop(running, None)
            self._closed(number, account)
        return response

    async def _run_stream(
        self, stream: Stream | Silence | Farewell, response: web.StreamResponse, request: web.Request
    ) -> None:
        try:
            await response.prepare(request)
            await stream.run(response.write)
        except ClientConnectionError:
            return  # The page is gone, which is how a stream ends.

    async def _acted(self, request: web.Request) -> web.StreamResponse:
        """After an act: the conversation as it is now."""
        room_id = self._room_id(request)
        if not is_fragment(request):
            return see_chat(room_id, self._visits.base(request))
        return html(self._renderer.bubbles(await self._conversation(request), self._visits.scene(request)))

    async def _conversation(self, request: web.Request, fetch: bool = False) -> Conversation:
        """The chat of the address; ``fetch``: when fewer than ``most`` are here, ask the homeserver for older ones."""
        messenger, room_id = self._visits.messenger(request), self._room_id(request)
        asked = request.query.get("most", "")
        most = min(max(int(asked), 1), MOST_SHOWN) if asked.isascii() and asked.isdigit() else NEWEST
        if "at" in request.query:
            most = min(max(most, messenger.depth(room_id, request.query["at"])), MOST_SHOWN)
        account = messenger.account()
        place = (account.user_id if account else "", room_id)
        if fetch and place not in self._from_beginning and await _has_no_older(messenger, room_id, most):
            self._from_beginning.add(place)
        shown = conversation(messenger, room_id, most, place in self._from_beginning)
        if shown is None:
            raise web.HTTPNotFound
        return shown

    def _room_id(self, request: web.Request) -> str:
        room_id = request.match_info["room_id"]
        if self._visits.messenger(request).chat(room_id) is None:
            raise web.HTTPNotFound
        return room_id


def _no_events_yet() -> web.StreamResponse:
    response = web.StreamResponse(headers={"Cache-Control": "no-store"})
    response.content_type = "text/event-stream"
    response.charset = "utf-8"
    return response


async def _has_no_older(messenger: Messenger, room_id: str, most: int) -> bool:
    """Fetch earlier messages until there are ``most``; whether it turned out that the homeserver has no more."""
    for _ in range(OLDER_PAGES):
        if len(messenger.bubbles(room_id, most=most + 1)) > most:
            return False
        if not await messenger.older(room_id):
            # Nothing came. It is the beginning, unless the homeserver could not be asked.
            return messenger.complete(room_id)
    return False
