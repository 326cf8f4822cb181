"""power-profiles-daemon on a private bus, played by python-dbusmock, under the name it has and the one it had."""

import pytest
from dbus_fast import Variant

from frontdesk.agent.shell.power_profiles import POWER_PROFILES, POWER_PROFILES_BEFORE
from frontdesk.terms import Condition
from tests.shells.machine import Machine, bus, machine
from tests.shells.private_bus import PrivateBus, mocked

__all__ = ["bus", "machine"]

BEFORE, BEFORE_PATH = "net.hadess.PowerProfiles", "/net/hadess/PowerProfiles"
NOW, NOW_PATH = "org.freedesktop.UPower.PowerProfiles", "/org/freedesktop/UPower/PowerProfiles"
SAVER = Condition.POWER_SAVER


@pytest.mark.contract("L12")
@pytest.mark.contract("S10")
async def test_the_profile_counts_while_somebody_tells_it(bus: PrivateBus, machine: Machine) -> None:
    machine.start()
    template = ("--template", "power_profiles_daemon")
    async with mocked(bus.address, BEFORE, BEFORE_PATH, BEFORE, *template) as daemon:
        await machine.until(SAVER, "off", POWER_PROFILES_BEFORE.source)
        await daemon.says(ActiveProfile=Variant("s", "power-saver"))
        await machine.until(SAVER, "on", POWER_PROFILES_BEFORE.source)
        await daemon.says(ActiveProfile=Variant("s", "performance"))
        await machine.until(SAVER, "off", POWER_PROFILES_BEFORE.source)
        await daemon.kill()
        await machine.until(SAVER, "", "")
        await daemon.again(*template)
        await machine.until(SAVER, "off", POWER_PROFILES_BEFORE.source)
        # A daemon with both names is taken by the name it has now.
        async with mocked(bus.address, NOW, NOW_PATH, NOW, NOW, NOW_PATH, NOW) as named_now:
            await named_now.do("AddProperties", "sa{sv}", [NOW, {"ActiveProfile": Variant("s", "power-saver")}])
            await named_now.says(ActiveProfile=Variant("s", "power-saver"))
            await machine.until(SAVER, "on", POWER_PROFILES.source)
        await machine.until(SAVER, "off", POWER_PROFILES_BEFORE.source)
