"""The scheduler against a model that looks at every request each time: slow, simple, and written down independently.

Apps, budget and habit are pretended; conditions are the real machine. The model knows each submission. After every
event it says which requests might run and which have to, and the scheduler has to have launched just those.
"""

import math
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.machine.conditions import Conditions
from frontdesk.agent.core.scheduled.obstacles import NotLaunchable
from frontdesk.agent.core.scheduled.scheduler import Scheduler
from frontdesk.terms import (
    AppState,
    Budget,
    Condition,
    ExistingWork,
    Manifest,
    Obstacle,
    ProcessingTask,
    Receipt,
    RefreshTask,
    Requirement,
    Retry,
    StopReason,
    TaskKind,
    TaskRequest,
    TaskState,
    WakeReason,
)
from frontdesk.wire import desk as wire

T0 = 1_700_000_000.0
LIMITS = Limits(pending_refresh=2, pending_processing=3, refresh_at_once=2, processing_at_once=1)
APPS = ("org.a.one", "org.a.two", "org.a.three")
NAMES = ("n1", "n2", "n3")
SPENT = 700.0
"""So long after a launch the pretended budget allows the next."""

CONDITIONS = {
    Condition.POWER: ("external", "battery", ""),
    Condition.BATTERY: ("10", "25", "80", ""),
    Condition.POWER_SAVER: ("on", "off", ""),
    Condition.NETWORK: ("online", "offline", ""),
    Condition.METERED: ("yes", "no", ""),
    Condition.IDLE: ("yes", "no", ""),
}


@dataclass
class Submitted:
    """What the model knows of one submission."""

    task: TaskRequest
    at: float
    attempt: int = 1
    failures: int = 0
    deaths: int = 0
    pause: float = 0.0
    run: str = ""
    given: bool = False
    expired: bool = False
    cancelled: bool = False


@dataclass
class World:
    """The pretended apps, budget and habit."""

    blocked: dict[str, Obstacle] = field(default_factory=dict)
    front: set[str] = field(default_factory=set)
    awake: set[str] = field(default_factory=set)
    waking: set[str] = field(default_factory=set)
    next_launch: dict[str, float] = field(default_factory=dict)
    usual: dict[str, float] = field(default_factory=dict)

    def manifest(self, app: str) -> Manifest:
        return Manifest(app, app, ("x",), background=("refresh", "processing"), tasks=NAMES)

    def state(self, app: str) -> AppState:
        if app in self.front:
            return AppState.FOREGROUND
        if app in self.awake:
            return AppState.BACKGROUND
        return AppState.LAUNCHING if app in self.waking else AppState.STOPPED

    def background_available(self, app: str) -> bool:
        return self.blocked.get(app) is not Obstacle.BACKGROUND_OFF

    def not_launchable(self, app: str, now: float) -> NotLaunchable | None:
        return (self.blocked[app], None) if app in self.blocked else None

    def next_at(self, app: str, now: float) -> float | None:
        at = self.next_launch.get(app)
        return at if at is not None and at > now else None

    def spend(self, app: str, now: float) -> None:
        assert self.next_at(app, now) is None, "launched with no budget left (S15)"
        self.next_launch[app] = now + SPENT

    def budget(self, app: str, now: float) -> Budget:
        return Budget(10.0, 0.0, self.next_at(app, now))

    def wanted(self, app: str, earliest: float, now: float) -> float:
        return earliest + self.usual.get(app, 0.0)

    def refreshed(self, app: str, now: float) -> None:
        pass

    def day_ends(self, now: float) -> float:
        return math.inf


class SchedulerAndModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = T0
        self.ahead = 0.0
        self.world = World()
        self.conditions = Conditions()
        self.lines: dict[tuple[str, str], list[Submitted]] = {}
        self.saved: dict[str, bytes] = {}
        self.ids = 0
        self.passing = False
        self.scheduler = self.new_scheduler()
        self.tell(*(ev.AppAdded(self.world.manifest(app)) for app in APPS), ev.DeskStarted())

    @initialize(usual=st.dictionaries(st.sampled_from(APPS), st.sampled_from([300.0, 2000.0])))
    def habits(self, usual: dict[str, float]) -> None:
        self.world.usual = usual

    # --- the scheduler's surroundings -----------------------------------------------------------------------------

    def new_scheduler(self) -> Scheduler:
        return Scheduler(LIMITS, self.new_id, self.world, self.conditions, self.world, self.world, lambda *_: [])

    def new_id(self) -> str:
        self.ids += 1
        return f"run{self.ids}"

    def tell(self, *happened: ev.Event | ev.Signal) -> None:
        """Each is handled, with the signals that follow; the model is told what was launched, and compares."""
        for event in happened:
            waiting = [event]
            while waiting:
                each = waiting.pop(0)
                if isinstance(each, ev.Ended):
                    self.model_ended(each.app)
                outs = [*self.conditions.handle(each, self.now), *self.scheduler.handle(each, self.now)]
                for out in outs:
                    self.carry_out(out, waiting)
        for effect in self.scheduler.saves():
            assert isinstance(effect, do.Save)
            if effect.value is None:
                self.saved.pop(effect.key, None)
            else:
                self.saved[effect.key] = effect.value

    def carry_out(self, out: do.Effect | ev.Signal, waiting: list[ev.Event | ev.Signal]) -> None:
        match out:
            case ev.HoldOn(app=app, key=run, name=name):
                self.launched(app, name, run)
            case ev.LetGo(app=app, key=run):
                self.let_go(app, run)
            case ev.Wake(app=app) if app in self.world.awake:
                waiting.append(ev.Awake(app, out.why, fresh=False))
            case ev.Wake(app=app):
                self.world.waking.add(app)
            case ev.ConditionChanged():
                waiting.append(out)
            case ev.Stop(app=app, reason=reason):
                waiting.append(self.ending(app, reason))
            case do.Send(app=app, message=wire.RunTasks(runs=given)):
                assert app in self.world.awake
                for each in given:
                    (sub,) = [sub for sub in self.of_app(app) if sub.run == each.run]
                    assert not sub.given, "given twice"
                    assert each.attempt == sub.attempt
                    sub.given = True
            case do.Send(app=app, message=wire.ExpireRuns(runs=told)):
                for sub in self.of_app(app):
                    sub.expired = sub.expired or sub.run in told

    def ending(self, app: str, reason: StopReason) -> ev.Signal:
        self.world.awake.discard(app)
        self.world.waking.discard(app)
        self.world.front.discard(app)
        return ev.Ended(app, Receipt(app, reason, self.now, ""))

    # --- the model ------------------------------------------------------------------------------------------------

    def of_app(self, app: str) -> list[Submitted]:
        return [sub for (owner, _), line in self.lines.items() if owner == app for sub in line]

    def earliest(self, sub: Submitted) -> float:
        assert isinstance(sub.task, RefreshTask | ProcessingTask)
        return (sub.task.earliest_begin or 0.0) - self.ahead

    def wanted(self, app: str, sub: Submitted) -> float:
        """From when on it is due. That a launch is within the budget is seen to where it is spent."""
        begin = max(self.earliest(sub), sub.pause)
        usual = self.world.usual.get(app, 0.0)
        if sub.task.kind is not TaskKind.REFRESH or not usual:
            return begin
        return max(begin, max(sub.at, self.earliest(sub)) + usual)

    def due(self, app: str, sub: Submitted) -> float:
        budget = self.world.next_launch.get(app, 0.0) if sub.task.kind is TaskKind.REFRESH else 0.0
        return max(self.wanted(app, sub), budget)

    def conditions_hold(self, sub: Submitted) -> bool:
        value, requires = self.conditions.value, sub.task.requires
        on_battery = value(Condition.POWER) == "battery"
        percent = int(value(Condition.BATTERY) or 100)
        bad = [
            value(Condition.POWER_SAVER) == "on",
            on_battery and percent < 20,
            bool(requires & {Requirement.NETWORK, Requirement.UNMETERED}) and value(Condition.NETWORK) == "offline",
            Requirement.UNMETERED in requires and value(Condition.METERED) == "yes",
            Requirement.EXTERNAL_POWER in requires and on_battery,
            Requirement.BATTERY_NOT_LOW in requires and on_battery and percent < 30,
            Requirement.IDLE in requires and value(Condition.IDLE) == "no",
        ]
        return not any(bad)

    def app_is_fine(self, app: str, sub: Submitted) -> bool:
        kind = sub.task.kind
        working = any(each.run and each.task.kind is kind for each in self.of_app(app))
        first = self.lines[app, sub.task.identifier][0] is sub
        in_front = app in self.world.front and kind is TaskKind.REFRESH
        return first and not working and not in_front and app not in self.world.blocked

    def places_left(self, kind: TaskKind) -> int:
        taken = {app for (app, _), line in self.lines.items() for sub in line if sub.run and sub.task.kind is kind}
        return (LIMITS.refresh_at_once if kind is TaskKind.REFRESH else LIMITS.processing_at_once) - len(taken)

    def waiting(self) -> list[tuple[str, Submitted]]:
        """Pending ones that only time holds up."""
        return [
            (app, sub)
            for (app, _), line in self.lines.items()
            for sub in line
            if not sub.run
            and self.app_is_fine(app, sub)
            and self.conditions_hold(sub)
            and self.places_left(sub.task.kind) > 0
        ]

    def launched(self, app: str, name: str, run: str) -> None:
        sub = self.lines[app, name][0]
        if sub.run:
            assert sub.run == run, "launched while it runs (S05)"
            return
        assert self.conditions_hold(sub), "launched without what it requires (S10, L12)"
        assert app not in self.world.blocked
        assert self.earliest(sub) <= self.now, "launched before its earliest begin (S06)"
        assert sub.pause <= self.now
        refresh = sub.task.kind is TaskKind.REFRESH
        assert self.wanted(app, sub) <= self.now + (LIMITS.together if refresh else 0.0)
        assert not (app in self.world.front and refresh)
        sub.run, sub.given, sub.expired = run, False, False
        assert self.places_left(sub.task.kind) >= 0, "more at once than may be"

    def let_go(self, app: str, run: str) -> None:
        """Before its app had it: pending again. An app in front that owes a completion is not stopped, only forgiven.

        Other ends of given ones are modelled where they are brought about.
        """
        for sub in self.of_app(app):
            if sub.run == run and not sub.given:
                sub.run = ""
            elif sub.run == run and self.passing and sub.expired and app in self.world.front:
                self.over(app, sub, success=False)

    def over(self, app: str, sub: Submitted, *, success: bool) -> None:
        line = self.lines[app, sub.task.identifier]
        retry = sub.task.retry if isinstance(sub.task, ProcessingTask) and not sub.cancelled else None
        sub.run, sub.given = "", False
        if success or retry is None or len(line) > 1:
            line.remove(sub)
            return
        sub.failures, sub.attempt, sub.deaths = sub.failures + 1, sub.attempt + 1, 0
        sub.pause = self.now + min(retry.first * 2.0 ** (sub.failures - 1), retry.most)

    def model_ended(self, app: str) -> None:
        for sub in self.of_app(app):
            if not sub.run:
                continue
            if sub.expired:
                self.over(app, sub, success=False)
                continue
            sub.run, sub.given = "", False
            sub.deaths, sub.attempt = sub.deaths + 1, sub.attempt + 1
            sub.pause = self.now + min(2.0 ** (sub.deaths - 1), 60.0)
            if sub.deaths >= LIMITS.task_tries:
                self.lines[app, sub.task.identifier].remove(sub)

    # --- what happens ---------------------------------------------------------------------------------------------

    apps = st.sampled_from(APPS)
    names = st.sampled_from(NAMES)
    begins = st.sampled_from([None, -50.0, 10.0, 400.0, 2500.0])
    flags = st.booleans()

    @rule(app=apps, name=names, begin=begins, network=flags, power=flags, low=flags, metered=flags, keep=flags)
    def submit_refresh(
        self,
        app: str,
        name: str,
        begin: float | None,
        network: bool,
        power: bool,
        low: bool,
        metered: bool,
        keep: bool,
    ) -> None:
        at = None if begin is None else self.now + self.ahead + begin
        self.submit(app, RefreshTask(name, at, network, metered, power, low), keep=keep)

    @rule(app=apps, name=names, begin=begins, network=flags, power=flags, retry=flags)
    def submit_processing(
        self, app: str, name: str, begin: float | None, network: bool, power: bool, retry: bool
    ) -> None:
        at = None if begin is None else self.now + self.ahead + begin
        again = Retry(first=10.0, most=100.0) if retry else None
        task = ProcessingTask(name, at, requires_network=network, requires_external_power=power, retry=again)
        self.submit(app, task, keep=False)

    def submit(self, app: str, task: TaskRequest, *, keep: bool) -> None:
        line = self.lines.setdefault((app, task.identifier), [])
        pending = [key for key, each in self.lines.items() if key[0] == app and each and not each[-1].run]
        counted = {key[1] for key in pending if self.lines[key][-1].task.kind is task.kind} - {task.identifier}
        most = LIMITS.pending_refresh if task.kind is TaskKind.REFRESH else LIMITS.pending_processing
        refused = not self.world.background_available(app) or len(counted) >= most
        if not refused and not (keep and line and not line[-1].run):
            if line and not line[-1].run:
                line.pop()
            line.append(Submitted(task, self.now))
        self.tell(ev.SubmitAsked(app, 1, 1, task, ExistingWork.KEEP if keep else ExistingWork.REPLACE))

    @rule(app=apps, name=names)
    def cancel(self, app: str, name: str) -> None:
        line = self.lines.get((app, name), [])
        line[:] = [sub for sub in line if sub.given]
        for sub in line:
            sub.cancelled = True
        self.tell(ev.CancelAsked(app, 1, 1, frozenset((name,))))
        assert all(sub.expired for sub in line)

    @rule(condition=st.sampled_from(list(CONDITIONS)), which=st.integers(0, 3))
    def condition(self, condition: Condition, which: int) -> None:
        values = CONDITIONS[condition]
        self.tell(ev.ConditionSeen(condition, values[which % len(values)], "test"))

    @rule(app=apps, obstacle=st.sampled_from([Obstacle.APP_QUIT, Obstacle.BACKGROUND_OFF, Obstacle.APP_FAILED, None]))
    def availability(self, app: str, obstacle: Obstacle | None) -> None:
        if obstacle is None:
            self.world.blocked.pop(app, None)
        else:
            self.world.blocked[app] = obstacle
        self.tell(ev.AvailabilityChanged(app))

    @rule(app=apps)
    def to_front_or_back(self, app: str) -> None:
        if app in self.world.front:
            self.world.front.discard(app)
            self.tell(ev.LeftForeground(app))
        else:
            self.world.waking.discard(app)
            fresh = app not in self.world.awake
            self.world.awake.add(app)
            if fresh:
                self.tell(self.hello(app), ev.Awake(app, WakeReason.OPENED, fresh=True))
            self.world.front.add(app)
            self.tell(ev.CameForeground(app))

    def hello(self, app: str) -> ev.Connected:
        runs = tuple(sub.run for sub in self.of_app(app) if sub.run and sub.given)
        return ev.Connected(app, 1, 1, "run", launched=True, foreground=False, runs=runs)

    @precondition(lambda self: self.world.waking)
    @rule()
    def comes_up(self) -> None:
        app = min(self.world.waking)
        self.world.waking.discard(app)
        self.world.awake.add(app)
        self.tell(self.hello(app), ev.Awake(app, WakeReason.SCHEDULED, fresh=True))

    @precondition(lambda self: any(sub.given for line in self.lines.values() for sub in line))
    @rule(success=flags)
    def complete(self, success: bool) -> None:
        app, sub = next((key[0], sub) for key, line in self.lines.items() for sub in line if sub.given)
        run = sub.run
        self.over(app, sub, success=success)
        self.tell(ev.RunCompleted(app, run, success))

    @rule(app=apps)
    def crashes(self, app: str) -> None:
        if app in self.world.awake | self.world.waking:
            self.tell(self.ending(app, StopReason.CRASHED))

    @rule(ahead=st.sampled_from([0.0, -1000.0, 1000.0]))
    def wall_clock_is_set(self, ahead: float) -> None:
        self.ahead = ahead
        self.tell(ev.WallClock(ahead, 0.0))

    @rule(seconds=st.sampled_from([1.0, 20.0, 300.0, 3000.0]))
    def time_passes(self, seconds: float) -> None:
        until = self.now + seconds
        turns = 0
        while (at := self.scheduler.next_wake()) is not None and at <= until:
            turns = 0 if at > self.now else turns + 1
            assert turns < 3, "it asks for the same moment again and again"
            self.now = max(self.now, at)
            self.passing = True
            self.tell(ev.TimePassed())
            self.passing = False
        self.now = until
        self.check()

    @rule()
    def desk_dies(self) -> None:
        waiting = {app: self.scheduler.explain(app, self.now) for app in APPS}
        wake = self.scheduler.next_wake()
        self.scheduler = self.new_scheduler()
        for key, value in self.saved.items():
            self.scheduler.restore(key, value)
        self.tell(ev.WallClock(self.ahead, 0.0), *(ev.AppAdded(self.world.manifest(app)) for app in APPS))
        self.tell(ev.DeskStarted(), *(self.hello(app) for app in sorted(self.world.awake)))
        if not any(sub.run for line in self.lines.values() for sub in line):
            assert {app: self.scheduler.explain(app, self.now) for app in APPS} == waiting
            assert self.scheduler.next_wake() == wake

    # --- what must hold -------------------------------------------------------------------------------------------

    @invariant()
    def check(self) -> None:
        for app in APPS:
            mine = [
                (sub.task.identifier, TaskState.RUNNING if sub.run else TaskState.PENDING, sub.attempt)
                for sub in self.of_app(app)
            ]
            theirs = [(task.request.identifier, task.state, task.attempt) for task in self.scheduler.pending(app)]
            assert sorted(mine) == sorted(theirs)
            for explained in self.scheduler.explain(app, self.now):
                assert explained.state is TaskState.RUNNING or explained.reasons, "it waits for no reason (S16)"
        moments = []
        for app, sub in self.waiting():
            assert self.due(app, sub) > self.now, "nothing holds it up and it was not launched"
            moments.append(self.due(app, sub))
        wake = self.scheduler._launching.next_wake()
        assert wake == min(moments, default=None), "it wakes up for nothing, or sleeps through a moment"


SchedulerAndModel.TestCase.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
TestSchedulerAndModel = SchedulerAndModel.TestCase
