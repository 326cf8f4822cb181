"""Scheduled tasks: what an app asks for, why it does not run now, and how each run of it ended (contract S01 – S19)."""

import enum

import msgspec

from frontdesk.terms.conditions import Condition


class TaskKind(enum.StrEnum):
    """What sort of work a scheduled task is; it decides how long it may run, and when."""

    REFRESH = "refresh"
    """Short: have news ready before the person looks (S08, S14)."""
    PROCESSING = "processing"
    """Long: upkeep while nobody uses the machine (S09)."""
    CONTINUED = "continued"
    """Begun by the person in the foreground, goes on when the window is closed, with progress (S18)."""


class Requirement(enum.StrEnum):
    """What a task wants of the machine; not launched without it, expired when it is lost (S10)."""

    NETWORK = "network"
    UNMETERED = "unmetered"
    EXTERNAL_POWER = "external_power"
    IDLE = "idle"
    BATTERY_NOT_LOW = "battery_not_low"


class Growth(enum.StrEnum):
    """How the pause before the next try grows from one failure to the next (S19)."""

    EXPONENTIAL = "exponential"
    """Doubles."""
    LINEAR = "linear"
    """Grows by ``first`` each time."""


class ExistingWork(enum.StrEnum):
    """What becomes of a request that is pending under the same identifier when another is submitted (S04, S19)."""

    REPLACE = "replace"
    KEEP = "keep"
    """The pending one stays as it is; the new one is dropped."""


class Strategy(enum.StrEnum):
    """What to do with a continued task that cannot start at once (S18)."""

    QUEUE = "queue"
    FAIL = "fail"


class Retry(msgspec.Struct, frozen=True):
    """Try again after a failure, by itself; pauses in seconds (S19)."""

    first: float = 30.0
    most: float = 18000.0
    growth: Growth = Growth.EXPONENTIAL

    def pause(self, failures: int) -> float:
        """Seconds before the next try after so many failures in a row (1: the first), at most ``most``."""
        times = 2.0 ** min(failures - 1, 64) if self.growth is Growth.EXPONENTIAL else float(failures)
        return min(self.first * times, self.most)


class _Task(msgspec.Struct, frozen=True, tag_field="kind", omit_defaults=True):
    """What requests have in common. ``identifier``: declared in the manifest (S01)."""

    identifier: str

    @property
    def requires(self) -> frozenset[Requirement]:
        return frozenset(each for each in Requirement if getattr(self, f"requires_{each}", False))


class RefreshTask(_Task, frozen=True, tag="refresh"):
    """Have news ready before the person's usual time; 30 s a launch (S08, S14).

    ``earliest_begin``: seconds since 1970, never run before it (S06); None: at once.
    """

    earliest_begin: float | None = None
    requires_network: bool = False
    requires_unmetered: bool = False
    requires_external_power: bool = False
    requires_battery_not_low: bool = False

    @property
    def kind(self) -> TaskKind:
        return TaskKind.REFRESH


class ProcessingTask(_Task, frozen=True, tag="processing"):
    """Upkeep, 10 min a launch, while nobody uses the machine (S09): idle is required whatever ``requires_idle`` says.

    ``retry``: try again with growing pauses when it completes without success; None: one request, one launch (S05).
    """

    earliest_begin: float | None = None
    requires_network: bool = False
    requires_unmetered: bool = False
    requires_external_power: bool = False
    requires_idle: bool = True
    requires_battery_not_low: bool = False
    retry: Retry | None = None

    @property
    def kind(self) -> TaskKind:
        return TaskKind.PROCESSING

    @property
    def requires(self) -> frozenset[Requirement]:
        return super().requires | {Requirement.IDLE}


class ContinuedTask(_Task, frozen=True, tag="continued"):
    """Work a person began and can see; goes on without the window, until it is done, stalls or is cancelled (S18)."""

    title: str = ""
    subtitle: str = ""
    strategy: Strategy = Strategy.QUEUE

    @property
    def kind(self) -> TaskKind:
        return TaskKind.CONTINUED


TaskRequest = RefreshTask | ProcessingTask | ContinuedTask
"""What ``submit`` takes. Every request has ``identifier``, ``kind`` and ``requires``."""


class TaskState(enum.StrEnum):
    """Where a request is."""

    PENDING = "pending"
    RUNNING = "running"
    """An app has it, or is being launched for it."""


class TaskEnd(enum.StrEnum):
    """How a run of a scheduled task ended; stable on the wire and in receipts."""

    COMPLETED = "completed"
    """``set_task_completed(True)``."""
    FAILED = "failed"
    """``set_task_completed(False)``, without having been expired."""
    TIME_OVER = "time_over"
    """Its time was almost up: expired (S08, S09, S11)."""
    CONDITION_LOST = "condition_lost"
    """A condition that it requires held no longer: expired (S10, S11)."""
    IN_USE = "in_use"
    """The person came back to the machine: expired (S09)."""
    STALLED = "stalled"
    """A continued task told of no progress for too long: expired (S18)."""
    CANCELLED = "cancelled"
    """Cancelled while it ran, by the app or by the person's cancel button: expired (S13, S18)."""
    SIMULATED = "simulated"
    """Expired by hand: ``frontdesk simulate expire`` (S17)."""
    SWITCHED_OFF = "switched_off"
    """The person quit the app or switched background running off: expired (L04, L10)."""
    APP_ENDED = "app_ended"
    """The app ended in the middle of it as often as is tried (L07)."""

    @property
    def words(self) -> str:
        """The same for a person, in a few words."""
        return _ENDED[self]


_ENDED = {
    TaskEnd.COMPLETED: "completed",
    TaskEnd.FAILED: "not successful",
    TaskEnd.TIME_OVER: "its time was over",
    TaskEnd.CONDITION_LOST: "a condition was lost",
    TaskEnd.IN_USE: "the machine was used again",
    TaskEnd.STALLED: "no progress",
    TaskEnd.CANCELLED: "cancelled",
    TaskEnd.SIMULATED: "expired by hand",
    TaskEnd.SWITCHED_OFF: "background running was ended",
    TaskEnd.APP_ENDED: "the app ended over it",
}


EXPIRED = frozenset(
    {
        TaskEnd.TIME_OVER,
        TaskEnd.CONDITION_LOST,
        TaskEnd.IN_USE,
        TaskEnd.STALLED,
        TaskEnd.CANCELLED,
        TaskEnd.SIMULATED,
        TaskEnd.SWITCHED_OFF,
    }
)
"""Ends of a run whose expiration handler was called."""


class TaskReceipt(msgspec.Struct, frozen=True):
    """What is kept of a run of a scheduled task that was expired or given up (L05, S16)."""

    app: str
    identifier: str
    kind: TaskKind
    end: TaskEnd
    at: float
    text: str
    """One sentence for a person: what happened and what to do next."""
    limit: float | None = None
    """Seconds it was allowed, where its time was over."""
    used: float | None = None
    """Seconds it ran."""


class PendingTask(msgspec.Struct, frozen=True):
    """A request that the desk keeps (S13)."""

    request: TaskRequest
    submitted: float
    state: TaskState = TaskState.PENDING
    attempt: int = 1
    """1 on the first launch; grows with each retry and each time the app died over it."""


class Obstacle(enum.StrEnum):
    """Why a request is not running now; stable, one word each (S16)."""

    TOO_EARLY = "too_early"
    """``earliest_begin`` has not come (S06)."""
    RETRY_PAUSE = "retry_pause"
    """It failed, or its app died over it: the pause before the next try (S19, L07)."""
    BACKGROUND_OFF = "background_off"
    """The person switched background running off (L10)."""
    APP_QUIT = "app_quit"
    """The person quit the app and has not opened it since (L04)."""
    APP_FAILED = "app_failed"
    """The app failed when it last ran: the pause before it is launched again (L07)."""
    APP_IN_FRONT = "app_in_front"
    """The person has the app open: it refreshes itself."""
    POWER_SAVER = "power_saver"
    """Power saver is on: nothing opportunistic runs (L12)."""
    BATTERY_CRITICAL = "battery_critical"
    """On battery below the critical level (L12)."""
    NO_NETWORK = "no_network"
    METERED_NETWORK = "metered_network"
    NO_EXTERNAL_POWER = "no_external_power"
    BATTERY_LOW = "battery_low"
    MACHINE_IN_USE = "machine_in_use"
    """Somebody is using the machine (S09)."""
    BUDGET_SPENT = "budget_spent"
    """The app's launches are spread over the day; the next is not due (S15)."""
    WAITS_FOR_HABIT = "waits_for_habit"
    """Shortly before the person's usual time is better (S14)."""
    OTHERS_RUN = "others_run"
    """As many tasks as may run at once are running."""
    APP_BUSY = "app_busy"
    """Another task of the same app and kind is running, or the app is on its way out."""
    DESK_STOPPING = "desk_stopping"

    @property
    def words(self) -> str:
        """The same for a person, in a few words, after which "until 07:15" can stand."""
        return _IN_THE_WAY[self]


_IN_THE_WAY = {
    Obstacle.TOO_EARLY: "too early",
    Obstacle.RETRY_PAUSE: "pause after a failure",
    Obstacle.BACKGROUND_OFF: "background running is off",
    Obstacle.APP_QUIT: "you quit the app",
    Obstacle.APP_FAILED: "pause after the app failed",
    Obstacle.APP_IN_FRONT: "the app is open",
    Obstacle.POWER_SAVER: "power saver is on",
    Obstacle.BATTERY_CRITICAL: "battery almost empty",
    Obstacle.NO_NETWORK: "no network",
    Obstacle.METERED_NETWORK: "network is metered",
    Obstacle.NO_EXTERNAL_POWER: "no external power",
    Obstacle.BATTERY_LOW: "battery low",
    Obstacle.MACHINE_IN_USE: "machine in use",
    Obstacle.BUDGET_SPENT: "launches spread over the day",
    Obstacle.WAITS_FOR_HABIT: "waits for your usual time",
    Obstacle.OTHERS_RUN: "others run",
    Obstacle.APP_BUSY: "the app is busy",
    Obstacle.DESK_STOPPING: "the desk is being stopped",
}


class Reason(msgspec.Struct, frozen=True):
    """One thing that stands in the way of a request (S16)."""

    obstacle: Obstacle
    text: str
    """For a person, with the present value: ``needs external power: on battery, 63 %``."""
    now: str = ""
    """The present value: ``battery``, ``3 of 4 used``; "" where there is none."""
    needs: str = ""
    """The value it waits for."""
    until: float | None = None
    """When it ends by itself; None: nobody can know."""
    forced: bool = False
    """By a condition that ``frontdesk simulate`` put in force."""


class Explanation(msgspec.Struct, frozen=True):
    """Why a request is not running now, and when it will be looked at next (S16)."""

    app: str
    identifier: str
    kind: TaskKind
    state: TaskState
    text: str
    """One sentence for a person."""
    reasons: tuple[Reason, ...] = ()
    """Everything in the way; empty for one that runs, or that starts at once."""
    unknown: tuple[Condition, ...] = ()
    """Conditions it requires that no source can tell; they count as met (S10)."""
    next_look: float | None = None
    """The moment at which it is looked at again whatever happens; None: when one of the reasons changes."""
    submitted: float = 0.0
    attempt: int = 1
    progress: float | None = None
    """Of a continued task, 0 to 1; None: not told yet, or no continued task."""


class Budget(msgspec.Struct, frozen=True):
    """How many launches for refresh an app may have (S15)."""

    per_day: float
    """Refilled evenly over the day; more for an app that is used more."""
    left: float
    """Whole launches it has now are the integer part."""
    next_at: float | None = None
    """When there will be a whole one again; None: there is one now."""
