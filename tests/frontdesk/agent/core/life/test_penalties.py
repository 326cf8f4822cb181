"""What an app has to bear is said, with its reason and its end; from what the real core decides."""

import pytest

from frontdesk.agent.core.limits import Limits
from tests.frontdesk.agent.core.core_driver import NOTES, Driver, asleep

APP = NOTES.id


def borne(driver: Driver) -> tuple[str, float | None]:
    status = driver.status(APP)
    return status.penalty, status.penalty_until


@pytest.mark.contract("L07")
def test_an_app_that_fails_is_not_launched_unseen_for_a_while_and_that_is_said() -> None:
    driver = asleep()
    driver.subscribe(APP)
    assert borne(driver) == ("", None)
    driver.push(APP)
    driver.exit(APP, 1)
    said, until = borne(driver)
    assert said == "It is not launched unseen: it failed when it last ran." and until == driver.now + 1.0
    driver.pass_time(1.0)
    driver.exit(APP, 1)
    said, until = borne(driver)
    assert said == "It is not launched unseen: it failed 2 times in a row." and until == driver.now + 2.0
    driver.open(APP)
    assert borne(driver) == ("", None), "a person may open it at any time, and begins anew"


@pytest.mark.contract("P02")
def test_an_app_that_was_woken_as_often_as_may_be_lets_its_pushes_wait_and_that_is_said() -> None:
    driver = Driver(NOTES, limits=Limits(push_wakes=2))
    driver.open(APP)
    driver.sleep(APP)
    driver.subscribe(APP)
    for _ in range(2):
        first = driver.now
        driver.push(APP)
        driver.answer(APP, driver.pushes(APP)[-1].push)
        driver.pass_time(60)
    assert borne(driver) == ("", None), "nothing waits"
    driver.push(APP)
    said, until = borne(driver)
    assert said.startswith("Its pushes wait: it was woken for pushes 2 times within 60 min")
    assert until == first - 60 + 3600.0
    driver.pass_time(until - driver.now)
    assert borne(driver) == ("", None), "it is awake, and has it"
