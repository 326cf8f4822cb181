"""Desktop notifications on a real bus: a private dbus-daemon, with a notification service of the test's own on it."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from dbus_fast import Message, MessageType, RequestNameReply, Variant
from dbus_fast.aio import MessageBus

from frontdesk.agent.core import events as ev
from frontdesk.agent.shell import dbus_calls, notifications, session_bus
from frontdesk.agent.shell.notifications import DesktopNotifications
from frontdesk.terms import Action, AppState, Level, Notification
from tests.desks import DeskHome
from tests.shells.private_bus import PrivateBus

NAME = "org.freedesktop.Notifications"
PATH = "/org/freedesktop/Notifications"
APP = "org.example.chat"
ALL = ["actions", "body", "body-markup"]


class Service:
    """A notification service that keeps what it was told."""

    def __init__(self, capabilities: list[str]) -> None:
        self.capabilities = capabilities
        self.notified: asyncio.Queue[list[Any]] = asyncio.Queue()
        self.closed: asyncio.Queue[int] = asyncio.Queue()
        self.answers = True
        self.unanswered: asyncio.Queue[str | None] = asyncio.Queue()
        self.press_at_once = ""
        self.dies_of_it = False
        self.answers_in_words = False
        self.numbers = 10
        self.asked_capabilities = 0

    async def start(self, address: str) -> None:
        self.bus = await MessageBus(bus_address=address).connect()
        self.bus.add_message_handler(self._on_message)
        assert await self.bus.request_name(NAME) is RequestNameReply.PRIMARY_OWNER

    def _on_message(self, message: Message) -> Message | bool | None:
        if message.message_type is not MessageType.METHOD_CALL or message.interface != NAME:
            return None
        if not self.answers:
            self.unanswered.put_nowait(message.member)
            return True
        if message.member == "GetCapabilities":
            self.asked_capabilities += 1
            return Message.new_method_return(message, "as", [self.capabilities])
        if message.member == "Notify":
            self.notified.put_nowait(message.body)
            if self.dies_of_it:
                self.bus.disconnect()
                return True
            if self.answers_in_words:
                self._emit("NotificationClosed", "", [])
                return Message.new_method_return(message, "s", ["shown"])
            number = message.body[1] or self._new_number()
            if self.press_at_once:
                self.sent = self.bus.send(Message.new_method_return(message, "u", [number]))
                self.press(number, self.press_at_once)
                return True
            return Message.new_method_return(message, "u", [number])
        assert message.member == "CloseNotification"
        self.closed.put_nowait(message.body[0])
        return Message.new_method_return(message)

    def _new_number(self) -> int:
        self.numbers += 1
        return self.numbers

    def press(self, number: int, action: str) -> None:
        self._emit("ActionInvoked", "us", [number, action])

    def dismiss(self, number: int) -> None:
        self._emit("NotificationClosed", "uu", [number, 2])

    def expire(self, number: int) -> None:
        self._emit("NotificationClosed", "uu", [number, 1])

    def _emit(self, member: str, signature: str, body: list[Any]) -> None:
        emit(self.bus, member, signature, body)

    async def next(self) -> list[Any]:
        return await asyncio.wait_for(self.notified.get(), 20)


def emit(bus: MessageBus, member: str, signature: str, body: list[Any]) -> None:
    _ = bus.send(
        Message(
            message_type=MessageType.SIGNAL, path=PATH, interface=NAME, member=member, signature=signature, body=body
        )
    )


class Desk:
    """The part under test, and what it reported."""

    def __init__(self) -> None:
        self.actions: asyncio.Queue[tuple[str, str, str]] = asyncio.Queue()
        self.dismissed: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.came: asyncio.Queue[ev.OnDesktop] = asyncio.Queue()
        self.went: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.desktop = DesktopNotifications(self._take)
        self.running = asyncio.ensure_future(self.desktop.run())

    def _take(self, event: ev.Event) -> None:
        match event:
            case ev.ActAsked(app=app, notification=id, action=action):
                self.actions.put_nowait((app, id, action))
            case ev.DismissAsked(app=app, notification=id):
                self.dismissed.put_nowait((app, id))
            case ev.OnDesktop():
                self.came.put_nowait(event)
            case ev.OffDesktop(app=app, notification=id):
                self.went.put_nowait((app, id))

    def show(self, id: str, title: str = "Ann", body: str = "", **more: Any) -> None:
        self.desktop.show(APP, "Chat", Notification(id, title, body, **more))

    async def stop(self) -> None:
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)


@pytest.fixture
async def bus(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PrivateBus]:
    monkeypatch.setattr(notifications, "TRY_FIRST", 0.05)
    with tempfile.TemporaryDirectory(prefix="fd-", dir="/tmp") as folder:
        bus = PrivateBus(Path(folder))
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.address)
        await bus.start()
        yield bus
        await bus.kill()


@pytest.fixture
def bus_address(bus: PrivateBus) -> str:
    return bus.address


@pytest.fixture
async def desk(bus_address: str) -> AsyncIterator[Desk]:
    desk = Desk()
    yield desk
    await desk.stop()


async def started(address: str, capabilities: list[str] = ALL) -> Service:
    service = Service(capabilities)
    await service.start(address)
    return service


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not done():  # noqa: ASYNC110 - see below
            await asyncio.sleep(0.005)  # a property of the part under test that tells nobody when it changes


async def test_shows_what_the_app_said(bus_address: str, desk: Desk) -> None:
    service = await started(bus_address)
    desk.show("m1", "Ann & Bob", "2 < 3 & <b>", level=Level.TIME_SENSITIVE, actions=(Action("re", "Reply"),))
    name, replaces, icon, title, body, actions, hints, expire = await service.next()
    assert (name, replaces, icon, title, expire) == ("Chat", 0, "", "Ann & Bob", -1)
    assert body == "2 &lt; 3 &amp; &lt;b&gt;"
    assert actions == ["default", "Chat", "app:re", "Reply"]
    assert hints == {"urgency": Variant("y", 1), "desktop-entry": Variant("s", APP)}
    desk.show("m2", level=Level.PASSIVE)
    assert (await service.next())[6]["suppress-sound"] == Variant("b", True)
    desk.show("m3", level=Level.CRITICAL)
    critical = await service.next()
    assert (critical[6]["urgency"], critical[7]) == (Variant("y", 2), 0)
    assert service.asked_capabilities == 1


async def test_a_plain_service_gets_plain_text(bus_address: str, desk: Desk) -> None:
    service = await started(bus_address, ["body"])
    desk.show("m1", "Ann", "2 < 3", actions=(Action("re", "Reply"),))
    assert (await service.next())[4:6] == ["2 < 3", []]


async def test_a_service_without_bodies_gets_one_line(bus_address: str, desk: Desk) -> None:
    service = await started(bus_address, [])
    desk.show("m1", "Ann", "Hello")
    assert (await service.next())[3:5] == ["Ann: Hello", ""]


@pytest.mark.contract("N03")
async def test_same_id_replaces_and_can_be_withdrawn(bus_address: str, desk: Desk) -> None:
    service = await started(bus_address)
    desk.show("m1", "Ann", "one")
    assert (await service.next())[1] == 0
    desk.show("m1", "Ann", "two")
    assert (await service.next())[1] == 11
    desk.show("m2", "Bob", "other")
    assert (await service.next())[1] == 0
    desk.desktop.withdraw(APP, "m1")
    assert await asyncio.wait_for(service.closed.get(), 20) == 11
    desk.show("m1", "Ann", "three")
    assert (await service.next())[1] == 0


@pytest.mark.contract("N03")
async def test_withdrawn_before_it_was_shown_is_never_shown(bus_address: str, desk: Desk) -> None:
    desk.show("m1")
    desk.desktop.withdraw(APP, "m1")
    desk.show("m2", "Bob")
    service = await started(bus_address)
    assert (await service.next())[3] == "Bob"
    assert service.notified.empty()


async def test_buttons_and_clicks_come_back(bus_address: str, desk: Desk) -> None:
    service = await started(bus_address)
    desk.show("m1", actions=(Action("default", "Never mistaken for a click"),))
    await service.next()
    await until(lambda: desk.desktop.available)
    service.press(99, "default")
    service.press(11, "unheard-of")
    service.press(11, "default")
    service.press(11, "app:default")
    assert await asyncio.wait_for(desk.actions.get(), 20) == (APP, "m1", "")
    assert await asyncio.wait_for(desk.actions.get(), 20) == (APP, "m1", "default")
    service.dismiss(11)
    assert await asyncio.wait_for(desk.dismissed.get(), 20) == (APP, "m1")
    assert desk.actions.empty()


async def test_button_pressed_before_we_know_the_number(bus_address: str, desk: Desk) -> None:
    service = await started(bus_address)
    service.press_at_once = "app:re"
    desk.show("m1", actions=(Action("re", "Reply"),))
    assert await asyncio.wait_for(desk.actions.get(), 20) == (APP, "m1", "re")


async def test_signals_of_others_are_ignored(bus_address: str, desk: Desk) -> None:
    service = await started(bus_address)
    desk.show("m1")
    await service.next()
    stranger = await MessageBus(bus_address=bus_address).connect()
    emit(stranger, "ActionInvoked", "us", [11, "default"])
    await stranger.introspect("org.freedesktop.DBus", "/org/freedesktop/DBus")  # by now the bus has passed it on
    stranger.disconnect()
    service.press(11, "app:mine")
    assert await asyncio.wait_for(desk.actions.get(), 20) == (APP, "m1", "mine")


async def test_no_bus_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    desk = Desk()
    desk.show("m1")
    desk.desktop.withdraw(APP, "m1")
    await until(lambda: desk.desktop._pauses.failures > 0)
    assert not desk.desktop.available and not desk.running.done()
    await desk.stop()


@pytest.mark.parametrize("address", ["unix:path=/nonexistent/bus", "nonsense", "unix:"])
async def test_a_wrong_bus_address(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
    monkeypatch.setattr(notifications, "TRY_FIRST", 0.001)
    desk = Desk()
    desk.show("m1")
    await until(lambda: desk.desktop._pauses.failures == notifications.TRIES)
    assert not desk.desktop.available and not desk.running.done()
    await desk.stop()


async def test_shown_when_the_service_appears_and_when_another_follows(bus_address: str, desk: Desk) -> None:
    desk.show("m1", "Ann", "waited")
    first = await started(bus_address)
    assert (await first.next())[4] == "waited"
    first.bus.disconnect()
    await until(lambda: not desk.desktop.available)
    desk.show("m1", "Ann", "waited again")
    second = await started(bus_address)
    # The number was the first service's: to the second it would be somebody else's notification.
    assert (await second.next())[1:5] == [0, "", "Ann", "waited again"]


async def test_only_the_newest_wait_for_a_service(bus_address: str, desk: Desk) -> None:
    for number in range(notifications.WAITING_MOST + 1):
        desk.show(f"m{number}", str(number))
    service = await started(bus_address)
    assert [(await service.next())[3] for _ in range(notifications.WAITING_MOST)] == [
        str(number) for number in range(1, notifications.WAITING_MOST + 1)
    ]


async def test_all_that_stood_can_be_withdrawn_at_once(bus_address: str, desk: Desk) -> None:
    """As when an app is removed: the limit is for what is to be shown; what is to go has no other place to be."""
    service = await started(bus_address)
    numbers = set()
    for number in range(notifications.WAITING_MOST + 5):
        desk.show(f"m{number}", str(number))
        numbers.add((await asyncio.wait_for(desk.came.get(), 20)).number)
    for number in range(notifications.WAITING_MOST + 5):
        desk.desktop.withdraw(APP, f"m{number}")
    desk.show("last")
    assert (await asyncio.wait_for(desk.came.get(), 20)).notification.id == "last"
    assert {service.closed.get_nowait() for _ in range(service.closed.qsize())} == numbers


async def test_a_service_that_hangs_costs_time_and_nothing_else(
    bus_address: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await started(bus_address)
    await until(lambda: desk.desktop.available)
    service.answers = False
    with monkeypatch.context() as impatient:
        impatient.setattr(dbus_calls, "ANSWER_WITHIN", 0.1)
        desk.show("m1", "lost on the desktop")
        assert await asyncio.wait_for(service.unanswered.get(), 20) == "Notify"
        await until(lambda: not desk.desktop._waiting and desk.desktop._in_flight is None)
    service.answers = True
    desk.show("m2", "heard")
    assert (await service.next())[3] == "heard"


@pytest.mark.contract("N05")
async def test_what_stands_is_shown_once_when_bus_and_service_come_back(bus: PrivateBus, desk: Desk) -> None:
    service = await started(bus.address)
    for title in ("closed", "expired", "stands", "withdrawn meanwhile"):
        desk.show(title, title)
        await service.next()
    service.expire(12)
    service.dismiss(11)  # once this is heard, what was said before it is, too
    assert await asyncio.wait_for(desk.dismissed.get(), 20) == (APP, "closed")
    await bus.kill()
    await until(lambda: not desk.desktop.available)
    desk.desktop.withdraw(APP, "withdrawn meanwhile")
    desk.show("new", "new")
    await bus.start()
    service = await started(bus.address)
    assert [(await service.next())[1:4] for _ in range(2)] == [[0, "", "stands"], [0, "", "new"]]
    desk.show("last", "last")
    assert (await service.next())[3] == "last"
    service.press(11, "default")
    assert await asyncio.wait_for(desk.actions.get(), 20) == (APP, "stands", "")
    assert desk.dismissed.empty()


async def test_what_stood_with_a_service_that_went_stands_once_with_the_next(bus: PrivateBus, desk: Desk) -> None:
    first = await started(bus.address)
    desk.show("m1", "Ann", "old")
    assert (await first.next())[4] == "old"
    desk.show("m1", "Ann", "newest")
    assert (await first.next())[4] == "newest"
    first.bus.disconnect()
    second = await started(bus.address)
    assert (await second.next())[1:5] == [0, "", "Ann", "newest"]
    desk.show("m2", "Bob")
    assert (await second.next())[3] == "Bob"


async def test_a_service_that_dies_of_a_notification_is_not_given_it_for_ever(bus: PrivateBus, desk: Desk) -> None:
    desk.show("fatal", "fatal")
    for _ in range(2):
        service = Service(ALL)
        service.dies_of_it = True
        await service.start(bus.address)
        assert (await service.next())[3] == "fatal"
        await until(lambda: not desk.desktop.available)
    service = await started(bus.address)
    desk.show("harmless", "harmless")
    assert (await service.next())[3] == "harmless"


async def test_a_bus_that_stays_away_is_looked_for_only_while_something_waits(
    bus: PrivateBus, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await started(bus.address)
    await until(lambda: desk.desktop.available)
    looks = 0

    def look() -> str:
        nonlocal looks
        looks += 1
        return bus.address

    monkeypatch.setattr(session_bus, "address", look)
    await bus.kill()
    await until(lambda: not desk.desktop.available)
    await asyncio.sleep(0.3)  # many times the first pause: nothing is to happen in it
    assert looks == 0
    monkeypatch.setattr(desk.desktop._pauses, "most", 0.01)
    desk.show("m1")
    await until(lambda: desk.desktop._pauses.failures == notifications.TRIES)
    seen = looks
    await asyncio.sleep(0.1)  # as above
    assert looks == seen > 0
    await bus.start()
    service = await started(bus.address)
    desk.show("m2", "Bob")
    assert {(await service.next())[3] for _ in range(2)} == {"Ann", "Bob"}


async def test_closed_by_time_or_by_the_app_is_no_word_of_the_person(bus: PrivateBus, desk: Desk) -> None:
    service = await started(bus.address)
    desk.show("m1", "one")
    desk.show("m2", "two")
    await service.next()
    await service.next()
    service.expire(11)
    service.dismiss(12)
    assert await asyncio.wait_for(desk.dismissed.get(), 20) == (APP, "m2")
    assert desk.dismissed.empty()


@pytest.mark.contract("N05")
async def test_closed_on_the_desktop_it_leaves_the_desks_list_and_wakes_nobody(bus: PrivateBus, home: DeskHome) -> None:
    home.environment["DBUS_SESSION_BUS_ADDRESS"] = bus.address
    service = await started(bus.address)
    await home.start()
    await home.install()
    puppet = await home.launch()
    await puppet.do("notify", id="time", title="its time is over")
    await puppet.do("notify", id="person", title="closed by the person")
    await service.next()
    await service.next()
    puppet.order("background")
    await home.until_state(AppState.SUSPENDED)
    service.expire(11)
    service.dismiss(12)
    shown = (await home.until(lambda status: len(status.shown) < 2)).shown
    assert [each.notification.id for each in shown] == ["time"]
    assert (await home.row()).state is AppState.SUSPENDED


async def test_a_zero_byte_in_a_text_ends_nothing(bus_address: str, desk: Desk) -> None:
    service = await started(bus_address)
    desk.show("m1", "An\0n", "one\0", actions=(Action("r\0e", "Re\0ply"),))
    assert (await service.next())[3:6] == ["Ann", "one", ["default", "Chat", "app:re", "Reply"]]
    desk.show("m2", "Bob", "two")
    assert (await service.next())[3] == "Bob"


async def test_a_service_that_answers_something_else_costs_its_own_notification_only(
    bus_address: str, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    service = await started(bus_address)
    service.answers_in_words = True
    desk.show("n")
    await service.next()
    await until(lambda: "where 'u' was due" in caplog.text)
    service.answers_in_words = False
    desk.show("later")
    await service.next()
    assert not desk.running.done()


async def test_a_service_that_tells_its_capabilities_wrongly_is_as_none(
    bus_address: str, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    bus = await MessageBus(bus_address=bus_address).connect()
    bus.add_message_handler(
        lambda message: Message.new_method_return(message) if message.member == "GetCapabilities" else None
    )
    await bus.request_name(NAME)
    desk.show("n")
    await until(lambda: "where 'as' was due" in caplog.text)
    assert not desk.running.done() and not desk.desktop.available
    bus.disconnect()


# --- what an earlier desk has shown -----------------------------------------------------------------------------------


async def came(desk: Desk) -> ev.OnDesktop:
    return await asyncio.wait_for(desk.came.get(), 20)


async def shown_before(bus: PrivateBus, service: Service, *ids: str) -> list[ev.OnDesktop]:
    """A desk shows these, tells what came of them, and is gone."""
    desk = Desk()
    for id in ids:
        desk.show(id, id)
    told = [await came(desk) for _ in ids]
    await desk.stop()
    assert [(await service.next())[1] for _ in ids] == [0] * len(ids)
    return told


def take_up(desk: Desk, told: ev.OnDesktop, *, withdrawn: bool = False) -> None:
    words = None if withdrawn else told.notification
    desk.desktop.take_up(APP, "Chat", told.notification.id, told.service, told.number, words)


@pytest.mark.contract("L06", "N03", "N04")
async def test_what_another_desk_showed_is_replaced_withdrawn_and_pressed(bus: PrivateBus) -> None:
    service = await started(bus.address)
    told = await shown_before(bus, service, "replaced", "withdrawn", "pressed", "withdrawn before")
    assert [each.number for each in told] == [11, 12, 13, 14]
    desk = Desk()
    for each in told[:3]:
        take_up(desk, each)
    take_up(desk, told[3], withdrawn=True)
    desk.show("replaced", "newer words")
    desk.desktop.withdraw(APP, "withdrawn")
    assert (await service.next())[1:4] == [11, "", "newer words"]
    assert [await asyncio.wait_for(service.closed.get(), 20) for _ in range(2)] == [14, 12]
    service.press(13, "default")
    assert await asyncio.wait_for(desk.actions.get(), 20) == (APP, "pressed", "")
    service.dismiss(13)
    assert await asyncio.wait_for(desk.dismissed.get(), 20) == (APP, "pressed")
    assert [await asyncio.wait_for(desk.went.get(), 20) for _ in range(3)] == [
        (APP, "withdrawn before"),
        (APP, "withdrawn"),
        (APP, "pressed"),
    ]
    assert service.notified.empty()
    await desk.stop()


@pytest.mark.contract("N03", "N05")
async def test_numbers_of_a_service_that_went_meanwhile_are_no_numbers_of_the_next(bus: PrivateBus) -> None:
    first = await started(bus.address)
    told = await shown_before(bus, first, "stood", "withdrawn before")
    first.bus.disconnect()
    second = await started(bus.address)
    desk = Desk()
    take_up(desk, told[0])
    take_up(desk, told[1], withdrawn=True)
    assert (await second.next())[1:4] == [0, "", "stood"]
    assert (await came(desk)).number == 11
    assert await asyncio.wait_for(desk.went.get(), 20) == (APP, "withdrawn before")
    assert second.closed.empty() and second.notified.empty()
    await desk.stop()


@pytest.mark.contract("N05")
async def test_what_stood_before_another_log_in_stays_in_the_list(bus: PrivateBus) -> None:
    told = await shown_before(bus, await started(bus.address), "stood")
    await bus.kill()
    await bus.start()
    service = await started(bus.address)
    desk = Desk()
    take_up(desk, told[0])
    assert await asyncio.wait_for(desk.went.get(), 20) == (APP, "stood")
    desk.show("new", "new")
    assert (await service.next())[3] == "new"
    await desk.stop()


async def test_what_nobody_can_show_is_told(bus: PrivateBus, desk: Desk) -> None:
    for number in range(notifications.WAITING_MOST + 1):
        desk.show(f"m{number}", str(number))
    assert (await came(desk)).notification.id == "m0"
    desk.desktop.withdraw(APP, "m0")
    assert await asyncio.wait_for(desk.went.get(), 20) == (APP, "m0")


async def test_withdrawn_while_a_service_that_dies_is_given_it_it_is_not_shown_by_the_next(
    bus: PrivateBus, desk: Desk
) -> None:
    first = await started(bus.address)
    await until(lambda: desk.desktop.available)
    first.answers = False
    desk.show("m1", "withdrawn")
    assert await asyncio.wait_for(first.unanswered.get(), 20) == "Notify"
    desk.desktop.withdraw(APP, "m1")
    first.bus.disconnect()
    second = await started(bus.address)
    assert await asyncio.wait_for(desk.went.get(), 20) == (APP, "m1")
    desk.show("m2", "Bob")
    assert (await second.next())[3] == "Bob"


@pytest.mark.contract("L06", "N03", "N04")
async def test_a_killed_desk_leaves_its_bubbles_to_the_next(bus: PrivateBus, home: DeskHome) -> None:
    home.environment["DBUS_SESSION_BUS_ADDRESS"] = bus.address
    service = await started(bus.address)
    await home.start()
    await home.install()
    puppet = await home.launch()
    for id in ("replaced", "withdrawn", "pressed"):
        await puppet.do("notify", id=id, title=id)
        await service.next()
    service.answers = False
    await puppet.do("notify", id="perhaps", title="killed over it")
    assert await asyncio.wait_for(service.unanswered.get(), 20) == "Notify"
    service.answers = True
    await home.kill_desk()
    await home.disconnect()
    await home.connect()
    assert (await service.next())[1:4] == [0, "", "killed over it"]
    await puppet.do("notify", id="replaced", title="newer words")
    assert (await service.next())[1:4] == [11, "", "newer words"]
    await puppet.do("withdraw", id="withdrawn")
    assert await asyncio.wait_for(service.closed.get(), 20) == 12
    service.press(13, "default")
    assert (await puppet.hears("pressed"))["notification"] == "pressed"
    assert {each.notification.id for each in (await home.status()).shown} == {"replaced", "perhaps"}
    assert service.notified.empty()
