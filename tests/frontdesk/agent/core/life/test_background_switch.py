"""Running in the background switched on and off while apps live: what goes on, what ends, and who is told (L10)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.life.background_switch import ALL, BackgroundSwitch
from frontdesk.terms import AppState, Obstacle, PushKind, StopReason
from frontdesk.wire import desk as wire
from tests.frontdesk.agent.core.core_driver import (
    FALLBACK,
    MAIL,
    NOTES,
    Driver,
    in_front,
    of_type,
)

APP, OTHER = NOTES.id, MAIL.id
S = AppState
switches = st.sampled_from([ALL, APP, OTHER])


def off(driver: Driver, switch: str = APP) -> list[do.Effect]:
    return driver.handle(ev.BackgroundSwitched(switch, on=False))


def heard(driver: Driver, kind: type[wire.ToApp]) -> list[wire.ToApp]:
    return [each for each in driver.processes[APP].inbox if type(each) is kind]


# --- the switch itself ------------------------------------------------------------------------------------------------


@pytest.mark.contract("L10")
@given(st.frozensets(switches), st.lists(st.tuples(switches, st.booleans()), max_size=8))
def test_an_app_is_allowed_while_its_own_switch_and_the_one_for_all_are_on(
    at_first: frozenset[str], moves: list[tuple[str, bool]]
) -> None:
    machine, again = BackgroundSwitch(at_first), BackgroundSwitch(at_first)
    is_on = {switch: switch not in at_first for switch in (ALL, APP, OTHER)} | dict(moves)
    for switch, on in moves:
        for out in machine.handle(ev.BackgroundSwitched(switch, on), 0.0):
            if isinstance(out, do.Save) and out.value is not None:
                again.restore(out.key, out.value)
    for app in (APP, OTHER):
        assert machine.allows(app) == again.allows(app) == (is_on[app] and is_on[ALL])


def test_a_removed_app_takes_its_switch_along() -> None:
    driver = Driver(NOTES, MAIL)
    off(driver)
    driver.handle(ev.AppRemoved(APP))
    driver.handle(ev.AppAdded(NOTES))
    assert not driver.status(APP).background_off


# --- while an app lives -----------------------------------------------------------------------------------------------


@pytest.mark.contract("L10")
@pytest.mark.parametrize("switch", [APP, ALL])
def test_the_app_and_the_status_say_how_it_is_also_after_a_restart_of_the_desk(switch: str) -> None:
    driver = in_front()
    off(driver, switch)
    assert heard(driver, wire.BackgroundIs) == [wire.BackgroundIs(available=False)]
    assert driver.status(APP).background_off
    assert driver.status(OTHER).background_off == (switch == ALL)
    driver.desk_dies()
    driver.connect(APP)
    welcome = heard(driver, wire.Welcome)[-1]
    assert isinstance(welcome, wire.Welcome) and not welcome.background_available
    driver.handle(ev.BackgroundSwitched(switch, on=True))
    assert heard(driver, wire.BackgroundIs)[-1] == wire.BackgroundIs(available=True)
    assert not driver.status(APP).background_off


@pytest.mark.contract("L10", "A05")
def test_what_runs_unseen_is_expired_at_once_and_has_five_seconds() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.pass_time(10)
    off(driver)
    assert heard(driver, wire.ExpireTasks) == [wire.ExpireTasks((1,), 5.0)]
    driver.pass_time(4.9)
    assert driver.state(APP) is S.BACKGROUND
    driver.end(APP, 1)
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("L10", "A05")
@pytest.mark.parametrize(("after", "left"), [(20.0, 5.0), (24.0, 5.0), (24.9, 5.0), (25.0, 5.0), (26.0, 4.0)])
def test_it_never_has_more_than_that_nor_more_than_it_had(after: float, left: float) -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.pass_time(after)
    off(driver)
    assert driver.status(APP).seconds_left == pytest.approx(left)
    assert len(heard(driver, wire.ExpireTasks)) == 1


@pytest.mark.contract("L10", "A06")
def test_who_does_not_end_it_then_is_stopped() -> None:
    driver = in_front()
    driver.begin(APP, 1, "send")
    driver.sleep(APP)
    off(driver)
    driver.pass_time(5)
    (receipt,) = driver.receipts
    assert (receipt.reason, receipt.limit, receipt.tasks) == (StopReason.TASK_NOT_ENDED, 5.0, ("send",))


@pytest.mark.contract("L10", "A07")
def test_handlers_that_run_already_get_no_second_call_and_no_more_time() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.pass_time(27)
    off(driver)
    assert len(heard(driver, wire.ExpireTasks)) == 1
    assert driver.status(APP).seconds_left == 3.0


@pytest.mark.contract("L10", "A10")
def test_in_front_work_goes_on_until_the_window_is_closed() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    off(driver)
    driver.pass_time(600)
    assert (driver.state(APP), heard(driver, wire.ExpireTasks)) == (S.FOREGROUND, [])
    driver.close(APP)
    driver.pass_time(0)
    assert heard(driver, wire.ExpireTasks) == [wire.ExpireTasks((1,), 5.0)]


@pytest.mark.contract("L10", "A13")
def test_a_task_brought_to_the_next_desk_is_expired_there_if_it_was_switched_off_meanwhile() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.desk_dies()
    off(driver)
    driver.connect(APP)
    driver.pass_time(0)
    (expire,) = heard(driver, wire.ExpireTasks)
    assert isinstance(expire, wire.ExpireTasks) and expire.tasks == (1,)


@pytest.mark.contract("L10")
def test_a_push_that_waits_for_its_app_ends_in_its_fallback() -> None:
    driver = Driver(NOTES, at_once=False)
    driver.subscribe(APP, kind=PushKind.CHANGEABLE_ALERT, fallback=FALLBACK)
    driver.push(APP, b"event")
    assert driver.shown == []
    off(driver)
    assert driver.shown == [(APP, FALLBACK)]


# --- whether it may be launched unseen --------------------------------------------------------------------------------


def standing(driver: Driver) -> Obstacle | None:
    """What the lifecycle says; that it tells of each change is checked by the driver after every batch."""
    stands = driver.desk.lifecycle.not_launchable(APP, driver.now)
    return stands[0] if stands is not None else None


@pytest.mark.contract("L04", "L10")
def test_what_stands_in_the_way_of_a_launch_unseen_has_a_name() -> None:
    driver = in_front()
    assert standing(driver) is None
    driver.handle(ev.QuitAsked(APP))
    assert standing(driver) is Obstacle.APP_QUIT
    driver.exit(APP, 0)
    assert standing(driver) is Obstacle.APP_QUIT
    off(driver, ALL)
    assert standing(driver) is Obstacle.BACKGROUND_OFF
    driver.handle(ev.BackgroundSwitched(ALL, on=True))
    driver.open(APP)
    assert standing(driver) is None
    driver.handle(ev.DeskStopping())
    assert standing(driver) is Obstacle.DESK_STOPPING


@pytest.mark.contract("L07")
def test_the_pause_after_a_crash_has_an_end_that_is_told() -> None:
    driver = in_front()
    driver.exit(APP, 1)
    assert driver.desk.lifecycle.not_launchable(APP, driver.now) == (Obstacle.APP_FAILED, driver.now + 1.0)
    driver.pass_time(1)
    assert standing(driver) is None


def test_an_app_on_its_way_out_is_busy() -> None:
    driver = in_front()
    driver.at_once = False
    for task in range(1001):
        driver.begin(APP, task)
    assert standing(driver) is Obstacle.APP_BUSY
    driver.reap(APP)
    assert standing(driver) is None


def test_switching_costs_one_save() -> None:
    driver = Driver(NOTES, MAIL)
    saves = [save for save in of_type(do.Save, off(driver, ALL)) if save.machine == "background_switch"]
    assert [save.key for save in saves] == [ALL]
