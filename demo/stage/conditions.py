"""Switches for what a machine is like (power, kind of network, whether somebody uses it), simulated at its desk. Pure.

The computer under the demo stays as it is: its desks are told to take a condition for something else (contract S17).
"""

import dataclasses

from frontdesk import Condition, Reading

REAL = "real"
"""The position of a switch at which nothing is simulated."""


@dataclasses.dataclass(frozen=True)
class Position:
    """One position of a switch. ``forces``: what the desk is to take each condition for."""

    name: str
    label: str
    forces: tuple[tuple[Condition, str], ...] = ()


@dataclasses.dataclass(frozen=True)
class Switch:
    """A few positions, of which one is on; the first is ``REAL``."""

    name: str
    label: str
    positions: tuple[Position, ...]

    @property
    def conditions(self) -> frozenset[Condition]:
        """All that it acts on."""
        return frozenset(condition for position in self.positions for condition, _ in position.forces)

    def on(self, readings: tuple[Reading, ...]) -> str:
        """The name of the position that is on; empty: something else is simulated, by the command line say."""
        forced = {one.condition: one.value for one in readings if one.forced and one.condition in self.conditions}
        return next((each.name for each in self.positions if dict(each.forces) == forced), "")


SWITCHES = (
    Switch(
        "power",
        "Power",
        (
            Position(REAL, "Real"),
            Position("external", "Plugged in", ((Condition.POWER, "external"),)),
            Position("battery", "Battery", ((Condition.POWER, "battery"),)),
        ),
    ),
    Switch(
        "use",
        "Person",
        (
            Position(REAL, "Real"),
            Position("here", "At work", ((Condition.IDLE, "no"),)),
            Position("away", "Away", ((Condition.IDLE, "yes"),)),
        ),
    ),
    Switch(
        "kind",
        "Internet",
        (
            Position(REAL, "Real"),
            Position("unmetered", "Unmetered", ((Condition.METERED, "no"),)),
            Position("metered", "Metered", ((Condition.METERED, "yes"),)),
            Position("offline", "None", ((Condition.NETWORK, "offline"),)),
        ),
    ),
)
"""By the order in which they stand on the page."""

_WORDS = {
    (Condition.POWER, "external"): "plugged in",
    (Condition.POWER, "battery"): "on battery",
    (Condition.NETWORK, "offline"): "offline",
    (Condition.METERED, "no"): "unmetered",
    (Condition.METERED, "yes"): "metered",
    (Condition.IDLE, "no"): "in use",
    (Condition.IDLE, "yes"): "not in use",
}


def acts(name: str, position: str) -> tuple[tuple[Condition, str], ...] | None:
    """What to tell the desk: (condition, value to force, empty: to lift). None: there is no such switch or position."""
    for switch in SWITCHES:
        for each in switch.positions:
            if (switch.name, each.name) == (name, position):
                lifted = switch.conditions - dict(each.forces).keys()
                return (*((condition, "") for condition in sorted(lifted)), *each.forces)
    return None


def in_words(readings: tuple[Reading, ...]) -> str:
    """What the desk takes the machine for, in a few words; conditions that nobody can tell are left out."""
    words = [_WORDS[one.condition, one.value] for one in readings if (one.condition, one.value) in _WORDS]
    return ", ".join(words) or "nothing known"


def simulated(readings: tuple[Reading, ...]) -> bool:
    """Whether anything of it is."""
    return any(one.forced for one in readings)
