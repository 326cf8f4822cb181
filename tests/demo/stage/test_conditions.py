"""Switches that simulate conditions: what each position tells the desk, and which one is on."""

import pytest

from demo.stage import conditions
from demo.stage.conditions import REAL, SWITCHES
from frontdesk import Condition, Reading

SEEN = (
    Reading(Condition.POWER, "external", "UPower"),
    Reading(Condition.NETWORK, "online", "NetworkManager"),
    Reading(Condition.METERED),
    Reading(Condition.IDLE),
)
EVERY = [(switch.name, position.name) for switch in SWITCHES for position in switch.positions]


def told(readings: tuple[Reading, ...], acts: tuple[tuple[Condition, str], ...]) -> tuple[Reading, ...]:
    """As a desk takes the machine after being told this."""
    forced = {one.condition: one.value for one in readings if one.forced} | dict(acts)
    return tuple(
        Reading(one.condition, forced[one.condition], "", 0.0, True) if forced.get(one.condition) else one
        for one in SEEN
    )


@pytest.mark.parametrize(("name", "position"), EVERY)
@pytest.mark.parametrize(("before", "earlier"), EVERY)
def test_the_position_that_was_chosen_is_on_whatever_was_on_before(
    name: str, position: str, before: str, earlier: str
) -> None:
    readings: tuple[Reading, ...] = SEEN
    for what, value in ((before, earlier), (name, position)):
        acts = conditions.acts(what, value)
        assert acts is not None
        readings = told(readings, acts)
    on = {switch.name: switch.on(readings) for switch in SWITCHES}
    assert on[name] == position
    assert all(on[other] == (earlier if other == before else REAL) for other in on if other != name)
    assert conditions.simulated(readings) == any(value != REAL for value in on.values())


def test_what_is_simulated_otherwise_is_no_position() -> None:
    readings = (Reading(Condition.NETWORK, "online", forced=True), Reading(Condition.METERED, "no", forced=True))
    assert {switch.name: switch.on(readings) for switch in SWITCHES} == {"power": REAL, "kind": "", "use": REAL}


@pytest.mark.parametrize(("name", "position"), [("power", "nuclear"), ("gravity", REAL), ("", "")])
def test_there_is_no_other_switch(name: str, position: str) -> None:
    assert conditions.acts(name, position) is None


def test_in_words_it_is_what_the_desk_takes_it_for() -> None:
    assert conditions.in_words(SEEN) == "plugged in"
    acts = conditions.acts("kind", "offline")
    assert acts is not None and conditions.in_words(told(SEEN, acts)) == "plugged in, offline"
    assert conditions.in_words(()) == "nothing known"
