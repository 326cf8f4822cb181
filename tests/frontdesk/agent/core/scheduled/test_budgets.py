"""Budgets: how many refresh launches an app may have, how they spread, and that no restart or clock holds them back."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.scheduled.budgets import DAY, Budgets
from frontdesk.terms import Budget

APP = "org.example.news"
LIMITS = Limits()
T0 = 1_700_000_000.0
HOUR = 3600.0


def budgets(use: float = 1.0, limits: Limits = LIMITS) -> Budgets:
    """Of an app that is used on this share of days."""
    return Budgets(limits, lambda app, now: use)


def restored(before: Budgets, use: float = 1.0) -> Budgets:
    after = budgets(use)
    for save in before.saves():
        assert isinstance(save, do.Save)
        if save.value is not None:
            after.restore(save.key, save.value)
    return after


def asked_all_day(machine: Budgets, begin: float, days: float = 1.0) -> list[float]:
    """When an app is launched that always wants to be."""
    launches, now = list[float](), begin
    while now < begin + days * DAY:
        at = machine.next_at(APP, now)
        if at is None:
            machine.spend(APP, now)
            launches.append(now)
        else:
            assert at > now
            now = at
    return launches


@pytest.mark.contract("S15")
def test_what_can_be_saved_up_is_there_from_the_start_and_can_be_read() -> None:
    machine = budgets()
    assert machine.budget(APP, T0) == Budget(per_day=24.0, left=3.0, next_at=None)
    for left in (2.0, 1.0, 0.0):
        assert machine.next_at(APP, T0) is None
        machine.spend(APP, T0)
        assert machine.budget(APP, T0).left == left
    assert machine.budget(APP, T0) == Budget(24.0, 0.0, T0 + HOUR)
    assert machine.budget(APP, T0 + HOUR) == Budget(24.0, 1.0, None)


@pytest.mark.contract("S15")
def test_launches_are_spread_over_the_day() -> None:
    launches = asked_all_day(budgets(), T0)
    assert len(launches) == 3 + 23
    pauses = [later - sooner for sooner, later in pairwise(launches[2:])]
    assert all(pause == pytest.approx(HOUR, abs=0.1) for pause in pauses)


@pytest.mark.contract("S14", "S15")
@pytest.mark.parametrize(("use", "per_day"), [(0.0, 2.0), (0.5, 13.0), (1.0, 24.0)])
def test_an_app_that_is_used_more_is_launched_more(use: float, per_day: float) -> None:
    machine = budgets(use)
    asked_all_day(machine, T0)
    launches = asked_all_day(machine, T0 + DAY, days=10.0)
    assert len(launches) / 10.0 == pytest.approx(per_day, rel=0.06)


@pytest.mark.contract("S15")
def test_no_more_than_the_burst_can_be_saved_up() -> None:
    machine = budgets()
    machine.spend(APP, T0)
    assert machine.budget(APP, T0 + 30 * DAY).left == LIMITS.budget_burst


def test_the_budgets_of_two_apps_are_apart() -> None:
    machine = budgets()
    machine.spend(APP, T0)
    assert machine.budget("org.example.mail", T0).left == 3.0


@pytest.mark.contract("S15")
def test_what_was_spent_stays_spent_after_a_restart_and_fills_meanwhile() -> None:
    machine = budgets()
    for _ in range(3):
        machine.spend(APP, T0)
    after = restored(machine)
    assert after.budget(APP, T0 + HOUR / 2) == Budget(24.0, 0.5, T0 + HOUR)


@pytest.mark.contract("S07")
def test_a_clock_that_was_years_ahead_when_it_was_saved_holds_nothing_back() -> None:
    machine = budgets()
    machine.handle(ev.WallClock(ahead=20 * 365 * DAY, utc_offset=0.0), T0)
    for _ in range(3):
        machine.spend(APP, T0)
    after = restored(machine)
    after.handle(ev.DeskStarted(), T0 + 60)
    assert after.next_at(APP, T0 + 60) == T0 + 60 + HOUR
    assert after.next_at(APP, T0 + 60 + HOUR) is None


@pytest.mark.contract("S07", "S15")
def test_a_clock_that_was_set_forward_and_a_new_desk_give_nobody_launches() -> None:
    machine = budgets()
    for _ in range(3):
        machine.spend(APP, T0)
    before = {save.key: save for save in machine.saves() if isinstance(save, do.Save)}
    machine.handle(ev.WallClock(ahead=DAY, utc_offset=0.0), T0)
    before |= {save.key: save for save in machine.saves() if isinstance(save, do.Save)}
    after = budgets()
    for key, save in before.items():
        assert save.value is not None
        after.restore(key, save.value)
    after.handle(ev.DeskStarted(), T0 + DAY)
    assert after.budget(APP, T0 + DAY) == Budget(24.0, 0.0, T0 + DAY + HOUR)


def test_a_clock_that_is_told_again_as_it_was_saves_nothing() -> None:
    machine = budgets()
    machine.handle(ev.WallClock(ahead=60.0, utc_offset=0.0), T0)
    machine.spend(APP, T0)
    machine.saves()
    machine.handle(ev.WallClock(ahead=60.001, utc_offset=3600.0), T0 + 1)
    assert machine.saves() == []


def test_looking_at_a_budget_that_was_saved_by_a_clock_ahead_of_this_one_changes_nothing() -> None:
    machine, looked_at, left_alone = budgets(), budgets(), budgets()
    machine.handle(ev.WallClock(ahead=HOUR, utc_offset=0.0), T0)
    machine.spend(APP, T0)
    [save] = machine.saves()
    assert isinstance(save, do.Save) and save.value is not None
    for after in (looked_at, left_alone):
        after.restore(save.key, save.value)
    looked_at.budget(APP, T0)
    for after in (looked_at, left_alone):
        after.handle(ev.DeskStarted(), T0 + 60)
    looked_at.budget(APP, T0 + 70)
    for after in (looked_at, left_alone):
        after.spend(APP, T0 + HOUR / 2)
    assert looked_at.saves() == left_alone.saves()


def test_a_launch_by_hand_with_nothing_left_makes_no_debt() -> None:
    machine = budgets()
    for _ in range(10):
        machine.spend(APP, T0)
    assert machine.next_at(APP, T0) == T0 + HOUR


def test_saved_only_when_spent_and_gone_with_the_app() -> None:
    machine = budgets()
    machine.budget(APP, T0)
    assert machine.saves() == []
    machine.spend(APP, T0)
    assert len(machine.saves()) == 1
    machine.budget(APP, T0 + DAY)
    assert machine.saves() == []
    machine.handle(ev.AppRemoved(APP), T0)
    assert machine.saves() == [do.Save("budgets", APP, None)]
    machine.handle(ev.AppRemoved(APP), T0)
    assert machine.saves() == []
    assert machine.next_wake() is None


@given(st.floats(0.0, 1.0), st.floats(0.0, 3 * DAY))
def test_at_the_moment_it_names_there_is_a_launch(use: float, passed: float) -> None:
    machine = budgets(use)
    for _ in range(3):
        machine.spend(APP, T0 + 0.123)
    at = machine.next_at(APP, T0 + 0.123 + passed)
    if at is not None:
        assert at > T0 + passed
        assert machine.next_at(APP, at) is None


class AnyLife(RuleBasedStateMachine):
    """Launches as the budget allows, restarts at any moment: never more than the burst and what has filled since."""

    def __init__(self) -> None:
        super().__init__()
        self.now = T0
        self.use = 1.0
        self.saved: dict[str, bytes] = {}
        self.machine = Budgets(LIMITS, lambda app, now: self.use)
        self.launches: list[float] = []

    @rule(seconds=st.floats(0.0, 2 * DAY))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(use=st.floats(0.0, 1.0))
    def is_used_otherwise(self, use: float) -> None:
        self.use = use

    @rule()
    def wants_a_launch(self) -> None:
        if self.machine.next_at(APP, self.now) is None:
            self.machine.spend(APP, self.now)
            self.launches.append(self.now)
            for save in self.machine.saves():
                assert isinstance(save, do.Save) and save.value is not None
                self.saved[save.key] = save.value

    @rule()
    def the_desk_dies(self) -> None:
        self.machine = Budgets(LIMITS, lambda app, now: self.use)
        for key, value in self.saved.items():
            self.machine.restore(key, value)
        self.machine.handle(ev.DeskStarted(), self.now)

    @invariant()
    def bounded(self) -> None:
        for first, begin in enumerate(self.launches):
            most = LIMITS.budget_burst + (self.launches[-1] - begin) * LIMITS.budget_most / DAY
            assert len(self.launches) - first <= most + 1e-3

    @invariant()
    def says_when(self) -> None:
        budget = self.machine.budget(APP, self.now)
        assert 0.0 <= budget.left <= LIMITS.budget_burst
        assert (budget.next_at is None) == (budget.left >= 1.0)
        if budget.next_at is not None:
            assert self.now < budget.next_at <= self.now + DAY / LIMITS.budget_least


TestAnyLife = AnyLife.TestCase
