"""A message comes while Lobby sleeps or has no process: told by a notification, which leads to the message."""

import os
import signal

import pytest
from playwright.async_api import expect

from demo.machine import LOBBY
from demo.tour.steps import notified
from frontdesk import AppState, DeskStatus
from tests.journeys.stand import Chat, Person

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]


@pytest.mark.parametrize("chat", ["encrypted", "plain"], indirect=True)
@pytest.mark.contract("P02", "L11")
async def test_a_notification_of_a_suspended_lobby_leads_to_the_message(
    chat: Chat, left: Person, right: Person
) -> None:
    asleep = await right.falls_asleep()
    await left.writes("Tea at four?")
    status = await right.desk(notified("Tea at four?", chat.told_of("Left")), "who wrote, and what")
    assert [one.notification.id for one in status.shown] == [chat.room_id]
    assert (await right.lobby(AppState.SUSPENDED)).pid == asleep.pid, "the process that slept, asleep again"

    address = await right.presses(chat.room_id)
    right.page = await right.context.new_page()
    shown = await right.page.goto(address)
    assert shown is not None and 'data-unread="1"' in await shown.text()
    await right.sees("Tea at four?")
    await expect(right.page.locator("#chats [data-unread]")).to_have_attribute("data-unread", "0")
    await right.desk(lambda status: not status.shown, "the notification gone")
    assert (await right.lobby(AppState.FOREGROUND)).pid == asleep.pid


@pytest.mark.parametrize("chat", ["encrypted", "plain"], indirect=True)
@pytest.mark.contract("P02")
async def test_a_notification_of_a_killed_lobby_goes_when_the_message_is_read(
    chat: Chat, left: Person, right: Person
) -> None:
    asleep = await right.falls_asleep()
    os.kill(asleep.pid, signal.SIGKILL)
    await right.lobby(AppState.STOPPED)
    await left.writes("The kettle is on.")
    await right.desk(notified("The kettle is on.", chat.told_of("Left")), "who wrote, and what")
    assert (await right.lobby(AppState.SUSPENDED)).pid != asleep.pid

    await right.visits()
    await expect(right.page).to_have_title("(1) Lobby")
    await expect(right.page.locator(".badge")).to_contain_text("1 unread")
    assert (await right.machine.status()).shown, "seeing that there is a message is not reading it"
    await right.finds(chat)
    await right.sees("The kettle is on.")
    await expect(right.page.locator(".badge")).to_have_count(0)
    await right.desk(lambda status: not status.shown, "the notification gone")


@pytest.mark.contract("P02")
async def test_what_is_read_while_it_comes_is_not_told(left: Person, right: Person) -> None:
    begun = (await right.machine.status()).now
    await left.writes("You see me, don't you?")
    await right.sees("You see me, don't you?")
    await right.falls_asleep()
    await left.writes("And now?")
    status = await right.desk(notified("And now?"), "the second message's notification")
    assert words_since(status, begun).count("notified") == 1, "only of what nobody saw"


def words_since(status: DeskStatus, moment: float) -> list[str]:
    """What has happened to Lobby from a moment on, in the desk's words."""
    return [one.what for one in status.happenings if one.app == LOBBY and one.at >= moment]
