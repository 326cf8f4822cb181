"""Continued tasks: work that a person began in an app and that goes on without its window (contract S18).

Submitted from the foreground, it runs at once, or waits for a place (``continued_work`` has the stages and the moves).
It has no time limit but one: an app that tells of nothing new for ``stalled`` seconds is told to come to an end. It
ends early as well when the person cancels it (the button of its notification), quits the app or switches background
running off. Conditions of the machine do not touch it: the person wants it (L12).

An app that dies over such work has lost what only it knew: the run is reported, to the person and in a receipt, and
not begun again by itself (L07). One that the app had not got yet is tried again. After the desk's own death runs go on
where they are, and the time without news begins anew.
"""

from collections.abc import Callable

import msgspec

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.continued_work import Progress, Stage, Work
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.permission import refusal
from frontdesk.agent.core.progress_notice import CANCEL, end_notice, fraction_of, notice_id, progress_notice, run_of
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

MACHINE = "continued"
"""Under this word tasks are saved, each by its run; a hold of one is called so too."""

SHOWN_EVERY = 1.0
"""Seconds from one update of a progress notification to the next, at least."""

Out = list[do.Effect | ev.Signal]

_CANCELLED = "It was cancelled."
_SWITCHED_OFF = "The person quit the app, or switched off that it runs in the background."


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
        self._queue: dict[str, Work] = {}
        """By run, the oldest first."""
        self._queued: dict[str, dict[str, Work]] = {}
        """The same by app and identifier."""
        self._runs: dict[str, Work] = {}
        """Those that have a place."""
        self._progress: dict[str, Progress] = {}
        self._process: dict[str, str] = {}
        self._started = False
        self._order = 0
        self._changed: dict[str, Work] = {}

    # --- the three calls ------------------------------------------------------------------------------------------

    def handle(self, happened: ev.Event | ev.Signal, now: float) -> Out:
        return self._handle(happened, now) + self._fill(now)

    def next_wake(self) -> float | None:
        """When this machine wants ``TimePassed``: to look whether one has stalled or is overdue, or to show more."""
        moments: list[float] = []
        for run, work in self._runs.items():
            at = self._progress[run]
            moment = at.due if work.stage is Stage.ENDING else at.look_at if work.stage is Stage.RUNNING else None
            moments += [moment] if moment is not None else []
            moments += [at.shown_at + SHOWN_EVERY] if at.stale else []
        return min(moments, default=None)

    def saves(self) -> list[do.Effect]:
        """``Save`` for every task that has moved since the last call; progress is not saved."""
        changed, self._changed = self._changed, {}
        return [
            do.Save(MACHINE, run, None if work.stage is Stage.GONE else msgspec.msgpack.encode(work))
            for run, work in changed.items()
        ]

    def restore(self, key: str, value: bytes) -> None:
        """Take back one task; they may come in any order."""
        work = msgspec.msgpack.decode(value, type=Work)
        self._order = max(self._order, work.order)
        if work.stage is Stage.QUEUED:
            self._enqueue(work)
        else:
            self._runs[key], self._progress[key] = work, Progress(work.request)

    # --- looking at it --------------------------------------------------------------------------------------------

    def pending(self, app: str) -> tuple[PendingTask, ...]:
        """What runs, then what waits, the oldest first."""
        return tuple(work.pending() for work in (*self._runs_of(app), *self._queued.get(app, {}).values()))

    def owners(self, identifier: str, running: bool) -> list[str]:
        """Apps that have a task of this identifier running, or (else) waiting for a place."""
        if running:
            return sorted({work.app for work in self._runs.values() if work.identifier == identifier})
        return sorted(app for app, queued in self._queued.items() if identifier in queued)

    def explain(self, app: str, now: float) -> tuple[Explanation, ...]:
        running = [work.explanation((), self._progress[work.run].fraction) for work in self._runs_of(app)]
        waiting = [work.explanation(self._in_the_way(work), None) for work in self._queued.get(app, {}).values()]
        return (*running, *waiting)

    def _in_the_way(self, work: Work) -> tuple[Reason, ...]:
        if self._runs_already(work):
            text = "the same task runs, and this one follows it"
            return (Reason(Obstacle.APP_BUSY, text, now="running", needs="ended"),)
        most = self._limits.continued_at_once
        text = f"as many continued tasks run as may at once ({len(self._runs)} of {most})"
        return (Reason(Obstacle.OTHERS_RUN, text, now=f"{len(self._runs)} of {most}", needs=f"fewer than {most}"),)

    # --- what goes where ------------------------------------------------------------------------------------------

    def _handle(self, happened: ev.Event | ev.Signal, now: float) -> Out:
        match happened:
            case ev.TimePassed():
                return [out for work in list(self._runs.values()) for out in self._time_passed(work, now)]
            case ev.SubmitAsked(task=ContinuedTask() as task):
                return self._submit(happened, task, now)
            case ev.ProgressTold():
                return self._told(happened, now)
            case ev.RunCompleted():
                return self._completed(happened, now)
            case ev.CancelAsked(app=app, identifiers=identifiers):
                return self._cancel(app, identifiers, now)
            case ev.Simulate():
                return self._simulate(happened, now)
            case ev.ActAsked(app=app, notification=notification, action=action) if action == CANCEL:
                work = self._runs.get(run_of(notification) or "")
                mine = work is not None and work.app == app
                return self._expire(work, TaskEnd.CANCELLED, _CANCELLED, now) if work is not None and mine else []
            case ev.DismissAsked(notification=notification) if run_of(notification) in self._runs:
                at = self._progress[run_of(notification) or ""]
                at.dismissed, at.stale = True, False
            case ev.DeskStarted():
                return self._desk_started(now)
            case ev.MachineSlept(seconds=seconds):
                self._slept(seconds)
            case ev.BackgroundSwitched(on=False):
                apps = {work.app for work in self._runs.values()} | self._queued.keys()
                return [out for app in sorted(apps) if not self._available(app) for out in self._switch_off(app, now)]
            case _:
                return self._about_app(happened, now)
        return []

    def _about_app(self, happened: ev.Event | ev.Signal, now: float) -> Out:
        match happened:
            case ev.Connected(app=app):
                return self._connected(app, happened, now)
            case ev.Awake(app=app):
                return self._deliver(app, now)
            case ev.CameForeground(app=app):
                return [out for work in self._runs_of(app) for out in self._hide(work)]
            case ev.LeftForeground(app=app):
                for work in self._runs_of(app):
                    self._progress[work.run].dismissed = False
                return [*self._give_time(app, now), *self._show_all(app, now)]
            case ev.Ended(app=app, receipt=receipt):
                return self._ended(app, receipt, now)
            case ev.QuitAsked(app=app):
                out = self._switch_off(app, now)
                for work in self._runs_of(app):
                    # When it has to have left is the lifecycle's to say.
                    self._progress[work.run].due = None
                return out
            case ev.AppRemoved(app=app):
                self._process.pop(app, None)
                return [
                    out
                    for work in (*self._runs_of(app), *self._queued.get(app, {}).copy().values())
                    for out in self._gone(work)
                ]
        return []

    # --- asked for ------------------------------------------------------------------------------------------------

    def _submit(self, asked: ev.SubmitAsked, task: ContinuedTask, now: float) -> Out:
        before = self._queued.get(asked.app, {}).get(task.identifier)
        done = do.Answer(asked.asker, wire.Done(asked.request))
        if no := self._refused(asked.app, task, before):
            reason, text = no
            return [do.Answer(asked.asker, wire.Refused(reason, text, asked.request))]
        if before is not None:
            if asked.existing is ExistingWork.REPLACE:
                # It keeps its place in the queue.
                before.request, before.submitted = task, now
                self._changed[before.run] = before
            return [done]
        self._order += 1
        work = Work(self._new_id(), asked.app, task, now, self._order)
        self._changed[work.run] = work
        # If there is a place for it, it has it before this event is over.
        self._enqueue(work)
        return [done, _note(work, "request_kept", f"continued task submitted: {task.title}")]

    def _refused(self, app: str, task: ContinuedTask, before: Work | None) -> tuple[Refusal, str] | None:
        if not task.title.strip():
            return Refusal.BAD_REQUEST, "A continued task needs a title: the person sees it. Nothing was changed."
        if no := refusal(task, self._manifest(app), available=self._available(app)):
            return no
        if not self._in_front(app):
            text = "A continued task is what a person has just asked for: submit it while the app is in front of them."
            return Refusal.NOT_IN_FOREGROUND, f"{text} Nothing was changed."
        at_once = before is None and len(self._runs) < self._limits.continued_at_once
        if at_once and not self._has_run(app, task.identifier):
            return None
        if task.strategy is Strategy.FAIL:
            text = f"{len(self._runs)} continued tasks run now (at most {self._limits.continued_at_once} may)"
            return Refusal.CANNOT_START_NOW, f"{text}, or this one does. Try later, or let it wait with `queue`."
        if before is None and len(self._queued.get(app, {})) >= self._limits.pending_continued:
            text = f"{self._limits.pending_continued} continued tasks of this app wait already."
            return Refusal.TOO_MANY_PENDING_REQUESTS, f"{text} Cancel one, or wait. Nothing was changed."
        return None

    def _cancel(self, app: str, identifiers: tuple[str, ...], now: float) -> Out:
        queued = self._queued.get(app, {})
        waiting = [queued[each] for each in identifiers or tuple(queued) if each in queued]
        running = [work for work in self._runs_of(app) if not identifiers or work.identifier in identifiers]
        out: Out = []
        for work in waiting:
            out += [*self._gone(work), _note(work, "request_cancelled", f"cancelled: {work.request.title}")]
        return out + [each for work in running for each in self._expire(work, TaskEnd.CANCELLED, _CANCELLED, now)]

    def _simulate(self, asked: ev.Simulate, now: float) -> Out:
        if not asked.expire:
            work = self._queued.get(asked.app, {}).get(asked.identifier)
            return self._start(work) if work is not None else []
        running = [work for work in self._runs_of(asked.app) if work.identifier == asked.identifier]
        text = "It was expired by hand."
        return [out for work in running for out in self._expire(work, TaskEnd.SIMULATED, text, now)]

    def _switch_off(self, app: str, now: float) -> Out:
        """Nothing of this app may go on, and nothing of it waits any longer."""
        out: Out = []
        for work in [*self._queued.get(app, {}).values()]:
            out += self._over(work, TaskEnd.SWITCHED_OFF, _SWITCHED_OFF, now)
        for work in self._runs_of(app):
            out += self._expire(work, TaskEnd.SWITCHED_OFF, _SWITCHED_OFF, now)
        return out

    # --- starting -------------------------------------------------------------------------------------------------

    def _fill(self, now: float) -> Out:
        """Give free places to those that wait, the oldest first."""
        out: Out = []
        while self._started and self._queue and len(self._runs) < self._limits.continued_at_once:
            work = next((work for work in self._queue.values() if not self._runs_already(work)), None)
            if work is None:
                break
            out += self._start(work)
        return out

    def _start(self, work: Work) -> Out:
        self._dequeue(work)
        self._move(work, Stage.STARTING)
        self._runs[work.run], self._progress[work.run] = work, Progress(work.request)
        return self._reach(work)

    def _reach(self, work: Work) -> Out:
        return [ev.HoldOn(work.app, MACHINE, work.run, work.request.title), ev.Wake(work.app, WakeReason.SCHEDULED)]

    def _deliver(self, app: str, now: float) -> Out:
        """The app can be reached: what is to start there starts."""
        starting = [work for work in self._runs_of(app) if work.stage is Stage.STARTING]
        if not starting:
            return []
        out: Out = [do.SendKept(app, wire.RunTasks(tuple(work.delivery() for work in starting), None))]
        for work in starting:
            self._move(work, Stage.RUNNING)
            work.process, work.began = self._process.get(app, ""), work.began or now
            self._news(work, now)
            out.append(_note(work, "run_begun", f"continued task begun: {work.request.title}"))
        return [*out, *self._give_time(app, now), *self._show_all(app, now)]

    def _connected(self, app: str, hello: ev.Connected, now: float) -> Out:
        """An app that connects again brings the runs it has; what got lost on the way it is given again."""
        self._process[app] = hello.run
        out: Out = []
        for work in [work for work in self._runs_of(app) if work.process == hello.run]:
            brought = work.run in hello.runs
            if brought:
                out.append(ev.HoldOn(app, MACHINE, work.run, work.request.title))
            if work.stage is Stage.RUNNING and brought:
                self._news(work, now)
            elif work.stage is Stage.RUNNING:
                self._move(work, Stage.STARTING)
            elif work.stage is Stage.ENDING and brought:
                out += self._tell_to_end(work, now)
            elif work.stage is Stage.ENDING:
                out += self._over(work, work.end or TaskEnd.CANCELLED, work.text, now)
        return out + self._give_time(app, now)

    def _desk_started(self, now: float) -> Out:
        """From now on places are given; who was being reached is reached again, and who runs may take its time anew."""
        self._started = True
        for work in sorted(self._queue.values(), key=lambda work: work.order):
            self._dequeue(work)
            self._enqueue(work)
        out: Out = []
        for work in self._runs.values():
            if work.stage is Stage.STARTING:
                out += self._reach(work)
            elif work.stage is Stage.RUNNING:
                self._news(work, now)
            else:
                self._progress[work.run].due = now + self._limits.stalled
        return out

    # --- progress -------------------------------------------------------------------------------------------------

    def _told(self, told: ev.ProgressTold, now: float) -> Out:
        work = self._runs.get(told.run)
        if work is None or work.app != told.app:
            return []
        at = self._progress[work.run]
        if (told.done, told.total) != at.done_of:
            at.done_of, at.new_at = (told.done, told.total), now
        at.fraction = fraction_of(told.done, told.total)
        at.title, at.subtitle = told.title or at.title, told.subtitle or at.subtitle
        return self._show(work, now)

    def _news(self, work: Work, now: float) -> None:
        """As if the app had just told of progress."""
        at = self._progress[work.run]
        at.new_at, at.look_at = now, now + self._limits.stalled

    def _show_all(self, app: str, now: float) -> Out:
        return [out for work in self._runs_of(app) for out in self._show(work, now)]

    def _show(self, work: Work, now: float) -> Out:
        """To a person who does not see the app: at most once in ``SHOWN_EVERY``, and only what is new to them."""
        at = self._progress[work.run]
        notice = progress_notice(work.run, at.title, at.subtitle, at.fraction)
        at.stale = False
        if work.stage is not Stage.RUNNING or at.dismissed or notice == at.shown or self._in_front(work.app):
            return []
        if at.shown is not None and now < at.shown_at + SHOWN_EVERY:
            at.stale = True
            return []
        update = at.shown is not None
        at.shown, at.shown_at = notice, now
        return [ev.Present(work.app, notice, quiet=update)]

    def _hide(self, work: Work) -> Out:
        at = self._progress[work.run]
        at.shown, at.stale = None, False
        return [ev.Withdraw(work.app, notice_id(work.run))]

    # --- time -----------------------------------------------------------------------------------------------------

    def _time_passed(self, work: Work, now: float) -> Out:
        at = self._progress[work.run]
        if work.stage is Stage.ENDING and at.due is not None and at.due <= now:
            return self._overdue(work, now)
        out: Out = []
        if work.stage is Stage.RUNNING and at.look_at is not None and at.look_at <= now:
            at.look_at = at.new_at + self._limits.stalled
            if at.look_at <= now:
                text = f"It told of nothing new for {self._limits.stalled:g} s. Report progress at least so often."
                return self._expire(work, TaskEnd.STALLED, text, now)
            out += self._give_time(work.app, now)
        return out + (self._show(work, now) if at.stale else [])

    def _give_time(self, app: str, now: float) -> Out:
        """Background time until it is looked at next, with time to come to an end, for as long as anything runs.

        Twice that time, so that handlers of its background tasks are not called just before it is given more.
        """
        looks = [self._progress[work.run].look_at or now for work in self._runs_of(app)]
        return [ev.GiveTime(app, max(looks) - now + 2 * self._limits.expiry_lead)] if looks else []

    def _slept(self, seconds: float) -> None:
        """Nobody could make progress meanwhile."""
        for at in self._progress.values():
            at.new_at += seconds
            at.look_at = at.look_at + seconds if at.look_at is not None else None
            at.due = at.due + seconds if at.due is not None else None

    # --- ends -----------------------------------------------------------------------------------------------------

    def _expire(self, work: Work, end: TaskEnd, text: str, now: float) -> Out:
        """Tell it to come to an end; one that the app has not got yet ends here."""
        if work.stage is Stage.STARTING:
            return self._over(work, end, text, now)
        if work.stage is not Stage.RUNNING:
            return []
        self._move(work, Stage.ENDING)
        work.end, work.text = end, text
        note = _note(work, "run_expired", f"told to come to an end: {work.request.title}. {text}", end)
        return [*self._tell_to_end(work, now), *self._hide(work), note]

    def _tell_to_end(self, work: Work, now: float) -> Out:
        seconds = self._limits.expiry_lead
        self._progress[work.run].due = now + seconds
        return [do.Send(work.app, wire.ExpireRuns((work.run,), work.end or TaskEnd.CANCELLED, seconds))]

    def _overdue(self, work: Work, now: float) -> Out:
        """Told to come to an end, it has not. An app in front of the person is left alone all the same."""
        self._progress[work.run].due = None
        seconds = self._limits.expiry_lead
        text = f"{work.text} It did not complete it within {seconds:g} s of being told."
        if self._in_front(work.app):
            return self._over(work, work.end or TaskEnd.CANCELLED, text, now)
        work.text = text
        self._changed[work.run] = work
        why = f"{work.identifier}: {text} Call set_task_completed in the expiration handler at the latest."
        names = (work.identifier,)
        return [ev.Stop(work.app, StopReason.TASK_NOT_COMPLETED, why, seconds, seconds, names)]

    def _completed(self, completed: ev.RunCompleted, now: float) -> Out:
        work = self._runs.get(completed.run)
        if work is None or work.app != completed.app:
            return []
        kept = do.SendKept(work.app, wire.RunKept(work.run))
        if work.end is not None:
            return [kept, *self._over(work, work.end, work.text, now)]
        end, how = (
            (TaskEnd.COMPLETED, "completed") if completed.success else (TaskEnd.FAILED, "completed without success")
        )
        note = _note(work, "run_over", f"{how}: {work.request.title}", end)
        return [kept, *self._gone(work), note]

    def _ended(self, app: str, receipt: Receipt, now: float) -> Out:
        """The app has no process any more."""
        self._process.pop(app, None)
        out: Out = []
        for work in self._runs_of(app):
            if work.end is not None:
                out += self._over(work, work.end, work.text, now)
            elif receipt.reason is StopReason.QUIT:
                out += self._over(work, TaskEnd.SWITCHED_OFF, _SWITCHED_OFF, now)
            elif work.stage is Stage.STARTING and work.tries + 1 < self._limits.task_tries:
                work.tries += 1
                self._changed[work.run] = work
                out += self._reach(work)
            else:
                text = f"The app ended in the middle of it ({receipt.reason.words}). Begin it again in the app."
                out += self._over(work, TaskEnd.APP_ENDED, text, now)
        return out

    def _over(self, work: Work, end: TaskEnd, text: str, now: float) -> Out:
        """It has come to no good end: a receipt says so, and the person is told what they did not do themselves."""
        shown: Out = []
        if end in (TaskEnd.STALLED, TaskEnd.APP_ENDED) and not self._in_front(work.app):
            shown = [ev.Present(work.app, end_notice(work.run, work.request.title, text))]
        note = _note(work, "run_over", f"ended early: {work.request.title}. {text}", end)
        return [*self._gone(work), *shown, do.KeepTaskReceipt(work.receipt(end, text, now)), note]

    def _gone(self, work: Work) -> Out:
        """Nothing is left of it, its notification included."""
        if work.stage is Stage.QUEUED:
            self._dequeue(work)
            self._move(work, Stage.GONE)
            return []
        out = [*self._hide(work), ev.LetGo(work.app, MACHINE, work.run)]
        self._move(work, Stage.GONE)
        del self._runs[work.run], self._progress[work.run]
        return out

    # --- small parts ----------------------------------------------------------------------------------------------

    def _move(self, work: Work, to: Stage) -> None:
        work.move(to)
        self._changed[work.run] = work

    def _enqueue(self, work: Work) -> None:
        self._queue[work.run] = work
        self._queued.setdefault(work.app, {})[work.identifier] = work

    def _dequeue(self, work: Work) -> None:
        del self._queue[work.run]
        del self._queued[work.app][work.identifier]
        if not self._queued[work.app]:
            del self._queued[work.app]

    def _runs_of(self, app: str) -> list[Work]:
        """Those of this app that have a place: never more than a few have one at all."""
        return [work for work in self._runs.values() if work.app == app]

    def _runs_already(self, work: Work) -> bool:
        return self._has_run(work.app, work.identifier)

    def _has_run(self, app: str, identifier: str) -> bool:
        return any((work.app, work.identifier) == (app, identifier) for work in self._runs.values())


def _note(work: Work, what: str, text: str, why: str = "") -> do.Note:
    return do.Note(work.app, what, text, about=f"run {work.run}", name=work.identifier, why=why)
