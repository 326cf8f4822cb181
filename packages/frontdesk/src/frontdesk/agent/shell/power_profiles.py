"""power-profiles-daemon, and whoever stands in for it: whether the person wants the machine to use little (L12).

Since version 0.20 it has a name among UPower's; older ones, and TLP's and tuned's stand-ins, have the first name.
"""

from collections.abc import Mapping

from frontdesk.agent.shell.service_properties import Facts, Said
from frontdesk.terms import Condition


def _facts(name: str, path: str) -> Facts:
    def means(said: Mapping[str, Said]) -> dict[Condition, str]:
        profile = said[path].text("ActiveProfile")
        return {Condition.POWER_SAVER: "on" if profile == "power-saver" else "off"} if profile else {}

    return Facts(
        name=name,
        source="power-profiles-daemon",
        objects={path: name},
        follows=frozenset({"ActiveProfile"}),
        conditions=(Condition.POWER_SAVER,),
        means=means,
    )


POWER_PROFILES = _facts("org.freedesktop.UPower.PowerProfiles", "/org/freedesktop/UPower/PowerProfiles")
POWER_PROFILES_BEFORE = _facts("net.hadess.PowerProfiles", "/net/hadess/PowerProfiles")._replace(
    source="power-profiles-daemon, by its first name"
)
