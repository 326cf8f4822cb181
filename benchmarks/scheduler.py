"""What 100,000 pending requests cost the scheduler, against 1,000: run ``python benchmarks/scheduler.py``.

Claims: submitting, cancelling, a condition that changes, and asking for the next wake-up cost O(log n), so that a
hundred times as many requests take less than eight times as long each (three times at most when it was written); and a
desk on which nothing can run just now asks for no wake-up at all. Exit status 1 when one of them does not hold.
``--few N --many N`` for other numbers.
"""

import argparse
import itertools
import statistics
import sys
import time
from collections.abc import Callable

from frontdesk.agent.core import events as ev
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.machine.conditions import Conditions
from frontdesk.agent.core.scheduled.budgets import Budgets
from frontdesk.agent.core.scheduled.habit import Habit
from frontdesk.agent.core.scheduled.obstacles import NotLaunchable
from frontdesk.agent.core.scheduled.scheduler import Scheduler
from frontdesk.terms import AppState, Condition, ExistingWork, Manifest, ProcessingTask

NOW = 1_700_000_000.0
PER_APP = 10
RATIO = 8.0
ROUNDS = 2000


class Apps:
    """So many apps that all may run, and do not."""

    tasks = tuple(f"task{number}" for number in range(PER_APP))

    def manifest(self, app: str) -> Manifest:
        return Manifest(app, app, ("x",), background=("processing",), tasks=self.tasks)

    def state(self, app: str) -> AppState:
        return AppState.STOPPED

    def background_available(self, app: str) -> bool:
        return True

    def not_launchable(self, app: str, now: float) -> NotLaunchable | None:
        return None


class Desk:
    """A scheduler with ``pending`` requests, ten for each app; somebody uses the machine, so none of them runs."""

    def __init__(self, pending: int) -> None:
        self.conditions = Conditions()
        limits, numbers = Limits(), itertools.count()
        habit = Habit(limits)
        self.scheduler = Scheduler(
            limits,
            lambda: f"run{next(numbers)}",
            Apps(),
            self.conditions,
            Budgets(limits, habit.use),
            habit,
            lambda *_: [],
        )
        self.conditions.handle(ev.ConditionSeen(Condition.IDLE, "no", "benchmark"), NOW)
        self.tell(ev.DeskStarted())
        self.apps = [f"org.example.app{number}" for number in range(pending // PER_APP)]
        for position, app in enumerate(self.apps):
            for task in Apps.tasks:
                self.submit(app, task, position)

    def tell(self, happened: ev.Event | ev.Signal) -> None:
        self.scheduler.handle(happened, NOW)
        self.scheduler.saves()

    def submit(self, app: str, task: str, position: int) -> None:
        begin = NOW + 60.0 + (position * 7919) % 86400
        request = ProcessingTask(task, earliest_begin=begin, requires_network=bool(position % 2))
        self.tell(ev.SubmitAsked(app, 1, 1, request, ExistingWork.REPLACE))

    def flip(self, turn: int) -> None:
        """Online, offline, and so on: half of the classes open and close. Nobody goes: nothing is due yet."""
        value = "online" if turn % 2 else "offline"
        for out in self.conditions.handle(ev.ConditionSeen(Condition.NETWORK, value, "benchmark"), NOW):
            if isinstance(out, ev.Signal):
                self.tell(out)


def seconds_each(act: Callable[[int], object]) -> float:
    """Median of ten measurements, so that what else the machine does counts for little."""
    measured: list[float] = []
    for part in range(10):
        begun = time.perf_counter()
        for turn in range(ROUNDS // 10):
            act(part * (ROUNDS // 10) + turn)
        measured.append((time.perf_counter() - begun) / (ROUNDS // 10))
    return statistics.median(measured)


def measured(desk: Desk) -> dict[str, float]:
    """Seconds for one of each operation."""

    def some_app(turn: int) -> str:
        return desk.apps[(turn * 104729) % len(desk.apps)]

    def submit(turn: int) -> None:
        desk.submit(some_app(turn), "task3", turn)

    def cancel(turn: int) -> None:
        desk.tell(ev.CancelAsked(some_app(turn), 1, 1, frozenset({"task3"})))

    def idle_changes(turn: int) -> None:
        value = "no" if turn % 2 else "yes"
        for out in desk.conditions.handle(ev.ConditionSeen(Condition.IDLE, value, "benchmark"), NOW):
            if isinstance(out, ev.Signal):
                desk.tell(out)

    return {
        "submit (replaces)": seconds_each(submit),
        "cancel": seconds_each(cancel),
        "network comes or goes": seconds_each(desk.flip),
        "the machine is idle or not": seconds_each(idle_changes),
        "next wake-up": seconds_each(lambda _: desk.scheduler.next_wake()),
    }


def main() -> int:
    """Print the table; 0 when the claims hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--few", type=int, default=1_000, help="pending requests of the smaller desk")
    parser.add_argument("--many", type=int, default=100_000, help="pending requests of the larger desk")
    asked = parser.parse_args()
    begun = time.perf_counter()
    few, many = Desk(asked.few), Desk(asked.many)
    print(f"{asked.few:,} and {asked.many:,} requests submitted in {time.perf_counter() - begun:.1f} s")
    idle = many.scheduler.next_wake() is None and few.scheduler.next_wake() is None
    holds = idle
    print(f"wake-ups that an idle desk asks for: {'none' if idle else 'some'}")
    small, large = measured(few), measured(many)
    for what, once in small.items():
        ratio = large[what] / once
        holds = holds and ratio < RATIO
        print(f"{what:28} {once * 1e6:8.1f} µs {large[what] * 1e6:8.1f} µs   × {ratio:.2f}")
    print("holds" if holds else f"does not hold: less than × {RATIO:g} and no wake-up is claimed")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
