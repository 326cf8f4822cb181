"""Programs that steer the desk: what they ask costs the others no time."""

import asyncio
from typing import Any

import pytest

from frontdesk.agent.steering import Steering
from frontdesk.terms import DeskStatus, Explanation, TaskKind, TaskState
from frontdesk.wire import desk as wire

TOLD = Explanation("org.example.a", "org.example.a.upkeep", TaskKind.PROCESSING, TaskState.PENDING, "It waits.")


class Connection:
    """What a client gets."""

    def __init__(self) -> None:
        self.got: list[wire.ToApp] = []

    def send(self, message: wire.ToApp) -> None:
        self.got.append(message)


class Desk:
    """How often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        none: Any = None
        core: Any = self
        self.steering = Steering(
            core, none, none, now=lambda: 0.0, status=self.status, receipts=none, task_receipts=none
        )

    def explain(self, of: str, now: float) -> tuple[Explanation, ...]:
        self.asked += 1
        return (TOLD,)

    def status(self) -> DeskStatus:
        self.asked += 1
        return DeskStatus(0.0, 1, "test", (), (), ())


@pytest.mark.contract("X02")
@pytest.mark.parametrize("question", [wire.Explain, wire.GetStatus, wire.Watch])
async def test_a_client_that_explains_in_a_loop_gets_one_answer_a_turn_and_another_its_own(question: Any) -> None:
    desk = Desk()
    busy, other = Connection(), Connection()
    clients: tuple[Any, Any] = (busy, other)
    for number in range(1, 500):
        desk.steering.received(clients[0], question(number))
    desk.steering.received(clients[1], wire.Explain(7))
    assert desk.asked == 0
    await asyncio.sleep(0)
    assert [len(busy.got), other.got] == [1, [wire.ExplanationsAre(7, (TOLD,))]]
    desk.steering.forget(clients[0])
    for _ in range(5):
        await asyncio.sleep(0)
    assert desk.asked == 2
