"""An answer to a browser holds Lobby awake while nobody sees it, also when the window closes in the middle of it."""

import pytest

from lobby.open_answers import OpenAnswers
from tests.people import HandGuard


def test_an_answer_holds_lobby_only_while_nobody_sees_it() -> None:
    holds, seen = HandGuard(), True
    answers = OpenAnswers(holds, lambda: seen)
    with answers.answering():
        assert not holds.open
    seen = False
    with answers.answering(), answers.answering():
        assert len(holds.open) == 2
    assert not holds.open


def test_a_window_that_closes_in_the_middle_of_an_answer_leaves_it_held() -> None:
    holds, seen = HandGuard(), True
    answers = OpenAnswers(holds, lambda: seen)
    with answers.answering():
        seen = False
        answers.unseen()
        answers.unseen()
        assert len(holds.open) == 1
    assert not holds.open


def test_an_answer_that_fails_or_takes_all_the_time_holds_no_longer() -> None:
    holds = HandGuard()
    answers = OpenAnswers(holds, lambda: False)
    with pytest.raises(ConnectionError), answers.answering():
        raise ConnectionError
    assert not holds.open
    with answers.answering():
        holds.expire()
        assert not holds.open
    assert holds.begin("the third", lambda: None) == 3
