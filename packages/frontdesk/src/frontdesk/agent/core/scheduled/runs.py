"""Scheduled tasks that run: given to their apps, expired in time, stopped when they are never completed (S08 – S12).

A run's deadline is kept here, not by the box of background time: tasks that come in one launch share its time, one that
lost a condition has less, and a desk that comes back knows it still. A desk that was away, or slept, takes no time from
the handlers: whoever is told to end has ``expiry_lead`` seconds from then on.
"""

from collections.abc import Callable, Iterable

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.scheduled.requests import KINDS, Request, Requests, Run
from frontdesk.agent.core.scheduled.waiting import Heap
from frontdesk.terms import Requirement, StopReason, TaskEnd, TaskKind, TaskReceipt
from frontdesk.wire import desk as wire

Out = list[do.Effect | ev.Signal]

HOLD = "scheduled"
"""The kind of hold that a run keeps its app awake by."""

_HAPPENED = {
    TaskEnd.TIME_OVER: "Its time was up.",
    TaskEnd.CONDITION_LOST: "A condition that it requires held no longer",
    TaskEnd.IN_USE: "Somebody came back to the machine.",
    TaskEnd.CANCELLED: "It was cancelled while it ran.",
    TaskEnd.SIMULATED: "It was expired by hand (frontdesk simulate expire).",
    TaskEnd.SWITCHED_OFF: "The app was quit, or its background running switched off. Open it, or switch it on again.",
    TaskEnd.APP_ENDED: "The app ended over it each time it was tried. Its log says more: logs/ in the desk's folder.",
}

_TO_DO = {
    TaskEnd.TIME_OVER: "Do a part of it in each run, and submit again for the rest.",
    TaskEnd.CONDITION_LOST: "Submit it again, or give it a retry.",
    TaskEnd.IN_USE: "Submit it again, or give it a retry.",
}
"""What its author can do where it is not tried again by itself."""


class Runs:
    """What runs. ``in_front(app)``: a person sees the app, which is then not stopped over a task."""

    def __init__(self, limits: Limits, requests: Requests, in_front: Callable[[str], bool]) -> None:
        self._limits = limits
        self._requests = requests
        self._in_front = in_front
        self._moments = Heap()
        """When the next thing is due for a run, by the number of its request; of connected apps only."""
        self._connected: set[str] = set()
        self._at_work: dict[TaskKind, dict[str, int]] = {kind: {} for kind in KINDS}
        """How many runs of a kind each app has."""
        self._cpu_free: set[str] = set()

    # --- looking --------------------------------------------------------------------------------------------------

    def places_taken(self, kind: TaskKind) -> int:
        """Apps that are at work on tasks of this kind, or are being launched for one."""
        return len(self._at_work[kind])

    def at_work(self, app: str, kind: TaskKind) -> bool:
        return app in self._at_work[kind]

    def next_wake(self) -> float | None:
        head = self._moments.first()
        return head[0] if head is not None else None

    # --- beginning ------------------------------------------------------------------------------------------------

    def begin(self, request: Request, run: Run) -> Out:
        """It is to be run: its app is held from now on, and given it when it is awake."""
        self._requests.begin_run(request, run)
        self._count(request, 1)
        return [self._hold(request, run.id)]

    def restored(self) -> None:
        """The desk before has left these running."""
        for request, _ in self._requests.running():
            self._count(request, 1)

    def give(self, app: str, now: float) -> Out:
        """The app is awake: what it was woken for, each kind with the time of one launch (S08, S09)."""
        self._connected.add(app)
        out: Out = []
        for kind in KINDS:
            fresh = [
                (request, run)
                for request, run in self._requests.running(app)
                if run.began is None and request.kind is kind
            ]
            if not fresh:
                continue
            limit = self._limit(kind)
            for request, run in fresh:
                run.began, run.limit, run.deadline = now, limit, now + limit
                self._requests.changed(request)
                self._await(request, run)
            told = tuple(wire.TaskRun(run.id, each.identifier, kind, each.attempt) for each, run in fresh)
            out += [ev.GiveTime(app, limit), do.Send(app, wire.RunTasks(told, limit)), *self._free_cpu(app)]
        return out

    # --- ending ---------------------------------------------------------------------------------------------------

    def expire(self, requests: Iterable[Request], why: TaskEnd, now: float) -> Out:
        """Have their expiration handlers called, all at once for each app (S11); those called before are left alone."""
        by_app: dict[str, list[str]] = {}
        out: Out = []
        lead = self._limits.expiry_lead
        for request in requests:
            run = request.run
            if run is None or run.began is None or run.expired is not None:
                continue
            if run.deadline < now + lead - 0.001:
                out.append(ev.GiveTime(request.app, lead))
            run.expired, run.deadline = why, now + lead
            self._requests.changed(request)
            text = f"{request.identifier} is to end: {why.replace('_', ' ')}"
            out.append(
                do.Note(request.app, "run_expired", text, about=about(request), name=request.identifier, why=why)
            )
            if request.app in self._connected:
                self._await(request, run)
                by_app.setdefault(request.app, []).append(run.id)
        return out + [do.Send(app, wire.ExpireRuns(tuple(runs), why, lead)) for app, runs in by_app.items()]

    def over(self, request: Request) -> Out:
        """Its run has ended, however it did."""
        run = request.run
        if run is None:
            return []
        self._moments.drop(request.number)
        self._count(request, -1)
        self._requests.end_run(request)
        return [ev.LetGo(request.app, HOLD, run.id), *self._free_cpu(request.app)]

    def time_passed(self, now: float) -> tuple[Out, list[Request]]:
        """Expire what is almost over its time, stop apps that owe a completion; and those given up without a stop."""
        expiring: list[Request] = []
        owing: dict[str, list[Request]] = {}
        while (head := self._moments.first()) is not None and head[0] <= now:
            request = self._requests.numbered(head[1])
            self._moments.drop(head[1])
            if request is None or request.run is None:
                continue
            if request.run.expired is None:
                expiring.append(request)
            else:
                owing.setdefault(request.app, []).append(request)
        out = self.expire(expiring, TaskEnd.TIME_OVER, now)
        given_up: list[Request] = []
        for app, requests in owing.items():
            if self._in_front(app):
                given_up += requests
            else:
                out.append(self._stop(app, requests, now))
        return out, given_up

    def box_over(self, app: str, now: float) -> Out:
        """The app's box of background time is over, and with it went what held it; its runs may have more time."""
        runs = self._requests.running(app)
        given = [(request, run) for request, run in runs if run.began is not None]
        late = [request for request, run in given if run.expired is not None and run.deadline <= now + 0.001]
        if late:
            return [self._stop(app, late, now)]
        return [self._hold(request, run.id) for request, run in runs] + self.more_time(app, now)

    def more_time(self, app: str, now: float) -> Out:
        """Background time of the app begins, or has to reach as far as its runs do."""
        ends = [run.deadline for _, run in self._requests.running(app) if run.began is not None]
        return [ev.GiveTime(app, max(ends) - now)] if ends and max(ends) > now else []

    def _stop(self, app: str, owing: list[Request], now: float) -> ev.Stop:
        names = tuple(request.identifier for request in owing)
        runs = [request.run for request in owing if request.run is not None]
        limit = max(run.limit for run in runs)
        used = max(now - (run.began or now) for run in runs)
        text = (
            f"Told to end, it had not completed within {self._limits.expiry_lead:g} s: {', '.join(names)}. "
            "Complete each scheduled task in its expiration handler at the latest."
        )
        return ev.Stop(app, StopReason.TASK_NOT_COMPLETED, text, limit, used, names)

    # --- connections, and time that nobody could use --------------------------------------------------------------

    def connected(self, app: str, brought: tuple[str, ...], now: float) -> Out:
        """The app goes on with the runs that it brings, the time used counted; others it is given when it is awake.

        Whoever is to end hears it again: it may have gone down with the old connection (L06, L07).
        """
        self._connected.add(app)
        out: Out = []
        lead = self._limits.expiry_lead
        for request, run in self._requests.running(app):
            out.append(self._hold(request, run.id))
            if run.id not in brought:
                run.began = None
                self._requests.changed(request)
                continue
            if run.began is None:
                run.began, run.limit = now, self._limit(request.kind)
                run.deadline = now + run.limit
            run.deadline = max(run.deadline, now + lead)
            self._requests.changed(request)
            self._await(request, run)
            if run.expired is not None:
                out.append(do.Send(app, wire.ExpireRuns((run.id,), run.expired, run.deadline - now)))
        return [*out, *self.more_time(app, now), *self._free_cpu(app)]

    def disconnected(self, app: str) -> None:
        """Nothing can be told to it, so no deadline counts, until it is back or gone."""
        self._connected.discard(app)
        for request, _ in self._requests.running(app):
            self._moments.drop(request.number)

    def machine_slept(self, seconds: float) -> None:
        """Nobody could use time in which nothing ran."""
        for request, run in self._requests.running():
            if run.began is not None:
                run.began, run.deadline = run.began + seconds, run.deadline + seconds
                self._requests.changed(request)
                if self._moments.moment(request.number) is not None:
                    self._await(request, run)

    # --- small parts ----------------------------------------------------------------------------------------------

    def _await(self, request: Request, run: Run) -> None:
        self._moments.put(request.number, run.next_moment(self._limits.expiry_lead))

    def _limit(self, kind: TaskKind) -> float:
        return self._limits.refresh if kind is TaskKind.REFRESH else self._limits.processing

    def _hold(self, request: Request, run: str) -> ev.Signal:
        return ev.HoldOn(request.app, HOLD, run, request.identifier)

    def _count(self, request: Request, more: int) -> None:
        apps = self._at_work[request.kind]
        apps[request.app] = apps.get(request.app, 0) + more
        if not apps[request.app]:
            del apps[request.app]

    def _free_cpu(self, app: str) -> Out:
        """All processor time is its own while a processing task runs that asked for external power (L08)."""
        free = any(
            request.kind is TaskKind.PROCESSING
            and Requirement.EXTERNAL_POWER in request.task.requires
            and run.began is not None
            for request, run in self._requests.running(app)
        )
        if free == (app in self._cpu_free):
            return []
        (self._cpu_free.add if free else self._cpu_free.discard)(app)
        return [ev.FreeOfCpuLimit(app, HOLD, free)]


def receipt(request: Request, run: Run, end: TaskEnd, now: float, *, again: str = "") -> TaskReceipt:
    """Of a run that was expired or given up (L05). ``again``: in how long it is tried again by itself."""
    used = None if run.began is None else max(0.0, now - run.began)
    limit = run.limit if end is TaskEnd.TIME_OVER else None
    text = _HAPPENED[end]
    if end is TaskEnd.CONDITION_LOST:
        text += f": {', '.join(obstacle.words for obstacle in run.lost)}." if run.lost else "."
    to_do = f"It is tried again in {again}." if again else _TO_DO.get(end, "")
    return TaskReceipt(request.app, request.identifier, request.kind, end, now, f"{text} {to_do}".rstrip(), limit, used)


def about(request: Request) -> str:
    """The word for one request in the event list."""
    return f"scheduled {request.number}"
