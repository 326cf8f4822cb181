"""Conditions: what sources tell, what is forced, what is unknown, and who hears of a change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.machine import conditions
from frontdesk.agent.core.machine.conditions import Conditions
from frontdesk.terms import VALUES, Condition, Reading

POWER, BATTERY, IDLE = Condition.POWER, Condition.BATTERY, Condition.IDLE


def changed(outs: conditions.Out) -> list[Condition]:
    return [out.condition for out in outs if isinstance(out, ev.ConditionChanged)]


def notes(outs: conditions.Out) -> list[str]:
    return [out.text for out in outs if isinstance(out, do.Note)]


def keep(outs: conditions.Out, saved: dict[str, bytes]) -> None:
    for out in outs:
        if isinstance(out, do.Save):
            assert out.machine == conditions.MACHINE
            if out.value is None:
                del saved[out.key]
            else:
                saved[out.key] = out.value


@pytest.mark.contract("S10")
def test_before_anybody_has_told_every_condition_is_unknown_and_says_so() -> None:
    machine = Conditions()
    assert machine.readings() == tuple(Reading(condition) for condition in Condition)
    assert all(machine.value(condition) == "" for condition in Condition)


@pytest.mark.contract("S10")
def test_a_source_that_cannot_tell_any_more_leaves_the_condition_unknown() -> None:
    machine = Conditions()
    machine.handle(ev.ConditionSeen(POWER, "battery", "UPower"), 10.0)
    assert machine.reading(POWER) == Reading(POWER, "battery", "UPower", 10.0, seen="battery")
    outs = machine.handle(ev.ConditionSeen(POWER, "", "UPower"), 20.0)
    assert (changed(outs), notes(outs)) == ([POWER], ["power: unknown"])
    assert machine.reading(POWER) == Reading(POWER, "", "", 20.0)


def test_what_is_told_again_is_no_change_though_another_source_may_tell_it() -> None:
    machine = Conditions()
    assert notes(machine.handle(ev.ConditionSeen(POWER, "battery", "UPower"), 10.0)) == ["power: battery (UPower)"]
    assert machine.handle(ev.ConditionSeen(POWER, "battery", "psutil"), 20.0) == []
    assert machine.reading(POWER) == Reading(POWER, "battery", "psutil", 10.0, seen="battery")


def test_each_percent_of_the_battery_is_a_change_but_no_news() -> None:
    machine = Conditions()
    assert notes(machine.handle(ev.ConditionSeen(BATTERY, "63", "UPower"), 10.0)) == ["battery: 63 (UPower)"]
    outs = machine.handle(ev.ConditionSeen(BATTERY, "62", "UPower"), 20.0)
    assert (changed(outs), notes(outs)) == ([BATTERY], [])


def test_a_forced_condition_counts_until_lifted_whatever_is_seen_meanwhile() -> None:
    machine = Conditions()
    machine.handle(ev.ConditionSeen(POWER, "external", "UPower"), 10.0)
    outs = machine.handle(ev.ConditionForced(POWER, "battery"), 20.0)
    assert (changed(outs), notes(outs)) == ([POWER], ["power: battery (simulated)"])
    assert machine.handle(ev.ConditionSeen(POWER, "", "UPower"), 25.0) == []
    machine.handle(ev.ConditionSeen(POWER, "external", "UPower"), 30.0)
    assert machine.reading(POWER) == Reading(POWER, "battery", "UPower", 20.0, forced=True, seen="external")
    outs = machine.handle(ev.ConditionLifted(POWER), 40.0)
    assert (changed(outs), notes(outs)) == ([POWER], ["power: external (no longer simulated)"])
    assert machine.handle(ev.ConditionLifted(POWER), 50.0) == []


def test_what_is_forced_survives_the_desk_and_is_lifted_for_good() -> None:
    machine, saved = Conditions(), dict[str, bytes]()
    keep(machine.handle(ev.ConditionForced(POWER, "battery"), 20.0), saved)
    keep(machine.handle(ev.ConditionForced(IDLE, "yes"), 21.0), saved)
    after = Conditions()
    for key, value in saved.items():
        after.restore(key, value)
    assert after.readings() == machine.readings()
    outs = after.handle(ev.ConditionLifted(None), 30.0)
    assert changed(outs) == [POWER, IDLE]
    keep(outs, saved)
    assert saved == {}


def test_a_saved_condition_that_this_desk_does_not_know_does_no_harm() -> None:
    machine, saved = Conditions(), dict[str, bytes]()
    keep(machine.handle(ev.ConditionForced(POWER, "battery"), 20.0), saved)
    after = Conditions()
    after.restore("weather", saved["power"])
    after.restore("idle", saved["power"])
    assert after.readings() == Conditions().readings()


@pytest.mark.parametrize("value", ["sideways", "Battery", "101", " external"])
def test_a_value_that_no_condition_has_changes_nothing_and_is_noted(value: str) -> None:
    machine = Conditions()
    machine.handle(ev.ConditionSeen(POWER, "external", "UPower"), 10.0)
    before = machine.readings()
    for event in (ev.ConditionSeen(POWER, value, "UPower"), ev.ConditionForced(POWER, value)):
        (note,) = machine.handle(event, 20.0)
        assert isinstance(note, do.Note)
        assert note.what == "condition_refused"
        assert "external or battery" in note.text
    assert machine.readings() == before


def test_nothing_here_asks_for_a_wake_up() -> None:
    machine = Conditions()
    machine.handle(ev.ConditionForced(POWER, "battery"), 20.0)
    assert machine.next_wake() is None
    assert machine.saves() == []


CONDITION = st.sampled_from(Condition)
SEEN = CONDITION.flatmap(
    lambda each: st.builds(ev.ConditionSeen, st.just(each), st.sampled_from(["", "?", *VALUES[each]]), st.just("bus"))
)
FORCED = CONDITION.flatmap(
    lambda each: st.builds(ev.ConditionForced, st.just(each), st.sampled_from(["", "?", *VALUES[each]]))
)
LIFTED = st.builds(ev.ConditionLifted, st.none() | CONDITION)


@given(st.lists(SEEN | FORCED | LIFTED, max_size=40))
def test_a_change_is_told_exactly_when_the_value_in_force_changes(
    happened: list[ev.ConditionSeen | ev.ConditionForced | ev.ConditionLifted],
) -> None:
    machine, saved = Conditions(), dict[str, bytes]()
    seen: dict[Condition, str] = dict.fromkeys(Condition, "")
    forced: dict[Condition, str] = {}
    for now, event in enumerate(happened):
        before = {condition: machine.value(condition) for condition in Condition}
        outs = machine.handle(event, float(now))
        keep(outs, saved)
        match event:
            case ev.ConditionSeen(condition=condition, value=value) if value != "?":
                seen[condition] = value
            case ev.ConditionForced(condition=condition, value=value) if value in VALUES[condition]:
                forced[condition] = value
            case ev.ConditionLifted(condition=None):
                forced.clear()
            case ev.ConditionLifted(condition=Condition() as condition):
                forced.pop(condition, None)
        assert {condition: machine.value(condition) for condition in Condition} == seen | forced
        assert {each.condition: each.seen for each in machine.readings()} == seen
        assert sorted(changed(outs)) == sorted(each for each in Condition if before[each] != machine.value(each))
        assert saved.keys() == {each.value for each in forced}
