"""One continued task: where it is, what is kept of it, what it looks like from outside (contract S18). Values only."""

import enum

import msgspec

from frontdesk.agent.core import effects as do
from frontdesk.agent.core.scheduled.obstacles import sentence
from frontdesk.agent.core.scheduled.progress_notice import percent
from frontdesk.terms import (
    ContinuedTask,
    Explanation,
    Notification,
    PendingTask,
    Reason,
    TaskEnd,
    TaskKind,
    TaskReceipt,
    TaskState,
)
from frontdesk.wire import desk as wire


class Stage(enum.StrEnum):
    """Where a task is."""

    QUEUED = "queued"
    STARTING = "starting"
    """It has a place; its app is being reached."""
    RUNNING = "running"
    ENDING = "ending"
    """Its expiration handler has been called."""
    GONE = "gone"


MOVES: dict[Stage, frozenset[Stage]] = {
    Stage.QUEUED: frozenset({Stage.STARTING, Stage.GONE}),
    Stage.STARTING: frozenset({Stage.RUNNING, Stage.GONE}),
    Stage.RUNNING: frozenset({Stage.STARTING, Stage.ENDING, Stage.GONE}),
    Stage.ENDING: frozenset({Stage.GONE}),
    Stage.GONE: frozenset(),
}
"""Every move there is. From running back to starting: the app turns out not to have got it."""


class Work(msgspec.Struct):
    """The part that is saved and survives the desk."""

    run: str
    app: str
    request: ContinuedTask
    submitted: float
    order: int = 0
    """Smaller than that of whoever came later."""
    stage: Stage = Stage.QUEUED
    tries: int = 0
    """How often the app has ended before it had got the task."""
    process: str = ""
    """The process of the app that has it, by the name it gives itself."""
    began: float | None = None
    end: TaskEnd | None = None
    """Why it was told to come to an end, and the words for a person."""
    text: str = ""
    submission: str = ""
    """By which the app names it when it has to ask twice."""

    @property
    def identifier(self) -> str:
        return self.request.identifier

    def move(self, to: Stage) -> None:
        if to not in MOVES[self.stage]:
            raise AssertionError(f"continued task {self.identifier}: no move from {self.stage} to {to}")
        self.stage = to

    def note(self, what: str, text: str, why: str = "") -> do.Note:
        return do.Note(self.app, what, text, about=f"continued {self.order}", name=self.identifier, why=why)

    def delivery(self) -> wire.TaskRun:
        return wire.TaskRun(self.run, self.identifier, TaskKind.CONTINUED, self.tries + 1)

    def receipt(self, end: TaskEnd, text: str, now: float) -> TaskReceipt:
        used = max(0.0, now - self.began) if self.began is not None else None
        return TaskReceipt(self.app, self.identifier, TaskKind.CONTINUED, end, now, text, used=used)

    @property
    def state(self) -> TaskState:
        return TaskState.PENDING if self.stage is Stage.QUEUED else TaskState.RUNNING

    def pending(self) -> PendingTask:
        return PendingTask(self.request, self.submitted, self.state, self.tries + 1)

    def explanation(self, reasons: tuple[Reason, ...], fraction: float | None) -> Explanation:
        return Explanation(
            self.app,
            self.identifier,
            TaskKind.CONTINUED,
            self.state,
            sentence(reasons) if reasons else self._in_words(fraction),
            reasons,
            submitted=self.submitted,
            attempt=self.tries + 1,
            progress=fraction,
        )

    def _in_words(self, fraction: float | None) -> str:
        if self.stage is Stage.STARTING:
            return "Its app is being reached."
        if self.stage is Stage.ENDING:
            return f"Told to come to an end. {self.text}"
        return f"Runs, {percent(fraction)} done." if fraction is not None else "Runs."


def moved(work: Work, seconds: float) -> Work:
    """The same with all its moments later by so much."""
    began = None if work.began is None else work.began + seconds
    return msgspec.structs.replace(work, submitted=work.submitted + seconds, began=began)


class Progress:
    """What is true of a task only while this desk lives: how far it is, since when, what is shown of it."""

    def __init__(self, request: ContinuedTask) -> None:
        self.title, self.subtitle = request.title, request.subtitle
        self.done_of: tuple[float, float] | None = None
        self.fraction: float | None = None
        self.new_at = 0.0
        """When the app last told of anything new."""
        self.look_at: float | None = None
        """When to look whether it has stalled; not moved by each report."""
        self.due: float | None = None
        """When it has to be completed, told to come to an end."""
        self.shown: Notification | None = None
        self.shown_at = 0.0
        self.stale = False
        """More is known than is shown."""
        self.dismissed = False
        """The person has put the notification away."""
