"""Whether anybody can see Lobby: told in turn, at once when it begins, after the grace time when it ends."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lobby.ui.visibility import GRACE, StreamClosed, StreamOpened, Told, Visibility


def test_the_first_stream_is_told_at_once_and_the_second_not_at_all() -> None:
    machine = Visibility()
    assert machine.handle(StreamOpened(1), 10.0) == [Told.VISIBLE]
    assert machine.handle(StreamOpened(2), 11.0) == []
    assert machine.next_wake() is None


def test_hidden_two_seconds_after_the_last_is_gone() -> None:
    machine = Visibility()
    machine.handle(StreamOpened(1), 10.0)
    assert machine.handle(StreamClosed(1), 20.0) == []
    assert machine.next_wake() == 22.0
    assert machine.wake(21.9) == []
    assert machine.wake(22.0) == [Told.HIDDEN]
    assert machine.next_wake() is None


def test_a_reload_is_not_told() -> None:
    machine = Visibility()
    machine.handle(StreamOpened(1), 10.0)
    machine.handle(StreamClosed(1), 20.0)
    assert machine.handle(StreamOpened(2), 21.5) == []
    assert machine.next_wake() is None
    assert machine.wake(60.0) == []


def test_a_process_that_slept_through_the_grace_time_tells_both_in_order() -> None:
    machine = Visibility()
    machine.handle(StreamOpened(1), 10.0)
    machine.handle(StreamClosed(1), 20.0)
    assert machine.handle(StreamOpened(2), 500.0) == [Told.HIDDEN, Told.VISIBLE]


class Pages(RuleBasedStateMachine):
    """Pages come and go; a second, plain account of it is kept beside the machine."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = Visibility()
        self.now = 0.0
        self.open: set[int] = set()
        self.gone_at: float | None = None
        self.told: list[Told] = []

    @rule(stream=st.integers(0, 3))
    def opened(self, stream: int) -> None:
        self.told += self.machine.handle(StreamOpened(stream), self.now)
        self.open.add(stream)
        self.gone_at = None
        assert self.told[-1] is Told.VISIBLE

    @rule(stream=st.integers(0, 3))
    def closed(self, stream: int) -> None:
        self.told += self.machine.handle(StreamClosed(stream), self.now)
        if self.open == {stream}:
            self.gone_at = self.now
        self.open.discard(stream)

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0, 1.9, 2.0, 5.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        due = self.machine.next_wake()
        if due is not None and due <= self.now:
            self.told += self.machine.wake(self.now)

    @precondition(lambda self: self.machine.next_wake() is not None)
    @rule()
    def woken_early(self) -> None:
        due = self.machine.next_wake()
        if due is not None and self.now < due:
            assert self.machine.wake(self.now) == []

    @invariant()
    def told_in_turn(self) -> None:
        assert self.told == [Told.VISIBLE, Told.HIDDEN] * (len(self.told) // 2) + [Told.VISIBLE] * (len(self.told) % 2)
        assert self.machine.visible == bool(self.told and self.told[-1] is Told.VISIBLE)

    @invariant()
    def right(self) -> None:
        if self.open:
            assert self.machine.visible
            assert self.machine.next_wake() is None
        elif self.gone_at is not None:
            assert self.machine.visible == (self.now < self.gone_at + GRACE)


TestPages = Pages.TestCase
