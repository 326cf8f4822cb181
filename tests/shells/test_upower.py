"""UPower on a private bus, played by python-dbusmock: power and battery, and what stands in while it is gone."""

import pytest
from dbus_fast import Variant
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.shell import power_supply
from frontdesk.agent.shell.service_properties import Said
from frontdesk.agent.shell.upower import UPOWER
from frontdesk.terms import VALUES, Condition
from tests.shells.machine import Machine, bus, machine
from tests.shells.private_bus import PrivateBus, mocked

__all__ = ["bus", "machine"]

NAME, PATH = "org.freedesktop.UPower", "/org/freedesktop/UPower"
DISPLAY = f"{PATH}/devices/DisplayDevice"
TEMPLATE = ("--template", "upower")
UPOWERS, PSUTILS = "UPower", power_supply.SOURCE


@pytest.mark.contract("S10")
async def test_mains_battery_and_a_daemon_that_goes_and_comes_back(bus: PrivateBus, machine: Machine) -> None:
    machine.start()
    await machine.conditions.first_look()
    assert machine.word(Condition.POWER) == ("battery", PSUTILS)
    assert machine.word(Condition.BATTERY) == ("55", PSUTILS)
    async with mocked(bus.address, NAME, PATH, NAME, *TEMPLATE) as upower:
        await machine.until(Condition.POWER, "external", UPOWERS)
        # The template's machine has no battery: no percent of anything, and external power.
        await machine.until(Condition.BATTERY, "", "")
        assert not machine.conditions._power_supply._on
        await upower.says(
            path=DISPLAY,
            interface=f"{NAME}.Device",
            Type=Variant("u", 2),
            IsPresent=Variant("b", True),
            Percentage=Variant("d", 63.4),
        )
        await machine.until(Condition.BATTERY, "63", UPOWERS)
        await upower.says(OnBattery=Variant("b", True))
        await machine.until(Condition.POWER, "battery", UPOWERS)
        await upower.kill()
        await machine.until(Condition.POWER, "battery", PSUTILS)
        await machine.until(Condition.BATTERY, "55", PSUTILS)
        # What was known is never unknown on the way from one to the other.
        assert ("", "") not in machine.words(Condition.POWER)
        await upower.again(*TEMPLATE)
        await machine.until(Condition.POWER, "external", UPOWERS)


async def test_a_weird_answer_is_none_and_is_said_once(
    bus: PrivateBus, machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.start()
    async with mocked(bus.address, NAME, PATH, NAME, *TEMPLATE) as upower:
        await machine.until(Condition.POWER, "external", UPOWERS)
        await upower.says(OnBattery=Variant("s", "perhaps"))
        await machine.until(Condition.POWER, "battery", PSUTILS)
        await upower.says(OnBattery=Variant("b", True))
        await machine.until(Condition.POWER, "battery", UPOWERS)
        await upower.says(OnBattery=Variant("s", "perhaps"))
        await machine.until(Condition.POWER, "battery", PSUTILS)
    assert [record.getMessage() for record in caplog.records if "perhaps" in record.getMessage()] == [
        "UPower says what it should not: OnBattery is 'perhaps', not yes or no. That counts as unknown."
    ]


@pytest.mark.contract("S10")
@pytest.mark.parametrize(
    ("daemon", "display", "power", "battery"),
    [
        ({"OnBattery": False}, {"Type": 0, "IsPresent": False, "Percentage": 0.0}, "external", ""),
        ({"OnBattery": True}, {"Type": 2, "IsPresent": True, "Percentage": 99.6}, "battery", "100"),
        ({"OnBattery": True}, {"Type": 3, "IsPresent": True, "Percentage": 0.4}, "battery", "0"),
        ({"OnBattery": False}, {"Type": 2, "IsPresent": True, "Percentage": 101.0}, "external", ""),
        ({"OnBattery": 1}, {}, "", ""),
        ({}, {"Type": 2, "IsPresent": 1, "Percentage": 50.0}, "", ""),
    ],
)
def test_what_its_properties_mean(
    daemon: dict[str, object], display: dict[str, object], power: str, battery: str
) -> None:
    means = UPOWER.means({PATH: Said(daemon), DISPLAY: Said(display)})
    assert (means.get(Condition.POWER, ""), means.get(Condition.BATTERY, "")) == (power, battery)


_anything = st.one_of(st.booleans(), st.integers(), st.floats(), st.text(), st.none(), st.lists(st.integers()))


@given(st.dictionaries(st.sampled_from(sorted(UPOWER.follows)), _anything))
def test_whatever_it_answers_the_conditions_stay_within_what_they_can_be(properties: dict[str, object]) -> None:
    for condition, value in UPOWER.means({PATH: Said(properties), DISPLAY: Said(properties)}).items():
        assert value in VALUES[condition]
