"""What a page shows of scheduled tasks and conditions: every reason, nothing made up unmarked, nothing as markup."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.dashboard.scheduled import conditions, launches_left, scheduled_tasks
from frontdesk.terms import (
    AppState,
    AppStatus,
    Budget,
    Condition,
    Explanation,
    Obstacle,
    Reading,
    Reason,
    TaskKind,
    TaskState,
)

NOW = datetime.datetime(2026, 3, 2, 22, 0).timestamp()


def app(*tasks: Explanation, more: int = 0) -> AppStatus:
    return AppStatus("a.b", "Photos", AppState.STOPPED, NOW, tasks=tasks, more_tasks=more)


def task(*reasons: Reason, state: TaskState = TaskState.PENDING, progress: float | None = None) -> Explanation:
    return Explanation("a.b", "a.b.copy", TaskKind.PROCESSING, state, "It waits.", reasons, progress=progress)


@pytest.mark.contract("S16")
def test_each_reason_stands_there_with_its_value_or_its_end() -> None:
    power = Reason(Obstacle.NO_EXTERNAL_POWER, "needs external power: on battery, 63 %")
    early = Reason(Obstacle.TOO_EARLY, "may begin at the earliest in 9 h", until=NOW + 9 * 3600)
    html = scheduled_tasks(app(task(power, early)), NOW)
    assert '<b title="a.b.copy">copy</b> · processing task' in html
    assert "<li>needs external power: on battery, 63 %</li><li>too early until tomorrow 07:00</li>" in html


@pytest.mark.contract("S16")
def test_a_simulated_condition_is_marked() -> None:
    forced = Reason(Obstacle.NO_NETWORK, "needs a network: offline (simulated)", forced=True)
    html = scheduled_tasks(app(task(forced)), NOW)
    assert 'needs a network: offline <span class="tk-simulated">simulated</span>' in html


def test_what_runs_what_starts_and_what_is_left_out() -> None:
    running = scheduled_tasks(app(task(state=TaskState.RUNNING, progress=0.25)), NOW)
    assert "running, 25 % done" in running and 'data-state="running"' in running
    assert "starts at once" in scheduled_tasks(app(task()), NOW)
    assert scheduled_tasks(app(task(), more=3), NOW).endswith("<li>and 3 more</li></ul>")
    assert scheduled_tasks(app(), NOW) == ""


@pytest.mark.contract("S15")
def test_a_budget_says_what_is_left_and_when_the_next_is_due() -> None:
    assert launches_left(Budget(6.0, 2.9), NOW) == "2 now, 6 a day"
    assert launches_left(Budget(2.5, 0.2, NOW + 60), NOW) == "0 now, 2.5 a day, the next at 22:01:00"


@pytest.mark.contract("S10")
def test_conditions_say_their_source_what_is_unknown_and_what_is_really_so() -> None:
    html = conditions(
        (
            Reading(Condition.POWER, "battery", "UPower", NOW, forced=True, seen="external"),
            Reading(Condition.BATTERY, "63", "UPower", NOW),
            Reading(Condition.METERED),
        ),
        NOW,
    )
    assert (
        '<dd>battery <span class="tk-simulated">simulated</span><small>really external, says UPower</small></dd>'
        in html
    )
    assert "<dd>63 %<small>UPower</small></dd>" in html
    assert "<dd>unknown<small>no source can tell; counts as met</small></dd>" in html
    assert conditions((), NOW) == ""


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_words_from_outside_are_text(identifier: str, text: str, source: str) -> None:
    reason = Reason(Obstacle.OTHERS_RUN, f"<i>{text}")
    each = Explanation("a.b", f"<i>{identifier}", TaskKind.REFRESH, TaskState.PENDING, "", (reason,))
    html = scheduled_tasks(app(each), NOW) + conditions((Reading(Condition.IDLE, "yes", f"<i>{source}"),), NOW)
    assert "<i>" not in html
