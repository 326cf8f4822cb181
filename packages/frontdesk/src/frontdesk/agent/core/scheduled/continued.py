"""Continued tasks: work that a person began in an app and that goes on without its window (contract S18).

Submitted from the foreground, it runs at once, or waits for a place. It has no time limit but one: an app that tells of
nothing new for ``stalled`` seconds is told to come to an end. It ends early as well when the person cancels it (the
button of its notification), quits the app or switches background running off. Conditions of the machine do not touch
it, nor does the limit of processor time: the person wants it (L08, L12). ``continued_work`` has the stages and the
moves between them, ``continued_places`` who runs and who waits, ``continued_showing`` what the person sees,
``continued_ending`` how a run comes to its end.

An app that dies over such work has lost what only it knew: the run is reported, to the person and in a receipt, and
not begun again by itself (L07). One that the app had not got yet is tried again. After the desk's own death runs go on
where they are, and the time without news begins anew.
"""

from collections.abc import Callable

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.scheduled.continued_ending import HOLD, Ending
from frontdesk.agent.core.scheduled.continued_places import MACHINE, Places
from frontdesk.agent.core.scheduled.continued_showing import EVERY, Showing
from frontdesk.agent.core.scheduled.continued_work import Stage, Work
from frontdesk.agent.core.scheduled.permission import declared, refusal
from frontdesk.agent.core.scheduled.progress_notice import CANCEL, run_of
from frontdesk.terms import (
    ContinuedTask,
    ExistingWork,
    Explanation,
    Manifest,
    Obstacle,
    PendingTask,
    Reason,
    Receipt,
    Refusal,
    StopReason,
    Strategy,
    TaskEnd,
    WakeReason,
)
from frontdesk.wire import desk as wire

__all__ = ["MACHINE", "Continued"]

Out = list[do.Effect | ev.Signal]

_CANCELLED = "It was cancelled while it ran."
_SWITCHED_OFF = "The app was quit, or its background running switched off. Begin it again in the app."
_SIMULATED = "It was expired by hand (frontdesk simulate expire)."

_NO_FAULT = frozenset({StopReason.LOGOUT, StopReason.MEMORY_PRESSURE, StopReason.SUSPENDED_LONG, StopReason.REPLACED})
"""Ends of an app that say nothing against a task that it had not got yet."""


class Continued:
    """The machine.

    ``new_id`` names runs; ``manifest(app)``, ``available(app)`` (the person lets it run in the background) and
    ``in_front(app)`` only look.
    """

    def __init__(
        self,
        limits: Limits,
        new_id: Callable[[], str],
        manifest: Callable[[str], Manifest | None],
        available: Callable[[str], bool],
        in_front: Callable[[str], bool],
    ) -> None:
        self._limits = limits
        self._new_id = new_id
        self._manifest = manifest
        self._available = available
        self._in_front = in_front
        self._places = Places(limits.continued_at_once)
        self._showing = Showing(self._places, in_front)
        self._ending = Ending(limits, self._places, self._showing, in_front)
        self._process: dict[str, str] = {}
        """Which process of each app is connected, by the name it gives itself."""
        self._cpu_free: set[str] = set()
        self._started = False
        """All is restored; places are given."""

    # --- the three calls ------------------------------------------------------------------------------------------

    def handle(self, happened: ev.Event | ev.Signal, now: float) -> Out:
        return self._handle(happened, now) + self._fill() + self._free_cpu()

    def next_wake(self) -> float | None:
        """When this machine wants ``TimePassed``: to look whether one has stalled or is overdue, or to show more."""
        moments: list[float] = []
        for run, work in self._places.runs.items():
            at, moment = self._places.progress[run], self._look_at(work)
            moments += [moment] if moment is not None else []
            moments += [at.shown_at + EVERY] if at.stale else []
        return min(moments, default=None)

    def saves(self) -> list[do.Effect]:
        """``Save`` for every task that has moved since the last call."""
        return self._places.saves()

    def restore(self, key: str, value: bytes) -> None:
        """Take back one task; all of them before ``DeskStarted``."""
        self._places.restore(value)

    # --- looking at it --------------------------------------------------------------------------------------------

    def pending(self, app: str) -> tuple[PendingTask, ...]:
        """What runs, then what waits, the oldest first (S13)."""
        return tuple(work.pending() for work in (*self._places.runs_of(app), *self._places.queued_of(app)))

    def owners(self, identifier: str, running: bool) -> list[str]:
        """Apps that have a task of this identifier running, or (else) waiting for a place."""
        if running:
            return sorted({work.app for work in self._places.runs.values() if work.identifier == identifier})
        return self._places.apps_waiting_with(identifier)

    def explain(self, app: str, now: float) -> tuple[Explanation, ...]:
        """Why each of the app's tasks does not run now, or how far it is (S16)."""
        progress = self._places.progress
        running = [work.explanation((), progress[work.run].fraction) for work in self._places.runs_of(app)]
        waiting = [work.explanation((self._in_the_way(work),), None) for work in self._places.queued_of(app)]
        return (*running, *waiting)

    def _in_the_way(self, work: Work) -> Reason:
        if self._places.has_run(work.app, work.identifier):
            return Reason(Obstacle.APP_BUSY, "the same task runs, and this one follows it", "running", "ended")
        most, taken = self._places.most, len(self._places.runs)
        text = f"as many continued tasks run as may at once: {taken} of {most}"
        return Reason(Obstacle.OTHERS_RUN, text, f"{taken} of {most} run", f"fewer than {most}")

    # --- what goes where ------------------------------------------------------------------------------------------

    def _handle(self, happened: ev.Event | ev.Signal, now: float) -> Out:
        match happened:
            case ev.TimePassed():
                return [out for work in list(self._places.runs.values()) for out in self._time_passed(work, now)]
            case ev.SubmitAsked(task=ContinuedTask() as task):
                return self._submit(happened, task, now)
            case ev.ProgressTold():
                return self._showing.told(happened, now)
            case ev.RunCompleted():
                return self._completed(happened, now)
            case ev.CancelAsked(app=app, identifiers=identifiers):
                return self._cancel(app, identifiers, now)
            case ev.Simulate():
                return self._simulate(happened, now)
            case ev.ActAsked(app=app, notification=notification, action=action) if action == CANCEL:
                work = self._places.runs.get(run_of(notification) or "")
                return self._ending.expire(work, TaskEnd.CANCELLED, _CANCELLED, now) if work and work.app == app else []
            case ev.DismissAsked(notification=notification) if run_of(notification) in self._places.runs:
                self._showing.dismissed(run_of(notification) or "")
            case ev.DeskStarted():
                return self._desk_started(now)
            case ev.MachineSlept(seconds=seconds):
                self._machine_slept(seconds)
            case ev.WallClock(whole_ahead=ahead):
                self._places.clock_set(ahead)
            case ev.BackgroundSwitched(on=False):
                off = [app for app in self._places.apps() if not self._available(app)]
                return [out for app in off for out in self._switched_off(app, now)]
            case _:
                return self._about_app(happened, now)
        return []

    def _about_app(self, happened: ev.Event | ev.Signal, now: float) -> Out:
        match happened:
            case ev.Connected(app=app):
                return self._connected(app, happened, now)
            case ev.Awake(app=app):
                return self._give(app, now)
            case ev.BoxOver(app=app):
                # The desk stood still over the moment at which more would have been given.
                return [*(self._hold(work) for work in self._places.runs_of(app)), *self._give_time(app, now)]
            case ev.CameForeground(app=app):
                return self._showing.came_foreground(app)
            case ev.LeftForeground(app=app):
                return [*self._give_time(app, now), *self._showing.left_foreground(app, now)]
            case ev.Ended(app=app, receipt=receipt):
                return self._ended(app, receipt, now)
            case ev.QuitAsked(app=app):
                out = self._switched_off(app, now)
                for work in self._places.runs_of(app):
                    # When it has to have left is the lifecycle's to say.
                    self._places.progress[work.run].due = None
                return out
            case ev.AppAdded(manifest=manifest) if self._started:
                return self._undeclared(manifest.id)
            case ev.AppRemoved(app=app):
                self._process.pop(app, None)
                return [
                    out
                    for work in (*self._places.runs_of(app), *self._places.queued_of(app))
                    for out in self._ending.gone(work)
                ]
        return []

    # --- asked for ------------------------------------------------------------------------------------------------

    def _submit(self, asked: ev.SubmitAsked, task: ContinuedTask, now: float) -> Out:
        done = do.Answer(asked.asker, wire.Done(asked.request))
        if self._places.was_submitted(asked.app, asked.submission):
            return [done]  # asked again: the desk that had kept it died over its answer
        before = self._places.queued(asked.app, task.identifier)
        no = self._refused(asked.app, task, before)
        if no is not None:
            return [do.Answer(asked.asker, wire.Refused(*no, request=asked.request))]
        if before is not None:
            if asked.existing is ExistingWork.REPLACE:
                # It keeps its place in the queue.
                before.request, before.submitted, before.submission = task, now, asked.submission
                self._places.changed(before)
            return [done]
        work = Work(self._new_id(), asked.app, task, now, submission=asked.submission)
        # If there is a place for it, it has it before this event is over.
        self._places.add(work)
        return [done, work.note("request_kept", f"{task.identifier} kept: {task.title}", task.kind)]

    def _refused(self, app: str, task: ContinuedTask, before: Work | None) -> tuple[Refusal, str] | None:
        if not task.title.strip():
            return Refusal.BAD_REQUEST, "A continued task needs a title: the person sees it. Nothing was changed."
        no = refusal(task, self._manifest(app), available=self._available(app))
        if no is not None:
            return no
        if not self._in_front(app):
            text = "A continued task is what a person has just asked for: submit it while the app is in front of them."
            return Refusal.NOT_IN_FOREGROUND, f"{text} Nothing was changed."
        if self._places.are_free and before is None and not self._places.has_run(app, task.identifier):
            return None
        if task.strategy is Strategy.FAIL:
            text = (
                "It runs already, or waits." if self._places.are_free else f"{self._places.most} continued tasks run."
            )
            return Refusal.CANNOT_START_NOW, f"{text} Try later, or let it wait with `queue`. Nothing was changed."
        if before is None and len(self._places.queued_of(app)) >= self._limits.pending_continued:
            text = f"{self._limits.pending_continued} continued tasks of this app wait already."
            return Refusal.TOO_MANY_PENDING_REQUESTS, f"{text} Cancel one, or wait. Nothing was changed."
        return None

    def _cancel(self, app: str, identifiers: frozenset[str], now: float) -> Out:
        waiting, running = (
            [work for work in works if not identifiers or work.identifier in identifiers]
            for works in (self._places.queued_of(app), self._places.runs_of(app))
        )
        out: Out = []
        for work in waiting:
            out += [*self._ending.gone(work), work.note("request_cancelled", f"{work.identifier} cancelled")]
        return out + [
            each for work in running for each in self._ending.expire(work, TaskEnd.CANCELLED, _CANCELLED, now)
        ]

    def _simulate(self, asked: ev.Simulate, now: float) -> Out:
        if not asked.expire:
            work = self._places.queued(asked.app, asked.identifier)
            return self._start(work) if work is not None else []
        running = [work for work in self._places.runs_of(asked.app) if work.identifier == asked.identifier]
        return [out for work in running for out in self._ending.expire(work, TaskEnd.SIMULATED, _SIMULATED, now)]

    def _undeclared(self, app: str) -> Out:
        """Registered with another manifest, or not any more: what that does not declare waits no longer (S01)."""
        manifest = self._manifest(app)
        works = self._places.queued_of(app)
        if manifest is None:
            works += self._places.runs_of(app)
        out: Out = []
        for work in works:
            if manifest is None or not declared(work.identifier, work.request.kind, manifest):
                text = f"{work.identifier} dropped: the manifest does not declare it any more"
                out += [*self._ending.gone(work), work.note("request_cancelled", text)]
        return out

    def _switched_off(self, app: str, now: float) -> Out:
        """Nothing of this app may go on, and nothing of it waits any longer."""
        out: Out = []
        for work in self._places.queued_of(app):
            out += self._ending.over(work, TaskEnd.SWITCHED_OFF, _SWITCHED_OFF, now)
        for work in self._places.runs_of(app):
            out += self._ending.expire(work, TaskEnd.SWITCHED_OFF, _SWITCHED_OFF, now)
        return out

    # --- beginning ------------------------------------------------------------------------------------------------

    def _fill(self) -> Out:
        """Give free places to those that wait."""
        return [out for work in self._places.to_start() for out in self._start(work)] if self._started else []

    def _start(self, work: Work) -> Out:
        self._places.move(work, Stage.STARTING)
        return self._reach(work)

    def _reach(self, work: Work) -> Out:
        return [self._hold(work), ev.Wake(work.app, WakeReason.SCHEDULED)]

    def _hold(self, work: Work) -> ev.Signal:
        return ev.HoldOn(work.app, HOLD, work.run, work.request.title)

    def _give(self, app: str, now: float) -> Out:
        """The app can be reached: what is to start there starts."""
        starting = [work for work in self._places.runs_of(app) if work.stage is Stage.STARTING]
        if not starting:
            return []
        out: Out = [do.SendKept(app, wire.RunTasks(tuple(work.delivery() for work in starting), None))]
        for work in starting:
            self._places.move(work, Stage.RUNNING)
            work.process, work.began = self._process.get(app, ""), now
            self._time_begins(work, now)
            out.append(work.note("run_begun", f"{work.identifier} runs: {work.request.title}", work.request.kind))
        return [*out, *self._give_time(app, now), *self._showing.begun(app, now)]

    def _connected(self, app: str, hello: ev.Connected, now: float) -> Out:
        """An app that connects again brings the runs it has; what got lost on the way it is given again."""
        self._process[app] = hello.run
        out: Out = []
        for work in [work for work in self._places.runs_of(app) if work.process == hello.run]:
            brought = work.run in hello.runs
            if brought:
                out.append(self._hold(work))
            if work.stage is Stage.RUNNING and brought:
                self._time_begins(work, now)
            elif work.stage is Stage.RUNNING:
                self._places.move(work, Stage.STARTING)
                out.append(self._hold(work))
            elif work.stage is Stage.ENDING and brought:
                out += self._ending.tell_to_end(work, now)
            elif work.stage is Stage.ENDING:
                out += self._ending.expired(work, now)
        return out + self._give_time(app, now)

    def _desk_started(self, now: float) -> Out:
        """From now on places are given; who was being reached is reached again, and who runs may take its time anew."""
        self._started = True
        self._places.all_restored(now)
        out = [gone for app in self._places.apps() for gone in self._undeclared(app)]
        off = [app for app in self._places.apps() if not self._available(app)]
        out += [each for app in off for each in self._switched_off(app, now)]
        for work in self._places.runs.values():
            if work.stage is Stage.STARTING:
                out += self._reach(work)
            else:
                self._time_begins(work, now)
        return out

    def _free_cpu(self) -> Out:
        """All processor time is an app's own while it works on what a person has begun and watches (L08)."""
        at_work = (Stage.RUNNING, Stage.ENDING)
        free = {work.app for work in self._places.runs.values() if work.stage in at_work}
        changed, self._cpu_free = sorted(free ^ self._cpu_free), free
        return [ev.FreeOfCpuLimit(app, HOLD, app in free) for app in changed]

    # --- time -----------------------------------------------------------------------------------------------------

    def _time_begins(self, work: Work, now: float) -> None:
        """As if the app had just told of something new; one that is to end has until then to connect again."""
        at = self._places.progress[work.run]
        at.new_at, at.look_at = now, now + self._limits.stalled
        at.due = at.look_at if work.stage is Stage.ENDING else None

    def _time_passed(self, work: Work, now: float) -> Out:
        at = self._places.progress[work.run]
        if work.stage is Stage.ENDING and at.due is not None and at.due <= now:
            return self._ending.overdue(work, now)
        out: Out = []
        if work.stage is Stage.RUNNING and at.look_at is not None and at.look_at <= now:
            at.look_at = at.new_at + self._limits.stalled
            if at.look_at <= now:
                text = f"It told of nothing new for {self._limits.stalled:g} s. Begin it again in the app."
                return self._ending.expire(work, TaskEnd.STALLED, text, now)
            out += self._give_time(work.app, now)
        return out + self._showing.catch_up(work, now)

    def _give_time(self, app: str, now: float) -> Out:
        """Background time until it is looked at next, and to come to an end then, for as long as anything runs.

        Twice that time, so that handlers of its background tasks are not called just before it is given more.
        """
        looks = [self._look_at(work) or now for work in self._places.runs_of(app)]
        return [ev.GiveTime(app, max(now, *looks) - now + 2 * self._limits.expiry_lead)] if looks else []

    def _look_at(self, work: Work) -> float | None:
        """When it is to be looked at next for its own sake."""
        at = self._places.progress[work.run]
        return {Stage.RUNNING: at.look_at, Stage.ENDING: at.due}.get(work.stage)

    def _machine_slept(self, seconds: float) -> None:
        """Nobody could make progress meanwhile."""
        for run, work in self._places.runs.items():
            at = self._places.progress[run]
            at.new_at += seconds
            at.look_at = at.look_at + seconds if at.look_at is not None else None
            at.due = at.due + seconds if at.due is not None else None
            if work.began is not None:
                work.began += seconds
                self._places.changed(work)

    # --- ends -----------------------------------------------------------------------------------------------------

    def _completed(self, completed: ev.RunCompleted, now: float) -> Out:
        work = self._places.runs.get(completed.run)
        if work is None or work.app != completed.app:
            return []
        kept = do.SendKept(work.app, wire.RunKept(work.run))
        if work.end is not None:
            return [kept, *self._ending.expired(work, now)]
        end = TaskEnd.COMPLETED if completed.success else TaskEnd.FAILED
        return [kept, *self._ending.gone(work), work.note("run_over", f"{work.identifier}: {end}", end)]

    def _ended(self, app: str, receipt: Receipt, now: float) -> Out:
        """The app has no process any more."""
        self._process.pop(app, None)
        at_fault = receipt.reason not in _NO_FAULT
        out: Out = []
        for work in self._places.runs_of(app):
            if work.end is not None:
                out += self._ending.expired(work, now)
            elif receipt.reason is StopReason.QUIT:
                out += self._ending.over(work, TaskEnd.SWITCHED_OFF, _SWITCHED_OFF, now)
            elif work.stage is Stage.STARTING and work.tries + at_fault < self._limits.task_tries:
                work.tries += at_fault
                self._places.changed(work)
                out += self._reach(work)
            else:
                text = f"The app ended in the middle of it ({receipt.reason.words}). Begin it again in the app."
                out += self._ending.over(work, TaskEnd.APP_ENDED, text, now)
        return out
