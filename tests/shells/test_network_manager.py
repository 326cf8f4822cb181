"""NetworkManager on a private bus, played by python-dbusmock: on line or not, metered or not, gone and back."""

import pytest
from dbus_fast import Variant
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.shell import routes
from frontdesk.agent.shell.network_manager import NETWORK_MANAGER
from frontdesk.agent.shell.service_properties import Said
from frontdesk.terms import VALUES, Condition
from tests.shells.machine import Machine, bus, machine
from tests.shells.private_bus import PrivateBus, mocked

__all__ = ["bus", "machine"]

NAME, PATH, SOURCE = "org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager", "NetworkManager"
TEMPLATE = ("--template", "networkmanager")
NETWORK, METERED = Condition.NETWORK, Condition.METERED


@pytest.mark.contract("S10")
async def test_connectivity_and_cost_and_a_service_that_goes_and_comes_back(
    bus: PrivateBus, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "_works", lambda interface: False)  # this computer's own network is no matter here
    machine.start()
    await machine.conditions.first_look()
    assert machine.word(NETWORK) == ("offline", routes.SOURCE)
    async with mocked(bus.address, NAME, PATH, NAME, *TEMPLATE) as manager:
        await machine.until(NETWORK, "online", SOURCE)
        assert machine.word(METERED) == ("", "")
        await manager.do("SetConnectivity", "u", [2])
        await machine.until(NETWORK, "offline", SOURCE)
        await manager.do("AddProperties", "sa{sv}", [NAME, {"Metered": Variant("u", 3)}])  # the template has none
        await manager.says(Metered=Variant("u", 3), Connectivity=Variant("u", 4))
        await machine.until(METERED, "yes", SOURCE)
        await machine.until(NETWORK, "online", SOURCE)
        assert not machine.conditions._routes._on
        # It has no connection; whether others made one, the kernel knows.
        await manager.do("SetGlobalConnectionState", "u", [20])
        await machine.until(NETWORK, "offline", routes.SOURCE)
        await manager.do("SetGlobalConnectionState", "u", [70])
        await machine.until(NETWORK, "online", SOURCE)
        assert not machine.conditions._routes._on
        await manager.kill()
        await machine.until(NETWORK, "offline", routes.SOURCE)
        await machine.until(METERED, "", "")
        assert ("", "") not in machine.words(NETWORK)
        await manager.again(*TEMPLATE)
        await machine.until(NETWORK, "online", SOURCE)


@pytest.mark.contract("S10")
@pytest.mark.parametrize(
    ("properties", "network", "metered"),
    [
        ({"Connectivity": 4, "State": 70, "Metered": 1}, "online", "yes"),
        ({"Connectivity": 3, "State": 60, "Metered": 2}, "offline", "no"),
        ({"Connectivity": 2, "State": 60, "Metered": 3}, "offline", "yes"),
        ({"Connectivity": 1, "State": 20, "Metered": 4}, "", "no"),
        ({"Connectivity": 1, "State": 50, "Metered": 4}, "offline", "no"),
        ({"Connectivity": 0, "State": 70, "Metered": 0}, "online", ""),
        ({"Connectivity": 0, "State": 60}, "online", ""),
        ({"Connectivity": 0, "State": 50}, "offline", ""),
        ({"Connectivity": "full", "State": 40, "Metered": True}, "offline", ""),
        ({"Connectivity": 0, "State": 0}, "", ""),
        ({}, "", ""),
    ],
)
def test_what_its_properties_mean(properties: dict[str, object], network: str, metered: str) -> None:
    means = NETWORK_MANAGER.means({PATH: Said(properties)})
    assert (means.get(NETWORK, ""), means.get(METERED, "")) == (network, metered)


_anything = st.one_of(st.booleans(), st.integers(), st.integers(0, 80), st.floats(), st.text(), st.none())


@given(st.dictionaries(st.sampled_from(sorted(NETWORK_MANAGER.follows)), _anything))
def test_whatever_it_answers_the_conditions_stay_within_what_they_can_be(properties: dict[str, object]) -> None:
    for condition, value in NETWORK_MANAGER.means({PATH: Said(properties)}).items():
        assert value in VALUES[condition]
