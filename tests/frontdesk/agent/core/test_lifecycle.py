"""The life of each app: launched, frozen, thawed, stopped, and what it and the person are told of it."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.dispatcher import Dispatcher
from frontdesk.agent.core.life import MOVES
from frontdesk.agent.core.limits import Limits
from frontdesk.terms import AppState, StopReason, WakeReason
from frontdesk.wire import desk as wire
from frontdesk.wire.frames import MOST_BYTES, frame
from tests.frontdesk.agent.core.core_driver import CLOCK, MAIL, NOTES, T0, TABLE, Driver, apps_of, channel_of, of_type

APP, OTHER = NOTES.id, MAIL.id
S = AppState


def in_front(*, limits: Limits | None = None) -> Driver:
    driver = Driver(NOTES, MAIL, limits=limits)
    driver.open(APP)
    return driver


def asleep() -> Driver:
    driver = in_front()
    driver.sleep(APP)
    assert driver.state(APP) is S.SUSPENDED
    driver.processes[APP].inbox.clear()
    return driver


def launches(effects: list[do.Effect]) -> list[str]:
    return [effect.app for effect in of_type(do.Launch, effects)]


def messages(driver: Driver, app: str = APP) -> list[type]:
    return [type(each) for each in driver.processes[app].inbox]


# --- leaving the foreground (L01) ---------------------------------------------------------------------------------


@pytest.mark.contract("L01")
def test_it_is_told_of_the_background_and_suspended_when_ready() -> None:
    driver = in_front()
    driver.processes[APP].inbox.clear()
    driver.close(APP)
    assert driver.processes[APP].inbox == [wire.EnteredBackground(1), wire.TimeBox(30.0)]
    assert driver.state(APP) is S.BACKGROUND
    assert [hold.kind for hold in driver.status(APP).holds] == ["settling"]
    effects = driver.ready(APP)
    assert apps_of(do.Freeze, effects) == [APP]
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("L01")
def test_without_an_answer_it_is_suspended_after_five_seconds() -> None:
    driver = in_front()
    driver.close(APP)
    driver.pass_time(4.9)
    assert driver.state(APP) is S.BACKGROUND
    driver.pass_time(0.1)
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("L01")
def test_the_ready_of_an_earlier_time_does_not_count() -> None:
    driver = in_front()
    driver.close(APP)
    driver.to_front(APP)
    driver.close(APP)
    driver.handle(ev.SaidReady(APP, 1))
    assert driver.state(APP) is S.BACKGROUND
    driver.handle(ev.SaidReady(APP, 2))
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("L01")
def test_coming_back_in_time_it_is_not_suspended() -> None:
    driver = in_front()
    driver.close(APP)
    driver.pass_time(4.9)
    driver.to_front(APP)
    driver.pass_time(3600)
    assert driver.state(APP) is S.FOREGROUND


@pytest.mark.contract("L01")
def test_the_effects_name_the_very_process_and_whether_its_group_is_ours() -> None:
    driver = asleep()
    (freeze,) = of_type(do.Freeze, driver.effects)
    process = driver.processes[APP]
    assert (freeze.process.pid, freeze.process.started, freeze.process.launched) == (process.pid, process.started, True)


# --- the table (L02) ----------------------------------------------------------------------------------------------


@pytest.mark.contract("L02")
def test_the_table_of_the_core_is_that_of_the_contract() -> None:
    assert {(before, after) for before, moves in MOVES.items() for after in moves} == TABLE


@pytest.mark.contract("L02")
def test_every_move_of_the_table_does_happen() -> None:
    driver = Driver(NOTES)
    driver.open(APP)  # stopped → launching → background → foreground
    driver.sleep(APP)  # foreground → background → suspended
    driver.open(APP)  # suspended → background
    driver.exit(APP, 0)  # foreground → stopped
    driver.handle(ev.OpenAsked(APP))
    driver.exit(APP, 1)  # launching → stopped
    driver.open(APP)
    driver.close(APP)
    driver.exit(APP, 0)  # background → stopped
    driver.open(APP)
    driver.sleep(APP)
    driver.exit(APP, -9)  # suspended → stopped
    assert {(before, after) for _, before, after in driver.moves} == TABLE


@pytest.mark.contract("L02")
def test_a_move_that_is_not_in_the_table_is_refused_by_the_one_door() -> None:
    driver = asleep()
    life = driver.desk.lifecycle.life(APP)
    assert life is not None
    with pytest.raises(AssertionError, match="L02"):
        driver.desk.lifecycle._lives.move(life, S.FOREGROUND, driver.now)


# --- stopping sleepers (L03) --------------------------------------------------------------------------------------


@pytest.mark.contract("L03", "L05")
def test_after_ten_minutes_asleep_it_is_stopped() -> None:
    driver = asleep()
    driver.pass_time(599.9)
    assert driver.state(APP) is S.SUSPENDED
    driver.pass_time(0.1)
    assert driver.state(APP) is S.STOPPED
    (receipt,) = driver.receipts
    assert (receipt.reason, receipt.limit, receipt.used) == (StopReason.SUSPENDED_LONG, 600.0, 600.0)


@pytest.mark.contract("L03")
@given(st.floats(0, 10**6))
def test_no_rounding_of_moments_keeps_it_from_being_stopped_or_the_desk_from_rest(offset: float) -> None:
    driver = Driver(NOTES)
    driver.now += offset
    driver.open(APP)
    driver.sleep(APP)
    driver.pass_time(601)
    assert driver.reasons(APP) == [StopReason.SUSPENDED_LONG]


@pytest.mark.contract("L03")
def test_short_memory_stops_who_slept_longest_and_never_who_runs() -> None:
    driver = Driver(NOTES, MAIL, CLOCK)
    driver.open(CLOCK.id)
    for app in (OTHER, APP):
        driver.open(app)
        driver.sleep(app)
        driver.pass_time(10)
    driver.handle(ev.MemoryShort())
    assert [(each.app, each.reason) for each in driver.receipts] == [(OTHER, StopReason.MEMORY_PRESSURE)]
    driver.handle(ev.MemoryShort())
    assert [each.app for each in driver.receipts] == [OTHER, APP]
    driver.handle(ev.MemoryShort())
    assert driver.state(CLOCK.id) is S.FOREGROUND
    assert len(driver.receipts) == 2


@pytest.mark.contract("L03")
def test_least_recently_used_counts_from_the_last_use_not_from_the_launch() -> None:
    driver = Driver(NOTES, MAIL)
    for app in (APP, OTHER):
        driver.open(app)
        driver.sleep(app)
        driver.pass_time(10)
    driver.open(APP)
    driver.sleep(APP)
    driver.handle(ev.MemoryShort())
    assert [each.app for each in driver.receipts] == [OTHER]


@pytest.mark.contract("L03")
def test_at_logout_sleepers_go_first_and_the_app_in_front_last() -> None:
    driver = Driver(NOTES, MAIL, CLOCK)
    driver.open(APP)
    driver.open(OTHER)
    driver.begin(OTHER, 1)
    driver.sleep(OTHER)
    driver.open(CLOCK.id)
    driver.sleep(CLOCK.id)
    effects = driver.handle(ev.DeskStopping())
    told = [effect.app for effect in effects if isinstance(effect, do.Send) and isinstance(effect.message, wire.Quit)]
    assert apps_of(do.Kill, effects) == [CLOCK.id]
    assert told == [OTHER, APP]
    driver.pass_time(Limits().quit)
    assert {each.reason for each in driver.receipts} == {StopReason.LOGOUT}
    assert len(driver.receipts) == 3


# --- quit (L04) ---------------------------------------------------------------------------------------------------


@pytest.mark.contract("L04")
def test_quit_tells_the_app_and_waits_five_seconds() -> None:
    driver = in_front()
    driver.handle(ev.QuitAsked(APP))
    assert driver.processes[APP].inbox[-1] == wire.Quit(5.0)
    driver.pass_time(4.9)
    assert driver.receipts == []
    driver.pass_time(0.1)
    assert driver.reasons(APP) == [StopReason.QUIT]
    assert driver.status(APP).quit


@pytest.mark.contract("L04")
def test_leaving_in_time_counts_as_quit_whatever_its_exit_status() -> None:
    driver = in_front()
    driver.handle(ev.QuitAsked(APP))
    driver.exit(APP, 1)
    assert driver.reasons(APP) == [StopReason.QUIT]


@pytest.mark.contract("L04")
def test_what_called_the_page_while_the_app_left_does_not_open_it_again() -> None:
    """A tab that had just been loaded asks for its icon, say; nobody hears of it as of a visitor."""
    driver = in_front()
    driver.handle(ev.QuitAsked(APP))
    effects = driver.exit(APP, 0)
    assert [each for each in effects if isinstance(each, do.TurnAway | do.WatchPage)] == [
        do.TurnAway(APP),
        do.WatchPage(APP, on=True),
    ]


@pytest.mark.contract("L04", "L11")
def test_no_visitor_is_turned_away_from_an_app_that_was_opened_again_or_not_quit() -> None:
    driver = in_front()
    driver.handle(ev.QuitAsked(APP), ev.OpenAsked(APP))
    assert of_type(do.TurnAway, driver.exit(APP, 0)) == []
    driver.connect(APP)
    assert of_type(do.TurnAway, driver.exit(APP, 0)) == []


@pytest.mark.contract("L04")
def test_quit_withdraws_background_launches_until_the_person_opens_it() -> None:
    driver = asleep()
    driver.subscribe(APP)
    driver.handle(ev.QuitAsked(APP))
    assert driver.reasons(APP) == [StopReason.QUIT]
    assert launches(driver.push(APP)) == []
    assert driver.handle(ev.ChannelRegistered(channel_of(APP), "https://push.example/other"))
    assert driver.state(APP) is S.STOPPED
    driver.open(APP)
    assert not driver.status(APP).quit
    driver.sleep(APP)
    driver.pass_time(3600)
    assert launches(driver.push(APP)) == [APP]


@pytest.mark.contract("L04")
@pytest.mark.parametrize("how", ["page", "notification", "by hand"])
def test_every_way_to_open_it_ends_quit(how: str) -> None:
    driver = asleep()
    driver.handle(ev.QuitAsked(APP))
    match how:
        case "page":
            assert APP in driver.watched
            driver.handle(ev.PageVisited(APP))
        case "notification":
            driver.handle(ev.ActAsked(APP, "n1", ""))
        case _:
            driver.start_by_hand(APP)
    assert not driver.status(APP).quit
    assert driver.state(APP) is not S.STOPPED


@pytest.mark.contract("L04")
def test_a_stop_by_the_desk_leaves_it_launchable() -> None:
    driver = asleep()
    driver.subscribe(APP)
    driver.handle(ev.MemoryShort())
    assert driver.state(APP) is S.STOPPED
    assert launches(driver.push(APP)) == [APP]


@pytest.mark.contract("L04")
def test_quit_while_it_is_being_launched_stops_it_too() -> None:
    driver = Driver(NOTES, at_once=False)
    driver.handle(ev.OpenAsked(APP))
    driver.handle(ev.QuitAsked(APP))
    assert apps_of(do.Kill, driver.answer_launch(APP)) == [APP]
    driver.reap(APP)
    assert driver.reasons(APP) == [StopReason.QUIT]
    assert driver.state(APP) is S.STOPPED


@pytest.mark.contract("L04")
def test_opened_again_while_it_still_leaves_it_comes_back() -> None:
    driver = in_front()
    driver.handle(ev.QuitAsked(APP))
    driver.handle(ev.OpenAsked(APP))
    effects = driver.exit(APP, 0)
    assert launches(effects) == [APP]
    assert not driver.status(APP).quit


@pytest.mark.contract("L04", "L06")
def test_a_quit_survives_the_desk_that_was_asked() -> None:
    driver = in_front()
    driver.handle(ev.QuitAsked(APP))
    driver.desk_dies()
    driver.connect(APP)
    driver.pass_time(5)
    assert driver.reasons(APP) == [StopReason.QUIT]
    assert driver.status(APP).quit


# --- receipts (L05) -----------------------------------------------------------------------------------------------


@pytest.mark.contract("L05")
def test_a_receipt_says_why_when_which_limit_and_how_much() -> None:
    driver = in_front()
    driver.begin(APP, 1, "send")
    driver.sleep(APP)
    pid = driver.processes[APP].pid
    driver.pass_time(30)
    (receipt,) = driver.receipts
    assert (receipt.app, receipt.reason, receipt.at) == (APP, StopReason.TASK_NOT_ENDED, T0 + 30)
    assert (receipt.limit, receipt.used, receipt.tasks) == (30.0, 30.0, ("send",))
    assert (receipt.pid, receipt.ran_since) == (pid, T0)
    assert receipt.text.endswith(".")
    assert driver.status(APP).last_receipt == receipt


@pytest.mark.contract("L05", "X02")
def test_the_receipt_of_a_run_fits_into_the_next_welcome_whatever_its_tasks_were_called() -> None:
    driver = in_front()
    for task in range(1000):
        driver.begin(APP, task, "\N{CRAB}" * 1000)
    driver.close(APP)
    driver.pass_time(driver.limits.background)
    assert driver.reasons(APP) == [StopReason.TASK_NOT_ENDED]
    driver.open(APP)
    (welcome,) = [each for each in driver.processes[APP].inbox if isinstance(each, wire.Welcome)]
    assert welcome.receipts[0].tasks[0].startswith("\N{CRAB}")
    assert len(frame(wire.encode(welcome))) < MOST_BYTES / 20  # untold receipts, at most


@pytest.mark.contract("L05")
def test_the_next_run_is_told_once() -> None:
    driver = in_front()
    driver.exit(APP, 1)
    driver.open(APP)
    (welcome,) = [each for each in driver.processes[APP].inbox if isinstance(each, wire.Welcome)]
    assert [each.reason for each in welcome.receipts] == [StopReason.CRASHED]
    driver.drop_connection(APP)
    driver.connect(APP)
    driver.exit(APP, 0)
    driver.open(APP)
    (welcome,) = [each for each in driver.processes[APP].inbox if isinstance(each, wire.Welcome)]
    assert [each.reason for each in welcome.receipts] == [StopReason.EXITED]


@pytest.mark.contract("L05", "L06")
def test_the_next_run_is_told_also_by_the_next_desk() -> None:
    driver = in_front()
    driver.exit(APP, -11)
    driver.desk_dies()
    driver.open(APP)
    (welcome,) = [each for each in driver.processes[APP].inbox if isinstance(each, wire.Welcome)]
    assert [each.reason for each in welcome.receipts] == [StopReason.CRASHED]


@pytest.mark.contract("L05")
@pytest.mark.parametrize(
    ("status", "reason"),
    [(0, StopReason.EXITED), (3, StopReason.CRASHED), (-11, StopReason.CRASHED), (None, StopReason.EXITED)],
)
def test_an_end_of_its_own_has_a_receipt_too(status: int | None, reason: StopReason) -> None:
    driver = in_front()
    driver.exit(APP, status)
    assert driver.reasons(APP) == [reason]


@pytest.mark.contract("L05")
def test_removing_a_running_app_leaves_a_receipt() -> None:
    driver = in_front()
    effects = driver.handle(ev.AppRemoved(APP))
    assert apps_of(do.Kill, effects) == [APP]
    assert driver.reasons(APP) == [StopReason.REMOVED]


@pytest.mark.contract("L05")
@pytest.mark.parametrize("registered_again", [False, True])
def test_removed_in_the_moment_of_its_launch_the_process_is_killed_when_it_comes(registered_again: bool) -> None:
    driver = Driver(NOTES, at_once=False)
    driver.handle(ev.OpenAsked(APP))
    token = driver.launching[APP]
    driver.handle(ev.AppRemoved(APP))
    assert driver.reasons(APP) == [StopReason.REMOVED]
    if registered_again:
        driver.handle(ev.AppAdded(NOTES))
    (killed,) = of_type(do.Kill, driver.answer_launch(APP))
    # The token is what finds the family of a process that is gone before it can be looked at.
    assert killed.process.launched and killed.process.token == token
    driver.reap(APP)
    assert not driver.processes and (
        driver.state(APP) is S.STOPPED if registered_again else not driver.desk.statuses(0)
    )


@pytest.mark.contract("L05")
def test_a_launch_that_failed_for_a_removed_app_says_nothing_of_the_one_registered_since() -> None:
    driver = Driver(NOTES, at_once=False)
    driver.handle(ev.OpenAsked(APP))
    first = driver.launching.pop(APP)
    driver.handle(ev.AppRemoved(APP), ev.AppAdded(NOTES), ev.OpenAsked(APP))
    driver.handle(ev.LaunchFailed(APP, first, "no such program"))
    assert driver.state(APP) is S.LAUNCHING
    driver.answer_launch(APP)
    driver.connect(APP)
    assert driver.state(APP) is S.BACKGROUND


@pytest.mark.contract("L05")
@pytest.mark.parametrize("removed", [False, True])
def test_the_keeper_is_told_that_an_end_was_seen_only_when_its_receipt_is_kept(removed: bool) -> None:
    driver = in_front()
    pid = driver.processes[APP].pid
    if removed:
        driver.at_once = False
        driver.handle(ev.AppRemoved(APP))
        effects = driver.reap(APP)
    else:
        effects = driver.exit(APP, 3)
        assert of_type(do.KeepReceipt, effects)
    assert of_type(do.ExitSeen, effects) == [do.ExitSeen(pid)] and do.ExitSeen.after_save


def test_of_an_end_that_the_keeper_did_not_report_it_is_told_nothing() -> None:
    driver = in_front()
    assert not of_type(do.ExitSeen, driver.exit(APP, None))


@pytest.mark.contract("L05")
@pytest.mark.parametrize(("answers", "reason"), [(True, "launch_timed_out"), (False, "launch_failed")])
def test_a_launch_that_leads_to_nothing_has_its_own_reason(answers: bool, reason: str) -> None:
    driver = Driver(NOTES, at_once=False)
    driver.handle(ev.OpenAsked(APP))
    driver.answer_launch(APP, fails=not answers)
    if answers:
        driver.pass_time(19.9)
        assert driver.receipts == []
        driver.pass_time(0.1)
        driver.reap(APP)
    assert driver.reasons(APP) == [StopReason(reason)]


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
    driver.desk = Dispatcher(driver.limits, lambda: "another token")
    for (machine, key), value in driver.saved.items():
        driver.desk.restore(machine, key, value)
    driver.handle(ev.AppAdded(NOTES), ev.Exited(NOTES.id, ended.pid, 0), ev.DeskStarted())
    assert driver.reasons(NOTES.id) == [StopReason.EXITED]
    assert driver.state(NOTES.id) is AppState.LAUNCHING
    driver.connect(NOTES.id)
    assert len(driver.pushes(NOTES.id)) == 1
