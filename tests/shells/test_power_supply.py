"""Stands in for UPower: what psutil finds, and when the kernel has it looked at again."""

import asyncio
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from frontdesk.agent.shell import kernel_news, power_supply
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
        (TypeError("can't multiply sequence by non-int of type 'float'"), "", ""),
        (SimpleNamespace(percent=float("nan"), power_plugged=True), "", ""),
    ],
)
async def test_what_psutil_finds(monkeypatch: pytest.MonkeyPatch, battery: Any, power: str, percent: str) -> None:
    def sensors_battery() -> Any:
        if isinstance(battery, Exception):
            raise battery
        return battery

    monkeypatch.setattr(psutil, "sensors_battery", sensors_battery)
    told: dict[Condition, str] = {}
    stand_in = PowerSupply(lambda source, condition, value: told.update({condition: value}))
    stand_in.start()
    assert told == {POWER: power, BATTERY: percent}
    stand_in.stop()
    assert told == {POWER: "", BATTERY: ""}


MOUSE = {"type": "Battery", "scope": "Device", "status": "Discharging", "capacity": "55"}
OWN = {"type": "Battery", "status": "Discharging", "energy_now": "30", "energy_full": "40"}


@pytest.mark.contract("S10")
@pytest.mark.parametrize(
    ("supplies", "power", "percent"),
    [
        ({}, "external", ""),
        ({"hidpp_battery_0": MOUSE}, "external", ""),
        ({"BAT0": OWN, "hidpp_battery_0": MOUSE}, "battery", "75"),
        ({"BAT0": OWN, "AC": {"type": "Mains", "online": "1"}}, "external", "75"),
        ({"BAT0": OWN | {"energy_now": "", "energy_full": "40"}}, "", ""),  # a driver that has nothing to say
    ],
)
async def test_batteries_as_the_kernel_shows_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, supplies: dict[str, dict[str, str]], power: str, percent: str
) -> None:
    for name, files in supplies.items():
        (tmp_path / name).mkdir()
        for file, text in files.items():
            (tmp_path / name / file).write_text(text + "\n")
    monkeypatch.setattr(psutil._pslinux, "POWER_SUPPLY_PATH", str(tmp_path))
    monkeypatch.setattr(power_supply, "_SUPPLIES", tmp_path)
    told: dict[Condition, str] = {}
    stand_in = PowerSupply(lambda source, condition, value: told.update({condition: value}))
    stand_in.start()
    assert told == {POWER: power, BATTERY: percent}
    stand_in.stop()


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
    stand_in._heard([None])  # some were lost
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


async def test_what_waits_is_heard_together_and_not_all_day_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_news, "_AT_ONCE", 3)
    ours, kernels = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    monkeypatch.setattr(kernel_news, "_open", lambda protocol, groups: ours)
    heard = asyncio.Queue[list[bytes | None]]()
    news = KernelNews(UEVENT, DEVICES, heard.put_nowait)
    for number in b"12345":
        kernels.send(bytes([number]))
    assert news.listen()
    assert await asyncio.wait_for(heard.get(), PATIENCE) == [b"1", b"2", b"3"]
    assert await asyncio.wait_for(heard.get(), PATIENCE) == [b"4", b"5"]
    news.close()
    kernels.close()


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
    heard = asyncio.Queue[list[bytes | None]]()
    news = KernelNews(UEVENT, DEVICES, heard.put_nowait)
    assert news.listen()
    kernels.send(event("power_supply"))
    assert await asyncio.wait_for(heard.get(), PATIENCE) == [None, event("power_supply")]
    news.close()
    kernels.close()
