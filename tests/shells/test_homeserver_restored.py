"""Lobby and a homeserver that forgets: restored from a backup, or with pages of history in which nothing is left."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from lobby.arrival import Arrivals
from lobby.core.alerts import Pushed
from lobby.core.views import Mark
from lobby.errors import PlaceForgotten, ServerRefused
from lobby.home import Login
from lobby.matrix.session import Session
from tests.homeserver import Homeserver, homeserver
from tests.people import Person, introduce

__all__ = ["homeserver"]


@pytest.fixture
async def pair(homeserver: Homeserver, tmp_path: Path) -> AsyncIterator[tuple[Person, Person]]:
    """Left and Right, not logged in yet."""
    async with AsyncExitStack() as stack:
        people = [
            await stack.enter_async_context(
                Person(tmp_path / name, await homeserver.account(name.title()), homeserver.url)
            )
            for name in ("left", "right")
        ]
        yield people[0], people[1]


async def said(left: Person, right: Person, *texts: str, encrypted: bool = True) -> str:
    """A chat in which Left has said all of this and Right has read it; both look no more."""
    room_id = await introduce(left, right, encrypted)
    for text in texts:
        await left.lobby.send(room_id, text)
    await right.until(lambda: right.texts(room_id) == [*texts])
    await left.until(lambda: all(bubble.mark is Mark.SENT for bubble in left.bubbles(room_id)))
    await right.lobby.mark_read(room_id)
    await left.lobby.background()
    await right.lobby.background()
    return room_id


def forget_place(person: Person) -> None:
    """As if the homeserver had been restored from a backup: it cannot read the token that it once gave."""
    person.store.keep_note("sync_token", "of-another-time")


def lose(person: Person, room_id: str, text: str) -> None:
    """As if the homeserver had lost the last message that is kept here: this one."""
    with person.database.transaction() as db:
        [last] = db.execute("SELECT max(place) FROM events WHERE room_id = ?", (room_id,)).fetchone()
        values = ("$lost", "$lost", room_id, last + 1, "@lost:x", 1.0, "message", text, "")
        db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)


async def test_a_forgotten_place_begins_anew_and_shows_each_message_once(pair: tuple[Person, Person]) -> None:
    left, right = pair
    room_id = await said(left, right, "one", "two", "three")
    lose(right, room_id, "lost by the homeserver")
    await right.lobby.mark_read(room_id)
    key = await right.lobby.send(room_id, "x" * 70_000)
    await right.until(lambda: right.bubbles(room_id)[-1].mark is Mark.UNSENT)
    forget_place(right)
    await left.lobby.send(room_id, "four")
    await left.until(lambda: left.bubbles(room_id)[-1].mark is Mark.SENT)
    await right.lobby.fetch()
    texts = ["one", "two", "three", "lost by the homeserver", "four"]
    assert right.texts(room_id)[:-1] == texts
    assert right.bubbles(room_id)[-1].key == key, "the outbox is kept"
    chat = right.lobby.chat(room_id)
    assert chat is not None and (chat.name, chat.unread) == ("Left", 1)
    await left.lobby.send(room_id, "five")
    await left.until(lambda: left.bubbles(room_id)[-1].mark is Mark.SENT)
    await right.lobby.fetch()
    assert right.texts(room_id)[:-1] == [*texts, "five"], "from then on as ever"


async def test_beginning_anew_tells_of_nothing_that_was_read(pair: tuple[Person, Person]) -> None:
    left, right = pair
    room_id = await said(left, right, "one", "two")
    events = [event.event_id for event in right.store.events(room_id, None, 50) if event.text in ("one", "two")]
    forget_place(right)
    for event_id in events:
        assert await Arrivals(right.lobby).alert_for(Pushed(room_id, event_id), page_visible=False) is None
    assert [chat.unread for chat in right.lobby.chats()] == [0]


async def test_an_invitation_withdrawn_meanwhile_is_gone_after_beginning_anew(pair: tuple[Person, Person]) -> None:
    left, right = pair
    await said(left, right, "one")
    with right.database.transaction() as db:
        db.execute("INSERT INTO invitations VALUES ('!gone:x', 'Team', '@x:x', 'X', 0, 0, 1.0)")
    forget_place(right)
    await right.lobby.fetch()
    assert right.lobby.invitations() == []


@pytest.mark.timeout(300)
async def test_after_beginning_anew_history_goes_back_to_the_beginning(
    pair: tuple[Person, Person], homeserver: Homeserver, tmp_path: Path
) -> None:
    left, right = pair
    room_id = await said(left, right, *(f"message {number}" for number in range(40)), encrypted=False)
    async with Person(tmp_path / "tablet", right.user_id, homeserver.url) as tablet:
        await tablet.log_in()
        await tablet.lobby.fetch()
        assert tablet.texts(room_id)[0] == "message 10"
        forget_place(tablet)
        await tablet.lobby.fetch()
        while await tablet.lobby.older(room_id):
            pass
        assert tablet.texts(room_id) == [f"message {number}" for number in range(40)]
        assert tablet.lobby.complete(room_id)


async def ask(person: Person, since: str) -> Any:
    """The real homeserver's answer, past what makes the best of it."""
    login = person.home.login()
    assert login is not None
    session = Session(login)
    try:
        return await session.sync(since, 0.0)
    finally:
        await session.close()


@pytest.mark.parametrize("errcode", ["M_UNKNOWN_POS", "M_INVALID_PARAM", "M_UNKNOWN"])
async def test_homeservers_have_several_words_for_a_place_they_do_not_know(errcode: str) -> None:
    async def sync(request: web.Request) -> web.Response:
        return web.json_response({"errcode": errcode, "error": "?"}, status=400)

    app = web.Application()
    app.router.add_get("/_matrix/client/v3/sync", sync)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    [(host, port)] = [address[:2] for address in runner.addresses]
    session = Session(Login(f"http://{host}:{port}", "@me:x", "DEVICE", "token"))
    try:
        with pytest.raises(PlaceForgotten):
            await session.sync("s1", 0.0)
        with pytest.raises(ServerRefused) as refused:
            await session.sync("", 0.0)
        assert not isinstance(refused.value, PlaceForgotten), "that was the beginning already"
    finally:
        await session.close()
        await runner.cleanup()


class Sparse:
    """Puts ``pages`` empty pages before every page of history that the real homeserver gives."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, pages: int) -> None:
        self.asked = 0
        real = Session.messages

        async def messages(session: Session, room_id: str, before: str, most: int) -> Any:
            self.asked += 1
            left, _, place = before.partition(" ") if " " in before else (str(pages), "", before)
            if int(left):
                return {"chunk": [], "start": before, "end": f"{int(left) - 1} {place}"}
            return await real(session, room_id, place, most)

        monkeypatch.setattr(Session, "messages", messages)


@pytest.mark.timeout(300)
async def test_history_goes_on_behind_empty_pages(
    pair: tuple[Person, Person], homeserver: Homeserver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, right = pair
    room_id = await said(left, right, *(f"message {number}" for number in range(40)), encrypted=False)
    async with Person(tmp_path / "tablet", right.user_id, homeserver.url) as tablet:
        await tablet.log_in()
        await tablet.lobby.fetch()
        sparse = Sparse(monkeypatch, pages=30)
        assert not await tablet.lobby.older(room_id) and not tablet.lobby.complete(room_id)
        assert sparse.asked == 20, "bounded, for one look"
        assert await tablet.lobby.older(room_id), "asked again, it goes on from there"
        assert sparse.asked == 31
        assert tablet.texts(room_id) == [f"message {number}" for number in range(40)]


@pytest.mark.parametrize(("pages", "mark"), [(5, Mark.SENT), (100, Mark.UNSENT)])
async def test_a_message_is_looked_for_behind_empty_pages_and_not_for_ever(
    pair: tuple[Person, Person], monkeypatch: pytest.MonkeyPatch, pages: int, mark: Mark
) -> None:
    left, right = pair
    room_id = await said(left, right, "one")
    [sent] = left.bubbles(room_id)
    login = left.home.login()
    assert login is not None
    await left.lobby.stop()
    # As if Lobby had died before the answer came, two days ago.
    with left.database.transaction() as db:
        db.execute("DELETE FROM events WHERE key = ?", (sent.key,))
        values = (sent.key, room_id, 1, "queued", 1.0, 1, 0.0, "", "one", 1.0, login.device_id)
        db.execute("INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    Sparse(monkeypatch, pages)
    left.lobby.start()
    left.lobby.take_up_outbox()
    await left.until(lambda: left.bubbles(room_id)[-1].mark is mark)
    assert ("too little" in left.bubbles(room_id)[-1].reason) == (mark is Mark.UNSENT)
    await right.lobby.fetch()
    assert right.texts(room_id) == ["one"]


async def test_the_homeserver_really_refuses_such_a_place(pair: tuple[Person, Person]) -> None:
    left, _ = pair
    await left.log_in()
    with pytest.raises(PlaceForgotten):
        await ask(left, "of-another-time")
    assert "next_batch" in await ask(left, "")
