"""A tab of Lobby is opened again while Lobby sleeps or has no process: the person sees the chat, no hanging browser."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest

from frontdesk import AppState, StopReason
from tests.journeys.stand import Chat, Person
from tests.programs import CHROMIUM_FLAGS, chromium
from tests.shells.tabs import chromium_tabs

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

SEEN_WITHIN = 15.0
"""Seconds from opening the tab to seeing the chat: what says that no browser hangs. It is about one on an idle machine,
and is printed; on one that is busy with other things it is a matter of them."""


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[[str, float], None]:
    """Prints how long a person has waited, whatever pytest captures."""

    def tell(what: str, began: float) -> None:
        seconds = time.monotonic() - began
        with capsys.disabled():
            print(f" [{what}: {seconds:.2f} s]", end="", flush=True)
        assert seconds < SEEN_WITHIN

    return tell


async def happenings(person: Person, since: float) -> list[str]:
    """What the desk saw of Lobby from a moment on, in order."""
    found = (await person.machine.status()).happenings
    return [one.what for one in found if one.app == "org.frontdesk.Lobby" and one.at > since]


def in_order(words: list[str], *wanted: str) -> bool:
    """Whether the wanted words are among the words, in this order."""
    rest = iter(words)
    return all(word in rest for word in wanted)


@pytest.mark.contract("L11")
async def test_a_tab_opened_again_wakes_a_suspended_lobby(
    chat: Chat, right: Person, told: Callable[[str, float], None]
) -> None:
    for text in ("first of two", "second of two"):
        await right.writes(text)
    await right.sees("second of two", "sent")
    asleep = await right.falls_asleep()

    began = time.monotonic()
    await right.visits(chat.place)
    await right.sees("second of two")
    told("suspended", began)
    texts = await right.page.locator("#bubbles .row .text").all_inner_texts()
    assert texts[-2:] == ["first of two", "second of two"]
    awake = await right.lobby(AppState.FOREGROUND)
    assert awake.pid == asleep.pid, "the process that slept"
    assert in_order(await happenings(right, asleep.since), "thawed", "foreground")


@pytest.mark.contract("L11")
async def test_a_tab_that_stayed_open_goes_on_after_lobby_slept(
    chat: Chat, right: Person, told: Callable[[str, float], None]
) -> None:
    await right.writes("before the nap")
    await right.sees("before the nap", "sent")
    # The tab shows something else for a while; its process, and every connection Chromium keeps for it, stay.
    await right.page.goto("about:blank")
    await right.lobby(AppState.SUSPENDED)
    began = time.monotonic()
    await right.page.go_back(wait_until="commit")
    await right.sees("before the nap")
    told("back", began)

    await right.page.goto("about:blank")
    await right.lobby(AppState.SUSPENDED)
    began = time.monotonic()
    await right.page.goto(right.origin + "/", wait_until="commit")
    await right.finds(chat)
    await right.sees("before the nap")
    told("navigated", began)


@pytest.mark.contract("L11")
async def test_a_hidden_tab_lets_lobby_sleep_and_wakes_it_when_it_is_looked_at_or_reloaded(
    chat: Chat, left: Person, right: Person, told: Callable[[str, float], None]
) -> None:
    await right.falls_asleep()
    async with chromium_tabs(chromium(), [*CHROMIUM_FLAGS]) as tabs:
        tab = await tabs.open(await right.machine.page_address() + f"&chat={quote(chat.room_id, safe='')}")
        await tabs.wait_for_text(tab, "#chat-title", "Left")
        session = (await tabs.call("Target.attachToTarget", targetId=tab, flatten=True))["sessionId"]
        other = await tabs.open("about:blank")
        await right.lobby(AppState.SUSPENDED)

        await left.writes("while nobody looks")
        await right.desk(lambda status: bool(status.shown), "a notification")
        await right.lobby(AppState.SUSPENDED)
        began = time.monotonic()
        await tabs.to_front(tab)
        await tabs.wait_for_text(tab, "#bubbles", "while nobody looks")
        told("looked at", began)

        await tabs.to_front(other)
        await right.lobby(AppState.SUSPENDED)
        began = time.monotonic()
        await tabs.to_front(tab)
        await tabs.call("Runtime.evaluate", session, expression="document.documentElement.dataset.old = 'yes'")
        await tabs.call("Page.reload", session)
        await tabs.wait_for_text(tab, "html:not([data-old]) #bubbles", "while nobody looks")
        told("reloaded", began)


@pytest.mark.contract("L11", "L03", "L05")
async def test_a_tab_opened_again_launches_a_lobby_that_the_desk_stopped(
    chat: Chat, right: Person, told: Callable[[str, float], None]
) -> None:
    await right.writes("kept for later")
    await right.sees("kept for later", "sent")
    asleep = await right.falls_asleep()
    stopped = await right.lobby(AppState.STOPPED)
    assert stopped.last_receipt is not None and stopped.last_receipt.reason is StopReason.SUSPENDED_LONG

    began = time.monotonic()
    await right.visits(chat.place)
    await right.sees("kept for later")
    told("stopped", began)
    awake = await right.lobby(AppState.FOREGROUND)
    assert awake.pid != asleep.pid, "another process"
    assert in_order(await happenings(right, stopped.since), "launched", "connected", "foreground")


@pytest.mark.contract("L11")
async def test_a_tab_opened_again_launches_a_lobby_that_was_killed(
    chat: Chat, right: Person, told: Callable[[str, float], None]
) -> None:
    await right.writes("not lost with it")
    await right.sees("not lost with it", "sent")
    asleep = await right.falls_asleep()
    os.kill(asleep.pid, signal.SIGKILL)
    await right.lobby(AppState.STOPPED)

    began = time.monotonic()
    await right.visits(chat.place)
    await right.sees("not lost with it")
    told("killed", began)
    assert (await right.lobby(AppState.FOREGROUND)).pid != asleep.pid
    await asyncio.wait_for(right.page.reload(), SEEN_WITHIN)
    await right.sees("not lost with it")
