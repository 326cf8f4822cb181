"""What happens in the moment between a decision of the core and its effect, or between two desks."""

import pytest

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.pushes.subscriptions import LINK_OUTLIVES
from frontdesk.terms import AppState, Condition, StopReason
from frontdesk.wire import desk as wire
from tests.frontdesk.agent.core.core_driver import NOTES, Driver

S = AppState
APP = NOTES.id


def asleep() -> Driver:
    driver = Driver(NOTES)
    driver.open(APP)
    driver.to_front(APP)
    driver.sleep(APP)
    assert driver.state(APP) is S.SUSPENDED
    return driver


@pytest.mark.contract("A01", "A03")
def test_a_task_begun_in_the_moment_of_the_freeze_goes_on_with_the_time_that_was_left() -> None:
    driver = Driver(NOTES)
    driver.open(APP)
    driver.to_front(APP)
    driver.close(APP)
    driver.begin(APP, 1)
    driver.pass_time(10)
    driver.ready(APP)
    driver.end(APP, 1)
    assert driver.state(APP) is S.SUSPENDED
    driver.pass_time(100)
    driver.handle(ev.TaskBegun(APP, 2, "the next"))  # it was on its way when the app was frozen
    assert driver.state(APP) is S.BACKGROUND
    assert driver.status(APP).seconds_left == 20.0
    driver.pass_time(20)
    assert driver.reasons(APP) == [StopReason.TASK_NOT_ENDED]


@pytest.mark.contract("A03")
def test_begin_and_end_in_that_moment_give_no_time_and_leave_it_asleep() -> None:
    driver = asleep()
    driver.handle(ev.TaskBegun(APP, 2, "short"), ev.TaskEnded(APP, 2))
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("L01")
def test_an_app_that_is_settling_keeps_its_five_seconds_over_the_death_of_the_desk() -> None:
    driver = Driver(NOTES)
    driver.open(APP)
    driver.to_front(APP)
    driver.close(APP)
    driver.pass_time(1)
    driver.desk_dies()
    driver.connect(APP)
    assert driver.state(APP) is S.BACKGROUND
    driver.pass_time(3.9)
    assert driver.state(APP) is S.BACKGROUND
    driver.pass_time(0.1)
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("N04")
def test_a_press_is_heard_although_the_desk_dies_before_the_app_is_awake() -> None:
    driver = Driver(NOTES, at_once=False)
    driver.handle(ev.ActAsked(APP, "chat", "reply"))
    driver.desk_dies()
    driver.handle(ev.OpenAsked(APP))
    driver.answer_launch(APP)
    driver.connect(APP)
    assert wire.Pressed("chat", "reply") in driver.processes[APP].inbox


@pytest.mark.contract("L03")
def test_nothing_is_launched_again_at_logout() -> None:
    driver = asleep()
    driver.subscribe(APP)
    effects = driver.handle(ev.DeskStopping())
    effects += driver.push(APP)
    effects += driver.pass_time(120)
    assert driver.reasons(APP) == [StopReason.LOGOUT]
    assert not [effect for effect in effects if isinstance(effect, do.Launch)]


@pytest.mark.contract("L05")
def test_a_run_that_was_replaced_before_its_end_was_heard_has_its_receipt() -> None:
    driver = Driver(NOTES)
    driver.start_by_hand(APP, foreground=True)
    first = driver.processes[APP]
    driver.handle(ev.Disconnected(APP))
    hello = ev.Connected(APP, first.pid + 900, first.started + 900, "another run", launched=False, foreground=True)
    driver.plausible = False
    driver.handle(hello)
    assert driver.reasons(APP) == [StopReason.CRASHED]
    assert driver.state(APP) is S.FOREGROUND


def test_somebody_who_looks_does_not_wait_for_the_next_push_attempt() -> None:
    driver = asleep()
    assert do.ReconnectPush() not in driver.handle(ev.OpenAsked(APP)) + driver.to_front(APP)
    driver.sleep(APP)
    driver.handle(ev.PushLinkDown("no network", 300.0))
    assert do.ReconnectPush() in driver.handle(ev.OpenAsked(APP)) + driver.to_front(APP)
    driver.sleep(APP)
    driver.handle(ev.PushLinkUp("uaid", changed=False))
    assert do.ReconnectPush() not in driver.handle(ev.OpenAsked(APP)) + driver.to_front(APP)


@pytest.mark.contract("L11")
def test_an_open_that_reached_a_dying_app_launches_it_again() -> None:
    driver = Driver(NOTES)
    driver.open(APP)
    driver.to_front(APP)
    driver.processes[APP].connected = False  # it has crashed, and nobody has heard of it
    driver.handle(ev.OpenAsked(APP))
    driver.handle(ev.Disconnected(APP))
    driver.exit(APP, -11)
    driver.pass_time(1)
    assert driver.state(APP) is S.LAUNCHING


def test_an_open_that_was_heard_does_not_bring_back_an_app_that_crashes_later() -> None:
    driver = Driver(NOTES)
    driver.open(APP)
    driver.to_front(APP)
    driver.handle(ev.OpenAsked(APP))
    driver.handle(ev.WentForeground(APP))
    driver.exit(APP, -11)
    driver.pass_time(10)
    assert driver.state(APP) is S.STOPPED


@pytest.mark.contract("A05", "A06")
def test_a_machine_that_slept_over_the_end_of_the_box_costs_no_handler_its_time() -> None:
    driver = Driver(NOTES)
    driver.open(APP)
    driver.to_front(APP)
    driver.begin(APP, 1)
    driver.close(APP)
    driver.now += 600  # the lid was closed: the first that is heard of the time is long after its end
    driver.handle(ev.TimePassed())
    assert driver.reasons(APP) == []
    assert driver.processes[APP].inbox[-1] == wire.ExpireTasks((1,), 5.0)
    driver.pass_time(5)
    assert driver.reasons(APP) == [StopReason.TASK_NOT_ENDED]


def test_the_push_service_is_tried_at_once_when_the_network_is_back_or_the_machine_wakes() -> None:
    driver = Driver(NOTES)
    online = ev.ConditionSeen(Condition.NETWORK, "online", "NetworkManager")
    assert do.ReconnectPush() not in driver.handle(online)
    driver.handle(ev.PushLinkDown("no route", 300.0))
    assert do.ReconnectPush() not in driver.handle(ev.ConditionSeen(Condition.NETWORK, "offline", "NetworkManager"))
    assert do.ReconnectPush() not in driver.handle(ev.ConditionSeen(Condition.IDLE, "yes", "logind"))
    assert do.ReconnectPush() in driver.handle(online)
    driver.handle(ev.PushLinkUp("me", changed=False))
    assert do.ReconnectPush() not in driver.handle(ev.MachineSlept(LINK_OUTLIVES - 1))
    assert do.ReconnectPush() in driver.handle(ev.MachineSlept(LINK_OUTLIVES))
