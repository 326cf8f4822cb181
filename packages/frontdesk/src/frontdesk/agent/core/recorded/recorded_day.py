"""What a log says of the world, apart from what the desk decided: what came from outside, and how apps answered.

With it the same days can be lived again under other limits (``rehearsal.py``): people and machine do the same at the
same moments, and apps take as long for what they are given as they took then.
"""

from collections.abc import Iterable
from statistics import median

import msgspec

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.recorded.recording import EMPTY, Batch, Begun, Frame, LogBroken
from frontdesk.terms import ContinuedTask, Notification, TaskRequest, Verdict
from frontdesk.wire import desk as wire

_OF_THE_DESK = (
    ev.TimePassed,
    ev.Launched,
    ev.LaunchFailed,
    ev.Disconnected,
    ev.SaidReady,
    ev.RunCompleted,
    ev.ProgressTold,
    ev.PushAnswered,
    ev.Consumed,
    ev.OnDesktop,
    ev.OffDesktop,
    ev.AnswerAsked,
    ev.Noticed,
    ev.SimulateAsked,
)
"""Events that follow from what the desk decided, or change nothing: under other limits they come otherwise or not."""


class Done(msgspec.Struct, frozen=True):
    """How a task was done, once: seconds, success, progress on the way, and what it asked for meanwhile."""

    seconds: float
    success: bool
    progress: tuple[tuple[float, ev.ProgressTold], ...] = ()
    again: TaskRequest | None = None
    again_in: float | None = None
    """Its ``earliest_begin`` from the beginning of the run on."""


class Answered(msgspec.Struct, frozen=True):
    """How a push was answered, once."""

    seconds: float
    verdict: Verdict
    notification: Notification | None


class RecordedDay(msgspec.Struct):
    """A log, taken apart."""

    begun: Begun
    outside: list[tuple[float, ev.Event]]
    """In order: people, conditions, clocks, pushes, and what apps ask unasked."""
    until: float
    launches: dict[str, float]
    """Seconds from launch to hello, by app."""
    done: dict[tuple[str, str], list[Done]]
    """By app and identifier, in order."""
    answered: dict[tuple[str, str], list[Answered]]
    """By app and subscription, in order."""


class _Run(msgspec.Struct):
    app: str
    identifier: str
    began: float
    progress: list[tuple[float, ev.ProgressTold]] = msgspec.field(default_factory=list)
    again: TaskRequest | None = None


def take_apart(frames: Iterable[Frame]) -> RecordedDay:
    """``LogBroken``: there is nothing in the log."""
    reader: _Reader | None = None
    for frame in frames:
        if isinstance(frame, Begun):
            reader = _Reader(frame)
        elif isinstance(frame, Batch) and reader is not None:
            reader.read(frame)
    if reader is None:
        raise LogBroken(EMPTY)
    reader.day.launches = {app: median(each) for app, each in reader.hellos.items()}
    return reader.day


class _Reader:
    def __init__(self, begun: Begun) -> None:
        self.day = RecordedDay(begun, [], 0.0, {}, {}, {})
        self.hellos: dict[str, list[float]] = {}
        self._ahead = 0.0
        self._launching: dict[str, float] = {}
        self._launched: set[int] = set()
        self._ending: set[str] = set()
        """Apps that were killed or told to leave: their exit is no news from outside."""
        self._runs: dict[str, _Run] = {}
        self._pushes: dict[str, tuple[str, str, float]] = {}

    def read(self, batch: Batch) -> None:
        self.day.until = batch.now
        for event in batch.happened():
            if self._is_from_outside(event, batch.now):
                self.day.outside.append((batch.now, event))
        for effect in batch.decided() or ():
            self._decided(effect, batch.now)

    def _is_from_outside(self, event: ev.Event, now: float) -> bool:
        match event:
            case ev.WallClock(ahead=ahead):
                self._ahead = ahead
            case ev.Launched(pid=pid):
                self._launched.add(pid)
            case ev.Connected(app=app, pid=pid) if pid in self._launched:
                if app in self._launching:
                    self.hellos.setdefault(app, []).append(now - self._launching.pop(app))
                return False
            case ev.Exited(app=app):
                self._runs = {name: run for name, run in self._runs.items() if run.app != app}
                if app in self._ending:
                    self._ending.discard(app)
                    return False
            case ev.ProgressTold(run=run) if run in self._runs:
                self._runs[run].progress.append((now - self._runs[run].began, event))
            case ev.RunCompleted(run=name, success=success) if name in self._runs:
                self._completed(self._runs.pop(name), success, now)
            case ev.PushAnswered(push=push, verdict=verdict, notification=shown) if push in self._pushes:
                app, subscription, given = self._pushes.pop(push)
                answers = self.day.answered.setdefault((app, subscription), [])
                answers.append(Answered(now - given, verdict, shown))
            case ev.SubmitAsked(app=app, task=task):
                at_work = [
                    each for each in self._runs.values() if (each.app, each.identifier) == (app, task.identifier)
                ]
                for each in at_work:
                    each.again = task
                return not at_work
        return not isinstance(event, _OF_THE_DESK)

    def _completed(self, run: _Run, success: bool, now: float) -> None:
        again_in = None
        earliest = getattr(run.again, "earliest_begin", None)
        if earliest is not None:
            again_in = earliest - self._ahead - run.began
        done = Done(now - run.began, success, tuple(run.progress), run.again, again_in)
        self.day.done.setdefault((run.app, run.identifier), []).append(done)

    def _decided(self, effect: do.Effect, now: float) -> None:
        match effect:
            case do.Launch(app=app):
                self._launching[app] = now
            case do.Kill(app=app) | do.Send(app=app, message=wire.Quit()):
                self._ending.add(app)
            case do.Send(app=app, message=wire.RunTasks(runs=runs)):
                for run in runs:
                    self._runs[run.run] = _Run(app, run.identifier, now)
            case do.Send(app=app, message=wire.Push(push=push, subscription=subscription)):
                self._pushes[push] = (app, subscription, now)


def asked_again(done: Done, began: float, ahead: float) -> TaskRequest | None:
    """What the same run asks for when it begins then; ``ahead``: seconds that the wall clock is ahead of the desk's."""
    if done.again is None or done.again_in is None or isinstance(done.again, ContinuedTask):
        return done.again
    return msgspec.structs.replace(done.again, earliest_begin=began + done.again_in + ahead)
