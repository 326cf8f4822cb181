"""A log taken apart: what came from outside, how long launches took, and how each task and push was done."""

from collections.abc import Sequence

import pytest

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.recorded.recorded_day import Answered, Done, RecordedDay, asked_again, take_apart
from frontdesk.agent.core.recorded.recording import LogBroken, Recording, read
from frontdesk.agent.core.setup import Setup
from frontdesk.terms import ContinuedTask, ExistingWork, RefreshTask, TaskKind, Verdict
from frontdesk.wire import desk as wire

T0 = 1_700_000_000.0
APP, OTHER = "org.example.notes", "org.example.mail"
FRESH = f"{APP}.fresh"
LAUNCHED = do.Process(10, 1, launched=True, token="token")

Step = tuple[float, Sequence[ev.Event], Sequence[do.Effect]]
"""Seconds after the beginning, what happened, and what the desk decided."""


def apart(*steps: Step) -> RecordedDay:
    recording = Recording()
    log = recording.begun(Setup(desk_version="1"), ())
    for after, events, effects in steps:
        log += recording.batch(T0 + after, events, (), effects, None)
    return take_apart(read(log))


def outside(*steps: Step) -> list[tuple[float, ev.Event]]:
    return [(at - T0, event) for at, event in apart(*steps).outside]


def hello(app: str = APP, pid: int = 10) -> ev.Connected:
    return ev.Connected(app, pid, 1, f"run-{pid}", launched=True, foreground=False)


def given(run: str, identifier: str = FRESH, app: str = APP) -> do.Send:
    return do.Send(app, wire.RunTasks((wire.TaskRun(run, identifier, TaskKind.REFRESH),), 30.0))


def submit(task: RefreshTask | ContinuedTask) -> ev.SubmitAsked:
    return ev.SubmitAsked(APP, 1, 1, task, ExistingWork.REPLACE)


def test_nothing_is_no_day() -> None:
    with pytest.raises(LogBroken, match="The log is empty"):
        take_apart(())


def test_what_people_and_machine_do_is_from_outside_and_what_follows_from_decisions_is_not() -> None:
    opened, closed = ev.OpenAsked(APP), ev.WentBackground(APP)
    followed = [ev.TimePassed(), ev.Disconnected(APP), ev.SaidReady(APP, 1), ev.Consumed(APP, 10, 1.0, 1)]
    assert outside((1, [opened], []), (2, followed, []), (3, [closed], [])) == [(1, opened), (3, closed)]
    assert apart((7, [ev.TimePassed()], [])).until == T0 + 7


def test_a_launch_takes_as_long_as_its_hello_and_that_is_no_news_from_outside() -> None:
    day = apart(
        (0, [ev.OpenAsked(APP)], [do.Launch(APP, "token")]),
        (1, [ev.Launched(APP, "token", 10, 1)], []),
        (4, [hello()], []),
        (9, [hello()], []),  # it comes back to the desk: no launch
        (20, [ev.OpenAsked(APP)], [do.Launch(APP, "token")]),
        (21, [ev.Launched(APP, "token", 11, 1), hello(pid=11)], []),
    )
    assert day.launches == {APP: 2.5}
    assert [type(event) for _, event in day.outside] == [ev.OpenAsked, ev.OpenAsked]


def test_who_is_started_by_hand_comes_from_outside() -> None:
    assert outside((3, [hello()], [])) == [(3, hello())]


@pytest.mark.parametrize(
    "told", [do.Kill(APP, LAUNCHED), do.Send(APP, wire.Quit(5.0))], ids=["killed", "told to leave"]
)
def test_an_end_that_the_desk_wanted_is_not_from_outside_and_any_other_is(told: do.Effect) -> None:
    end, crash = ev.Exited(APP, 10, 0), ev.Exited(APP, 11, -11)
    assert outside((1, [ev.TimePassed()], [told]), (2, [end], []), (3, [crash], [])) == [(3, crash)]
    other = ev.Exited(OTHER, 12, 0)
    assert outside((1, [ev.TimePassed()], [told]), (2, [other], [])) == [(2, other)]


def test_a_task_is_known_by_its_time_its_end_and_its_progress_on_the_way() -> None:
    half = ev.ProgressTold(APP, "a", 1, 2, "Export", "half")
    day = apart(
        (0, [ev.TimePassed()], [given("a")]),
        (30, [half, ev.ProgressTold(APP, "unknown", 1, 2, "", "")], []),
        (70, [ev.RunCompleted(APP, "a", success=False), ev.RunCompleted(APP, "unknown", success=True)], []),
        (100, [ev.TimePassed()], [given("b"), given("c", "other", OTHER)]),
        (101, [ev.RunCompleted(APP, "b", success=True)], []),
    )
    assert day.done == {(APP, FRESH): [Done(70.0, False, ((30.0, half),)), Done(1.0, True)]}
    assert day.outside == []


def test_what_a_task_asks_for_is_asked_again_by_the_next_that_is_lived_wherever_the_clocks_stand() -> None:
    again = RefreshTask(FRESH, T0 + 500.0 + 7200.0)
    clock = ev.WallClock(ahead=500.0, utc_offset=0.0)
    day = apart(
        (0, [clock], [given("a")]),
        (1, [submit(again)], []),
        (2, [ev.RunCompleted(APP, "a", success=True)], []),
        (3, [submit(again)], []),
    )
    (done,) = day.done[APP, FRESH]
    assert (done.again, done.again_in) == (again, 7200.0)
    assert day.outside == [(T0, clock), (T0 + 3, submit(again))], "only what no task asked for comes by itself"
    assert asked_again(done, T0 + 86400.0, 60.0) == RefreshTask(FRESH, T0 + 86400.0 + 7200.0 + 60.0)


def test_what_has_no_beginning_is_asked_again_as_it_was() -> None:
    for again in (RefreshTask(FRESH), ContinuedTask(FRESH, title="Export")):
        (done,) = apart(
            (0, [ev.TimePassed()], [given("a")]),
            (1, [submit(again), ev.RunCompleted(APP, "a", success=True)], []),
        ).done[APP, FRESH]
        assert asked_again(done, T0, 0.0) == again
    assert asked_again(Done(1.0, True), T0, 0.0) is None


def test_a_run_that_its_app_died_over_was_not_done_and_asks_for_nothing_any_more() -> None:
    asked = submit(RefreshTask(FRESH))
    day = apart(
        (0, [ev.TimePassed()], [given("a"), given("b", "other", OTHER)]),
        (1, [ev.Exited(APP, 10, -9)], []),
        (2, [asked, ev.RunCompleted(APP, "a", success=True), ev.RunCompleted(OTHER, "b", success=True)], []),
    )
    assert list(day.done) == [(OTHER, "other")]
    assert day.outside == [(T0 + 1, ev.Exited(APP, 10, -9)), (T0 + 2, asked)]


def test_a_push_is_known_by_its_verdict_and_the_time_to_it() -> None:
    push = wire.Push("p1", "news", b"what was said", T0)
    answer = ev.PushAnswered(APP, "p1", Verdict.SHOW_NOTHING, None)
    day = apart((0, [ev.TimePassed()], [do.Send(APP, push)]), (7, [answer], []), (8, [answer], []))
    assert day.answered == {(APP, "news"): [Answered(7.0, Verdict.SHOW_NOTHING, None)]}
    assert day.outside == []
