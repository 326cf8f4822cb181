"""The machine's bus: none, one that goes and comes back, services that hang or fail; the desk does not wait for any."""

import asyncio
import logging
import tempfile
import time
from pathlib import Path

import pytest
from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from frontdesk.agent.shell import conditions, dbus_calls, power_supply, system_bus
from frontdesk.terms import Condition
from tests.desks import PATIENCE
from tests.shells.machine import Machine, bus, machine
from tests.shells.private_bus import PrivateBus

__all__ = ["bus", "machine"]

NAME, PATH = "org.freedesktop.UPower", "/org/freedesktop/UPower"
PSUTIL = power_supply.SOURCE


class Upower:
    """Answers as it is told to, or not at all."""

    def __init__(self) -> None:
        self.on_battery: object = Variant("b", False)
        self.asked: asyncio.Queue[str] = asyncio.Queue()
        self.hangs = False
        self.silent_on: set[str | None] = set()
        """Objects it says nothing of."""
        self.changes_meanwhile = False
        self.thinks = 0.0
        """Seconds over each answer."""

    async def start(self, address: str) -> None:
        self.bus = await MessageBus(bus_address=address).connect()
        self.bus.add_message_handler(self._on_message)
        await self.bus.request_name(NAME)

    def _on_message(self, message: Message) -> Message | bool | None:
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        self.asked.put_nowait(message.member or "")
        if self.hangs or message.path in self.silent_on:
            return True
        if self.changes_meanwhile and message.path != PATH:
            self.changes_meanwhile = False
            self.sent = asyncio.ensure_future(self.says(True))
        properties = {"OnBattery": self.on_battery} if message.path == PATH else {}
        answer = Message.new_method_return(message, "a{sv}", [properties])
        asyncio.get_running_loop().call_later(self.thinks, self.bus.send, answer)
        return True

    async def says(self, on_battery: bool, *, to: str | None = None) -> None:
        """``to`` somebody by name, whatever they listen to; else to whoever does."""
        self.on_battery = Variant("b", on_battery)
        body = [NAME, {"OnBattery": Variant("b", on_battery)}, []]
        await self.bus.send(
            Message(
                message_type=MessageType.SIGNAL,
                destination=to,
                path=PATH,
                interface="org.freedesktop.DBus.Properties",
                member="PropertiesChanged",
                signature="sa{sv}as",
                body=body,
            )
        )


async def started(address: str) -> Upower:
    upower = Upower()
    await upower.start(address)
    return upower


async def test_where_there_is_no_bus_the_kernel_tells_and_nobody_waits_or_wakes_up(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    machine.start()
    before = time.monotonic()
    await machine.conditions.first_look()
    assert time.monotonic() - before < conditions.FIRST_LOOK
    assert machine.word(Condition.POWER) == ("battery", PSUTIL)
    assert {machine.word(each) for each in (Condition.IDLE, Condition.METERED, Condition.POWER_SAVER)} == {("", "")}
    assert not [each for each in _timers() if each.when() < asyncio.get_running_loop().time() + 3600]


def _timers() -> list[asyncio.TimerHandle]:
    scheduled: list[asyncio.TimerHandle] = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return [each for each in scheduled if not each.cancelled()]


def test_the_address_is_as_told_else_where_it_usually_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usual = tmp_path / "system_bus_socket"
    monkeypatch.setattr(system_bus, "_USUAL", usual)
    monkeypatch.delenv("DBUS_SYSTEM_BUS_ADDRESS", raising=False)
    assert system_bus.address() == ""
    usual.touch()
    assert system_bus.address() == f"unix:path={usual}"
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/elsewhere")
    assert system_bus.address() == "unix:path=/elsewhere"


async def test_a_bus_that_goes_and_comes_back(bus: PrivateBus, machine: Machine) -> None:
    await started(bus.address)
    machine.start()
    await machine.conditions.first_look()
    assert machine.word(Condition.POWER) == ("external", "UPower")
    await bus.kill()
    await machine.until(Condition.POWER, "battery", PSUTIL)
    await bus.start()
    await started(bus.address)
    await machine.until(Condition.POWER, "external", "UPower")


async def test_the_end_of_the_desk_is_no_news_of_the_machine(bus: PrivateBus, machine: Machine) -> None:
    await started(bus.address)
    machine.start()
    await machine.conditions.first_look()
    before = list(machine.events)
    await machine.stop()
    assert machine.events == before


async def test_a_bus_that_stays_away_is_looked_for_when_the_desk_is_awake_anyway(
    bus: PrivateBus, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system_bus, "TRIES", 0)
    monkeypatch.setattr(conditions, "REFRESH", 0.0)
    await bus.kill()
    machine.start()
    await machine.conditions.first_look()
    await bus.start()
    await started(bus.address)
    machine.conditions.refresh()
    await machine.until(Condition.POWER, "external", "UPower")


async def test_who_talks_nonsense_at_its_address_is_no_bus(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\xff\xfe\r\n")
        writer.close()

    with tempfile.TemporaryDirectory(prefix="fd-", dir="/tmp") as folder:
        async with await asyncio.start_unix_server(talk, f"{folder}/bus"):
            monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={folder}/bus")
            machine.start()
            await machine.conditions.first_look()
            assert machine.word(Condition.POWER) == ("battery", PSUTIL)
            assert machine._running is not None and not machine._running.done()


async def test_a_bus_that_refuses_to_pass_anything_on_is_of_no_use(
    bus: PrivateBus, machine: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def refused(*_: object) -> None:
        raise dbus_calls.CallFailed("AddMatch: org.freedesktop.DBus.Error.LimitsExceeded")

    await started(bus.address)
    with monkeypatch.context() as strict:
        strict.setattr(dbus_calls, "hear", refused)
        machine.start()
        await machine.conditions.first_look()
        assert machine.word(Condition.POWER) == ("battery", PSUTIL)
        assert "The system bus is of no use (AddMatch: org.freedesktop.DBus.Error.LimitsExceeded)" in caplog.text
    await machine.until(Condition.POWER, "external", "UPower")  # it is tried again


async def test_what_a_service_tells_is_listened_to_before_anybody_is_known_to_be_there(
    bus: PrivateBus, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules: list[str] = []
    hear = dbus_calls.hear

    async def listed(connection: MessageBus, rule: str) -> None:
        rules.append(rule)
        await hear(connection, rule)

    monkeypatch.setattr(dbus_calls, "hear", listed)
    machine.start()
    await machine.conditions.first_look()
    owners = ["NameOwnerChanged" in rule for rule in rules]
    assert owners == sorted(owners) and 0 < sum(owners) < len(owners)
    assert len(rules) == len(set(rules))


async def test_the_first_look_waits_for_those_that_are_there(bus: PrivateBus, machine: Machine) -> None:
    upower = await started(bus.address)
    upower.thinks = 0.05
    machine.start()
    await machine.conditions.first_look()
    assert machine.words(Condition.POWER) == [("external", "UPower")]  # nobody was asked in its place


async def test_a_service_that_hangs_costs_the_desk_half_a_second_once_and_is_asked_again(
    bus: PrivateBus, machine: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(conditions, "FIRST_LOOK", 0.05)
    monkeypatch.setattr(conditions, "REFRESH", 0.0)
    upower = await started(bus.address)
    upower.hangs = True
    with monkeypatch.context() as impatient:
        impatient.setattr(dbus_calls, "ANSWER_WITHIN", 0.1)
        machine.start()
        await machine.conditions.first_look()
        assert machine.word(Condition.POWER) == ("battery", PSUTIL)
        for _ in range(2):
            assert await asyncio.wait_for(upower.asked.get(), PATIENCE) == "GetAll"
        service = machine.conditions._read[0]
        await asyncio.wait_for(service.read.wait(), PATIENCE)
    upower.hangs = False
    machine.conditions.refresh()
    await machine.until(Condition.POWER, "external", "UPower")
    assert len([each for each in caplog.records if "did not answer" in each.getMessage()]) <= 2


async def test_what_of_a_service_could_not_be_read_is_read_when_the_desk_is_awake_anyway(
    bus: PrivateBus, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conditions, "REFRESH", 0.0)
    upower = await started(bus.address)
    machine.start()
    await machine.until(Condition.POWER, "external", "UPower")
    upower.silent_on = {PATH}
    with monkeypatch.context() as impatient:
        impatient.setattr(dbus_calls, "ANSWER_WITHIN", 0.1)
        await upower.says(False)
        await machine.until(Condition.POWER, "battery", PSUTIL)
    upower.silent_on = set()
    machine.conditions.refresh()
    await machine.until(Condition.POWER, "external", "UPower")


async def test_what_changes_while_it_is_read_is_read_again(bus: PrivateBus, machine: Machine) -> None:
    upower = Upower()
    upower.changes_meanwhile = True
    await upower.start(bus.address)
    machine.start()
    await machine.until(Condition.POWER, "battery", "UPower")


async def test_who_goes_while_it_is_asked_for_is_gone(
    bus: PrivateBus, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    upower, ask = await started(bus.address), dbus_calls.owner
    told = asyncio.Event()

    async def owner(connection: MessageBus, name: str) -> str:
        found = await ask(connection, name)
        if name == NAME:
            connection.add_message_handler(lambda message: told.set() if message.body[:1] == [NAME] else None)
            upower.bus.disconnect()
            await asyncio.wait_for(told.wait(), PATIENCE)
        return found

    monkeypatch.setattr(dbus_calls, "owner", owner)
    machine.start()
    await machine.conditions.first_look()
    assert not machine.conditions._bus.has(machine.conditions._read[0])


async def test_only_who_has_the_name_is_heard(bus: PrivateBus, machine: Machine) -> None:
    upower = await started(bus.address)
    machine.start()
    await machine.until(Condition.POWER, "external", "UPower")
    stranger = Upower()
    stranger.bus = await MessageBus(bus_address=bus.address).connect()
    while not upower.asked.empty():
        upower.asked.get_nowait()
    (names,) = await dbus_calls.call(stranger.bus, dbus_calls.BUS, "/org/freedesktop/DBus", "ListNames")
    for name in names:
        if name.startswith(":"):
            await stranger.says(True, to=name)
    await asyncio.sleep(0.05)  # that nothing comes of it can only be seen by waiting
    await upower.says(True)
    await machine.until(Condition.POWER, "battery", "UPower")
    assert upower.asked.qsize() == 2  # once for each object, for the one signal that counts
    stranger.bus.disconnect()


async def test_a_service_over_which_the_desk_stumbles_counts_as_not_there(
    bus: PrivateBus, machine: Machine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    class PlantedFault(RuntimeError):
        pass

    monkeypatch.setenv("FRONTDESK_HOME", str(tmp_path))
    upower = await started(bus.address)
    machine.start()
    await machine.until(Condition.POWER, "external", "UPower")

    async def fails(*_: object) -> None:
        raise PlantedFault

    with monkeypatch.context() as fault, caplog.at_level(logging.ERROR):
        fault.setattr(dbus_calls, "properties", fails)
        await upower.says(True)
        await machine.until(Condition.POWER, "battery", PSUTIL)
        await machine.sees(lambda: any("PlantedFault" in each.getMessage() for each in caplog.records))
    upower.bus.disconnect()
    await started(bus.address)
    await machine.until(Condition.POWER, "external", "UPower")
