"""The life of each app: told of the background, suspended when nothing holds it, by moves of the table alone."""

import pytest

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.life.life import MOVES
from frontdesk.terms import AppState
from frontdesk.wire import desk as wire
from tests.frontdesk.agent.core.core_driver import (
    MAIL,
    NOTES,
    TABLE,
    Driver,
    apps_of,
    asleep,
    in_front,
    of_type,
)

APP, OTHER = NOTES.id, MAIL.id
S = AppState


# --- leaving the foreground (L01) ---------------------------------------------------------------------------------


@pytest.mark.contract("L01")
def test_it_is_told_of_the_background_and_suspended_when_ready() -> None:
    driver = in_front()
    driver.processes[APP].inbox.clear()
    driver.close(APP)
    assert driver.processes[APP].inbox == [wire.EnteredBackground(1), wire.TimeBox(30.0)]
    assert driver.state(APP) is S.BACKGROUND
    assert [hold.kind for hold in driver.status(APP).holds] == ["settling"]
    effects = driver.ready(APP)
    assert apps_of(do.Freeze, effects) == [APP]
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("L01")
def test_without_an_answer_it_is_suspended_after_five_seconds() -> None:
    driver = in_front()
    driver.close(APP)
    driver.pass_time(4.9)
    assert driver.state(APP) is S.BACKGROUND
    driver.pass_time(0.1)
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("L01")
def test_the_ready_of_an_earlier_time_does_not_count() -> None:
    driver = in_front()
    driver.close(APP)
    driver.to_front(APP)
    driver.close(APP)
    driver.handle(ev.SaidReady(APP, 1))
    assert driver.state(APP) is S.BACKGROUND
    driver.handle(ev.SaidReady(APP, 2))
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("L01")
def test_coming_back_in_time_it_is_not_suspended() -> None:
    driver = in_front()
    driver.close(APP)
    driver.pass_time(4.9)
    driver.to_front(APP)
    driver.pass_time(3600)
    assert driver.state(APP) is S.FOREGROUND


@pytest.mark.contract("L01")
def test_the_effects_name_the_very_process_and_whether_its_group_is_ours() -> None:
    driver = asleep()
    (freeze,) = of_type(do.Freeze, driver.effects)
    process = driver.processes[APP]
    assert (freeze.process.pid, freeze.process.started, freeze.process.launched) == (process.pid, process.started, True)


@pytest.mark.contract("A11")
def test_who_is_awake_for_a_moment_says_why_and_since_when() -> None:
    driver = in_front()
    driver.close(APP)
    closed = driver.now
    driver.pass_time(2)
    assert [(hold.kind, hold.since) for hold in driver.status(APP).holds] == [("settling", closed)]
    driver.ready(APP)
    driver.pass_time(60)
    driver.handle(ev.PageVisited(APP))
    visited = driver.now
    driver.pass_time(2)
    assert [(hold.kind, hold.since) for hold in driver.status(APP).holds] == [("opening", visited)]


# --- what is about no app -----------------------------------------------------------------------------------------


def test_whoever_waits_for_all_before_it_to_be_decided_is_answered() -> None:
    assert Driver(NOTES).handle(ev.AnswerAsked(7, 3)) == [do.Answer(7, wire.Done(3))]


def test_that_the_machine_is_about_to_sleep_is_written_down() -> None:
    assert [note.what for note in of_type(do.Note, Driver(NOTES).handle(ev.SleepComing()))] == ["sleep_coming"]


# --- the table (L02) ----------------------------------------------------------------------------------------------


@pytest.mark.contract("L02")
def test_the_table_of_the_core_is_that_of_the_contract() -> None:
    assert {(before, after) for before, moves in MOVES.items() for after in moves} == TABLE


@pytest.mark.contract("L02")
def test_every_move_of_the_table_does_happen() -> None:
    driver = Driver(NOTES)
    driver.open(APP)  # stopped → launching → background → foreground
    driver.sleep(APP)  # foreground → background → suspended
    driver.open(APP)  # suspended → background
    driver.exit(APP, 0)  # foreground → stopped
    driver.handle(ev.OpenAsked(APP))
    driver.exit(APP, 1)  # launching → stopped
    driver.open(APP)
    driver.close(APP)
    driver.exit(APP, 0)  # background → stopped
    driver.open(APP)
    driver.sleep(APP)
    driver.exit(APP, -9)  # suspended → stopped
    assert {(before, after) for _, before, after in driver.moves} == TABLE


@pytest.mark.contract("L02")
def test_a_move_that_is_not_in_the_table_is_refused_by_the_one_door() -> None:
    driver = asleep()
    life = driver.desk.lifecycle.life(APP)
    assert life is not None
    with pytest.raises(AssertionError, match="L02"):
        driver.desk.lifecycle._lives.move(life, S.FOREGROUND, driver.now)
