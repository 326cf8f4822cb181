"""What a visitor may try, in four acts, each step ticked off when the stage has seen it happen. Pure."""

import dataclasses
from collections.abc import Callable

from demo.network import Condition
from demo.stage.scene import Scene
from frontdesk import AppState, Shown

_UNSENT = "unsent:"
"""How the id of Lobby's notification about messages that could not be sent begins."""
_SENDING = "send to "
"""How the name of Lobby's background task around a message begins."""


@dataclasses.dataclass(frozen=True)
class Look:
    """Both machines at one moment."""

    left: Scene
    right: Scene


@dataclasses.dataclass(frozen=True)
class Step:
    """One thing to do or to watch.

    `seen(then, now)` compares the look at which the step before was ticked (for an act's first step: the look just
    before this one) with the present one, so that nothing older is taken for it.
    """

    text: str
    seen: Callable[[Look, Look], bool]


@dataclasses.dataclass(frozen=True)
class Act:
    """A few steps that show one promise. The first is a thing that no other act asks for."""

    title: str
    steps: tuple[Step, ...]


ACTS = (
    Act(
        "Closed, and still reached",
        (
            Step("Close Right’s window.", lambda then, now: not now.right.window_open),
            Step("Watch Right’s Lobby fall asleep.", lambda then, now: _asleep_unseen(now.right)),
            Step("Write to Right from Left’s window.", lambda then, now: _told_unseen(then.right, now.right)),
            Step("Click the notification at Right’s.", lambda then, now: _asked_into_sight(then.right, now.right)),
        ),
    ),
    Act(
        "Send and walk away",
        (
            Step("Set Left’s network to slow.", lambda then, now: _has_network(now.left, Condition.SLOW)),
            Step("Send, and close Left’s window at once.", lambda then, now: _sends_unseen(now.left)),
            Step("Awake until the message is out, then asleep.", lambda then, now: _sent_and_asleep(then, now)),
        ),
    ),
    Act(
        "No network, nothing lost",
        (
            Step("Left’s window open, its network off.", lambda then, now: _has_network(now.left, Condition.OFF)),
            Step("Send, and close the window. Time runs out.", lambda then, now: _told_unsent(then.left, now.left)),
            Step("Network good, window open: Resend.", lambda then, now: _resent(then.left, now.left)),
        ),
    ),
    Act(
        "Even the desk may die",
        (
            Step(
                "Right’s Lobby asleep: kill Right’s desk.",
                lambda then, now: _asleep_unseen(then.right) and now.right.app is None,
            ),
            Step("It is back, and Lobby sleeps on.", lambda then, now: _asleep_unseen(now.right)),
            Step("Write to Right.", lambda then, now: _told_unseen(then.right, now.right)),
        ),
    ),
)


def _asleep_unseen(machine: Scene) -> bool:
    """Asleep by itself: who quits Lobby has not seen it fall asleep."""
    return not machine.window_open and machine.asleep and machine.app is not None and not machine.app.quit


def _new(then: Scene, now: Scene) -> list[Shown]:
    known = {(shown.notification.id, shown.at) for shown in then.shown}
    return [shown for shown in now.shown if (shown.notification.id, shown.at) not in known]


def _told_unseen(then: Scene, now: Scene) -> bool:
    messages = [shown for shown in _new(then, now) if not shown.notification.id.startswith(_UNSENT)]
    return not now.window_open and bool(messages)


def _told_unsent(then: Scene, now: Scene) -> bool:
    return not now.window_open and any(shown.notification.id.startswith(_UNSENT) for shown in _new(then, now))


def _asked_into_sight(then: Scene, now: Scene) -> bool:
    """The click made Lobby ask for its window; the window's own switch does not."""
    visible = now.window_open and now.app is not None and now.app.state is AppState.FOREGROUND
    return visible and now.asked > then.asked


def _has_network(machine: Scene, condition: Condition) -> bool:
    return machine.network is condition and machine.window_open and machine.app is not None


def _sends_unseen(machine: Scene) -> bool:
    holds = machine.app.holds if machine.app else ()
    sending = any(hold.kind == "task" and hold.name.startswith(_SENDING) for hold in holds)
    return not machine.window_open and machine.network is Condition.SLOW and sending


def _sent_and_asleep(then: Look, now: Look) -> bool:
    return _asleep_unseen(now.left) and _task_noted("task_ended", then.left, now.left) and not _new(then.left, now.left)


def _resent(then: Scene, now: Scene) -> bool:
    return _has_network(now, Condition.GOOD) and _task_noted("task_begun", then, now)


def _task_noted(what: str, then: Scene, now: Scene) -> bool:
    """Whether the desk has noted it of a message since then."""
    return any(event.what == what and _SENDING in event.text for event in now.events if event not in then.events)


class Guide:
    """How many steps of each act were seen. Steps of an act count in order; acts may be tried in any order."""

    def __init__(self) -> None:
        self.done = [0 for _ in ACTS]
        self._last: Look | None = None
        self._ticked: dict[int, Look] = {}
        """By act, the look at which its latest step was ticked."""

    def saw(self, left: Scene, right: Scene) -> None:
        """Looks at both machines; ticks off at most one step of each act, since one look shows one moment."""
        now = Look(left, right)
        for number, act in enumerate(ACTS):
            done = self.done[number]
            then = self._ticked.get(number, self._last or now)
            if done < len(act.steps) and act.steps[done].seen(then, now):
                self.done[number] += 1
                self._ticked[number] = now
        self._last = now
