"""What is known of one app, and which moves there are between the states of its life (contract L02). Values only."""

from collections.abc import Iterator

import msgspec

from frontdesk.agent.core import effects as do
from frontdesk.terms import AppState, Hold, Receipt, StopReason, TaskReceipt, WakeReason

S = AppState

MOVES: dict[AppState, frozenset[AppState]] = {
    S.STOPPED: frozenset({S.LAUNCHING}),
    S.LAUNCHING: frozenset({S.BACKGROUND, S.STOPPED}),
    S.FOREGROUND: frozenset({S.BACKGROUND, S.STOPPED}),
    S.BACKGROUND: frozenset({S.FOREGROUND, S.SUSPENDED, S.STOPPED}),
    S.SUSPENDED: frozenset({S.BACKGROUND, S.STOPPED}),
}
"""Every move there is; whoever connects has been launching, whoever is thawed is in the background (L02)."""

BY_PERSON = frozenset({WakeReason.OPENED, WakeReason.PRESSED, WakeReason.PAGE_VISITED})
"""Wakes that end *quit* (L04)."""

STRENGTH = {
    WakeReason.BY_HAND: 0,
    WakeReason.TASK: 0,
    WakeReason.ENDPOINT_CHANGED: 1,
    WakeReason.SCHEDULED: 1,
    WakeReason.PUSH: 2,
    WakeReason.PAGE_VISITED: 3,
    WakeReason.PRESSED: 4,
    WakeReason.OPENED: 5,
}
"""Of several reasons to be awake the strongest is the one the app is told."""

IN_WORDS = {
    WakeReason.BY_HAND: "it was started by hand",
    WakeReason.TASK: "it had begun a background task just then",
    WakeReason.ENDPOINT_CHANGED: "its push endpoint has changed",
    WakeReason.PUSH: "a push came",
    WakeReason.SCHEDULED: "a scheduled task begins",
    WakeReason.PAGE_VISITED: "its page is being opened",
    WakeReason.PRESSED: "a notification of it was pressed",
    WakeReason.OPENED: "it is being opened",
}
"""As the event list says it, after "launched: "."""

FAILED = frozenset({StopReason.CRASHED, StopReason.LAUNCH_TIMED_OUT, StopReason.LAUNCH_FAILED, StopReason.UNREACHABLE})
"""Ends after which the app is not launched again at once."""


MOST_TEXT, MOST_TASKS, MOST_NAME = 2000, 20, 200
"""Characters of a receipt's sentence, background tasks that it names, and characters of each name."""


class Life(msgspec.Struct):
    """The part that is saved and survives the desk."""

    app: str
    state: AppState = S.STOPPED
    since: float = 0.0
    quit: bool = False
    pid: int = 0
    started: int = 0
    ran_since: float = 0.0
    launched: bool = False
    """The desk launched it: its process group is ours to signal (L01)."""
    token: str = ""
    run: str = ""
    why: WakeReason = WakeReason.BY_HAND
    slept_from: float | None = None
    slept: float | None = None
    """How long it slept before it was woken; None once it has said anything since, so that it knows (L13)."""
    settle_until: float | None = None
    """It was told that it is in the background; until then it may answer "ready" (L01)."""
    opening_until: float | None = None
    """Somebody opens it or visits its page: it stays awake until they are there, at most until then."""
    page: str = ""
    transition: int = 0
    failures: int = 0
    ending: Receipt | None = None
    """It has been told to end, or killed, for this reason; its process is not gone yet."""
    untold: tuple[Receipt, ...] = ()
    untold_tasks: tuple[TaskReceipt, ...] = ()

    def process(self) -> do.Process:
        return do.Process(self.pid, self.started, self.launched, self.token)

    def receipt(
        self,
        reason: StopReason,
        text: str,
        now: float,
        limit: float | None = None,
        used: float | None = None,
        tasks: tuple[str, ...] = (),
    ) -> Receipt:
        """Of its present run. So many words of it that the receipts of many runs fit into one welcome (X02)."""
        named = tuple(name[:MOST_NAME] for name in tasks[:MOST_TASKS])
        return Receipt(self.app, reason, now, text[:MOST_TEXT], limit, used, named, self.pid, self.ran_since)


class Moments:
    """The part that is true only while this desk lives: connection, holds, deadlines."""

    def __init__(self) -> None:
        self.connected = False
        self.told_of_sleep = False
        self.survived = False
        self.version = 0
        self.holds: dict[tuple[str, str], Hold] = {}
        self.connect_by: float | None = None
        self.quit_by: float | None = None
        self.retry_at: float | None = None
        self.wanted: WakeReason | None = None
        self.opened_at: float | None = None
        """When it was last told that the person opens it, and has said nothing since."""
        self.launches = 0

    def deadlines(self) -> Iterator[float]:
        for moment in (self.connect_by, self.quit_by, self.retry_at):
            if moment is not None:
                yield moment


def over(moment: float | None, now: float) -> bool:
    """It was set, and has come."""
    return moment is not None and moment <= now


def later(moment: float | None, seconds: float) -> float | None:
    return None if moment is None else moment + seconds


def moved(life: Life, seconds: float) -> Life:
    """The same with all its moments later by so much."""
    return msgspec.structs.replace(
        life,
        since=life.since + seconds,
        ran_since=life.ran_since + seconds,
        slept_from=later(life.slept_from, seconds),
        settle_until=later(life.settle_until, seconds),
        opening_until=later(life.opening_until, seconds),
    )
