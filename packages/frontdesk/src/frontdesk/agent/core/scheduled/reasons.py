"""Looks up what stands in the way of each request, for ``obstacles`` to say, and puts it into words (contract S16)."""

from typing import Protocol

from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.scheduled import obstacles
from frontdesk.agent.core.scheduled.obstacles import Moments, NotLaunchable
from frontdesk.agent.core.scheduled.requests import Request, Requests, Run
from frontdesk.agent.core.scheduled.runs import Runs
from frontdesk.terms import (
    AppState,
    Budget,
    ContinuedTask,
    Explanation,
    Manifest,
    Reason,
    Requirement,
    TaskKind,
)


class Allowance(Protocol):
    """Launches that an app may have for refresh (S15)."""

    def next_at(self, app: str, now: float) -> float | None: ...
    def spend(self, app: str, now: float) -> None: ...
    def budget(self, app: str, now: float) -> Budget: ...


class Usual(Protocol):
    """When the person usually opens an app (S14)."""

    def wanted(self, app: str, earliest: float, now: float) -> float: ...
    def refreshed(self, app: str, now: float) -> None: ...
    def day_ends(self, now: float) -> float: ...


class Apps(Protocol):
    """What is to be known of apps here; looked at, never changed."""

    def manifest(self, app: str) -> Manifest | None: ...
    def state(self, app: str) -> AppState | None: ...
    def background_available(self, app: str) -> bool: ...
    def not_launchable(self, app: str, now: float) -> NotLaunchable | None: ...


class Reasons:
    """All the facts there are, and the requests they are about. ``ahead`` is set as it changes."""

    def __init__(
        self,
        limits: Limits,
        requests: Requests,
        runs: Runs,
        apps: Apps,
        conditions: obstacles.Known,
        budgets: Allowance,
        habit: Usual,
    ) -> None:
        self.ahead = 0.0
        """Wall time is the desk's and this."""
        self._limits = limits
        self._requests = requests
        self._runs = runs
        self._apps = apps
        self._conditions = conditions
        self._budgets = budgets
        self._habit = habit

    # --- all of them ----------------------------------------------------------------------------------------------

    def explain(self, request: Request, now: float) -> Explanation:
        """Why it does not run now; for one that runs, how far it is."""
        run = request.run
        reasons = () if run is not None else self.of(request, now)
        if run is not None:
            text = _running(run, now)
        else:
            text = obstacles.sentence(reasons) if reasons else "Starts at once."
        return Explanation(
            request.app,
            request.identifier,
            request.kind,
            request.state,
            text,
            reasons,
            obstacles.unknown(request.task.requires, self._conditions),
            obstacles.next_look(reasons),
            request.submitted,
            request.attempt,
        )

    def of(self, request: Request, now: float) -> tuple[Reason, ...]:
        """Everything that stands in the way of a pending request; empty: it is launched."""
        moments = self.moments(request, now)
        return (
            *self.of_app(request, now),
            *self.of_machine(request.task.requires),
            *obstacles.of_time(moments, now, request.attempt, lambda: self._budgets.budget(request.app, now)),
            *self._of_places(request),
        )

    # --- one by one -----------------------------------------------------------------------------------------------

    def of_machine(self, requires: frozenset[Requirement]) -> tuple[Reason, ...]:
        return obstacles.of_machine(requires, self._conditions, self._limits)

    def of_app(self, request: Request, now: float) -> tuple[Reason, ...]:
        app = request.app
        first = self._comes_first(request)
        stands = self._apps.not_launchable(app, now)
        return obstacles.of_app(request.kind, stands, now, in_front=self.in_front(app), first=first)

    def moments(self, request: Request, now: float) -> Moments:
        """From when on the request may run, and is wanted."""
        earliest, budget, habit = None, None, None
        if not isinstance(request.task, ContinuedTask) and request.task.earliest_begin is not None:
            earliest = request.task.earliest_begin - self.ahead
        if request.kind is TaskKind.REFRESH:
            budget = self._budgets.next_at(request.app, now)
            asked_for = max(request.submitted, earliest or 0.0)
            usual = self._habit.wanted(request.app, asked_for, now)
            habit = usual if usual > asked_for else None
        return Moments(earliest, request.not_before, budget, habit, request.submitted)

    def free_places(self, kind: TaskKind) -> int:
        return self._places(kind) - self._runs.places_taken(kind)

    def in_front(self, app: str) -> bool:
        return self._apps.state(app) is AppState.FOREGROUND

    def _of_places(self, request: Request) -> tuple[Reason, ...]:
        if self._runs.at_work(request.app, request.kind):
            return ()
        return obstacles.of_places(request.kind, self._runs.places_taken(request.kind), self._places(request.kind))

    def _places(self, kind: TaskKind) -> int:
        return self._limits.refresh_at_once if kind is TaskKind.REFRESH else self._limits.processing_at_once

    def _comes_first(self, request: Request) -> str:
        """The task of the app that has to be over before: of the same identifier, or at work as one of its kind."""
        line = self._requests.line(request.app, request.identifier)
        if line and line[0].number != request.number:
            return request.identifier
        if not self._runs.at_work(request.app, request.kind):
            return ""
        return next(
            (each.identifier for each, _ in self._requests.running(request.app) if each.kind is request.kind),
            "",
        )


def _running(run: Run, now: float) -> str:
    if run.began is None:
        return "Its app is being launched for it."
    if run.expired is not None:
        return f"Told to end ({run.expired.replace('_', ' ')}); {max(0.0, run.deadline - now):.0f} s to complete."
    return f"Has been running for {now - run.began:.0f} s of {run.limit:g} s."
