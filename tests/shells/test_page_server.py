"""Lobby's page over real sockets: who is let in, what every response carries, and that a closed window is noticed."""

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import pytest

from lobby.core.views import Connection, Invitation, Mark
from lobby.ui.codes import mint
from lobby.ui.server import Page
from tests.lobby.ui.memory_accounts import SIGN_ON, MemoryAccounts
from tests.lobby.ui.memory_messenger import MemoryMessenger, MemorySessions

SECRET = b"s" * 32
ROOM = "!r:demo.localhost"
CHAT = f"/chat/{quote(ROOM, safe='')}"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Answer:
    """A response as it came over the wire, up to the end of the connection."""

    status: int
    headers: dict[str, str]
    body: str


@dataclass
class Served:
    """A page server and what it stands on."""

    page: Page
    port: int
    accounts: MemoryAccounts
    messenger: MemoryMessenger
    sessions: MemorySessions
    now: list[float]
    told: "asyncio.Queue[bool]" = field(default_factory=asyncio.Queue)
    cookie: str = ""
    codes: int = 0

    def code(self) -> str:
        self.codes += 1
        return mint(SECRET, self.now[0], f"nonce-nonce-{self.codes:04}")

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    def request(self, method: str, path: str, headers: dict[str, str] | None = None, body: str = "") -> bytes:
        sent = {"Host": f"lobby-x.localhost:{self.port}"}
        if self.cookie:
            sent["Cookie"] = self.cookie
        if body or method == "POST":
            sent |= {"Content-Length": str(len(body.encode())), **FORM}
        sent |= headers or {}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items() if value)]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    async def ask(self, method: str, path: str, headers: dict[str, str] | None = None, body: str = "") -> Answer:
        """One request on a connection of its own, read until the server closes it."""
        reader, writer = await self.connect()
        writer.write(self.request(method, path, headers, body))
        data = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        head, _, rest = data.decode().partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        found = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return Answer(int(first.split()[1]), found, rest)

    async def enter(self) -> None:
        answer = await self.ask("GET", f"/enter?code={self.code()}")
        assert answer.status == 303
        self.cookie = answer.headers["set-cookie"].split(";")[0]

    async def csrf(self) -> str:
        found = re.search(r'<meta name="csrf" content="([^"]+)">', (await self.ask("GET", "/")).body)
        assert found is not None
        return found[1]

    async def post(self, path: str, headers: dict[str, str] | None = None, /, **fields: str) -> Answer:
        return await self.ask("POST", path, headers, urlencode({"csrf": await self.csrf(), **fields}))


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    now = [1e9]
    messenger, sessions = MemoryMessenger(lambda: now[0]), MemorySessions()
    messenger.put_chat(ROOM, "Right")
    told: asyncio.Queue[bool] = asyncio.Queue()
    accounts = MemoryAccounts(messenger)
    page = Page(accounts, sessions, "lobby-x.localhost", port, SECRET, (), told.put_nowait, lambda: now[0])
    await page.serve(sock)
    yield Served(page, port, accounts, messenger, sessions, now, told)
    await page.stop()


async def test_a_code_becomes_a_session_that_only_the_browser_can_show(served: Served) -> None:
    answer = await served.ask("GET", f"/enter?code={served.code()}")
    assert (answer.status, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    token = cookie.split(";")[0].split("=", 1)[1]
    assert served.sessions.known and token not in str(served.sessions.known)
    served.cookie = cookie.split(";")[0]
    assert (await served.ask("GET", "/")).status == 200


async def test_an_address_can_lead_to_a_chat_and_nowhere_else(served: Served) -> None:
    answer = await served.ask("GET", f"/enter?code={served.code()}&chat={quote(ROOM)}")
    assert answer.headers["location"] == CHAT
    answer = await served.ask("GET", f"/enter?code={served.code()}&chat={quote('//evil.example/../..')}")
    assert answer.headers["location"].startswith("/chat/%2F%2Fevil")


@pytest.mark.contract("X01")
async def test_wrong_used_and_expired_codes_are_refused_by_name(served: Served) -> None:
    code = served.code()
    assert (await served.ask("GET", f"/enter?code={code}")).status == 303
    for given, words in (
        (code, "was used before"),
        (mint(b"t" * 32, served.now[0], "n" * 20), "was not made by this Lobby"),
        ("nonsense", "not complete"),
        ("", "not complete"),
        (mint(SECRET, served.now[0] - 61, "n" * 20), "good for a minute"),
    ):
        answer = await served.ask("GET", f"/enter?code={given}")
        assert answer.status == 403 and words in answer.body and "set-cookie" not in answer.headers
    assert (await served.ask("HEAD", f"/enter?code={served.code()}")).status == 405


async def test_a_restored_tab_with_a_used_code_is_known_by_its_session(served: Served) -> None:
    code = served.code()
    served.cookie = (await served.ask("GET", f"/enter?code={code}")).headers["set-cookie"].split(";")[0]
    assert (await served.ask("GET", f"/enter?code={code}")).status == 303


@pytest.mark.contract("X01")
@pytest.mark.parametrize("path", ["/", CHAT, "/events", "/seen/events", "/new", "/login", "/logout", "/nothing"])
async def test_without_a_session_there_is_only_a_page_that_says_how_to_open_lobby(served: Served, path: str) -> None:
    for cookie in ("", "lobby=x", f"{'x' * 300}=y"):
        served.cookie = cookie
        answer = await served.ask("GET", path)
        assert answer.status == 401 and "<code>lobby</code>" in answer.body and "Right" not in answer.body


@pytest.mark.contract("X01")
async def test_another_host_name_gets_nothing(served: Served) -> None:
    await served.enter()
    for host in ("evil.example", f"evil.example:{served.port}", "lobby-x.localhost", f"localhost:{served.port}"):
        answer = await served.ask("GET", "/", {"Host": host})
        assert answer.status == 421 and "Right" not in answer.body
    assert (await served.ask("GET", "/", {"Host": f"127.0.0.1:{served.port}"})).status == 200


@pytest.mark.contract("X01")
async def test_no_act_without_the_form_token_or_from_another_site(served: Served) -> None:
    await served.enter()
    csrf = await served.csrf()
    good = urlencode({"text": "hello", "csrf": csrf})
    ours = f"http://lobby-x.localhost:{served.port}"
    for headers, body in (
        ({}, "text=hello"),
        ({}, "text=hello&csrf=" + "0" * 64),
        ({}, "text=hello&csrf=%F0%9F%98%8D"),
        ({"Origin": "https://evil.example"}, good),
        ({"Origin": "null"}, good),
        ({"Origin": ours, "Sec-Fetch-Site": "same-site"}, good),
        ({"Sec-Fetch-Site": "cross-site"}, good),
    ):
        answer = await served.ask("POST", f"{CHAT}/send", headers, body)
        assert answer.status == 403 and "Nothing was changed" in answer.body
    assert served.messenger.bubbles(ROOM) == []
    answer = await served.ask("POST", f"{CHAT}/send", {"Origin": ours, "Sec-Fetch-Site": "same-origin"}, good)
    assert (answer.status, answer.headers["location"]) == (303, CHAT)
    assert [bubble.text for bubble in served.messenger.bubbles(ROOM)] == ["hello"]
    for path in ("/", "/enter", CHAT):
        assert (await served.ask("DELETE", path, {}, good)).status in (403, 405)


async def test_every_response_carries_the_policy_and_closes_its_connection(served: Served) -> None:
    await served.enter()
    css = re.search(r'href="(/static/page\.css[^"]*)"', (await served.ask("GET", "/")).body)
    assert css is not None
    answers = [
        await served.ask("GET", "/"),
        await served.ask("GET", CHAT),
        await served.ask("GET", css[1]),
        await served.ask("GET", "/static/nothing"),
        await served.ask("GET", "/nothing"),
        await served.ask("PUT", "/"),
        await served.ask("GET", "/enter?code=x", {"Cookie": "x=y"}),
        await served.ask("GET", f"/enter?code={served.code()}"),
        await served.ask("GET", "/", {"Host": "evil.example"}),
        await served.ask("POST", f"{CHAT}/send"),
        await served.ask("GET", "/", {"Connection": "keep-alive", "Cookie": "x=y"}),
        await served.post(f"{CHAT}/send", text="x" * 300_000),
        await served.post("/new", user="@nobody:demo.localhost"),
    ]
    assert [answer.status for answer in answers] == [200, 200, 200, 404, 404, 405, 403, 303, 421, 403, 401, 413, 422]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["connection"] == "close"


async def test_something_broken_is_a_sentence_and_not_a_traceback(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await served.enter()
    monkeypatch.setattr(served.messenger, "chats", lambda: 1 // 0)
    answer = await served.ask("GET", "/")
    assert answer.status == 500 and "Its log says more" in answer.body and "ZeroDivision" not in answer.body
    assert answer.headers["connection"] == "close" and "content-security-policy" in answer.headers
    assert "ZeroDivisionError" in caplog.text


async def test_garbage_harms_nobody(served: Served) -> None:
    await served.enter()
    for garbage in (b"\x00\xff\x00\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n", b"A" * 100_000):
        reader, writer = await served.connect()
        writer.write(garbage)
        writer.write_eof()
        await asyncio.wait_for(reader.read(), 20)
        writer.close()
    csrf = await served.csrf()
    for kind, body in (
        ("application/x-www-form-urlencoded; charset=nothing", f"csrf={csrf}&text=x"),
        ("application/x-www-form-urlencoded", "text=%ff%fe"),
        ("multipart/form-data", "x"),
        ("multipart/form-data; boundary=x", "--x\r\nnonsense"),
        ("application/json", "{}"),
    ):
        answer = await served.ask("POST", f"{CHAT}/send", {"Content-Type": kind}, body)
        assert answer.status in (400, 403) and "Nothing was changed" in answer.body
    for path in (
        "/chat/%FF",
        "/chat/%2e%2e%2f",
        f"{CHAT}?most=99999999999999999999",
        f"{CHAT}?most=-1",
        f"{CHAT}?most=x",
    ):
        assert (await served.ask("GET", path)).status in (200, 404)
    assert (await served.ask("GET", "/")).status == 200


async def test_static_files_are_kept_by_the_browser_as_long_as_they_are_the_same(served: Served) -> None:
    plain = await served.ask("GET", "/static/page.js")
    assert plain.headers["cache-control"] == "no-cache"
    assert (await served.ask("GET", "/static/page.js", {"If-None-Match": plain.headers["etag"]})).status == 304
    exact = await served.ask("GET", f"/static/page.js?v={plain.headers['etag'].strip(chr(34))}")
    assert "immutable" in exact.headers["cache-control"]
    assert (await served.ask("GET", "/static/..%2fserver.py")).status == 404


async def test_a_message_that_cannot_be_kept_stays_in_the_composer(served: Served) -> None:
    await served.enter()
    served.messenger.full = True
    answer = await served.post(f"{CHAT}/send", text="keep <me>")
    assert answer.status == 409 and "The disk is full" in answer.body and "keep &lt;me&gt;</textarea>" in answer.body
    answer = await served.post(f"{CHAT}/send", {"Lobby-Fragment": "bubbles"}, text="keep me")
    assert (answer.status, answer.headers["content-type"]) == (409, "text/plain; charset=utf-8")
    served.messenger.full = False
    assert "at most" in (await served.post(f"{CHAT}/send", text="x" * 30_001)).body
    assert (await served.post(f"{CHAT}/send", text="  ")).status == 303
    assert served.messenger.bubbles(ROOM) == []


async def test_a_form_that_is_posted_again_is_taken_once(served: Served) -> None:
    await served.enter()

    async def drawn() -> str:
        found = re.search(r'name="key" value="([^"]+)"', (await served.ask("GET", CHAT)).body)
        assert found is not None
        return found[1]

    first, second = await drawn(), await drawn()
    assert first != second
    for key in (first, first, second, ""):
        assert (await served.post(f"{CHAT}/send", text="hello", key=key)).status == 303
    assert [bubble.text for bubble in served.messenger.bubbles(ROOM)] == ["hello"] * 3
    served.messenger.full = True
    answer = await served.post(f"{CHAT}/send", text="not yet", key=first)
    assert answer.status == 409 and f'name="key" value="{first}"' in answer.body, "what is tried again is the same"


async def test_resend_and_discard(served: Served) -> None:
    await served.enter()
    key = served.messenger.put(ROOM, "one", mark=Mark.UNSENT)
    other = served.messenger.put(ROOM, "two", mark=Mark.UNSENT)
    assert (await served.post(f"{CHAT}/resend", key=key)).status == 303
    answer = await served.post(f"{CHAT}/discard", {"Lobby-Fragment": "bubbles"}, key=other)
    assert answer.status == 200 and f'data-key="{key}" data-mark="sent"' in answer.body and other not in answer.body
    assert (await served.post("/chat/!elsewhere:x/resend", key=key)).status == 404


async def test_an_address_at_which_there_is_nothing_is_a_page_of_lobby_for_whoever_is_let_in(served: Served) -> None:
    nothing = ["/nothing", "/chat/!elsewhere:x", "/static/nothing"]
    for path in nothing:
        assert "Right" not in (await served.ask("GET", path)).body
    await served.enter()
    for path in nothing:
        answer = await served.ask("GET", path)
        assert answer.status == 404 and "Not here" in answer.body
        assert "Right" in answer.body and "page.js" in answer.body, "with the chats, and seen: Lobby stays awake for it"


async def test_a_search_shows_what_it_finds_and_says_so_when_there_is_nothing(served: Served) -> None:
    await served.enter()
    served.messenger.put(ROOM, "The map <b>is</b> here")
    empty = await served.ask("GET", "/search")
    assert empty.status == 200 and "Nothing was found" not in empty.body
    found = (await served.ask("GET", "/search?q=map")).body
    assert "The map &lt;b&gt;is&lt;/b&gt; here" in found and "One message." in found and f'href="{CHAT}?at=' in found
    none = (await served.ask("GET", "/search?q=%22%3E%3Cscript%3E")).body
    assert "Nothing was found" in none and "<script>" not in none
    # An emoji is in no index: that it is in no message would be untrue.
    emoji = (await served.ask("GET", "/search?q=%F0%9F%8E%89")).body
    assert "Nothing was found" not in emoji and "Only words and numbers" in emoji


async def test_whoever_has_found_a_message_gets_a_page_with_it(served: Served) -> None:
    await served.enter()
    for number in range(120):
        served.messenger.put(ROOM, f"message <{number}>")
    shown = served.messenger.bubbles(ROOM, most=200)
    for number, least in ((0, 0), (115, 70)):
        page = (await served.ask("GET", f"{CHAT}?at={quote(shown[number].key)}")).body
        assert [f"message &lt;{each}&gt;" in page for each in (least - 1, least, 119)] == [False, True, True]
    nothing = (await served.ask("GET", f"{CHAT}?at=nothing")).body
    assert "message &lt;70&gt;" in nothing and "message &lt;69&gt;" not in nothing


async def test_new_chats_groups_and_invitations(served: Served) -> None:
    await served.enter()
    answer = await served.post("/new", user="ann")
    assert answer.status == 303
    assert "@ann:demo.localhost" in (await served.ask("GET", answer.headers["location"])).body
    answer = await served.post("/new", name="Hills", users="ann, @ben:x.org")
    assert "@ann:demo.localhost, @ben:x.org" in (await served.ask("GET", answer.headers["location"])).body
    for fields, words in (
        ({"user": "#room:x"}, "is not a Matrix id"),
        ({"user": "a b"}, "more than one person"),
        ({"user": "nobody"}, "knows nobody"),
        ({}, "Say who"),
    ):
        answer = await served.post("/new", {}, **fields)
        assert answer.status == 422 and words in answer.body
    for room_id, act, place in (("!i:x", "accept", f"/chat/{quote('!i:x', safe='')}"), ("!j:x", "decline", "/")):
        served.messenger.put_invitation(Invitation(room_id, "Choir", "@m:x", "Maria", True, 1.0))
        answer = await served.ask("GET", f"/chat/{quote(room_id, safe='')}")
        assert (answer.status, answer.headers["location"]) == (303, "/"), (
            "its notification leads to where it is answered"
        )
        answer = await served.post(f"/invitations/{room_id}/{act}")
        assert (answer.status, answer.headers["location"]) == (303, place)
    answer = await served.post("/invitations/!gone:x/accept")
    assert answer.status == 409 and "was withdrawn" in answer.body


async def test_logging_out_leaves_this_browser_in_and_every_other_out_and_logging_in_again(served: Served) -> None:
    await served.enter()
    other = served.cookie
    await served.enter()
    served.messenger.put(ROOM, "not gone yet", mark=Mark.UNSENT)
    assert "One message has not been sent" in (await served.ask("GET", "/logout")).body
    answer = await served.post("/logout")
    assert answer.status == 303 and answer.headers["clear-site-data"] == '"storage"'
    assert "Log in to Lobby" in (await served.ask("GET", "/")).body
    assert (await served.ask("GET", CHAT)).headers["location"] == "/"
    assert (await served.ask("GET", "/", {"Cookie": other})).status == 401
    login = {"homeserver": "demo.localhost", "user": "left", "password": "wrong"}
    answer = await served.post("/login", {}, **login)
    assert answer.status == 422 and "is wrong" in answer.body and 'value="left"' in answer.body
    assert 'value="wrong"' not in answer.body
    assert "Which homeserver?" in (await served.post("/login", user="left", password="right")).body
    assert (await served.post("/login", user="@left:demo.localhost", password="right")).headers["location"] == "/"
    assert (await served.ask("GET", "/login")).headers["location"] == "/"
    served.messenger.connect(Connection.SIGNED_OUT)
    assert "Log in again" in (await served.ask("GET", "/login")).body


async def test_a_session_lasts_for_as_long_as_it_is_used(served: Served) -> None:
    await served.enter()
    assert "set-cookie" not in (await served.ask("GET", "/")).headers, "not at every request"
    for _ in range(3):
        served.now[0] += 29 * 86400
        answer = await served.ask("GET", "/")
        assert answer.status == 200 and "Max-Age=2592000" in answer.headers["set-cookie"]
        assert served.cookie in answer.headers["set-cookie"]
    served.now[0] += 29 * 86400
    _, writer = await open_stream(served, cookie=True)
    writer.close()
    served.now[0] += 30 * 86400
    assert (await served.ask("GET", "/")).status == 401
    await served.enter()
    assert len(served.sessions.known) == 1, "what is over is forgotten"


async def test_a_session_that_cannot_be_prolonged_is_good_all_the_same(served: Served) -> None:
    await served.enter()
    served.now[0] += 20 * 86400
    served.sessions.full = True
    assert (await served.ask("GET", "/")).status == 200
    served.now[0] += 10 * 86400
    assert (await served.ask("GET", "/")).status == 401


async def test_a_log_out_the_homeserver_did_not_hear_of_says_so(served: Served) -> None:
    await served.enter()
    served.accounts.connected = False
    answer = await served.post("/logout")
    assert answer.status == 303
    page = (await served.ask("GET", answer.headers["location"])).body
    assert "still lists this computer" in page and "Log in to Lobby" in page
    assert "still lists" not in (await served.ask("GET", "/")).body


async def test_a_page_that_was_hidden_while_its_account_went_is_told_where_to_go(served: Served) -> None:
    await served.enter()
    await served.post("/logout")
    for address in (f"/events?chat={quote(ROOM, safe='')}", "/account/2/events"):
        answer = await served.ask("GET", address)
        assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert "event: gone\ndata: /\n" in answer.body


async def test_no_password_goes_out_readable_before_the_person_has_agreed(served: Served) -> None:
    await served.enter()
    await served.post("/logout")
    form = {"homeserver": "http://matrix.example", "user": "left", "password": "right"}
    answer = await served.post("/login", {}, **form)
    assert answer.status == 422 and "is not encrypted" in answer.body and served.messenger.account() is None
    box = re.search(r'type="checkbox" name="cleartext" value="([^"]+)"', answer.body)
    assert box is not None and 'value="right"' not in answer.body
    assert "to your homeserver only" not in answer.body, "not where anybody on the way can read it"
    other = form | {"homeserver": "http://elsewhere.example"}
    assert (await served.post("/login", {}, **other, cleartext=box[1])).status == 422, "agreed to another address"
    assert (await served.post("/login", {}, **form, cleartext=box[1])).headers["location"] == "/"


async def test_earlier_messages_come_from_the_homeserver_until_the_beginning(served: Served) -> None:
    await served.enter()
    served.messenger.put(ROOM, "newest")
    served.messenger.put_earlier(ROOM, [f"old {number}" for number in range(60)], 1e9 - 1000)
    first = await served.ask("GET", CHAT)
    assert "old 59" not in first.body and "?most=52" in first.body
    more = await served.ask("GET", f"{CHAT}?most=100")
    assert "old 0<" in more.body and "This is the beginning" in more.body
    served.messenger.connect(Connection.OFFLINE)
    served.messenger.put_chat("!other:x", "Ann")
    assert "Earlier messages" in (await served.ask("GET", "/chat/!other:x?most=100")).body


async def open_stream(served: Served, cookie: bool = False) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await served.connect()
    writer.write(served.request("GET", f"/events?chat={quote(ROOM, safe='')}"))
    head = await asyncio.wait_for(reader.readuntil(b"event: bubbles"), 20)
    assert b"200 OK" in head and b"text/event-stream" in head and b"Connection: close" in head
    assert b"Content-Security-Policy" in head and (b"Set-Cookie" in head) == cookie
    return reader, writer


async def test_an_open_stream_is_a_visible_page_and_two_seconds_without_any_are_none(served: Served) -> None:
    await served.enter()
    assert served.told.empty()
    _, first = await open_stream(served)
    assert await asyncio.wait_for(served.told.get(), 20) is True
    _, second = await open_stream(served)
    first.close()
    second.close()
    closed = time.monotonic()
    assert await asyncio.wait_for(served.told.get(), 20) is False
    assert time.monotonic() - closed > 1.9
    _, third = await open_stream(served)
    assert await asyncio.wait_for(served.told.get(), 20) is True
    third.close()


async def test_a_message_arrives_on_the_stream_and_counts_as_read(served: Served) -> None:
    await served.enter()
    reader, writer = await open_stream(served)
    served.messenger.put(ROOM, "live & well", "@right:demo.localhost")
    await asyncio.wait_for(reader.readuntil(b"live &amp; well"), 20)
    await asyncio.wait_for(reader.readuntil(b"event: bubbles"), 20)
    assert served.messenger.chat(ROOM) is not None and served.messenger.read == [ROOM]
    writer.close()


async def test_a_stream_is_for_the_page_itself(served: Served) -> None:
    await served.enter()
    answer = await served.ask("GET", "/events", {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"})
    assert answer.status == 403 and served.told.empty()


async def test_what_was_sent_is_kept_although_the_window_closes_in_the_middle(served: Served) -> None:
    await served.enter()
    csrf = await served.csrf()
    begun, go_on, kept = asyncio.Event(), asyncio.Event(), asyncio.Event()
    send = served.messenger.send

    async def slow_send(room_id: str, text: str, key: str = "") -> str:
        begun.set()
        await go_on.wait()
        key = await send(room_id, text, key)
        kept.set()
        return key

    served.messenger.send = slow_send  # type: ignore[method-assign]
    _, writer = await served.connect()
    writer.write(served.request("POST", f"{CHAT}/send", {}, urlencode({"csrf": csrf, "text": "goodbye"})))
    await asyncio.wait_for(begun.wait(), 20)
    writer.close()
    await writer.wait_closed()
    assert (await served.ask("GET", "/")).status == 200  # By now the closed connection has been noticed.
    go_on.set()
    await asyncio.wait_for(kept.wait(), 20)
    assert [bubble.text for bubble in served.messenger.bubbles(ROOM)] == ["goodbye"]


async def test_stopping_ends_the_streams_and_tells_nothing_more(served: Served) -> None:
    await served.enter()
    reader, writer = await open_stream(served)
    assert await asyncio.wait_for(served.told.get(), 20) is True
    await asyncio.wait_for(served.page.stop(), 20)
    assert b"event: quit" in await asyncio.wait_for(reader.read(), 20)
    writer.close()
    assert served.told.empty()


async def test_a_page_that_shows_no_account_is_seen_too_and_told_of_a_quit(served: Served) -> None:
    await served.enter()
    await served.post("/logout")
    reader, writer = await served.connect()
    writer.write(served.request("GET", "/seen/events"))
    assert b"text/event-stream" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    assert await asyncio.wait_for(served.told.get(), 20) is True
    await asyncio.wait_for(served.page.stop(), 20)
    assert b"event: quit" in await asyncio.wait_for(reader.read(), 20)
    writer.close()


async def test_a_page_that_calls_while_lobby_stops_is_told_so(served: Served) -> None:
    """Not told, it would call again by itself, and open what the person has just quit."""
    await served.enter()
    csrf = await served.csrf()
    begun, go_on = asyncio.Event(), asyncio.Event()
    send = served.messenger.send

    async def slow_send(room_id: str, text: str, key: str = "") -> str:
        begun.set()
        await go_on.wait()
        return await send(room_id, text, key)

    served.messenger.send = slow_send  # type: ignore[method-assign]
    _, sending = await served.connect()
    sending.write(served.request("POST", f"{CHAT}/send", {}, urlencode({"csrf": csrf, "text": "goodbye"})))
    await asyncio.wait_for(begun.wait(), 20)
    stopping = asyncio.ensure_future(served.page.stop())  # lets the message finish
    answer = await served.ask("GET", f"/events?chat={quote(ROOM, safe='')}")
    assert answer.status == 200 and "event: quit" in answer.body and "event: bubbles" not in answer.body
    go_on.set()
    await asyncio.wait_for(stopping, 20)
    sending.close()


@pytest.mark.contract("L11")
async def test_lobby_stays_awake_until_the_browser_has_its_answer() -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    told: list[str] = []
    answered = asyncio.Event()

    @contextlib.contextmanager
    def awake() -> Iterator[None]:
        told.append("begun")
        yield
        told.append("ended")
        answered.set()

    messenger, sessions = MemoryMessenger(time.time), MemorySessions()
    messenger.put_chat(ROOM, "Right")
    accounts = MemoryAccounts(messenger)
    page = Page(accounts, sessions, "lobby-x.localhost", port, SECRET, awake=awake)
    await page.serve(sock)
    try:
        served = Served(page, port, accounts, messenger, sessions, [time.time()])
        await served.enter()
        await asyncio.wait_for(answered.wait(), 20)
        told.clear()
        slow = messenger.older

        async def noted(room_id: str) -> bool:
            told.append("working")
            return await slow(room_id)

        messenger.older = noted  # type: ignore[method-assign]
        answered.clear()
        reader, writer = await served.connect()
        writer.write(served.request("GET", f"{CHAT}?most=200", {}))
        assert b"200 OK" in await asyncio.wait_for(reader.read(), 20)
        await asyncio.wait_for(answered.wait(), 20)
        assert told == ["begun", "working", "ended"]
        writer.close()
        told.clear()
        _, stream = await open_stream(served)
        assert told == [], "a visible page keeps Lobby awake by itself"
        stream.close()
    finally:
        await page.stop()


async def test_a_page_that_may_be_framed_says_by_whom() -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    messenger = MemoryMessenger(time.time)
    accounts = MemoryAccounts(messenger)
    page = Page(accounts, MemorySessions(), "x.localhost", port, SECRET, ("http://demo.localhost:1",))
    await page.serve(sock)
    try:
        served = Served(page, port, accounts, messenger, MemorySessions(), [time.time()])
        answer = await served.ask("GET", "/", {"Host": f"127.0.0.1:{port}"})
        assert "frame-ancestors http://demo.localhost:1" in answer.headers["content-security-policy"]
        assert "cross-origin-opener-policy" not in answer.headers and "x-frame-options" not in answer.headers
    finally:
        await page.stop()


async def begun(served: Served) -> str:
    """The path at which a browser comes back that was sent to single sign-on."""
    served.accounts.providers = (SIGN_ON,)
    step = await served.post("/account/new", homeserver="matrix.example")
    assert "Continue with House of Keys" in step.body
    page = await served.post("/account/new/sign-on", homeserver="https://matrix.example", provider=SIGN_ON.id)
    found = re.search(r"https://matrix\.example/sso/cas\?redirectUrl=http://[^/]+(/sign-on/[\w-]+)", page.body)
    assert found is not None
    return found[1]


async def test_who_comes_back_from_single_sign_on_is_logged_in_once(served: Served) -> None:
    await served.enter()
    back = await begun(served)
    # From another site, as the homeserver sends the browser on.
    crossing = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    answer = await served.ask("GET", f"{back}?loginToken=good", crossing)
    assert answer.headers["location"] == "/account/2/"
    assert served.accounts.logged_in == [("https://matrix.example", "good", None)]
    again = await served.ask("GET", f"{back}?loginToken=good", crossing)
    assert again.status == 422 and "sign-on is over" in again.body and len(served.accounts.logged_in) == 1


async def test_nobody_is_logged_in_by_a_sign_on_that_this_browser_did_not_begin(served: Served) -> None:
    await served.enter()
    back = await begun(served)
    await served.enter()  # Another browser, with a session of its own.
    assert (await served.ask("GET", f"{back}?loginToken=good")).status == 422
    assert (await served.ask("GET", "/sign-on/invented?loginToken=good")).status == 422
    cookie, served.cookie = served.cookie, ""
    assert (await served.ask("GET", f"{back}?loginToken=good")).status == 401
    served.cookie = cookie
    back = await begun(served)
    served.now[0] += 601
    assert (await served.ask("GET", f"{back}?loginToken=good")).status == 422
    assert served.accounts.logged_in == []


async def test_a_sign_on_that_is_refused_leads_back_to_where_it_began(served: Served) -> None:
    await served.enter()
    served.accounts.providers = (SIGN_ON,)
    served.messenger.connect(Connection.SIGNED_OUT)
    page = await served.post("/login/sign-on", homeserver="https://matrix.example", provider=SIGN_ON.id)
    found = re.search(r"/sign-on/[\w-]+", page.body.partition("redirectUrl=")[2])
    assert found is not None
    answer = await served.ask("GET", f"{found[0]}?loginToken=of-somebody-else")
    assert answer.status == 422 and "does not take that sign-on" in answer.body
    assert "Log in again" in answer.body and "Continue with House of Keys" in answer.body
    assert 'href="/account/new"' in answer.body, "or it was meant as one more account"


async def test_no_sign_on_goes_over_a_readable_way_before_the_person_has_agreed(served: Served) -> None:
    await served.enter()
    served.accounts.providers = (SIGN_ON,)
    form = {"homeserver": "http://matrix.example", "provider": SIGN_ON.id}
    answer = await served.post("/account/new/sign-on", {}, **form)
    assert answer.status == 422 and "is not encrypted" in answer.body and "redirectUrl" not in answer.body
    answer = await served.post("/account/new/sign-on", {}, **form, cleartext="http://matrix.example")
    assert "redirectUrl" in answer.body


async def test_each_account_has_addresses_of_its_own_and_the_menu_tells_of_the_others(served: Served) -> None:
    await served.enter()
    answer = await served.post(
        "/account/new", homeserver="matrix.example", user="@ann:matrix.example", password="right"
    )
    assert answer.headers["location"] == "/account/2/"
    other = served.accounts.messengers[2]
    other.put_chat(ROOM, "Ben")
    other.put(ROOM, "hello", "@ben:demo.localhost")
    first, second = (await served.ask("GET", "/")).body, (await served.ask("GET", "/account/2/")).body
    assert 'href="/account/2/"' in first and "1 waiting" in first
    assert f'href="/account/2{CHAT}"' in second and "Ben" in second
    assert (await served.ask("GET", "/account/7/new")).headers["location"] == "/"
    assert (await served.post("/logout")).headers.get("clear-site-data") is None, "the other account's drafts stay"
    assert (await served.ask("GET", "/")).headers["location"] == "/account/2/"
