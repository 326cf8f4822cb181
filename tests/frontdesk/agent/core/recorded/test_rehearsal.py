"""Days lived again: apps answer as they did, and say nothing that nobody is there to say."""

from collections.abc import Sequence

from frontdesk.agent.core import events as ev
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.recorded.recorded_day import Answered, Done, RecordedDay
from frontdesk.agent.core.recorded.recording import FORMAT, Begun
from frontdesk.agent.core.recorded.rehearsal import Moment, Rehearsal, Shift, shifts
from frontdesk.agent.core.setup import Setup
from frontdesk.terms import (
    ExistingWork,
    Manifest,
    PushKind,
    RefreshTask,
    TaskRequest,
    Verdict,
)

T0 = 1_700_000_000.0
APP = "org.example.notes"
FRESH, UPKEEP, EXPORT = f"{APP}.fresh", f"{APP}.upkeep", f"{APP}.export"
MODES = ("push", "refresh", "processing", "continued")
NOTES = Manifest(APP, "Notes", ("notes",), background=MODES, tasks=(FRESH, UPKEEP, EXPORT))
HOUR = 3600.0

Step = tuple[float, ev.Event]
"""Seconds after the beginning, and what comes from outside."""


def day_of(
    *steps: Step,
    until: float = HOUR,
    launches: dict[str, float] | None = None,
    done: dict[tuple[str, str], list[Done]] | None = None,
    answered: dict[tuple[str, str], list[Answered]] | None = None,
) -> RecordedDay:
    begun = Begun(FORMAT, Setup(desk_version="1"), ())
    start: Sequence[Step] = [(0.0, ev.AppAdded(NOTES)), (0.0, ev.DeskStarted())]
    outside = [(T0 + after, event) for after, event in (*start, *steps)]
    takes = {APP: 2.0} if launches is None else launches
    return RecordedDay(begun, outside, T0 + until, takes, done or {}, answered or {})


def live(day: RecordedDay, limits: Limits | None = None) -> list[tuple[float, str, str]]:
    """Seconds after the beginning, what the app met, and its name."""
    return [(round(each.at - T0, 3), each.what, each.name) for each in Rehearsal(day, limits or Limits()).live()]


STOPPED_SOON = Limits(suspended=60.0)
"""Sleepers are stopped after a minute."""

SUBSCRIBED: list[Step] = [
    (10.0, ev.SubscribeAsked(APP, 1, 1, "news", PushKind.CHANGEABLE_ALERT, None, "c", "private", "public", "auth")),
    (11.0, ev.ChannelRegistered("c", "https://push.example/c")),
]


def submit(task: TaskRequest) -> ev.SubmitAsked:
    return ev.SubmitAsked(APP, 1, 1, task, ExistingWork.REPLACE)


def opened(at: float = 1.0) -> list[Step]:
    return [(at, ev.OpenAsked(APP)), (at + 3.0, ev.WentForeground(APP))]


def closed(at: float) -> list[Step]:
    return [(at, ev.WentBackground(APP))]


def test_what_is_recorded_of_no_launch_takes_half_a_second() -> None:
    later = submit(RefreshTask(FRESH, T0 + 1000.0))
    steps = [*opened(), (10.0, later), *closed(20.0)]
    for launches, at in (({APP: 2.0}, 1002.0), ({}, 1000.5)):
        day = day_of(*steps, launches=launches)
        assert live(day)[2:4] == [(1000.0, "launched", "scheduled"), (at, "task", FRESH)]


def test_an_app_sleeps_when_it_would_and_is_stopped_when_the_limits_say() -> None:
    day = day_of(*opened(), *closed(20.0))
    launched = (1.0, "launched", "opened")
    assert live(day) == [launched, (620.0, "stopped", "suspended_long")], "it says that it is ready"
    assert live(day, STOPPED_SOON) == [launched, (80.0, "stopped", "suspended_long")]


def test_a_task_asks_for_the_next_as_long_after_its_beginning_as_then_also_when_the_clock_was_set() -> None:
    again = Done(5.0, True, (), RefreshTask(FRESH, 1.0), 2 * HOUR)
    for ahead in (0.0, HOUR):
        clock = (11.0, ev.WallClock(ahead, 0.0))
        steps = [*opened(), (10.0, submit(RefreshTask(FRESH))), clock, *closed(20.0)]
        day = day_of(*steps, until=3 * HOUR, done={(APP, FRESH): [again, Done(1.0, True)]})
        tasks = [at for at, what, _ in live(day) if what == "task"]
        assert tasks == [20.0, 20.0 + 2 * HOUR + 2.0]


def test_pushes_take_as_long_as_they_took_in_their_order_and_half_a_second_where_none_did() -> None:
    arrive = [(at, ev.PushArrived("c", f"v{at}", b"x", None)) for at in (100.0, 300.0)]
    took = [Answered(seconds, Verdict.SHOW_NOTHING, None) for seconds in (3.0, 9.0)]
    for answered, ends in ((took, (165.0, 371.0)), (took[:1], (165.0, 365.0)), ([], (162.5, 362.5))):
        day = day_of(*opened(), *SUBSCRIBED, *closed(20.0), *arrive, answered={(APP, "news"): answered})
        met = [at for at, what, _ in live(day, STOPPED_SOON) if what == "stopped"]
        assert met == [80.0, *ends]


def test_whoever_came_while_it_is_still_being_launched_here_is_there_when_it_has_been() -> None:
    """In the log it slept and was there at once; here it was stopped, and takes two seconds."""
    push = (600.0, ev.PushArrived("c", "v1", b"x", None))
    steps = [*opened(), *SUBSCRIBED, *closed(20.0), push, (601.0, ev.WentForeground(APP)), *closed(700.0)]
    assert live(day_of(*steps), STOPPED_SOON)[2:] == [(600.0, "launched", "push"), (760.0, "stopped", "suspended_long")]


def test_whoever_came_when_it_did_not_run_here_sees_it_as_soon_as_it_does() -> None:
    push = (600.0, ev.PushArrived("c", "v1", b"x", None))
    steps = [*opened(), *SUBSCRIBED, *closed(20.0), (300.0, ev.WentForeground(APP)), push]
    launched = (600.0, "launched", "push")
    assert live(day_of(*steps, *closed(700.0)), STOPPED_SOON)[2:] == [launched, (760.0, "stopped", "suspended_long")]
    left = [*steps, *closed(400.0), *closed(700.0)]
    assert live(day_of(*sorted(left, key=lambda step: step[0])), STOPPED_SOON)[2:] == [
        launched,
        (662.5, "stopped", "suspended_long"),
    ]


def test_it_dies_here_as_it_died_there_and_a_death_that_was_not_here_is_none() -> None:
    died = (30.0, ev.Exited(APP, 4711, -11))
    launched = (1.0, "launched", "opened")
    assert live(day_of(*opened(), died)) == [launched, (30.0, "stopped", "crashed")]
    late = (300.0, ev.Exited(APP, 4711, -11))
    stopped = (80.0, "stopped", "suspended_long")
    assert live(day_of(*opened(), *closed(20.0), late), STOPPED_SOON) == [launched, stopped]


def test_who_was_started_by_hand_is_so_again_unless_it_runs_already() -> None:
    by_hand = ev.Connected(APP, 4711, 1, "run", launched=False, foreground=True)
    died = (50.0, ev.Exited(APP, 4711, -11))
    assert live(day_of((1.0, by_hand), (20.0, ev.WentBackground(APP)))) == [(620.0, "stopped", "suspended_long")]
    assert live(day_of((1.0, by_hand), died)) == [(50.0, "stopped", "crashed")]
    twice = day_of(*opened(), (10.0, by_hand), *closed(20.0))
    assert live(twice) == [(1.0, "launched", "opened"), (620.0, "stopped", "suspended_long")]


def test_it_leaves_when_it_is_told_to() -> None:
    assert live(day_of(*opened(), (30.0, ev.QuitAsked(APP)))) == [
        (1.0, "launched", "opened"),
        (30.0, "stopped", "quit"),
    ]


def test_it_ends_its_background_tasks_and_its_work_when_it_is_told_that_time_is_up() -> None:
    task = [(10.0, ev.TaskBegun(APP, 1, "hold on")), *closed(20.0)]
    assert live(day_of(*opened(), *task))[1:] == [(645.0, "stopped", "suspended_long")]
    endless = {(APP, FRESH): [Done(10 * HOUR, True)]}
    day = day_of(*opened(), (10.0, submit(RefreshTask(FRESH, T0 + 100.0))), *closed(20.0), done=endless, until=900.0)
    assert live(day, STOPPED_SOON)[2:] == [
        (100.0, "launched", "scheduled"),
        (102.0, "task", FRESH),
        (187.0, "stopped", "suspended_long"),
    ]


def test_shifts_are_told_from_half_a_second_on() -> None:
    def met(at: float) -> list[Moment]:
        return [Moment(T0 + at, APP, "task", FRESH)]

    assert shifts(met(0.0), met(0.4)) == []
    assert shifts(met(1.0), met(0.0)) == [Shift(APP, "task", FRESH, T0 + 1.0, T0)]
