"""Pages and fragments: what they must contain, and that no name or message becomes markup."""

import html.parser
from datetime import UTC
from html import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lobby.core.views import Account, Bubble, ChatSummary, Connection, Findings, Invitation, Mark, Provider, WaysIn
from lobby.ui import static_files
from lobby.ui.render import Conversation, Door, Renderer
from lobby.ui.scenes import Neighbour, Scene

RENDERER = Renderer({name: file.address for name, file in static_files.load().items()}, UTC)
ACCOUNT = Account("@left:x", "Left", "http://x", Connection.ONLINE)
CHAT = ChatSummary("!r:x", "Right", False, "hello", 1e9, False, None, 3, ("Right",))
EVIL = "\"><script>alert('x')</script>"


def scene(name: str = "Right", text: str = "hello") -> Scene:
    chat = ChatSummary("!r:x", name, True, text, 1e9, False, None, 3, (name,))
    invitation = Invitation("!i:x", name, text, name, True, 1e9)
    account = Account(text, name, text, Connection.ONLINE, unreachable=text, notice=text)
    return Scene(account, [chat], [invitation], 1e9 + 60, "token")


def conversation(name: str = "Right", text: str = "hello", mark: Mark | None = None) -> Conversation:
    chat = scene(name, text).chats[0]
    theirs = Bubble("k1", "!r:x", "@right:x", name, False, text, 1e9, None, "")
    mine = Bubble(text, "!r:x", "@left:x", name, True, text, 1e9 + 1, mark, text)
    notice = Bubble("k3", "!r:x", "@right:x", name, False, text, 1e9 + 2, None, "", True)
    return Conversation(chat, [theirs, mine, notice], None, 50)


def strip_of(account: Account) -> str:
    return RENDERER.strip(Scene(account, [], [], 1e9, "token"))


class Elements(html.parser.HTMLParser):
    """Collects the names of elements and of their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def elements(page: str) -> Elements:
    found = Elements()
    found.feed(page)
    return found


def ways(homeserver: str, name: str) -> WaysIn:
    return WaysIn(homeserver, True, (Provider(name, name), Provider("", homeserver)), True)


def every_page(name: str, text: str) -> list[str]:
    """All that can be rendered, with a name and a text by somebody else in every place."""
    around, shown = scene(name, text), conversation(name, text, Mark.UNSENT)
    return [
        RENDERER.login(text, Door("/login", text, text, homeserver=text, user=name)),
        RENDERER.login(text, Door("/login", text, text, 2, text, name, ways(text, name), text)),
        RENDERER.sign_on(text, name),
        RENDERER.no_chat(around),
        RENDERER.chat(around, shown, "key", text, text),
        RENDERER.new(around, {"user": text, "name": name, "users": text}, text),
        RENDERER.search(around, text, Findings(tuple(shown.bubbles), waiting=2)),
        RENDERER.search(around, text, None, text),
        RENDERER.logout(around, 2),
        RENDERER.trouble(name, text, text),
        RENDERER.chats(around, ""),
        RENDERER.strip(around),
        RENDERER.welcome(around),
        RENDERER.head(around, shown.chat),
        RENDERER.bubbles(shown, around),
    ]


@pytest.mark.contract("X01")
@settings(max_examples=40)
@given(
    st.one_of(st.text(), st.just(EVIL), st.just("{{ 7 * 7 }}")),
    st.one_of(st.text(), st.just(EVIL), st.just("--><img src=x onerror=x>")),
)
def test_no_name_and_no_message_becomes_markup(name: str, text: str) -> None:
    plain = every_page("Right", "hello")
    for page, known in zip(every_page(name, text), plain, strict=True):
        found, expected = elements(page), elements(known)
        # A name may make initials, marks or links appear or not; it must not bring an element of its own.
        assert found.tags <= expected.tags | {"a"}
        assert found.attributes <= expected.attributes | {"target", "rel", "autofocus", "href"}
        assert "49" not in page or "49" in name + text + known or name != "{{ 7 * 7 }}"


@pytest.mark.contract("X01")
def test_a_script_in_a_message_is_words() -> None:
    page = RENDERER.bubbles(conversation(EVIL, EVIL), scene())
    assert "<script>" not in page
    assert str(escape("<script>")) in page


def test_nothing_inline_that_the_content_security_policy_would_refuse() -> None:
    for page in every_page("Right", "hello"):
        found = elements(page)
        assert "style" not in found.tags | found.attributes
        assert not [name for name in found.attributes if name.startswith("on")]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Findings(), "Nothing was found on this computer."),
        (Findings(tuple(conversation().bubbles), more=True), "The newest 3 messages."),
        (Findings(waiting=1), "One message is not indexed yet"),
        (Findings(waiting=3000), "3000 messages are not indexed yet"),
        (Findings(asked=False), "Only words and numbers can be looked for"),
    ],
)
def test_a_search_says_what_it_found_and_what_it_has_not_looked_at(found: Findings, words: str) -> None:
    page = RENDERER.search(scene(), "hello", found)
    assert words in page
    assert ("not indexed yet" in page) == bool(found.waiting)


@pytest.mark.parametrize(
    ("mark", "words"), [(Mark.SENDING, "Sending"), (Mark.SENT, "Sent"), (Mark.UNSENT, "Not sent"), (None, "")]
)
def test_each_mark_has_words_and_an_attribute(mark: Mark | None, words: str) -> None:
    page = RENDERER.bubbles(conversation(mark=mark), scene())
    assert f'data-mark="{mark or ""}" data-mine="true"' in page
    assert words in page
    assert ("/resend" in page) == (mark is Mark.UNSENT)


@pytest.mark.parametrize(
    ("connection", "words"),
    [
        (Connection.ONLINE, None),
        (Connection.CONNECTING, "Connecting"),
        (Connection.OFFLINE, "What you write waits, and is sent when it is back"),
        (Connection.SIGNED_OUT, 'href="/login"'),
    ],
)
def test_the_strip_says_what_is_the_matter(connection: Connection, words: str | None) -> None:
    strip = strip_of(Account("@left:x", "Left", "http://x", connection))
    assert (words in strip) if words else not strip.strip()


UNREACHABLE = Account("@left:x", "Left", "http://x", Connection.ONLINE, unreachable="No push service is set.")
REACHABLE = Account("@left:x", "Left", "http://x", Connection.ONLINE, reachable=True)


@pytest.mark.parametrize("chats", [[], [CHAT]])
@pytest.mark.parametrize("account", [ACCOUNT, UNREACHABLE, REACHABLE])
def test_only_who_is_reachable_is_promised_to_be(account: Account, chats: list[ChatSummary]) -> None:
    around = Scene(account, chats, [], 1e9, "t")
    for shown in (RENDERER.no_chat(around), RENDERER.welcome(around)):
        assert ("reachable" in shown) == account.reachable


def test_the_strip_says_why_messages_wait_for_the_window() -> None:
    assert "only while this window is open. No push service is set." in strip_of(UNREACHABLE)
    assert not strip_of(REACHABLE).strip()
    offline = Account("@left:x", "Left", "http://x", Connection.OFFLINE, unreachable="No push service is set.")
    assert "No push service" not in strip_of(offline), "one thing at a time"


def test_who_is_signed_out_is_not_promised_to_be_reachable() -> None:
    out = Account("@left:x", "Left", "http://x", Connection.SIGNED_OUT, reachable=True)
    assert "reachable" not in RENDERER.welcome(Scene(out, [CHAT], [], 1e9, "t"))


def test_the_strip_tells_of_another_account_that_was_signed_out() -> None:
    others = [Neighbour("", "Ann", "@ann:x", 0, signed_out=False), Neighbour("/account/3", "Ben", "@ben:x", 0, True)]
    strip = RENDERER.strip(Scene(REACHABLE, [], [], 1e9, "t", "/account/2", others=others))
    assert "@ben:x was signed out" in strip and 'href="/account/3/login"' in strip and "@ann:x" not in strip


def test_the_strip_says_what_happened_to_the_kept_data() -> None:
    damaged = Account("@left:x", "Left", "http://x", Connection.OFFLINE, notice="The database <was> put aside.")
    strip = strip_of(damaged)
    assert "The database &lt;was&gt; put aside." in strip and "No connection" in strip


def test_the_title_counts_what_is_unread() -> None:
    assert "<title>(3) Lobby</title>" in RENDERER.no_chat(Scene(ACCOUNT, [CHAT], [], 1e9, "t"))
    assert "<title>Lobby</title>" in RENDERER.no_chat(Scene(ACCOUNT, [], [], 1e9, "t"))


def test_the_form_token_is_where_programs_look_for_it() -> None:
    assert '<meta name="csrf" content="token">' in RENDERER.no_chat(scene())
    assert '<meta name="csrf" content="token">' in RENDERER.login("token", Door("/login"))
