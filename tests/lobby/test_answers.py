"""An answer to a browser holds Lobby awake while nobody sees it, also when the window closes in the middle of it."""

from collections.abc import Callable

import pytest

from lobby.answers import Answers


class Holds:
    """Counts as the desk does; ``expire`` is what it says shortly before time is up."""

    def __init__(self) -> None:
        self.begun = 0
        self.open: dict[int, Callable[[], None]] = {}

    def begin(self, name: str, on_expiry: Callable[[], None]) -> int:
        self.begun += 1
        self.open[self.begun] = on_expiry
        return self.begun

    def end(self, task: int) -> None:
        del self.open[task]

    def expire(self) -> None:
        for on_expiry in [*self.open.values()]:
            on_expiry()


def test_an_answer_holds_lobby_only_while_nobody_sees_it() -> None:
    holds, seen = Holds(), True
    answers = Answers(holds, lambda: seen)
    with answers.answering():
        assert not holds.open
    seen = False
    with answers.answering(), answers.answering():
        assert len(holds.open) == 2
    assert not holds.open


def test_a_window_that_closes_in_the_middle_of_an_answer_leaves_it_held() -> None:
    holds, seen = Holds(), True
    answers = Answers(holds, lambda: seen)
    with answers.answering():
        seen = False
        answers.unseen()
        answers.unseen()
        assert len(holds.open) == 1
    assert not holds.open


def test_an_answer_that_fails_or_takes_all_the_time_holds_no_longer() -> None:
    holds = Holds()
    answers = Answers(holds, lambda: False)
    with pytest.raises(ConnectionError), answers.answering():
        raise ConnectionError
    assert not holds.open
    with answers.answering():
        holds.expire()
        assert not holds.open
    assert holds.begun == 2
