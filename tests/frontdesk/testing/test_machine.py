"""What the machine and the person can do to an app in memory: sleep, clocks, conditions, notifications, measures."""

import asyncio

import pytest

import frontdesk
from frontdesk import (
    AppState,
    Condition,
    Notification,
    Obstacle,
    ProcessingTask,
    RefreshTask,
    RefusedError,
    ScheduledTask,
)
from frontdesk.testing import START, InMemoryDesk

APP = "org.example.Notes"
FRESH, UPKEEP = f"{APP}.fresh", f"{APP}.upkeep"
NOTES = f"""
id = "{APP}"
name = "Notes"
command = ["notes"]
background = ["refresh", "processing"]
tasks = ["{FRESH}", "{UPKEEP}"]
"""


class Notes:
    def __init__(self) -> None:
        self.heard: list[str] = []
        self.at: list[float] = []
        self.app = frontdesk.App(APP)
        self.request: frontdesk.TaskRequest | None = None

    async def main(self) -> None:
        app = self.app = frontdesk.App(APP)
        app.scheduler.register(FRESH, self.task)
        app.scheduler.register(UPKEEP, self.task)

        async def opened() -> None:
            app.report_foreground()

        async def pressed(notification: str, action: str) -> None:
            self.heard.append(f"{notification} {action}")

        app.on_open, app.on_action = opened, pressed
        async with app:
            if self.request is not None:
                await app.scheduler.submit(self.request)
                self.request = None
            await app.run_until_quit()

    async def task(self, task: ScheduledTask) -> None:
        self.heard.append(task.identifier.rpartition(".")[2])
        self.at.append(self.app.time())
        if task.identifier == UPKEEP:
            await asyncio.sleep(100)
            self.heard.append("done")


@pytest.fixture
def notes() -> Notes:
    return Notes()


async def in_background(desk: InMemoryDesk, notes: Notes, request: frontdesk.TaskRequest) -> None:
    desk.install(NOTES, notes.main)
    notes.request = request
    await desk.open(APP)
    notes.app.report_background()
    await desk.settle()


@pytest.mark.contract("S06")
async def test_a_task_runs_at_its_moment_to_the_second(notes: Notes) -> None:
    async with InMemoryDesk() as desk:
        await in_background(desk, notes, RefreshTask(FRESH, START + 7200))
        await desk.advance(hours=1, minutes=59, seconds=59)
        assert notes.heard == []
        await desk.advance(1)
        assert notes.heard == ["fresh"] and notes.at == [START + 7200]


@pytest.mark.contract("S07")
@pytest.mark.parametrize("off", [-86400.0, 86400.0])
async def test_a_clock_that_is_set_is_the_clock_that_counts(notes: Notes, off: float) -> None:
    async with InMemoryDesk() as desk:
        await in_background(desk, notes, RefreshTask(FRESH, START + 2 * 86400))
        await desk.set_wall_clock(desk.time() + off)
        assert notes.app.time() == START + off
        await desk.until(lambda: notes.heard)
        assert notes.at == [pytest.approx(START + 2 * 86400)]


@pytest.mark.contract("S07", "L06")
@pytest.mark.parametrize("off", [-5000.0, 5000.0])
async def test_a_desk_that_comes_back_begins_with_the_clock_as_it_was_set(notes: Notes, off: float) -> None:
    async with InMemoryDesk() as desk:
        await in_background(desk, notes, RefreshTask(FRESH, START + 86400))
        await desk.set_wall_clock(desk.time() + off)
        assert desk.status().now == START
        await desk.restart()
        assert desk.status().now == desk.time() == START + off
        await desk.until(lambda: notes.heard)
        assert notes.at == [pytest.approx(START + 86400)]


async def test_a_machine_that_sleeps_runs_nothing_and_then_goes_on(notes: Notes) -> None:
    async with InMemoryDesk() as desk:
        await desk.set_condition(Condition.IDLE, "yes")
        await in_background(desk, notes, ProcessingTask(UPKEEP))
        await desk.advance(50)
        await desk.sleep(3600)
        assert notes.heard == ["upkeep"], "its time did not run while nothing ran (S09)"
        assert desk.time() == START + 3650
        await desk.advance(50)
        assert notes.heard == ["upkeep", "done"]
        assert desk.task_receipts(APP) == () and desk.state(APP) is AppState.SUSPENDED


@pytest.mark.contract("S10", "S16")
async def test_conditions_stop_what_needs_them_and_say_so(notes: Notes) -> None:
    async with InMemoryDesk() as desk:
        await in_background(desk, notes, ProcessingTask(UPKEEP, requires_network=True))
        [why] = desk.explain(UPKEEP)
        assert [reason.obstacle for reason in why.reasons] == [Obstacle.MACHINE_IN_USE]
        await desk.set_condition(Condition.IDLE, "yes")
        assert notes.heard == ["upkeep"] and desk.explain(UPKEEP)[0].reasons == ()
        await desk.set_condition(Condition.NETWORK, "")
        await desk.advance(10)
        assert desk.explain(UPKEEP)[0].unknown == (Condition.NETWORK,), "it counts as met"
        await desk.set_condition(Condition.NETWORK, "offline")
        assert [receipt.end for receipt in desk.task_receipts(APP)] == ["condition_lost"]
        with pytest.raises(ValueError, match="can be 'online' or 'offline'"):
            await desk.set_condition(Condition.NETWORK, "slow")


@pytest.mark.contract("S07", "L06")
async def test_what_was_submitted_survives_the_desk(notes: Notes) -> None:
    async with InMemoryDesk() as desk:
        await in_background(desk, notes, RefreshTask(FRESH, START + 3600))
        await desk.restart()
        assert [task.request.identifier for task in desk.pending(APP)] == [FRESH]
        await desk.kill(APP)
        await desk.restart()
        await desk.advance(hours=2)
        assert notes.heard == ["fresh"]


async def test_what_the_person_presses_reaches_the_app_and_what_is_dismissed_is_gone(notes: Notes) -> None:
    async with InMemoryDesk() as desk:
        desk.install(NOTES, notes.main)
        await desk.open(APP)
        for name in ("one", "two"):
            telling = asyncio.create_task(notes.app.notify(Notification(id=name, title=name)))
            await desk.settle()
            await telling
        await desk.press(APP, "one", "reply")
        assert notes.heard == ["one reply"]
        await desk.dismiss(APP, "two")
        assert "two" not in [each.notification.title for each in desk.shown()]


@pytest.mark.contract("L09")
async def test_an_app_that_is_found_to_use_too_much_is_stopped(notes: Notes) -> None:
    async with InMemoryDesk() as desk:
        await desk.set_condition(Condition.IDLE, "yes")
        await in_background(desk, notes, ProcessingTask(UPKEEP))
        desk.uses(APP, memory=10 << 30)
        await desk.until(lambda: desk.receipts(APP), within=100)
        assert desk.receipts(APP)[0].reason == "memory_exceeded"


@pytest.mark.contract("S17")
async def test_by_hand(notes: Notes) -> None:
    async with InMemoryDesk() as desk:
        await in_background(desk, notes, RefreshTask(FRESH, START + 3600))
        await desk.simulate_launch(FRESH)
        assert notes.heard == ["fresh"]
        with pytest.raises(RefusedError, match=r"frontdesk|task|request"):
            await desk.simulate_launch(FRESH)
        await desk.force_condition(Condition.POWER, "battery")
        assert {reading.condition for reading in desk.status().conditions if reading.forced} == {Condition.POWER}
        await desk.lift_condition()
        assert not [reading for reading in desk.status().conditions if reading.forced]


async def test_an_app_that_is_removed_is_stopped_and_unknown(notes: Notes) -> None:
    async with InMemoryDesk() as desk:
        desk.install(NOTES, notes.main)
        await desk.open(APP)
        await desk.remove(APP)
        assert desk.status().apps == ()
        with pytest.raises(RefusedError):
            await desk.open(APP)


async def test_what_does_not_come_about_in_time_is_an_error_that_says_how_things_stand(notes: Notes) -> None:
    async with InMemoryDesk() as desk:
        desk.install(NOTES, notes.main)
        with pytest.raises(AssertionError, match=rf"{APP} is stopped"):
            await desk.until(lambda: notes.heard, within=60)
        assert desk.time() == START + 60
