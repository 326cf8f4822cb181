"""What a desk in memory records is decided the same again, and lived again under other limits."""

import asyncio
import json
from pathlib import Path

import pytest

import frontdesk
from frontdesk import Condition, ProcessingTask, PushKind, RefreshTask
from frontdesk.agent.core import effects as do
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.recorded.recorded_day import take_apart
from frontdesk.agent.core.recorded.recording import Batch, read
from frontdesk.agent.core.recorded.rehearsal import Moment, Rehearsal, shifts
from frontdesk.agent.core.recorded.replaying import differences
from frontdesk.cli.main import main
from frontdesk.testing import START, InMemoryDesk
from frontdesk.wire import desk as wire

APP = "org.example.Feed"
FRESH, UPKEEP = f"{APP}.fresh", f"{APP}.upkeep"
FEED = f"""
id = "{APP}"
name = "Feed"
command = ["feed"]
background = ["push", "refresh", "processing"]
tasks = ["{FRESH}", "{UPKEEP}"]
"""
HOUR = 3600.0


async def feed() -> None:
    """Refreshes each hour, and tidies up once."""
    app = frontdesk.App(APP)

    @app.scheduler.task(FRESH)
    async def refresh(task: frontdesk.ScheduledTask) -> None:
        await app.scheduler.submit(RefreshTask(FRESH, app.time() + HOUR))
        await asyncio.sleep(5)

    @app.scheduler.task(UPKEEP)
    async def tidy(task: frontdesk.ScheduledTask) -> None:
        await asyncio.sleep(120)

    @app.push_handler("news")
    async def push(push: frontdesk.Push) -> frontdesk.Answer:
        await asyncio.sleep(1)
        return frontdesk.SHOW_NOTHING

    async def opened() -> None:
        app.report_foreground()
        await app.subscribe("news", kind=PushKind.CHANGEABLE_ALERT)
        await asyncio.sleep(60)
        app.report_background()

    app.on_open = opened
    async with app:
        if not await app.scheduler.pending():
            await app.scheduler.submit(RefreshTask(FRESH))
            await app.scheduler.submit(ProcessingTask(UPKEEP))
        await app.run_until_quit()


@pytest.fixture
async def log(tmp_path: Path) -> Path:
    """Two days: opened each morning, pushed to at noon, nobody there at night."""
    file = tmp_path / "events.log"
    async with InMemoryDesk(record=file) as desk:
        desk.install(FEED, feed)
        for _ in range(2):
            await desk.open(APP)
            await desk.advance(hours=4)
            await desk.push(APP, "news", b"what was said")
            await desk.advance(hours=10)
            await desk.set_condition(Condition.IDLE, "yes")
            await desk.advance(hours=10)
            await desk.set_condition(Condition.IDLE, "no")
    return file


def lived(log: Path, limits: Limits) -> list[Moment]:
    return Rehearsal(take_apart(read(log.read_bytes())), limits).live()


def tasks(moments: list[Moment], name: str = FRESH) -> list[float]:
    return [moment.at for moment in moments if moment.what == "task" and moment.name == name]


def given(log: Path) -> list[tuple[int, str]]:
    """Which tasks the recorded desk gave, and when."""
    return [
        (round(frame.now), run.identifier)
        for frame in read(log.read_bytes())
        if isinstance(frame, Batch)
        for effect in frame.decided() or ()
        if isinstance(effect, do.Send) and isinstance(effect.message, wire.RunTasks)
        for run in effect.message.runs
    ]


def test_two_days_are_decided_the_same_again(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = list(read(log.read_bytes()))
    assert len(frames) > 100 and list(differences(frames)) == []
    assert main(["replay", str(log)]) == 0
    assert "All decided the same" in capsys.readouterr().out


async def test_each_desk_has_a_log_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "events.log"
    async with InMemoryDesk(record=file) as desk:
        desk.install(FEED, feed)
        await desk.open(APP)
        await desk.restart()
        await desk.advance(hours=2)
    for name in ("events.log", "events.log.1"):
        assert list(differences(read((tmp_path / name).read_bytes()))) == []


def test_lived_again_under_the_same_limits_the_days_are_as_they_were(log: Path) -> None:
    day = take_apart(read(log.read_bytes()))
    moments = Rehearsal(day, day.begun.setup.limits).live()
    assert [(round(moment.at), moment.name) for moment in moments if moment.what == "task"] == given(log)


def test_a_smaller_budget_has_fewer_refreshes_and_touches_nothing_else(log: Path) -> None:
    recorded = lived(log, Limits())
    fewer = lived(log, Limits(budget_least=1.0, budget_most=1.0, budget_burst=1.0))
    assert 0 < len(tasks(fewer)) < len(tasks(recorded))
    assert all(shift.name != UPKEEP for shift in shifts(recorded, fewer) if shift.what == "task")
    missing = [shift for shift in shifts(recorded, fewer) if shift.name == FRESH and shift.other is None]
    assert len(missing) == len(tasks(recorded)) - len(tasks(fewer))


def test_a_limit_that_a_task_does_not_wait_for_moves_no_task(log: Path) -> None:
    assert tasks(lived(log, Limits(processing=60.0)), UPKEEP) == tasks(lived(log, Limits()), UPKEEP)


def test_the_command_compares_two_policies(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "settings.toml"
    other.write_text("[limits]\nsuspended = 60.0\n")
    assert main(["replay", str(log), "--limits", str(other)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert any("earlier" in line and f"{APP} stopped (suspended_long)" in line for line in said)
    assert said[-1].startswith("stopped: ") and "under the other limits" in said[-1]
    assert main(["replay", str(log), "--limits", str(other), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["shifts"]
    other.write_text("")
    assert main(["replay", str(log), "--limits", str(other)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Nothing comes at another moment."
    assert main(["replay", str(log), "--limits", str(tmp_path / "none")]) == 1
    assert "name a settings.toml" in capsys.readouterr().err


def test_shifts_are_earlier_later_or_on_one_side_only() -> None:
    def met(*at: float) -> list[Moment]:
        return [Moment(START + each, APP, "task", FRESH) for each in at]

    found = [(shift.recorded, shift.other) for shift in shifts(met(0, 10, 20), met(0.1, 5))]
    assert found == [(START + 10, START + 5), (START + 20, None)]
    assert [(shift.recorded, shift.other) for shift in shifts([], met(7))] == [(None, START + 7)]


# --- a busy day: windows closed, pushes answered, work expired, quit, killed, the clock set -----------------------

NIGHT, EXPORT = f"{APP}.night", f"{APP}.export"
BUSY = f"""
id = "{APP}"
name = "Feed"
command = ["feed"]
background = ["push", "refresh", "processing", "continued"]
tasks = ["{FRESH}", "{NIGHT}", "{EXPORT}"]
"""


async def busy() -> None:
    """Exports while it is seen and on without its window; holds on to its time; works all night."""
    app = frontdesk.App(APP)
    kept: list[int] = []

    @app.scheduler.task(FRESH)
    async def refresh(task: frontdesk.ScheduledTask) -> None:
        await app.scheduler.submit(RefreshTask(FRESH, app.time() + 6 * HOUR))
        await asyncio.sleep(10)

    @app.scheduler.task(NIGHT)
    async def night(task: frontdesk.ScheduledTask) -> None:
        await asyncio.sleep(HOUR)  # never done: expired each time

    @app.scheduler.task(EXPORT)
    async def export(task: frontdesk.ScheduledTask) -> None:
        for part in range(6):
            await asyncio.sleep(30)
            task.report_progress(part + 1, 6)

    @app.push_handler("news")
    async def push(push: frontdesk.Push) -> frontdesk.Answer:
        await asyncio.sleep(7)
        return frontdesk.SHOW_AS_IT_IS

    async def opened() -> None:
        app.report_foreground()
        await app.subscribe("news", kind=PushKind.CHANGEABLE_ALERT)
        await app.scheduler.submit(frontdesk.ContinuedTask(EXPORT, title="Export"))
        await asyncio.sleep(60)
        kept.append(app.begin_background_task("hold on", lambda: app.end_background_task(kept[-1])))
        app.report_background()

    app.on_open = opened
    async with app:
        for task in (RefreshTask(FRESH, app.time() + 2 * HOUR), ProcessingTask(NIGHT)):
            await app.scheduler.submit(task, frontdesk.ExistingWork.KEEP)
        await app.run_until_quit()


@pytest.fixture
async def busy_log(tmp_path: Path) -> Path:
    file = tmp_path / "events.log"
    async with InMemoryDesk(record=file) as desk:
        desk.install(BUSY, busy)
        await desk.open(APP)
        await desk.advance(minutes=8)
        await desk.push(APP, "news", b"what was said")
        await desk.advance(seconds=90)
        await desk.set_wall_clock(desk.time() + HOUR)
        await desk.advance(hours=3)
        await desk.set_condition(Condition.IDLE, "yes")
        await desk.advance(hours=1)
        await desk.set_condition(Condition.IDLE, "no")
        await desk.open(APP)
        await desk.advance(minutes=2)
        await desk.kill(APP)
        await desk.advance(minutes=2)
        await desk.open(APP)
        await desk.advance(seconds=45)
        await desk.quit(APP)
        await desk.advance(hours=8)
    return file


def met(log: Path) -> list[tuple[int, str, str]]:
    """What the app of the recorded desk met, as a rehearsal tells it."""
    found: list[tuple[int, str, str]] = []
    batches = [frame for frame in read(log.read_bytes()) if isinstance(frame, Batch)]
    for now, effect in ((round(batch.now), effect) for batch in batches for effect in batch.decided() or ()):
        match effect:
            case do.Note(what="launched" | "thawed" | "stopped" as what, why=why):
                found.append((now, what, str(why)))
            case do.Send(message=wire.RunTasks(runs=runs)):
                found += [(now, "task", run.identifier) for run in runs]
    return found


def test_lived_again_under_the_same_limits_a_busy_day_is_as_it_was(busy_log: Path) -> None:
    day = take_apart(read(busy_log.read_bytes()))
    moments = Rehearsal(day, day.begun.setup.limits).live()
    again = [(round(moment.at), moment.what, moment.name) for moment in moments]
    recorded = met(busy_log)
    assert {what for _, what, _ in recorded} == {"launched", "thawed", "stopped", "task"}
    assert again == recorded
