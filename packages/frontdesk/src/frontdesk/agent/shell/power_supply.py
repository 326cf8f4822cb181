"""Stands in for UPower: what psutil finds of mains and battery, looked at again when the kernel says they changed."""

import logging
from pathlib import Path

from frontdesk.agent.shell import kernel_news
from frontdesk.agent.shell.kernel_news import KernelNews
from frontdesk.agent.shell.service_properties import Tell
from frontdesk.terms import Condition

log = logging.getLogger("frontdesk.conditions")

SOURCE = "psutil"

_SUPPLIES = Path("/sys/class/power_supply")
_NEWS = b"\0SUBSYSTEM=power_supply\0"


class PowerSupply:
    """A ``StandIn`` for power and battery."""

    for_condition = Condition.POWER

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._news = KernelNews(kernel_news.UEVENT, kernel_news.DEVICES, self._heard)
        self._on = False

    def start(self) -> None:
        if not self._on:
            self._on = True
            if not self._news.listen():
                log.info("The kernel does not tell of mains and battery; they are looked at when the desk is awake.")
            self.refresh()

    def stop(self) -> None:
        if self._on:
            self._on = False
            self._news.close()
            self._tell(SOURCE, Condition.POWER, "")
            self._tell(SOURCE, Condition.BATTERY, "")

    def refresh(self) -> None:
        """The desk is awake anyway. No battery at all is external power (S10)."""
        if not self._on:
            return
        try:
            power, percent = _found()
        except Exception as error:  # noqa: BLE001 - psutil stumbles over what drivers write, each in its own way
            log.info("psutil cannot tell of mains and battery (%r).", error)
            power, percent = "", ""
        self._tell(SOURCE, Condition.POWER, power)
        self._tell(SOURCE, Condition.BATTERY, percent)

    def _heard(self, messages: list[bytes | None]) -> None:
        if any(message is None or _NEWS in message + b"\0" for message in messages):
            self.refresh()


def _found() -> tuple[str, str]:
    """Power, and how full the battery is."""
    import psutil  # 20 ms at the desk's start, which only a machine without UPower has to spend

    battery = psutil.sensors_battery()
    if battery is None or _all_of_devices():
        return "external", ""
    power = {True: "external", False: "battery"}.get(battery.power_plugged, "")
    return power, str(min(100, max(0, round(battery.percent))))


def _all_of_devices() -> bool:
    """Batteries there are, none of them the machine's: a mouse has one, and psutil takes the first it finds."""
    batteries = [each for each in _SUPPLIES.glob("*") if _says(each / "type") == "Battery"]
    return bool(batteries) and all(_says(each / "scope") == "Device" for each in batteries)


def _says(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
