"""What an older peer is sent: only messages and words that its version of the protocol has (contract X03)."""

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.terms import (
    AppState,
    AppStatus,
    Condition,
    DeskStatus,
    Reading,
    Receipt,
    StopReason,
    TaskEnd,
    TaskKind,
    TaskReceipt,
    WakeReason,
)
from frontdesk.wire import desk as wire
from frontdesk.wire.versions import for_peer, since

# Version 1 as it was, once and for all: what is added later must not get in here.
MESSAGES = """
    hello control foreground background ready begin_task end_task subscribe unsubscribe push_answer notify withdraw
    show_address open_first get_status watch open_app quit_app get_receipts add_app remove_app list_apps act dismiss
    welcome refused entered_background time_box resumed expire_tasks task_problem push push_kept subscription_changed
    open pressed quit done subscribed status_is receipts_are apps_are
"""
STOPS = """
    quit task_not_ended too_many_tasks suspended_long memory_pressure launch_timed_out launch_failed unreachable exited
    crashed logout removed replaced
"""
WAKES = "opened pressed page_visited push endpoint_changed task by_hand"
TAGS_1, STOPS_1, WAKES_1 = set(MESSAGES.split()), set(STOPS.split()), set(WAKES.split())

ANSWERS_TO_2 = (wire.TasksAre, wire.BudgetIs, wire.ExplanationsAre, wire.TaskReceiptsAre)
"""Nobody gets these who has not asked in version 2."""


anything = st.sampled_from(get_args(wire.ToDesk) + get_args(wire.ToApp)).flatmap(st.from_type)
to_peer = st.sampled_from(get_args(wire.ToApp)).flatmap(st.from_type)


def tag(message: Any) -> str:
    return str(type(message).__struct_config__.tag)


def words(value: Any) -> list[str]:
    """The reasons for stops and wakes in what is sent."""
    if isinstance(value, StopReason | WakeReason):
        return [str(value)]
    if isinstance(value, msgspec.Struct):
        return [word for name in value.__struct_fields__ for word in words(getattr(value, name))]
    return [word for each in value for word in words(each)] if isinstance(value, tuple) else []


@pytest.mark.contract("X03")
@given(anything)
def test_every_message_is_of_version_1_or_said_to_be_newer(message: wire.ToDesk | wire.ToApp) -> None:
    if not isinstance(message, ANSWERS_TO_2):
        assert (since(message) == 1) == (tag(message) in TAGS_1)


@pytest.mark.contract("X03")
@given(to_peer)
def test_a_peer_of_version_1_gets_nothing_that_it_does_not_know(message: wire.ToApp) -> None:
    sent = for_peer(message, 1)
    if sent is None:
        assert tag(message) not in TAGS_1
    elif not isinstance(message, ANSWERS_TO_2):
        assert tag(sent) in TAGS_1
        assert set(words(sent)) <= STOPS_1 | WAKES_1


@pytest.mark.contract("X03")
@given(to_peer)
def test_a_peer_of_our_version_gets_it_as_it_is(message: wire.ToApp) -> None:
    assert for_peer(message, wire.NEWEST) is message


@pytest.mark.contract("X03")
@pytest.mark.parametrize("reason", StopReason)
def test_the_sentence_of_a_receipt_stays_whatever_its_word(reason: StopReason) -> None:
    receipt = Receipt("org.example.Notes", reason, 5.0, "It used too much processor time.")
    run = TaskReceipt("org.example.Notes", "a", TaskKind.REFRESH, TaskEnd.TIME_OVER, 5.0, "Its time was over.")
    welcome = wire.Welcome(1, "0.1", WakeReason.SCHEDULED, receipts=(receipt,), task_receipts=(run,), declared=("a",))
    old = for_peer(welcome, 1)
    assert isinstance(old, wire.Welcome)
    assert old.receipts[0].text == receipt.text and old.receipts[0].reason in STOPS_1
    assert old.why is WakeReason.BY_HAND
    app = AppStatus("org.example.Notes", "Notes", AppState.STOPPED, 0.0, last_receipt=receipt)
    status = DeskStatus(5.0, 1, "0.1", (app,), (), (), conditions=(Reading(Condition.POWER, "battery"),))
    shown = for_peer(wire.StatusIs(1, status), 1)
    assert isinstance(shown, wire.StatusIs)
    last = shown.status.apps[0].last_receipt
    assert last is not None and last.text == receipt.text and last.reason in STOPS_1
