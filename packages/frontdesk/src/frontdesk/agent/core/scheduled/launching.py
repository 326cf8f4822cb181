"""Where each pending request waits, and the launch of those that nothing holds up any more (S05 – S10, S15)."""

from collections.abc import Callable

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.scheduled.reasons import Allowance, Reasons, Usual
from frontdesk.agent.core.scheduled.requests import KINDS, Request, Requests, Run
from frontdesk.agent.core.scheduled.runs import Runs, about
from frontdesk.agent.core.scheduled.waiting import Waiting
from frontdesk.terms import Obstacle, TaskKind, WakeReason

Out = list[do.Effect | ev.Signal]


class Launching:
    """``new_id`` names runs."""

    def __init__(
        self,
        limits: Limits,
        new_id: Callable[[], str],
        requests: Requests,
        runs: Runs,
        reasons: Reasons,
        budgets: Allowance,
        habit: Usual,
    ) -> None:
        self._limits = limits
        self._new_id = new_id
        self._requests = requests
        self._runs = runs
        self._reasons = reasons
        self._budgets = budgets
        self._habit = habit
        self._waiting = Waiting(lambda kind, requires: not reasons.of_machine(requires))

    # --- placing --------------------------------------------------------------------------------------------------

    def place(self, request: Request, now: float) -> None:
        """Into the heap of its class, or out of it where it runs, or waits for something about its app."""
        if request.run is not None or self._reasons.of_app(request, now):
            self._waiting.drop(request.number)
            return
        moments = self._reasons.moments(request, now)
        self._waiting.put(request.number, (request.kind, request.task.requires), moments.may, moments.wanted)

    def place_app(self, app: str, now: float) -> None:
        for request in self._requests.of_app(app):
            self.place(request, now)

    def place_all(self, now: float, kinds: tuple[TaskKind, ...] = KINDS) -> None:
        for request in self._requests:
            if request.kind in kinds:
                self.place(request, now)

    def conditions_changed(self) -> None:
        self._waiting.look_again()

    def forget(self, request: Request) -> Out:
        """It is neither pending nor running any more."""
        self._waiting.drop(request.number)
        out = self._runs.over(request)
        self._requests.remove(request)
        return out

    def take_back(self, request: Request, now: float) -> Out:
        """Something has come between before the app had it: pending as before."""
        out = self._runs.over(request)
        self.place_app(request.app, now)
        return out

    def next_wake(self) -> float | None:
        """The moment of the first request that nothing else holds up."""
        return min((moment for kind in KINDS if (moment := self.next_of(kind)) is not None), default=None)

    def next_of(self, kind: TaskKind) -> float | None:
        """The same of one kind."""
        head = self._waiting.first(kind) if self._reasons.free_places(kind) > 0 else None
        return head[0] if head is not None else None

    # --- launching ------------------------------------------------------------------------------------------------

    def start(self, now: float) -> Out:
        """Launch what is due. Refreshes that may run and will soon be due go along with one that is (S15)."""
        out: Out = []
        for kind in KINDS:
            began = False
            while (number := self._due(kind, now)) is not None:
                out += self._launch_with(number, now)
                began = True
            while began and kind is TaskKind.REFRESH and (number := self._soon_due(now)) is not None:
                out += self._launch_with(number, now)
        return out

    def by_hand(self, request: Request, now: float) -> Out:
        """Launch it whatever stands in its way, at no cost to the app's budget; that may go on standing (S17)."""
        stands = tuple(reason.obstacle for reason in self._reasons.of(request, now))
        return self._launch([request], now, "launched by hand", ignores=stands)

    def _due(self, kind: TaskKind, now: float) -> int | None:
        head = self._waiting.first(kind) if self._reasons.free_places(kind) > 0 else None
        return head[1] if head is not None and head[0] <= now else None

    def _soon_due(self, now: float) -> int | None:
        free = self._reasons.free_places(TaskKind.REFRESH) > 0
        head = self._waiting.early(TaskKind.REFRESH, now) if free else None
        return head[1] if head is not None and head[0] <= now + self._limits.together else None

    def _launch_with(self, number: int, now: float) -> Out:
        """Launch the app of this request for it, and for others of the kind that may come along in one launch (S08)."""
        first = self._requests.numbered(number)
        if first is None:
            raise AssertionError(f"request {number} waits and is not kept")
        # Looked at once more with all that is known now: no launch on the strength of what was true earlier.
        self.place(first, now)
        soon = now + self._limits.together
        mine = [each for each in self._requests.of_app(first.app) if each.kind is first.kind]
        along = [each for each in mine if self._waiting.may_start(each.number, now, soon)]
        if first not in along:
            return []
        return self._launch(along, now)

    def give(self, app: str, now: float) -> Out:
        """The app is awake, and gets what it was woken for. Only now the launch counts, for budget and habit: of one
        that came to nothing, because a network came and went, the app had nothing (S14, S15)."""
        counted = [
            run for request, run in self._requests.running(app) if request.kind is TaskKind.REFRESH and not run.free
        ]
        for run in counted:
            run.free = True
        if counted:
            self._budgets.spend(app, now)
            self._habit.refreshed(app, now)
        return self._runs.give(app, now)

    def _launch(
        self, along: list[Request], now: float, why: str = "due", ignores: tuple[Obstacle, ...] | None = None
    ) -> Out:
        """``ignores``: it is by hand, and this stands in its way."""
        app = along[0].app
        out: Out = []
        for request in along:
            out += self._runs.begin(request, Run(self._new_id(), ignores=ignores or (), free=ignores is not None))
            name = request.identifier
            text = f"{name} is {why}{'' if request.attempt == 1 else f', try {request.attempt}'}"
            out.append(do.Note(app, "run_begun", text, about=about(request), name=name, why=request.kind))
        self.place_app(app, now)
        return [*out, ev.Wake(app, WakeReason.SCHEDULED)]
