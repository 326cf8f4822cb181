"""The tables about the life of an app leave nothing out."""

import pytest

from frontdesk.agent.core.life.life import BY_PERSON, IN_WORDS, MOVES, STRENGTH
from frontdesk.terms import AppState, StopReason, WakeReason


def test_each_state_has_its_moves() -> None:
    assert set(MOVES) == set(AppState)
    assert not [state for state, moves in MOVES.items() if state in moves]


@pytest.mark.parametrize("why", WakeReason)
def test_each_reason_to_wake_has_its_strength_and_its_words(why: WakeReason) -> None:
    assert why in STRENGTH
    assert IN_WORDS[why]


@pytest.mark.contract("L04")
def test_what_a_person_does_is_stronger_than_all_else() -> None:
    weakest = min(STRENGTH[why] for why in BY_PERSON)
    assert all(STRENGTH[why] < weakest for why in set(WakeReason) - BY_PERSON)


@pytest.mark.parametrize("reason", StopReason)
def test_each_reason_to_stop_has_its_words(reason: StopReason) -> None:
    assert reason.words
