"""Limits of what apps use, and the switch for background running, with a real desk and real apps that go too far."""

import asyncio

import pytest

from frontdesk import AppState
from frontdesk.agent.shell import process_table
from tests.desks import APP, PATIENCE, DeskHome, row_of

WINDOW, SHARE = 1.0, 0.1
"""A short look at a small share: helpers that use all they can get come past it on a machine that is busy, too."""


@pytest.mark.contract("L08", "L05")
async def test_whoever_uses_the_processor_unseen_is_stopped_and_in_front_is_left_alone(home: DeskHome) -> None:
    home.settings(cpu_window=WINDOW, cpu_share=SHARE)
    await home.start()
    await home.install()
    puppet = await home.launch()
    helpers = await puppet.do("burn")
    await asyncio.sleep(1.5 * WINDOW)  # that nothing happens in a time can only be seen by waiting for it
    async with asyncio.timeout(PATIENCE):
        while process_table.cpu_seconds(helpers) < 1.5 * WINDOW * SHARE:  # noqa: ASYNC110 - no kernel tells of it
            await asyncio.sleep(0.05)
    assert (await home.row()).state is AppState.FOREGROUND
    await puppet.do("begin", name="upload", handler="forgets")
    puppet.order("background")
    left = (await home.until_state(AppState.BACKGROUND)).since
    stopped = await home.until_state(AppState.STOPPED)
    assert stopped.since - left < 2 * WINDOW + PATIENCE
    async with asyncio.timeout(10):  # who is killed needs a processor to end; by themselves they would take 20 s
        while any((found := process_table.read(pid)) is not None and not found.ended for pid in helpers):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    receipt = (await home.control.receipts(APP))[0]
    assert receipt.reason == "cpu_exceeded" and receipt.limit == SHARE
    assert receipt.used is not None and SHARE < receipt.used < 4
    _, out, _ = await home.command("log", APP)
    assert "used too much processor time" in out and "limit 10 % of a core" in out
    again = await home.launch()
    assert again.first["receipts"][0]["reason"] == "cpu_exceeded"


@pytest.mark.contract("L09", "L05")
async def test_whoever_holds_too_much_memory_unseen_is_stopped(home: DeskHome) -> None:
    home.settings(f'[memory]\n"{APP}" = "96 MiB"\n', settle=0.5, cpu_window=WINDOW)
    await home.start()
    await home.install()
    puppet = await home.launch()
    await puppet.do("begin", name="upload", handler="forgets")
    await puppet.do("background")
    await home.until_state(AppState.BACKGROUND)
    await puppet.do("hold", mib=100)
    await home.until_state(AppState.STOPPED)
    receipt = (await home.control.receipts(APP))[0]
    assert receipt.reason == "memory_exceeded" and receipt.limit == 96 * 2**20
    assert receipt.used is not None and 100 * 2**20 < receipt.used < 200 * 2**20
    assert "limit 96 MiB, used 1" in receipt.measured


@pytest.mark.contract("L10", "L06")
async def test_background_running_switched_off_ends_what_runs_unseen_and_outlives_the_desk(desk: DeskHome) -> None:
    puppet = await desk.launch()
    await puppet.do("begin", name="upload", handler="ends")
    puppet.order("background")
    await desk.until(lambda status: [hold.name for hold in row_of(status).holds] == ["upload"])
    await desk.control.switch_background(APP, False)
    assert (await puppet.hears("expired"))["task"] == "upload"
    assert (await desk.until_state(AppState.SUSPENDED)).background_off
    await desk.kill_desk()
    assert (await desk.until_state(AppState.SUSPENDED)).background_off
    await desk.control.open(APP)
    await puppet.hears("open")
    await puppet.do("foreground")
    assert await puppet.do("background available") is False
    assert await puppet.do("begin", name="upload", handler="ends") == 0
    await desk.control.switch_background(APP, True)
    assert not (await desk.row()).background_off
    assert await puppet.do("background available") is True
    assert await puppet.do("begin", name="upload", handler="ends") > 0
