"""Continued tasks: who may submit one, who runs and who waits, what the person sees, and how each comes to its end."""

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.scheduled.continued import Continued
from frontdesk.agent.core.scheduled.continued_work import Stage, Work
from frontdesk.agent.core.scheduled.progress_notice import fraction_of, notice_id, percent, progress_notice, run_of
from frontdesk.terms import (
    AppState,
    Condition,
    ContinuedTask,
    ExistingWork,
    Manifest,
    Notification,
    Obstacle,
    Receipt,
    Refusal,
    StopReason,
    Strategy,
    TaskEnd,
    TaskKind,
    TaskState,
    WakeReason,
)
from frontdesk.wire import desk as wire
from tests.frontdesk.agent.core.core_driver import T0, Driver, of_type

S = AppState
LIMITS = Limits()
FILMS = Manifest("org.example.films", "Films", ("films",), background=("continued",), tasks=("org.example.films.*",))
PHOTOS = Manifest("org.example.photos", "Photos", ("photos",), background=("continued",), tasks=("export",))
CLOCK = Manifest("org.example.clock", "Clock", ("clock",), tasks=("export",))
APP = FILMS.id


def task(number: int = 1, strategy: Strategy = Strategy.QUEUE, title: str = "Export") -> ContinuedTask:
    return ContinuedTask(f"org.example.films.{number}", title=title, subtitle="holiday.mp4", strategy=strategy)


def in_front(limits: Limits = LIMITS) -> Driver:
    driver = Driver(FILMS, PHOTOS, CLOCK, limits=limits)
    driver.open(APP)
    return driver


def unseen(number: int = 1) -> Driver:
    """One runs, and the window is gone."""
    driver = in_front()
    driver.submit(APP, task(number))
    driver.sleep(APP)
    driver.effects.clear()
    driver.processes[APP].inbox.clear()
    return driver


def being_launched() -> Driver:
    """One that waited has got its place, and its app, which had been stopped, is being launched for it."""
    driver = in_front(Limits(continued_at_once=1))
    driver.submit(APP, task(1))
    driver.open(PHOTOS.id)
    driver.submit(PHOTOS.id, ContinuedTask("export", title="Export"))
    driver.sleep(PHOTOS.id)
    driver.handle(ev.MemoryShort())
    driver.complete(APP, task(1).identifier)
    return driver


def answers(effects: list[do.Effect]) -> list[object]:
    """``Done`` as it is, of refusals the reason."""
    messages = [effect.message for effect in of_type(do.Answer, effects)]
    return [message.reason if isinstance(message, wire.Refused) else type(message) for message in messages]


def run_named(driver: Driver, number: int = 1) -> str:
    (run,) = [run.run for run in driver.processes[APP].runs.values() if run.identifier == task(number).identifier]
    return run


def tell(driver: Driver, done: float, total: float = 100.0, number: int = 1, subtitle: str = "") -> list[do.Effect]:
    return driver.handle(ev.ProgressTold(APP, run_named(driver, number), done, total, "", subtitle))


def expiries(effects: list[do.Effect]) -> list[tuple[TaskEnd, float]]:
    messages = [effect.message for effect in of_type(do.Send, effects)]
    return [(each.why, each.seconds) for each in messages if isinstance(each, wire.ExpireRuns)]


def bodies(driver: Driver) -> list[str]:
    """What the desk's own list has of continued tasks."""
    shown = [each.notification for each in driver.desk.notifications.shown()]
    return [each.body for each in shown if run_of(each.id) is not None]


def ends(driver: Driver) -> list[TaskEnd]:
    return [receipt.end for receipt in driver.task_receipts]


# --- submitting -------------------------------------------------------------------------------------------------------


@pytest.mark.contract("S18")
def test_submitted_in_front_it_runs_at_once_without_a_limit_and_the_person_sees_the_app_only() -> None:
    driver = in_front()
    effects = driver.submit(APP, task())
    assert answers(effects) == [wire.Done]
    (given,) = [each for each in driver.processes[APP].inbox if isinstance(each, wire.RunTasks)]
    assert given.seconds is None
    assert [(run.identifier, run.kind, run.attempt) for run in given.runs] == [
        (task().identifier, TaskKind.CONTINUED, 1)
    ]
    assert driver.shown == []
    (pending,) = driver.desk.pending(APP)
    assert (pending.request, pending.state) == (task(), TaskState.RUNNING)


@pytest.mark.contract("S18")
def test_an_app_that_nobody_sees_may_not_submit_one() -> None:
    driver = in_front()
    driver.close(APP)
    assert answers(driver.submit(APP, task())) == [Refusal.NOT_IN_FOREGROUND]
    assert driver.desk.pending(APP) == ()


@pytest.mark.contract("S01", "S18")
def test_only_what_the_manifest_declares_and_an_ending_covers_any_continuation() -> None:
    driver = in_front()
    assert answers(driver.submit(APP, ContinuedTask("org.example.other.1", title="Export"))) == [Refusal.NOT_PERMITTED]
    assert answers(driver.submit(APP, ContinuedTask("org.example.films.", title="Export"))) == [Refusal.NOT_PERMITTED]
    driver.open(CLOCK.id)
    assert answers(driver.submit(CLOCK.id, ContinuedTask("export", title="Export"))) == [Refusal.NOT_PERMITTED]
    assert answers(driver.submit(APP, task())) == [wire.Done]


@pytest.mark.contract("S18")
def test_without_a_title_the_person_would_not_know_what_runs() -> None:
    driver = in_front()
    assert answers(driver.submit(APP, task(title=" "))) == [Refusal.BAD_REQUEST]


@pytest.mark.contract("L10", "S18")
def test_with_background_running_off_it_is_refused_and_what_runs_or_waits_ends() -> None:
    driver = in_front(Limits(continued_at_once=1))
    driver.submit(APP, task(1))
    driver.submit(APP, task(2))
    effects = driver.handle(ev.BackgroundSwitched(APP, on=False))
    assert expiries(effects) == [(TaskEnd.SWITCHED_OFF, LIMITS.expiry_lead)]
    assert answers(driver.submit(APP, task(3))) == [Refusal.UNAVAILABLE]
    driver.complete(APP, task(1).identifier)
    assert ends(driver) == [TaskEnd.SWITCHED_OFF, TaskEnd.SWITCHED_OFF]
    assert driver.desk.pending(APP) == ()


# --- places -----------------------------------------------------------------------------------------------------------


@pytest.mark.contract("S18", "S16")
def test_with_all_places_taken_it_waits_says_so_and_starts_when_one_is_free() -> None:
    driver = in_front()
    for number in range(1, 6):
        assert answers(driver.submit(APP, task(number))) == [wire.Done]
    assert driver.at_work(APP) == [task(number).identifier for number in range(1, 5)]
    (waiting,) = driver.desk.explain(task(5).identifier, driver.now)
    assert waiting.state is TaskState.PENDING
    assert [(reason.obstacle, reason.now) for reason in waiting.reasons] == [(Obstacle.OTHERS_RUN, "4 of 4 run")]
    assert "4 of 4" in waiting.text
    driver.complete(APP, task(2).identifier)
    assert task(5).identifier in driver.at_work(APP)


@pytest.mark.contract("S18")
def test_places_are_shared_by_all_apps_and_the_first_to_wait_is_the_first_to_start() -> None:
    driver = in_front(Limits(continued_at_once=1))
    driver.submit(APP, task(1))
    driver.open(PHOTOS.id)
    driver.submit(PHOTOS.id, ContinuedTask("export", title="Export"))
    driver.submit(APP, task(2))
    driver.complete(APP, task(1).identifier)
    assert (driver.at_work(APP), driver.at_work(PHOTOS.id)) == ([], ["export"])
    driver.complete(PHOTOS.id, "export")
    assert driver.at_work(APP) == [task(2).identifier]


@pytest.mark.contract("S18")
def test_with_fail_it_is_refused_when_it_cannot_start_now() -> None:
    driver = in_front(Limits(continued_at_once=1))
    assert answers(driver.submit(APP, task(1, Strategy.FAIL))) == [wire.Done]
    assert answers(driver.submit(APP, task(2, Strategy.FAIL))) == [Refusal.CANNOT_START_NOW]
    assert answers(driver.submit(APP, task(1, Strategy.FAIL))) == [Refusal.CANNOT_START_NOW]
    assert len(driver.desk.pending(APP)) == 1


@pytest.mark.contract("S03", "S04")
def test_an_app_may_have_so_many_waiting_and_one_that_is_replaced_counts_once() -> None:
    driver = in_front(Limits(continued_at_once=1, pending_continued=2))
    for number in (1, 2, 3):
        driver.submit(APP, task(number))
    assert answers(driver.submit(APP, task(4))) == [Refusal.TOO_MANY_PENDING_REQUESTS]
    assert answers(driver.submit(APP, task(2, title="Better"))) == [wire.Done]
    assert answers(driver.submit(APP, task(3, title="Dropped"))) == [wire.Done]
    driver.submit(APP, task(3, title="Not taken"), ExistingWork.KEEP)
    titles = [each.request.title for each in driver.desk.pending(APP) if isinstance(each.request, ContinuedTask)]
    assert titles == ["Export", "Better", "Dropped"]
    driver.complete(APP, task(1).identifier)
    assert driver.at_work(APP) == [task(2).identifier]


def test_the_same_task_again_follows_the_one_that_runs() -> None:
    driver = in_front()
    driver.submit(APP, task())
    driver.submit(APP, task())
    assert driver.in_the_way(APP, task().identifier) == [Obstacle.APP_BUSY]
    first = run_named(driver)
    driver.complete(APP, task().identifier)
    assert run_named(driver) != first


@pytest.mark.contract("S18")
def test_one_that_waited_is_started_in_an_app_that_sleeps_or_was_stopped() -> None:
    for stopped in (False, True):
        driver = in_front(Limits(continued_at_once=1))
        driver.submit(APP, task(1))
        driver.open(PHOTOS.id)
        driver.submit(PHOTOS.id, ContinuedTask("export", title="Export"))
        driver.sleep(PHOTOS.id)
        assert driver.state(PHOTOS.id) is S.SUSPENDED
        if stopped:
            driver.handle(ev.MemoryShort())
        driver.complete(APP, task(1).identifier)
        if stopped:
            assert driver.state(PHOTOS.id) is S.LAUNCHING
            driver.connect(PHOTOS.id)
        assert driver.at_work(PHOTOS.id) == ["export"]
        driver.pass_time(50.0)
        assert driver.state(PHOTOS.id) is S.BACKGROUND
        driver.complete(PHOTOS.id, "export")
        assert driver.state(PHOTOS.id) is S.SUSPENDED


# --- without the window -----------------------------------------------------------------------------------------------


@pytest.mark.contract("S18")
def test_it_goes_on_without_the_window_for_as_long_as_there_is_progress() -> None:
    driver = unseen()
    for step in range(60):
        driver.pass_time(59.0)
        tell(driver, step + 1)
    assert driver.state(APP) is S.BACKGROUND
    assert driver.reasons(APP) == []
    told = [
        each
        for each in of_type(do.Send, driver.complete(APP, task().identifier))
        if isinstance(each.message, wire.RunKept)
    ]
    assert told and all(isinstance(each, do.SendKept) for each in told), "told before it is durable"
    assert driver.state(APP) is S.SUSPENDED
    assert (ends(driver), bodies(driver)) == ([], [])


@pytest.mark.contract("A03", "S18")
def test_its_background_tasks_are_told_of_the_end_once_and_not_while_it_makes_progress() -> None:
    driver = in_front()
    driver.submit(APP, task())
    driver.begin(APP, 7)
    driver.sleep(APP)
    for step in range(10):
        driver.pass_time(50.0)
        tell(driver, step + 1)
    assert not [each for each in driver.processes[APP].inbox if isinstance(each, wire.ExpireTasks)]
    driver.complete(APP, task().identifier)
    effects = driver.pass_time(2 * LIMITS.stalled)
    assert len([each for each in of_type(do.Send, effects) if isinstance(each.message, wire.ExpireTasks)]) == 1
    assert driver.reasons(APP) == [StopReason.TASK_NOT_ENDED]


@pytest.mark.contract("S18")
def test_without_progress_it_is_expired_and_the_app_stopped_when_it_does_not_complete() -> None:
    driver = unseen()
    assert expiries(driver.pass_time(LIMITS.stalled - 0.1)) == []
    assert expiries(driver.pass_time(0.1)) == [(TaskEnd.STALLED, LIMITS.expiry_lead)]
    assert bodies(driver) == []
    driver.pass_time(LIMITS.expiry_lead - 0.1)
    assert driver.reasons(APP) == []
    driver.pass_time(0.1)
    assert driver.reasons(APP) == [StopReason.TASK_NOT_COMPLETED]
    stopped = driver.receipts[0]
    assert (stopped.tasks, stopped.limit, stopped.used) == ((task().identifier,), LIMITS.expiry_lead, 5.0)
    assert "within 5 s" in stopped.text
    (receipt,) = driver.task_receipts
    assert (receipt.end, receipt.identifier, receipt.used) == (TaskEnd.STALLED, task().identifier, 65.0)


@pytest.mark.contract("S12", "S18")
def test_stalled_but_completed_in_time_the_app_is_suspended_and_the_person_hears_why_it_ended() -> None:
    driver = unseen()
    assert driver.desk.assertions.seconds_left(APP, driver.now) == LIMITS.stalled + 2 * LIMITS.expiry_lead
    driver.pass_time(LIMITS.stalled)
    driver.complete(APP, task().identifier, success=False)
    assert driver.state(APP) is S.SUSPENDED
    assert ends(driver) == [TaskEnd.STALLED]
    (body,) = bodies(driver)
    assert "nothing new for 60 s. Begin it again in the app." in body, "what the person can do, not its author"


@pytest.mark.contract("S18")
def test_a_desk_that_stood_still_over_the_end_of_its_background_time_takes_nothing_from_it() -> None:
    driver = unseen()
    driver.pass_time(LIMITS.stalled - 5)
    tell(driver, 1)
    driver.now += 5 + 2 * LIMITS.expiry_lead
    driver.handle(ev.TimePassed())
    tell(driver, 2)
    driver.pass_time(LIMITS.stalled - 1)
    assert (driver.state(APP), driver.at_work(APP)) == (S.BACKGROUND, [task().identifier])
    driver.now += 600
    driver.handle(ev.TimePassed())
    assert expiries(driver.effects) == [(TaskEnd.STALLED, LIMITS.expiry_lead)]
    driver.pass_time(LIMITS.expiry_lead - 1)
    assert driver.state(APP) is S.BACKGROUND, "its handler has the time that was said"
    driver.complete(APP, task().identifier, success=False)
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("L10", "S18")
def test_switched_off_in_the_settings_while_the_desk_was_away_what_ran_ends() -> None:
    driver = unseen()
    driver.desk_dies(background_off=frozenset({APP}))
    driver.pass_time(LIMITS.expiry_lead)
    assert driver.receipts == [], "it has the time to come back"
    effects = driver.connect(APP)
    assert expiries(effects) == [(TaskEnd.SWITCHED_OFF, LIMITS.expiry_lead)]
    driver.pass_time(LIMITS.expiry_lead)
    assert driver.reasons(APP) == [StopReason.TASK_NOT_COMPLETED]
    assert ends(driver) == [TaskEnd.SWITCHED_OFF]


@pytest.mark.contract("S18")
def test_the_same_numbers_again_are_no_progress() -> None:
    driver = unseen()
    tell(driver, 5.0)
    driver.pass_time(30.0)
    tell(driver, 5.0)
    assert expiries(driver.pass_time(30.0)) == [(TaskEnd.STALLED, LIMITS.expiry_lead)]


def test_in_front_of_the_person_a_stalled_one_ends_and_the_app_is_left_alone() -> None:
    driver = in_front()
    driver.submit(APP, task())
    driver.pass_time(LIMITS.stalled + LIMITS.expiry_lead)
    assert (driver.state(APP), driver.reasons(APP)) == (S.FOREGROUND, [])
    assert (ends(driver), driver.desk.pending(APP), bodies(driver)) == ([TaskEnd.STALLED], (), [])


@pytest.mark.contract("S18")
def test_time_in_which_the_machine_slept_is_no_time_without_progress() -> None:
    driver = unseen()
    driver.pass_time(50.0)
    driver.now += 3600.0
    driver.handle(ev.MachineSlept(3600.0), ev.TimePassed())
    assert expiries(driver.pass_time(9.9)) == []
    assert expiries(driver.pass_time(0.1)) == [(TaskEnd.STALLED, LIMITS.expiry_lead)]
    driver.complete(APP, task().identifier)
    assert [receipt.used for receipt in driver.task_receipts] == [60.0]


@pytest.mark.contract("S18")
def test_a_sleep_of_the_machine_after_some_progress_changes_nothing_either() -> None:
    driver = unseen()
    driver.pass_time(30.0)
    tell(driver, 1.0)
    driver.pass_time(10.0)
    driver.now += 3600.0
    driver.handle(ev.MachineSlept(3600.0), ev.TimePassed())
    assert expiries(driver.pass_time(49.9)) == []
    assert expiries(driver.pass_time(0.1)) == [(TaskEnd.STALLED, LIMITS.expiry_lead)]
    driver.now += 3600.0
    driver.handle(ev.MachineSlept(3600.0), ev.TimePassed())
    driver.pass_time(LIMITS.expiry_lead - 0.1)
    assert driver.reasons(APP) == []
    driver.pass_time(0.1)
    assert driver.reasons(APP) == [StopReason.TASK_NOT_COMPLETED]


@pytest.mark.contract("L12", "S18")
def test_no_condition_of_the_machine_touches_it() -> None:
    driver = unseen()
    driver.is_now(Condition.POWER_SAVER, "on")
    driver.is_now(Condition.POWER, "battery")
    driver.is_now(Condition.BATTERY, "3")
    driver.is_now(Condition.NETWORK, "offline")
    driver.is_now(Condition.IDLE, "no")
    assert expiries(driver.effects) == []
    driver.open(APP)
    assert answers(driver.submit(APP, task(2))) == [wire.Done]
    assert len(driver.at_work(APP)) == 2


# --- what the person sees ---------------------------------------------------------------------------------------------


@pytest.mark.contract("S18")
def test_without_the_window_its_progress_is_shown_with_a_cancel_button_and_hidden_when_the_window_is_back() -> None:
    driver = in_front()
    driver.submit(APP, task())
    tell(driver, 12.0)
    assert bodies(driver) == []
    driver.close(APP)
    (shown,) = driver.desk.notifications.shown()
    assert (shown.notification.title, shown.notification.body) == ("Export", "holiday.mp4 · 12 %")
    assert [action.title for action in shown.notification.actions] == ["Cancel"]
    driver.to_front(APP)
    assert bodies(driver) == []


@pytest.mark.contract("S18")
def test_progress_is_shown_once_a_second_at_most_by_the_percent_and_with_one_line_in_the_event_list() -> None:
    driver = unseen()
    shown = len(driver.shown)
    for step in range(100):
        driver.pass_time(0.05)
        tell(driver, step * 0.01)
    assert len(driver.shown) == shown + 1
    for step in range(40):
        driver.pass_time(0.05)
        tell(driver, float(step))
    assert len(driver.shown) == shown + 3
    driver.pass_time(1.0)
    assert bodies(driver) == ["holiday.mp4 · 39 %"]
    assert [line.what for line in driver.desk.history.happenings()].count("notified") == 1
    assert driver.desk.next_wake() == pytest.approx(driver.now + LIMITS.stalled, abs=8.0)


@pytest.mark.contract("S18")
def test_pressing_cancel_expires_it_and_opens_nothing() -> None:
    driver = unseen()
    effects = driver.handle(ev.ActAsked(APP, notice_id(run_named(driver)), "cancel"))
    assert expiries(effects) == [(TaskEnd.CANCELLED, LIMITS.expiry_lead)]
    assert not {type(each) for each in driver.processes[APP].inbox} & {wire.Pressed, wire.Open}
    assert bodies(driver) == []
    driver.complete(APP, task().identifier, success=False)
    assert (driver.state(APP), ends(driver)) == (S.SUSPENDED, [TaskEnd.CANCELLED])
    # Pressed once more: it is gone, and the app sleeps on.
    driver.handle(ev.ActAsked(APP, notice_id("gone"), "cancel"))
    assert driver.state(APP) is S.SUSPENDED


def test_another_app_cannot_tell_of_its_progress() -> None:
    driver = unseen()
    driver.handle(ev.ProgressTold(PHOTOS.id, run_named(driver), 50.0, 100.0, "Mine", ""))
    assert bodies(driver) == ["holiday.mp4"]
    assert driver.desk.explain(task().identifier, driver.now)[0].progress is None


def test_another_app_cannot_press_it() -> None:
    driver = unseen()
    assert expiries(driver.handle(ev.ActAsked(PHOTOS.id, notice_id(run_named(driver)), "cancel"))) == []


def test_pressing_the_notification_itself_opens_the_app() -> None:
    driver = unseen()
    driver.handle(ev.ActAsked(APP, notice_id(run_named(driver)), ""))
    assert wire.Open in {type(each) for each in driver.processes[APP].inbox}
    assert wire.Pressed not in {type(each) for each in driver.processes[APP].inbox}


def test_put_away_its_notification_stays_away_until_the_window_is_left_again() -> None:
    driver = unseen()
    driver.handle(ev.DismissAsked(APP, notice_id(run_named(driver))))
    driver.pass_time(2.0)
    tell(driver, 50.0)
    assert bodies(driver) == []
    driver.to_front(APP)
    driver.sleep(APP)
    assert bodies(driver) == ["holiday.mp4 · 50 %"]


@pytest.mark.parametrize(
    ("done", "total", "fraction"),
    [
        (1.0, 4.0, 0.25),
        (9.0, 4.0, 1.0),
        (-1.0, 4.0, 0.0),
        (1.0, 0.0, None),
        (1.0, -4.0, None),
        (math.nan, 4.0, None),
        (1.0, math.inf, None),
    ],
)
def test_whatever_numbers_an_app_tells_the_share_is_one_or_unknown(
    done: float, total: float, fraction: float | None
) -> None:
    assert fraction_of(done, total) == fraction
    driver = unseen()
    tell(driver, done, total)
    (explained,) = driver.desk.explain(task().identifier, driver.now)
    assert explained.progress == fraction


def test_a_notice_has_what_is_known_and_never_100_percent_before_the_end() -> None:
    assert progress_notice("r", "Export", "", None).body == ""
    assert progress_notice("r", "Export", "", 0.5).body == "50 %"
    assert percent(0.9999) == percent(math.nextafter(1.0, 0.0)) == "99 %"
    assert [percent(fraction_of(done, 100)) for done in range(101)] == [f"{done} %" for done in range(101)]
    assert run_of(notice_id("r")) == "r"
    assert run_of("an app's own") is None


# --- by hand, by the app, by the person -------------------------------------------------------------------------------


@pytest.mark.contract("S13")
def test_the_app_cancels_what_waits_without_a_word_and_what_runs_by_expiring_it() -> None:
    driver = in_front(Limits(continued_at_once=1))
    for number in (1, 2, 3):
        driver.submit(APP, task(number))
    driver.handle(ev.CancelAsked(APP, 1, 2, frozenset((task(3).identifier, "unknown"))))
    assert [each.request.identifier for each in driver.desk.pending(APP)] == [task(1).identifier, task(2).identifier]
    assert expiries(driver.handle(ev.CancelAsked(APP, 1, 3, frozenset()))) == [(TaskEnd.CANCELLED, LIMITS.expiry_lead)]
    driver.complete(APP, task(1).identifier, success=False)
    assert (ends(driver), driver.desk.pending(APP)) == ([TaskEnd.CANCELLED], ())


@pytest.mark.contract("S17")
def test_by_hand_one_that_waits_is_launched_and_one_that_runs_expired() -> None:
    driver = in_front(Limits(continued_at_once=1))
    driver.submit(APP, task(1))
    driver.submit(APP, task(2))
    launch = ev.SimulateAsked(1, 2, task(2).identifier, "", expire=False)
    assert answers(driver.handle(launch)) == [wire.Done]
    assert driver.at_work(APP) == [task(1).identifier, task(2).identifier]
    expire = ev.SimulateAsked(1, 3, task(1).identifier, "", expire=True)
    assert expiries(driver.handle(expire)) == [(TaskEnd.SIMULATED, LIMITS.expiry_lead)]
    assert answers(driver.handle(launch)) == [Refusal.UNKNOWN_TASK]


@pytest.mark.contract("L04", "S18")
def test_quit_by_the_person_what_runs_is_expired_what_waits_is_gone_and_nothing_comes_back() -> None:
    driver = in_front(Limits(continued_at_once=1))
    driver.submit(APP, task(1))
    driver.submit(APP, task(2))
    assert expiries(driver.handle(ev.QuitAsked(APP))) == [(TaskEnd.SWITCHED_OFF, LIMITS.expiry_lead)]
    assert answers(driver.submit(APP, task(3))) == [Refusal.NOT_IN_FOREGROUND]
    driver.pass_time(3600.0)
    assert driver.reasons(APP) == [StopReason.QUIT]
    assert ends(driver) == [TaskEnd.SWITCHED_OFF, TaskEnd.SWITCHED_OFF]
    assert (driver.state(APP), driver.desk.pending(APP)) == (S.STOPPED, ())


def test_an_app_that_has_longer_to_leave_is_not_stopped_over_the_task() -> None:
    driver = in_front(Limits(quit=20.0))
    driver.submit(APP, task())
    driver.handle(ev.QuitAsked(APP))
    driver.pass_time(19.9)
    assert driver.reasons(APP) == []
    driver.pass_time(0.1)
    assert driver.reasons(APP) == [StopReason.QUIT]


@pytest.mark.contract("S17")
def test_expired_by_hand_while_its_app_is_being_launched_it_ends_there() -> None:
    driver = being_launched()
    assert answers(driver.handle(ev.SimulateAsked(1, 2, "export", "", expire=True))) == [wire.Done]
    assert (ends(driver), driver.desk.pending(PHOTOS.id)) == ([TaskEnd.SIMULATED], ())
    driver.connect(PHOTOS.id)
    assert (driver.at_work(PHOTOS.id), driver.state(PHOTOS.id)) == ([], S.SUSPENDED)


def test_removed_with_its_app() -> None:
    driver = in_front(Limits(continued_at_once=1))
    driver.submit(APP, task(1))
    driver.submit(APP, task(2))
    driver.handle(ev.AppRemoved(APP))
    assert not [key for key in driver.saved if key[0] == "continued"]
    assert driver.desk.continued.explain(APP, driver.now) == ()


@pytest.mark.contract("S01")
def test_what_a_new_manifest_does_not_declare_waits_no_longer() -> None:
    driver = in_front(Limits(continued_at_once=1))
    for number in (1, 2, 3):
        driver.submit(APP, task(number))
    changed = Manifest(APP, "Films", ("films",), background=("continued",), tasks=(task(3).identifier,))
    driver.handle(ev.AppAdded(changed))
    assert [each.request.identifier for each in driver.desk.pending(APP)] == [task(1).identifier, task(3).identifier]


def test_an_app_that_is_not_registered_any_more_when_the_desk_comes_back_takes_no_place() -> None:
    driver = in_front(Limits(continued_at_once=1))
    driver.submit(APP, task(1))
    driver.submit(APP, task(2))
    del driver.manifests[APP]
    driver.processes.pop(APP)
    driver.desk_dies()
    assert not [key for key in driver.saved if key[0] == "continued"]


# --- deaths -----------------------------------------------------------------------------------------------------------


@pytest.mark.contract("L07", "S18")
def test_an_app_that_dies_over_it_is_reported_and_not_begun_again() -> None:
    driver = unseen()
    driver.exit(APP, -11)
    driver.pass_time(300.0)
    assert driver.state(APP) is S.STOPPED
    assert ends(driver) == [TaskEnd.APP_ENDED]
    (body,) = bodies(driver)
    assert "Begin it again" in body


@pytest.mark.contract("L07", "S18")
def test_one_that_the_app_had_not_got_is_tried_again_three_times() -> None:
    driver = being_launched()
    for _ in range(3):
        driver.pass_time(5.0)
        assert (ends(driver), driver.state(PHOTOS.id)) == ([], S.LAUNCHING)
        driver.exit(PHOTOS.id, 1)
    driver.pass_time(300.0)
    assert ends(driver) == [TaskEnd.APP_ENDED]
    assert driver.state(PHOTOS.id) is S.STOPPED


@pytest.mark.contract("L07", "S18")
@pytest.mark.parametrize("reason", [reason for reason in StopReason if reason is not StopReason.QUIT])
def test_ends_that_are_no_fault_of_the_app_do_not_count_as_tries(reason: StopReason) -> None:
    no_fault = reason in ("logout", "memory_pressure", "suspended_long", "replaced")
    machine = Continued(LIMITS, lambda: "run", lambda app: FILMS, lambda app: True, lambda app: True)
    machine.handle(ev.DeskStarted(), T0)
    machine.handle(ev.SubmitAsked(APP, 1, 1, task(), ExistingWork.REPLACE), T0)
    wake = ev.Wake(APP, WakeReason.SCHEDULED)
    for _ in range(LIMITS.task_tries - 1):
        assert wake in machine.handle(ev.Ended(APP, Receipt(APP, StopReason.CRASHED, T0, "It crashed.")), T0)
    assert (wake in machine.handle(ev.Ended(APP, Receipt(APP, reason, T0, "It ended.")), T0)) is no_fault


@pytest.mark.contract("S07", "S18")
@pytest.mark.parametrize("ahead", [7200.0, -7200.0], ids=["forward", "back"])
def test_a_clock_that_was_set_makes_no_run_longer_or_shorter_for_the_next_desk(ahead: float) -> None:
    driver = in_front(Limits(continued_at_once=1))
    driver.submit(APP, task(0))
    driver.submit(APP, task(1))
    driver.sleep(APP)
    driver.handle(ev.WallClock(ahead, 0.0))
    driver.now += ahead  # the next desk begins with the wall clock
    driver.desk_dies()
    driver.connect(APP)
    assert [pending.submitted for pending in driver.desk.pending(APP)] == [driver.now, driver.now]
    driver.pass_time(LIMITS.stalled + LIMITS.expiry_lead)
    assert [receipt.used for receipt in driver.task_receipts] == [65.0]


@pytest.mark.contract("S07", "S18")
def test_what_was_kept_by_a_clock_that_was_wrong_is_not_from_a_time_to_come() -> None:
    driver = in_front(Limits(continued_at_once=1))
    driver.submit(APP, task(0))
    driver.submit(APP, task(1))
    driver.sleep(APP)
    driver.handle(ev.WallClock(7200.0, 0.0))
    driver.desk_dies()
    driver.connect(APP)
    assert [pending.submitted for pending in driver.desk.pending(APP)] == [driver.now, driver.now]
    driver.pass_time(LIMITS.stalled + LIMITS.expiry_lead)
    assert [receipt.used for receipt in driver.task_receipts] == [65.0]


@pytest.mark.contract("L06", "A13", "S18")
def test_the_desk_dies_and_it_goes_on_with_the_time_without_news_begun_anew() -> None:
    driver = unseen()
    driver.pass_time(50.0)
    run = run_named(driver)
    driver.desk_dies()
    driver.connect(APP)
    assert run_named(driver) == run
    assert expiries(driver.pass_time(59.9)) == []
    assert driver.state(APP) is S.BACKGROUND
    tell(driver, 70.0)
    assert bodies(driver) == ["holiday.mp4 · 70 %"]
    driver.complete(APP, task().identifier)
    assert (driver.state(APP), bodies(driver), ends(driver)) == (S.SUSPENDED, [], [])


@pytest.mark.contract("L06", "S18")
@pytest.mark.parametrize("committed", [False, True])
def test_the_desk_dies_over_beginning_it(committed: bool) -> None:
    driver = in_front()
    driver.desk_dies(ev.SubmitAsked(APP, 1, 1, task(), ExistingWork.REPLACE), committed=committed)
    driver.connect(APP)
    assert driver.at_work(APP) == ([task().identifier] if committed else [])


@pytest.mark.contract("L06", "S18")
def test_the_desk_dies_over_expiring_it_and_the_next_tells_it_again() -> None:
    driver = unseen()
    driver.desk_dies(ev.CancelAsked(APP, 1, 1, frozenset()))
    assert expiries(driver.connect(APP)) == [(TaskEnd.CANCELLED, LIMITS.expiry_lead)]
    driver.complete(APP, task().identifier, success=False)
    assert (driver.state(APP), ends(driver)) == (S.SUSPENDED, [TaskEnd.CANCELLED])


@pytest.mark.contract("S07", "S18")
def test_those_that_wait_keep_their_order_over_the_death_of_the_desk() -> None:
    driver = in_front(Limits(continued_at_once=1))
    for number in range(1, 11):
        driver.submit(APP, task(number))
        if number in (5, 10):
            # As a store may give them back.
            driver.saved = dict(sorted(driver.saved.items(), reverse=True))
            driver.desk_dies()
            driver.connect(APP)
    order = []
    while driver.at_work(APP):
        order += driver.at_work(APP)
        driver.complete(APP, order[-1])
    assert order == [task(number).identifier for number in range(1, 11)]


@pytest.mark.contract("L07", "S18")
def test_the_app_dies_while_the_desk_is_away() -> None:
    driver = unseen()
    driver.processes.pop(APP)
    driver.desk_dies()
    assert (ends(driver), driver.desk.pending(APP)) == ([TaskEnd.APP_ENDED], ())


@pytest.mark.contract("L07", "S18")
def test_started_again_before_anybody_heard_of_its_end_it_is_not_given_what_the_run_before_had() -> None:
    driver = unseen()
    driver.start_by_hand(APP)
    assert (driver.at_work(APP), ends(driver)) == ([], [TaskEnd.APP_ENDED])


def test_an_app_whose_connection_breaks_goes_on_and_is_not_given_it_twice() -> None:
    driver = unseen()
    driver.drop_connection(APP)
    driver.pass_time(5.0)
    driver.connect(APP)
    assert driver.at_work(APP) == [task().identifier]
    driver.complete(APP, task().identifier)
    assert driver.state(APP) is S.SUSPENDED


# --- any order --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", Stage)
@pytest.mark.parametrize("after", Stage)
def test_only_the_moves_of_the_table_are_made(before: Stage, after: Stage) -> None:
    """Written down a second time: the tests do not ask the code what it allows."""
    table = {
        ("queued", "starting"),
        ("starting", "running"),
        ("running", "starting"),
        ("running", "ending"),
        ("queued", "gone"),
        ("starting", "gone"),
        ("running", "gone"),
        ("ending", "gone"),
    }
    work = Work("run", APP, task(), 0.0, stage=before)
    if (before, after) in table:
        work.move(after)
        assert work.stage is after
    else:
        with pytest.raises(AssertionError):
            work.move(after)


BOTH = (FILMS.id, PHOTOS.id)


class AnyOrder(RuleBasedStateMachine):
    """Two apps, two places, whatever happens: nothing is lost in silence, nothing runs or stays awake too long."""

    def __init__(self) -> None:
        super().__init__()
        self.driver = Driver(FILMS, PHOTOS, limits=Limits(continued_at_once=2, pending_continued=3))
        self.number = 0
        for app in BOTH:
            self.driver.open(app)

    def alive(self) -> list[str]:
        return [app for app, process in self.driver.processes.items() if process.connected and not process.frozen]

    def runs(self) -> list[tuple[str, str]]:
        return [(app, run) for app in self.alive() for run in self.driver.processes[app].runs]

    def seen(self) -> list[str]:
        return [app for app in self.alive() if self.driver.state(app) is S.FOREGROUND]

    def notices(self) -> list[tuple[str, Notification]]:
        shown = [(each.app, each.notification) for each in self.driver.desk.notifications.shown()]
        return [(app, notice) for app, notice in shown if run_of(notice.id) is not None and notice.actions]

    # --- what happens ---------------------------------------------------------------------------------------------

    def submit(self, app: str, strategy: Strategy, again: bool) -> object:
        self.number += not again
        identifier = f"org.example.films.{self.number}" if app == FILMS.id else "export"
        (answer,) = answers(self.driver.submit(app, ContinuedTask(identifier, title="Export", strategy=strategy)))
        return answer

    @precondition(lambda self: bool(self.seen()))
    @rule(data=st.data(), strategy=st.sampled_from(Strategy), again=st.booleans())
    def submits(self, data: st.DataObject, strategy: Strategy, again: bool) -> None:
        self.submit(data.draw(st.sampled_from(self.seen())), strategy, again)

    @precondition(lambda self: bool(self.alive()))
    @rule(data=st.data())
    def submits_seen_or_not(self, data: st.DataObject) -> None:
        app = data.draw(st.sampled_from(self.alive()))
        seen = app in self.seen()
        assert seen or self.submit(app, Strategy.QUEUE, again=False) is not wire.Done

    @rule(app=st.sampled_from(BOTH))
    def opened(self, app: str) -> None:
        self.driver.handle(ev.OpenAsked(app))
        self.connects_if_it_can(app)
        if app in self.alive():
            self.driver.to_front(app)

    @precondition(lambda self: bool(self.seen()))
    @rule(data=st.data())
    def left(self, data: st.DataObject) -> None:
        self.driver.sleep(data.draw(st.sampled_from(self.seen())))

    @precondition(lambda self: bool(self.runs()))
    @rule(data=st.data(), success=st.booleans())
    def completes(self, data: st.DataObject, success: bool) -> None:
        app, run = data.draw(st.sampled_from(self.runs()))
        self.driver.handle(ev.RunCompleted(app, run, success))
        assert (app, run) not in self.runs(), "completed, and not kept"

    @precondition(lambda self: bool(self.runs()))
    @rule(data=st.data(), done=st.floats(0, 100))
    def tells(self, data: st.DataObject, done: float) -> None:
        app, run = data.draw(st.sampled_from(self.runs()))
        self.driver.handle(ev.ProgressTold(app, run, done, 100.0, "", ""))

    @rule(seconds=st.sampled_from((0.5, 4.0, 31.0, 59.0, 200.0)))
    def time_passes(self, seconds: float) -> None:
        self.driver.pass_time(seconds)

    @rule(app=st.sampled_from(BOTH))
    def is_quit(self, app: str) -> None:
        self.driver.handle(ev.QuitAsked(app))

    @precondition(lambda self: bool(self.driver.processes))
    @rule(data=st.data(), status=st.sampled_from((0, 1, -9)))
    def dies(self, data: st.DataObject, status: int) -> None:
        self.driver.exit(data.draw(st.sampled_from(sorted(self.driver.processes))), status)

    @rule(app=st.sampled_from(BOTH))
    def connects_if_it_can(self, app: str) -> None:
        process = self.driver.processes.get(app)
        if process is not None and not process.connected and not process.frozen:
            self.driver.connect(app)

    @rule(come_back=st.booleans())
    def the_desk_dies(self, come_back: bool) -> None:
        self.driver.desk_dies()
        for app in BOTH if come_back else ():
            self.connects_if_it_can(app)

    @rule(on=st.booleans(), app=st.sampled_from((FILMS.id, "*")))
    def is_switched(self, on: bool, app: str) -> None:
        self.driver.handle(ev.BackgroundSwitched(app, on))
        self.driver.handle(ev.BackgroundSwitched(app, on=True))

    @precondition(lambda self: bool(self.notices()))
    @rule(data=st.data())
    def is_cancelled(self, data: st.DataObject) -> None:
        app, notice = data.draw(st.sampled_from(self.notices()))
        assert expiries(self.driver.handle(ev.ActAsked(app, notice.id, "cancel")))

    @rule(app=st.sampled_from(BOTH))
    def cancels_all(self, app: str) -> None:
        if app in self.alive():
            self.driver.handle(ev.CancelAsked(app, 1, 1, frozenset()))

    @rule(seconds=st.sampled_from((10.0, 5000.0)))
    def the_machine_sleeps(self, seconds: float) -> None:
        self.driver.now += seconds
        self.driver.handle(ev.MachineSlept(seconds), ev.TimePassed())

    # --- what always holds ----------------------------------------------------------------------------------------

    @invariant()
    def within_its_limits(self) -> None:
        desk = self.driver.desk
        running = [each for app in BOTH for each in desk.pending(app) if each.state is TaskState.RUNNING]
        assert len(running) <= 2
        for app in BOTH:
            pending = desk.pending(app)
            explained = desk.continued.explain(app, self.driver.now)
            assert len(pending) == len(explained)
            waiting = [each for each in explained if each.state is TaskState.PENDING]
            assert len(waiting) <= 3
            assert all(each.reasons and each.text for each in waiting), "it waits, and nothing says why"
            if self.driver.state(app) is S.SUSPENDED:
                assert len(pending) == len(waiting), "asleep, and it runs"

    @invariant()
    def what_is_shown_runs_unseen(self) -> None:
        """A cancel button stands there for nothing that is over, and not while the person sees the app."""
        for app, notice in self.notices():
            assert run_of(notice.id) in self.driver.desk.continued._places.runs
            assert self.driver.state(app) is not S.FOREGROUND

    def teardown(self) -> None:
        """Left alone for long enough, nothing runs any more, nothing is kept, and the desk asks for no wake-up."""
        for _ in range(8):
            for app in BOTH:
                self.connects_if_it_can(app)
            for app in self.seen():
                self.driver.sleep(app)
            self.driver.pass_time(1000.0)
        assert not [key for key in self.driver.saved if key[0] == "continued"]
        assert self.driver.desk.continued.next_wake() is None


AnyOrder.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestAnyOrder = AnyOrder.TestCase
