"""Who is let in, heard and answered, with the desk's own core; the ends of connections are the test's."""

import asyncio
from typing import Any

import pytest

from frontdesk.agent.clients import Clients
from frontdesk.agent.core import admission
from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.dispatcher import Dispatcher
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.setup import Setup
from frontdesk.errors import WireError
from frontdesk.terms import Manifest, Refusal
from frontdesk.wire import desk as wire

APP = "org.example.notes"
MANIFEST = Manifest(APP, "Notes", ("notes",), background=("refresh",))


class End:
    """The desk's end of a connection."""

    def __init__(self, asker: int, pid: int) -> None:
        self.asker, self.pid = asker, pid
        self.app: str | None = None
        self.version = 0
        self.got: list[wire.ToApp] = []

    def send(self, message: wire.ToApp) -> None:
        self.got.append(message)

    def refuse(self, reason: Refusal, text: str) -> None:
        self.send(wire.Refused(reason, text))


class Desk:
    """``events`` is what the core was handed; each is handled at once."""

    def __init__(self) -> None:
        self.events: list[ev.Event] = []
        self.addresses: list[str] = []
        self.core = Dispatcher(Setup(Limits(), "test"), lambda: "an id")
        none: Any = None
        self.clients: Clients[End] = Clients(
            self.core,
            self.post,
            desk_version="test",
            now=lambda: 0.0,
            new_channel=none,
            show_address=lambda end, asked: self.addresses.append(asked.address),
        )
        self.post(ev.AppAdded(MANIFEST))
        self.post(ev.DeskStarted())

    def post(self, event: ev.Event) -> None:
        self.events.append(event)
        self.core.handle([event], 0.0)

    def hello(self, end: End, run: str) -> End | None:
        """What it took the place of."""
        said = wire.Hello(APP, run, wire.OLDEST, wire.NEWEST)
        peer = admission.Peer(end.pid, 1000, 1, MANIFEST.command, "/")
        admitted = self.clients.admit(end, said, peer, MANIFEST)
        return None if admitted is None else self.clients.enter(end, said, peer, admitted)


@pytest.fixture(autouse=True)
def same_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 1000)


@pytest.mark.contract("X04")
def test_a_second_process_is_refused_and_the_first_opened() -> None:
    desk, first, second = Desk(), End(1, 100), End(2, 200)
    desk.hello(first, "one")
    desk.events.clear()
    desk.hello(second, "two")
    [refused] = second.got
    assert isinstance(refused, wire.Refused) and refused.reason is Refusal.ALREADY_RUNNING
    opened, noticed = desk.events
    assert opened == ev.OpenAsked(APP)
    assert isinstance(noticed, ev.Noticed) and noticed.what == "refused" and "process 200" in noticed.text
    assert second.app is None


def test_a_process_that_connects_anew_takes_its_own_place_and_the_end_of_the_old_one_is_no_news() -> None:
    desk, old, new = Desk(), End(1, 100), End(2, 100)
    assert desk.hello(old, "one") is None
    assert desk.hello(new, "one") is old
    desk.events.clear()
    desk.clients.left(old)
    assert desk.events == [] and desk.clients.is_connected(APP)
    old.got.clear()
    desk.clients.send(do.Send(APP, wire.Open()))
    desk.clients.answer(do.Answer(old.asker, wire.Done(1)))
    desk.clients.answer(do.Answer(new.asker, wire.Done(2)))
    assert old.got == [] and new.got[-2:] == [wire.Open(), wire.Done(2)]
    desk.clients.left(new)
    assert desk.events == [ev.Disconnected(APP)] and not desk.clients.is_connected(APP)


def test_an_app_that_is_not_registered_is_not_opened() -> None:
    desk, end = Desk(), End(1, 100)
    desk.events.clear()
    assert not desk.clients.enter_to_steer(end, wire.OpenFirst("org.example.gone", wire.OLDEST, wire.NEWEST))
    assert desk.events == []
    assert end.got == [wire.Refused(Refusal.UNKNOWN_APP, admission.unknown("org.example.gone"))]


def test_one_that_is_registered_is_opened_and_who_asked_is_welcome() -> None:
    desk, end = Desk(), End(1, 100)
    desk.events.clear()
    assert desk.clients.enter_to_steer(end, wire.OpenFirst(APP, wire.OLDEST, wire.NEWEST))
    assert desk.events == [ev.OpenAsked(APP)]
    assert end.got == [wire.Welcome(version=wire.NEWEST, desk="test")]


def test_what_no_app_may_say_is_not_heard() -> None:
    desk, end = Desk(), End(1, 100)
    with pytest.raises(WireError, match="may not send GetStatus"):
        desk.clients.heard(end, APP, wire.GetStatus(1))


async def test_a_question_is_answered_when_what_was_said_before_it_has_been_handled() -> None:
    desk, end = Desk(), End(1, 100)
    desk.hello(end, "one")
    end.got.clear()
    desk.clients.heard(end, APP, wire.GetBudget(7))
    assert end.got == []
    await asyncio.sleep(0)
    assert end.got == [wire.BudgetIs(7, desk.core.budgets.budget(APP, 0.0))]


async def test_an_app_in_the_background_has_no_address_opened_and_the_person_can_see_that_it_tried() -> None:
    desk, end = Desk(), End(1, 100)
    desk.hello(end, "one")
    end.got.clear()
    desk.events.clear()
    desk.clients.heard(end, APP, wire.ShowAddress(7, "http://127.0.0.1/"))
    await asyncio.sleep(0)
    [refused] = end.got
    assert isinstance(refused, wire.Refused) and refused.reason is Refusal.NOT_PERMITTED and desk.addresses == []
    [noticed] = desk.events
    assert isinstance(noticed, ev.Noticed) and noticed.what == "refused"
    desk.post(ev.WentForeground(APP))
    desk.clients.heard(end, APP, wire.ShowAddress(8, "http://127.0.0.1/"))
    await asyncio.sleep(0)
    assert desk.addresses == ["http://127.0.0.1/"]
