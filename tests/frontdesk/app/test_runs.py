"""Runs of scheduled tasks in the app: completed once, expired in time, repeated until kept."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.app import runs as app_runs
from frontdesk.app.runs import PROGRESS_AT_ONCE, ScheduledRuns, ScheduledTask
from frontdesk.terms import TaskEnd, TaskKind
from frontdesk.wire import desk as wire
from frontdesk.wire.frames import MOST_BYTES, frame

Handler = Callable[[ScheduledTask], Awaitable[None]]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Desk(list[wire.ToDesk]):
    """What it is told; and an app's runs, that tell it."""

    def __init__(self, **handlers: Handler) -> None:
        super().__init__()
        self.reachable = True
        self.whole = asyncio.Event()
        self.clock = Clock()
        self.runs = ScheduledRuns(self.send, self.clock)
        self.runs.handlers.update(handlers)

    def send(self, message: wire.ToDesk) -> bool:
        if self.reachable:
            self.append(message)
        if isinstance(message, wire.TellProgress) and message.done == message.total:
            self.whole.set()
        return self.reachable

    async def gives(self, *runs: wire.TaskRun, seconds: float | None = 30.0) -> None:
        message = wire.RunTasks(runs, seconds)
        self.runs.take(message)
        self.runs.start(message)
        await settled()

    async def expires(self, *runs: str, seconds: float = 5.0, why: TaskEnd = TaskEnd.TIME_OVER) -> None:
        self.runs.take(wire.ExpireRuns(runs, why, seconds))
        await settled()


def a_run(run: str = "r1", identifier: str = "refresh", kind: TaskKind = TaskKind.REFRESH) -> wire.TaskRun:
    return wire.TaskRun(run, identifier, kind)


async def settled() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


async def for_ever(task: ScheduledTask) -> None:
    await asyncio.Event().wait()


# --- completing -------------------------------------------------------------------------------------------------------


@pytest.mark.contract("S12")
@pytest.mark.parametrize(("says", "success"), [(True, True), (False, False), (None, True)])
async def test_what_the_handler_says_or_its_return_completes_the_task(says: bool | None, success: bool) -> None:
    given: list[ScheduledTask] = []

    async def handler(task: ScheduledTask) -> None:
        given.append(task)
        if says is not None:
            task.set_task_completed(says)

    desk = Desk(refresh=handler)
    await desk.gives(wire.TaskRun("r1", "refresh", TaskKind.REFRESH, 2))
    assert desk == [wire.CompleteTask("r1", success)]
    [task] = given
    assert (task.identifier, task.kind, task.attempt) == ("refresh", TaskKind.REFRESH, 2)
    assert task.is_completed and not task.is_expired


@pytest.mark.contract("S12")
async def test_a_handler_that_fails_or_cancels_itself_has_not_succeeded(caplog: pytest.LogCaptureFixture) -> None:
    async def failing(task: ScheduledTask) -> None:
        raise ValueError("on purpose")

    async def cancelling(task: ScheduledTask) -> None:
        raise asyncio.CancelledError

    desk = Desk(failing=failing, cancelling=cancelling)
    await desk.gives(a_run("r1", "failing"), a_run("r2", "cancelling"))
    assert desk == [wire.CompleteTask("r1", False), wire.CompleteTask("r2", False)]
    assert [record.args for record in caplog.records] == [("failing",), ("cancelling",)]


@pytest.mark.contract("S12")
async def test_a_task_without_handler_is_completed_as_failed_and_said(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    await desk.gives(a_run())
    assert desk == [wire.CompleteTask("r1", False)]
    assert "No handler" in caplog.text


@pytest.mark.contract("S12")
async def test_a_second_completion_counts_not_and_is_said(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(task: ScheduledTask) -> None:
        task.set_task_completed(True)
        task.set_task_completed(False)

    desk = Desk(refresh=handler)
    await desk.gives(a_run())
    assert desk == [wire.CompleteTask("r1", True)]
    assert "completed before" in caplog.text


async def test_a_handler_of_a_declared_beginning_is_for_what_continues_it() -> None:
    seen: list[str] = []

    def handler(name: str) -> Handler:
        async def work(task: ScheduledTask) -> None:
            seen.append(name)

        return work

    names = ("export.*", "export.big.*", "export.big.one")
    desk = Desk(**{name: handler(name) for name in names})
    for identifier in ("export.7", "export.big.7", "export.big.one", "exported"):
        await desk.gives(a_run(identifier, identifier, TaskKind.CONTINUED), seconds=None)
    assert seen == ["export.*", "export.big.*", "export.big.one"]
    assert desk[-1] == wire.CompleteTask("exported", False)


# --- expiring ---------------------------------------------------------------------------------------------------------


@pytest.mark.contract("S11")
async def test_without_expiration_handler_the_work_is_cancelled_and_unsuccessful_at_once() -> None:
    cleaned = []

    async def handler(task: ScheduledTask) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(not task.is_completed)

    desk = Desk(refresh=handler)
    await desk.gives(a_run())
    await desk.expires("r1")
    assert desk == [wire.CompleteTask("r1", False)]
    assert cleaned == [True]  # what it opened is closed before the desk may suspend it


@pytest.mark.contract("S11")
async def test_who_takes_long_to_clean_up_is_completed_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_runs, "CLEAN_UP", 0.0)
    gate = asyncio.Event()

    async def handler(task: ScheduledTask) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await gate.wait()

    desk = Desk(refresh=handler)
    await desk.gives(a_run())
    await desk.expires("r1")
    assert desk == [wire.CompleteTask("r1", False)]
    gate.set()
    await settled()
    assert len(desk) == 1


@pytest.mark.contract("S11")
@pytest.mark.parametrize("plain", [True, False])
async def test_the_expiration_handler_is_called_once_and_completes_the_task(plain: bool) -> None:
    called = []

    async def handler(task: ScheduledTask) -> None:
        def expire() -> None:
            called.append(task.time_remaining())
            task.set_task_completed(True)

        async def expire_later() -> None:
            await asyncio.sleep(0)
            expire()

        task.expiration_handler = expire if plain else expire_later
        await asyncio.Event().wait()

    desk = Desk(refresh=handler)
    await desk.gives(a_run())
    desk.clock.now += 25
    await desk.expires("r1", seconds=4.0)
    await desk.expires("r1", seconds=4.0)
    assert called == [4.0]
    assert desk == [wire.CompleteTask("r1", True)]


@pytest.mark.contract("S11")
async def test_work_that_stops_after_its_expiration_handler_is_unsuccessful() -> None:
    async def handler(task: ScheduledTask) -> None:
        stop = asyncio.Event()
        task.expiration_handler = stop.set
        await stop.wait()

    desk = Desk(refresh=handler)
    await desk.gives(a_run())
    await desk.expires("r1")
    assert desk == [wire.CompleteTask("r1", False)]


@pytest.mark.contract("S11")
async def test_an_expiration_handler_that_fails_is_as_good_as_none(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(task: ScheduledTask) -> None:
        def fail() -> None:
            raise ValueError("on purpose")

        task.expiration_handler = fail
        await asyncio.Event().wait()

    desk = Desk(refresh=handler)
    await desk.gives(a_run())
    with caplog.at_level(logging.CRITICAL):
        await desk.expires("r1")
    assert desk == [wire.CompleteTask("r1", False)]


@pytest.mark.contract("S11", "S12")
async def test_an_expiration_handler_that_waits_for_the_work_it_has_cancelled_is_as_good_as_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def handler(task: ScheduledTask) -> None:
        work = asyncio.create_task(asyncio.Event().wait())

        async def expire() -> None:
            work.cancel()
            await work
            task.set_task_completed(False)  # never reached: awaiting what was cancelled raises CancelledError

        task.expiration_handler = expire
        await asyncio.Event().wait()

    desk = Desk(refresh=handler)
    await desk.gives(a_run())
    with caplog.at_level(logging.CRITICAL):
        await desk.expires("r1")
    assert desk == [wire.CompleteTask("r1", False)]


@pytest.mark.contract("S11", "S12")
async def test_work_that_fails_over_its_being_cancelled_is_unsuccessful(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(task: ScheduledTask) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("on purpose")

    desk = Desk(refresh=handler)
    await desk.gives(a_run())
    await desk.expires("r1")
    assert desk == [wire.CompleteTask("r1", False)]
    assert "on purpose" in caplog.text


@pytest.mark.contract("S11", "L13")
async def test_a_run_that_is_expired_while_it_waits_to_begin_never_begins() -> None:
    begun = []

    async def handler(task: ScheduledTask) -> None:
        begun.append(task.run)

    desk = Desk(refresh=handler)
    message = wire.RunTasks((a_run("r1"), a_run("r2")), 30.0)
    desk.runs.take(message)  # read, and waiting behind a slow on_resumed
    await desk.expires("r1")
    assert desk == [wire.CompleteTask("r1", False)]
    desk.runs.start(message)
    await settled()
    assert begun == ["r2"]


@pytest.mark.contract("S08")
async def test_the_time_is_that_of_the_launch_for_all_its_tasks() -> None:
    given: list[ScheduledTask] = []

    async def handler(task: ScheduledTask) -> None:
        given.append(task)
        await for_ever(task)

    desk = Desk(refresh=handler, export=handler)
    await desk.gives(a_run("r1"), a_run("r2"), seconds=30.0)
    desk.clock.now += 10
    assert [task.time_remaining() for task in given] == [20.0, 20.0]
    desk.clock.now += 100
    assert [task.time_remaining() for task in given] == [0.0, 0.0]
    await desk.gives(a_run("r3", "export", TaskKind.CONTINUED), seconds=None)
    assert given[-1].time_remaining() == float("inf")
    desk.runs.close()
    await settled()


# --- until kept -------------------------------------------------------------------------------------------------------


@pytest.mark.contract("L07")
async def test_a_completion_is_repeated_until_it_is_kept_and_a_run_is_never_done_twice() -> None:
    begun = []

    async def handler(task: ScheduledTask) -> None:
        begun.append(task.run)
        if task.run == "r2":
            await for_ever(task)

    desk = Desk(refresh=handler)
    desk.reachable = False
    await desk.gives(a_run("r1"), a_run("r2"))
    assert desk == [] and set(desk.runs.in_hand()) == {"r1", "r2"}
    desk.reachable = True
    desk.runs.repeat()
    assert desk == [wire.CompleteTask("r1", True)]
    await desk.gives(a_run("r1"), a_run("r2"))
    assert begun == ["r1", "r2"]
    desk.runs.take(wire.RunKept("r1"))
    desk.clear()
    desk.runs.repeat()
    assert desk == [] and desk.runs.in_hand() == ("r2",)
    desk.runs.close()
    await settled()


@pytest.mark.contract("L07")
async def test_an_app_that_leaves_says_nothing_of_what_it_did_not_complete() -> None:
    desk = Desk(refresh=for_ever)
    await desk.gives(a_run())
    desk.runs.close()
    await settled()
    assert desk == []


@pytest.mark.contract("L07")
async def test_an_app_that_left_and_started_again_is_given_its_run_again_and_completes_it() -> None:
    given: list[ScheduledTask] = []

    async def handler(task: ScheduledTask) -> None:
        given.append(task)
        if len(given) == 1:
            await for_ever(task)

    desk = Desk(refresh=handler)
    await desk.gives(a_run())
    desk.runs.close()
    assert desk.runs.in_hand() == ()
    await desk.gives(a_run())
    assert desk == [wire.CompleteTask("r1", True)]


RUNS = ("r1", "r2", "r3")
STEPS = st.tuples(
    st.sampled_from(
        ["given", "expired", "kept", "returns", "fails", "completes", "says no", "lost", "back", "turn", "rest"]
    ),
    st.sampled_from(RUNS),
)


@pytest.mark.contract("S11", "S12", "L07")
@given(
    st.lists(STEPS, max_size=40), st.dictionaries(st.sampled_from(RUNS), st.sampled_from(["plain", "async", "fails"]))
)
def test_whatever_comes_in_whatever_order_each_run_is_begun_once_and_has_one_end(
    history: list[tuple[str, str]], expiration_handlers: dict[str, str]
) -> None:
    asyncio.run(a_life(history, expiration_handlers))


async def a_life(history: list[tuple[str, str]], expiration_handlers: dict[str, str]) -> None:
    """Runs are given, told to end, completed in many ways, while the desk is lost and found."""
    begun, told_to_end, given_out, kept = list[str](), list[str](), set[str](), set[str]()
    words: dict[str, asyncio.Future[str]] = {}

    async def handler(task: ScheduledTask) -> None:
        def expire() -> None:
            told_to_end.append(task.run)
            task.set_task_completed(False)

        async def expire_later() -> None:
            await asyncio.sleep(0)
            expire()

        def fail() -> None:
            told_to_end.append(task.run)
            raise ValueError("on purpose")

        begun.append(task.run)
        how = {"plain": expire, "async": expire_later, "fails": fail}
        task.expiration_handler = how.get(expiration_handlers.get(task.run, ""))
        word = words[task.run] = asyncio.get_running_loop().create_future()
        match await word:
            case "fails":
                raise ValueError("on purpose")
            case "completes" | "says no" as said:
                task.set_task_completed(said == "completes")

    desk = Desk(refresh=handler)
    for what, run in history:
        match what:
            case "given" if run not in kept:  # again, too: the desk cannot know what went down with a connection
                given_out.add(run)
                message = wire.RunTasks((a_run(run),), 30.0)
                desk.runs.take(message)
                desk.runs.start(message)
            case "expired":
                desk.runs.take(wire.ExpireRuns((run,), TaskEnd.IN_USE, 5.0))
            case "kept" if any(isinstance(each, wire.CompleteTask) and each.run == run for each in desk):
                kept.add(run)
                desk.runs.take(wire.RunKept(run))
            case "returns" | "fails" | "completes" | "says no" if run in words and not words[run].done():
                words[run].set_result(what)
            case "lost":
                desk.reachable = False
            case "back":
                desk.reachable = True
                desk.runs.repeat()
            case "turn":
                await asyncio.sleep(0)
            case "rest":
                await settled()
    await settled()
    for word in words.values():
        if not word.done():
            word.set_result("returns")
    await settled()
    desk.reachable = True
    desk.runs.repeat()
    ends = {(each.run, each.success) for each in desk if isinstance(each, wire.CompleteTask)}
    assert sorted(run for run, _ in ends) == sorted(given_out), "each run has one end, said as often as need be"
    assert len(begun) == len(set(begun)) and len(told_to_end) == len(set(told_to_end))
    for run in given_out:
        desk.runs.take(wire.RunKept(run))
    assert desk.runs.in_hand() == ()


# --- progress ---------------------------------------------------------------------------------------------------------


@pytest.mark.contract("S18", "X02")
async def test_progress_is_told_and_one_who_tells_very_often_is_thinned_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_runs, "PROGRESS_EACH", 0.001)
    at_once: list[wire.ToDesk] = []

    async def handler(task: ScheduledTask) -> None:
        task.report_progress(0, 1000, "Export", "of 1,000 photos")
        for done in range(1, 1001):
            task.report_progress(done, 1000)
        at_once.extend(desk)
        await for_ever(task)

    desk = Desk(export=handler)
    await desk.gives(a_run("r1", "export", TaskKind.CONTINUED), seconds=None)
    assert at_once[0] == wire.TellProgress("r1", 0, 1000, "Export", "of 1,000 photos")
    assert len(at_once) == PROGRESS_AT_ONCE
    await desk.whole.wait()
    assert desk[-1] == wire.TellProgress("r1", 1000, 1000, "Export", "of 1,000 photos")
    assert len(desk) == PROGRESS_AT_ONCE + 1
    desk.clear()
    desk.runs.repeat()
    assert desk == [wire.TellProgress("r1", 1000, 1000, "Export", "of 1,000 photos")]
    desk.runs.close()
    await settled()


@pytest.mark.contract("X02", "L06")
async def test_endless_words_about_progress_can_be_told_also_to_the_next_desk() -> None:
    async def handler(task: ScheduledTask) -> None:
        task.report_progress(1, 2, "T" * MOST_BYTES, "S" * MOST_BYTES)
        await for_ever(task)

    desk = Desk(export=handler)
    await desk.gives(a_run("r1", "export", TaskKind.CONTINUED), seconds=None)
    desk.runs.repeat()
    first, again = desk
    assert first == again
    assert len(frame(wire.encode(again))) < 1000
    desk.runs.close()
    await settled()


@pytest.mark.contract("S18")
async def test_progress_that_is_none_is_refused_and_that_of_other_kinds_is_nobodys() -> None:
    given: list[ScheduledTask] = []

    async def handler(task: ScheduledTask) -> None:
        given.append(task)
        await for_ever(task)

    desk = Desk(refresh=handler)
    await desk.gives(a_run())
    [task] = given
    for done, total in ((1, 0), (2, 1), (-1, 1), (float("nan"), 1), (1, float("inf"))):
        with pytest.raises(ValueError, match="no progress"):
            task.report_progress(done, total)
    task.report_progress(1, 2)
    assert desk == []
    desk.runs.close()
    await settled()
