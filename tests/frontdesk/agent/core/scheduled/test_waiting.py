"""Heaps of moments and classes of requests, against a dictionary that is looked through each time."""

from hypothesis import given, settings
from hypothesis import strategies as st

from frontdesk.agent.core.scheduled.waiting import Heap, Waiting
from frontdesk.terms import Requirement, TaskKind

R, P = TaskKind.REFRESH, TaskKind.PROCESSING
NETWORK = frozenset({Requirement.NETWORK})
CLASSES = [(R, frozenset[Requirement]()), (R, NETWORK), (P, frozenset[Requirement]()), (P, NETWORK)]

numbers = st.integers(0, 8)
moments = st.integers(0, 20).map(float)
steps = st.lists(st.tuples(st.sampled_from(["put", "drop"]), numbers, moments), max_size=60)


@given(steps)
def test_a_heap_knows_the_first_of_what_it_was_last_told(steps: list[tuple[str, int, float]]) -> None:
    heap, model = Heap(), dict[int, float]()
    for what, number, moment in steps:
        if what == "put":
            heap.put(number, moment)
            model[number] = moment
        else:
            heap.drop(number)
            model.pop(number, None)
        assert heap.first() == min(((at, each) for each, at in model.items()), default=None)
        assert len(heap) == len(model)


def test_a_heap_that_is_told_much_about_little_stays_small() -> None:
    heap = Heap()
    for moment in range(10_000):
        heap.put(1, float(moment))
        heap.put(2, float(-moment))
    assert len(heap._entries) <= 20
    assert heap.first() == (-9999.0, 2)


placings = st.lists(st.tuples(numbers, moments, st.integers(0, 10).map(float), st.booleans(), moments), max_size=40)


@given(placings, st.booleans(), moments)
@settings(max_examples=200)
def test_only_open_classes_have_a_first_and_those_that_may_go_early(
    placings: list[tuple[int, float, float, bool, float]], online: bool, now: float
) -> None:
    is_online = False
    waiting = Waiting(lambda kind, requires: is_online or not requires)
    model: dict[int, tuple[tuple[TaskKind, frozenset[Requirement]], float, float]] = {}
    for number, may, later, drop, looked in placings:
        of = CLASSES[number % len(CLASSES)]
        if drop:
            waiting.drop(number)
            model.pop(number, None)
        else:
            waiting.put(number, of, may, may + later)
            model[number] = (of, may, may + later)
        waiting.early(R, min(looked, now))
    is_online = online
    waiting.look_again()
    for kind in (R, P):
        mine = {n: each for n, each in model.items() if each[0][0] is kind and (online or not each[0][1])}
        assert waiting.first(kind) == min(((wanted, n) for n, (_, _, wanted) in mine.items()), default=None)
        early = [(wanted, n) for n, (_, may, wanted) in mine.items() if may < wanted and may <= now]
        assert waiting.early(kind, now) == min(early, default=None)
        for n, (_, may, wanted) in mine.items():
            soon = wanted <= now or (may <= now and wanted <= now + 5 and may < wanted)
            assert waiting.may_start(n, now, now + 5) == soon
    assert len(waiting) == len(model)
