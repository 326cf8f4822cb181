"""How runs end: sleepers that are stopped, apps that are quit, and the receipts of all of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.terms import AppState, Condition, Manifest, ProcessingTask, StopReason
from frontdesk.wire import desk as wire
from frontdesk.wire.frames import MOST_BYTES, frame
from tests.frontdesk.agent.core.core_driver import (
    CLOCK,
    MAIL,
    NOTES,
    T0,
    Driver,
    apps_of,
    asleep,
    channel_of,
    in_front,
    launches,
    of_type,
)

APP, OTHER = NOTES.id, MAIL.id
S = AppState


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
    told = [(each.app, each.message) for each in of_type(do.Send, effects) if isinstance(each.message, wire.Quit)]
    assert apps_of(do.Kill, effects) == [CLOCK.id]
    assert told == [(OTHER, wire.Quit(2.5)), (APP, wire.Quit(2.5))]
    driver.pass_time(2.4)
    assert len(driver.receipts) == 1
    driver.pass_time(0.1)
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
    assert [(each.reason, each.limit) for each in driver.receipts] == [(StopReason.QUIT, 5.0)]
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


@pytest.mark.contract("L05", "S11", "S12")
def test_told_to_end_for_a_lost_condition_it_has_five_seconds_and_not_the_rest_of_its_time() -> None:
    album = Manifest("org.example.album", "Album", ("album",), background=("processing",), tasks=("sort",))
    driver = Driver(album)
    driver.submit(album.id, ProcessingTask("sort", requires_external_power=True))
    driver.connect(album.id)
    driver.pass_time(100)
    driver.is_now(Condition.POWER, "battery")
    assert isinstance(driver.processes[album.id].inbox[-1], wire.ExpireRuns)
    driver.pass_time(4.9)
    assert driver.receipts == []
    driver.pass_time(0.1)
    (receipt,) = driver.receipts
    assert (receipt.reason, receipt.tasks, receipt.used) == (StopReason.TASK_NOT_COMPLETED, ("sort",), 105.0)


@pytest.mark.contract("L05", "X02")
def test_of_many_runs_nobody_was_told_of_the_last_twenty_are_told() -> None:
    driver = Driver(NOTES, at_once=False)
    for _ in range(25):
        driver.handle(ev.OpenAsked(APP))
        driver.pass_time(1)
        driver.answer_launch(APP, fails=True)
    driver.handle(ev.OpenAsked(APP))
    driver.answer_launch(APP)
    driver.connect(APP)
    (welcome,) = [each for each in driver.processes[APP].inbox if isinstance(each, wire.Welcome)]
    assert [each.at for each in welcome.receipts] == [T0 + second for second in range(6, 26)]


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
def test_the_end_of_a_removed_run_is_not_that_of_the_one_launched_since() -> None:
    driver = in_front()
    driver.at_once = False
    driver.register_again(APP)
    driver.handle(ev.OpenAsked(APP))
    driver.reap(APP)
    assert driver.state(APP) is S.LAUNCHING and driver.reasons(APP) == [StopReason.REMOVED]


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
    assert [(each.reason, each.limit) for each in driver.receipts] == [(StopReason(reason), 20.0 if answers else None)]
