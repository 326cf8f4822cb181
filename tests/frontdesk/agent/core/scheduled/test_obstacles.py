"""What stands in the way of a request, in words with the present value (contract S16)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.core import events as ev
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.machine.conditions import Conditions
from frontdesk.agent.core.scheduled.obstacles import (
    Moments,
    in_words,
    next_look,
    of_app,
    of_machine,
    of_places,
    of_time,
    unknown,
)
from frontdesk.terms import VALUES, Budget, Condition, Obstacle, Reason, Requirement, TaskKind

C, R = Condition, Requirement
LIMITS = Limits()
NOW = 1_700_000_000.0


def machine(**values: str) -> Conditions:
    conditions = Conditions()
    for name, value in values.items():
        conditions.handle(ev.ConditionSeen(Condition(name), value, "test"), NOW)
    return conditions


def texts(conditions: Conditions, *requires: Requirement) -> list[str]:
    return [reason.text for reason in of_machine(frozenset(requires), conditions, LIMITS)]


@pytest.mark.contract("S16", "S10")
def test_each_condition_is_said_with_its_present_value() -> None:
    battery = machine(power="battery", battery="63")
    assert texts(battery, R.EXTERNAL_POWER) == ["needs external power: on battery, 63 %"]
    assert texts(machine(power="battery"), R.EXTERNAL_POWER) == ["needs external power: on battery"]
    low = machine(power="battery", battery="25")
    assert texts(low, R.BATTERY_NOT_LOW) == ["needs 30 % of battery or external power: on battery, 25 %"]
    assert texts(machine(network="offline"), R.NETWORK) == ["needs a network: offline"]
    assert texts(machine(metered="yes"), R.UNMETERED) == ["needs a network that is not metered: it is metered"]
    assert texts(machine(idle="no"), R.IDLE) == ["runs while nobody uses the machine: it is in use"]


@pytest.mark.contract("S16", "L12")
def test_all_that_stands_in_the_way_is_said_at_once() -> None:
    conditions = machine(power="battery", battery="12", power_saver="on", network="offline", metered="yes", idle="no")
    found = of_machine(frozenset(Requirement), conditions, LIMITS)
    assert [reason.obstacle for reason in found] == [
        Obstacle.POWER_SAVER,
        Obstacle.BATTERY_CRITICAL,
        Obstacle.NO_NETWORK,
        Obstacle.METERED_NETWORK,
        Obstacle.NO_EXTERNAL_POWER,
        Obstacle.BATTERY_LOW,
        Obstacle.MACHINE_IN_USE,
    ]
    assert [reason.needs for reason in found] == ["off", "20", "online", "no", "external", "30", "yes"]
    assert found[1].text == "nothing that can wait runs below 20 % of battery: on battery, 12 %"


def test_a_condition_that_is_forced_is_marked() -> None:
    conditions = machine(power="external")
    conditions.handle(ev.ConditionForced(C.POWER, "battery"), NOW)
    (reason,) = of_machine(frozenset({R.EXTERNAL_POWER}), conditions, LIMITS)
    assert reason.forced
    assert reason.text == "needs external power: on battery (simulated)"


readings = st.fixed_dictionaries({c.value: st.sampled_from(["", *VALUES[c]]) for c in Condition})
requirements = st.frozensets(st.sampled_from(list(Requirement)))


@pytest.mark.contract("S10")
@given(readings, requirements)
def test_what_is_unknown_never_stands_in_the_way(values: dict[str, str], requires: frozenset[Requirement]) -> None:
    conditions = machine(**values)
    for reason in of_machine(requires, conditions, LIMITS):
        assert reason.now, "an unknown value is said to be missing"
    for condition in unknown(requires, conditions):
        assert conditions.value(condition) == ""
    assert of_machine(requires, Conditions(), LIMITS) == ()


@given(readings, requirements, requirements)
def test_who_requires_more_has_no_less_in_the_way(
    values: dict[str, str], some: frozenset[Requirement], more: frozenset[Requirement]
) -> None:
    conditions = machine(**values)
    assert set(of_machine(some, conditions, LIMITS)) <= set(of_machine(some | more, conditions, LIMITS))


def test_where_power_comes_from_outside_the_charge_need_not_be_known() -> None:
    requires = frozenset({R.BATTERY_NOT_LOW})
    assert unknown(requires, machine()) == (C.POWER, C.BATTERY)
    assert unknown(requires, machine(power="external")) == ()
    assert unknown(requires, machine(power="battery")) == (C.BATTERY,)


@pytest.mark.contract("S16")
def test_what_it_is_about_the_app() -> None:
    failed = (Obstacle.APP_FAILED, NOW + 40.0)
    found = of_app(TaskKind.REFRESH, failed, NOW, in_front=True, first="sync")
    assert [reason.obstacle for reason in found] == [Obstacle.APP_FAILED, Obstacle.APP_IN_FRONT, Obstacle.APP_BUSY]
    assert found[0].text == "the app failed when it last ran, next try in 40 s"
    assert found[2].text == "sync is running, and comes first", "which may be an earlier request of the same name"
    assert of_app(TaskKind.PROCESSING, None, NOW, in_front=True, first="") == ()


@pytest.mark.contract("S16")
@pytest.mark.parametrize(
    ("obstacle", "word"),
    [
        (Obstacle.BACKGROUND_OFF, "switched off"),
        (Obstacle.APP_QUIT, "open it again"),
        (Obstacle.APP_BUSY, "on its way out"),
        (Obstacle.DESK_STOPPING, "being stopped"),
    ],
)
def test_why_an_app_is_not_launched_is_said_in_words(obstacle: Obstacle, word: str) -> None:
    (reason,) = of_app(TaskKind.REFRESH, (obstacle, None), NOW, in_front=False, first="")
    assert word in reason.text


@pytest.mark.contract("S16", "S06", "S15")
def test_moments_to_come_are_said_with_the_time_until_then() -> None:
    moments = Moments(NOW + 60, NOW + 600, NOW + 7200, NOW + 90_000)
    found = of_time(moments, NOW, 3, lambda: Budget(4.0, 0.25, NOW + 7200))
    assert [(reason.obstacle, reason.until) for reason in found] == [
        (Obstacle.TOO_EARLY, NOW + 60),
        (Obstacle.RETRY_PAUSE, NOW + 600),
        (Obstacle.BUDGET_SPENT, NOW + 7200),
        (Obstacle.WAITS_FOR_HABIT, NOW + 90_000),
    ]
    assert found[0].text == "may begin at the earliest in 60 s"
    assert found[1].text == "try 3 comes after a pause, in 10 min"
    assert found[2].text == "its 4 launches a day are spread over the day: the next is due in 2 h"
    assert found[3].text == "waits until shortly before you usually open the app, in 25 h"
    assert (found[2].now, found[2].needs) == ("0.25", "1")
    assert of_time(moments, NOW + 90_000, 3, lambda: Budget(4.0, 1.0)) == ()


@given(st.tuples(*[st.none() | st.floats(0, 100)] * 4), st.floats(0, 100))
def test_there_is_a_reason_in_time_just_while_the_request_is_not_wanted(
    values: tuple[float | None, float | None, float | None, float | None], now: float
) -> None:
    moments = Moments(*values)
    reasons = of_time(moments, now, 1, lambda: Budget(1.0, 0.0))
    assert bool(reasons) == (moments.wanted > now)
    assert (next_look(reasons) == moments.wanted) == bool(reasons)
    assert moments.may <= moments.wanted


@pytest.mark.contract("S16")
def test_places_that_others_have() -> None:
    assert of_places(TaskKind.PROCESSING, 0, 1) == ()
    (reason,) = of_places(TaskKind.REFRESH, 4, 4)
    assert (reason.text, reason.now) == ("4 other apps are at work on refresh tasks, 4 at a time", "4 of 4")


def test_when_it_is_looked_at_again() -> None:
    timed, open_ended = Reason(Obstacle.TOO_EARLY, "", until=5.0), Reason(Obstacle.NO_NETWORK, "")
    assert next_look(()) is None
    assert next_look((timed, Reason(Obstacle.RETRY_PAUSE, "", until=9.0))) == 9.0
    assert next_look((timed, open_ended)) is None, "it has to wait for the network, whenever that comes"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (45, "45 s"), (600, "10 min"), (7260, "2 h 1 min"), (7200, "2 h"), (3 * 86400, "3 days")],
)
def test_a_time_to_wait_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
