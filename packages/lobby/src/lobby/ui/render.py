"""Views → HTML: whole pages, and the fragments that an open page is kept fresh with. Pure once it is made.

Everything is escaped by Jinja2's autoescape; the only markup made outside a template is that of ``text.linked``.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, tzinfo
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlsplit

import jinja2
from markupsafe import Markup

from lobby.core.views import Bubble, ChatSummary, Findings, Verification, WaysIn
from lobby.messenger import SignOnNeeded
from lobby.ui import avatars, people, times
from lobby.ui.chat_list import Changes
from lobby.ui.conversation import rows
from lobby.ui.scenes import Scene, keys_lost
from lobby.ui.text import linked, only_emoji

LONGEST_TEXT = 30_000
"""Characters of one message; a Matrix event holds 65,536 bytes in all."""

KEPT_ROWS = 4096
"""Lines of chat lists that are kept drawn: what looks the same is not drawn again, however many chats there are."""

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Door:
    """The log-in page. ``action``: what its address and those of its forms begin with; ``back``: where else to go.

    What was typed is kept, but for the password. ``number``: the account that logs in again.
    """

    action: str
    error: str = ""
    back: str = ""
    number: int | None = None
    homeserver: str = ""
    user: str = ""
    ways: WaysIn | None = None
    """What the homeserver offers; None: it is not known yet which one."""
    cleartext: str = ""
    """The address to which the person has to agree to send a password unencrypted."""

    def typed(self, homeserver: str, user: str) -> "Door":
        """With what the person has typed; of what they left out, what was known."""
        return replace(self, homeserver=homeserver.strip() or self.homeserver, user=user.strip() or self.user)

    def offering(self, ways: WaysIn) -> "Door":
        """At its second step."""
        cleartext = self.cleartext or (ways.homeserver if ways.readable else "")
        return replace(self, homeserver=ways.homeserver, ways=ways, cleartext=cleartext)

    def refusing(self, error: str, cleartext: str = "") -> "Door":
        """With the reason why what was typed was not taken."""
        return replace(self, error=error, cleartext=cleartext)


@dataclass(frozen=True)
class Asked:
    """What a proof of who the person is was asked for."""

    act: Literal["create", "begin-anew"]
    anew: bool = False
    """The key is to take the place of another one."""

    @property
    def title(self) -> str:
        return "Begin anew" if self.act == "begin-anew" else "Create a recovery key"


@dataclass(frozen=True)
class Conversation:
    """The newest bubbles of one chat. ``above``: the one before them, for groups and day lines."""

    chat: ChatSummary
    bubbles: Sequence[Bubble]
    above: Bubble | None
    most: int
    """How many were asked for."""
    beginning: bool = False
    """There is nothing older, here or on the homeserver."""


class Renderer:
    """Holds the templates. ``static``: the address of each static file; ``zone`` None: the machine's time zone."""

    def __init__(self, static: Mapping[str, str], zone: tzinfo | None = None) -> None:
        self._zone = zone
        self._chat_row = functools.lru_cache(KEPT_ROWS)(self._draw_row)
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.globals["static"] = lambda name: static[name]
        self._templates.filters.update(
            initials=avatars.initials,
            colour=avatars.colour,
            linked=linked,
            only_emoji=only_emoji,
            urlpart=lambda text: quote(text.encode("utf-8", "replace"), safe=""),
            host=lambda address: urlsplit(address).netloc or address,
            iso=lambda at: times.local(at, zone).isoformat(timespec="seconds"),
            clock_time=lambda at: times.clock_time(at, zone),
            list_time=lambda at, today: times.list_time(at, today, zone),
            day_name=self._day_name,
        )

    def login(self, csrf: str, door: Door) -> str:
        """The log-in page at one of its two steps."""
        return self._page("login.html", csrf=csrf, door=door)

    def sign_on(self, address: str, homeserver: str) -> str:
        """A page that leads to the homeserver's sign-on at ``address``, by itself."""
        return self._page("sign_on.html", address=address, homeserver=homeserver, csrf="")

    def no_chat(self, scene: Scene) -> str:
        """The chat list and, where there is room, an invitation to pick one."""
        return self._messenger(scene, "none", "", "Lobby")

    def not_here(self, scene: Scene, text: str) -> str:
        """The chat list, and that there is nothing at this address."""
        return self._messenger(scene, "not_here", "", "Not here", text=text)

    def chat(self, scene: Scene, conversation: Conversation, key: str, draft: str = "", error: str = "") -> str:
        """The chat list and a conversation. ``error``: why what was typed (``draft``) was not taken.

        ``key``: a new one for the message that may be written, or the one under which ``draft`` came.
        """
        chat = conversation.chat
        inside = self._inside(conversation, scene) | {
            "key": key,
            "draft": draft,
            "error": error,
            "longest": LONGEST_TEXT,
        }
        return self._messenger(scene, "chat", chat.room_id, chat.name, **inside)

    def new(self, scene: Scene, values: Mapping[str, str], error: str = "") -> str:
        """The forms for a new chat and a new group. ``values``: what was typed (user, name, users, encrypted)."""
        filled = {"user": "", "name": "", "users": "", "encrypted": "yes"} | dict(values)
        server = people.server_of(scene.account.user_id)
        return self._messenger(scene, "new", "new", "New chat", values=filled, error=error, server=server)

    def search(self, scene: Scene, typed: str, found: Findings | None, error: str = "") -> str:
        """The search, and what it has ``found``; None: nothing was typed yet, or (``error``) it could not be done."""
        inside: dict[str, object] = {
            "typed": typed,
            "found": found,
            "error": error,
            "chats_by_id": {chat.room_id: chat for chat in scene.chats},
            "today": times.local(scene.now, self._zone).date(),
        }
        return self._messenger(scene, "search", "search", "Search", **inside)

    def logout(self, scene: Scene, waiting: int) -> str:
        """The question before a log-out. ``waiting``: messages that would be lost."""
        lost = keys_lost(scene.encryption, scene.chats)
        return self._messenger(scene, "logout", "logout", "Log out", waiting=waiting, keys_lost=lost)

    def encryption(self, scene: Scene, error: str = "", done: str = "") -> str:
        """How this device stands, and all that can be done about it. ``done``: what was just done, a sentence."""
        return self._messenger(scene, "encryption", "encryption", "Encryption", error=error, done=done)

    def recovery_password(self, scene: Scene, asked: Asked, error: str = "") -> str:
        """The question for the account's password, without which no recovery key is made."""
        return self._messenger(scene, "recovery_password", "encryption", asked.title, error=error, asked=asked)

    def recovery_sign_on(self, scene: Scene, asked: Asked, needed: SignOnNeeded, error: str = "") -> str:
        """The way to the homeserver's sign-on, without which no recovery key is made."""
        inside = {"error": error, "asked": asked, "needed": needed}
        return self._messenger(scene, "recovery_sign_on", "encryption", asked.title, **inside)

    def recovery_key(self, scene: Scene, key: str) -> str:
        """The page that shows a new recovery key, this once."""
        return self._messenger(scene, "recovery_key", "encryption", "Your recovery key", groups=key.split())

    def verification(self, scene: Scene, verification: Verification, error: str = "") -> str:
        """A verification by emoji at the point where it is."""
        inside = {"verification": verification, "shown": verification.id, "error": error}
        return self._messenger(scene, "verification", "verification", "Verification", **inside)

    def security(self, scene: Scene, chat: ChatSummary) -> str:
        """What encryption means for this chat, and the way to verify the other person."""
        return self._messenger(scene, "security", chat.room_id, chat.name, chat=chat, error="")

    def trouble(self, title: str, text: str, command: str = "", back: str = "") -> str:
        """A page with one sentence: what is the matter, what to do (``command`` in a terminal, or go ``back``)."""
        return self._page("trouble.html", title=title, text=text, command=command, back=back, csrf="")

    def strip(self, scene: Scene, shown: str = "") -> str:
        """The lines about what is the matter, if anything is, and what other devices ask.

        ``shown``: the id of the verification that the page is about; its strip would say the same twice.
        """
        return self._page("_strip.html", **(_around(scene) | {"shown": shown}))

    def account(self, scene: Scene) -> str:
        """The head of the chat list."""
        return self._page("_account.html", **_around(scene))

    def chat_rows(self, scene: Scene, current: str) -> dict[str, str]:
        """Room id → its line of the chat list, from the top; ``current``: the room that is open."""
        today = times.local(scene.now, self._zone).date()
        return {chat.room_id: self._chat_row(chat, chat.room_id == current, scene.base, today) for chat in scene.chats}

    def chats(self, scene: Scene, current: str) -> str:
        """Invitations and the chat list; ``current``: the room that is open."""
        return self._page("_chats.html", chat_rows=self.chat_rows(scene, current).values(), **_around(scene))

    def chats_changed(self, scene: Scene, rows: Mapping[str, str], changes: Changes) -> str:
        """What of the chat list has changed; ``rows``: all of it as it is now."""
        return self._page("_chats_changed.html", chat_rows=rows, changes=changes, **_around(scene))

    def encryption_state(self, scene: Scene) -> str:
        """What stands on the encryption page, but for its head."""
        return self._page("_encryption.html", **_around(scene))

    def verification_state(self, scene: Scene, verification: Verification) -> str:
        """What stands on a verification's page, but for its head."""
        return self._page("_verification.html", verification=verification, **_around(scene))

    def welcome(self, scene: Scene) -> str:
        """What stands where no chat is open."""
        return self._page("_welcome.html", **_around(scene))

    def head(self, scene: Scene, chat: ChatSummary) -> str:
        """The head of a conversation."""
        return self._page("_head.html", chat=chat, **_around(scene))

    def bubbles(self, conversation: Conversation, scene: Scene) -> str:
        """The rows of a conversation."""
        return self._page("_bubbles.html", **self._inside(conversation, scene))

    def _messenger(self, scene: Scene, pane: str, current: str, title: str, **inside: object) -> str:
        unread = sum(chat.unread for chat in scene.chats)
        title = f"({unread}) {title}" if unread else title
        chat_rows = self.chat_rows(scene, current).values()
        around = _around(scene) | {"pane": pane, "current": current, "title": title, "chat_rows": chat_rows}
        return self._page("messenger.html", **(around | inside))

    def _inside(self, conversation: Conversation, scene: Scene) -> dict[str, object]:
        return {
            "chat": conversation.chat,
            "group": conversation.chat.group,
            "rows": rows(conversation.bubbles, conversation.above, self._zone),
            "most": conversation.most,
            "beginning": conversation.beginning,
        } | _around(scene)

    def _draw_row(self, chat: ChatSummary, current: bool, base: str, today: date) -> str:
        row = self._page("_chat_row.html", chat=chat, current=current, base=base, today=today)
        return Markup(row.strip())

    def _page(self, template: str, **values: object) -> str:
        return self._templates.get_template(template).render(values)

    def _day_name(self, day: date, now: float) -> str:
        return times.day_name(day, times.local(now, self._zone).date())


def _around(scene: Scene) -> dict[str, object]:
    """What every template may name of the scene."""
    return vars(scene) | {"under_way": scene.under_way, "shown": ""}
