"""Hands every event to the machines, their signals to each other, and gathers what they want done. Thin on purpose."""

from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core import history, notifications
from frontdesk.agent.core.life import assertions, background_switch, consumption, lifecycle
from frontdesk.agent.core.life.penalties import penalty
from frontdesk.agent.core.machine import conditions
from frontdesk.agent.core.pushes import push_routing, subscriptions
from frontdesk.agent.core.scheduled import budgets, continued, habit, scheduler
from frontdesk.agent.core.setup import Setup
from frontdesk.terms import AppStatus, Explanation, PendingTask, TaskKind


class Dispatcher:
    """The whole core: *handle events at now, get effects*; *when to wake next*; *saved form back and forth*."""

    def __init__(
        self,
        setup: Setup,
        new_id: Callable[[], str],
    ) -> None:
        limits = setup.limits
        self._limits = limits
        self.background = background_switch.BackgroundSwitch(frozenset(setup.background_off))
        self.lifecycle = lifecycle.Lifecycle(limits, new_id, setup.desk_version, self.background.allows)
        self.assertions = assertions.Assertions(limits, self.background.allows)
        self.consumption = consumption.Consumption(limits, self.lifecycle.in_background, setup.memory)
        self.subscriptions = subscriptions.Subscriptions(limits, self._not_wakeable, service_set=setup.push_service_set)
        self.push_routing = push_routing.PushRouting(
            limits,
            new_id,
            self.subscriptions,
            self._not_wakeable,
            self.assertions.seconds_left,
        )
        self.conditions = conditions.Conditions()
        self.habit = habit.Habit(limits)
        self.budgets = budgets.Budgets(limits, self.habit.use)
        self.continued = continued.Continued(
            limits,
            new_id,
            self.lifecycle.manifest,
            self.background.allows,
            self.lifecycle.in_front,
        )
        self.scheduler = scheduler.Scheduler(
            limits, new_id, self.lifecycle, self.conditions, self.budgets, self.habit, self.continued.owners
        )
        self.notifications = notifications.Notifications()
        self.history = history.History()
        self._machines = (
            # What the others ask comes before those that ask.
            self.background,
            self.conditions,
            self.habit,
            self.budgets,
            # Then the lifecycle: what an app hears first after a pause is said by it (L13).
            self.lifecycle,
            self.assertions,
            self.consumption,
            self.subscriptions,
            self.push_routing,
            self.scheduler,
            self.continued,
            self.notifications,
        )

    def handle(self, happened: Sequence[ev.Event], now: float) -> list[do.Effect]:
        """What follows from these events, in order; all of it belongs into one commit."""
        effects: list[do.Effect] = []
        for event in happened:
            if isinstance(event, ev.Noticed):
                effects.append(do.Note(event.app, event.what, event.text, why=event.why))
            self._spread(event, now, effects)
            if isinstance(event, ev.Exited) and event.status is not None:
                effects.append(do.ExitSeen(event.pid))
        while late := self.lifecycle.settle(now):
            self._sort(late, now, effects)
        for machine in self._machines:
            effects += machine.saves()
        for effect in effects:
            if isinstance(effect, do.Note):
                self.history.note(effect, now)
        # Without what is only shown: explaining every task after every batch would cost more than all the rest.
        self.history.look((self.lifecycle.status(app, now, None) for app in self.lifecycle.manifests()), now)
        if any(isinstance(effect, do.Save) for effect in effects):
            effects += self.history.saves()
        return effects

    def next_wake(self) -> float | None:
        """The earliest moment any machine asked for; None: nothing is pending at all."""
        return min((at for machine in self._machines if (at := machine.next_wake()) is not None), default=None)

    def restore(self, machine: str, key: str, value: bytes) -> None:
        """Give back one saved value. All of them come before the first event."""
        match machine:
            case background_switch.MACHINE:
                self.background.restore(key, value)
            case lifecycle.MACHINE:
                self.lifecycle.restore(key, value)
            case conditions.MACHINE:
                self.conditions.restore(key, value)
            case habit.MACHINE:
                self.habit.restore(key, value)
            case budgets.MACHINE:
                self.budgets.restore(key, value)
            case scheduler.MACHINE:
                self.scheduler.restore(key, value)
            case continued.MACHINE:
                self.continued.restore(key, value)
            case assertions.MACHINE:
                self.assertions.restore(key, value)
            case history.MACHINE:
                self.history.restore(key, value)
            case notifications.MACHINE | notifications.PRESSED | notifications.DESKTOP:
                self.notifications.restore(machine, key, value)
            case subscriptions.MACHINE | subscriptions.LINK:
                self.subscriptions.restore(machine, key, value)
            case _:
                self.push_routing.restore(machine, key, value)

    def statuses(self, now: float) -> tuple[AppStatus, ...]:
        """Every registered app, by name."""
        rows = [self._status(app, now) for app in self.lifecycle.manifests()]
        return tuple(sorted(rows, key=lambda row: (row.name.casefold(), row.app)))

    def _status(self, app: str, now: float) -> AppStatus:
        life = self.lifecycle.life(app)
        borne, until = penalty(
            self.lifecycle.not_launchable(app, now),
            life.failures if life is not None else 0,
            self.push_routing.waits_until(app, now),
            self._limits,
        )
        return msgspec.structs.replace(
            self.lifecycle.status(app, now, self.assertions.seconds_left(app, now)),
            subscriptions=self.subscriptions.of_app(app),
            pushes_waiting=self.push_routing.waiting(app),
            tasks=self._tasks(app, now),
            budget=self.budgets.budget(app, now) if self.has_mode(app, TaskKind.REFRESH) else None,
            penalty=borne,
            penalty_until=until,
        )

    def pending(self, app: str) -> tuple[PendingTask, ...]:
        """The scheduled tasks that the app has submitted and that are not over yet (S13)."""
        return self.scheduler.pending(app) + self.continued.pending(app)

    def explain(self, of: str, now: float) -> tuple[Explanation, ...]:
        """Why scheduled tasks do not run: of an app by its id, of an identifier, with ``all`` of everything (S16)."""
        apps = sorted(self.lifecycle.manifests())
        tasks = [task for app in ([of] if of in apps else apps) for task in self._tasks(app, now)]
        return tuple(task for task in tasks if of in ("all", task.app, task.identifier))

    def has_mode(self, app: str, mode: TaskKind) -> bool:
        """Its manifest has it in ``background``."""
        manifest = self.lifecycle.manifest(app)
        return manifest is not None and mode in manifest.background

    def _tasks(self, app: str, now: float) -> tuple[Explanation, ...]:
        return self.scheduler.explain(app, now) + self.continued.explain(app, now)

    def _spread(self, first: ev.Event | ev.Signal, now: float, effects: list[do.Effect]) -> None:
        waiting = deque([first])
        while waiting:
            happened = waiting.popleft()
            for machine in self._machines:
                for out in machine.handle(happened, now):
                    if isinstance(out, ev.Signal):
                        waiting.append(out)
                    else:
                        effects.append(out)
                    if isinstance(out, do.KeepTaskReceipt):
                        waiting.append(ev.TaskReceiptKept(out.receipt.app, out.receipt))

    def _sort(self, outs: list[do.Effect | ev.Signal], now: float, effects: list[do.Effect]) -> None:
        effects += [out for out in outs if isinstance(out, do.Effect)]
        for out in outs:
            if isinstance(out, ev.Signal):
                self._spread(out, now, effects)

    def _not_wakeable(self, app: str) -> str:
        life = self.lifecycle.life(app)
        if life is None:
            return "unknown"
        if life.quit:
            return "quit"
        return "" if self.background.allows(app) else "background running is off"
