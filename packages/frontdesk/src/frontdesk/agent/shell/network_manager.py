"""NetworkManager: whether the machine is on line, and whether what is sent may cost money (its D-Bus API, ``NM…``)."""

from collections.abc import Mapping

from frontdesk.agent.shell.service_properties import Facts, Said
from frontdesk.terms import Condition

_MANAGER = "/org/freedesktop/NetworkManager"

_CHECKED = {1: "offline", 2: "offline", 3: "offline", 4: "online"}
"""``NMConnectivityState``: none, behind a portal, no way to the Internet, full. 0: nobody checks."""
_NOT_ITS_OWN = (10, 20)
"""``NMState`` where it has no connection, which says nothing of those that others made: the kernel knows of both."""
_REACHES_OTHERS = 60
"""``NMState`` from which on there is a way to other networks."""
_COSTS = {1: "yes", 2: "no", 3: "yes", 4: "no"}
"""``NMMetered``: yes, no, and both as a guess. 0: unknown."""


def _means(said: Mapping[str, Said]) -> dict[Condition, str]:
    found: dict[Condition, str] = {}
    manager = said[_MANAGER]
    connectivity, state = manager.whole("Connectivity"), manager.whole("State")
    if state in _NOT_ITS_OWN:
        pass
    elif connectivity in _CHECKED:
        found[Condition.NETWORK] = _CHECKED[connectivity]
    elif state:
        found[Condition.NETWORK] = "online" if state >= _REACHES_OTHERS else "offline"
    costs = _COSTS.get(manager.whole("Metered") or 0)
    if costs:
        found[Condition.METERED] = costs
    return found


NETWORK_MANAGER = Facts(
    name="org.freedesktop.NetworkManager",
    source="NetworkManager",
    objects={_MANAGER: "org.freedesktop.NetworkManager"},
    follows=frozenset({"Connectivity", "State", "Metered"}),
    conditions=(Condition.NETWORK, Condition.METERED),
    means=_means,
)
