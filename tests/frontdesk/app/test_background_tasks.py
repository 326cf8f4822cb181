"""Background tasks in the app, the desk played by hand: identifiers, handlers, and the form that cannot leak."""

import asyncio
import contextlib
import logging
import math

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from frontdesk.app.background_tasks import INVALID_TASK, BackgroundTasks, GuardedWork
from frontdesk.errors import TaskExpired
from frontdesk.wire import desk as wire
from frontdesk.wire.frames import MOST_BYTES, frame


class Told(list[wire.ToDesk]):
    """What the desk was told."""

    def send(self, message: wire.ToDesk) -> bool:
        self.append(message)
        return True


def tasks_with(told: Told, available: bool = True) -> BackgroundTasks:
    return BackgroundTasks(told.send, lambda: available)


@pytest.mark.contract("A01")
def test_each_task_has_an_identifier_of_its_own_and_is_brought_back_to_the_next_desk() -> None:
    told = Told()
    tasks = tasks_with(told)
    one, other = tasks.begin("send"), tasks.begin("send")
    assert one != other and INVALID_TASK not in (one, other)
    assert told == [wire.BeginTask(one, "send"), wire.BeginTask(other, "send")]
    tasks.end(one)
    assert tasks.opened() == (wire.OpenTask(other, "send"),)


@pytest.mark.contract("A09", "A13", "X02")
def test_a_hello_has_room_for_as_many_tasks_as_may_be_open_however_they_are_named() -> None:
    tasks = tasks_with(Told())
    for _ in range(1000):
        tasks.begin("\N{CARD INDEX DIVIDERS}" * MOST_BYTES)
    hello = wire.Hello("org.example.app", "run", 1, 2, tasks=tasks.opened())
    assert len(hello.tasks) == 1000
    assert frame(wire.encode(hello))


@pytest.mark.contract("A10")
def test_where_it_is_not_possible_the_identifier_is_invalid_and_nothing_is_told() -> None:
    told = Told()
    tasks = tasks_with(told, available=False)
    assert tasks.begin("send") == INVALID_TASK
    tasks.end(INVALID_TASK)
    assert told == [] and tasks.opened() == ()


@pytest.mark.contract("A08")
def test_ending_what_is_not_open_is_logged_and_told_to_the_desk(caplog: pytest.LogCaptureFixture) -> None:
    told = Told()
    tasks = tasks_with(told)
    with caplog.at_level(logging.WARNING):
        tasks.end(17)
        tasks.handle(wire.TaskProblem(17, "There is no such task."))
    assert told == [wire.EndTask(17)]
    assert "17 is not open" in caplog.text and "There is no such task." in caplog.text


@pytest.mark.contract("A03")
def test_remaining_time_is_what_the_desk_said_and_infinite_without_a_box() -> None:
    tasks = tasks_with(Told())
    assert tasks.remaining() == math.inf
    tasks.handle(wire.TimeBox(20.0))
    assert 19 < tasks.remaining() <= 20
    tasks.handle(wire.TimeBox(0.0))
    assert tasks.remaining() == 0
    tasks.handle(wire.TimeBox(None))
    assert tasks.remaining() == math.inf


@pytest.mark.contract("A05")
async def test_handlers_are_called_once_plain_and_async_ones_and_a_failing_one_harms_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tasks = tasks_with(Told())
    called: list[str] = []

    def plain() -> None:
        called.append("plain")

    def failing() -> None:
        raise ValueError("this handler fails on purpose")

    async def slow() -> None:
        called.append("async")

    async def failing_later() -> None:
        called.append("failing")
        raise ValueError("this handler fails on purpose")

    async def awaiting_what_it_cancelled() -> None:
        work = asyncio.ensure_future(asyncio.Event().wait())
        work.cancel()
        await work

    handlers = (plain, failing, slow, failing_later, awaiting_what_it_cancelled)
    ids = tuple(tasks.begin("send", handler) for handler in handlers)
    for _ in range(2):  # repeated by the desk after a reconnect
        tasks.handle(wire.ExpireTasks((*ids, 99), 5.0))
        for _ in range(4):
            await asyncio.sleep(0)
    assert called == ["plain", "async", "failing"]
    assert [record.args for record in caplog.records if record.levelname == "ERROR"] == [("send",)] * 3


@pytest.mark.contract("A05")
def test_a_task_without_a_handler_is_ended_when_time_is_almost_up() -> None:
    told = Told()
    tasks = tasks_with(told)
    task = tasks.begin("send")
    tasks.handle(wire.ExpireTasks((task,), 5.0))
    assert told[-1] == wire.EndTask(task) and tasks.opened() == ()


# --- the form that cannot leak ----------------------------------------------------------------------------------------


@pytest.mark.contract("A12")
async def test_guarded_work_ends_its_task_on_success_and_on_error() -> None:
    told = Told()
    tasks = tasks_with(told)
    async with GuardedWork(tasks, "send") as task:
        assert tasks.opened() == (wire.OpenTask(task, "send"),)
    with pytest.raises(ValueError, match="on purpose"):
        async with GuardedWork(tasks, "send"):
            raise ValueError("on purpose")
    assert tasks.opened() == () and [type(each) for each in told] == [wire.BeginTask, wire.EndTask] * 2


@pytest.mark.contract("A12")
async def test_guarded_work_that_is_cancelled_ends_its_task_and_stays_cancelled() -> None:
    tasks = tasks_with(Told())

    async def work() -> None:
        async with GuardedWork(tasks, "send"):
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    assert len(tasks.opened()) == 1
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert tasks.opened() == ()


@pytest.mark.contract("A12")
async def test_guarded_work_whose_time_runs_out_is_cancelled_and_raises_task_expired() -> None:
    tasks = tasks_with(Told())

    async def work() -> str:
        try:
            async with GuardedWork(tasks, "send") as task:
                asyncio.get_running_loop().call_soon(tasks.handle, wire.ExpireTasks((task,), 5.0))
                await asyncio.Event().wait()
        except TaskExpired as error:
            await asyncio.sleep(0)  # it is not cancelled any more: what follows may await
            return str(error)
        return "it was never cancelled"

    assert "'send'" in await asyncio.create_task(work())
    assert tasks.opened() == ()


@pytest.mark.contract("A12")
async def test_work_that_is_finished_although_time_ran_out_is_finished() -> None:
    """It caught the cancellation and came to a good end: the block succeeds, and leaves no cancellation behind."""
    tasks = tasks_with(Told())

    async def work() -> str:
        async with GuardedWork(tasks, "send") as task:
            tasks.handle(wire.ExpireTasks((task,), 5.0))
            with contextlib.suppress(asyncio.CancelledError):  # a last word to the server, say
                await asyncio.Event().wait()
        await asyncio.sleep(0)
        return "done"

    assert await asyncio.create_task(work()) == "done"
    assert tasks.opened() == ()


@pytest.mark.contract("A12")
async def test_an_error_on_expiry_is_that_error_and_leaves_no_cancellation_behind() -> None:
    tasks = tasks_with(Told())

    async def work() -> str:
        try:
            async with GuardedWork(tasks, "send") as task:
                tasks.handle(wire.ExpireTasks((task,), 5.0))
                try:
                    await asyncio.Event().wait()
                finally:
                    raise ValueError("on purpose")
        except ValueError:
            await asyncio.sleep(0)
            return "the error"

    assert await asyncio.create_task(work()) == "the error"
    assert tasks.opened() == ()


@pytest.mark.contract("A12")
async def test_expired_and_cancelled_by_somebody_else_as_well_stays_cancelled() -> None:
    tasks = tasks_with(Told())

    async def work() -> None:
        async with GuardedWork(tasks, "send"):
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    (open_task,) = tasks.opened()
    tasks.handle(wire.ExpireTasks((open_task.task,), 5.0))
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert tasks.opened() == ()


@pytest.mark.contract("A10", "A12")
async def test_guarded_work_runs_also_where_there_is_no_background_running() -> None:
    tasks = tasks_with(Told(), available=False)
    async with GuardedWork(tasks, "send") as task:
        assert task == INVALID_TASK


class AnyOrder(RuleBasedStateMachine):
    """Whatever order things come in: what is open here is what the desk was told is open."""

    begun = Bundle("begun")

    def __init__(self) -> None:
        super().__init__()
        self.told = Told()
        self.tasks = tasks_with(self.told)
        self.calls: dict[int, int] = {}

    @rule(target=begun, ends=st.booleans())
    def begin(self, ends: bool) -> int:
        task = 0

        def handler() -> None:
            self.calls[task] = self.calls.get(task, 0) + 1
            if ends:
                self.tasks.end(task)

        task = self.tasks.begin("send", handler)
        return task

    @rule(task=consumes(begun))
    def end(self, task: int) -> None:
        self.tasks.end(task)

    @rule(task=st.integers(-5, 200))
    def end_anything(self, task: int) -> None:
        self.tasks.end(task)

    @rule(tasks=st.lists(begun))
    def expire(self, tasks: list[int]) -> None:
        self.tasks.handle(wire.ExpireTasks(tuple(tasks), 5.0))

    @invariant()
    def both_sides_agree(self) -> None:
        there: set[int] = set()
        for message in self.told:
            if isinstance(message, wire.BeginTask):
                assert message.task not in there
                there.add(message.task)
            elif isinstance(message, wire.EndTask):
                there.discard(message.task)
        assert there == {each.task for each in self.tasks.opened()}
        assert all(count == 1 for count in self.calls.values())


test_any_order = pytest.mark.contract("A01", "A05", "A08")(AnyOrder.TestCase)
