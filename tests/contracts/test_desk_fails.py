"""A part of the desk fails: it ends with a reason and is back from its last commit, and nobody else is harmed."""

import asyncio
import sys
from pathlib import Path

import pytest

from frontdesk import AppState, DeskStatus, Happening
from tests.desks import APP, DeskHome, row_of

DESK = Path(__file__).parents[1] / "apps" / "desk_with_faults.py"
OTHER = "org.example.Other"


@pytest.fixture
async def faulty(home: DeskHome) -> DeskHome:
    """A running desk in which a test can plant faults, and one app installed."""
    (home.home / "faults").mkdir()
    with open(home.home / "keeper.out", "ab") as out:
        home.keeper = await asyncio.create_subprocess_exec(
            *[sys.executable, str(DESK)],
            env=home.environment | {"PYTHONPATH": str(DESK.parents[2])},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    await home.connect()
    await home.install()
    return home


def plant(desk: DeskHome, fault: str) -> None:
    (desk.home / "faults" / fault).touch()


def connected(status: DeskStatus, app: str) -> list[Happening]:
    return [each for each in status.happenings if (each.app, each.what) == (app, "connected")]


async def restarted(desk: DeskHome, pid: int) -> DeskStatus:
    return await desk.until(lambda status: status.pid != pid and row_of(status).state is AppState.FOREGROUND)


@pytest.mark.contract("L06")
@pytest.mark.parametrize("fault", ["core", "saving", "part"])
async def test_a_desk_that_fails_is_back_from_its_last_commit_and_says_why(faulty: DeskHome, fault: str) -> None:
    puppet = await faulty.launch()
    await puppet.do("notify", id="before", title="Kept")
    pid = (await faulty.status()).pid
    plant(faulty, fault)
    puppet.order("notify", id="during", title="Asked for again")
    await restarted(faulty, pid)
    await puppet.do("notify", id="during", title="Asked for again")
    status = await faulty.status()
    assert row_of(status).pid == puppet.pid and row_of(status).launches == 0
    assert [each.notification.title for each in status.shown] == ["Asked for again", "Kept"]
    assert status.restarted is not None and status.restarted.what == "failed"
    assert "PlantedFault" in status.restarted.text and "PlantedFault" in await faulty.happened("restarted", "")
    _, out, _ = await faulty.command("status", "--once")
    assert "started again" in out and "PlantedFault" in out
    # A person reads a sentence; where it failed is in the log, for who mends it.
    assert "the desk ended (70)" in faulty.log() and "Traceback" not in faulty.log()
    assert "Traceback" in (faulty.home / "state" / "logs" / "desk.log").read_text()
    await puppet.do("notify", id="after", title="Works")
    puppet.order("background")
    await faulty.until_state(AppState.SUSPENDED)


@pytest.mark.contract("X02")
async def test_a_message_over_which_the_desk_fails_costs_its_app_the_connection_and_nobody_else(
    faulty: DeskHome,
) -> None:
    await faulty.install(OTHER)
    puppet, other = await faulty.launch(), await faulty.launch(OTHER)
    pid = (await faulty.status()).pid
    plant(faulty, "message")
    puppet.order("notify", id="one", title="Lost")
    await faulty.until(lambda status: len(connected(status, APP)) == 2)
    await puppet.do("notify", id="one", title="Said again on the next connection")
    await other.do("notify", id="two", title="From the other")
    status = await faulty.status()
    assert status.pid == pid and status.restarted is None
    assert [row.state for row in status.apps] == [AppState.FOREGROUND] * 2
    assert {each.app for each in status.shown} == {APP, OTHER}
    assert "PlantedFault('over a message')" in faulty.log() and "Traceback" not in faulty.log()
    assert "Traceback" in (faulty.home / "state" / "logs" / "desk.log").read_text()
    assert len(connected(status, OTHER)) == 1


@pytest.mark.contract("L06")
async def test_what_ended_the_desk_before_is_told_unless_it_ended_in_order(desk: DeskHome) -> None:
    assert (await desk.status()).restarted is None
    pid = (await desk.status()).pid
    await desk.kill_process(pid)
    status = await desk.until(lambda status: status.pid != pid)
    assert status.restarted is not None and status.restarted.what == "killed"
    await desk.stop()
    await desk.start()
    assert (await desk.status()).restarted is None
    await desk.kill_keeper()
    await desk.start()
    status = await desk.status()
    assert status.restarted is not None and status.restarted.what == "keeper_lost"
