"""A whole app on a desk in memory: what it may register, and what it is told of itself."""

import asyncio
import logging

import pytest

import frontdesk
from frontdesk import App, Refusal, RefusedError, ScheduledTask
from frontdesk.testing import InMemoryDesk

APP = "org.example.Notes"
MANIFEST = """
id = "org.example.Notes"
name = "Notes"
command = ["notes"]
background = ["refresh"]
tasks = ["org.example.Notes.fresh"]
"""


async def handler(task: ScheduledTask) -> None:
    pass


@pytest.mark.contract("S01")
async def test_an_app_without_manifest_hears_from_the_desk_that_a_handler_is_not_declared() -> None:
    refused: list[RefusedError] = []

    async def main() -> None:
        app = App(APP)
        app.scheduler.register("org.example.Notes.fresh", handler)
        app.scheduler.register("org.example.Notes.other", handler)
        with pytest.raises(RefusedError) as error:
            await app.start()
        refused.append(error.value)

    async with InMemoryDesk() as desk:
        desk.install(MANIFEST, main)
        await desk.open(APP)
        await desk.until(lambda: refused)
        assert [error.reason for error in refused] == [Refusal.NOT_PERMITTED]
        assert "'org.example.Notes.other' is not declared" in str(refused[0])


@pytest.mark.contract("S02", "L10")
async def test_a_started_app_takes_no_handler_and_hears_of_the_switch_for_background_running() -> None:
    apps: list[App] = []

    async def main() -> None:
        async with App(APP) as app:
            app.on_open = came
            apps.append(app)
            await app.run_until_quit()

    async def came() -> None:
        apps[-1].report_foreground()

    async with InMemoryDesk() as desk:
        desk.install(MANIFEST, main)
        await desk.open(APP)
        await desk.settle()
        [app] = apps
        with pytest.raises(frontdesk.RefusedError, match="too late"):
            app.scheduler.register("org.example.Notes.fresh", handler)
        assert app.background_available
        await desk.switch_background(APP, on=False)
        assert not app.background_available
        await desk.switch_background(APP, on=True)
        assert app.background_available


async def test_a_function_of_the_app_that_fails_over_what_it_has_cancelled_is_logged_as_any_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def opened() -> None:
        fetching = asyncio.create_task(asyncio.Event().wait())
        fetching.cancel()
        await fetching

    async def main() -> None:
        app = App(APP)
        app.on_open = opened
        async with app:
            await app.run_until_quit()

    async with InMemoryDesk() as desk:
        desk.install(MANIFEST, main)
        with caplog.at_level(logging.ERROR, "frontdesk"):
            await desk.open(APP)
            await desk.settle()
        assert [record.message for record in caplog.records] == ["A function of the app failed."]
        await desk.quit(APP)
        assert len(caplog.records) == 1
