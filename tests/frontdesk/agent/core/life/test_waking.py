"""Apps that die and are tried again, pages that are visited, and what an app hears first after a sleep."""

import itertools

import pytest

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.dispatcher import Dispatcher
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.setup import Setup
from frontdesk.terms import AppState, Obstacle, StopReason, WakeReason
from frontdesk.wire import desk as wire
from tests.frontdesk.agent.core.core_driver import (
    CLOCK,
    MAIL,
    NOTES,
    Driver,
    apps_of,
    asleep,
    in_front,
    launches,
    messages,
    of_type,
)

APP, OTHER = NOTES.id, MAIL.id
S = AppState


# --- apps that die (L07) and pages that are visited (L11) ---------------------------------------------------------


@pytest.mark.contract("L07")
def test_a_dead_app_holds_nothing() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.exit(APP, -9)
    assert driver.status(APP).holds == ()
    driver.open(APP)
    driver.sleep(APP)
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("L07")
def test_a_dead_app_leaves_no_time_running() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    pid = driver.processes.pop(APP).pid
    driver.handle(ev.Exited(APP, pid, 0))  # its connection has not been seen to end
    driver.pass_time(1)
    assert driver.desk.next_wake() is None
    assert ("assertions", APP) not in driver.saved


@pytest.mark.contract("L11", "L13")
def test_a_visit_wakes_a_sleeper_and_leaves_it_time_to_show_itself() -> None:
    driver = asleep()
    assert APP in driver.watched
    driver.pass_time(60)
    effects = driver.handle(ev.PageVisited(APP))
    assert apps_of(do.Thaw, effects) == [APP]
    assert driver.processes[APP].inbox[0] == wire.Resumed(60.0)
    assert APP not in driver.watched
    driver.pass_time(9.9)
    assert driver.state(APP) is S.BACKGROUND
    driver.to_front(APP)
    driver.pass_time(60)
    assert driver.state(APP) is S.FOREGROUND


@pytest.mark.contract("L11")
def test_a_visitor_who_does_not_stay_keeps_it_awake_for_ten_seconds_only() -> None:
    driver = asleep()
    driver.handle(ev.PageVisited(APP))
    driver.pass_time(10)
    assert driver.state(APP) is S.SUSPENDED
    assert APP in driver.watched


@pytest.mark.contract("L11")
def test_a_visitor_of_an_app_that_is_awake_finds_it_so_for_ten_seconds_whatever_ends() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.handle(ev.PageVisited(APP))
    driver.end(APP, 1)
    driver.pass_time(9.9)
    assert driver.state(APP) is S.BACKGROUND
    driver.pass_time(0.1)
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("L07")
def test_a_sleeper_without_connection_that_is_woken_has_twenty_seconds_to_connect() -> None:
    driver = asleep()
    driver.drop_connection(APP)
    driver.handle(ev.PageVisited(APP))
    driver.pass_time(19.9)
    assert (driver.state(APP), driver.receipts) == (S.BACKGROUND, [])
    driver.pass_time(0.1)
    assert driver.reasons(APP) == [StopReason.UNREACHABLE]


@pytest.mark.contract("L11")
def test_a_visit_launches_a_stopped_app() -> None:
    driver = Driver(NOTES)
    assert APP in driver.watched
    effects = driver.handle(ev.PageVisited(APP))
    assert launches(effects) == [APP]
    driver.pass_time(15)
    driver.connect(APP)
    assert driver.processes[APP].inbox[0] == wire.Welcome(1, "1.2.3", WakeReason.PAGE_VISITED)
    driver.pass_time(9.9)
    assert driver.state(APP) is S.BACKGROUND


def test_an_app_without_a_page_is_not_watched() -> None:
    driver = Driver(CLOCK)
    driver.open(CLOCK.id)
    driver.sleep(CLOCK.id)
    assert of_type(do.WatchPage, driver.effects) == []


@pytest.mark.contract("L11")
@pytest.mark.parametrize("status", [1, 0], ids=["crashes", "leaves at once"])
@pytest.mark.parametrize("connects", [True, False])
def test_a_visitor_who_waits_does_not_launch_a_failing_app_in_a_loop(status: int, connects: bool) -> None:
    """The visitor's connection stays in the socket, so the page is visited as soon as it is watched again."""
    driver = Driver(NOTES)
    begun = driver.now
    launched: list[float] = []
    while driver.now < begun + 600:
        if APP in driver.watched:
            launched += [driver.now for _ in launches(driver.handle(ev.PageVisited(APP)))]
        if APP in driver.processes:
            if connects:
                driver.connect(APP)
            driver.exit(APP, status)
        driver.pass_time(0.25)
    pauses = [later - earlier for earlier, later in itertools.pairwise(launched)]
    assert pauses[:7] == [1, 2, 4, 8, 16, 32, 60]
    assert len(launched) < 20


@pytest.mark.contract("L07")
def test_an_app_that_has_failed_ten_thousand_times_is_still_only_an_app_that_fails() -> None:
    driver = Driver(NOTES)
    driver.handle(ev.OpenAsked(APP))
    driver.connect(APP)
    life = driver.desk.lifecycle.life(APP)
    assert life is not None
    life.failures = 10_000
    driver.exit(APP, 1)
    driver.handle(ev.PageVisited(APP))
    assert driver.state(APP) is S.STOPPED
    driver.pass_time(driver.limits.retry_most)
    assert driver.state(APP) is S.LAUNCHING


@pytest.mark.contract("L07")
@pytest.mark.parametrize("reason", ["launch_failed", "launch_timed_out", "unreachable", "crashed"])
def test_after_each_end_that_is_a_failure_what_waits_has_to_wait_for_the_pause(reason: str) -> None:
    driver = Driver(NOTES, at_once=False)
    driver.subscribe(APP)
    driver.push(APP)
    driver.answer_launch(APP, fails=reason == "launch_failed")
    if reason in ("unreachable", "crashed"):
        driver.connect(APP)
        driver.drop_connection(APP)
    if reason == "crashed":
        driver.exit(APP, 1)
    elif reason != "launch_failed":
        driver.pass_time(20)
        driver.reap(APP)
    assert driver.reasons(APP) == [StopReason(reason)]
    assert (driver.state(APP), driver.launching) == (S.STOPPED, {})
    assert driver.desk.lifecycle.not_launchable(APP, driver.now) == (Obstacle.APP_FAILED, driver.now + 1.0)
    driver.pass_time(1.0)
    assert APP in driver.launching


@pytest.mark.contract("L11")
def test_the_person_may_open_a_crashed_app_at_once() -> None:
    driver = in_front()
    driver.exit(APP, 1)
    assert launches(driver.handle(ev.OpenAsked(APP))) == [APP]


@pytest.mark.contract("P01")
def test_an_app_whose_subscriptions_are_lost_is_launched_and_has_time_to_make_them_anew() -> None:
    driver = Driver(NOTES, MAIL)
    assert launches(driver.handle(ev.SubscriptionsLost(APP))) == [APP]
    driver.connect(APP)
    driver.pass_time(Limits().opening - 0.1)
    assert driver.state(APP) is S.BACKGROUND
    driver.pass_time(0.1)
    assert driver.state(APP) is S.SUSPENDED
    assert wire.Open not in messages(driver), "nobody wants to see it"


@pytest.mark.contract("L04", "L10")
@pytest.mark.parametrize("wish", [ev.QuitAsked(APP), ev.BackgroundSwitched(APP, on=False)], ids=["quit", "off"])
def test_nor_is_an_app_launched_for_them_that_the_person_does_not_want_to_run(wish: ev.Event) -> None:
    driver = Driver(NOTES)
    driver.handle(wish)
    assert launches(driver.handle(ev.SubscriptionsLost(APP))) == []
    driver.pass_time(3600)
    assert driver.state(APP) is S.STOPPED
    driver.open(APP)
    assert driver.state(APP) is S.FOREGROUND


@pytest.mark.contract("L11")
def test_a_window_that_came_to_the_front_just_as_it_was_frozen_is_not_left_frozen() -> None:
    """A frozen app says nothing: what arrives was said before, and a person is looking at it."""
    driver = asleep()
    driver.to_front(APP)
    assert driver.state(APP) is S.FOREGROUND
    assert not driver.processes[APP].frozen


# --- after a suspension (L13) -------------------------------------------------------------------------------------


@pytest.mark.contract("L13")
@pytest.mark.parametrize("woken_by", ["push", "open", "pressed", "page"])
def test_resumed_comes_first(woken_by: str) -> None:
    driver = in_front()
    driver.subscribe(APP)
    driver.sleep(APP)
    driver.processes[APP].inbox.clear()
    driver.pass_time(42)
    match woken_by:
        case "push":
            driver.push(APP)
            what: type = wire.Push
        case "open":
            driver.handle(ev.OpenAsked(APP))
            what = wire.Open
        case "pressed":
            driver.handle(ev.ActAsked(APP, "n1", "reply"))
            what = wire.Pressed
        case _:
            driver.handle(ev.PageVisited(APP))
            what = wire.TimeBox
    assert driver.processes[APP].inbox[0] == wire.Resumed(42.0)
    assert messages(driver).count(wire.Resumed) == 1
    assert what in messages(driver)


@pytest.mark.contract("L13")
def test_a_sleeper_whose_connection_broke_hears_resumed_right_after_welcome() -> None:
    driver = in_front()
    driver.subscribe(APP)
    driver.sleep(APP)
    driver.processes[APP].inbox.clear()
    driver.drop_connection(APP)
    driver.pass_time(7)
    driver.push(APP)
    driver.pass_time(1)
    driver.connect(APP)
    assert messages(driver)[:2] == [wire.Welcome, wire.Resumed]
    assert wire.Push in messages(driver)


@pytest.mark.contract("L13")
def test_resumed_is_said_once_for_each_sleep() -> None:
    driver = asleep()
    driver.handle(ev.OpenAsked(APP))
    driver.drop_connection(APP)
    driver.pass_time(1)
    driver.connect(APP)
    assert messages(driver).count(wire.Resumed) == 1


def test_a_clock_that_was_set_back_makes_no_negative_sleep() -> None:
    driver = asleep()
    driver.now -= 500
    driver.handle(ev.OpenAsked(APP))
    assert driver.processes[APP].inbox[0] == wire.Resumed(0.0)


@pytest.mark.contract("L05", "L07")
def test_a_run_that_ended_while_there_was_no_desk_is_told_as_it_was_and_what_waits_launches_the_next() -> None:
    driver = Driver(NOTES)
    driver.open(NOTES.id)
    driver.subscribe(NOTES.id)
    driver.sleep(NOTES.id)
    driver.push(NOTES.id)
    ended = driver.processes.pop(NOTES.id)
    driver.desk = Dispatcher(Setup(driver.limits), lambda: "another token")
    for (machine, key), value in driver.saved.items():
        driver.desk.restore(machine, key, value)
    driver.handle(ev.AppAdded(NOTES), ev.Exited(NOTES.id, ended.pid, 0), ev.DeskStarted())
    assert driver.reasons(NOTES.id) == [StopReason.EXITED]
    assert driver.state(NOTES.id) is AppState.LAUNCHING
    driver.connect(NOTES.id)
    assert len(driver.pushes(NOTES.id)) == 1


# --- opened while its connection is gone (L11) --------------------------------------------------------------------

BY_PERSON = [ev.OpenAsked(APP), ev.ActAsked(APP, "shown", "")]


@pytest.mark.contract("L11")
@pytest.mark.parametrize("asked", BY_PERSON)
def test_opened_in_the_moment_of_its_end_it_is_launched(asked: ev.Event) -> None:
    driver = in_front()
    driver.drop_connection(APP)
    assert launches(driver.handle(asked)) == []
    assert launches(driver.exit(APP, 0)) == [APP]


@pytest.mark.contract("L11")
def test_opened_while_it_connects_again_it_is_told_when_it_has() -> None:
    driver = in_front()
    driver.drop_connection(APP)
    heard = messages(driver).count(wire.Open)
    driver.handle(ev.OpenAsked(APP))
    driver.connect(APP)
    assert messages(driver).count(wire.Open) == heard + 1


@pytest.mark.contract("L11")
@pytest.mark.parametrize(("after", "launched"), [(1.9, [APP]), (2.0, [])])
def test_an_end_within_two_seconds_of_being_opened_is_taken_for_an_open_that_was_lost(
    after: float, launched: list[str]
) -> None:
    driver = in_front()
    driver.handle(ev.OpenAsked(APP))
    driver.pass_time(after)
    assert launches(driver.exit(APP, 0)) == launched


@pytest.mark.contract("L04", "L11")
def test_opened_once_it_is_not_launched_again_for_ending_later() -> None:
    driver = in_front()
    driver.drop_connection(APP)
    driver.handle(ev.OpenAsked(APP))
    driver.connect(APP, foreground=True)
    driver.to_front(APP)
    driver.handle(ev.WentBackground(APP))
    assert launches(driver.exit(APP, 0)) == []
