"""Registering handlers: declared ones, before the start, one for each identifier (contract S01, S02)."""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from frontdesk import (
    App,
    ContinuedTask,
    ManifestError,
    ProcessingTask,
    RefreshTask,
    Refusal,
    RefusedError,
    Retry,
    ScheduledTask,
    TaskRequest,
)
from frontdesk.app.connection import DeskConnection
from frontdesk.app.runs import ScheduledRuns
from frontdesk.app.scheduler import TaskScheduler
from frontdesk.errors import DeskUnavailable
from frontdesk.wire import desk as wire

MANIFEST = """
id = "org.example.Notes"
name = "Notes"
command = ["notes"]
background = ["refresh", "continued"]
tasks = ["org.example.Notes.fresh", "org.example.Notes.export.*"]
"""


async def handler(task: ScheduledTask) -> None:
    pass


def asking() -> DeskConnection:
    raise DeskUnavailable("not started")


def a_scheduler(manifest: str = "", started: Callable[[], bool] = lambda: False) -> TaskScheduler:
    return TaskScheduler(ScheduledRuns(lambda message: True), manifest, started, asking)


@pytest.fixture
def declaring(tmp_path: Path) -> TaskScheduler:
    file = tmp_path / "notes.toml"
    file.write_text(MANIFEST)
    return a_scheduler(str(file))


def refusal(work: Callable[[], object]) -> Refusal:
    with pytest.raises(RefusedError) as refused:
        work()
    return refused.value.reason


@pytest.mark.contract("S01")
@pytest.mark.parametrize("identifier", ["org.example.Notes.fresh", "org.example.Notes.export.*"])
def test_a_declared_identifier_gets_its_handler(declaring: TaskScheduler, identifier: str) -> None:
    declaring.register(identifier, handler)


@pytest.mark.contract("S01")
def test_what_continues_a_declared_beginning_gets_one_of_its_own(declaring: TaskScheduler) -> None:
    assert declaring.task("org.example.Notes.export.7")(handler) is handler


@pytest.mark.contract("S01")
@pytest.mark.parametrize(
    "identifier", ["org.example.Notes.other", "org.example.Notes.fresh.too", "org.example.Notes.export", "", "*"]
)
def test_another_identifier_is_refused_at_once(declaring: TaskScheduler, identifier: str) -> None:
    assert refusal(lambda: declaring.register(identifier, handler)) is Refusal.NOT_PERMITTED


@pytest.mark.contract("S01")
def test_without_manifest_the_desks_word_counts() -> None:
    scheduler = a_scheduler()
    scheduler.register("org.example.Notes.fresh", handler)
    scheduler.check_declared(("org.example.Notes.fresh",))
    assert refusal(lambda: scheduler.check_declared(("org.example.Notes.other",))) is Refusal.NOT_PERMITTED


@pytest.mark.contract("S02")
def test_a_second_handler_is_an_error_at_once_and_the_first_stays(declaring: TaskScheduler) -> None:
    declaring.register("org.example.Notes.fresh", handler)
    assert refusal(lambda: declaring.register("org.example.Notes.fresh", handler)) is Refusal.BAD_REQUEST


@pytest.mark.contract("S02")
def test_a_handler_after_the_start_is_refused() -> None:
    assert refusal(lambda: a_scheduler(started=lambda: True).register("a", handler)) is Refusal.NOT_PERMITTED


def test_a_manifest_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    with pytest.raises(ManifestError, match=r"missing\.toml cannot be read"):
        a_scheduler(str(missing)).register("a", handler)


async def test_what_is_no_request_is_not_sent() -> None:
    with pytest.raises(TypeError, match="RefreshTask"):
        await a_scheduler().submit("org.example.Notes.fresh")  # type: ignore[arg-type]


@pytest.mark.contract("X02")
@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (RefreshTask("a", earliest_begin=cast(Any, "tomorrow")), "earliest_begin"),
        (RefreshTask("a", earliest_begin=cast(Any, datetime.datetime(2027, 1, 15))), "earliest_begin"),
        (RefreshTask("a", requires_network=cast(Any, "yes")), "requires_network"),
        (ProcessingTask("a", retry=cast(Any, 3)), "retry"),
        (ProcessingTask("a", retry=Retry(first=cast(Any, "30 s"))), "first"),
        (ProcessingTask("a", earliest_begin=cast(Any, object())), "object"),
        (ContinuedTask("a", "Export", strategy=cast(Any, "later")), "strategy"),
        (RefreshTask(cast(Any, 3)), "identifier"),
    ],
)
async def test_a_field_of_the_wrong_kind_is_named_and_the_desk_not_asked(request_: TaskRequest, field: str) -> None:
    with pytest.raises(TypeError, match=rf"(?s){field}.*Nothing was submitted"):
        await a_scheduler().submit(request_)


async def test_a_word_for_existing_work_that_there_is_not_is_named() -> None:
    with pytest.raises(ValueError, match="skip"):
        await a_scheduler().submit(RefreshTask("a"), cast(Any, "skip"))


@pytest.mark.parametrize(("identifier", "does"), [(None, handler), ("a", None), ("a", 3)])
def test_what_is_no_identifier_or_no_handler_is_an_error_at_once(identifier: Any, does: Any) -> None:
    with pytest.raises(TypeError, match="an identifier and an async function"):
        a_scheduler().register(identifier, does)


@pytest.mark.contract("S01")
@pytest.mark.parametrize(
    ("task", "helps"),
    [
        (RefreshTask("org.example.Notes.fresh"), True),
        (RefreshTask("org.example.Notes.other"), False),
        (ProcessingTask("org.example.Notes.fresh"), False),
    ],
)
async def test_who_has_changed_the_manifest_is_told_to_register_it_again(
    tmp_path: Path, task: RefreshTask | ProcessingTask, helps: bool
) -> None:
    file = tmp_path / "notes.toml"
    file.write_text(MANIFEST)

    class Connection:
        async def ask(self, make: object, kind: object) -> None:
            raise RefusedError(Refusal.NOT_PERMITTED, "It is not declared.")

    scheduler = TaskScheduler(ScheduledRuns(lambda message: True), str(file), lambda: True, cast("Any", Connection))
    with pytest.raises(RefusedError, match="It is not declared") as refused:
        await scheduler.submit(task)
    assert refused.value.reason is Refusal.NOT_PERMITTED
    assert (f"frontdesk apps add {file}" in str(refused.value)) is helps


@pytest.mark.contract("S05")
async def test_what_is_asked_again_bears_the_same_name_and_the_next_submission_another() -> None:
    asked: list[list[wire.SubmitTask]] = []

    class Connection:
        async def ask(self, make: Callable[[int], wire.SubmitTask], kind: type[wire.Done]) -> wire.Done:
            asked.append([make(1), make(1)])  # as after a desk that died over its answer
            return wire.Done(1)

    scheduler = TaskScheduler(ScheduledRuns(lambda message: True), "", lambda: True, cast("Any", Connection))
    await scheduler.submit(RefreshTask("a"))
    await scheduler.submit(RefreshTask("a"))
    assert all(once == again for once, again in asked)
    assert asked[0][0].submission != asked[1][0].submission


async def test_what_nobody_here_handles_is_warned_of_when_it_is_submitted(caplog: pytest.LogCaptureFixture) -> None:
    class Connection:
        async def ask(self, make: Callable[[int], wire.SubmitTask], kind: type[wire.Done]) -> wire.Done:
            return wire.Done(1)

    runs = ScheduledRuns(lambda message: True)
    scheduler = TaskScheduler(runs, "", lambda: False, cast("Any", Connection))
    scheduler.register("org.example.Notes.export.*", handler)
    await scheduler.submit(RefreshTask("org.example.Notes.export.7"))
    assert not caplog.records
    await scheduler.submit(RefreshTask("org.example.Notes.fresh"))
    assert "No handler is registered for 'org.example.Notes.fresh'" in caplog.text


async def test_an_app_that_has_not_started_is_told_to(tmp_path: Path) -> None:
    with pytest.raises(DeskUnavailable, match=r"start\(\)"):
        await App("org.example.Notes").scheduler.submit(RefreshTask("a"))
