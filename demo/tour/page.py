"""Reads what Lobby's HTML shows: messages with their marks, chats, invitations. Pure; takes any text."""

import dataclasses
from html.parser import HTMLParser
from urllib.parse import unquote

_CHAT = "/chat/"
_ROW = "chat-"
_INVITATION = "/invitations/"
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})


@dataclasses.dataclass(frozen=True)
class Message:
    """One bubble: its key, the mark (`sending`, `sent`, `unsent`; empty for others' messages), and the text."""

    key: str
    mark: str
    mine: bool
    text: str


class Page(HTMLParser):
    """What a page or a fragment of it shows."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.csrf = ""
        self.words = ""
        """All the text that it shows."""
        self.messages: list[Message] = []
        self.chats: list[str] = []
        """Room ids, the newest chat first."""
        self.invitations: list[str] = []
        self._gone: list[str] = []
        self._placed: list[tuple[str, str]] = []
        self._below: str | None = None
        self._text_depth = 0
        self.feed(html)
        self.close()

    def changed(self, chats: list[str]) -> list[str]:
        """The chats, the newest first, after the changes that this fragment tells of."""
        changed = [chat for chat in chats if chat not in self._gone]
        for chat, above in self._placed:
            if chat in changed:
                changed.remove(chat)
            changed.insert(changed.index(above) + 1 if above in changed else 0, chat)
        return changed

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        classes = given.get("class", "").split()
        if self._text_depth:
            self._text_depth += tag not in _VOID
        elif tag == "span" and "text" in classes and self.messages:
            self._text_depth = 1
        if "data-gone" in given:
            self._gone.append(given["data-gone"].removeprefix(_ROW))
        elif "data-below" in given:
            self._below = given["data-below"].removeprefix(_ROW)
        elif tag == "li" and self._below is not None and given.get("data-key", "").startswith(_ROW):
            self._placed.append((given["data-key"].removeprefix(_ROW), self._below))
            self._below = None
        if given.get("name") == "csrf" and tag in ("meta", "input"):
            self.csrf = given.get("content") or given.get("value") or self.csrf
        elif "data-key" in given and "data-mark" in given:
            self.messages.append(Message(given["data-key"], given["data-mark"], given.get("data-mine") == "true", ""))
        elif tag == "a" and "chat" in classes and given.get("href", "").startswith(_CHAT):
            self.chats.append(unquote(given["href"].removeprefix(_CHAT)))
        elif tag == "form" and given.get("action", "").startswith(_INVITATION) and given["action"].endswith("/accept"):
            self.invitations.append(unquote(given["action"].removeprefix(_INVITATION).removesuffix("/accept")))

    def handle_endtag(self, tag: str) -> None:
        if self._text_depth and tag not in _VOID:
            self._text_depth -= 1

    def handle_data(self, data: str) -> None:
        self.words += data
        if self._text_depth:
            last = self.messages[-1]
            self.messages[-1] = dataclasses.replace(last, text=last.text + data)
