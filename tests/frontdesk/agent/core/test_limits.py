"""The contract's numbers, written down a second time: a default that is moved is a promise that is broken."""

import pytest

from frontdesk.agent.core.limits import Limits
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
