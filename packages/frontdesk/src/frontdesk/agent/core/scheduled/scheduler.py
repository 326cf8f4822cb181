"""When refresh and processing tasks run: kept when submitted, launched when nothing stands in their way (section S).

Theory of operation. A pending request is in one of two places. What it waits for is about its app (quit, switched off,
in front, still at work): then it is nowhere but in ``Requests``, and a signal about the app places it anew. Or it waits
for its moment: then it is in ``Waiting``, in the heap of its class. ``Launching.start`` launches what has become due in
classes whose conditions hold while places are free. So nothing is looked at that cannot have changed, and nothing asks
for a wake-up while conditions or places are what is missing. ``Reasons`` knows all that can stand in the way, ``Runs``
what runs, ``Outcome`` what becomes of a request whose run has ended.

To repeat, an app submits again, mostly from within the handler: such a request stands behind the run and starts after
it (S05). An app that dies over a run gets it again, ``task_tries`` times (L07).
"""

from collections.abc import Callable
from typing import Any

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.scheduled.launching import Launching
from frontdesk.agent.core.scheduled.obstacles import Known
from frontdesk.agent.core.scheduled.outcome import Outcome
from frontdesk.agent.core.scheduled.permission import declared, refusal
from frontdesk.agent.core.scheduled.reasons import Allowance, Apps, Reasons, Usual
from frontdesk.agent.core.scheduled.requests import KINDS, MACHINE, Request, Requests, Running
from frontdesk.agent.core.scheduled.runs import Runs, about
from frontdesk.terms import (
    AppState,
    ExistingWork,
    Explanation,
    Obstacle,
    PendingTask,
    Refusal,
    StopReason,
    TaskEnd,
    TaskKind,
)
from frontdesk.wire import desk as wire

__all__ = ["MACHINE", "Scheduler"]

Out = list[do.Effect | ev.Signal]


class Scheduler:
    """The machine. ``elsewhere(identifier, running)``: apps with a continued task of that name (S17)."""

    def __init__(
        self,
        limits: Limits,
        new_id: Callable[[], str],
        apps: Apps,
        conditions: Known,
        budgets: Allowance,
        habit: Usual,
        elsewhere: Callable[[str, bool], list[str]],
    ) -> None:
        self._limits = limits
        self._apps = apps
        self._elsewhere = elsewhere
        self._requests = Requests(limits)
        self._runs = Runs(limits, self._requests, lambda app: apps.state(app) is AppState.FOREGROUND)
        self._reasons = Reasons(limits, self._requests, self._runs, apps, conditions, budgets, habit)
        self._launching = Launching(limits, new_id, self._requests, self._runs, self._reasons, budgets, habit)
        self._outcome = Outcome(limits, self._requests, self._runs, self._launching)
        self._habit = habit
        self._clock = ev.WallClock(0.0, 0.0)
        self._day_ends = 0.0
        """Then budgets and habits are others, and with them the moments that requests wait for."""
        self._started = False
        """All is restored; launches begin."""
        self._stopped_before: set[str] = set()
        """Apps that had no process when the desk before died: nobody will tell of their end."""
        self._table = self._what_goes_where()

    # --- the three calls ------------------------------------------------------------------------------------------

    def handle(self, happened: ev.Event | ev.Signal, now: float) -> Out:
        act = self._table.get(type(happened))
        if act is None:
            return []
        out = act(happened, now)
        if not self._started:
            return out
        if now >= self._day_ends:
            self._launching.place_all(now, (TaskKind.REFRESH,))
            self._day_ends = self._habit.day_ends(now)
        return out + self._launching.start(now)

    def next_wake(self) -> float | None:
        """When this machine wants ``TimePassed``: a run's expiry, or the first request that nothing else holds up."""
        moments = [self._runs.next_wake()]
        if self._started:
            day_ends = self._day_ends if self._launching.next_of(TaskKind.REFRESH) is not None else None
            moments += [self._launching.next_wake(), day_ends]
        return min((moment for moment in moments if moment is not None), default=None)

    def saves(self) -> list[do.Effect]:
        """``Save`` for every request that has changed since the last call."""
        return self._requests.saves(self._reasons.ahead)

    def restore(self, key: str, value: bytes) -> None:
        """Take back one request; all of them before ``AppAdded`` and ``DeskStarted``."""
        self._requests.restore(value)

    def _what_goes_where(self) -> dict[type, Callable[[Any, float], Out]]:
        return {
            ev.DeskStarted: self._desk_started,
            ev.AppAdded: self._app_added,
            ev.AppRemoved: self._app_removed,
            ev.TimePassed: self._time_passed,
            ev.WallClock: self._wall_clock,
            ev.MachineSlept: self._machine_slept,
            ev.ConditionChanged: self._condition_changed,
            ev.AvailabilityChanged: self._availability_changed,
            ev.QuitAsked: lambda asked, now: self._switched_off(asked.app, now),
            ev.CameForeground: self._came_foreground,
            ev.LeftForeground: self._left_foreground,
            ev.Connected: self._connected,
            ev.Disconnected: self._disconnected,
            ev.Awake: lambda awake, now: self._launching.give(awake.app, now),
            ev.Unreached: lambda lost, now: self._outcome.app_ended(lost.app, StopReason.UNREACHABLE, now),
            ev.Ended: self._ended,
            ev.BoxOver: lambda over, now: self._runs.box_over(over.app, now),
            ev.SubmitAsked: self._submit,
            ev.CancelAsked: self._cancel,
            ev.RunCompleted: self._completed,
            ev.SimulateAsked: self._simulate_asked,
            ev.Simulate: self._simulate,
        }

    # --- looking at it --------------------------------------------------------------------------------------------

    def pending(self, app: str) -> tuple[PendingTask, ...]:
        """What the app has submitted and is not over yet, those that run included (S13)."""
        return tuple(request.pending() for request in self._requests.of_app(app))

    def explain(self, app: str, now: float) -> tuple[Explanation, ...]:
        """Why each of the app's requests does not run now (S16)."""
        return tuple(self._reasons.explain(request, now) for request in self._requests.of_app(app))

    # --- what apps ask --------------------------------------------------------------------------------------------

    def _submit(self, asked: ev.SubmitAsked, now: float) -> Out:
        task, app = asked.task, asked.app
        if task.kind not in KINDS:
            return []
        done = do.Answer(asked.asker, wire.Done(asked.request))
        if self._requests.was_submitted(app, task.identifier, asked.submission):
            return [done]  # asked again: the desk that had kept it died over its answer
        no = refusal(task, self._apps.manifest(app), available=self._apps.background_available(app))
        no = no or self._too_many(asked)
        if no is not None:
            return [do.Answer(asked.asker, wire.Refused(*no, request=asked.request))]
        line = self._requests.line(app, task.identifier)
        before = line[-1] if line and line[-1].run is None else None
        if before is not None and asked.existing is ExistingWork.KEEP:
            return [done]
        if before is not None:
            self._launching.forget(before)
        request = self._requests.add(app, task, now, asked.submission)
        self._launching.place(request, now)
        text = f"{task.kind} {task.identifier} {'replaced' if before is not None else 'submitted'}"
        note = do.Note(app, "request_kept", text, about=about(request), name=task.identifier, why=task.kind)
        return [done, note]

    def _too_many(self, asked: ev.SubmitAsked) -> tuple[Refusal, str] | None:
        kind, identifier = asked.task.kind, asked.task.identifier
        most = self._limits.pending_refresh if kind is TaskKind.REFRESH else self._limits.pending_processing
        pending = self._requests.identifiers_pending(asked.app, kind) - {identifier}
        if len(pending) < most:
            return None
        names = ", ".join(sorted(pending)[:3])
        text = (
            f"{len(pending)} {kind} requests are pending, {most} may be: cancel one first ({names}). Nothing changed."
        )
        return Refusal.TOO_MANY_PENDING_REQUESTS, text

    def _cancel(self, asked: ev.CancelAsked, now: float) -> Out:
        out: Out = [do.Answer(asked.asker, wire.Done(asked.request))]
        meant = [
            request
            for request in self._requests.of_app(asked.app)
            if not asked.identifiers or request.identifier in asked.identifiers
        ]
        for request in meant:
            if request.run is not None and request.run.began is not None:
                out += self._runs.expire([request], TaskEnd.CANCELLED, now)
                # Told to end for another reason before: cancelled all the same, so that it is not tried again.
                request.run.expired = TaskEnd.CANCELLED
                self._requests.changed(request)
                continue
            out += self._launching.forget(request)
            out.append(_cancelled(request, "cancelled"))
        self._launching.place_app(asked.app, now)
        return out

    def _completed(self, said: ev.RunCompleted, now: float) -> Out:
        out: Out = [do.SendKept(said.app, wire.RunKept(said.run))]
        running = self._requests.run(said.run)
        if running is None or running[0].app != said.app:
            return out
        request, run = running
        end = run.expired or (TaskEnd.COMPLETED if said.success else TaskEnd.FAILED)
        out += self._outcome.of(request, end, now, success=said.success)
        return out + self._undeclared(said.app)

    # --- apps -----------------------------------------------------------------------------------------------------

    def _app_added(self, added: ev.AppAdded, now: float) -> Out:
        """A manifest that no longer declares what is pending takes it away (S01)."""
        app = added.manifest.id
        if not self._started and self._apps.state(app) is AppState.STOPPED:
            self._stopped_before.add(app)
        return self._undeclared(app)

    def _undeclared(self, app: str) -> Out:
        manifest = self._apps.manifest(app)
        gone = [
            request
            for request in self._requests.of_app(app)
            if request.run is None and manifest and not declared(request.identifier, request.kind, manifest)
        ]
        for request in gone:
            self._launching.forget(request)
        return [_cancelled(request, "dropped: the manifest does not declare it any more") for request in gone]

    def _app_removed(self, removed: ev.AppRemoved, now: float) -> Out:
        return [out for request in self._requests.of_app(removed.app) for out in self._launching.forget(request)]

    def _ended(self, ended: ev.Ended, now: float) -> Out:
        return self._outcome.app_ended(ended.app, ended.receipt.reason, now) + self._undeclared(ended.app)

    def _connected(self, hello: ev.Connected, now: float) -> Out:
        out: Out = []
        for request, run in self._requests.running(hello.app):
            if run.expired is not None and run.id not in hello.runs:
                # It was to end before the app ever heard of it.
                out += self._outcome.of(request, run.expired, now)
        return out + self._runs.connected(hello.app, hello.runs, now)

    def _disconnected(self, gone: ev.Disconnected, now: float) -> Out:
        self._runs.disconnected(gone.app)
        return []

    def _came_foreground(self, came: ev.CameForeground, now: float) -> Out:
        self._launching.place_app(came.app, now)
        return []

    def _left_foreground(self, left: ev.LeftForeground, now: float) -> Out:
        self._launching.place_app(left.app, now)
        return self._runs.more_time(left.app, now)

    def _availability_changed(self, changed: ev.AvailabilityChanged, now: float) -> Out:
        stands = self._apps.not_launchable(changed.app, now)
        if stands is not None and stands[0] is Obstacle.BACKGROUND_OFF:
            return self._switched_off(changed.app, now)
        self._launching.place_app(changed.app, now)
        return []

    def _switched_off(self, app: str, now: float) -> Out:
        """The person quit the app, or does not let it run unseen: what runs ends, what pends stays (L04, L10)."""
        out = self._switch_off(self._requests.running(app), now)
        self._launching.place_app(app, now)
        return out

    def _switch_off(self, running: list[Running], now: float) -> Out:
        out: Out = []
        for request, run in running:
            if run.began is None:
                out += self._launching.take_back(request, now)
        return out + self._runs.expire([request for request, _ in running], TaskEnd.SWITCHED_OFF, now)

    # --- the machine, and time ------------------------------------------------------------------------------------

    def _desk_started(self, _: ev.DeskStarted, now: float) -> Out:
        self._requests.restored(now, self._reasons.ahead)
        self._runs.restored()
        self._started = True
        out: Out = []
        for app in sorted({request.app for request in self._requests}):
            if self._apps.manifest(app) is None:
                out += [gone for request in self._requests.of_app(app) for gone in self._launching.forget(request)]
                continue
            out += self._undeclared(app)
            if app in self._stopped_before:
                running = self._requests.running(app)
                out += [gone for each, _ in running for gone in self._launching.take_back(each, now)]
            if not self._apps.background_available(app):
                # Switched off in the settings since; what was launched by hand all the same goes on (S17).
                by_itself = [
                    (request, run)
                    for request, run in self._requests.running(app)
                    if Obstacle.BACKGROUND_OFF not in run.ignores
                ]
                out += self._switch_off(by_itself, now)
            self._launching.place_app(app, now)
        self._day_ends = self._habit.day_ends(now)
        # The machine may be another than when the desk before died.
        return out + self._end_without_conditions(now)

    def _time_passed(self, _: ev.TimePassed, now: float) -> Out:
        out, given_up = self._runs.time_passed(now)
        for request in given_up:
            if request.run is not None and request.run.expired is not None:
                out += self._outcome.of(request, request.run.expired, now)
        return out

    def _wall_clock(self, clock: ev.WallClock, now: float) -> Out:
        """Each ``earliest_begin`` is another moment by the desk's clock, and so is each that is saved (S07)."""
        moved = clock.whole_ahead != self._clock.whole_ahead
        self._clock, self._reasons.ahead = clock, clock.ahead
        if self._started:
            self._launching.place_all(now)
            self._day_ends = self._habit.day_ends(now)
        for request in self._requests if self._started and moved else ():
            self._requests.changed(request)
        return []

    def _machine_slept(self, slept: ev.MachineSlept, now: float) -> Out:
        self._runs.machine_slept(slept.seconds)
        return []

    def _condition_changed(self, _: ev.ConditionChanged, now: float) -> Out:
        """Open and close classes; what runs and requires what is lost comes to its end (S09, S10, L12)."""
        self._launching.conditions_changed()
        return self._end_without_conditions(now)

    def _end_without_conditions(self, now: float) -> Out:
        out: Out = []
        lost: dict[TaskEnd, list[Request]] = {TaskEnd.CONDITION_LOST: [], TaskEnd.IN_USE: []}
        for request, run in self._requests.running():
            stands = {reason.obstacle for reason in self._reasons.of_machine(request.task.requires)} - {*run.ignores}
            if stands and run.began is None:
                out += self._launching.take_back(request, now)
            elif stands and run.expired is None:
                run.lost = tuple(sorted(stands))
                only_use = stands == {Obstacle.MACHINE_IN_USE}
                lost[TaskEnd.IN_USE if only_use else TaskEnd.CONDITION_LOST].append(request)
        return out + [each for why, requests in lost.items() for each in self._runs.expire(requests, why, now)]

    # --- by hand --------------------------------------------------------------------------------------------------

    def _simulate_asked(self, asked: ev.SimulateAsked, now: float) -> Out:
        """Settle which app is meant, and answer; ``Simulate`` then goes to whoever has the task (S17)."""
        name, expire = asked.identifier, asked.expire
        mine = [app for app in self._requests.apps_with(name) if self._for_hand(app, name, expire=expire)]
        found = sorted({*mine, *self._elsewhere(name, expire)})
        if asked.app:
            found = [app for app in found if app == asked.app]
        if len(found) == 1 and not expire and (no := self._not_by_hand(found[0], now)):
            return [do.Answer(asked.asker, wire.Refused(Refusal.UNAVAILABLE, no, asked.request))]
        if len(found) == 1:
            return [do.Answer(asked.asker, wire.Done(asked.request)), ev.Simulate(found[0], name, expire)]
        what = "running" if expire else "pending"
        text = f"No task {name!r} is {what}{f' for {asked.app}' if asked.app else ''}. Nothing was changed."
        if not expire and any(asked.app in ("", app) for app in self._requests.apps_with(name)):
            text = f"{name!r} runs already, or is being launched. Nothing was changed."
        if found:
            text = f"Several apps have {name!r}: say which, {' or '.join(found)}. Nothing was changed."
        return [do.Answer(asked.asker, wire.Refused(Refusal.UNKNOWN_TASK, text, asked.request))]

    def _not_by_hand(self, app: str, now: float) -> str:
        stands = self._apps.not_launchable(app, now)
        if stands is not None and stands[0] is Obstacle.DESK_STOPPING:
            return "The desk is being stopped. Nothing was changed."
        if stands is not None and stands[0] is Obstacle.APP_QUIT:
            return "You quit the app: open it again first. Nothing was changed."
        return ""

    def _simulate(self, meant: ev.Simulate, now: float) -> Out:
        request = self._for_hand(meant.app, meant.identifier, expire=meant.expire)
        if request is None:
            return []
        if meant.expire:
            return self._runs.expire([request], TaskEnd.SIMULATED, now)
        return self._launching.by_hand(request, now)

    def _for_hand(self, app: str, identifier: str, *, expire: bool) -> Request | None:
        """The request that can be launched, or expired, by hand: the first under its identifier."""
        line = self._requests.line(app, identifier)
        run = line[0].run if line else None
        if expire:
            return line[0] if run is not None and run.began is not None and run.expired is None else None
        return line[0] if line and run is None else None


def _cancelled(request: Request, what: str) -> do.Note:
    name = request.identifier
    return do.Note(request.app, "request_cancelled", f"{name} {what}", about=about(request), name=name)
