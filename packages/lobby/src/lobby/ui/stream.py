"""What keeps an open page fresh: changes of the messenger → HTML fragments → server-sent events.

A stream begins with every fragment as it is now, so a page that was hidden has missed nothing. Changes that come
while a fragment is on its way are taken together: a slow page gets fewer fragments, never a growing queue. Of the chat
list only what has changed is sent.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterator

from lobby.core.views import Change
from lobby.messenger import LobbyError, Messenger
from lobby.ui.chat_list import Changes, changes
from lobby.ui.render import Conversation, Renderer
from lobby.ui.scenes import Scene

NEWEST = 50
"""Bubbles in the fragment of a conversation; older ones that the page shows stay as they are."""

TOGETHER = 0.05
"""Seconds for which changes are gathered after some were sent: many messages at once are few fragments."""

OF_THE_LIST = ("chats", "rows")
"""Fragments that are made only when the list is another than the page's; the same change may be due twice."""

log = logging.getLogger("lobby")


def event(name: str, data: str) -> bytes:
    """One server-sent event (HTML standard §9.2.6); line ends of any kind become line feeds."""
    lines = "".join(f"data: {line}\n" for line in re.split(r"\r\n|\r|\n", data))
    return f"event: {name}\n{lines}\n".encode("utf-8", "replace")


def conversation(messenger: Messenger, room_id: str, most: int, beginning: bool = False) -> Conversation | None:
    """The newest ``most`` bubbles of a chat, and the one above them. None: not one of the person's chats."""
    chat = messenger.chat(room_id)
    if chat is None:
        return None
    bubbles = messenger.bubbles(room_id, most=most + 1)
    above = bubbles[0] if len(bubbles) > most else None
    return Conversation(chat, bubbles[-most:], above, most, beginning and above is None)


class Silence:
    """The event stream of a page that is only seen: nothing on it changes by itself."""

    def __init__(self) -> None:
        self._quit = asyncio.Event()

    def end(self) -> None:
        """Lobby is about to stop: say so, then end."""
        self._quit.set()

    async def run(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        await self._quit.wait()
        await write(event("quit", ""))


class Farewell:
    """The stream of a page whose account went while it was hidden: a redirect would be followed, and not shown."""

    def __init__(self) -> None:
        self._last = event("gone", "/")

    def end(self) -> None:
        """Lobby is about to stop: say that instead."""
        self._last = event("quit", "")

    async def run(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        await write(self._last)


class Stream:
    """The event stream of one visible page; ``scene``: what stands around it now, None: nobody is logged in any more.

    ``room_id``: the chat that it shows, if any; ``verification``: the id of the one that it shows.
    """

    def __init__(
        self,
        messenger: Messenger,
        renderer: Renderer,
        scene: Callable[[], Scene | None],
        room_id: str | None = None,
        verification: str = "",
    ) -> None:
        self._messenger = messenger
        self._renderer = renderer
        self._scene = scene
        self._room_id = room_id
        self._verification = verification
        self._changed: set[str] = {"account", "chats", "chat", "encryption"}
        self._news = asyncio.Event()
        self._sent: dict[str, str] = {}
        self._rows: dict[str, str] = {}
        """The chat list that the page shows, and what stands around it."""
        self._around_rows: tuple[object, ...] | None = None
        self._quit = False

    def end(self) -> None:
        """Lobby is about to stop: say so, then end. A page that only lost its stream would at once call Lobby back."""
        self._quit = True
        self._news.set()

    def others_changed(self) -> None:
        """Something is new in another account."""
        self._changed.add("account")
        self._news.set()

    async def run(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        """Write events until the chat, the account or Lobby is gone. The page's going ends it from outside."""
        unsubscribe = self._messenger.subscribe(self._take)
        try:
            while True:
                self._news.clear()
                if self._quit:
                    await write(event("quit", ""))
                    return
                changed, self._changed = self._changed, set()
                scene = self._scene()
                chat_gone = self._room_id is not None and self._messenger.chat(self._room_id) is None
                if scene is None or chat_gone:
                    await write(event("gone", f"{scene.base}/" if scene else "/"))
                    return
                for name, html in self._fragments(scene, changed):
                    if name in OF_THE_LIST or self._sent.get(name) != html:
                        self._sent[name] = html
                        await write(event(name, html))
                await self._mark_read()
                await asyncio.sleep(TOGETHER)
                await self._news.wait()
        finally:
            unsubscribe()

    def _take(self, change: Change) -> None:
        if change.kind != "chat" or change.room_id == self._room_id:
            self._changed.add(change.kind)
            self._news.set()

    def _fragments(self, scene: Scene, changed: set[str]) -> Iterator[tuple[str, str]]:
        messenger, renderer = self._messenger, self._renderer
        if changed & {"account", "chats", "encryption"}:
            yield "strip", renderer.strip(scene, self._verification)
        if "account" in changed:
            yield "account", renderer.account(scene)
        if "chats" in changed:
            yield from self._chats(scene)
        if self._room_id is None:
            if "encryption" in changed:
                yield self._encryption(scene)
            if changed & {"account", "chats"}:
                yield "welcome", renderer.welcome(scene)
            return
        shown = conversation(messenger, self._room_id, NEWEST)
        if shown is None:
            return
        if changed & {"chats", "encryption"}:
            yield "head", renderer.head(scene, shown.chat)
        if "chat" in changed:
            yield "bubbles", renderer.bubbles(shown, scene)

    def _chats(self, scene: Scene) -> Iterator[tuple[str, str]]:
        current = self._room_id or ""
        rows = self._renderer.chat_rows(scene, current)
        around = (*scene.invitations, bool(rows))
        before, self._rows = self._rows, rows
        if around != self._around_rows:
            self._around_rows = around
            yield "chats", self._renderer.chats(scene, current)
        elif (changed := changes(before, rows)) != Changes():
            yield "rows", self._renderer.chats_changed(scene, rows, changed)

    def _encryption(self, scene: Scene) -> tuple[str, str]:
        for one in scene.verifications:
            if one.id == self._verification:
                return "verification", self._renderer.verification_state(scene, one)
        return "encryption", self._renderer.encryption_state(scene)

    async def _mark_read(self) -> None:
        """A chat that is open on a visible page is read."""
        chat = self._messenger.chat(self._room_id) if self._room_id is not None else None
        if chat is not None and chat.unread:
            try:
                await self._messenger.mark_read(chat.room_id)
            except LobbyError as error:
                # It stays unread; ending the stream would only make the page call again and again.
                log.warning("A chat that is being read could not be marked as read: %s", error)
