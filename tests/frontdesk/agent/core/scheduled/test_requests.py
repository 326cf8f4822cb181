"""The saved form of requests: what comes back is what was, by the next desk's clock, and nothing lies too far off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.core import effects as do
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.scheduled.requests import Request, Requests, Run
from frontdesk.terms import ProcessingTask, RefreshTask, Retry, TaskEnd, TaskKind

T0 = 1_700_000_000.0
APP = "org.example.feed"


def saved(requests: Requests, ahead: float = 0.0) -> dict[str, bytes]:
    saves = [effect for effect in requests.saves(ahead) if isinstance(effect, do.Save)]
    return {save.key: save.value for save in saves if save.value is not None}


def back(forms: dict[str, bytes], now: float, ahead: float = 0.0) -> Requests:
    requests = Requests(Limits())
    for value in forms.values():
        requests.restore(value)
    requests.restored(now, ahead)
    return requests


def with_one(run: Run | None = None, not_before: float | None = None) -> Requests:
    requests = Requests(Limits())
    request = requests.add(APP, ProcessingTask("tidy", retry=Retry(most=1000.0)), T0)
    request.not_before = not_before
    if run is not None:
        requests.begin_run(request, run)
    return requests


@pytest.mark.contract("S07")
def test_only_what_has_changed_is_saved() -> None:
    requests = with_one()
    requests.add(APP, RefreshTask("news"), T0)
    assert len(requests.saves(0.0)) == 2
    assert requests.saves(0.0) == []
    (first, _) = requests.of_app(APP)
    requests.changed(first)
    assert len(requests.saves(0.0)) == 1
    requests.remove(first)
    assert requests.saves(0.0) == [do.Save("scheduler", "1", None)]


@pytest.mark.contract("S07")
@given(ahead=st.integers(-100_000, 100_000), now_ahead=st.integers(-100_000, 100_000))
def test_moments_are_saved_by_the_wall_clock_and_come_back_by_the_desks(ahead: int, now_ahead: int) -> None:
    run = Run("r1", T0, 600.0, T0 + 600.0)
    forms = saved(with_one(run, T0 + 50.0), float(ahead))
    # The wall clock is right all the time: the next desk's own clock is another.
    now = T0 + ahead - now_ahead
    (request,) = back(forms, now, float(now_ahead)).of_app(APP)
    assert (request.submitted, request.not_before) == (now, now + 50.0)
    assert request.run == Run("r1", now, 600.0, now + 600.0)


@pytest.mark.contract("S07")
@given(wrong=st.integers(-(10**9), 10**9))
def test_after_a_clock_that_was_wrong_no_moment_is_further_off_than_it_can_be(wrong: int) -> None:
    run = Run("r1", T0, 600.0, T0 + 600.0, TaskEnd.IN_USE)
    (request,) = back(saved(with_one(run, T0 + 50.0)), T0 + wrong).of_app(APP)
    now = T0 + wrong
    assert request.submitted <= now
    assert request.not_before is not None
    assert request.not_before <= now + 1000.0
    assert request.run is not None
    assert request.run.began is not None
    assert request.run.began <= now
    assert request.run.deadline <= now + 600.0


@pytest.mark.contract("S07", "L07")
def test_the_pause_after_an_apps_death_is_no_longer_than_such_a_pause_is() -> None:
    requests = Requests(Limits())
    requests.add(APP, RefreshTask("news"), T0).not_before = T0 + 1e6
    (request,) = back(saved(requests), T0).of_app(APP)
    assert request.not_before == T0 + 60.0


def test_numbers_go_on_after_a_restart() -> None:
    requests = back(saved(with_one()), T0)
    assert requests.add(APP, RefreshTask("news"), T0).number == 2
    assert [request.identifier for request in requests.of_app(APP)] == ["tidy", "news"]


def test_under_one_identifier_stand_the_run_and_the_one_after_it() -> None:
    run = Run("r1")
    requests = with_one(run)
    after = requests.add(APP, RefreshTask("tidy"), T0)
    assert [each.number for each in requests.line(APP, "tidy")] == [1, 2]
    assert requests.identifiers_pending(APP, TaskKind.PROCESSING) == set()
    assert requests.identifiers_pending(APP, TaskKind.REFRESH) == {"tidy"}
    assert requests.run("r1") == (requests.line(APP, "tidy")[0], run)
    requests.remove(requests.line(APP, "tidy")[0])
    assert requests.line(APP, "tidy") == (after,)
    assert requests.running() == []
    assert requests.run("r1") is None


def test_a_request_knows_when_its_run_is_next_to_be_looked_at() -> None:
    run = Run("r1", T0, 30.0, T0 + 30.0)
    assert run.next_moment(5.0) == T0 + 25.0
    run.expired = TaskEnd.TIME_OVER
    assert run.next_moment(5.0) == T0 + 30.0
    assert Request(1, APP, RefreshTask("news"), T0, run=run).pending().state == "running"
