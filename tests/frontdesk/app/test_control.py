"""``DeskControl`` where an answer has no room for all, or the desk is too old to give one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from frontdesk import DeskControl
from frontdesk.app.connection import DeskConnection
from frontdesk.errors import VersionMismatch
from frontdesk.terms import Explanation, Manifest, Refusal, TaskKind, TaskState
from frontdesk.wire import desk as wire
from frontdesk.wire.status import explained

APPS = ("org.example.a", "org.example.b")
ROOM = 10_000


def tasks(app: str) -> tuple[Explanation, ...]:
    return tuple(
        Explanation(app, f"{app}.{number}", TaskKind.PROCESSING, TaskState.PENDING, "It waits.") for number in range(40)
    )


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Any], Any]], DeskControl]:
    """A control whose questions are answered by a function, as a desk would."""

    def made(answer: Callable[[Any], Any]) -> DeskControl:
        async def ask(self: DeskConnection, make: Callable[[int], Any], kind: type[Any]) -> Any:
            return answer(make(1))

        monkeypatch.setattr(DeskConnection, "ask", ask)
        return DeskControl(Path("/nowhere"))

    return made


@pytest.mark.contract("S16", "X02")
async def test_what_one_answer_cannot_hold_is_asked_for_app_by_app(answers: Any) -> None:
    asked: list[str] = []

    def desk(question: Any) -> Any:
        match question:
            case wire.Explain(of="all"):
                asked.append("all")
                return explained(1, tuple(each for app in APPS for each in tasks(app)), ROOM)
            case wire.Explain(of=app):
                asked.append(app)
                return explained(1, tasks(app), ROOM)
            case wire.ListApps():
                return wire.AppsAre(1, tuple(Manifest(app, app, ("x",)) for app in APPS))

    assert await answers(desk).explain() == tasks(APPS[0]) + tasks(APPS[1])
    assert asked == ["all", *APPS]


@pytest.mark.contract("X03")
async def test_a_desk_too_old_to_run_tasks_has_no_receipts_of_them(answers: Any) -> None:
    def old(question: Any) -> Any:
        raise VersionMismatch(Refusal.VERSION, "this desk is older")

    assert await answers(old).task_receipts(APPS[0]) == ()
    with pytest.raises(VersionMismatch):
        await answers(old).explain()
