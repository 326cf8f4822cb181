"""What the tour reads from Lobby's pages is what Lobby's own renderer wrote; no text breaks it."""

from hypothesis import given
from hypothesis import strategies as st

from demo.tour.page import Message, Page
from lobby.core.views import Account, Bubble, ChatSummary, Connection, Invitation, Mark
from lobby.ui.chat_list import changes
from lobby.ui.render import Conversation, Renderer
from lobby.ui.scenes import Scene

CHAT = ChatSummary("!a/b:x", "Right", False, "hi", 5.0, True, Mark.UNSENT, 0, ("Right",))
ACCOUNT = Account("@left:x", "Left", "http://x", Connection.ONLINE)


def scene(*invitations: Invitation) -> Scene:
    return Scene(ACCOUNT, [CHAT], list(invitations), 10.0, "the-token")


def bubble(key: str, text: str, mark: Mark | None) -> Bubble:
    return Bubble(key, CHAT.room_id, "@left:x", "Left", mark is not None, text, 5.0, mark, "")


class _NoFiles(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return f"/static/{name}"


RENDERER = Renderer(_NoFiles())


def test_messages_marks_and_token() -> None:
    shown = [bubble("1", "a <b> & https://example.org/ c", None), bubble("2", "no", Mark.UNSENT)]
    page = Page(RENDERER.chat(scene(), Conversation(CHAT, shown, None, 50, False), "key"))
    assert page.messages == [
        Message("1", "", False, "a <b> & https://example.org/ c"),
        Message("2", "unsent", True, "no"),
    ]
    assert page.csrf == "the-token"


def test_chats_and_invitations() -> None:
    invitation = Invitation("!c:x", "Ann", "@ann:x", "Ann", False, 3.0)
    page = Page(RENDERER.chats(scene(invitation), ""))
    assert (page.chats, page.invitations) == (["!a/b:x"], ["!c:x"])


def test_changes_of_the_chat_list_are_followed() -> None:
    shown = {name: ChatSummary(name, name, False, "", None, False, None, 0, ()) for name in ("!a", "!b", "!c", "!d")}
    now = ["!d", "!a", "!e/e", "!c"]
    chats = [shown.get(name, ChatSummary(name, name, False, "", None, False, None, 0, ())) for name in now]
    around = Scene(ACCOUNT, chats, [], 10.0, "the-token")
    rows = RENDERER.chat_rows(around, "")
    changed = changes(dict.fromkeys(shown, "another"), rows)
    assert Page(RENDERER.chats_changed(around, rows, changed)).changed([*shown]) == now


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=60))
def test_any_text_comes_through(text: str) -> None:
    html = RENDERER.bubbles(Conversation(CHAT, [bubble("1", text, Mark.SENT)], None, 50, False), scene())
    assert [message.text for message in Page(html).messages] == [text]


@given(st.text())
def test_any_html_is_read_without_an_error(html: str) -> None:
    Page(html)
    Page('<li data-key="1" data-mark=""><span class="text">' + html)
