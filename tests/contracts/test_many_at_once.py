"""Twenty apps on one desk, all busy at once: each is woken once and served, and the desk stays quick."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager

import pytest

from frontdesk import AppState
from tests.desks import DeskHome, RunningPushService, Strings
from tests.web_push import Subscribed, send, subscribed

pytestmark = pytest.mark.timeout(300)

APPS = [f"org.example.App{number:02}" for number in range(20)]
PUSHES = 3
"""To each app at once."""

ROOMY = {"launch": 120.0, "opening": 120.0, "settle": 60.0, "background": 120.0, "push": 120.0, "suspended": 600.0}
"""Limits in seconds under which nothing runs out of time because twenty programs start on a small, busy machine."""

QUICK = 2.0
"""Seconds within which the desk answers while all of that goes on. It takes some milliseconds on an idle machine."""


@asynccontextmanager
async def quick(desk: DeskHome) -> AsyncIterator[list[float]]:
    """Asks the desk again and again for as long as the block lasts; the seconds that each answer took."""
    took: list[float] = []

    async def ask() -> None:
        while True:
            before = time.monotonic()
            await desk.status()
            took.append(time.monotonic() - before)
            await asyncio.sleep(0.1)

    asking = asyncio.create_task(ask())
    try:
        yield took
    finally:
        asking.cancel()
    assert took and max(took) < QUICK, max(took)


async def all_of(works: Iterable[Awaitable[object]]) -> None:
    await asyncio.gather(*works)


async def everybody(desk: DeskHome, state: AppState) -> None:
    """Until all of them are in that state."""
    wanted = dict.fromkeys(APPS, state)
    await desk.until(lambda status: {row.app: row.state for row in status.apps} == wanted, within=120.0)


async def subscribed_and_asleep(desk: DeskHome) -> tuple[dict[str, Strings], dict[str, Subscribed]]:
    """All apps installed, opened once, subscribed, and suspended."""
    puppets, subscriptions = {}, {}
    for app in APPS:
        await desk.install(app)
        puppets[app] = await desk.launch(app)
        subscriptions[app] = await subscribed(puppets[app])
        puppets[app].order("background")
    await everybody(desk, AppState.SUSPENDED)
    return puppets, subscriptions


@pytest.mark.contract("P02", "P09", "L01", "L02")
async def test_pushes_for_twenty_apps_at_once_wake_each_once_and_reach_all(
    home: DeskHome, push_service: RunningPushService
) -> None:
    home.settings(push_service.setting, **ROOMY)
    await home.start()
    puppets, subscriptions = await subscribed_and_asleep(home)
    # Every other app has to be launched for it, the rest is thawed.
    stopped = APPS[::2]
    await all_of(home.kill_process(puppets[app].pid) for app in stopped)
    await home.until(lambda status: sum(row.state is AppState.STOPPED for row in status.apps) == len(stopped))

    async with quick(home):
        wanted = [(app, f"{app} {number}") for number in range(PUSHES) for app in APPS]
        await all_of(send(subscriptions[app], answer="this", id=words, body=words) for app, words in wanted)
        shown = await home.until(lambda status: len(status.shown) == len(wanted), within=120.0)
        await everybody(home, AppState.SUSPENDED)
    assert sorted((each.app, each.notification.body) for each in shown.shown) == sorted(wanted)
    for app in APPS:
        if app in stopped:
            before, puppets[app] = puppets[app], await home.puppet(app)
            assert puppets[app].first["why"] == "push" and before.count("push") == 0
            assert puppets[app].count("push") == PUSHES
        else:
            assert puppets[app].count("push") == PUSHES
        # A sender that is slow on a busy machine may come when an app sleeps already: it is woken for what came then.
        assert puppets[app].count("resumed") <= PUSHES - (app in stopped)
        assert await home.no_puppet(app), "launched twice"


@pytest.mark.contract("P02", "L01")
async def test_pushes_that_wait_for_twenty_apps_are_given_together_in_one_wake_each(
    home: DeskHome, push_service: RunningPushService
) -> None:
    home.settings(push_service.setting, **ROOMY)
    await home.start()
    _, subscriptions = await subscribed_and_asleep(home)
    # While no desk runs the push service holds them; the next desk gets all in a row, and has no app running.
    await home.stop()
    await all_of(
        send(subscriptions[app], answer="nothing", id=app, body=f"{number}") for number in range(PUSHES) for app in APPS
    )
    async with asyncio.timeout(120):
        await home.start()
        runs = {app: await home.puppet(app, within=120.0) for app in APPS}
        for app in APPS:
            for _ in range(PUSHES):
                await runs[app].hears("push", within=120.0)
    await everybody(home, AppState.SUSPENDED)
    for app in APPS:
        assert (runs[app].count("push"), runs[app].count("resumed")) == (PUSHES, 0), runs[app].words()
        assert await home.no_puppet(app), "launched twice"


@pytest.mark.contract("A01", "A02", "A11", "L01", "L02")
async def test_background_tasks_of_twenty_apps_hold_each_its_own(home: DeskHome) -> None:
    home.settings("", **ROOMY)
    await home.start()
    puppets, tasks = {}, {}
    for app in APPS:
        await home.install(app)
        puppets[app] = await home.launch(app)
        tasks[app] = await puppets[app].do("begin", name=f"work of {app}", handler="ends")
    async with quick(home):
        for puppet in puppets.values():
            puppet.order("background")
        await everybody(home, AppState.BACKGROUND)
        held = {row.app: [hold.name for hold in row.holds if hold.kind == "task"] for row in (await home.status()).apps}
        assert held == {app: [f"work of {app}"] for app in APPS}
        for app in APPS[:10]:
            puppets[app].order("end", task=tasks[app])
        done = set(APPS[:10])
        status = await home.until(
            lambda status: {row.app for row in status.apps if row.state is AppState.SUSPENDED} == done
        )
        assert {row.app for row in status.apps if row.state is AppState.BACKGROUND} == set(APPS[10:])
        for app in APPS[10:]:
            puppets[app].order("end", task=tasks[app])
        await everybody(home, AppState.SUSPENDED)
    assert all(puppet.count("expired") == 0 for puppet in puppets.values())
