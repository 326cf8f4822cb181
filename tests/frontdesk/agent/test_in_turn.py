"""Questions in turn: after what was said before, one of each client at a time, none for who is gone."""

import asyncio
import functools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.in_turn import InTurn


@pytest.mark.contract("X02")
async def test_whoever_asks_a_thousand_at_once_holds_nobody_else_up() -> None:
    questions, answered = InTurn(), list[str]()
    for _ in range(1000):
        questions.later("busy", functools.partial(answered.append, "busy"))
    questions.later("other", functools.partial(answered.append, "other"))
    assert answered == []
    await asyncio.sleep(0)
    assert answered == ["busy", "other"]
    for _ in range(999):
        await asyncio.sleep(0)
    assert len(answered) == 1001


@pytest.mark.contract("X02")
async def test_for_a_client_that_is_gone_over_its_answers_nothing_more_is_worked_out() -> None:
    questions, answered = InTurn(), list[int]()

    def answer(number: int) -> None:
        answered.append(number)
        if number == 2:
            questions.forget("busy")

    for number in range(10):
        questions.later("busy", functools.partial(answer, number))
    for _ in range(20):
        await asyncio.sleep(0)
    assert answered == [0, 1, 2]
    questions.later("busy", functools.partial(answer, 7))
    await asyncio.sleep(0)
    assert answered == [0, 1, 2, 7]


@given(st.lists(st.sampled_from(["a", "b", "a asks two", "turn", "a is gone"]), max_size=30))
def test_each_question_is_answered_once_in_order_whatever_comes_between(history: list[str]) -> None:
    questions, answered, owed = InTurn(), list[tuple[str, int]](), dict[str, list[int]](a=[], b=[])
    asked: Counter[str] = Counter()

    def ask(client: str) -> None:
        asked[client] += 1
        owed[client].append(asked[client])
        questions.later(client, functools.partial(answer, client, asked[client]))

    def answer(client: str, number: int) -> None:
        assert owed[client].pop(0) == number
        answered.append((client, number))

    async def live() -> None:
        for step in history:
            match step:
                case "turn":
                    await asyncio.sleep(0)
                case "a is gone":
                    questions.forget("a")
                    owed["a"].clear()
                case "a asks two":
                    ask("a")
                    ask("a")
                case client:
                    ask(client)
        for _ in range(2 * len(history) + 2):
            await asyncio.sleep(0)

    asyncio.run(live())
    assert owed == {"a": [], "b": []}
    assert len(answered) == len(set(answered))
