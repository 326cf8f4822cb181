"""The desk's core with pretended shells: store, processes, pages and sockets are plain values, the clock is a number.

After every batch the driver checks what must always hold (``check``), so each test of the core proves it too.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.dispatcher import Dispatcher
from frontdesk.agent.core.life.life import Life
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.setup import Setup
from frontdesk.terms import (
    AppState,
    AppStatus,
    Condition,
    ExistingWork,
    Manifest,
    Notification,
    Obstacle,
    PushKind,
    Receipt,
    StopReason,
    TaskReceipt,
    TaskRequest,
    TaskState,
    Verdict,
)
from frontdesk.wire import desk as wire

S = AppState
E = TypeVar("E", bound=do.Effect)
T0 = 1_700_000_000.0
"""When every test begins; whole seconds, so that sums with halves and quarters are exact."""

NOTES = Manifest("org.example.notes", "Notes", ("notes",), page=True, background=("push",))
MAIL = Manifest("org.example.mail", "Mail", ("mail",), page=True, background=("push",))
CLOCK = Manifest("org.example.clock", "Clock", ("clock",))
FALLBACK = Notification("fallback", "Something new")

TABLE = {
    (S.STOPPED, S.LAUNCHING),
    (S.LAUNCHING, S.BACKGROUND),
    (S.LAUNCHING, S.STOPPED),
    (S.BACKGROUND, S.FOREGROUND),
    (S.BACKGROUND, S.SUSPENDED),
    (S.BACKGROUND, S.STOPPED),
    (S.FOREGROUND, S.BACKGROUND),
    (S.FOREGROUND, S.STOPPED),
    (S.SUSPENDED, S.BACKGROUND),
    (S.SUSPENDED, S.STOPPED),
}
"""Every move of contract L02, written down a second time: the tests do not ask the code what it allows."""


@dataclass
class Process:
    """One run of an app. ``holding``: pushes it was given and has not heard to be kept; ``runs``: scheduled tasks."""

    pid: int
    started: int
    child: bool = True
    frozen: bool = False
    connected: bool = False
    foreground: bool = False
    must_hear_resumed: bool = False
    inbox: list[wire.ToApp] = field(default_factory=list)
    holding: list[str] = field(default_factory=list)
    runs: dict[str, wire.TaskRun] = field(default_factory=dict)
    tasks: dict[int, str] = field(default_factory=dict)

    @property
    def run(self) -> str:
        return f"run-{self.pid}"


class Listener:
    """A machine beside the others that asks whether apps may be launched unseen when it is told of a change, only."""

    def __init__(self) -> None:
        self.heard: dict[str, tuple[Obstacle, float | None] | None] = {}
        self.ask: Callable[[str, float], tuple[Obstacle, float | None] | None] = lambda app, now: None

    def handle(self, happened: ev.Event | ev.Signal, now: float) -> list[do.Effect | ev.Signal]:
        if isinstance(happened, ev.AvailabilityChanged):
            self.heard[happened.app] = self.ask(happened.app, now)
        return []

    def next_wake(self) -> float | None:
        return None

    def saves(self) -> list[do.Effect]:
        return []


class Driver:
    """Feeds events, keeps what is saved, pretends what the shells would do.

    ``at_once``: a launch has its process and a kill its exit before the next event; else the test says when
    (``answer_launch``, ``reap``). ``plausible``: events only say what real shells could say, so that processes and
    states can be compared; off for tests that send nonsense.
    """

    def __init__(
        self,
        *manifests: Manifest,
        limits: Limits | None = None,
        background_off: frozenset[str] = frozenset(),
        push_service_set: bool = True,
        memory: dict[str, int] | None = None,
        at_once: bool = True,
        plausible: bool = True,
    ) -> None:
        self.limits = limits or Limits()
        self.at_once = at_once
        self.plausible = plausible
        self.now = T0
        self.saved: dict[tuple[str, str], bytes] = {}
        self.manifests: dict[str, Manifest] = {}
        self.receipts: list[Receipt] = []
        self.task_receipts: list[TaskReceipt] = []
        self.processes: dict[str, Process] = {}
        self.launching: dict[str, str] = {}
        self.dying: dict[str, Process] = {}
        self.watched: set[str] = set()
        self.shown: list[tuple[str, Notification]] = []
        self.effects: list[do.Effect] = []
        self.moves: list[tuple[str, AppState, AppState]] = []
        self.given: Counter[tuple[int, str]] = Counter()
        self._background_off = background_off
        self._push_service_set = push_service_set
        self._memory = memory
        self._ids = 0
        self._versions = 0
        self.desk = self._new_desk()
        self.handle(*(ev.AppAdded(manifest) for manifest in manifests), ev.DeskStarted())

    # --- feeding --------------------------------------------------------------------------------------------------

    def handle(self, *happened: ev.Event) -> list[do.Effect]:
        """One batch: decided, committed, carried out, checked. Returns its effects, and those of what shells answer."""
        effects = list(self._decide(happened))
        self._commit(effects)
        for effect in effects:
            self._carry_out(effect)
        self._check(happened, effects)
        while self.at_once and (self.launching or self.dying):
            if self.launching:
                effects += self.answer_launch(next(iter(self.launching)))
            else:
                effects += self.reap(next(iter(self.dying)))
        return effects

    def pass_time(self, seconds: float) -> list[do.Effect]:
        """Let the clock run, with ``TimePassed`` whenever the core asked for it; returns all effects on the way."""
        until = self.now + seconds
        effects: list[do.Effect] = []
        turns = 0
        while (at := self.desk.next_wake()) is not None and at <= until:
            turns = 0 if at > self.now else turns + 1
            assert turns <= 50, f"the core asks for {at} again and again"
            self.now = max(self.now, at)
            effects += self.handle(ev.TimePassed())
        self.now = until
        return effects

    def machine_sleeps(self, seconds: float) -> list[do.Effect]:
        """The clock of the desk goes on meanwhile; whoever is frozen by it, apps and desk, did nothing."""
        effects = self.handle(ev.SleepComing())
        self.now += seconds
        return effects + self.handle(ev.MachineSlept(seconds), ev.TimePassed())

    def desk_dies(
        self,
        *while_handling: ev.Event,
        committed: bool = True,
        background_off: frozenset[str] = frozenset(),
        conditions: dict[Condition, str] | None = None,
    ) -> list[do.Effect]:
        """SIGKILL for the desk, perhaps in the middle of a batch, before or after its commit; then the next one.

        ``background_off``: what its settings have off in addition. ``conditions``: what it finds before it starts.
        """
        self._background_off |= background_off
        if while_handling:
            effects = self._decide(while_handling)
            for event in while_handling:
                self._remember_registry(event)
            if committed:
                self._commit(effects)
        self.watched.clear()
        self.launching.clear()
        # Killed, but not gone yet: the next desk finds them alive.
        killed, self.dying = self.dying, {}
        self.processes = killed | self.processes
        for process in self.processes.values():
            process.connected = False
        self.desk = self._new_desk()
        for (machine, key), value in self.saved.items():
            self.desk.restore(machine, key, value)
        found: list[ev.Event] = []
        for app, process in list(self.processes.items()):
            life = self.desk.lifecycle.life(app)
            of_another_run = life is not None and killed.get(app) is process and life.pid != process.pid
            if life is not None and (life.state is S.STOPPED or of_another_run):
                # The shell ends what the desk knows nothing of.
                self.dying[app] = self.processes.pop(app)
                continue
            if life is not None and not life.pid:
                found.append(ev.Launched(app, life.token, process.pid, process.started))
            found.append(ev.Survived(app, process.child))
        added = [ev.AppAdded(manifest) for manifest in self.manifests.values()]
        seen = [ev.ConditionSeen(condition, value, "test") for condition, value in (conditions or {}).items()]
        effects = self.handle(*seen, *added, *found, ev.DeskStarted())
        for app, process in self.processes.items():
            life = self.desk.lifecycle.life(app)
            if life is not None and life.slept_from is None:
                # A desk that died between saving a thaw and saying so leaves this one Resumed unsaid.
                process.must_hear_resumed = False
        return effects

    # --- what shells say ------------------------------------------------------------------------------------------

    def answer_launch(self, app: str, *, fails: bool = False) -> list[do.Effect]:
        token = self.launching.pop(app)
        if fails:
            return self.handle(ev.LaunchFailed(app, token, "no such program"))
        process = self.processes[app] = self._new_process()
        return self.handle(ev.Launched(app, token, process.pid, process.started))

    def register_again(self, app: str) -> None:
        """Removed and added in one moment; a launch that was under way is answered afterwards."""
        token = self.launching.pop(app, "")
        self.handle(ev.AppRemoved(app), ev.AppAdded(self.manifests[app]))
        if token:
            process = self._new_process()
            (kill,) = of_type(do.Kill, self.handle(ev.Launched(app, token, process.pid, process.started)))
            assert kill.process.pid == process.pid, "a process that nobody wants lives on"

    def reap(self, app: str) -> list[do.Effect]:
        """A killed process is gone now."""
        process, now = self.dying.pop(app), self.processes.get(app)
        # The end of a connection that another has taken the place of is nobody's news.
        gone = [] if now is not None and now.connected else [ev.Disconnected(app)]
        return self.handle(*gone, ev.Exited(app, process.pid, -9))

    def connect(self, app: str, *, foreground: bool | None = None) -> list[do.Effect]:
        """The app's process says hello, with the tasks and pushes it has."""
        process = self.processes[app]
        assert not process.frozen, "a frozen process says nothing"
        process.connected = True
        if foreground is not None:
            process.foreground = foreground
        hello = ev.Connected(
            app,
            process.pid,
            process.started,
            process.run,
            launched=True,
            foreground=process.foreground,
            tasks=tuple(wire.OpenTask(task, name) for task, name in process.tasks.items()),
            pushes=tuple(process.holding),
            runs=tuple(process.runs),
        )
        return self.handle(hello)

    def start_by_hand(self, app: str, *, foreground: bool = False) -> list[do.Effect]:
        self.processes[app] = self._new_process()
        self.processes[app].child = False
        return self.connect(app, foreground=foreground)

    def exit(self, app: str, status: int | None) -> list[do.Effect]:
        """The process ends by itself."""
        process = self.processes.pop(app)
        gone = [ev.Disconnected(app)] if process.connected else []
        return self.handle(*gone, ev.Exited(app, process.pid, status))

    def drop_connection(self, app: str) -> list[do.Effect]:
        self.processes[app].connected = False
        return self.handle(ev.Disconnected(app))

    # --- what people and apps do ----------------------------------------------------------------------------------

    def open(self, app: str) -> list[do.Effect]:
        """The person opens it and it comes to the front, launched if need be."""
        effects = self.handle(ev.OpenAsked(app))
        if not self.processes[app].connected:
            effects += self.connect(app)
        return effects + self.to_front(app)

    def to_front(self, app: str) -> list[do.Effect]:
        self.processes[app].foreground = True
        return self.handle(ev.WentForeground(app))

    def close(self, app: str) -> list[do.Effect]:
        """The window is gone; the app has not answered yet."""
        self.processes[app].foreground = False
        return self.handle(ev.WentBackground(app))

    def ready(self, app: str) -> list[do.Effect]:
        asked = [each for each in self.processes[app].inbox if isinstance(each, wire.EnteredBackground)]
        return self.handle(ev.SaidReady(app, asked[-1].transition))

    def sleep(self, app: str) -> list[do.Effect]:
        """Closed and ready."""
        return self.close(app) + self.ready(app)

    def begin(self, app: str, task: int, name: str = "send") -> list[do.Effect]:
        self.processes[app].tasks[task] = name
        return self.handle(ev.TaskBegun(app, task, name))

    def end(self, app: str, task: int) -> list[do.Effect]:
        self.processes[app].tasks.pop(task, None)
        return self.handle(ev.TaskEnded(app, task))

    def subscribe(
        self,
        app: str,
        name: str = "news",
        kind: PushKind = PushKind.CHANGEABLE_ALERT,
        fallback: Notification | None = FALLBACK,
    ) -> list[do.Effect]:
        """Asked for and given its endpoint."""
        channel = channel_of(app, name)
        asked = ev.SubscribeAsked(app, 1, 1, name, kind, fallback, channel, "private", "p256dh", "auth")
        return self.handle(asked) + self.handle(ev.ChannelRegistered(channel, f"https://push.example/{channel}"))

    def push(
        self, app: str, data: bytes = b"{}", name: str = "news", ttl: float | None = None, version: str = ""
    ) -> list[do.Effect]:
        self._versions += 1
        return self.handle(ev.PushArrived(channel_of(app, name), version or f"v{self._versions}", data, ttl))

    def answer(
        self,
        app: str,
        push: str,
        verdict: Verdict = Verdict.SHOW_NOTHING,
        notification: Notification | None = None,
    ) -> list[do.Effect]:
        return self.handle(ev.PushAnswered(app, push, verdict, notification))

    def submit(self, app: str, task: TaskRequest, existing: ExistingWork = ExistingWork.REPLACE) -> list[do.Effect]:
        return self.handle(ev.SubmitAsked(app, 1, 1, task, existing))

    def complete(self, app: str, identifier: str, *, success: bool = True) -> list[do.Effect]:
        """The app is done with the scheduled task that it works on."""
        (run,) = [run.run for run in self.processes[app].runs.values() if run.identifier == identifier]
        return self.handle(ev.RunCompleted(app, run, success))

    def is_now(self, condition: Condition, value: str) -> list[do.Effect]:
        """A source tells it."""
        return self.handle(ev.ConditionSeen(condition, value, "test"))

    # --- looking at it --------------------------------------------------------------------------------------------

    def status(self, app: str) -> AppStatus:
        return next(row for row in self.desk.statuses(self.now) if row.app == app)

    def state(self, app: str) -> AppState:
        return self.status(app).state

    def pushes(self, app: str) -> list[wire.Push]:
        """What this run of the app was given."""
        return [each for each in self.processes[app].inbox if isinstance(each, wire.Push)]

    def at_work(self, app: str) -> list[str]:
        """Scheduled tasks that the app was given and that are not kept as completed."""
        process = self.processes.get(app)
        return [run.identifier for run in process.runs.values()] if process is not None else []

    def in_the_way(self, app: str, identifier: str) -> list[Obstacle]:
        """What keeps the pending task from running, as it is explained."""
        explained = [each for each in self.desk.explain(identifier, self.now) if each.app == app]
        return [reason.obstacle for reason in explained[-1].reasons]

    def reasons(self, app: str) -> list[StopReason]:
        return [receipt.reason for receipt in self.receipts if receipt.app == app]

    def titles(self) -> list[str]:
        return [notification.title for _, notification in self.shown]

    # --- the pretended shells -------------------------------------------------------------------------------------

    def _decide(self, happened: tuple[ev.Event, ...]) -> list[do.Effect]:
        effects = self.desk.handle(happened, self.now)
        self.effects += effects
        return effects

    def _commit(self, effects: list[do.Effect]) -> None:
        for effect in effects:
            if isinstance(effect, do.Save):
                if effect.value is None:
                    self.saved.pop((effect.machine, effect.key), None)
                else:
                    self.saved[effect.machine, effect.key] = effect.value
            elif isinstance(effect, do.KeepReceipt):
                self.receipts.append(effect.receipt)
            elif isinstance(effect, do.KeepTaskReceipt):
                self.task_receipts.append(effect.receipt)

    def _carry_out(self, effect: do.Effect) -> None:
        match effect:
            case do.Launch(app=app, token=token):
                assert app not in self.processes or not self.plausible, "two processes of one app"
                self.launching[app] = token
            case do.Kill(app=app, process=meant) if self._is(app, meant):
                self.dying[app] = self.processes.pop(app)
            case do.Freeze(app=app, process=meant) if self._is(app, meant):
                self.processes[app].frozen = True
            case do.Thaw(app=app, process=meant) if self._is(app, meant):
                process = self.processes[app]
                process.must_hear_resumed = process.must_hear_resumed or process.frozen
                process.frozen = False
            case do.Send(app=app, message=message) if app in self.processes:
                self._deliver(self.processes[app], message)
            case do.WatchPage(app=app, on=on):
                (self.watched.add if on else self.watched.discard)(app)
            case do.Show(app=app, notification=notification):
                self.shown.append((app, notification))

    def _is(self, app: str, meant: do.Process) -> bool:
        process = self.processes.get(app)
        return process is not None and (process.pid, process.started) == (meant.pid, meant.started)

    def _deliver(self, process: Process, message: wire.ToApp) -> None:
        if not process.connected:
            return
        process.inbox.append(message)
        match message:
            case wire.Resumed():
                process.must_hear_resumed = False
            case wire.Push(push=push):
                self.given[process.pid, push] += 1
                process.holding.append(push)
                assert not process.must_hear_resumed, "a push before Resumed (L13)"
            case wire.Open() | wire.Pressed():
                assert not process.must_hear_resumed, "what woke it came before Resumed (L13)"
            case wire.PushKept(push=push) if push in process.holding:
                process.holding.remove(push)
            case wire.RunTasks(runs=runs):
                assert not process.must_hear_resumed, "what woke it came before Resumed (L13)"
                assert not process.runs.keys() & {run.run for run in runs}, "a run was given twice to one process"
                process.runs |= {run.run: run for run in runs}
            case wire.RunKept(run=run):
                process.runs.pop(run, None)

    def _new_process(self) -> Process:
        self._ids += 1
        return Process(pid=1000 + self._ids, started=self._ids)

    def _new_id(self) -> str:
        self._ids += 1
        return f"id-{self._ids}"

    def _new_desk(self) -> Dispatcher:
        off = tuple(sorted(self._background_off))
        desk = Dispatcher(Setup(self.limits, "1.2.3", off, self._push_service_set, self._memory or {}), self._new_id)
        self.listener = Listener()
        self.listener.ask = desk.lifecycle.not_launchable
        setattr(desk, "_machines", (*desk._machines, self.listener))  # noqa: B010 (as below)
        lives = desk.lifecycle._lives
        move = lives.move

        def recorded_move(life: Life, to: AppState, now: float) -> None:
            self.moves.append((life.app, life.state, to))
            move(life, to, now)

        setattr(lives, "move", recorded_move)  # noqa: B010 (an assignment is what mypy forbids)
        return desk

    def _remember_registry(self, event: ev.Event) -> None:
        match event:
            case ev.AppAdded(manifest=manifest):
                self.manifests[manifest.id] = manifest
            case ev.AppRemoved(app=app):
                self.manifests.pop(app, None)

    # --- what must always hold ------------------------------------------------------------------------------------

    def _check(self, happened: tuple[ev.Event, ...], effects: list[do.Effect]) -> None:
        for event in happened:
            self._remember_registry(event)
        for _, before, after in self.moves:
            assert (before, after) in TABLE, f"a move that is not in the table: {before} → {after} (L02)"
        arrived = Counter((event.channel, event.version) for event in happened if isinstance(event, ev.PushArrived))
        acked = Counter((effect.channel, effect.version) for effect in effects if isinstance(effect, do.AckPush))
        assert arrived == acked, "every push that arrives is acknowledged, once (P09)"
        assert max(self.given.values(), default=0) <= 1, "a push was given twice to one run (P09)"
        for task in self.desk.explain("all", self.now):
            assert task.reasons or task.state is TaskState.RUNNING, f"{task.identifier} waits for no reason (S16)"
        for row in self.desk.statuses(self.now):
            self._check_awake(row, effects)
            self._check_spans(row)
            self._check_availability(row)
            if self.plausible:
                self._check_process(row)
        if any(isinstance(event, ev.TimePassed) for event in happened):
            at = self.desk.next_wake()
            assert at is None or at > self.now, "asked for a moment that has just been"

    def _check_awake(self, row: AppStatus, effects: list[do.Effect]) -> None:
        life = self.desk.lifecycle.life(row.app)
        assert life is not None
        leaving = life.ending is not None or self.desk.lifecycle._lives.moments[row.app].quit_by is not None
        if row.state is S.BACKGROUND and self.desk.lifecycle.is_connected(row.app) and not leaving:
            assert row.holds, "in the background, nothing holds it, and it still runs (L01, A02)"
            assert row.seconds_left is not None or not self.plausible, "in the background without a limit (A03)"
        if row.state is S.SUSPENDED:
            assert self.desk.assertions.seconds_left(row.app, self.now) is None, "it sleeps and its time runs"
            if row.app in apps_of(do.Freeze, effects):
                assert not self.desk.assertions.open_tasks(row.app), "frozen with an open task (A01)"

    def _check_availability(self, row: AppStatus) -> None:
        """Whoever listens to ``AvailabilityChanged`` knows it as well as the lifecycle does."""
        if (at := self.desk.next_wake()) is None or at > self.now:
            stands = self.desk.lifecycle.not_launchable(row.app, self.now)
            assert self.listener.heard.get(row.app) == stands, f"nobody was told that it is {stands} now"

    def _check_spans(self, row: AppStatus) -> None:
        """The time line has neither gap nor overlap, over the desk's death too, and ends in what is true now."""
        spans = [span for span in self.desk.history.spans() if span.app == row.app]
        assert [(span.state, span.since, span.until) for span in spans[-1:]] == [(row.state, row.since, None)]
        for before, after in pairwise(spans):
            assert before.until == after.since > before.since

    def _check_process(self, row: AppStatus) -> None:
        """Effects and states say the same: who is suspended is frozen, who is not runs (L01, L06)."""
        life = self.desk.lifecycle.life(row.app)
        process = self.processes.get(row.app)
        if life is None or life.ending is not None or process is None:
            return
        assert process.frozen == (row.state is S.SUSPENDED), f"{row.state}, but frozen is {process.frozen}"
        if self.manifests[row.app].page:
            assert (row.app in self.watched) == (row.state is S.SUSPENDED), f"{row.state}, page watched or not (L11)"


def in_front(*, limits: Limits | None = None) -> Driver:
    """Two apps, the first of them open."""
    driver = Driver(NOTES, MAIL, limits=limits)
    driver.open(NOTES.id)
    return driver


def asleep() -> Driver:
    """Two apps, the first of them suspended, with what it heard before forgotten."""
    driver = in_front()
    driver.sleep(NOTES.id)
    assert driver.state(NOTES.id) is S.SUSPENDED
    driver.processes[NOTES.id].inbox.clear()
    return driver


def launches(effects: list[do.Effect]) -> list[str]:
    return [effect.app for effect in of_type(do.Launch, effects)]


def messages(driver: Driver, app: str = NOTES.id) -> list[type]:
    return [type(each) for each in driver.processes[app].inbox]


def channel_of(app: str, name: str = "news") -> str:
    return f"{app}/{name}"


def of_type(kind: type[E], effects: list[do.Effect]) -> list[E]:
    return [effect for effect in effects if isinstance(effect, kind)]


def apps_of(kind: type[do.Freeze] | type[do.Thaw] | type[do.Kill], effects: list[do.Effect]) -> list[str]:
    return [effect.app for effect in effects if isinstance(effect, kind)]
