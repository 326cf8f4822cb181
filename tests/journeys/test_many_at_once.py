"""A burst of messages for a Lobby that has no process: launched once, all stored in order, one summary told."""

import os
import signal
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.async_api import expect

from demo.machine import LOBBY, app_of
from demo.network import Condition
from demo.tour.window import opened
from demo.world import together
from frontdesk import AppState, DeskStatus
from lobby.core.alerts import SUMMARY
from tests import people
from tests.journeys.stand import PASSWORD, PATIENCE, Person, Stand

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

MESSAGES = 200
CHATS = 8


async def groups(sender: people.Person, receiver: Person) -> list[str]:
    """Encrypted groups of the two, made by the one and entered by the other."""
    rooms = [await sender.lobby.start_group(f"Group {number}", [receiver.user_id]) for number in range(CHATS)]
    async with opened(await receiver.machine.page_address()) as window:
        await window.until(lambda window: set(rooms) <= set(window.invitations), "all invitations")
        await together(*(window.accept(room_id) for room_id in rooms))
    # Who is not known to be there yet gets no key.
    await sender.until(lambda: all((chat := sender.lobby.chat(room_id)) and chat.members for room_id in rooms))
    return rooms


class Told:
    """What has happened to a person's Lobby, gathered from every status, as the desk keeps only the last of it."""

    def __init__(self, since: float) -> None:
        self._since = since
        self._seen: set[int] = set()
        self.often: Counter[str] = Counter()
        """How often what has happened."""

    def gather(self, status: DeskStatus) -> None:
        for one in status.happenings:
            if one.app == LOBBY and one.at >= self._since and one.number not in self._seen:
                self._seen.add(one.number)
                self.often[one.what] += 1

    def by_one_summary(self, status: DeskStatus) -> bool:
        """All of the burst is told, and by one notification; Lobby sleeps again."""
        self.gather(status)
        shown = [(each.notification.id, each.notification.title) for each in status.shown]
        told = shown == [(SUMMARY, f"{MESSAGES} new messages in {CHATS} chats")]
        return told and app_of(status).state is AppState.SUSPENDED


@pytest.mark.contract("P02", "N03")
async def test_a_burst_launches_lobby_once_and_is_told_by_one_summary(stand: Stand, tmp_path: Path) -> None:
    await stand.synapse.register("writer", PASSWORD, "Writer")
    friend = people.Person(tmp_path / "writer", stand.synapse.user_id("writer"), stand.synapse.url)
    async with stand.resident("Nora") as nora, friend as sender:
        await sender.log_in()
        sender.lobby.foreground()
        rooms = await groups(sender, nora)
        asleep = await nora.lobby(AppState.SUSPENDED)
        os.kill(asleep.pid, signal.SIGKILL)
        await nora.lobby(AppState.STOPPED)

        told = Told((await nora.machine.status()).now)
        said: dict[str, list[str]] = {room_id: [] for room_id in rooms}
        for number in range(MESSAGES):
            room_id = rooms[number % CHATS]
            said[room_id].append(f"message {number}")
            await sender.lobby.send(room_id, f"message {number}")
        await nora.desk(told.by_one_summary, "one summary of all, and Lobby asleep", 3 * PATIENCE)
        assert (told.often["launched"], told.often["push_fallback"], told.often["stopped"]) == (1, 0, 0)
        assert told.often["thawed"] <= 5, "a row of pushes is one wake, or a few on a slow machine"
        assert told.often["notified"] <= 10, "brought up to date, not told two hundred times"

        await nora.enters()
        await nora.follows(await nora.presses(SUMMARY))
        await expect(nora.page.locator(".chat .badge")).to_have_count(CHATS)
        # Without a network the page shows what was stored while nobody looked.
        nora.machine.network.set(Condition.OFF)
        for room_id in rooms[:3]:
            await nora.page.goto(f"{nora.origin}/chat/{quote(room_id, safe='')}")
            await expect(nora.page.locator("#bubbles [data-mark] .text")).to_have_text(said[room_id])
            assert await people.readable_events(sender, room_id) == []
