"""The desk's loop over a real store: what of a batch is kept when the core, an effect or the store fails."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.dispatcher import Dispatcher
from frontdesk.agent.core.setup import Setup
from frontdesk.agent.loop import DeskLoop
from frontdesk.agent.shell.clock import Clock
from frontdesk.agent.shell.machine_clock import MachineClock
from frontdesk.agent.shell.store import Store, StoreFailed
from frontdesk.terms import Manifest, Notification

NOTES = Manifest("org.example.notes", "Notes", ("notes",))


class PlantedFault(RuntimeError):
    """What the test meant to happen."""


class Stand:
    """A loop with the real core and store; ``carried`` is what it wanted done."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "desk.sqlite3", 1000.0)
        self.core = Dispatcher(Setup(), lambda: "id")
        self.carried: list[do.Effect] = []
        self.errors: list[BaseException | None] = []
        self.failed = asyncio.Event()
        self.batch_done = asyncio.Event()
        asyncio.get_running_loop().set_exception_handler(self._loop_failed)
        self.slept = 0.0
        self.clock = Clock(lambda: time.monotonic() + self.slept, time.monotonic)
        self.recorded: list[tuple[Any, ...]] = []
        self.loop = DeskLoop(
            self.core,
            self.store,
            self.clock,
            self.carry_out,
            self.batch_done.set,
            lambda *each: self.recorded.append(each),
        )

    def carry_out(self, effect: do.Effect) -> None:
        self.carried.append(effect)

    def _loop_failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.errors.append(context.get("exception"))
        self.failed.set()

    def kept(self) -> set[str]:
        return {machine for machine, _, _ in self.store.saved()}

    def notify(self, title: str) -> None:
        self.loop.post(ev.NotifyAsked(NOTES.id, 1, 1, Notification(title, title)))

    async def turned(self) -> None:
        self.batch_done.clear()
        await asyncio.wait_for(self.batch_done.wait(), 20)


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    stand = Stand(tmp_path)
    stand.loop.post(ev.AppAdded(NOTES))
    await stand.turned()
    yield stand
    stand.loop.close()
    stand.store.close()


@pytest.mark.contract("L06")
@pytest.mark.parametrize("where", ["handle", "saves", "next_wake"])
async def test_of_a_batch_over_which_the_core_fails_nothing_is_kept_then_or_later(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    before = set(stand.store.saved())
    machine = stand.core.subscriptions

    def fails(*_: object) -> None:
        raise PlantedFault

    with monkeypatch.context() as fault:
        fault.setattr(machine, where, fails)
        stand.notify("half done")
        await asyncio.wait_for(stand.failed.wait(), 20)
    assert [type(error) for error in stand.errors] == [PlantedFault]
    assert stand.recorded[-1][2:] == (None, None), "in the event log it stands as failed"
    # The core is as it was made to be again, and knows of what came: it is not to be believed any more.
    stand.notify("later")
    stand.loop.close()
    assert set(stand.store.saved()) == before
    assert not [effect for effect in stand.carried if isinstance(effect, do.Answer)]


@pytest.mark.contract("L06")
async def test_an_effect_that_fails_leaves_the_commit_and_ends_the_loop(stand: Stand) -> None:
    def fails(effect: do.Effect) -> None:
        raise PlantedFault

    stand.loop._carry_out = fails
    stand.notify("kept")
    await asyncio.wait_for(stand.failed.wait(), 20)
    kept = set(stand.store.saved())
    assert stand.kept() == {"desktop", "history", "lifecycle", "shown"}
    stand.notify("later")
    stand.loop.close()
    assert set(stand.store.saved()) == kept


@pytest.mark.contract("S07", "L06")
async def test_that_the_machine_slept_is_handled_before_whatever_else_came(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[list[ev.Event]] = []
    handle = stand.core.handle

    def noted(events: list[ev.Event], now: float) -> list[do.Effect]:
        batches.append(list(events))
        return handle(events, now)

    monkeypatch.setattr(stand.core, "handle", noted)
    machine_clock = MachineClock(stand.clock, stand.loop.post)
    stand.slept += 3600
    stand.loop.post(ev.TimePassed())  # an alarm, before anybody else noticed that the machine is awake again
    machine_clock.awake_again()
    await stand.turned()
    stand.loop.post(ev.TimePassed())
    await stand.turned()
    [[slept, *with_it], after] = batches
    assert isinstance(slept, ev.MachineSlept) and slept.seconds == pytest.approx(3600, abs=1)
    assert with_it[:2] == [ev.TimePassed(), ev.TimePassed()] and after == [ev.TimePassed()]
    assert not any(isinstance(event, ev.MachineSlept) for event in with_it)


async def test_it_turns_by_itself_when_the_core_wanted_to_be_woken(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    wants: list[float | None] = [None, clock.now() + 0.05]
    monkeypatch.setattr(stand.core, "next_wake", lambda: wants.pop())
    stand.notify("now")
    await stand.turned()
    await stand.turned()
    assert wants == []


async def test_a_value_the_store_cannot_take_leaves_no_half_of_a_commit(stand: Stand) -> None:
    whole, wrong = do.Save("shown", "a", b"whole"), do.Save("shown", "b", object())  # type: ignore[arg-type]
    before = set(stand.store.saved())
    with pytest.raises(Exception, match="not supported"):
        stand.store.commit([whole, wrong], [])
    stand.store.commit([do.Save("shown", "c", b"next")], [])
    assert set(stand.store.saved()) - before == {("shown", "c", b"next")}


async def test_a_burst_of_deletions_has_the_log_emptied_once_and_while_nobody_waits(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    emptied, really = asyncio.Queue[bool](), stand.store.empty_log

    def empty_log() -> None:
        really()
        emptied.put_nowait(stand.store.traces)

    monkeypatch.setattr(stand.store, "empty_log", empty_log)
    for number in range(5):
        stand.notify(f"are you coming? {number}")
        await stand.turned()
        stand.loop.post(ev.DismissAsked(NOTES.id, f"are you coming? {number}"))
        await stand.turned()
        assert stand.store.traces and emptied.empty()
    assert await asyncio.wait_for(emptied.get(), 20) is False
    # Nothing is left to do, so nothing is done: a desk that rests has no timer of this.
    assert stand.loop._emptying is None and emptied.empty()


async def test_a_store_that_cannot_be_written_is_tried_again_once_however_much_happens(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise StoreFailed("full")

    later: list[str] = []
    loop = asyncio.get_running_loop()
    call_later = loop.call_later

    def counted(delay: float, callback: Any, *arguments: Any) -> asyncio.TimerHandle:
        later.append(getattr(callback, "__qualname__", ""))
        return call_later(delay, callback, *arguments)

    monkeypatch.setattr(stand.store, "commit", fails)
    with monkeypatch.context() as counting:
        counting.setattr(loop, "call_later", counted)
        for title in "abc":
            stand.notify(title)
            await stand.turned()
    assert len([what for what in later if what.startswith("DeskLoop")]) == 1
