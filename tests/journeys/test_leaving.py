"""Send and close at once: on a slow network it still goes out; without one the person is told, and resends it once."""

import os
import signal

import pytest
from playwright.async_api import expect

from demo.network import Condition
from demo.tour.steps import Watch, in_state, notified, until
from frontdesk import AppState
from tests.journeys.stand import Chat, Person, Stand

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]


@pytest.mark.parametrize("chat", ["encrypted", "plain"], indirect=True)
@pytest.mark.contract("A01")
async def test_sent_on_a_slow_network_although_the_tab_was_closed_at_once(
    stand: Stand, chat: Chat, left: Person, right: Person
) -> None:
    # The first message of an encrypted chat takes Right's devices and a key for each of them along: more ways to the
    # homeserver than this network allows for.
    await left.writes("Leaving the station")
    await left.sees("Leaving the station", "sent")
    await right.sees("Leaving the station")
    await left.lobby(AppState.FOREGROUND)
    before = await stand.homeserver.sent(chat.room_id, left.user_id)
    left.machine.network.set(Condition.SLOW)
    await left.writes("In the tunnel, see you soon")
    await left.closes()
    held = Watch()
    await until(left.machine, in_state(AppState.BACKGROUND), "Lobby in the background", watch=held)
    await until(left.machine, in_state(AppState.SUSPENDED), "Lobby asleep", watch=held)
    new = (await stand.homeserver.sent(chat.room_id, left.user_id)).keys() - before.keys()
    assert len(new) == 1, "it slept with its work undone"
    assert held.holds == {f"send to {chat.seen_with('Right')}"}, "what held it awake"
    await right.sees("In the tunnel, see you soon")


@pytest.mark.contract("A05")
async def test_without_a_network_told_as_not_sent_and_resent_by_keyboard_exactly_once(
    stand: Stand, chat: Chat, left: Person, right: Person
) -> None:
    before = await left.lobby(AppState.FOREGROUND)
    sent_before = await stand.homeserver.sent(chat.room_id, left.user_id)
    left.machine.network.set(Condition.OFF)
    await left.writes("Bring the long ladder")
    await left.closes()
    await left.desk(notified("To Right: Bring the long ladder", "Message not sent, please resend"), "it told")
    asleep = await left.lobby(AppState.SUSPENDED)
    assert asleep.pid == before.pid, "asleep, not stopped: its task was ended in time"

    left.machine.network.set(Condition.GOOD)
    await left.follows(await left.presses(f"unsent:{chat.room_id}"))
    await left.sees("Bring the long ladder", "unsent")
    await expect(left.bubble("Bring the long ladder").get_by_text("Not sent")).to_be_visible()
    await left.desk(lambda status: not status.shown, "the notification gone")
    assert await stand.homeserver.sent(chat.room_id, left.user_id) == sent_before, "nobody has said to send it"
    resend = left.bubble("Bring the long ladder").get_by_role("button", name="Resend")
    await expect(left.page.locator("#text")).to_be_focused()
    while not await resend.evaluate("button => button === document.activeElement"):
        await left.page.keyboard.press("Shift+Tab")
        assert not await left.page.evaluate("document.activeElement === document.body"), "Resend was not on the way"
    await left.page.keyboard.press("Enter")
    await left.sees("Bring the long ladder", "sent")
    await right.sees("Bring the long ladder")
    assert len((await stand.homeserver.sent(chat.room_id, left.user_id)).keys() - sent_before.keys()) == 1
    await expect(left.page.locator("#text")).to_be_focused()


@pytest.mark.contract("A05")
async def test_whoever_comes_back_later_finds_it_unsent_and_may_throw_it_away(
    stand: Stand, chat: Chat, left: Person, right: Person
) -> None:
    sent_before = await stand.homeserver.sent(chat.room_id, left.user_id)
    left.machine.network.set(Condition.OFF)
    await left.writes("never mind this one")
    await left.closes()
    await left.desk(notified("To Right: never mind this one", "Message not sent, please resend"), "it told")
    asleep = await left.lobby(AppState.SUSPENDED)
    os.kill(asleep.pid, signal.SIGKILL)
    await left.lobby(AppState.STOPPED)
    left.machine.network.set(Condition.GOOD)
    await left.visits(chat.place)
    await left.sees("never mind this one", "unsent")
    await left.desk(lambda status: not status.shown, "the notification of the run before gone")
    await left.page.get_by_role("button", name="Discard").click()
    await expect(left.bubble("never mind this one")).to_have_count(0)
    await left.page.reload()
    await expect(left.page.locator("#composer")).to_be_visible()
    await expect(left.bubble("never mind this one")).to_have_count(0)
    assert await stand.homeserver.sent(chat.room_id, left.user_id) == sent_before
    await expect(right.bubble("never mind this one")).to_have_count(0)
