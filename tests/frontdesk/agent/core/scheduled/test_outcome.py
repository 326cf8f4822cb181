"""What the receipt of a run that was cut off tells: which condition was lost, and whether it is tried again."""

import pytest

from frontdesk.agent.core.limits import Limits
from frontdesk.terms import Condition, Manifest, ProcessingTask, Retry, TaskEnd
from tests.frontdesk.agent.core.core_driver import Driver

FEED = Manifest("org.example.feed", "Feed", ("feed",), background=("processing",), tasks=("tidy",))
APP = FEED.id


def at_work(retry: Retry | None) -> Driver:
    driver = Driver(FEED, limits=Limits(processing=60.0))
    driver.submit(APP, ProcessingTask("tidy", requires_network=True, requires_external_power=True, retry=retry))
    driver.connect(APP)
    assert driver.at_work(APP) == ["tidy"]
    return driver


def told(driver: Driver) -> tuple[TaskEnd, str]:
    driver.complete(APP, "tidy", success=False)
    (receipt,) = driver.task_receipts
    return receipt.end, receipt.text


@pytest.mark.contract("L05", "S10")
def test_every_condition_that_was_lost_is_named() -> None:
    driver = at_work(None)
    driver.is_now(Condition.NETWORK, "offline")
    assert told(driver) == (
        TaskEnd.CONDITION_LOST,
        "A condition that it requires held no longer: no network. Submit it again, or give it a retry.",
    )


@pytest.mark.contract("L05", "S10")
def test_what_is_lost_after_it_was_told_to_end_is_no_cause_of_that() -> None:
    driver = at_work(None)
    driver.is_now(Condition.POWER, "battery")
    driver.is_now(Condition.NETWORK, "offline")
    assert "held no longer: no external power. Submit" in told(driver)[1]


@pytest.mark.contract("L05", "S19")
def test_who_has_a_retry_is_told_that_it_comes_and_not_to_submit_again() -> None:
    driver = at_work(Retry(first=90.0))
    driver.is_now(Condition.IDLE, "no")
    assert told(driver) == (TaskEnd.IN_USE, "Somebody came back to the machine. It is tried again in 90 s.")


@pytest.mark.contract("L05", "S09")
def test_whose_time_was_up_is_told_to_do_it_in_parts() -> None:
    driver = at_work(None)
    driver.pass_time(56.0)
    assert told(driver) == (
        TaskEnd.TIME_OVER,
        "Its time was up. Do a part of it in each run, and submit again for the rest.",
    )


@pytest.mark.contract("L05", "S09")
def test_who_has_no_retry_is_told_to_submit_again_when_somebody_comes_back() -> None:
    driver = at_work(None)
    driver.is_now(Condition.IDLE, "no")
    assert told(driver)[1] == "Somebody came back to the machine. Submit it again, or give it a retry."
