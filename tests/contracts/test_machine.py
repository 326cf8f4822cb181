"""A real desk on a machine whose services are played: what they tell decides, and sleep waits for guarded work."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
from dbus_fast import Variant

from frontdesk import AppState, Condition, DeskStatus, Obstacle, ProcessingTask, Reading
from tests.desks import APP, PATIENCE, DeskHome
from tests.shells.private_bus import MockedService, PrivateBus, mocked

UPKEEP = "org.example.Puppet.upkeep"
UPOWER, LOGIND = "org.freedesktop.UPower", "org.freedesktop.login1"


@pytest.fixture
async def bus(home: DeskHome) -> AsyncIterator[PrivateBus]:
    bus = PrivateBus(home.home)
    home.environment["DBUS_SYSTEM_BUS_ADDRESS"] = bus.address
    await bus.start()
    yield bus
    await bus.kill()


@pytest.mark.contract("S10", "S16", "L06")
async def test_a_task_waits_for_what_upower_tells_also_of_the_next_desk(home: DeskHome, bus: PrivateBus) -> None:
    home.settings("", expiry_lead=0.5)
    async with mocked(bus.address, UPOWER, "/org/freedesktop/UPower", UPOWER, "--template", "upower") as upower:
        await upower.says(OnBattery=Variant("b", True))
        await home.start()
        await home.control.force_condition(Condition.IDLE, "yes")
        await home.install(tasks={UPKEEP: "waits"})
        puppet = await home.launch()
        needs_power = ProcessingTask(UPKEEP, requires_external_power=True)
        await puppet.do("submit", task=msgspec.to_builtins(needs_power), existing="replace")
        puppet.order("background")
        await home.until_state(AppState.SUSPENDED)
        [told] = await home.control.explain(UPKEEP)
        assert [reason.obstacle for reason in told.reasons] == [Obstacle.NO_EXTERNAL_POWER]
        await home.kill_desk()
        # UPower may take longer to answer than a desk that starts waits for it.
        status = await home.until(lambda status: power(status).value)
        assert (power(status).value, power(status).source, power(status).forced) == ("battery", "UPower", False)
        await upower.says(OnBattery=Variant("b", False))
        await puppet.hears("task")
        await upower.says(OnBattery=Variant("b", True))
        await puppet.hears("task_expired")


async def test_sleep_is_held_off_from_the_first_task_to_the_end_of_the_last(home: DeskHome, bus: PrivateBus) -> None:
    async with mocked(
        bus.address, LOGIND, "/org/freedesktop/login1", f"{LOGIND}.Manager", "--template", "logind"
    ) as logind:
        await home.start()
        await home.install()
        puppet = await home.launch()
        tasks = [await puppet.do("begin", name="upload", handler="forgets") for _ in range(2)]
        assert await locks(logind) == []  # the person sees the app, and whether the machine may sleep
        puppet.order("background")
        await locked(logind, 1)
        [(what, who, why, mode, *_)] = await locks(logind)
        assert (what, who, mode) == ("sleep", "frontdesk", "delay") and APP in why and "upload" in why
        await home.kill_desk()
        await home.status()
        await locked(logind, 1)
        for task in tasks:
            await puppet.do("end", task=task)
        await locked(logind, 0)


def power(status: DeskStatus) -> Reading:
    [reading] = [each for each in status.conditions if each.condition is Condition.POWER]
    return reading


async def locks(logind: MockedService) -> list[list[str]]:
    (listed,) = await logind.do("ListInhibitors", "", [], interface=f"{LOGIND}.Manager")
    return list(listed)


async def locked(logind: MockedService, number: int) -> None:
    """logind tells nobody which locks there are: it has to be asked."""
    async with asyncio.timeout(PATIENCE):
        while len(await locks(logind)) != number:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.02)
