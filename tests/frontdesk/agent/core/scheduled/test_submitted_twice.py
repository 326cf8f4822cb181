"""An app asks again when the desk died over its answer: what the first had kept counts once (contract S05, L06)."""

import pytest

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.terms import ContinuedTask, ExistingWork, Manifest, ProcessingTask, RefreshTask, TaskRequest
from frontdesk.wire import desk as wire
from tests.frontdesk.agent.core.core_driver import Driver, of_type

FEED = Manifest(
    "org.example.feed",
    "Feed",
    ("feed",),
    background=("refresh", "processing", "continued"),
    tasks=("news", "tidy", "export"),
)
APP = FEED.id
REQUESTS = [RefreshTask("news"), ProcessingTask("tidy"), ContinuedTask("export", title="Export")]


def asked(task: TaskRequest, submission: str) -> ev.SubmitAsked:
    return ev.SubmitAsked(APP, 1, 1, task, ExistingWork.REPLACE, submission)


def answers(effects: list[do.Effect]) -> list[wire.ToApp]:
    return [answer.message for answer in of_type(do.Answer, effects)]


def runs_of(driver: Driver) -> int:
    """How often the app was given a task, over all its connections."""
    return len(
        {run.run for each in driver.processes[APP].inbox if isinstance(each, wire.RunTasks) for run in each.runs}
    )


@pytest.mark.contract("S05", "L06")
@pytest.mark.parametrize("task", REQUESTS, ids=lambda task: task.kind)
def test_what_was_kept_before_the_desk_died_runs_once(task: TaskRequest) -> None:
    driver = Driver(FEED)
    driver.open(APP)
    driver.desk_dies(asked(task, "s1"), committed=True)
    driver.connect(APP)
    # Meanwhile it may be in the background, where a new one would not be taken.
    driver.handle(ev.WentBackground(APP))
    assert answers(driver.handle(asked(task, "s1"))) == [wire.Done(1)]
    assert len(driver.desk.pending(APP)) == 1
    assert driver.at_work(APP) == [task.identifier]
    driver.complete(APP, task.identifier)
    assert driver.desk.pending(APP) == () and runs_of(driver) == 1


@pytest.mark.contract("S05")
@pytest.mark.parametrize("task", REQUESTS[:2], ids=lambda task: task.kind)
@pytest.mark.parametrize("submission", ["s2", ""])
def test_another_submission_while_it_runs_is_another_launch(task: TaskRequest, submission: str) -> None:
    driver = Driver(FEED)
    driver.open(APP)
    driver.handle(asked(task, "s1" if submission else ""))
    driver.handle(ev.WentBackground(APP))
    assert driver.at_work(APP) == [task.identifier]
    driver.handle(asked(task, submission))
    assert len(driver.desk.pending(APP)) == 2
