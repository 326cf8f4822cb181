"""Lives recorded days again under other limits, with apps that answer as they did then: to compare policies. Pure.

Both policies are rehearsed, the recorded one too: what differs between the two is the policy's doing, and nothing
else's.
"""

import heapq
import itertools
from collections import defaultdict, deque
from collections.abc import Iterable
from itertools import zip_longest
from typing import TypeVar

import msgspec

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.dispatcher import Dispatcher
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.recorded.recorded_day import Answered, Done, RecordedDay, asked_again
from frontdesk.terms import ExistingWork, Verdict
from frontdesk.wire import desk as wire

_LAUNCH_TAKES = 0.5
"""Seconds, of an app whose launch the log has not."""

_DONE = Done(1.0, True)
_ANSWERED = Answered(0.5, Verdict.SHOW_AS_IT_IS, None)

K = TypeVar("K")
V = TypeVar("V")

_NOTED = ("launched", "thawed", "stopped")


class Moment(msgspec.Struct, frozen=True):
    """Something that an app met: ``launched``, ``thawed``, ``stopped`` (with why), or ``task`` (with its name)."""

    at: float
    app: str
    what: str
    name: str


class Shift(msgspec.Struct, frozen=True):
    """One such thing under both policies; None: not at all."""

    app: str
    what: str
    name: str
    recorded: float | None
    other: float | None


class _Process(msgspec.Struct):
    pid: int
    connected: bool = False
    to_say: list[ev.Event] = msgspec.field(default_factory=list)
    """What it said in the log at a moment at which it is still being launched here."""


class Rehearsal:
    """One policy. ``live`` gives what the apps met."""

    def __init__(self, day: RecordedDay, limits: Limits) -> None:
        self._day = day
        self._numbers = itertools.count(1)
        self._met: list[Moment] = []
        self._to_come: list[tuple[float, int, ev.Event]] = []
        self._ahead = 0.0
        self._processes: dict[str, _Process] = {}
        self._launched: set[int] = set()
        self._foreground: dict[str, bool] = {}
        """As people left it, for apps that are just being launched."""
        self._done = {key: deque(each) for key, each in day.done.items()}
        self._answered = {key: deque(each) for key, each in day.answered.items()}
        begun = day.begun
        setup = msgspec.structs.replace(begun.setup, limits=limits)
        self._core = Dispatcher(setup, lambda: f"rehearsed-{next(self._numbers)}")
        for machine, key, value in begun.saved:
            self._core.restore(machine, key, value)
        for at, event in day.outside:
            self._comes(at, event)

    def live(self) -> list[Moment]:
        """The days from first to last."""
        while True:
            due = self._to_come[0][0] if self._to_come else None
            wake = self._core.next_wake()
            now = min((at for at in (due, wake) if at is not None), default=None)
            if now is None or now > self._day.until:
                return self._met
            if due is not None and due <= now:
                self._happens(heapq.heappop(self._to_come)[2], due)
            else:
                self._decide(ev.TimePassed(), now)

    def _comes(self, at: float, event: ev.Event) -> None:
        heapq.heappush(self._to_come, (at, next(self._numbers), event))

    def _happens(self, event: ev.Event, now: float) -> None:
        """Unless nobody is there who could say it."""
        app = getattr(event, "app", "")
        process = self._processes.get(app)
        match event:
            case ev.WallClock(ahead=ahead):
                self._ahead = ahead
            case ev.WentForeground() | ev.WentBackground():
                self._foreground[app] = isinstance(event, ev.WentForeground)
            case ev.Connected(pid=pid):
                # Killed before it could say hello; or started by hand in a history in which it runs already.
                if (process is None) == (pid in self._launched) or (process is not None and process.pid != pid):
                    return
                process = self._processes.setdefault(app, _Process(pid))
                process.connected = True
                if pid in self._launched:
                    event = msgspec.structs.replace(event, foreground=self._foreground.get(app, False))
            case ev.Exited():
                if process is None:
                    return
                event = msgspec.structs.replace(event, pid=process.pid)
                del self._processes[app]
                self._foreground.pop(app, None)
        if isinstance(event, ev.Report) and (process is None or not process.connected):
            if process is not None:
                process.to_say.append(event)
            return
        self._decide(event, now)
        if isinstance(event, ev.Connected) and process is not None:
            said, process.to_say = process.to_say, []
            for late in said:
                self._happens(late, now)

    def _decide(self, event: ev.Event, now: float) -> None:
        for effect in self._core.handle([event], now):
            self._follow(effect, now)

    def _follow(self, effect: do.Effect, now: float) -> None:
        match effect:
            case do.Note(app=app, what=what, why=why) if what in _NOTED:
                self._met.append(Moment(now, app, what, why))
            case do.Launch(app=app, token=token):
                takes, pid = self._day.launches.get(app, _LAUNCH_TAKES), next(self._numbers)
                self._launched.add(pid)
                self._processes[app] = _Process(pid)
                self._comes(now, ev.Launched(app, token, pid, pid))
                hello = ev.Connected(app, pid, pid, f"run-{pid}", launched=True, foreground=False, version=wire.NEWEST)
                self._comes(now + takes, hello)
            case do.Kill(app=app, process=meant):
                self._ends(app, meant.pid, -9, now)
            case do.Send(app=app, message=message):
                self._hears(app, message, now)

    def _ends(self, app: str, pid: int, status: int, now: float) -> None:
        if app not in self._processes:
            self._processes[app] = _Process(pid)
        self._comes(now, ev.Disconnected(app))
        self._comes(now, ev.Exited(app, pid, status))

    def _hears(self, app: str, message: wire.ToApp, now: float) -> None:
        """What the app does about it."""
        match message:
            case wire.EnteredBackground(transition=transition):
                self._comes(now, ev.SaidReady(app, transition))
            case wire.ExpireTasks(tasks=tasks):
                for task in tasks:
                    self._comes(now, ev.TaskEnded(app, task))
            case wire.Quit() if app in self._processes:
                self._ends(app, self._processes[app].pid, 0, now)
            case wire.Push(push=push, subscription=subscription):
                answer = _next(self._answered, (app, subscription), _ANSWERED)
                answered = ev.PushAnswered(app, push, answer.verdict, answer.notification)
                self._comes(now + answer.seconds, answered)
            case wire.ExpireRuns(runs=runs):
                for run in runs:
                    self._comes(now, ev.RunCompleted(app, run, success=False))
            case wire.RunTasks(runs=given):
                for each in given:
                    self._works(app, each, now)

    def _works(self, app: str, run: wire.TaskRun, now: float) -> None:
        self._met.append(Moment(now, app, "task", run.identifier))
        done = _next(self._done, (app, run.identifier), _DONE)
        if (again := asked_again(done, now, self._ahead)) is not None:
            self._comes(now, ev.SubmitAsked(app, 0, 0, again, ExistingWork.REPLACE))
        for after, told in done.progress:
            self._comes(now + after, msgspec.structs.replace(told, run=run.run))
        self._comes(now + done.seconds, ev.RunCompleted(app, run.run, done.success))


def _next(kept: dict[K, deque[V]], key: K, otherwise: V) -> V:
    """In the order of the log, the last of them again and again."""
    each = kept.get(key)
    if not each:
        return otherwise
    return each.popleft() if len(each) > 1 else each[0]


def shifts(recorded: Iterable[Moment], other: Iterable[Moment]) -> list[Shift]:
    """What comes at another moment under the other policy, or under one of them only; in order."""
    by_kind: dict[tuple[str, str, str], tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for side, moments in enumerate((recorded, other)):
        for moment in moments:
            by_kind[moment.app, moment.what, moment.name][side].append(moment.at)
    found = [
        Shift(*kind, before, after)
        for kind, (mine, theirs) in by_kind.items()
        for before, after in zip_longest(mine, theirs)
        if before is None or after is None or abs(before - after) >= _SAME
    ]
    return sorted(found, key=lambda shift: shift.recorded if shift.recorded is not None else shift.other or 0.0)


_SAME = 0.5
"""Seconds within which two moments are the same."""
