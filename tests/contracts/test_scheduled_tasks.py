"""Scheduled tasks with a real desk and real apps: what ``both`` does not ask, the desk's deaths above all."""

import time
from typing import Any

import msgspec
import pytest

from frontdesk import (
    AppState,
    Condition,
    DeskStatus,
    ExistingWork,
    Obstacle,
    ProcessingTask,
    RefreshTask,
    RefusedError,
    Retry,
    TaskEnd,
    TaskRequest,
    TaskState,
)
from tests.desks import APP, GOOD, DeskHome, Strings, row_of

FRESH, MORE, UPKEEP = "org.example.Puppet.fresh", "org.example.Puppet.more", "org.example.Puppet.upkeep"
TASKS = {FRESH: "completes", MORE: "waits", UPKEEP: "waits"}
HOUR = 3600.0


async def ready(home: DeskHome, tasks: dict[str, str] = TASKS) -> None:
    """A desk, an app with these tasks, and a machine on which everything may run."""
    await home.start()
    await home.install(tasks=tasks)
    for condition, value in GOOD.items():
        await home.control.force_condition(condition, value)


async def submit(puppet: Strings, task: TaskRequest, existing: ExistingWork = ExistingWork.REPLACE) -> None:
    await puppet.do("submit", task=msgspec.to_builtins(task), existing=existing)


def of(task: TaskRequest) -> dict[str, Any]:
    """The words of an order to submit this."""
    return {"task": msgspec.to_builtins(task), "existing": "replace"}


async def closed_with(home: DeskHome, *tasks: TaskRequest) -> Strings:
    """The app was opened, has submitted these, and its window is gone: what is due begins."""
    puppet = await home.launch()
    for task in tasks:
        await submit(puppet, task)
    puppet.order("background")
    return puppet


async def asleep_with(home: DeskHome, *tasks: TaskRequest) -> Strings:
    """As ``closed_with``, of what is not due at once; it sleeps."""
    puppet = await closed_with(home, *tasks)
    await home.until_state(AppState.SUSPENDED)
    return puppet


def tasks_of(status: DeskStatus) -> dict[str, TaskState]:
    return {each.identifier: each.state for each in row_of(status).tasks}


async def obstacles(home: DeskHome, identifier: str) -> list[Obstacle]:
    [told] = await home.control.explain(identifier)
    return [reason.obstacle for reason in told.reasons]


@pytest.mark.contract("S05", "S06", "S12", "L13")
async def test_a_task_is_launched_when_it_is_due_completed_and_the_app_sleeps_again(home: DeskHome) -> None:
    await ready(home)
    await home.control.force_condition(Condition.NETWORK, "offline")
    due = time.time() + 1.5
    puppet = await asleep_with(home, RefreshTask(FRESH, due, requires_network=True))
    await home.control.force_condition(Condition.NETWORK, "online")
    task = await puppet.hears("task")
    assert task["at"] >= due and 0 < task["left"] <= 30
    assert puppet.words().index("resumed") < puppet.words().index("task")
    await home.until(lambda status: not tasks_of(status))
    await home.until_state(AppState.SUSPENDED)
    assert puppet.count("task") == 1


@pytest.mark.contract("S07", "L06", "L07")
async def test_the_desk_may_die_before_a_run_in_the_middle_of_it_and_before_it_hears_of_its_end(home: DeskHome) -> None:
    await ready(home, {MORE: "forgets"})
    await home.control.force_condition(Condition.NETWORK, "offline")
    puppet = await asleep_with(home, RefreshTask(MORE, requires_network=True))
    await home.kill_desk()
    await home.control.force_condition(Condition.NETWORK, "online")
    first = await puppet.hears("task")
    await home.kill_desk()
    assert await puppet.do("pending") == [[MORE, "running", 1]]  # of the next desk
    used = time.time() - first["at"]
    await home.control.simulate_expire(MORE)
    await puppet.hears("task_expired")
    await home.kill_desk()
    puppet.order("complete", task=MORE, success=False)
    await home.until(lambda status: not tasks_of(status))
    await home.until_state(AppState.SUSPENDED)
    assert puppet.count("task") == 1 and first["attempt"] == 1
    [receipt] = await home.control.task_receipts(APP)
    # The app brought its run along: the time it had used before the desk died counts.
    assert receipt.end is TaskEnd.SIMULATED and receipt.used is not None and receipt.used >= used


@pytest.mark.contract("S09", "S10", "S16")
async def test_a_task_waits_for_its_conditions_and_is_expired_when_one_is_lost(home: DeskHome) -> None:
    await ready(home)
    await home.control.force_condition(Condition.POWER, "battery")
    await home.control.force_condition(Condition.BATTERY, "63")
    puppet = await asleep_with(home, ProcessingTask(UPKEEP, requires_external_power=True))
    [told] = await home.control.explain(APP)
    assert [reason.obstacle for reason in told.reasons] == [Obstacle.NO_EXTERNAL_POWER]
    assert told.reasons[0].forced and "63 %" in told.reasons[0].text
    await home.control.force_condition(Condition.POWER, "external")
    task = await puppet.hears("task")
    assert task["left"] > HOUR / 10
    await home.control.force_condition(Condition.IDLE, "no")
    await puppet.hears("task_expired")
    await home.until(lambda status: not tasks_of(status))
    assert [each.end for each in await home.control.task_receipts(APP)] == [TaskEnd.IN_USE]
    # Asked for again it waits for somebody to leave the machine; lifted, for what the machine says itself.
    await home.control.open(APP)
    await puppet.hears("open")
    again = ProcessingTask(UPKEEP, requires_external_power=True)
    await submit(puppet, again)
    assert Obstacle.MACHINE_IN_USE in await obstacles(home, UPKEEP)
    assert {each.condition for each in (await home.status()).conditions if each.forced} == set(GOOD)
    await home.control.lift_condition(Condition.IDLE)
    # Nobody here can tell whether the machine is used, which counts as met.
    [told] = await home.control.explain(UPKEEP)
    assert Condition.IDLE in told.unknown and Obstacle.MACHINE_IN_USE not in {each.obstacle for each in told.reasons}
    await home.control.lift_condition()
    assert not any(each.forced for each in (await home.status()).conditions)


@pytest.mark.contract("S01", "S03", "S04", "S13", "S19")
async def test_requests_are_listed_replaced_kept_refused_and_cancelled(home: DeskHome) -> None:
    await ready(home)
    puppet = await home.launch()
    later = time.time() + HOUR
    await submit(puppet, RefreshTask(FRESH, later))
    assert (await puppet.fails("submit", **of(RefreshTask(MORE))))["reason"] == "too_many_pending_requests"
    assert (await puppet.fails("submit", **of(RefreshTask("org.example.Puppet.other"))))["reason"] == "not_permitted"
    await submit(puppet, ProcessingTask(UPKEEP, later, retry=Retry(1.0, 2.0)))
    await submit(puppet, ProcessingTask(UPKEEP, later + HOUR), ExistingWork.KEEP)
    await submit(puppet, RefreshTask(FRESH, later + HOUR))
    assert sorted(await puppet.do("pending")) == [[FRESH, "pending", 1], [UPKEEP, "pending", 1]]
    looks = {each.identifier: each.next_look for each in await home.control.explain(APP)}
    # The one waits for the window to go, which nobody can foresee; the other was kept as it was.
    assert looks == {FRESH: None, UPKEEP: pytest.approx(later, abs=1)}
    assert (await puppet.do("explain"))[UPKEEP] == ["too_early"]
    assert await puppet.do("budget") >= 1
    await puppet.do("cancel", task=FRESH)
    assert await puppet.do("pending") == [[UPKEEP, "pending", 1]]
    await puppet.do("cancel all")
    assert await puppet.do("pending") == []


@pytest.mark.contract("S17", "S13")
async def test_any_task_can_be_launched_and_expired_by_hand(home: DeskHome) -> None:
    await ready(home)
    puppet = await asleep_with(home, RefreshTask(MORE, time.time() + HOUR))
    with pytest.raises(RefusedError) as refused:
        await home.control.simulate_expire(MORE)
    assert refused.value.reason == "unknown_task"
    await home.control.simulate_launch(MORE, APP)
    assert (await puppet.hears("task"))["attempt"] == 1
    await home.control.simulate_expire(MORE)
    await puppet.hears("task_expired")
    await home.until(lambda status: not tasks_of(status))
    assert [each.end for each in await home.control.task_receipts(APP)] == [TaskEnd.SIMULATED]
    with pytest.raises(RefusedError, match="neither"):
        await home.control.explain("org.example.Nobody")
    with pytest.raises(RefusedError, match="external or battery"):
        await home.control.force_condition(Condition.POWER, "nuclear")


@pytest.mark.contract("S05", "S02")
async def test_one_request_is_one_launch_and_a_handler_may_ask_for_the_next(home: DeskHome) -> None:
    await ready(home, {FRESH: "repeats"})
    puppet = await asleep_with(home, RefreshTask(FRESH))
    await puppet.hears("submitted again")
    await home.until(lambda status: tasks_of(status) == {FRESH: TaskState.PENDING})
    await home.until_state(AppState.SUSPENDED)
    assert puppet.count("task") == 1 and Obstacle.TOO_EARLY in await obstacles(home, FRESH)


@pytest.mark.contract("L10")
async def test_background_running_is_switched_off_and_on_while_the_app_runs(home: DeskHome) -> None:
    await ready(home)
    puppet = await home.launch()
    await submit(puppet, RefreshTask(FRESH, time.time() + HOUR))
    await home.control.switch_background(APP, on=False)
    assert (await puppet.fails("submit", **of(RefreshTask(FRESH))))["reason"] == "unavailable"
    assert await puppet.do("background available") is False
    assert Obstacle.BACKGROUND_OFF in await obstacles(home, FRESH)
    with pytest.raises(RefusedError, match="No app"):
        await home.control.switch_background("org.example.Nobody", on=False)
    await home.control.switch_background("*", on=True)
    await home.control.switch_background(APP, on=True)
    assert await puppet.do("pending") == [[FRESH, "pending", 1]]
    assert await puppet.do("background available") is True
