"""Stands in for UPower: what psutil finds of mains and battery, looked at again when the kernel says they changed."""

import logging

import psutil

from frontdesk.agent.shell import kernel_news
from frontdesk.agent.shell.kernel_news import KernelNews
from frontdesk.agent.shell.service_properties import Tell
from frontdesk.terms import Condition

log = logging.getLogger("frontdesk.conditions")

SOURCE = "psutil"

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
            battery = psutil.sensors_battery()
        except (OSError, RuntimeError, ValueError, AttributeError) as error:
            # Drivers give files that are empty or of another shape; the last: a system that psutil cannot ask.
            log.info("psutil cannot tell of mains and battery (%r).", error)
            self._tell(SOURCE, Condition.POWER, "")
            self._tell(SOURCE, Condition.BATTERY, "")
            return
        if battery is None:
            power, percent = "external", ""
        else:
            power = {True: "external", False: "battery"}.get(battery.power_plugged, "")
            percent = str(min(100, max(0, round(battery.percent))))
        self._tell(SOURCE, Condition.POWER, power)
        self._tell(SOURCE, Condition.BATTERY, percent)

    def _heard(self, message: bytes | None) -> None:
        if message is None or _NEWS in message + b"\0":
            self.refresh()
