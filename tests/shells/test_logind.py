"""logind on a private bus, played by python-dbusmock: idleness, sleep, and locks that hold sleep off."""

import asyncio
import logging

import pytest
from dbus_fast import Variant

from frontdesk.agent.core import events as ev
from frontdesk.agent.shell import conditions
from frontdesk.terms import Condition
from tests.desks import PATIENCE
from tests.shells.machine import Machine, bus, machine
from tests.shells.private_bus import MockedService, PrivateBus, mocked

__all__ = ["bus", "machine"]

NAME, PATH, MANAGER = "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager"
SEAT = f"{PATH}/seat/seat0"
TEMPLATE = ("--template", "logind")
IDLE = Condition.IDLE
SLEEP_LOCK = ("sleep", "frontdesk", "a send is open", "delay")
IDLE_LOCK = ("idle", "frontdesk", "a send is open", "block")


async def locks(logind: MockedService) -> list[tuple[str, ...]]:
    (listed,) = await logind.do("ListInhibitors", "", [], interface=MANAGER)
    return [tuple(each[:4]) for each in listed]


async def locks_are(logind: MockedService, wanted: list[tuple[str, ...]]) -> None:
    """logind tells nobody which locks there are: it has to be asked."""
    async with asyncio.timeout(PATIENCE):
        while sorted(await locks(logind)) != sorted(wanted):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


@pytest.mark.contract("S09")
async def test_idle_is_what_the_seat_says_and_else_the_manager(bus: PrivateBus, machine: Machine) -> None:
    machine.start()
    assert machine.word(IDLE) == ("", "")
    async with mocked(bus.address, NAME, PATH, MANAGER, *TEMPLATE) as logind:
        await machine.until(IDLE, "no", "logind")
        await logind.says(IdleHint=Variant("b", True))
        await machine.until(IDLE, "yes", "logind")
        await logind.do("AddSeat", "s", ["seat0"])
        # The seat is in use, and so is the machine, whatever the manager says.
        await logind.says(path=SEAT, interface=f"{NAME}.Seat", IdleHint=Variant("b", False))
        await machine.until(IDLE, "no", "logind")
        await logind.says(path=SEAT, interface=f"{NAME}.Seat", IdleHint=Variant("b", True))
        await machine.until(IDLE, "yes", "logind")
        await logind.kill()
        await machine.until(IDLE, "", "")
        await logind.again(*TEMPLATE)
        await machine.until(IDLE, "no", "logind")


@pytest.mark.contract("S07")
async def test_a_sleep_is_told_before_and_after(bus: PrivateBus, machine: Machine) -> None:
    machine.start()
    async with mocked(bus.address, NAME, PATH, MANAGER, *TEMPLATE) as logind:
        await machine.until(IDLE, "no", "logind")
        await logind.emit("PrepareForSleep", "b", [Variant("b", True)])
        await machine.sees(lambda: machine.of(ev.SleepComing) == [ev.SleepComing()])
        assert not machine.of(ev.TimePassed)
        await logind.emit("PrepareForSleep", "b", [Variant("b", False)])
        await machine.sees(lambda: machine.of(ev.TimePassed) == [ev.TimePassed()])  # and the loop asks how long it was
        # One that comes to nothing is over all the same, also when logind goes in the middle of it.
        await logind.emit("PrepareForSleep", "b", [Variant("b", True)])
        await machine.sees(lambda: len(machine.of(ev.SleepComing)) == 2)
        await logind.kill()
        await machine.sees(lambda: machine.of(ev.TimePassed)[1:] == [ev.TimePassed()])


async def test_locks_are_held_while_work_is_open(bus: PrivateBus, machine: Machine) -> None:
    machine.start()
    machine.conditions.inhibit(True, "a send is open")  # no logind yet
    async with mocked(bus.address, NAME, PATH, MANAGER, *TEMPLATE) as logind:
        # By the manager's hint alone the lock on idle would make the machine look used: none is taken.
        await locks_are(logind, [SLEEP_LOCK])
        await logind.do("AddSeat", "s", ["seat0"])
        machine.conditions.inhibit(True, "a send is open")  # once more: what is held is not taken twice
        await locks_are(logind, [SLEEP_LOCK, IDLE_LOCK])
        machine.conditions.inhibit(False, "")
        await locks_are(logind, [])
        machine.conditions.inhibit(True, "a send is open")
        await locks_are(logind, [SLEEP_LOCK, IDLE_LOCK])
        await logind.kill()
        await logind.again(*TEMPLATE)
        await locks_are(logind, [SLEEP_LOCK])
        # Work that is over before logind has answered, and the next that begins meanwhile, hold one lock each.
        for on in (False, True, False, True):
            machine.conditions.inhibit(on, "a send is open")
        await locks_are(logind, [SLEEP_LOCK])
        for on in (False, True, False):
            machine.conditions.inhibit(on, "a send is open")
        await locks_are(logind, [])
        machine.conditions.inhibit(True, "a send is open")
        await locks_are(logind, [SLEEP_LOCK])
        await machine.stop()
        await locks_are(logind, [])


async def test_a_lock_is_taken_whatever_an_app_calls_its_work(bus: PrivateBus, machine: Machine) -> None:
    """A zero byte ends the connection to the bus; then nobody would tell of the machine as long as the work lasts."""
    machine.start()
    async with mocked(bus.address, NAME, PATH, MANAGER, *TEMPLATE) as logind:
        await machine.until(IDLE, "no", "logind")
        machine.conditions.inhibit(True, "a\0 send is open")
        await locks_are(logind, [("sleep", "frontdesk", "a send is open", "delay")])
        machine.conditions.inhibit(False, "")
        machine.conditions.inhibit(True, "x" * 1_000_000)
        await locks_are(logind, [("sleep", "frontdesk", "x" * 200, "delay")])
        assert machine.words(IDLE) == [("no", "logind")]


async def test_a_lock_that_could_not_be_had_is_asked_for_again_when_the_desk_is_awake(
    bus: PrivateBus, machine: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(conditions, "REFRESH", 0.0)
    caplog.set_level(logging.INFO)
    machine.start()
    machine.conditions.inhibit(True, "a send is open")
    async with mocked(bus.address, NAME, PATH, MANAGER, NAME, PATH, MANAGER) as logind:
        async with asyncio.timeout(PATIENCE):
            while "cannot be held off" not in caplog.text:  # noqa: ASYNC110 - a log tells nobody
                await asyncio.sleep(0.01)
        gives = "import os, dbus; ret = dbus.types.UnixFd(os.open('/dev/null', os.O_RDONLY))"
        await logind.do("AddMethod", "sssss", [MANAGER, "Inhibit", "ssss", "h", gives])
        machine.conditions.refresh()
        async with asyncio.timeout(PATIENCE):
            while set(machine.conditions._sleep._held) != {"sleep"}:  # noqa: ASYNC110 - nobody else needs to know
                await asyncio.sleep(0.01)
