"""Background tasks: who may run how long, who is told when, and who is stopped for it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.limits import Limits
from frontdesk.terms import AppState, Condition, Manifest, PushKind, RefreshTask, StopReason
from frontdesk.wire import desk as wire
from tests.frontdesk.agent.core.core_driver import NOTES, Driver, apps_of, asleep, messages, of_type

APP = NOTES.id
S = AppState


def in_front() -> Driver:
    driver = Driver(NOTES)
    driver.open(APP)
    driver.processes[APP].inbox.clear()
    return driver


def heard(driver: Driver, kind: type[wire.ExpireTasks] | type[wire.TaskProblem] | type[wire.TimeBox]) -> list[object]:
    return [each for each in driver.processes[APP].inbox if isinstance(each, kind)]


@pytest.mark.contract("A01")
def test_an_open_task_keeps_the_app_from_being_suspended_and_starts_nothing() -> None:
    driver = in_front()
    assert of_type(do.Send, driver.begin(APP, 1)) == []
    driver.sleep(APP)
    assert driver.state(APP) is S.BACKGROUND
    driver.pass_time(24.9)
    assert driver.state(APP) is S.BACKGROUND


@pytest.mark.contract("A01", "A02")
def test_many_may_be_open_and_the_last_end_suspends_at_once() -> None:
    driver = in_front()
    for task in (1, 2, 3):
        driver.begin(APP, task)
    driver.sleep(APP)
    driver.end(APP, 2)
    driver.end(APP, 1)
    assert driver.state(APP) is S.BACKGROUND
    effects = driver.end(APP, 3)
    assert apps_of(do.Freeze, effects) == [APP]
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("A01")
def test_an_identifier_that_is_open_is_not_begun_again() -> None:
    driver = in_front()
    driver.begin(APP, 1, "first")
    driver.begin(APP, 1, "second")
    assert driver.desk.assertions.open_tasks(APP) == ("first",)
    assert len(heard(driver, wire.TaskProblem)) == 1


@pytest.mark.contract("A02")
def test_ending_one_task_and_beginning_the_next_in_one_batch_does_not_freeze() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    effects = driver.handle(ev.TaskEnded(APP, 1), ev.TaskBegun(APP, 2, "next"))
    assert of_type(do.Freeze, effects) == []
    assert driver.state(APP) is S.BACKGROUND


@pytest.mark.contract("A02")
def test_ending_the_last_task_in_the_foreground_suspends_nothing() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.end(APP, 1)
    assert driver.state(APP) is S.FOREGROUND


@pytest.mark.contract("A03")
def test_time_runs_only_in_the_background() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.pass_time(3600)
    assert driver.status(APP).seconds_left is None
    assert driver.desk.assertions.seconds_left(APP, driver.now) is None
    driver.sleep(APP)
    assert heard(driver, wire.TimeBox) == [wire.TimeBox(30.0)]
    driver.pass_time(12)
    assert driver.status(APP).seconds_left == 18.0


@pytest.mark.contract("A03")
def test_in_front_time_is_infinite() -> None:
    driver = in_front()
    driver.close(APP)
    driver.to_front(APP)
    assert heard(driver, wire.TimeBox)[-1] == wire.TimeBox(None)


@pytest.mark.contract("A03")
def test_a_second_task_adds_no_time() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.pass_time(20)
    driver.begin(APP, 2)
    assert driver.status(APP).seconds_left == 10.0
    driver.pass_time(10)
    assert driver.reasons(APP) == [StopReason.TASK_NOT_ENDED]


@pytest.mark.contract("A03")
@pytest.mark.parametrize(("woken_by", "box"), [("push", 25.0), ("open", 30.0), ("page", 30.0)])
def test_a_woken_app_has_the_box_of_what_woke_it_and_its_tasks_share_it(woken_by: str, box: float) -> None:
    driver = in_front()
    driver.subscribe(APP)
    driver.sleep(APP)
    driver.pass_time(60)
    match woken_by:
        case "push":
            driver.push(APP)
        case "open":
            driver.handle(ev.OpenAsked(APP))
        case _:
            driver.handle(ev.PageVisited(APP))
    assert driver.status(APP).seconds_left == box
    driver.pass_time(3)
    driver.begin(APP, 1)
    assert driver.status(APP).seconds_left == box - 3
    driver.pass_time(box - 3 - 0.1)
    assert driver.reasons(APP) == []
    driver.pass_time(0.1)
    assert driver.reasons(APP) == [StopReason.TASK_NOT_ENDED]


@pytest.mark.contract("A03", "S08")
def test_an_app_woken_for_a_refresh_has_the_time_of_a_refresh_also_where_that_is_less() -> None:
    feeds = Manifest("org.example.feeds", "Feeds", ("feeds",), background=("refresh",), tasks=("news",))
    driver = Driver(feeds, limits=Limits(refresh=12.0))
    driver.submit(feeds.id, RefreshTask("news"))
    driver.connect(feeds.id)
    assert driver.at_work(feeds.id) == ["news"]
    assert driver.status(feeds.id).seconds_left == 12.0


@pytest.mark.contract("A03")
def test_an_app_launched_for_a_push_has_the_box_of_a_push() -> None:
    driver = Driver(NOTES)
    driver.subscribe(APP)
    driver.push(APP)
    driver.connect(APP)
    assert driver.status(APP).seconds_left == 25.0


@pytest.mark.contract("A04")
def test_time_starts_full_again_after_each_visit_to_the_front() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.pass_time(26)
    assert len(heard(driver, wire.ExpireTasks)) == 1
    driver.to_front(APP)
    driver.sleep(APP)
    assert driver.status(APP).seconds_left == 30.0
    driver.pass_time(24.9)
    assert len(heard(driver, wire.ExpireTasks)) == 1
    driver.pass_time(0.1)
    assert len(heard(driver, wire.ExpireTasks)) == 2


@pytest.mark.contract("A04")
def test_waking_without_the_person_seeing_it_gives_an_awake_app_no_more_time() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.pass_time(20)
    driver.handle(ev.OpenAsked(APP))
    assert driver.status(APP).seconds_left == 10.0


@pytest.mark.contract("A05", "A06", "A07")
def test_exact_bounds_nothing_then_expiry_then_the_stop() -> None:
    driver = in_front()
    driver.begin(APP, 1, "send")
    driver.begin(APP, 2, "store")
    driver.sleep(APP)
    driver.pass_time(24.9)
    driver.handle(ev.TimePassed())  # as another machine may have asked for it
    assert heard(driver, wire.ExpireTasks) == []
    driver.pass_time(0.1)
    assert heard(driver, wire.ExpireTasks) == [wire.ExpireTasks((1, 2), 5.0)]
    assert driver.state(APP) is S.BACKGROUND
    driver.pass_time(4.9)
    assert driver.receipts == []
    effects = driver.pass_time(0.1)
    assert apps_of(do.Kill, effects) == [APP]
    assert of_type(do.Freeze, effects) == []
    (receipt,) = driver.receipts
    assert (receipt.reason, receipt.limit, receipt.used) == (StopReason.TASK_NOT_ENDED, 30.0, 30.0)
    assert receipt.tasks == ("send", "store")
    assert "send" in receipt.text and "store" in receipt.text
    assert driver.state(APP) is S.STOPPED


@pytest.mark.contract("A05")
def test_handlers_are_called_once_whatever_else_happens() -> None:
    driver = in_front()
    driver.subscribe(APP)
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.pass_time(26)
    driver.handle(ev.OpenAsked(APP))
    driver.push(APP)
    driver.handle(ev.TimePassed())
    assert heard(driver, wire.ExpireTasks) == [wire.ExpireTasks((1,), 5.0)]


@pytest.mark.contract("A05", "A07")
def test_a_task_begun_in_the_last_seconds_is_told_at_once_and_shares_what_is_left() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.pass_time(27)
    driver.begin(APP, 2)
    assert heard(driver, wire.ExpireTasks) == [wire.ExpireTasks((1,), 5.0), wire.ExpireTasks((2,), 3.0)]
    driver.end(APP, 1)
    driver.pass_time(2.9)
    assert driver.receipts == []
    driver.pass_time(0.1)
    assert driver.receipts[0].tasks == ("send",)


@pytest.mark.contract("A03", "A06")
@pytest.mark.parametrize("beginning", [ev.TaskBegun(NOTES.id, 7, "late"), None])
def test_in_the_moment_in_which_the_box_ends_no_task_begins_without_one(beginning: ev.Event | None) -> None:
    """Nothing held the app but a push: said just before it was suspended, or after a task was given to it just then."""
    upkeep = msgspec.structs.replace(NOTES, background=("push", "refresh"), tasks=("news",))
    driver = Driver(upkeep)
    driver.subscribe(NOTES.id)
    driver.open(NOTES.id)
    driver.sleep(NOTES.id)
    driver.push(NOTES.id)
    if beginning is not None:
        driver.now += driver.limits.push
        driver.handle(ev.TimePassed(), beginning)
        assert heard(driver, wire.TaskProblem)
    else:
        driver.submit(NOTES.id, RefreshTask("news", earliest_begin=driver.now + driver.limits.push))
        driver.pass_time(driver.limits.push)
        assert driver.status(NOTES.id).seconds_left == driver.limits.refresh
        driver.begin(NOTES.id, 7)
        driver.complete(NOTES.id, "news")
        driver.pass_time(driver.limits.refresh)
        assert driver.reasons(NOTES.id) == [StopReason.TASK_NOT_ENDED]
    assert driver.state(NOTES.id) is not S.BACKGROUND


@pytest.mark.contract("A05", "A06")
def test_ended_in_its_handler_the_app_is_suspended_and_not_stopped() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.pass_time(29.9)
    driver.end(APP, 1)
    assert driver.state(APP) is S.SUSPENDED
    driver.pass_time(60)
    assert driver.receipts == []


@pytest.mark.contract("A08")
def test_ending_what_is_not_open_is_reported_and_nothing_else() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.end(APP, 1)
    for task in (1, 77):
        effects = driver.end(APP, task)
        (problem,) = [effect.message for effect in of_type(do.Send, effects)]
        assert isinstance(problem, wire.TaskProblem)
        assert problem.task == task
        assert [note.what for note in of_type(do.Note, effects)] == ["task_unknown"]
    assert driver.state(APP) is S.FOREGROUND


@pytest.mark.contract("A09")
def test_a_thousand_may_be_open_and_one_more_stops_the_app() -> None:
    driver = in_front()
    for task in range(1000):
        driver.handle(ev.TaskBegun(APP, task, f"t{task}"))
    assert driver.receipts == []
    driver.handle(ev.TaskBegun(APP, 1000, "one more"))
    (receipt,) = driver.receipts
    assert (receipt.reason, receipt.limit, receipt.used) == (StopReason.TOO_MANY_TASKS, 1000.0, 1001.0)
    assert len(receipt.tasks) <= 21, "a receipt is read by a person"


@pytest.mark.contract("A09")
def test_nor_may_it_come_with_more_to_the_next_desk() -> None:
    for open_tasks, stops in ((1000, []), (1001, [StopReason.TOO_MANY_TASKS])):
        driver = in_front()
        driver.processes[APP].tasks = {task: f"t{task}" for task in range(open_tasks)}
        driver.desk_dies()
        driver.connect(APP)
        assert driver.reasons(APP) == stops
    assert (driver.receipts[0].limit, driver.receipts[0].used) == (1000.0, 1001.0)


@pytest.mark.contract("A10")
@pytest.mark.parametrize("off", ["*", APP])
def test_switched_off_begin_says_so_and_the_app_goes_on_in_front(off: str) -> None:
    driver = Driver(NOTES, background_off=frozenset({off}))
    driver.open(APP)
    (welcome,) = [each for each in driver.processes[APP].inbox if isinstance(each, wire.Welcome)]
    assert not welcome.background_available
    driver.begin(APP, 1)
    (problem,) = [each for each in driver.processes[APP].inbox if isinstance(each, wire.TaskProblem)]
    assert problem.task == 1 and "switched off" in problem.text
    assert driver.state(APP) is S.FOREGROUND
    driver.sleep(APP)
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("A11")
def test_status_shows_who_holds_what_since_when_and_how_long_yet() -> None:
    driver = in_front()
    driver.pass_time(3)
    driver.begin(APP, 1, "send a message")
    began = driver.now
    driver.sleep(APP)
    driver.pass_time(7)
    row = driver.status(APP)
    assert [(hold.kind, hold.name, hold.since) for hold in row.holds] == [("task", "send a message", began)]
    assert row.seconds_left == 23.0


@pytest.mark.contract("A13")
def test_a_wake_over_which_the_desk_dies_goes_on_with_the_time_it_had() -> None:
    """It has said nothing since it was woken, so the next desk tells it of its sleep again; its time went on."""
    driver = asleep()
    driver.handle(ev.PageVisited(APP))
    driver.pass_time(8)
    driver.desk_dies()
    driver.connect(APP)
    assert wire.Resumed in messages(driver)
    assert driver.status(APP).seconds_left == 22.0


@pytest.mark.contract("A01", "L12")
def test_with_an_empty_battery_and_power_saver_on_what_was_begun_is_finished() -> None:
    driver = in_front()
    for condition, value in (("power", "battery"), ("battery", "1"), ("power_saver", "on"), ("network", "offline")):
        driver.handle(ev.ConditionSeen(Condition(condition), value, "UPower"))
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.pass_time(24.9)
    assert driver.state(APP) is S.BACKGROUND
    driver.end(APP, 1)
    assert (driver.state(APP), driver.receipts) == (S.SUSPENDED, [])


@pytest.mark.contract("A13")
def test_a_task_is_taken_up_again_and_the_time_used_counts() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.pass_time(10)
    driver.desk_dies()
    assert not driver.processes[APP].frozen
    driver.pass_time(2)
    driver.connect(APP)
    assert driver.state(APP) is S.BACKGROUND
    assert driver.status(APP).seconds_left == 18.0
    assert [hold.name for hold in driver.status(APP).holds] == ["send"]
    assert heard(driver, wire.TimeBox)[-1] == wire.TimeBox(18.0)
    driver.pass_time(18)
    assert driver.reasons(APP) == [StopReason.TASK_NOT_ENDED]
    assert driver.receipts[0].used == 30.0


@pytest.mark.contract("A13", "A07")
@pytest.mark.parametrize("away", [4, 15])
def test_the_absence_of_the_desk_does_not_cost_the_handlers_their_time(away: float) -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.pass_time(24)
    driver.desk_dies()
    driver.pass_time(away)
    assert driver.receipts == [], "without its connection its time is not up"
    driver.connect(APP)
    driver.pass_time(0.1)
    assert heard(driver, wire.ExpireTasks) == [wire.ExpireTasks((1,), 5.0)]
    driver.end(APP, 1)
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("A05", "A06")
def test_an_app_that_cannot_be_told_is_not_stopped_for_what_it_has_not_heard() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.pass_time(20)
    driver.drop_connection(APP)
    driver.pass_time(15)
    assert (driver.state(APP), driver.receipts) == (S.BACKGROUND, [])
    driver.connect(APP)
    driver.pass_time(0.1)
    assert heard(driver, wire.ExpireTasks) == [wire.ExpireTasks((1,), 5.0)]
    driver.pass_time(5)
    assert driver.reasons(APP) == [StopReason.TASK_NOT_ENDED]


@pytest.mark.contract("A13", "A05")
def test_an_app_that_was_told_before_the_desk_died_is_told_what_is_left() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.pass_time(26)
    driver.desk_dies()
    driver.pass_time(1)
    driver.connect(APP)
    assert heard(driver, wire.ExpireTasks)[-1] == wire.ExpireTasks((1,), 3.0)


@pytest.mark.contract("A13")
def test_a_task_ended_while_the_desk_was_away_holds_nothing() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.drop_connection(APP)
    driver.processes[APP].tasks.clear()
    driver.connect(APP)
    assert driver.state(APP) is S.SUSPENDED


def test_removing_the_app_frees_its_tasks() -> None:
    driver = in_front()
    driver.begin(APP, 1)
    driver.handle(ev.AppRemoved(APP))
    assert driver.desk.assertions.open_tasks(APP) == ()
    assert driver.desk.next_wake() is None


begins_and_ends = st.lists(
    st.tuples(st.sampled_from(["begin", "end", "close", "front", "wait"]), st.integers(1, 3), st.floats(0, 12)),
    max_size=30,
)


@pytest.mark.contract("A03", "A05", "A06")
@given(begins_and_ends, st.sampled_from([Limits(), Limits(background=11.3, expiry_lead=1.7, settle=0.9)]))
def test_no_task_outlives_its_box_and_none_is_stopped_before(
    steps: list[tuple[str, int, float]], limits: Limits
) -> None:
    """Against a second, simple clock: background time since the app left the front."""
    driver = Driver(NOTES, limits=limits)
    driver.subscribe(APP, kind=PushKind.ALERT)
    driver.open(APP)
    left_front: float | None = None
    for step, task, seconds in steps:
        if driver.state(APP) is S.STOPPED:
            break
        if driver.state(APP) is S.SUSPENDED:
            driver.handle(ev.OpenAsked(APP))
            left_front = driver.now
        match step:
            case "begin":
                driver.begin(APP, task)
            case "end":
                driver.end(APP, task)
            case "close" if driver.state(APP) is S.FOREGROUND:
                driver.sleep(APP)
                left_front = driver.now
            case "front" if driver.state(APP) is S.BACKGROUND:
                driver.to_front(APP)
                left_front = None
            case "wait":
                driver.pass_time(seconds)
        if driver.state(APP) is S.BACKGROUND:
            assert left_front is not None and driver.now - left_front < limits.background
    for receipt in driver.receipts:
        assert receipt.reason is StopReason.TASK_NOT_ENDED
        assert left_front is not None
        assert receipt.at - left_front == pytest.approx(limits.background)
