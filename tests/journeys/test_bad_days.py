"""Files are garbage, cookies are wrong, codes are old: clear words, and what can go on goes on."""

import os
import signal
from pathlib import Path

import pytest
from playwright.async_api import expect

from demo.tour.steps import notified
from frontdesk import AppState
from tests.journeys.stand import Chat, Person, Stand

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

GARBAGE = b"\x00\xffthis was a database once" * 400


def ruin(database: Path) -> None:
    """Garbage instead of a database, its write-ahead log included."""
    for file in database.parent.glob(database.name + "*"):
        file.write_bytes(GARBAGE)


async def test_a_ruined_database_of_lobby_is_put_aside_and_the_chats_come_back(
    chat: Chat, left: Person, right: Person
) -> None:
    await left.writes("worth keeping")
    await right.sees("worth keeping")
    asleep = await right.falls_asleep()
    os.kill(asleep.pid, signal.SIGKILL)
    await right.lobby(AppState.STOPPED)
    folder = right.machine.folder / "lobby" / "accounts" / "1"
    ruin(folder / "lobby.sqlite3")

    await right.visits("/")
    await right.finds(chat)
    await right.sees("worth keeping")
    assert list(folder.glob("lobby.sqlite3.damaged-*")), "put aside, not thrown away"
    log = (right.machine.folder / "state" / "logs" / "org.frontdesk.Lobby.log").read_text()
    assert "Lobby's database was damaged. It was put aside as lobby.sqlite3.damaged-" in log
    assert "Traceback" not in log

    await right.falls_asleep()
    await left.writes("still with me?")
    await right.desk(notified("still with me?", "Left"), "who wrote, and what")


@pytest.mark.contract("P01")
async def test_after_a_ruined_database_of_the_desk_apps_are_kept_and_messages_arrive(
    stand: Stand, left: Person, right: Person
) -> None:
    (before,) = await stand.homeserver.pushers()
    assert right.machine.keeper is not None
    await right.closes()
    await right.machine.keeper.stop()
    ruin(right.machine.folder / "state" / "desk.sqlite3")
    await stand.start_desk_again(right.machine)
    status = await right.machine.status()
    assert [app.app for app in status.apps] == ["org.frontdesk.Lobby"]

    # Nobody opens Lobby: it is launched to subscribe anew, and sleeps again.
    await right.lobby(AppState.SUSPENDED)
    (after,) = await stand.homeserver.pushers()
    assert after["data"]["endpoint"] != before["data"]["endpoint"]
    await left.writes("found you again")
    await right.desk(notified("found you again", "Left"), "who wrote, and what")


@pytest.mark.contract("L11")
async def test_a_desk_that_loses_its_database_under_a_sleeping_lobby_gets_it_back(
    chat: Chat, left: Person, right: Person
) -> None:
    asleep = await right.falls_asleep()
    desk = (await right.machine.status()).pid
    ruin(right.machine.folder / "state" / "desk.sqlite3")
    os.kill(desk, signal.SIGKILL)
    await right.desk(lambda status: status.pid != desk, "another desk")
    await right.visits(chat.place)
    await expect(right.page.locator("#composer")).to_be_visible()
    awake = await right.lobby(AppState.FOREGROUND)
    assert awake.pid and (awake.pid == asleep.pid or not Path(f"/proc/{asleep.pid}").exists()), "two Lobbies"
    await right.falls_asleep()
    await left.writes("and again")
    await right.desk(notified("and again", "Left"), "who wrote, and what")


@pytest.mark.contract("X01")
async def test_a_wrong_cookie_and_an_old_code_open_a_page_that_says_what_to_do(
    stand: Stand, chat: Chat, right: Person
) -> None:
    used = await right.machine.page_address()
    await right.page.goto(used)
    await right.page.goto(stand_chat := right.origin + chat.place)
    (cookie,) = await right.context.cookies(right.origin)
    assert cookie.get("httpOnly")

    stranger = await stand.browser.new_context()
    page = await stranger.new_page()
    for address in (stand_chat, used, right.origin + "/enter?code=nonsense"):
        answer = await page.goto(address)
        assert answer is not None and answer.status in (401, 403)
        await expect(page.get_by_role("heading", name="Lobby is closed to this browser")).to_be_visible()
        await expect(page.locator("code")).to_have_text("lobby")
        assert "Left" not in await page.content()
    await stranger.add_cookies(
        [{"name": str(cookie.get("name")), "value": "wrong" * 8, "url": right.origin}],
    )
    answer = await page.goto(stand_chat)
    assert answer is not None and answer.status == 401
    await expect(page.get_by_role("heading", name="Lobby is closed to this browser")).to_be_visible()
    await stranger.close()
