"""A window without a browser: does over HTTP what Lobby's page does in one; Lobby cannot tell the difference."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import quote, unquote, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from demo.errors import DemoError
from demo.ports import LOOPBACK
from demo.tour.page import Message, Page

_PATIENCE = 20.0
"""Seconds within which a page has to answer; a launch of a stopped Lobby is within them."""


class PageStalled(DemoError):
    """The page took a request and never answered it; one that is not there refuses, or breaks off."""


class Window:
    """Lobby's page of one person, open from `open()` to `close()`; while it is open, the person can see Lobby.

    `chat`: the room whose conversation it shows; none: the list of chats.
    """

    def __init__(self, address: str, chat: str = "") -> None:
        self.chat = chat
        self.taken = 0
        """Characters of what Lobby has told this window live, all in all."""
        self._address = address
        parts = urlsplit(address)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._fragments: dict[str, Page] = {}
        self._chats: list[str] = []
        self._news = asyncio.Event()
        self._http: aiohttp.ClientSession | None = None
        self._reading: asyncio.Task[None] | None = None
        self._csrf = ""

    async def open(self) -> None:
        """Exchanges the one-time code for a session, loads the page, and is visible from then on."""
        connector = aiohttp.TCPConnector(resolver=_Loopback(), force_close=True)
        jar = aiohttp.CookieJar(unsafe=True)
        self._http = aiohttp.ClientSession(connector=connector, cookie_jar=jar)
        await self._get(self._address)
        await self._show()

    async def show(self, chat: str) -> None:
        """Goes to another chat."""
        self.chat = chat
        await self._hide()
        await self._show()

    async def close(self) -> None:
        """Closes the window: the event stream ends, as when a tab is closed."""
        await self._hide()
        if self._http:
            await self._http.close()

    @property
    def live(self) -> bool:
        """Whether the page is fed; not any more once Lobby, or what lies between, has broken off."""
        return self._reading is not None and not self._reading.done()

    @property
    def messages(self) -> list[Message]:
        """What the conversation shows now, the oldest first."""
        return self._fragments["bubbles"].messages if "bubbles" in self._fragments else []

    @property
    def chats(self) -> list[str]:
        """Room ids of the chats, the newest first."""
        return self._chats

    @property
    def invitations(self) -> list[str]:
        """Room ids of the open invitations."""
        return self._fragments["chats"].invitations if "chats" in self._fragments else []

    def fragment(self, name: str) -> str:
        """The text of the part of the page that Lobby calls ``name`` (``strip``, say); empty while there is none."""
        return self._fragments[name].words if name in self._fragments else ""

    async def until(self, seen: Callable[["Window"], bool], what: str, patience: float = _PATIENCE) -> None:
        """Waits until the page shows it; DemoError with `what` when it does not within `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                while not seen(self):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            shown = [f"“{message.text}” {message.mark}".strip() for message in self.messages[-5:]]
            raise DemoError(
                f"Waited {patience:g} s for {what}. The window's last messages: {', '.join(shown) or 'none'}."
            ) from None

    async def send(self, text: str, key: str = "") -> None:
        """Writes and sends; returns when Lobby has kept the message, once however often under the same `key`."""
        await self._post(f"/chat/{quote(self.chat, safe='')}/send", text=text, **({"key": key} if key else {}))

    async def resend(self, key: str) -> None:
        """Presses Resend at an unsent message."""
        await self._post(f"/chat/{quote(self.chat, safe='')}/resend", key=key)

    async def accept(self, room_id: str) -> None:
        """Accepts an invitation."""
        await self._post(f"/invitations/{quote(room_id, safe='')}/accept")

    async def start_chat(self, user_id: str) -> str:
        """Starts a chat with `user_id` and gives its room id."""
        place = await self._post("/new", user=user_id)
        return unquote(place.rpartition("/")[2])

    async def _show(self) -> None:
        self._fragments.clear()
        self._chats = []
        page = await self._get(self._origin + (f"/chat/{quote(self.chat, safe='')}" if self.chat else "/"))
        self._csrf = Page(page).csrf
        answered = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read(answered))
        await answered

    async def _hide(self) -> None:
        if self._reading:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
            self._reading = None

    async def _read(self, answered: "asyncio.Future[None]") -> None:
        """Follows the event stream. It is this connection by which Lobby knows that somebody is looking."""
        query = f"?chat={quote(self.chat, safe='')}" if self.chat else ""
        forever = aiohttp.ClientTimeout(total=None, sock_connect=_PATIENCE)
        try:
            async with self._client.get(f"{self._origin}/events{query}", timeout=forever) as answer:
                answer.raise_for_status()
                answered.set_result(None)
                async for name, data in _events(answer.content):
                    self.taken += len(data)
                    self._fragments[name] = part = Page(data)
                    if name == "chats":
                        self._chats = part.chats
                    elif name == "rows":
                        self._chats = part.changed(self._chats)
                    self._news.set()
        except (aiohttp.ClientError, OSError) as reason:
            if not answered.done():
                answered.set_exception(DemoError(f"Lobby's page shows nothing live: {reason}"))
        finally:
            self._news.set()

    async def _get(self, address: str) -> str:
        try:
            async with self._client.get(address, timeout=aiohttp.ClientTimeout(total=_PATIENCE)) as answer:
                text = await answer.text()
                if answer.status != 200:
                    raise DemoError(f"Lobby's page answered {answer.status} to {urlsplit(address).path}.")
                return text
        except TimeoutError:
            raise _stalled(urlsplit(address).path) from None
        except aiohttp.ClientError as reason:
            raise DemoError(f"Lobby's page did not answer at {urlsplit(address).path}: {reason!r}") from reason

    async def _post(self, path: str, **form: str) -> str:
        """Sends a form as the page's own, and gives the place it leads to."""
        limit = aiohttp.ClientTimeout(total=_PATIENCE)
        try:
            async with self._client.post(
                self._origin + path,
                data={"csrf": self._csrf, **form},
                headers={"Origin": self._origin, "Sec-Fetch-Site": "same-origin"},
                allow_redirects=False,
                timeout=limit,
            ) as answer:
                if answer.status != 303:
                    raise DemoError(f"Lobby's page answered {answer.status} to {path}.")
                return answer.headers.get("Location", "")
        except TimeoutError:
            raise _stalled(path) from None

    @property
    def _client(self) -> aiohttp.ClientSession:
        assert self._http is not None, "open() comes first"
        return self._http


@asynccontextmanager
async def opened(address: str, chat: str = "") -> AsyncIterator[Window]:
    """A window that is open for as long as the block lasts."""
    window = Window(address, chat)
    try:
        await window.open()
        yield window
    finally:
        await window.close()


def _stalled(path: str) -> PageStalled:
    return PageStalled(f"Lobby's page took a request for {path} and did not answer it within {_PATIENCE:g} s.")


async def _events(stream: aiohttp.StreamReader) -> AsyncIterator[tuple[str, str]]:
    """Name and data of each server-sent event (HTML standard §9.2.6)."""
    name, data = "", []
    while line := (await stream.readline()).decode():
        field, _, value = line.rstrip("\n").partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif not field and not value:
            if data:
                yield name, "\n".join(data)
            name, data = "", []


class _Loopback(AbstractResolver):
    """Knows `*.localhost` as browsers do, without asking: systems differ in whether they know such names."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = ResolveResult(
            hostname=host, host=LOOPBACK, port=port, family=socket.AF_INET, proto=0, flags=socket.AI_NUMERICHOST
        )
        return [address]

    async def close(self) -> None:
        """Holds nothing."""
