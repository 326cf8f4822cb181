"""Refresh and processing tasks in the whole core: kept, launched, expired, completed, tried again, and explained."""

import math

import msgspec
import pytest

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.limits import Limits
from frontdesk.terms import (
    VALUES,
    AppState,
    Condition,
    ExistingWork,
    Growth,
    Manifest,
    Obstacle,
    ProcessingTask,
    Receipt,
    RefreshTask,
    Refusal,
    Retry,
    StopReason,
    TaskEnd,
    TaskKind,
    TaskRequest,
    TaskState,
    WakeReason,
)
from frontdesk.wire import desk as wire
from tests.frontdesk.agent.core.core_driver import T0, Driver, of_type

S = AppState
TASKS = tuple(f"tidy{number}" for number in range(12))
FEED = Manifest("org.example.feed", "Feed", ("feed",), background=("refresh", "processing"), tasks=("news", *TASKS))
FILES = Manifest("org.example.files", "Files", ("files",), background=("refresh", "processing"), tasks=("news", *TASKS))
ALBUM = Manifest("org.example.album", "Album", ("album",), background=("processing",), tasks=("news", "sort"))
APP = FEED.id
NEWS = RefreshTask("news")
TIDY = ProcessingTask("tidy0")


def later(seconds: float, identifier: str = "news") -> RefreshTask:
    return RefreshTask(identifier, earliest_begin=T0 + seconds)


def desk(*manifests: Manifest, limits: Limits | None = None) -> Driver:
    return Driver(*(manifests or (FEED,)), limits=limits)


def at_work(task: TaskRequest = TIDY, *others: TaskRequest, limits: Limits | None = None) -> Driver:
    """The app was launched for these and works on them."""
    driver = desk(limits=limits)
    driver.is_now(Condition.NETWORK, "offline")
    needy = [ProcessingTask(each.identifier, requires_network=True) for each in (task, *others)]
    for each in (task, *others) if not others else needy:
        driver.submit(APP, each)
    driver.is_now(Condition.NETWORK, "online")
    driver.connect(APP)
    assert driver.at_work(APP) == [each.identifier for each in (task, *others)]
    return driver


def refused(effects: list[do.Effect]) -> Refusal | None:
    (answer,) = of_type(do.Answer, effects)
    return answer.message.reason if isinstance(answer.message, wire.Refused) else None


def ends(driver: Driver) -> list[tuple[str, TaskEnd]]:
    return [(receipt.identifier, receipt.end) for receipt in driver.task_receipts]


def told(driver: Driver, kind: type[wire.RunTasks] | type[wire.ExpireRuns], app: str = APP) -> list[object]:
    return [each for each in driver.processes[app].inbox if isinstance(each, kind)]


# --- submitting ---------------------------------------------------------------------------------------------------


@pytest.mark.contract("S01")
def test_what_the_manifest_does_not_declare_is_refused() -> None:
    driver = desk(FEED, ALBUM)
    assert refused(driver.submit(APP, RefreshTask("weather"))) is Refusal.NOT_PERMITTED
    assert refused(driver.submit(ALBUM.id, RefreshTask("news"))) is Refusal.NOT_PERMITTED, "no such background mode"
    assert driver.desk.pending(APP) == driver.desk.pending(ALBUM.id) == ()


@pytest.mark.parametrize(
    "wrong",
    [
        RefreshTask(""),
        RefreshTask("x" * 201),
        RefreshTask("news", earliest_begin=math.nan),
        RefreshTask("news", earliest_begin=math.inf),
        RefreshTask("news", earliest_begin=1e300),
        ProcessingTask("tidy0", retry=Retry(first=0.0)),
        ProcessingTask("tidy0", retry=Retry(first=10.0, most=5.0)),
        ProcessingTask("tidy0", retry=Retry(first=math.nan)),
        ProcessingTask("tidy0", retry=Retry(most=math.inf)),
    ],
)
def test_numbers_that_cannot_be_are_refused(wrong: TaskRequest) -> None:
    driver = desk()
    assert refused(driver.submit(APP, wrong)) is Refusal.BAD_REQUEST
    assert driver.desk.pending(APP) == ()


@pytest.mark.contract("S03")
def test_one_too_many_is_refused_and_changes_nothing() -> None:
    driver = desk()
    driver.is_now(Condition.IDLE, "no")
    for name in TASKS[:10]:
        assert refused(driver.submit(APP, ProcessingTask(name))) is None
    before = driver.desk.pending(APP)
    assert refused(driver.submit(APP, ProcessingTask(TASKS[10]))) is Refusal.TOO_MANY_PENDING_REQUESTS
    assert driver.desk.pending(APP) == before
    assert refused(driver.submit(APP, later(60))) is None
    assert refused(driver.submit(APP, later(60, TASKS[11]))) is Refusal.TOO_MANY_PENDING_REQUESTS


@pytest.mark.contract("S03", "S04")
def test_the_same_identifier_replaces_and_does_not_count_twice() -> None:
    driver = desk()
    driver.submit(APP, later(3600))
    assert refused(driver.submit(APP, later(60))) is None
    assert [task.request for task in driver.desk.pending(APP)] == [later(60)]
    driver.pass_time(60)
    assert driver.state(APP) is S.LAUNCHING


@pytest.mark.contract("S19")
def test_keep_leaves_the_pending_one_as_it_is() -> None:
    driver = desk()
    driver.submit(APP, later(60))
    assert refused(driver.submit(APP, later(3600), ExistingWork.KEEP)) is None
    assert [task.request for task in driver.desk.pending(APP)] == [later(60)]


@pytest.mark.contract("L10")
def test_with_background_running_off_submitting_fails_and_says_so() -> None:
    driver = desk()
    driver.submit(APP, later(60))
    driver.handle(ev.BackgroundSwitched(APP, on=False))
    assert refused(driver.submit(APP, NEWS)) is Refusal.UNAVAILABLE
    driver.pass_time(600)
    assert driver.state(APP) is S.STOPPED
    assert driver.in_the_way(APP, "news") == [Obstacle.BACKGROUND_OFF]
    driver.handle(ev.BackgroundSwitched(APP, on=True))
    assert driver.state(APP) is S.LAUNCHING


@pytest.mark.contract("S07")
def test_an_accepted_request_is_saved_before_it_is_answered() -> None:
    driver = desk()
    effects = driver.submit(APP, later(60))
    kept = [type(each) for each in effects if isinstance(each, do.Save | do.Answer) and _of_scheduler(each)]
    assert kept == [do.Answer, do.Save]
    assert do.Answer.after_save


def _of_scheduler(effect: do.Effect) -> bool:
    return not isinstance(effect, do.Save) or effect.machine == "scheduler"


# --- launching ----------------------------------------------------------------------------------------------------


@pytest.mark.contract("S05", "S12")
def test_one_request_is_one_launch_and_the_app_sleeps_when_it_is_completed() -> None:
    driver = desk()
    driver.submit(APP, TIDY)
    driver.connect(APP)
    (welcome,) = [each for each in driver.processes[APP].inbox if isinstance(each, wire.Welcome)]
    assert welcome.why is WakeReason.SCHEDULED
    assert driver.at_work(APP) == ["tidy0"]
    driver.complete(APP, "tidy0")
    assert driver.state(APP) is S.SUSPENDED
    assert driver.desk.pending(APP) == ()
    driver.pass_time(86400)
    assert len(told_ever(driver)) == 1


def told_ever(driver: Driver) -> list[do.Effect]:
    return [each for each in of_type(do.Send, driver.effects) if isinstance(each.message, wire.RunTasks)]


@pytest.mark.contract("S05")
def test_submitted_again_by_the_handler_it_pends_beside_the_run_and_starts_after_it() -> None:
    driver = at_work(NEWS)
    driver.submit(APP, NEWS)
    assert [task.state for task in driver.desk.pending(APP)] == [TaskState.RUNNING, TaskState.PENDING]
    assert driver.in_the_way(APP, "news") == [Obstacle.APP_BUSY]
    assert len(told(driver, wire.RunTasks)) == 1
    driver.complete(APP, "news")
    assert len(told(driver, wire.RunTasks)) == 2


@pytest.mark.contract("S06", "S16")
def test_never_before_its_earliest_begin() -> None:
    driver = desk()
    driver.submit(APP, later(3600))
    assert driver.in_the_way(APP, "news") == [Obstacle.TOO_EARLY]
    (why,) = driver.desk.explain("news", driver.now)
    assert why.next_look == T0 + 3600
    driver.pass_time(3599.9)
    assert driver.state(APP) is S.STOPPED
    driver.pass_time(0.1)
    assert driver.state(APP) is S.LAUNCHING


@pytest.mark.contract("S08")
def test_several_due_refreshes_come_in_one_launch_and_share_its_time() -> None:
    driver = desk(limits=Limits(pending_refresh=3))
    for name in ("news", "tidy0", "tidy1"):
        driver.submit(APP, later(60, name))
    driver.pass_time(60)
    driver.connect(APP)
    (run,) = told(driver, wire.RunTasks)
    assert isinstance(run, wire.RunTasks)
    assert [each.identifier for each in run.runs] == ["news", "tidy0", "tidy1"]
    assert run.seconds == 30.0
    assert driver.status(APP).seconds_left == 30.0
    driver.pass_time(25)
    (expiring,) = told(driver, wire.ExpireRuns)
    assert isinstance(expiring, wire.ExpireRuns)
    assert len(expiring.runs) == 3
    assert (expiring.why, expiring.seconds) == (TaskEnd.TIME_OVER, 5.0)


@pytest.mark.contract("S09")
def test_processing_waits_until_nobody_uses_the_machine_and_use_of_it_expires_it() -> None:
    driver = desk()
    driver.is_now(Condition.IDLE, "no")
    driver.submit(APP, TIDY)
    assert driver.in_the_way(APP, "tidy0") == [Obstacle.MACHINE_IN_USE]
    assert driver.desk.next_wake() is None, "nothing is asked for while a condition is missing"
    driver.is_now(Condition.IDLE, "yes")
    driver.connect(APP)
    (run,) = told(driver, wire.RunTasks)
    assert isinstance(run, wire.RunTasks)
    assert run.seconds == 600.0
    driver.pass_time(100)
    driver.is_now(Condition.IDLE, "no")
    (expired,) = told(driver, wire.ExpireRuns)
    assert isinstance(expired, wire.ExpireRuns)
    assert (expired.why, expired.seconds) == (TaskEnd.IN_USE, 5.0)
    driver.complete(APP, "tidy0", success=False)
    assert ends(driver) == [("tidy0", TaskEnd.IN_USE)]


@pytest.mark.contract("S09")
def test_processing_has_ten_minutes() -> None:
    driver = at_work()
    driver.pass_time(594.9)
    assert told(driver, wire.ExpireRuns) == []
    driver.pass_time(0.1)
    assert len(told(driver, wire.ExpireRuns)) == 1
    driver.complete(APP, "tidy0", success=False)
    (receipt,) = driver.task_receipts
    assert (receipt.end, receipt.limit, receipt.used) == (TaskEnd.TIME_OVER, 600.0, 595.0)


CONDITIONS = [
    (RefreshTask("news", requires_network=True), Condition.NETWORK, "offline", "online", Obstacle.NO_NETWORK),
    (RefreshTask("news", requires_unmetered=True), Condition.METERED, "yes", "no", Obstacle.METERED_NETWORK),
    (RefreshTask("news", requires_unmetered=True), Condition.NETWORK, "offline", "online", Obstacle.NO_NETWORK),
    (
        RefreshTask("news", requires_external_power=True),
        Condition.POWER,
        "battery",
        "external",
        Obstacle.NO_EXTERNAL_POWER,
    ),
    (ProcessingTask("tidy0"), Condition.IDLE, "no", "yes", Obstacle.MACHINE_IN_USE),
    (RefreshTask("news"), Condition.POWER_SAVER, "on", "off", Obstacle.POWER_SAVER),
]


@pytest.mark.contract("S10", "L12", "S16")
@pytest.mark.parametrize(("task", "condition", "bad", "good", "obstacle"), CONDITIONS)
def test_not_launched_without_what_it_requires_and_expired_when_that_is_lost(
    task: TaskRequest, condition: Condition, bad: str, good: str, obstacle: Obstacle
) -> None:
    driver = desk()
    driver.is_now(condition, bad)
    driver.submit(APP, task)
    driver.pass_time(3600)
    assert driver.state(APP) is S.STOPPED
    assert driver.in_the_way(APP, task.identifier) == [obstacle]
    (why,) = driver.desk.explain(task.identifier, driver.now)
    assert why.next_look is None
    assert (why.reasons[0].now, why.reasons[0].needs) == (bad, good)
    driver.is_now(condition, good)
    driver.connect(APP)
    assert driver.at_work(APP) == [task.identifier]
    driver.is_now(condition, bad)
    (expired,) = told(driver, wire.ExpireRuns)
    assert isinstance(expired, wire.ExpireRuns)
    assert expired.why is (TaskEnd.IN_USE if condition is Condition.IDLE else TaskEnd.CONDITION_LOST)


@pytest.mark.contract("S10")
def test_without_the_flag_it_runs_without_the_condition() -> None:
    driver = desk()
    driver.is_now(Condition.NETWORK, "offline")
    driver.is_now(Condition.POWER, "battery")
    driver.submit(APP, NEWS)
    assert driver.state(APP) is S.LAUNCHING


@pytest.mark.contract("S10")
def test_what_no_source_can_tell_counts_as_met_and_is_told_as_unknown() -> None:
    driver = desk()
    all_of_it = ProcessingTask(
        "tidy0",
        requires_network=True,
        requires_unmetered=True,
        requires_external_power=True,
        requires_battery_not_low=True,
    )
    driver.submit(APP, all_of_it)
    assert driver.state(APP) is S.LAUNCHING
    (task,) = driver.desk.explain("tidy0", driver.now)
    assert set(task.unknown) == set(Condition) - {Condition.POWER_SAVER, Condition.MEMORY}


@pytest.mark.contract("L12", "S10")
@pytest.mark.parametrize(
    ("power", "percent", "runs", "not_low_runs"),
    [
        ("battery", "19", False, False),
        ("battery", "20", True, False),
        ("battery", "29", True, False),
        ("battery", "30", True, True),
        ("external", "5", True, True),
    ],
)
def test_a_critical_battery_stops_what_can_wait_and_a_low_one_what_asks(
    power: str, percent: str, runs: bool, not_low_runs: bool
) -> None:
    driver = desk(FEED, FILES)
    driver.is_now(Condition.POWER, power)
    driver.is_now(Condition.BATTERY, percent)
    driver.submit(APP, NEWS)
    driver.submit(FILES.id, RefreshTask("news", requires_battery_not_low=True))
    assert (driver.state(APP) is S.LAUNCHING) == runs
    assert (driver.state(FILES.id) is S.LAUNCHING) == not_low_runs
    if not runs:
        (why,) = driver.desk.explain(APP, driver.now)
        assert "on battery, 19 %" in why.text


@pytest.mark.contract("L12")
def test_power_saver_ends_what_runs_and_can_wait() -> None:
    driver = at_work()
    driver.is_now(Condition.POWER_SAVER, "on")
    driver.complete(APP, "tidy0", success=False)
    assert ends(driver) == [("tidy0", TaskEnd.CONDITION_LOST)]


@pytest.mark.contract("S14", "S16")
def test_in_front_of_the_person_an_app_refreshes_itself() -> None:
    driver = desk()
    driver.open(APP)
    driver.submit(APP, NEWS)
    driver.submit(APP, TIDY)
    assert driver.in_the_way(APP, "news") == [Obstacle.APP_IN_FRONT]
    assert driver.at_work(APP) == ["tidy0"], "whether somebody uses the machine is what counts for processing"
    driver.sleep(APP)
    assert driver.at_work(APP) == ["tidy0", "news"]


@pytest.mark.contract("S14")
def test_for_what_an_app_in_front_does_not_need_the_desk_does_not_wake_up() -> None:
    driver = desk()
    driver.submit(APP, later(3600))
    assert driver.desk.scheduler.next_wake() == T0 + 3600
    driver.open(APP)
    assert driver.desk.scheduler.next_wake() is None
    driver.sleep(APP)
    assert driver.desk.scheduler.next_wake() == T0 + 3600


# --- completing ---------------------------------------------------------------------------------------------------


@pytest.mark.contract("S12")
def test_all_have_to_be_completed_before_the_app_sleeps() -> None:
    driver = at_work(ProcessingTask("tidy0"), ProcessingTask("tidy1"))
    driver.complete(APP, "tidy1")
    assert driver.state(APP) is S.BACKGROUND
    driver.complete(APP, "tidy0", success=False)
    assert driver.state(APP) is S.SUSPENDED
    assert driver.task_receipts == [], "a failure is told by the app itself: no news to it"


@pytest.mark.contract("S11", "S12")
@pytest.mark.parametrize("task", [NEWS, TIDY])
def test_never_completed_the_app_is_stopped_with_a_receipt_that_names_the_task(task: TaskRequest) -> None:
    driver = at_work(task)
    limit = 30.0 if task.kind is TaskKind.REFRESH else 600.0
    driver.pass_time(limit - 0.1)
    assert len(told(driver, wire.ExpireRuns)) == 1
    assert driver.reasons(APP) == []
    driver.pass_time(0.1)
    assert driver.reasons(APP) == [StopReason.TASK_NOT_COMPLETED]
    (receipt,) = driver.receipts
    assert receipt.tasks == (task.identifier,)
    assert (receipt.limit, receipt.used) == (limit, limit)
    assert ends(driver) == [(task.identifier, TaskEnd.TIME_OVER)]
    assert driver.desk.pending(APP) == ()


@pytest.mark.contract("S12")
def test_in_front_of_a_person_no_app_is_stopped_over_a_task() -> None:
    driver = at_work()
    driver.to_front(APP)
    driver.pass_time(700)
    assert driver.state(APP) is S.FOREGROUND
    assert ends(driver) == [("tidy0", TaskEnd.TIME_OVER)]


def test_a_run_goes_on_with_its_time_when_the_window_is_closed_again() -> None:
    driver = at_work()
    driver.pass_time(10)
    driver.to_front(APP)
    driver.pass_time(10)
    driver.sleep(APP)
    assert driver.status(APP).seconds_left == 580.0
    driver.pass_time(574)
    assert driver.state(APP) is S.BACKGROUND


@pytest.mark.contract("S12")
def test_completing_twice_or_an_unknown_run_is_answered_and_changes_nothing() -> None:
    driver = at_work()
    effects = driver.handle(ev.RunCompleted(APP, "nonsense", success=True))
    assert [each.message for each in of_type(do.SendKept, effects)] == [wire.RunKept("nonsense")]
    assert driver.at_work(APP) == ["tidy0"]


def test_nobody_completes_the_run_of_another_app() -> None:
    driver = desk(FEED, FILES)
    driver.submit(APP, TIDY)
    driver.connect(APP)
    (run,) = driver.processes[APP].runs
    driver.handle(ev.RunCompleted(FILES.id, run, success=True))
    assert driver.at_work(APP) == ["tidy0"]
    assert len(driver.desk.pending(APP)) == 1


@pytest.mark.contract("S13")
def test_pending_requests_are_listed_and_cancelled_one_by_one_or_all() -> None:
    driver = desk()
    driver.is_now(Condition.IDLE, "no")
    for name in TASKS[:4]:
        driver.submit(APP, ProcessingTask(name))
    assert [task.request.identifier for task in driver.desk.pending(APP)] == list(TASKS[:4])
    driver.handle(ev.CancelAsked(APP, 1, 1, frozenset(("tidy1", "nonsense"))))
    assert [task.request.identifier for task in driver.desk.pending(APP)] == ["tidy0", "tidy2", "tidy3"]
    driver.handle(ev.CancelAsked(APP, 1, 1, frozenset()))
    assert driver.desk.pending(APP) == ()
    driver.is_now(Condition.IDLE, "yes")
    assert driver.state(APP) is S.STOPPED


@pytest.mark.contract("S13", "S19")
def test_cancelled_while_it_runs_it_is_expired_and_not_tried_again() -> None:
    driver = at_work(ProcessingTask("tidy0", retry=Retry()))
    driver.handle(ev.CancelAsked(APP, 1, 1, frozenset(("tidy0",))))
    (expired,) = told(driver, wire.ExpireRuns)
    assert isinstance(expired, wire.ExpireRuns)
    assert expired.why is TaskEnd.CANCELLED
    driver.complete(APP, "tidy0", success=False)
    assert ends(driver) == [("tidy0", TaskEnd.CANCELLED)]
    assert driver.desk.pending(APP) == ()


@pytest.mark.contract("S13", "S19")
def test_cancelled_after_it_was_told_to_end_it_is_not_tried_again_either() -> None:
    driver = at_work(ProcessingTask("tidy0", retry=Retry()))
    driver.is_now(Condition.IDLE, "no")
    driver.handle(ev.CancelAsked(APP, 1, 1, frozenset(("tidy0",))))
    assert len(told(driver, wire.ExpireRuns)) == 1, "its handler is called once"
    driver.complete(APP, "tidy0", success=False)
    assert ends(driver) == [("tidy0", TaskEnd.CANCELLED)]
    assert driver.desk.pending(APP) == ()


# --- again --------------------------------------------------------------------------------------------------------


@pytest.mark.contract("S19")
@pytest.mark.parametrize(
    ("retry", "pauses"),
    [
        (Retry(), [30.0, 60.0, 120.0, 240.0]),
        (Retry(growth=Growth.LINEAR), [30.0, 60.0, 90.0, 120.0]),
        (Retry(first=3600.0), [3600.0, 7200.0, 14400.0, 18000.0]),
    ],
)
def test_a_failure_is_tried_again_with_growing_pauses(retry: Retry, pauses: list[float]) -> None:
    driver = desk()
    driver.submit(APP, ProcessingTask("tidy0", retry=retry))
    driver.connect(APP)
    for attempt, pause in enumerate(pauses, start=2):
        driver.complete(APP, "tidy0", success=False)
        assert driver.in_the_way(APP, "tidy0") == [Obstacle.RETRY_PAUSE]
        driver.pass_time(pause - 0.1)
        assert driver.at_work(APP) == []
        driver.pass_time(0.1)
        if not driver.processes[APP].connected:
            driver.connect(APP)
        assert [run.attempt for run in driver.processes[APP].runs.values()] == [attempt]
    driver.complete(APP, "tidy0")
    assert driver.desk.pending(APP) == ()


@pytest.mark.contract("S05", "S19")
def test_without_retry_a_failure_is_the_end_of_the_request() -> None:
    driver = at_work()
    driver.complete(APP, "tidy0", success=False)
    assert driver.desk.pending(APP) == ()


@pytest.mark.contract("S19", "S04")
def test_what_was_submitted_while_it_failed_takes_the_place_of_the_next_try() -> None:
    driver = at_work(ProcessingTask("tidy0", retry=Retry()))
    driver.submit(APP, ProcessingTask("tidy0", earliest_begin=T0 + 5000))
    driver.complete(APP, "tidy0", success=False)
    assert [task.request for task in driver.desk.pending(APP)] == [ProcessingTask("tidy0", earliest_begin=T0 + 5000)]


@pytest.mark.contract("L07")
def test_an_app_that_dies_over_a_task_gets_it_again_three_times_in_all() -> None:
    driver = at_work()
    for pause in (1.0, 2.0):
        driver.exit(APP, 1)
        assert Obstacle.RETRY_PAUSE in driver.in_the_way(APP, "tidy0")
        driver.pass_time(pause - 0.1)
        assert APP not in driver.processes
        driver.pass_time(0.1)
        driver.connect(APP)
        assert driver.at_work(APP) == ["tidy0"]
    driver.exit(APP, 1)
    assert ends(driver) == [("tidy0", TaskEnd.APP_ENDED)]
    assert driver.desk.pending(APP) == ()
    driver.pass_time(3600)
    assert APP not in driver.processes


@pytest.mark.contract("L07", "S19")
def test_a_run_that_was_completed_in_between_makes_deaths_count_anew() -> None:
    driver = at_work(ProcessingTask("tidy0", retry=Retry(first=1.0)))
    for fails in (False, False, True, False, False):
        if fails:
            driver.complete(APP, "tidy0", success=False)
        else:
            driver.exit(APP, 1)
        while APP not in driver.processes or (fails and not driver.at_work(APP)):
            driver.pass_time(1)
        if not driver.processes[APP].connected:
            driver.connect(APP)
        assert driver.at_work(APP) == ["tidy0"]


@pytest.mark.contract("L07")
def test_the_next_request_waits_until_the_run_that_was_cut_short_is_over() -> None:
    driver = at_work(NEWS)
    driver.submit(APP, NEWS)
    driver.exit(APP, 1)
    assert [task.attempt for task in driver.desk.pending(APP)] == [2, 1]
    driver.pass_time(1)
    driver.connect(APP)
    assert [run.attempt for run in driver.processes[APP].runs.values()] == [2]
    driver.complete(APP, "news")
    assert [run.attempt for run in driver.processes[APP].runs.values()] == [1]


@pytest.mark.contract("L04", "S16")
def test_quit_by_the_person_what_runs_ends_and_what_pends_waits_until_the_app_is_opened() -> None:
    driver = at_work()
    driver.submit(APP, later(60))
    driver.handle(ev.QuitAsked(APP))
    (expired,) = told(driver, wire.ExpireRuns)
    assert isinstance(expired, wire.ExpireRuns)
    assert expired.why is TaskEnd.SWITCHED_OFF
    driver.complete(APP, "tidy0", success=False)
    driver.exit(APP, 0)
    driver.pass_time(86400)
    assert APP not in driver.processes
    assert driver.in_the_way(APP, "news") == [Obstacle.APP_QUIT]
    driver.open(APP)
    assert driver.at_work(APP) == ["news"]


@pytest.mark.contract("L10")
@pytest.mark.parametrize("switch", [APP, "*"])
def test_background_running_switched_off_ends_what_runs(switch: str) -> None:
    driver = at_work()
    driver.handle(ev.BackgroundSwitched(switch, on=False))
    (expired,) = told(driver, wire.ExpireRuns)
    assert isinstance(expired, wire.ExpireRuns)
    assert expired.why is TaskEnd.SWITCHED_OFF
    driver.complete(APP, "tidy0", success=False)
    assert ends(driver) == [("tidy0", TaskEnd.SWITCHED_OFF)]


@pytest.mark.contract("S09", "S10")
@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("condition", [Condition.IDLE, Condition.NETWORK])
def test_a_condition_that_was_lost_while_the_desk_was_away_is_lost(condition: Condition, given: bool) -> None:
    driver = desk()
    needy = ProcessingTask("tidy0", requires_network=True)
    if given:
        driver.submit(APP, needy)
        driver.connect(APP)
        driver.desk_dies(conditions={condition: VALUES[condition][-1]})
        (expired,) = of_type(do.Send, driver.connect(APP))[1:2]
        assert isinstance(expired.message, wire.ExpireRuns)
    else:
        driver.desk_dies(
            ev.SubmitAsked(APP, 1, 1, needy, ExistingWork.REPLACE), conditions={condition: VALUES[condition][-1]}
        )
        assert driver.state(APP) is S.STOPPED
        assert [task.state for task in driver.desk.pending(APP)] == [TaskState.PENDING]


@pytest.mark.contract("L10")
@pytest.mark.parametrize("given", [True, False])
def test_switched_off_in_the_settings_while_the_desk_was_away_what_ran_ends(given: bool) -> None:
    driver = desk()
    driver.submit(APP, TIDY)
    if given:
        driver.connect(APP)
    driver.desk_dies(background_off=frozenset({APP}))
    driver.connect(APP)
    assert [each.why for each in told(driver, wire.ExpireRuns)] == [TaskEnd.SWITCHED_OFF] * given  # type: ignore[attr-defined]
    driver.pass_time(driver.limits.expiry_lead)
    assert driver.reasons(APP) == [StopReason.TASK_NOT_COMPLETED] * given
    assert driver.state(APP) is not S.BACKGROUND
    assert [task.request for task in driver.desk.pending(APP)] == ([] if given else [TIDY])


@pytest.mark.contract("L10", "S17")
def test_by_hand_a_task_goes_on_over_the_desks_death_although_background_running_is_off() -> None:
    driver = desk()
    driver.submit(APP, TIDY)
    driver.handle(ev.BackgroundSwitched(APP, on=False))
    simulate(driver, "tidy0")
    driver.connect(APP)
    driver.desk_dies()
    driver.connect(APP)
    driver.pass_time(60)
    assert told(driver, wire.ExpireRuns) == []
    assert driver.at_work(APP) == ["tidy0"]


@pytest.mark.contract("L10", "S17")
def test_by_hand_a_task_runs_although_background_running_is_off() -> None:
    driver = desk()
    driver.submit(APP, later(60))
    driver.handle(ev.BackgroundSwitched(APP, on=False))
    simulate(driver, "news")
    driver.connect(APP)
    assert driver.at_work(APP) == ["news"]


@pytest.mark.contract("L10")
@pytest.mark.parametrize("what", ["switched off", "cancelled", "condition lost", "nothing"])
def test_an_app_whose_pause_after_a_crash_is_over_is_launched_only_if_it_is_still_wanted(what: str) -> None:
    driver = at_work()
    driver.exit(APP, 1)
    simulate(driver, "tidy0")
    if what == "switched off":
        driver.handle(ev.BackgroundSwitched("*", on=False))
    elif what == "cancelled":
        driver.handle(ev.CancelAsked(APP, 1, 1, frozenset()))
    elif what == "condition lost":
        driver.is_now(Condition.POWER_SAVER, "on")
    effects = driver.pass_time(driver.limits.retry_first)
    assert len(of_type(do.Launch, effects)) == (what == "nothing")


def test_a_removed_app_takes_its_requests_along() -> None:
    driver = at_work()
    driver.submit(APP, later(60))
    driver.handle(ev.AppRemoved(APP))
    assert driver.desk.pending(APP) == ()
    assert [key for key in driver.saved if key[0] == "scheduler"] == []


def test_of_an_app_that_is_not_registered_any_more_nothing_is_kept_by_the_next_desk() -> None:
    driver = desk()
    driver.submit(APP, later(60))
    driver.manifests.clear()
    driver.desk_dies()
    assert [key for key in driver.saved if key[0] == "scheduler"] == []
    driver.pass_time(60)


def test_a_manifest_that_declares_less_takes_what_is_pending_away() -> None:
    driver = desk()
    driver.submit(APP, later(60))
    driver.handle(ev.AppAdded(Manifest(APP, "Feed", ("feed",), background=("refresh",), tasks=("other",))))
    assert driver.desk.pending(APP) == ()


# --- places -------------------------------------------------------------------------------------------------------


@pytest.mark.contract("S16")
def test_one_app_at_a_time_does_processing_and_the_next_follows_when_it_is_through() -> None:
    driver = desk(FEED, FILES)
    driver.submit(APP, TIDY)
    driver.submit(FILES.id, TIDY)
    assert driver.state(FILES.id) is S.STOPPED
    assert driver.in_the_way(FILES.id, "tidy0") == [Obstacle.OTHERS_RUN]
    driver.connect(APP)
    driver.complete(APP, "tidy0")
    assert driver.state(FILES.id) is S.LAUNCHING


@pytest.mark.contract("S10", "S15")
def test_a_network_that_comes_and_goes_while_the_app_is_launched_costs_nothing_of_its_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = desk()
    refreshed: list[str] = []
    monkeypatch.setattr(driver.desk.habit, "refreshed", lambda app, now: refreshed.append(app))
    driver.submit(APP, RefreshTask("news", requires_network=True))
    for _ in range(5):
        driver.is_now(Condition.NETWORK, "offline")
        driver.is_now(Condition.NETWORK, "online")
    assert (driver.desk.budgets.budget(APP, driver.now).left, refreshed) == (3.0, [])
    driver.connect(APP)
    assert driver.at_work(APP) == ["news"]
    assert (driver.desk.budgets.budget(APP, driver.now).left, refreshed) == (2.0, [APP])


@pytest.mark.contract("S15", "S17")
@pytest.mark.parametrize("by_hand", [True, False])
def test_given_twice_a_launch_counts_once_and_by_hand_not_at_all(by_hand: bool) -> None:
    driver = desk()
    driver.is_now(Condition.POWER_SAVER, "on" if by_hand else "off")
    driver.submit(APP, NEWS)
    if by_hand:
        simulate(driver, "news")
    driver.connect(APP)
    driver.processes[APP].runs.clear()
    driver.drop_connection(APP)
    driver.connect(APP)
    assert driver.at_work(APP) == ["news"]
    assert driver.desk.budgets.budget(APP, driver.now).left == (3.0 if by_hand else 2.0)


@pytest.mark.contract("S08", "S15")
def test_of_one_app_those_come_along_that_are_wanted_within_a_quarter_of_an_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    feed = msgspec.structs.replace(FEED, tasks=("news", "soon", "later"))
    driver = desk(feed, limits=Limits(pending_refresh=3))
    monkeypatch.setattr(driver.desk.habit, "wanted", lambda app, earliest, now: earliest + 1000)
    driver.submit(APP, NEWS)
    driver.pass_time(900)
    driver.submit(APP, RefreshTask("soon"))
    driver.pass_time(1)
    driver.submit(APP, RefreshTask("later"))
    driver.pass_time(99)
    driver.connect(APP)
    assert driver.at_work(APP) == ["news", "soon"]


@pytest.mark.contract("S14", "S15", "S16")
def test_at_midnight_what_waits_for_budget_or_habit_is_looked_at_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of the person is another then: use too old to count is left out, and budgets may be larger."""
    driver = desk()
    use = 0.0
    monkeypatch.setattr(driver.desk.budgets, "_use", lambda app, now: use)
    midnight = (T0 // 86400 + 1) * 86400
    driver.pass_time(midnight - 1800 - T0)
    assert driver.desk.next_wake() is None
    driver.submit(APP, NEWS)
    driver.connect(APP)
    for _ in range(3):
        driver.submit(APP, NEWS)
        driver.complete(APP, "news")
    driver.pass_time(1799)
    use = 1.0
    driver.pass_time(1)
    (why,) = driver.desk.explain("news", driver.now)
    assert why.next_look == pytest.approx(driver.now + 1800)
    effects = driver.pass_time(1800)
    assert len(of_type(do.Thaw, effects)) + len(of_type(do.Launch, effects)) == 1


@pytest.mark.contract("S01")
@pytest.mark.parametrize("ends", ["fails", "dies"])
def test_what_a_new_manifest_does_not_declare_is_not_tried_again(ends: str) -> None:
    driver = at_work(ProcessingTask("tidy0", retry=Retry()))
    driver.handle(ev.AppAdded(msgspec.structs.replace(FEED, tasks=("news",))))
    assert driver.at_work(APP) == ["tidy0"], "what runs goes on"
    if ends == "fails":
        driver.complete(APP, "tidy0", success=False)
    else:
        driver.exit(APP, 1)
    assert driver.desk.pending(APP) == ()


def test_an_app_that_submits_again_and_again_keeps_no_other_from_its_place() -> None:
    driver = desk(FEED, FILES)
    driver.submit(FILES.id, ProcessingTask("tidy0", earliest_begin=T0 + 10))
    driver.submit(APP, TIDY)
    driver.connect(APP)
    driver.submit(APP, TIDY)
    driver.pass_time(20)
    driver.complete(APP, "tidy0")
    assert driver.in_the_way(FILES.id, "tidy0") == [Obstacle.OTHERS_RUN], "due only after that was submitted"
    driver.submit(APP, TIDY)
    driver.complete(APP, "tidy0")
    driver.connect(FILES.id)
    assert driver.at_work(FILES.id) == ["tidy0"]
    assert driver.in_the_way(APP, "tidy0") == [Obstacle.OTHERS_RUN]


@pytest.mark.contract("S15", "S16")
def test_the_budget_of_an_app_holds_up_its_refreshes_and_says_until_when() -> None:
    driver = desk()
    driver.submit(APP, NEWS)
    driver.connect(APP)
    for _ in range(3):
        driver.submit(APP, NEWS)
        driver.complete(APP, "news")
    assert driver.at_work(APP) == []
    (why,) = driver.desk.explain("news", driver.now)
    assert [reason.obstacle for reason in why.reasons] == [Obstacle.BUDGET_SPENT]
    assert why.next_look == pytest.approx(driver.now + 43200.0)
    driver.pass_time(43201)
    assert driver.state(APP) is S.LAUNCHING


@pytest.mark.contract("S15", "S14")
def test_refreshes_of_several_apps_that_are_soon_wanted_are_launched_together(monkeypatch: pytest.MonkeyPatch) -> None:
    third = Manifest("org.example.third", "Third", ("third",), background=("refresh",), tasks=("news",))
    early = Manifest("org.example.early", "Early", ("early",), background=("refresh",), tasks=("news",))
    driver = desk(FEED, FILES, third, early)
    usual = {APP: 1000.0, FILES.id: 1900.0, third.id: 1901.0, early.id: 1500.0}
    monkeypatch.setattr(driver.desk.habit, "wanted", lambda app, earliest, now: earliest + usual[app])
    for app in (APP, FILES.id, third.id):
        driver.submit(app, NEWS)
    driver.submit(early.id, later(1001))
    refreshed: list[str] = []
    monkeypatch.setattr(driver.desk.habit, "refreshed", lambda app, now: refreshed.append(app))
    assert driver.in_the_way(APP, "news") == [Obstacle.WAITS_FOR_HABIT]
    driver.pass_time(999.9)
    driver.handle(ev.TimePassed())
    assert driver.state(APP) is S.STOPPED, "it goes along with another, never by itself before it is wanted"
    driver.pass_time(0.1)
    assert [driver.state(app) for app in usual] == [S.LAUNCHING, S.LAUNCHING, S.STOPPED, S.STOPPED]
    driver.connect(APP)
    driver.connect(FILES.id)
    assert refreshed == [APP, FILES.id], "the habit is told, so that the same usual time is not aimed at again"


@pytest.mark.contract("S15")
@pytest.mark.parametrize("usual", [0.0, 12.0])
def test_no_more_apps_refresh_at_the_same_time_than_there_are_places(
    monkeypatch: pytest.MonkeyPatch, usual: float
) -> None:
    names = [f"org.example.app{number}" for number in range(6)]
    driver = desk(*(Manifest(name, name, ("x",), background=("refresh",), tasks=("news",)) for name in names))
    times = {name: place * usual / 6 for place, name in enumerate(names)}
    monkeypatch.setattr(driver.desk.habit, "wanted", lambda app, earliest, now: earliest + times[app])
    for name in names:
        driver.submit(name, later(60))
    driver.pass_time(60)
    assert [driver.state(name) is S.LAUNCHING for name in names] == [True] * 4 + [False] * 2
    driver.connect(names[0])
    driver.complete(names[0], "news")
    driver.pass_time(times[names[4]])
    assert driver.state(names[4]) is S.LAUNCHING


def test_what_cannot_have_changed_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"org.example.app{number}" for number in range(300)]
    apps = (Manifest(name, name, ("x",), background=("processing",), tasks=("tidy0",)) for name in names)
    driver = desk()
    driver.is_now(Condition.IDLE, "no")
    driver.desk.handle([ev.AppAdded(manifest) for manifest in apps], driver.now)
    submitted = [ev.SubmitAsked(name, 1, 1, TIDY, ExistingWork.REPLACE) for name in names]
    driver.desk.handle(submitted, driver.now)
    looks: list[Condition] = []
    value = driver.desk.conditions.value

    def counted(condition: Condition) -> str:
        looks.append(condition)
        return value(condition)

    monkeypatch.setattr(driver.desk.conditions, "value", counted)
    driver.desk.handle([ev.ConditionSeen(Condition.NETWORK, "offline", "test")], driver.now)
    assert 0 < len(looks) < 20, "300 requests of one class: the class is looked at, not they"
    assert driver.desk.next_wake() is None, "an idle desk wakes up for nothing"


@pytest.mark.contract("S15")
def test_nothing_is_launched_on_a_budget_that_has_shrunk_since(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = desk()
    driver.submit(APP, later(60))
    monkeypatch.setattr(driver.desk.budgets, "next_at", lambda app, now: T0 + 1000 if now < T0 + 1000 else None)
    driver.pass_time(999)
    assert driver.state(APP) is S.STOPPED
    driver.pass_time(1)
    assert driver.state(APP) is S.LAUNCHING


# --- by hand ------------------------------------------------------------------------------------------------------


def simulate(driver: Driver, identifier: str, *, expire: bool = False, app: str = "") -> list[do.Effect]:
    return driver.handle(ev.SimulateAsked(1, 1, identifier, app, expire))


@pytest.mark.contract("S17")
def test_launched_by_hand_it_runs_whatever_stands_in_its_way_and_the_handler_cannot_tell() -> None:
    driver = desk()
    driver.is_now(Condition.NETWORK, "offline")
    driver.submit(APP, RefreshTask("news", earliest_begin=T0 + 86400, requires_network=True))
    assert refused(simulate(driver, "news")) is None
    driver.connect(APP)
    (run,) = told(driver, wire.RunTasks)
    assert isinstance(run, wire.RunTasks)
    assert run == wire.RunTasks((wire.TaskRun(run.runs[0].run, "news", TaskKind.REFRESH, 1),), 30.0)
    driver.is_now(Condition.METERED, "yes")
    assert told(driver, wire.ExpireRuns) == [], "what stood in its way before ends nothing"
    driver.pass_time(25)
    assert len(told(driver, wire.ExpireRuns)) == 1, "its time is that of any launch"
    driver.complete(APP, "news")
    assert driver.desk.pending(APP) == ()


@pytest.mark.contract("S17")
def test_expired_by_hand_the_handler_hears_what_it_would_hear_anyway() -> None:
    driver = at_work()
    assert refused(simulate(driver, "tidy0", expire=True)) is None
    (expired,) = told(driver, wire.ExpireRuns)
    assert isinstance(expired, wire.ExpireRuns)
    assert expired.seconds == 5.0
    driver.complete(APP, "tidy0", success=False)
    assert ends(driver) == [("tidy0", TaskEnd.SIMULATED)]


@pytest.mark.contract("S17")
def test_by_hand_what_is_not_there_or_could_be_of_two_apps_is_refused() -> None:
    driver = desk(FEED, FILES)
    assert refused(simulate(driver, "news")) is Refusal.UNKNOWN_TASK
    driver.submit(APP, later(60))
    driver.submit(FILES.id, later(60))
    assert refused(simulate(driver, "news", expire=True)) is Refusal.UNKNOWN_TASK, "nothing runs"
    assert refused(simulate(driver, "news")) is Refusal.UNKNOWN_TASK, "which of the two?"
    assert refused(simulate(driver, "news", app=FILES.id)) is None
    assert (driver.state(APP), driver.state(FILES.id)) == (S.STOPPED, S.LAUNCHING)


@pytest.mark.contract("S17")
def test_by_hand_what_runs_is_said_to_run_and_what_is_nowhere_not_to_pend() -> None:
    driver = at_work()

    def said(app: str) -> str:
        (answer,) = of_type(do.Answer, simulate(driver, "tidy0", app=app))
        assert isinstance(answer.message, wire.Refused)
        return answer.message.text

    assert said("") == said(APP) == "'tidy0' runs already, or is being launched. Nothing was changed."
    assert said(FILES.id) == f"No task 'tidy0' is pending for {FILES.id}. Nothing was changed."


@pytest.mark.contract("S17", "L04")
def test_by_hand_an_app_that_was_quit_is_not_launched() -> None:
    driver = desk()
    driver.submit(APP, later(60))
    driver.handle(ev.QuitAsked(APP))
    assert refused(simulate(driver, "news")) is Refusal.UNAVAILABLE


def test_nor_is_one_by_a_desk_that_is_being_stopped() -> None:
    driver = desk()
    driver.submit(APP, later(60))
    driver.handle(ev.DeskStopping())
    (answer,) = [out for out in simulate(driver, "news") if isinstance(out, do.Answer)]
    text = "The desk is being stopped. Nothing was changed."
    assert answer.message == wire.Refused(Refusal.UNAVAILABLE, text, 1)


@pytest.mark.contract("S16", "S09")
def test_what_comes_due_while_the_app_works_waits_for_that_and_for_no_other_app() -> None:
    driver = at_work()
    driver.submit(APP, ProcessingTask("tidy1"))
    assert driver.in_the_way(APP, "tidy1") == [Obstacle.APP_BUSY]
    driver.complete(APP, "tidy0")
    assert driver.at_work(APP) == ["tidy1"]


@pytest.mark.contract("L08")
def test_while_a_task_that_asked_for_external_power_runs_the_app_may_use_all_processor_time() -> None:
    driver = desk()
    scheduler = driver.desk.scheduler

    def told_of_cpu(event: ev.Event | ev.Signal) -> list[bool]:
        return [out.on for out in scheduler.handle(event, driver.now) if isinstance(out, ev.FreeOfCpuLimit)]

    awake = ev.Awake(APP, WakeReason.SCHEDULED, fresh=True)
    ended = ev.Ended(APP, Receipt(APP, StopReason.CRASHED, driver.now, ""))
    driver.submit(APP, ProcessingTask("tidy0", requires_external_power=True))
    assert told_of_cpu(awake) == [True]
    assert told_of_cpu(ended) == [False]
    driver.now += 1
    assert told_of_cpu(ev.TimePassed()) == []
    assert told_of_cpu(awake) == [True]
    ((_, run),) = scheduler._requests.running(APP)
    assert told_of_cpu(ev.RunCompleted(APP, run.id, success=True)) == [False]
    driver.submit(APP, ProcessingTask("tidy1"))
    assert told_of_cpu(awake) == []


@pytest.mark.contract("L08")
def test_an_app_in_front_that_lost_its_task_with_its_connection_is_not_free_of_the_limit_for_ever() -> None:
    driver = desk()
    driver.open(APP)
    driver.submit(APP, ProcessingTask("tidy0", requires_external_power=True))
    driver.drop_connection(APP)
    effects = driver.pass_time(driver.limits.launch)
    assert [note.what for note in of_type(do.Note, effects) if note.name == "tidy0"] == ["run_again"]
    assert driver.desk.consumption._free == {}


@pytest.mark.contract("S11")
@pytest.mark.parametrize("late", [1.0, 100.0])
def test_a_desk_that_stood_still_takes_no_time_from_the_expiration_handler(late: float) -> None:
    driver = at_work()
    driver.now += 595 + late
    driver.handle(ev.TimePassed())
    (expired,) = told(driver, wire.ExpireRuns)
    assert isinstance(expired, wire.ExpireRuns)
    assert expired.seconds == 5.0
    assert driver.status(APP).seconds_left == 5.0
    driver.pass_time(4.9)
    assert driver.state(APP) is S.BACKGROUND
    driver.pass_time(0.1)
    assert driver.reasons(APP) == [StopReason.TASK_NOT_COMPLETED]


# --- connections --------------------------------------------------------------------------------------------------


@pytest.mark.contract("S11", "A13")
def test_an_app_that_was_away_when_its_time_was_up_is_told_when_it_is_back() -> None:
    driver = at_work()
    driver.pass_time(590)
    driver.drop_connection(APP)
    driver.pass_time(15)
    assert driver.reasons(APP) == [], "nobody could tell it to end"
    driver.connect(APP)
    driver.pass_time(0)
    assert len(told(driver, wire.ExpireRuns)) == 1
    driver.pass_time(4.9)
    assert driver.reasons(APP) == []
    driver.pass_time(0.2)
    assert driver.reasons(APP) == [StopReason.TASK_NOT_COMPLETED]


@pytest.mark.contract("S11")
def test_an_app_that_was_told_to_end_hears_it_again_after_the_desks_death() -> None:
    driver = at_work()
    driver.is_now(Condition.IDLE, "no")
    driver.pass_time(4)
    driver.desk_dies()
    driver.connect(APP)
    heard = [each for each in told(driver, wire.ExpireRuns) if isinstance(each, wire.ExpireRuns)]
    assert [(each.why, each.seconds) for each in heard] == [(TaskEnd.IN_USE, 5.0), (TaskEnd.IN_USE, 5.0)]
    driver.pass_time(4.9)
    assert driver.reasons(APP) == [], "that the desk was away takes no time from the handler"
    driver.complete(APP, "tidy0", success=False)
    assert ends(driver) == [("tidy0", TaskEnd.IN_USE)]


@pytest.mark.contract("S13")
def test_cancelled_before_the_app_heard_of_it_the_task_is_not_given_after_the_desks_death() -> None:
    driver = at_work()
    driver.handle(ev.CancelAsked(APP, 1, 1, frozenset()))
    driver.processes[APP].runs.clear()
    driver.desk_dies()
    driver.connect(APP)
    assert driver.at_work(APP) == []
    assert driver.desk.pending(APP) == ()


@pytest.mark.contract("L07")
def test_an_app_in_front_that_does_not_come_back_gets_its_task_again() -> None:
    driver = at_work()
    driver.to_front(APP)
    driver.drop_connection(APP)
    driver.pass_time(20)
    assert [task.attempt for task in driver.desk.pending(APP)] == [2]


@pytest.mark.contract("L07")
@pytest.mark.parametrize(
    ("reason", "attempt"),
    [
        (StopReason.LOGOUT, 1),
        (StopReason.MEMORY_PRESSURE, 1),
        (StopReason.SUSPENDED_LONG, 1),
        (StopReason.CPU_EXCEEDED, 2),
        (StopReason.TASK_NOT_ENDED, 2),
        (StopReason.EXITED, 2),
        (StopReason.REPLACED, 2),
    ],
)
def test_an_end_that_was_not_the_apps_own_fault_is_no_try(reason: StopReason, attempt: int) -> None:
    driver = at_work()
    scheduler = driver.desk.scheduler
    driver.desk.lifecycle.handle(ev.DeskStopping(), driver.now)
    scheduler.handle(ev.Ended(APP, Receipt(APP, reason, driver.now, "")), driver.now)
    (task,) = scheduler.pending(APP)
    assert (task.state, task.attempt) == (TaskState.PENDING, attempt)


@pytest.mark.contract("L04", "L07")
def test_launched_by_hand_while_the_app_leaves_since_it_was_quit_its_end_is_no_try() -> None:
    driver = at_work()
    driver.submit(APP, ProcessingTask("tidy1"))
    driver.handle(ev.QuitAsked(APP))
    driver.complete(APP, "tidy0", success=False)
    driver.handle(ev.OpenAsked(APP))
    simulate(driver, "tidy1")
    driver.exit(APP, 0)
    driver.connect(APP)
    assert driver.at_work(APP) == ["tidy1"]
    assert [task.attempt for task in driver.desk.pending(APP)] == [1]


@pytest.mark.contract("L04")
def test_an_app_that_was_quit_before_it_was_given_its_task_keeps_it() -> None:
    driver = desk()
    driver.submit(APP, TIDY)
    driver.handle(ev.QuitAsked(APP))
    assert [task.state for task in driver.desk.pending(APP)] == [TaskState.PENDING]


@pytest.mark.contract("L07")
def test_the_pause_after_an_apps_death_grows_up_to_a_minute() -> None:
    driver = desk(limits=Limits(task_tries=1100))
    driver.submit(APP, TIDY)
    scheduler, pauses = driver.desk.scheduler, list[float]()
    for _ in range(1090):
        scheduler.handle(ev.Awake(APP, WakeReason.SCHEDULED, fresh=True), driver.now)
        scheduler.handle(ev.Ended(APP, Receipt(APP, StopReason.CRASHED, driver.now, "")), driver.now)
        (why,) = [each for each in scheduler.explain(APP, driver.now)[0].reasons if each.until is not None]
        assert why.until is not None
        pauses.append(why.until - driver.now)
        driver.now = why.until
        scheduler.handle(ev.TimePassed(), driver.now)
    assert pauses[:8] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert set(pauses[8:]) == {60.0}


def test_when_the_box_of_background_time_is_over_the_runs_of_the_app_still_hold_it() -> None:
    driver = at_work()
    driver.pass_time(100)
    out = driver.desk.scheduler.handle(ev.BoxOver(APP), driver.now)
    (run,) = driver.processes[APP].runs
    assert out == [ev.HoldOn(APP, "scheduled", run, "tidy0"), ev.GiveTime(APP, 500.0)]
    driver.pass_time(495)
    driver.now += 5
    (stop,) = driver.desk.scheduler.handle(ev.BoxOver(APP), driver.now)
    assert isinstance(stop, ev.Stop)
    assert stop.reason is StopReason.TASK_NOT_COMPLETED


# --- the desk's death, clocks, sleep ------------------------------------------------------------------------------


@pytest.mark.contract("S07", "L06")
def test_pending_requests_survive_the_desk_and_come_when_they_are_due() -> None:
    driver = desk()
    driver.submit(APP, later(60))
    driver.desk_dies()
    assert [task.request for task in driver.desk.pending(APP)] == [later(60)]
    driver.pass_time(60)
    assert driver.state(APP) is S.LAUNCHING


@pytest.mark.contract("S07", "S08")
def test_a_run_goes_on_through_the_desks_death_with_the_time_used_counted() -> None:
    driver = at_work(NEWS)
    driver.pass_time(10)
    driver.desk_dies()
    driver.connect(APP)
    assert len(told_ever(driver)) == 1
    driver.pass_time(14.9)
    assert told(driver, wire.ExpireRuns) == []
    driver.pass_time(0.1)
    assert len(told(driver, wire.ExpireRuns)) == 1
    driver.complete(APP, "news")
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("L07")
def test_a_run_that_the_app_never_heard_of_is_given_again_after_the_desks_death() -> None:
    driver = at_work()
    driver.processes[APP].runs.clear()
    driver.desk_dies()
    driver.connect(APP)
    assert [run.attempt for run in driver.processes[APP].runs.values()] == [1]


@pytest.mark.contract("L06", "L07")
def test_a_desk_that_dies_over_launching_an_app_launches_it_again() -> None:
    driver = desk()
    driver.submit(APP, later(60))
    driver.now = T0 + 60
    driver.desk_dies(ev.TimePassed())
    assert driver.state(APP) is S.LAUNCHING
    driver.connect(APP)
    assert [run.attempt for run in driver.processes[APP].runs.values()] == [1]
    assert driver.desk.budgets.budget(APP, driver.now).left == 2.0, "it was launched once, as the person sees it"


@pytest.mark.contract("L06", "L07", "S17")
def test_a_launch_by_hand_that_the_desk_did_not_live_to_make_leaves_the_request_pending() -> None:
    driver = desk()
    driver.submit(APP, later(600))
    driver.open(APP)
    driver.exit(APP, 1)
    simulate(driver, "news")
    assert driver.state(APP) is S.STOPPED, "it failed just now: it is launched after the pause"
    driver.desk_dies()
    assert [task.state for task in driver.desk.pending(APP)] == [TaskState.PENDING]
    driver.pass_time(600)
    assert driver.state(APP) is S.LAUNCHING


@pytest.mark.contract("L07")
def test_completed_while_the_desk_was_away_it_is_kept_when_the_app_says_it_again() -> None:
    driver = at_work()
    (run,) = driver.processes[APP].runs
    driver.desk_dies(ev.RunCompleted(APP, run, success=True), committed=False)
    driver.connect(APP)
    driver.complete(APP, "tidy0")
    assert driver.desk.pending(APP) == ()
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("S07")
def test_a_wall_clock_that_is_set_moves_what_has_an_earliest_begin() -> None:
    driver = desk()
    driver.submit(APP, later(3600))
    driver.handle(ev.WallClock(ahead=3000.0, utc_offset=0.0))
    driver.pass_time(599)
    assert driver.state(APP) is S.STOPPED
    driver.pass_time(1)
    assert driver.state(APP) is S.LAUNCHING


@pytest.mark.contract("S07")
def test_a_clock_that_was_years_ahead_holds_nothing_up_for_longer_than_a_pause() -> None:
    driver = desk()
    driver.now = T0 + 3e8
    driver.submit(APP, ProcessingTask("tidy0", retry=Retry()))
    driver.connect(APP)
    driver.complete(APP, "tidy0", success=False)
    driver.processes.clear()
    driver.now = T0
    driver.desk_dies()
    driver.pass_time(18000.0)
    assert driver.state(APP) is S.LAUNCHING


@pytest.mark.contract("S08", "S09")
def test_time_that_the_machine_slept_is_nobodys_time() -> None:
    driver = at_work(NEWS)
    driver.pass_time(10)
    driver.now += 3600
    driver.handle(ev.MachineSlept(3600.0), ev.TimePassed())
    assert told(driver, wire.ExpireRuns) == []
    driver.pass_time(15)
    assert len(told(driver, wire.ExpireRuns)) == 1
    driver.complete(APP, "news")
    (receipt,) = driver.task_receipts
    assert receipt.used == 25.0


def test_summer_time_saves_no_request_again() -> None:
    driver = desk()
    driver.handle(ev.WallClock(ahead=0.001, utc_offset=3600.0))
    driver.submit(APP, later(60))
    out = driver.handle(ev.WallClock(ahead=0.002, utc_offset=7200.0))
    assert [each for each in out if isinstance(each, do.Save) and each.machine == "scheduler"] == []
    out = driver.handle(ev.WallClock(ahead=60.0, utc_offset=7200.0))
    assert len([each for each in out if isinstance(each, do.Save) and each.machine == "scheduler"]) == 1


def test_nothing_is_launched_by_a_desk_that_is_being_stopped() -> None:
    driver = desk()
    driver.submit(APP, later(60))
    driver.handle(ev.DeskStopping())
    driver.pass_time(600)
    assert driver.state(APP) is S.STOPPED
    assert driver.in_the_way(APP, "news") == [Obstacle.DESK_STOPPING]
