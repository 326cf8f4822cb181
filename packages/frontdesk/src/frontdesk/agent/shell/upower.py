"""UPower: whether the machine runs on battery, and how full it is (upower.freedesktop.org, D-Bus API 1.0)."""

from collections.abc import Mapping

from frontdesk.agent.shell.service_properties import Facts, Said
from frontdesk.terms import Condition

_DAEMON, _DISPLAY = "/org/freedesktop/UPower", "/org/freedesktop/UPower/devices/DisplayDevice"
_KINDS = (2, 3)
"""``Type`` of a battery, and of an uninterruptible power supply."""


def _means(said: Mapping[str, Said]) -> dict[Condition, str]:
    """``DisplayDevice`` stands for all batteries together; where there is none the machine has external power (S10)."""
    found: dict[Condition, str] = {}
    on_battery = said[_DAEMON].truth("OnBattery")
    if on_battery is not None:
        found[Condition.POWER] = "battery" if on_battery else "external"
    display = said[_DISPLAY]
    if display.truth("IsPresent") and display.whole("Type") in _KINDS:
        percent = display.percent("Percentage")
        if percent is not None:
            found[Condition.BATTERY] = str(percent)
    return found


UPOWER = Facts(
    name="org.freedesktop.UPower",
    source="UPower",
    objects={_DAEMON: "org.freedesktop.UPower", _DISPLAY: "org.freedesktop.UPower.Device"},
    follows=frozenset({"OnBattery", "Percentage", "IsPresent", "Type"}),
    conditions=(Condition.POWER, Condition.BATTERY),
    means=_means,
)
