"""What of the machine decides when deferred work may run, and how the desk knows it."""

import enum

import msgspec


class Condition(enum.StrEnum):
    """A fact about the machine; ``VALUES`` says what it can be."""

    POWER = "power"
    """``external`` or ``battery``; no battery at all is external power (contract S10)."""
    BATTERY = "battery"
    """Percent of its charge, ``0`` to ``100``."""
    POWER_SAVER = "power_saver"
    """``on`` or ``off``: the person wants the machine to use little (L12)."""
    NETWORK = "network"
    """``online`` or ``offline``."""
    METERED = "metered"
    """``yes`` or ``no``: what is sent may cost money."""
    IDLE = "idle"
    """``yes`` or ``no``: nobody is using the machine (S09)."""
    MEMORY = "memory"
    """``ok`` or ``short`` (L03)."""

    def worded(self, value: str) -> str:
        """A value of it for a person: ``63 %``, ``battery``, ``unknown``."""
        if not value:
            return "unknown"
        return f"{value} %" if self is Condition.BATTERY else value

    @property
    def possible(self) -> str:
        """What it can be, for a person: ``external or battery``, ``0 to 100``."""
        return "0 to 100" if self is Condition.BATTERY else " or ".join(VALUES[self])


VALUES: dict[Condition, tuple[str, ...]] = {
    Condition.POWER: ("external", "battery"),
    Condition.BATTERY: tuple(str(percent) for percent in range(101)),
    Condition.POWER_SAVER: ("on", "off"),
    Condition.NETWORK: ("online", "offline"),
    Condition.METERED: ("yes", "no"),
    Condition.IDLE: ("yes", "no"),
    Condition.MEMORY: ("ok", "short"),
}
"""What each condition can be. "" beside these: no source can tell, it is unknown, and counts as met (S10)."""


class Reading(msgspec.Struct, frozen=True):
    """What the desk takes a condition to be."""

    condition: Condition
    value: str = ""
    """One of ``VALUES``; "" is unknown."""
    source: str = ""
    """Who says so, for a person: ``UPower``, ``psutil`` …; "" when nobody does."""
    since: float = 0.0
    """When it became that."""
    forced: bool = False
    """In force by ``frontdesk simulate condition``, until lifted; ``seen`` is what is really so."""
    seen: str = ""
    """The value that the source told; the same as ``value`` where nothing is forced."""
