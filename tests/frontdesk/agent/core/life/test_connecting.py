"""The desk dies and the next one comes: what has survived is found, what is gone is said."""

import msgspec
import pytest

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.terms import AppState, StopReason, TaskEnd, TaskKind, TaskReceipt
from frontdesk.wire import desk as wire
from tests.frontdesk.agent.core.core_driver import (
    MAIL,
    NOTES,
    Driver,
    apps_of,
    asleep,
    in_front,
    launches,
    messages,
)

APP, OTHER = NOTES.id, MAIL.id
S = AppState


# --- the desk dies (L06) ------------------------------------------------------------------------------------------


@pytest.mark.contract("L06")
def test_running_apps_are_not_harmed_and_sleepers_stay_asleep() -> None:
    driver = Driver(NOTES, MAIL)
    driver.open(OTHER)
    driver.open(APP)
    driver.sleep(APP)
    driver.pass_time(100)
    effects = driver.desk_dies()
    assert apps_of(do.Kill, effects) == [] and launches(effects) == []
    assert driver.state(APP) is S.SUSPENDED
    assert APP in driver.watched
    assert driver.state(OTHER) is S.FOREGROUND
    driver.connect(OTHER)
    driver.pass_time(499.9)
    assert driver.state(APP) is S.SUSPENDED, "the time it slept under the desk before counts"
    driver.pass_time(0.1)
    assert driver.reasons(APP) == [StopReason.SUSPENDED_LONG]


@pytest.mark.contract("L03", "L06")
@pytest.mark.parametrize("ahead", [7 * 86400.0, -7 * 86400.0], ids=["forward", "back"])
def test_a_clock_that_was_set_makes_no_sleep_longer_or_shorter_for_the_next_desk(ahead: float) -> None:
    driver = asleep()
    driver.pass_time(100)
    driver.handle(ev.WallClock(ahead, 0.0))
    driver.now += ahead  # the next desk begins with the wall clock
    driver.desk_dies()
    driver.pass_time(499.9)
    assert driver.state(APP) is S.SUSPENDED
    driver.pass_time(0.1)
    assert [(each.reason, each.used) for each in driver.receipts] == [(StopReason.SUSPENDED_LONG, 600.0)]


@pytest.mark.contract("L13")
def test_nor_is_an_app_told_that_it_slept_for_so_long() -> None:
    driver = asleep()
    driver.pass_time(100)
    driver.handle(ev.WallClock(7200.0, 0.0))
    driver.now += 7200.0
    driver.desk_dies()
    driver.handle(ev.OpenAsked(APP))
    driver.connect(APP)
    assert [each for each in driver.processes[APP].inbox if isinstance(each, wire.Resumed)] == [wire.Resumed(100.0)]


@pytest.mark.contract("L01", "L11")
@pytest.mark.parametrize(("held", "seconds"), [("settling", 5.0), ("opening", 10.0)])
def test_nor_is_an_app_held_awake_for_as_long_as_a_clock_was_set_back(held: str, seconds: float) -> None:
    driver = in_front()
    driver.close(APP)
    if held == "opening":
        driver.handle(ev.PageVisited(APP))
        driver.ready(APP)
    driver.handle(ev.WallClock(-7200.0, 0.0))
    driver.now -= 7200.0
    driver.desk_dies()
    driver.connect(APP)
    driver.pass_time(seconds - 0.1)
    assert [hold.kind for hold in driver.status(APP).holds] == [held]
    driver.pass_time(0.1)
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("L06", "L13")
def test_a_sleeper_that_is_no_child_of_this_keeper_is_woken_to_hand_over_its_page() -> None:
    driver = asleep()
    driver.processes[APP].child = False
    effects = driver.desk_dies()
    assert apps_of(do.Thaw, effects) == [APP]
    driver.pass_time(2)
    driver.connect(APP)
    assert messages(driver)[:2] == [wire.Welcome, wire.Resumed]
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("L06", "L05")
def test_a_run_that_is_gone_when_the_desk_comes_back_has_a_receipt() -> None:
    driver = asleep()
    del driver.processes[APP]
    driver.desk_dies()
    assert driver.reasons(APP) == [StopReason.REPLACED]
    assert driver.state(APP) is S.STOPPED
    assert APP in driver.watched


@pytest.mark.contract("L06")
def test_a_thaw_that_the_old_desk_no_longer_carried_out_is_done_by_the_next() -> None:
    driver = asleep()
    driver.desk_dies(ev.OpenAsked(APP))
    assert not driver.processes[APP].frozen
    driver.connect(APP)
    assert driver.reasons(APP) == []


@pytest.mark.contract("L06")
def test_a_kill_that_the_old_desk_no_longer_carried_out_is_done_by_the_next() -> None:
    driver = asleep()
    driver.desk_dies(ev.MemoryShort())
    assert driver.reasons(APP) == [StopReason.MEMORY_PRESSURE]


@pytest.mark.contract("L06")
def test_an_app_that_says_hello_while_it_should_sleep_is_not_left_frozen_with_its_tasks() -> None:
    """The old desk saved "suspended" and died before it froze; the app ran on and connects to the next."""
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.desk_dies(ev.TaskEnded(APP, 1))
    process = driver.processes[APP]
    assert process.frozen, "the next desk does what the last one did not come to"
    hello = ev.Connected(APP, process.pid, process.started, process.run, True, False, (wire.OpenTask(2, "more"),))
    effects = driver.handle(hello)
    assert apps_of(do.Thaw, effects) == [APP]
    assert not process.frozen


@pytest.mark.contract("L06")
def test_an_app_that_does_not_come_back_is_stopped_with_a_reason() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.desk_dies()
    driver.pass_time(19.9)
    assert driver.receipts == []
    driver.pass_time(0.1)
    assert driver.reasons(APP) == [StopReason.UNREACHABLE]


@pytest.mark.contract("L06")
def test_a_window_closed_while_the_desk_was_away_is_background() -> None:
    driver = in_front()
    driver.desk_dies()
    driver.connect(APP, foreground=False)
    assert driver.state(APP) is S.BACKGROUND
    driver.ready(APP)
    assert driver.state(APP) is S.SUSPENDED


# --- what a welcome says ------------------------------------------------------------------------------------------


def welcomes(driver: Driver) -> list[wire.Welcome]:
    return [each for each in driver.processes[APP].inbox if isinstance(each, wire.Welcome)]


@pytest.mark.contract("L05")
def test_an_app_is_told_once_which_runs_of_its_tasks_were_given_up_also_by_the_next_desk() -> None:
    driver = Driver(NOTES)
    receipt = TaskReceipt(APP, "fresh", TaskKind.REFRESH, TaskEnd.APP_ENDED, 5.0, "It ended three times over it.")
    driver.desk.lifecycle.handle(ev.TaskReceiptKept(APP, receipt), driver.now)
    driver.handle(ev.TimePassed())
    driver.desk_dies()
    driver.open(APP)
    assert [each.task_receipts for each in welcomes(driver)] == [(receipt,)]
    driver.connect(APP)
    assert welcomes(driver)[-1].task_receipts == ()


@pytest.mark.contract("S01")
def test_an_app_is_told_which_identifiers_its_manifest_declares() -> None:
    driver = Driver(msgspec.structs.replace(NOTES, tasks=("fresh", "export.*")))
    driver.open(APP)
    assert welcomes(driver)[-1].declared == ("fresh", "export.*")
