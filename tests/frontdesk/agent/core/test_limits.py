"""The contract's numbers, written down a second time: a default that is moved is a promise that is broken."""

import pytest

from frontdesk.agent.core import history, notifications, saying
from frontdesk.agent.core.life import life
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.pushes import subscriptions
from frontdesk.terms import Growth, Retry

MINUTE, DAY = 60.0, 86400.0

DEFAULTS = [
    pytest.param(limits, id=rules[0], marks=pytest.mark.contract(*rules))
    for rules, limits in [
        (["L01"], {"settle": 5.0}),
        (["L03"], {"suspended": 10 * MINUTE}),
        (["L05"], {"receipts_kept": 30 * DAY}),
        (["L07"], {"push_tries": 3, "task_tries": 3}),
        (["L08"], {"cpu_share": 0.8, "cpu_window": MINUTE}),
        (["L09"], {"memory": 512 * 2**20}),
        (["L12"], {"critical_battery": 20}),
        (["A03"], {"background": 30.0}),
        (["A05", "A07", "S11"], {"expiry_lead": 5.0}),
        (["A09"], {"most_tasks": 1000}),
        (["S03"], {"pending_refresh": 1, "pending_processing": 10}),
        (["S08"], {"refresh": 30.0}),
        (["S09"], {"processing": 10 * MINUTE}),
        (["S14"], {"habit_days": 28}),
        (["S18"], {"stalled": MINUTE}),
        (["P02"], {"push": 25.0, "push_wakes": 60, "push_wakes_in": 60 * MINUTE}),
        (["P09"], {"seen_versions": 1000}),
        (["X02"], {"messages": 1000}),
    ]
]


@pytest.mark.parametrize("limits", DEFAULTS)
def test_the_defaults_are_those_of_the_contract(limits: dict[str, float]) -> None:
    assert {name: getattr(Limits(), name) for name in limits} == limits


@pytest.mark.contract("S19")
def test_the_pauses_of_a_retry_are_those_of_the_contract() -> None:
    assert Retry() == Retry(30.0, 5 * 60 * MINUTE, Growth.EXPONENTIAL)


@pytest.mark.contract("X02")
def test_what_one_app_can_fill_is_no_more_than_it_was() -> None:
    """Of the desk's memory, of its store, and of what people look at."""
    assert (saying.MOST_ID, saying.MOST_TITLE, saying.MOST_TEXT, saying.MOST_ACTIONS) == (300, 300, 2000, 8)
    assert (saying.MOST_NAME, saying.MOST_SUBMISSION) == (200, 64)
    assert (life.MOST_TEXT, life.MOST_TASKS, life.MOST_NAME) == (2000, 20, 200)
    assert (history.MOST_HAPPENINGS, history.MOST_OF_ONE_APP, history.KEPT, history.ROW) == (300, 100, 900.0, 2.0)
    assert notifications.MOST_SHOWN == 200


def test_times_of_the_push_service_are_those_that_were_decided() -> None:
    assert (subscriptions.ANSWER_WITHIN, subscriptions.LINK_OUTLIVES) == (10.0, 30.0)
