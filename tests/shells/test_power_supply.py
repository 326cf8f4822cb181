"""Stands in for UPower: what psutil finds, and when the kernel has it looked at again."""

import asyncio
import socket
from types import SimpleNamespace
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from frontdesk.agent.shell import kernel_news
from frontdesk.agent.shell.kernel_news import DEVICES, UEVENT, KernelNews
from frontdesk.agent.shell.power_supply import PowerSupply
from frontdesk.terms import Condition
from tests.desks import PATIENCE

POWER, BATTERY = Condition.POWER, Condition.BATTERY


def event(subsystem: str) -> bytes:
    """As the kernel writes it (Documentation/core-api/kobject.rst)."""
    return f"change@/devices/x\0ACTION=change\0DEVPATH=/devices/x\0SUBSYSTEM={subsystem}\0SEQNUM=7\0".encode()


@pytest.mark.contract("S10")
@pytest.mark.parametrize(
    ("battery", "power", "percent"),
    [
        (None, "external", ""),  # no battery at all is external power
        (SimpleNamespace(percent=63.6, power_plugged=False), "battery", "64"),
        (SimpleNamespace(percent=100.9, power_plugged=True), "external", "100"),
        (SimpleNamespace(percent=12, power_plugged=None), "", "12"),
        (OSError("no such device"), "", ""),
    ],
)
async def test_what_psutil_finds(monkeypatch: pytest.MonkeyPatch, battery: Any, power: str, percent: str) -> None:
    def sensors_battery() -> Any:
        if isinstance(battery, OSError):
            raise battery
        return battery

    monkeypatch.setattr(psutil, "sensors_battery", sensors_battery)
    told: dict[Condition, str] = {}
    stand_in = PowerSupply(lambda source, condition, value: told.update({condition: value}))
    stand_in.start()
    assert told == {POWER: power, BATTERY: percent}
    stand_in.stop()
    assert told == {POWER: "", BATTERY: ""}


async def test_it_looks_again_when_the_kernel_tells_of_a_power_supply(monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context))
    ours, kernels = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    monkeypatch.setattr(kernel_news, "_open", lambda protocol, groups: ours)
    now = SimpleNamespace(percent=50, power_plugged=True)
    monkeypatch.setattr(psutil, "sensors_battery", lambda: now)
    told = asyncio.Queue[tuple[Condition, str]]()
    stand_in = PowerSupply(lambda source, condition, value: told.put_nowait((condition, value)))
    stand_in.start()
    assert [told.get_nowait(), told.get_nowait()] == [(POWER, "external"), (BATTERY, "50")]
    now.power_plugged = False
    for message in (
        event("block"),
        b"",
        b"\xff\0\0nonsense",
        event("power_supply_of_another_kind"),
        event("power_supply"),
    ):
        kernels.send(message)
    assert await asyncio.wait_for(told.get(), PATIENCE) == (POWER, "battery")
    assert told.get_nowait() == (BATTERY, "50") and told.empty()
    stand_in._heard(None)  # some were lost
    assert told.qsize() == 2
    stand_in.stop()
    kernels.close()
    assert failures == []


async def test_this_kernel_tells_of_devices_or_it_is_said_that_it_does_not() -> None:
    news = KernelNews(UEVENT, DEVICES, lambda message: None)
    try:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, UEVENT).close()
        may = True
    except OSError:
        may = False
    assert news.listen() == may
    news.close()
    news.close()
    assert not KernelNews(4711, 1, lambda message: None).listen()


async def test_news_that_were_too_many_are_news(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, kernels = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

    class Overrun(socket.socket):
        """Some were lost before the next."""

        lost = True

        def recv(self, size: int, flags: int = 0) -> bytes:
            if self.lost:
                self.lost = False
                raise OSError(105, "No buffer space available")
            return super().recv(size, flags)

    opened = Overrun(fileno=ours.detach())
    monkeypatch.setattr(kernel_news, "_open", lambda protocol, groups: opened)
    heard = asyncio.Queue[bytes | None]()
    news = KernelNews(UEVENT, DEVICES, heard.put_nowait)
    assert news.listen()
    kernels.send(event("power_supply"))
    assert await asyncio.wait_for(heard.get(), PATIENCE) is None
    assert await asyncio.wait_for(heard.get(), PATIENCE) == event("power_supply")
    news.close()
    kernels.close()
