"""What an app says as the event that it is: each message has its event, and nothing endless gets in."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.core import events as ev
from frontdesk.agent.core.saying import (
    MOST_ACTIONS,
    MOST_ID,
    MOST_NAME,
    MOST_SUBMISSION,
    MOST_TEXT,
    MOST_TITLE,
    NewChannel,
    said,
)
from frontdesk.terms import (
    Action,
    ContinuedTask,
    ExistingWork,
    Notification,
    ProcessingTask,
    PushKind,
    Verdict,
)
from frontdesk.wire import desk as wire

APP = "org.example.Notes"
ASKER = 7
LONG = "x" * 5000
QUESTIONS = (wire.ListTasks, wire.ExplainTasks, wire.GetBudget, wire.ShowAddress)
"""What an app asks and is told at once: no event."""


def new_channel() -> NewChannel:
    return NewChannel("channel", "private", "p256dh", "auth")


def heard(message: wire.ToDesk) -> ev.Report | None:
    return said(APP, ASKER, message, new_channel)


@given(st.sampled_from(get_args(wire.FromApp)).flatmap(st.from_type))
def test_whatever_an_app_may_say_is_an_event_of_that_app_or_a_question(message: wire.FromApp) -> None:
    event = heard(message)
    if isinstance(message, QUESTIONS):
        assert event is None
    else:
        assert event is not None and event.app == APP
        # Who is to be answered is in the event, with the number of the question.
        if hasattr(message, "request"):
            assert (getattr(event, "asker", None), getattr(event, "request", None)) == (ASKER, message.request)


@given(st.sampled_from((*get_args(wire.FromControl), *get_args(wire.Opening))).flatmap(st.from_type))
def test_what_others_say_is_no_event_of_an_app(message: wire.ToDesk) -> None:
    assert heard(message) is None


def test_a_submitted_task_is_as_it_was_said() -> None:
    task = ProcessingTask("org.example.Notes.upkeep", earliest_begin=5.0, requires_network=True)
    assert heard(wire.SubmitTask(3, task, ExistingWork.KEEP)) == ev.SubmitAsked(APP, ASKER, 3, task, ExistingWork.KEEP)
    assert heard(wire.CancelTasks(4, ("a", "b"))) == ev.CancelAsked(APP, ASKER, 4, frozenset({"a", "b"}))
    assert heard(wire.CompleteTask("r1", True)) == ev.RunCompleted(APP, "r1", True)
    assert heard(wire.TellProgress("r1", 2, 9, "t", "s")) == ev.ProgressTold(APP, "r1", 2, 9, "t", "s")


def test_a_subscription_gets_the_fresh_channel_that_was_handed_in() -> None:
    event = heard(wire.Subscribe(3, "messages", PushKind.ALERT))
    assert isinstance(event, ev.SubscribeAsked)
    assert (event.channel, event.private_key, event.p256dh, event.auth) == ("channel", "private", "p256dh", "auth")


@pytest.mark.contract("X02")
def test_texts_are_cut_to_what_anybody_reads() -> None:
    endless = Notification(LONG, LONG, LONG, actions=(Action(LONG, LONG),) * 50)
    for message in (wire.Notify(1, endless), wire.PushAnswer("p", Verdict.SHOW_THIS, endless)):
        event = heard(message)
        assert isinstance(event, ev.NotifyAsked | ev.PushAnswered) and event.notification is not None
        kept = event.notification
        assert (len(kept.id), len(kept.title), len(kept.body)) == (MOST_ID, MOST_TITLE, MOST_TEXT)
        assert [(len(each.id), len(each.title)) for each in kept.actions] == [(MOST_ID, MOST_TITLE)] * MOST_ACTIONS
    begun = heard(wire.BeginTask(1, LONG))
    assert isinstance(begun, ev.TaskBegun) and len(begun.name) == MOST_NAME
    told = heard(wire.TellProgress("r1", 1, 2, LONG, LONG))
    assert isinstance(told, ev.ProgressTold) and (len(told.title), len(told.subtitle)) == (MOST_TITLE, MOST_TITLE)


@pytest.mark.contract("X02")
def test_titles_of_a_task_are_cut_and_its_identifier_is_not() -> None:
    # Half an identifier would be another task; the scheduler refuses what is too long.
    event = heard(wire.SubmitTask(1, ContinuedTask(LONG, title=LONG, subtitle=LONG)))
    assert isinstance(event, ev.SubmitAsked) and isinstance(event.task, ContinuedTask)
    named = heard(wire.SubmitTask(1, ProcessingTask("a"), submission=LONG))
    assert isinstance(named, ev.SubmitAsked) and len(named.submission) == MOST_SUBMISSION
    assert event.task == ContinuedTask(LONG, title=LONG[:MOST_TITLE], subtitle=LONG[:MOST_TITLE])
