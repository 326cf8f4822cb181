"""Pushes in the app: handlers and their answers, repeated until kept, never worked on twice."""

import asyncio
import logging
from typing import Any

import pytest

from frontdesk.app.pushes import SHOW_AS_IT_IS, SHOW_NOTHING, Answer, Push, Pushes, ShowThis
from frontdesk.terms import Notification, Verdict
from frontdesk.wire import desk as wire


class Desk(list[wire.ToDesk]):
    def send(self, message: wire.ToDesk) -> bool:
        self.append(message)
        return True


def given(id: str = "p1", subscription: str = "messages") -> wire.Push:
    return wire.Push(id, subscription, b"data", 7.0)


async def settled() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


@pytest.mark.contract("P02")
@pytest.mark.parametrize(
    ("answer", "verdict", "notification"),
    [
        (ShowThis(Notification("n", "Title")), Verdict.SHOW_THIS, Notification("n", "Title")),
        (SHOW_AS_IT_IS, Verdict.SHOW_AS_IT_IS, None),
        (SHOW_NOTHING, Verdict.SHOW_NOTHING, None),
    ],
)
async def test_the_handlers_answer_goes_to_the_desk(
    answer: Answer, verdict: Verdict, notification: Notification | None
) -> None:
    desk = Desk()
    pushes = Pushes(desk.send)
    seen: list[Push] = []

    async def handler(push: Push) -> Answer:
        seen.append(push)
        return answer

    pushes.on("messages", handler)
    pushes.handle(given())
    await settled()
    assert seen == [Push("p1", "messages", b"data", 7.0)]
    assert desk == [wire.PushAnswer("p1", verdict, notification)]


@pytest.mark.contract("P02")
@pytest.mark.parametrize("what", ["none", "raises", "awaits what was cancelled", "wrong answer"])
async def test_a_handler_that_is_missing_fails_or_answers_wrongly_means_the_fallback(
    what: str, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk()
    pushes = Pushes(desk.send)

    async def handler(push: Push) -> Any:
        if what == "raises":
            raise ValueError("on purpose")
        if what == "awaits what was cancelled":
            raise asyncio.CancelledError
        return "show it"

    if what != "none":
        pushes.on("messages", handler)
    with caplog.at_level(logging.WARNING):
        pushes.handle(given())
        await settled()
    assert desk == [wire.PushAnswer("p1", Verdict.SHOW_AS_IT_IS)]
    assert "'messages'" in caplog.text


@pytest.mark.contract("P09")
async def test_worked_on_once_and_answered_again_until_the_answer_is_kept() -> None:
    desk = Desk()
    pushes = Pushes(desk.send)
    calls = 0
    go_on = asyncio.Event()

    async def handler(push: Push) -> Answer:
        nonlocal calls
        calls += 1
        await go_on.wait()
        return SHOW_NOTHING

    pushes.on("messages", handler)
    pushes.handle(given())
    await settled()
    pushes.handle(given())  # again, by the desk that came after
    assert pushes.in_hand() == ("p1",)
    pushes.repeat_answers()
    assert desk == []
    go_on.set()
    await settled()
    answer = wire.PushAnswer("p1", Verdict.SHOW_NOTHING)
    assert desk == [answer] and pushes.in_hand() == ("p1",)
    pushes.handle(given())
    pushes.repeat_answers()
    await settled()
    assert desk == [answer, answer] and calls == 1
    pushes.handle(wire.PushKept("p1"))
    pushes.handle(wire.PushKept("p1"))
    pushes.repeat_answers()
    assert desk == [answer, answer] and pushes.in_hand() == ()


@pytest.mark.contract("P02")
async def test_several_are_worked_on_at_the_same_time() -> None:
    desk = Desk()
    pushes = Pushes(desk.send)
    both = asyncio.Barrier(2)

    async def handler(push: Push) -> Answer:
        await both.wait()
        return SHOW_NOTHING

    pushes.on("messages", handler)
    pushes.handle(given("p1"))
    pushes.handle(given("p2"))
    await settled()
    await settled()
    assert {each.push for each in desk if isinstance(each, wire.PushAnswer)} == {"p1", "p2"}
