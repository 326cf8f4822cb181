"""The event stream: everything as it is now, then what changes, once; and its bytes are what browsers read back."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lobby.core.views import Backup, Connection, Invitation, Mark, Standing, VerificationPhase
from lobby.errors import NotKept
from lobby.ui import static_files
from lobby.ui.render import Renderer
from lobby.ui.scenes import Scene, Scenes
from lobby.ui.stream import NEWEST, Stream, conversation, event
from tests.lobby.ui.memory_messenger import MemoryMessenger

ROOM = "!r:x"
RIGHT = "@right:demo.localhost"
RENDERER = Renderer({name: file.address for name, file in static_files.load().items()})


def parse(stream: str) -> list[tuple[str, str]]:
    """Events as a browser reads them (HTML standard §9.2.6)."""
    found, name, data = [], "", list[str]()
    for line in stream.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif not line and data:
            found.append((name, "\n".join(data)))
            name, data = "", []
    return found


@given(st.text())
def test_any_text_comes_back_but_for_the_kind_of_line_end(text: str) -> None:
    assert parse(event("bubbles", text).decode()) == [
        ("bubbles", text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode())
    ]


def test_half_a_surrogate_pair_breaks_nothing() -> None:
    assert event("x", "a\ud83d") == b"event: x\ndata: a?\n\n"


def scenes(messenger: MemoryMessenger) -> Callable[[], Scene | None]:
    made = Scenes(lambda: 1e9)
    return lambda: made.scene(messenger, "token")


class Reader:
    """A page: takes what the stream writes."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    async def write(self, data: bytes) -> None:
        for one in parse(data.decode()):
            self.events.put_nowait(one)

    async def next(self, name: str) -> str:
        """The next event of that name; what comes before it is skipped."""
        while True:
            found, data = await asyncio.wait_for(self.events.get(), 20)
            if found == name:
                return data


@pytest.fixture
def messenger() -> MemoryMessenger:
    messenger = MemoryMessenger(lambda: 1e9)
    messenger.put_chat(ROOM, "Right")
    messenger.put(ROOM, "hello", RIGHT)
    return messenger


@pytest.fixture
async def page(messenger: MemoryMessenger) -> AsyncIterator[Reader]:
    reader = Reader()
    running = asyncio.ensure_future(Stream(messenger, RENDERER, scenes(messenger), ROOM).run(reader.write))
    yield reader
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert messenger._listeners == []


async def test_it_begins_with_all_there_is_and_marks_the_open_chat_read(
    messenger: MemoryMessenger, page: Reader
) -> None:
    assert [(await page.events.get())[0] for _ in range(5)] == ["strip", "account", "chats", "head", "bubbles"]
    assert 'class="badge"' not in await page.next("rows")
    assert messenger.read == [ROOM]


async def test_the_welcome_goes_when_chats_arrive() -> None:
    lobby, reader = MemoryMessenger(lambda: 1e9), Reader()
    running = asyncio.ensure_future(Stream(lobby, RENDERER, scenes(lobby)).run(reader.write))
    assert "Welcome to Lobby" in await reader.next("welcome")
    lobby.put_chat(ROOM, "Right")
    assert "Pick a chat" in await reader.next("welcome")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_message_and_its_mark_arrive(messenger: MemoryMessenger, page: Reader) -> None:
    await page.next("bubbles")
    key = messenger.put(ROOM, "mine", mark=Mark.SENDING)
    assert f'data-key="{key}" data-mark="sending"' in await page.next("bubbles")
    messenger.deliver(ROOM, key)
    assert f'data-key="{key}" data-mark="sent"' in await page.next("bubbles")


async def test_what_looks_the_same_is_not_sent_again(messenger: MemoryMessenger, page: Reader) -> None:
    await page.next("bubbles")
    await page.next("rows")
    messenger.connect(Connection.ONLINE)
    messenger.connect(Connection.OFFLINE)
    assert (await page.events.get())[0] == "strip"
    messenger._tell("chat", ROOM)
    messenger._tell("chats")
    messenger.connect(Connection.ONLINE)
    assert "account" in [(await page.events.get())[0] for _ in range(2)]


async def test_of_the_chat_list_only_what_changed_is_sent(messenger: MemoryMessenger, page: Reader) -> None:
    others = [f"!{number}:x" for number in range(3)]
    for room_id in others:
        messenger.put_chat(room_id, f"Chat {room_id}")
    assert 'class="badge"' not in await page.next("rows"), "the open chat is read"
    messenger.put(others[1], "news", RIGHT, 2e9)
    changed = await page.next("rows")
    assert 'data-unread="1"' in changed and 'data-below=""' in changed
    assert others[1] in changed and ROOM not in changed and others[0] not in changed
    messenger.leave(others[0])
    changed = await page.next("rows")
    assert f'data-gone="chat-{others[0]}"' in changed and "<li" not in changed


async def test_an_invitation_brings_the_whole_list(messenger: MemoryMessenger, page: Reader) -> None:
    await page.next("bubbles")
    messenger.put_invitation(Invitation("!c:x", "Ann", "@ann:x", "Ann", False, 3.0))
    assert "!c:x" in await page.next("chats")


async def test_a_chat_that_goes_once_more_goes_from_the_page_once_more(
    messenger: MemoryMessenger, page: Reader
) -> None:
    await page.next("bubbles")
    messenger.put_chat("!c:x", "Ann")
    assert "!c:x" in await page.next("rows")
    messenger.leave("!c:x")
    gone = await page.next("rows")
    messenger.put_chat("!c:x", "Ann")
    messenger.put_invitation(Invitation("!d:x", "Bob", "@bob:x", "Bob", False, 3.0))
    assert "!c:x" in await page.next("chats")
    messenger.leave("!c:x")
    assert await page.next("rows") == gone


async def test_many_changes_at_once_are_few_fragments(messenger: MemoryMessenger, page: Reader) -> None:
    others = [f"!{number}:x" for number in range(100)]
    await page.next("bubbles")
    for room_id in others:
        messenger.put_chat(room_id, "Chat")
        await asyncio.sleep(0)
    parts = 0
    while others:
        changed = await page.next("rows")
        others = [room_id for room_id in others if f"chat-{room_id}" not in changed]
        parts += 1
    assert parts <= 10


async def test_a_full_disk_does_not_end_the_stream(messenger: MemoryMessenger, page: Reader) -> None:
    async def full(room_id: str) -> None:
        raise NotKept("The disk is full.")

    messenger.mark_read = full  # type: ignore[method-assign]
    await page.next("bubbles")
    messenger.put(ROOM, "first", RIGHT)
    assert "first" in await page.next("bubbles")
    messenger.put(ROOM, "second", RIGHT)
    assert "second" in await page.next("bubbles")


async def test_a_chat_that_is_left_sends_the_page_to_the_list(messenger: MemoryMessenger, page: Reader) -> None:
    messenger.leave(ROOM)
    assert await page.next("gone") == "/"


async def test_a_logout_sends_the_page_to_the_door(messenger: MemoryMessenger, page: Reader) -> None:
    await messenger.log_out()
    assert await page.next("gone") == "/"


async def test_a_verification_is_followed_to_its_end_by_the_page_that_shows_it() -> None:
    lobby, reader = MemoryMessenger(lambda: 1e9), Reader()
    lobby.keys.offer()
    stream = Stream(lobby, RENDERER, scenes(lobby), verification="$offer/1")
    running = asyncio.ensure_future(stream.run(reader.write))
    assert "wants to verify this computer" in await reader.next("verification")
    lobby.keys.move("$offer/1", VerificationPhase.COMPARING)
    assert "Do they match?" in await reader.next("verification")
    lobby.keys.move("$offer/1", VerificationPhase.DONE)
    assert "phase-done" in await reader.next("verification")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_encryption_changes_live_and_a_recovery_key_is_never_in_the_stream() -> None:
    lobby, reader, written = MemoryMessenger(lambda: 1e9), Reader(), list[bytes]()

    async def write(data: bytes) -> None:
        written.append(data)
        await reader.write(data)

    lobby.keys.become(standing=Standing.NO_RECOVERY, backup=Backup.NONE)
    running = asyncio.ensure_future(Stream(lobby, RENDERER, scenes(lobby)).run(write))
    assert "There is no recovery key yet" in await reader.next("encryption")
    key = await lobby.keys.create_recovery()
    assert "This computer is verified" in await reader.next("encryption")
    assert not [data for data in written for group in key.split() if group.encode() in data]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_an_offer_reaches_the_strip_of_a_chat(messenger: MemoryMessenger, page: Reader) -> None:
    await page.next("bubbles")
    messenger.keys.offer()
    assert "wants to verify this computer" in await page.next("strip")


def test_a_conversation_shows_the_newest_and_knows_the_one_above(messenger: MemoryMessenger) -> None:
    keys = [messenger.put(ROOM, str(number), RIGHT) for number in range(NEWEST + 5)]
    shown = conversation(messenger, ROOM, NEWEST)
    assert shown is not None and shown.above is not None
    assert [bubble.key for bubble in shown.bubbles] == keys[-NEWEST:]
    assert shown.above.key == keys[-NEWEST - 1]
    assert conversation(messenger, "!elsewhere:x", NEWEST) is None
