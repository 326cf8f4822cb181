"""What a visitor may try, in four acts, each step ticked off when the stage has seen it happen. Pure."""

import dataclasses
from collections.abc import Callable

from demo.network import Condition
from demo.stage.scene import Scene
from frontdesk import AppState


@dataclasses.dataclass(frozen=True)
class Step:
    """One thing to do or to watch; `seen` judges Left's and Right's machine at one moment."""

    text: str
    seen: Callable[[Scene, Scene], bool]


@dataclasses.dataclass(frozen=True)
class Act:
    """A few steps that show one promise."""

    title: str
    steps: tuple[Step, ...]


ACTS = (
    Act(
        "Closed, and still reached",
        (
            Step("Close Right’s window.", lambda left, right: not right.window_open),
            Step("Watch Right’s Lobby fall asleep.", lambda left, right: right.asleep),
            Step("Write to Right from Left’s window.", lambda left, right: bool(right.shown) and not right.window_open),
            Step("Click the notification at Right’s.", lambda left, right: _in_sight(right)),
        ),
    ),
    Act(
        "Send and walk away",
        (
            Step(
                "Set Left’s network to slow.", lambda left, right: left.network is Condition.SLOW and left.window_open
            ),
            Step("Send, and close Left’s window at once.", lambda left, right: _works_unseen(left)),
            Step("Awake until the message is out, then asleep.", lambda left, right: left.asleep),
        ),
    ),
    Act(
        "No network, nothing lost",
        (
            Step("Left’s window open, its network off.", lambda left, right: left.network is Condition.OFF),
            Step("Send, and close the window. Time runs out.", lambda left, right: _told_unseen(left)),
            Step("Network good, window open: Resend.", lambda left, right: _good(left) and left.window_open),
        ),
    ),
    Act(
        "Even the desk may die",
        (
            Step("Right’s window closed, Lobby asleep.", lambda left, right: right.asleep and not right.window_open),
            Step("Kill Right’s desk.", lambda left, right: right.app is None),
            Step("It is back. Write to Right.", lambda left, right: _told_unseen(right)),
        ),
    ),
)


def _in_sight(machine: Scene) -> bool:
    return machine.window_open and machine.app is not None and machine.app.state is AppState.FOREGROUND


def _works_unseen(machine: Scene) -> bool:
    working = machine.app is not None and machine.app.state is AppState.BACKGROUND and bool(machine.app.holds)
    return not machine.window_open and working


def _told_unseen(machine: Scene) -> bool:
    return not machine.window_open and bool(machine.shown)


def _good(machine: Scene) -> bool:
    return machine.network is Condition.GOOD


class Guide:
    """How many steps of each act were seen. Steps of an act count in order; acts may be tried in any order."""

    def __init__(self) -> None:
        self.done = [0 for _ in ACTS]

    def saw(self, left: Scene, right: Scene) -> None:
        """Looks at both machines; ticks off at most one step of each act, since one look shows one moment."""
        for number, act in enumerate(ACTS):
            done = self.done[number]
            if done < len(act.steps) and act.steps[done].seen(left, right):
                self.done[number] += 1
