"""The requests for refresh and processing tasks that the desk keeps, pending and running, and their saved form.

What is saved bears wall time, since the clock of the next desk is another; once restored nothing lies further off than
it can, so that a clock that was wrong holds nothing up for ever (contract S07).
"""

from collections.abc import Iterator

import msgspec

from frontdesk.agent.core import effects as do
from frontdesk.agent.core.limits import Limits
from frontdesk.terms import Obstacle, PendingTask, ProcessingTask, TaskEnd, TaskKind, TaskRequest, TaskState

MACHINE = "scheduler"
"""Under this word requests are saved."""

KINDS = (TaskKind.REFRESH, TaskKind.PROCESSING)
"""The kinds of request that are kept here."""


class Run(msgspec.Struct):
    """One delivery of a request to its app."""

    id: str
    began: float | None = None
    """When the app was given it; None: it is being launched or thawed for it."""
    limit: float = 0.0
    """Seconds it is allowed (S08, S09)."""
    deadline: float = 0.0
    """By then it is completed, or the app is stopped; its expiration handler is called before (S11)."""
    expired: TaskEnd | None = None
    """Why its expiration handler was called; None: it was not."""
    ignores: tuple[Obstacle, ...] = ()
    """What stood in its way when it was launched by hand (S17)."""
    free: bool = False
    """It costs its app nothing of its budget: launched by hand (S17), or given before (S15)."""
    lost: tuple[Obstacle, ...] = ()
    """What came to stand in its way while it ran: expired over it (S10)."""

    def next_moment(self, lead: float) -> float:
        """When it is to be expired, or after that to be completed."""
        return self.deadline if self.expired is not None else self.deadline - lead


class Request(msgspec.Struct):
    """One request, as it is saved; moments are by the desk's clock while it is in memory."""

    number: int
    """In the order of submission."""
    app: str
    task: TaskRequest
    submitted: float
    attempt: int = 1
    failures: int = 0
    """Completed without success so often in a row (S19)."""
    deaths: int = 0
    """The app ended over it so often in a row (L07)."""
    not_before: float | None = None
    """The end of the pause after a failure."""
    run: Run | None = None
    submission: str = ""
    """By which the app names it when it has to ask twice."""

    @property
    def identifier(self) -> str:
        return self.task.identifier

    @property
    def kind(self) -> TaskKind:
        return self.task.kind

    @property
    def state(self) -> TaskState:
        return TaskState.PENDING if self.run is None else TaskState.RUNNING

    def pending(self) -> PendingTask:
        return PendingTask(self.task, self.submitted, self.state, self.attempt)


Running = tuple[Request, Run]
"""A request that has a run, and that run."""


class Requests:
    """All of them. Under one identifier of an app stand one or two: the one that runs, and the one to run after it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_number: dict[int, Request] = {}
        self._apps: dict[str, dict[str, list[Request]]] = {}
        self._running: dict[str, Running] = {}
        self._running_of: dict[str, dict[int, Running]] = {}
        self._changed: set[int] = set()
        self._next = 0

    def __iter__(self) -> Iterator[Request]:
        return iter(list(self._by_number.values()))

    # --- looking --------------------------------------------------------------------------------------------------

    def numbered(self, number: int) -> Request | None:
        return self._by_number.get(number)

    def of_app(self, app: str) -> list[Request]:
        """In the order of submission."""
        mine = [request for line in self._apps.get(app, {}).values() for request in line]
        return sorted(mine, key=lambda request: request.number)

    def line(self, app: str, identifier: str) -> tuple[Request, ...]:
        """What stands under this identifier: nothing, the request, or the one that goes first and the one after it."""
        return tuple(self._apps.get(app, {}).get(identifier, ()))

    def was_submitted(self, app: str, identifier: str, submission: str) -> bool:
        """Whether what stands under the identifier came of this submission; "" is none."""
        return submission != "" and any(each.submission == submission for each in self.line(app, identifier))

    def apps_with(self, identifier: str) -> list[str]:
        return [app for app, lines in self._apps.items() if identifier in lines]

    def running(self, app: str | None = None) -> list[Running]:
        """Those with a run, in the order of their numbers: of one app, or of all."""
        mine = self._running.values() if app is None else self._running_of.get(app, {}).values()
        return sorted(mine, key=lambda running: running[0].number)

    def run(self, run: str) -> Running | None:
        return self._running.get(run)

    def identifiers_pending(self, app: str, kind: TaskKind) -> set[str]:
        """Those that count for the limit of pending requests (S03)."""
        lines = self._apps.get(app, {}).items()
        return {name for name, line in lines if line[-1].run is None and line[-1].kind is kind}

    # --- changing -------------------------------------------------------------------------------------------------

    def add(self, app: str, task: TaskRequest, now: float, submission: str = "") -> Request:
        """The last under its identifier."""
        self._next += 1
        request = Request(self._next, app, task, now, submission=submission)
        self._enter(request)
        self._changed.add(request.number)
        return request

    def remove(self, request: Request) -> None:
        self.end_run(request)
        del self._by_number[request.number]
        lines = self._apps[request.app]
        lines[request.identifier].remove(request)
        if not lines[request.identifier]:
            del lines[request.identifier]
        if not lines:
            del self._apps[request.app]
        self._changed.add(request.number)

    def begin_run(self, request: Request, run: Run) -> None:
        request.run = run
        self._enter_run(request, run)
        self._changed.add(request.number)

    def end_run(self, request: Request) -> None:
        """It is pending from now on, or about to be removed."""
        if request.run is not None:
            del self._running[request.run.id]
            of_app = self._running_of[request.app]
            del of_app[request.number]
            if not of_app:
                del self._running_of[request.app]
            request.run = None
            self._changed.add(request.number)

    def changed(self, request: Request) -> None:
        """Something of it is another, and to be saved."""
        self._changed.add(request.number)

    def _enter(self, request: Request) -> None:
        self._by_number[request.number] = request
        self._apps.setdefault(request.app, {}).setdefault(request.identifier, []).append(request)
        if request.run is not None:
            self._enter_run(request, request.run)

    def _enter_run(self, request: Request, run: Run) -> None:
        self._running[run.id] = self._running_of.setdefault(request.app, {})[request.number] = (request, run)

    # --- saved form -----------------------------------------------------------------------------------------------

    def saves(self, ahead: float) -> list[do.Effect]:
        """``Save`` for each that has changed since the last call. ``ahead``: of wall time before the desk's."""
        changed, self._changed = sorted(self._changed), set()
        return [self._save(number, ahead) for number in changed]

    def _save(self, number: int, ahead: float) -> do.Effect:
        request = self._by_number.get(number)
        form = None if request is None else msgspec.msgpack.encode(_moved(request, ahead))
        return do.Save(MACHINE, str(number), form)

    def restore(self, value: bytes) -> None:
        """Take back one; the moments of all are set right by ``restored``."""
        request = msgspec.msgpack.decode(value, type=Request)
        self._next = max(self._next, request.number)
        self._by_number[request.number] = request

    def restored(self, now: float, ahead: float) -> None:
        """All are back: moments by this desk's clock, none further off than it can be (S07)."""
        restored, self._by_number = sorted(self._by_number.values(), key=lambda each: each.number), {}
        for saved in restored:
            request = _moved(saved, -ahead)
            request.submitted = min(request.submitted, now)
            if request.not_before is not None:
                request.not_before = min(request.not_before, now + self._longest_pause(request))
            if request.run is not None and request.run.began is not None:
                request.run.began = min(request.run.began, now)
                request.run.deadline = min(request.run.deadline, now + request.run.limit)
            self._enter(request)

    def _longest_pause(self, request: Request) -> float:
        retry = request.task.retry if isinstance(request.task, ProcessingTask) else None
        return max(self._limits.retry_most, retry.most if retry is not None else 0.0)


def _moved(request: Request, seconds: float) -> Request:
    """The same with all its moments later by so much."""
    run = request.run
    if run is not None and run.began is not None:
        run = msgspec.structs.replace(run, began=run.began + seconds, deadline=run.deadline + seconds)
    pause = None if request.not_before is None else request.not_before + seconds
    return msgspec.structs.replace(request, submitted=request.submitted + seconds, not_before=pause, run=run)
