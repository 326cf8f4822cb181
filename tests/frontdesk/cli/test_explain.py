"""What ``frontdesk explain`` prints: everything that stands in a task's way, with its value and when it ends."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.cli.explain import in_short, lines
from frontdesk.terms import Condition, Explanation, Obstacle, Reason, TaskKind, TaskState

NOW = datetime.datetime(2026, 3, 2, 3, 55).timestamp()
MORNING = NOW + 12_000
"""07:15, 3 h 20 min later."""

POWER = Reason(Obstacle.NO_EXTERNAL_POWER, "needs external power: on battery, 63 %", "battery", "external")
EARLY = Reason(Obstacle.TOO_EARLY, "may begin at the earliest in 3 h 20 min", until=MORNING)


def task(*reasons: Reason, app: str = "a.b", state: TaskState = TaskState.PENDING, **more: object) -> Explanation:
    said = Explanation(app, f"{app}.copy", TaskKind.PROCESSING, state, "It starts at once.", reasons)
    return type(said)(**{name: getattr(said, name) for name in said.__struct_fields__} | more)


@pytest.mark.contract("S16")
def test_each_reason_with_its_value_and_when_it_ends() -> None:
    said = lines([task(POWER, EARLY, submitted=NOW - 7200, attempt=2)], {"a.b": "Photos"}, NOW)
    assert said == [
        "Photos (a.b)",
        "  a.b.copy: processing, pending for 2 h, attempt 2",
        "    - needs external power: on battery, 63 %",
        "    - may begin at the earliest in 3 h 20 min (07:15)",
        "    Looked at as soon as one of these changes.",
    ]


@pytest.mark.contract("S16")
def test_when_time_alone_is_waited_for_the_next_look_is_told() -> None:
    assert lines([task(EARLY, next_look=MORNING)], {}, NOW)[-1] == "    Looked at next in 3 h 20 min (07:15)."


@pytest.mark.contract("S10", "S16")
def test_what_no_source_can_tell_is_said_to_be_unknown() -> None:
    said = lines([task(POWER, unknown=(Condition.METERED,))], {}, NOW)
    assert "    - metered is unknown: no source can tell; it counts as met" in said


def test_apps_are_told_one_after_the_other_and_by_their_id_when_they_have_no_name() -> None:
    said = lines([task(POWER), task(EARLY), task(POWER, app="c.d")], {"a.b": "Photos"}, NOW)
    assert [line for line in said if not line.startswith(" ")] == ["Photos (a.b)", "", "c.d (c.d)"]


def test_a_simulated_condition_says_how_it_is_lifted() -> None:
    forced = Reason(Obstacle.NO_EXTERNAL_POWER, "needs external power: on battery (simulated)", forced=True)
    assert lines([task(forced)], {}, NOW)[-1].endswith("frontdesk simulate condition --lift")
    assert "--lift" not in "".join(lines([task(POWER)], {}, NOW))


def test_what_runs_or_starts_at_once_says_so() -> None:
    running = task(state=TaskState.RUNNING, progress=0.399, submitted=NOW - 7200, text="Runs, 39 % done.")
    assert lines([running], {}, NOW)[1:] == ["  a.b.copy: processing, running", "    Runs, 39 % done."]
    assert in_short(running, NOW) == "running, 39 % done" and in_short(task(), NOW) == "starts at once"


def test_in_short_tells_what_holds_longest_and_how_many_more() -> None:
    quit = Reason(Obstacle.APP_QUIT, "you quit the app: open it again and it goes on")
    pause = Reason(Obstacle.RETRY_PAUSE, "try 2 comes after a pause, in 30 s", until=NOW + 30)
    assert in_short(task(EARLY), NOW) == "too early until 07:15"
    assert in_short(task(pause, EARLY), NOW) == "too early until 07:15 (and 1 more)"
    assert in_short(task(EARLY, POWER), NOW) == "needs external power: on battery, 63 % (and 1 more)"
    assert in_short(task(POWER, quit, EARLY), NOW).startswith("you quit the app")


@given(
    st.lists(
        st.builds(Reason, st.sampled_from(Obstacle), st.text(min_size=1), until=st.none() | st.floats(NOW, NOW + 1e7)),
        max_size=20,
    )
)
def test_no_reason_is_left_out(reasons: list[Reason]) -> None:
    said = "\n".join(lines([task(*reasons)], {}, NOW))
    assert all(reason.text in said for reason in reasons)
    assert in_short(task(*reasons), NOW)
