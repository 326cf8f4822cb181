"""The machine sleeps, or its wall clock is set, in the middle of everything: time nobody could use takes nothing."""

import pytest

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.terms import AppState, PushKind, StopReason
from frontdesk.wire import desk as wire
from tests.frontdesk.agent.core.core_driver import FALLBACK, MAIL, NOTES, Driver, asleep, in_front, of_type

APP, OTHER = NOTES.id, MAIL.id
S = AppState
NIGHT = 8 * 3600.0


@pytest.mark.contract("A03", "A05", "A06")
def test_background_time_stands_still_over_a_night() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.pass_time(10)
    effects = driver.machine_sleeps(NIGHT)
    assert of_type(do.Kill, effects) == []
    assert driver.status(APP).seconds_left == 20.0
    driver.pass_time(14.9)
    assert wire.ExpireTasks not in [type(each) for each in driver.processes[APP].inbox]
    driver.pass_time(0.1)
    assert driver.processes[APP].inbox[-1] == wire.ExpireTasks((1,), 5.0)
    driver.machine_sleeps(NIGHT)
    driver.pass_time(5)
    (receipt,) = driver.receipts
    assert (receipt.reason, receipt.limit, receipt.used) == (StopReason.TASK_NOT_ENDED, 30.0, 30.0)


@pytest.mark.contract("A13")
def test_the_next_desk_knows_what_was_left_before_the_night() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.pass_time(10)
    driver.machine_sleeps(NIGHT)
    driver.desk_dies()
    driver.connect(APP)
    assert driver.status(APP).seconds_left == 20.0


@pytest.mark.contract("A03", "A13")
@pytest.mark.parametrize("ahead", [3600.0, -3600.0], ids=["forward", "back"])
def test_the_next_desk_knows_it_also_when_the_clock_was_set(ahead: float) -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.pass_time(10)
    driver.handle(ev.WallClock(ahead, 0.0))
    driver.now += ahead
    driver.desk_dies()
    driver.connect(APP)
    assert driver.status(APP).seconds_left == 20.0


@pytest.mark.contract("L01")
def test_the_time_to_answer_ready_does_not_run() -> None:
    driver = in_front()
    driver.close(APP)
    driver.pass_time(2)
    driver.machine_sleeps(NIGHT)
    assert driver.state(APP) is S.BACKGROUND
    driver.pass_time(2.9)
    assert driver.state(APP) is S.BACKGROUND
    driver.pass_time(0.1)
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("L04")
def test_an_app_that_is_leaving_has_the_rest_of_its_time_after_it() -> None:
    driver = in_front()
    driver.handle(ev.QuitAsked(APP))
    driver.machine_sleeps(NIGHT)
    driver.pass_time(4.9)
    assert driver.receipts == []
    driver.pass_time(0.1)
    assert driver.reasons(APP) == [StopReason.QUIT]


@pytest.mark.contract("L07")
def test_neither_a_launch_nor_a_lost_connection_is_too_late_over_it() -> None:
    driver = in_front()
    driver.drop_connection(APP)
    driver.handle(ev.WentBackground(APP), ev.OpenAsked(OTHER))
    driver.machine_sleeps(NIGHT)
    assert (driver.state(OTHER), driver.receipts) == (S.LAUNCHING, [])
    driver.pass_time(19)
    driver.connect(OTHER)
    assert driver.receipts == []


@pytest.mark.contract("L11")
def test_whoever_opens_an_app_finds_it_awake_afterwards() -> None:
    driver = asleep()
    driver.handle(ev.PageVisited(APP))
    driver.machine_sleeps(NIGHT)
    assert driver.state(APP) is S.BACKGROUND
    driver.pass_time(9.9)
    assert driver.state(APP) is S.BACKGROUND


@pytest.mark.contract("P02")
def test_a_push_that_is_being_worked_on_may_still_be_answered() -> None:
    driver = Driver(NOTES)
    driver.subscribe(APP, kind=PushKind.CHANGEABLE_ALERT, fallback=FALLBACK)
    driver.open(APP)
    driver.sleep(APP)
    driver.push(APP, b"event")
    driver.pass_time(10)
    driver.machine_sleeps(NIGHT)
    driver.pass_time(14.9)
    assert driver.shown == []
    driver.pass_time(0.2)
    assert driver.shown == [(APP, FALLBACK)]


@pytest.mark.contract("L03")
def test_a_sleeper_has_slept_through_the_night_too() -> None:
    driver = asleep()
    driver.machine_sleeps(NIGHT)
    assert driver.reasons(APP) == [StopReason.SUSPENDED_LONG]


@pytest.mark.contract("S07")
def test_a_wall_clock_that_jumps_moves_nothing_that_counts_use() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.pass_time(10)
    for ahead in (10**7, -(10**7)):
        driver.handle(ev.WallClock(ahead, 3600.0), ev.TimePassed())
    assert driver.status(APP).seconds_left == 20.0
    assert driver.receipts == []


# --- holding off the machine's sleep ----------------------------------------------------------------------------------


def inhibits(effects: list[do.Effect]) -> list[bool]:
    return [effect.on for effect in of_type(do.Inhibit, effects)]


@pytest.mark.contract("A01")
def test_sleep_is_held_off_from_the_first_task_that_runs_unseen_until_the_last() -> None:
    driver = in_front()
    assert inhibits(driver.begin(APP, 1, "send a message") + driver.begin(APP, 2)) == [], "somebody sees it"
    effects = driver.close(APP)
    assert inhibits(effects) == [True]
    assert of_type(do.Inhibit, effects)[0].why == f"{APP} finishes: send a message"
    driver.open(OTHER)
    driver.begin(OTHER, 1)
    assert inhibits(driver.close(OTHER)) == []
    assert inhibits(driver.end(APP, 1) + driver.end(APP, 2)) == []
    assert inhibits(driver.end(OTHER, 1)) == [False]


@pytest.mark.contract("A13")
def test_the_next_desk_holds_it_off_again_and_lets_go_when_the_app_is_gone() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.desk_dies()
    assert inhibits(driver.connect(APP)) == [True]
    assert inhibits(driver.exit(APP, 1)) == [False]


@pytest.mark.contract("A06")
def test_it_is_held_off_no_longer_than_the_time_of_the_task() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    assert inhibits(driver.pass_time(30)) == [False]
