"""What an app asks about its own scheduled tasks is answered at once, about no other's, and changes nothing."""

import pytest

from frontdesk.agent.core.answering import Question, answered
from frontdesk.terms import Budget, Condition, Manifest, Obstacle, ProcessingTask, Refusal
from frontdesk.wire import desk as wire
from tests.frontdesk.agent.core.core_driver import Driver

FEEDS = Manifest("org.example.feeds", "Feeds", ("feeds",), background=("refresh", "processing"), tasks=("news", "tidy"))
ALBUM = Manifest("org.example.album", "Album", ("album",), background=("processing",), tasks=("sort",))
TIDY = ProcessingTask("tidy", requires_idle=True)


def asked(question: Question, app: str = FEEDS.id) -> wire.ToApp:
    driver = Driver(FEEDS, ALBUM)
    driver.is_now(Condition.IDLE, "no")
    driver.submit(FEEDS.id, TIDY)
    driver.submit(ALBUM.id, ProcessingTask("sort"))
    saved = dict(driver.saved)
    answer = answered(app, question, driver.desk, driver.now)
    assert driver.saved == saved and driver.handle() == []
    return answer


@pytest.mark.contract("S13")
def test_what_is_pending_is_told_to_the_app_whose_it_is() -> None:
    answer = asked(wire.ListTasks(3))
    assert isinstance(answer, wire.TasksAre)
    assert (answer.request, [task.request for task in answer.tasks]) == (3, [TIDY])


@pytest.mark.contract("S16")
def test_why_each_of_them_waits_is_told() -> None:
    answer = asked(wire.ExplainTasks(4))
    assert isinstance(answer, wire.ExplanationsAre) and answer.request == 4
    (task,) = answer.explanations
    assert (task.identifier, [reason.obstacle for reason in task.reasons]) == ("tidy", [Obstacle.MACHINE_IN_USE])


@pytest.mark.contract("S15")
def test_the_launches_that_are_left_are_told_to_an_app_that_may_refresh() -> None:
    assert asked(wire.GetBudget(5)) == wire.BudgetIs(5, Budget(per_day=2.0, left=3.0, next_at=None))
    refused = asked(wire.GetBudget(6), ALBUM.id)
    assert isinstance(refused, wire.Refused) and (refused.reason, refused.request) == (Refusal.NOT_PERMITTED, 6)
