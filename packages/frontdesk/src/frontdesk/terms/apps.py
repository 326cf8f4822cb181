"""An app: its manifest, the states of its life, why it is woken or stopped, and the receipt of each run."""

import enum
import re

import msgspec

APP_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+){1,9}")
"""An app's id: reversed domain name, two to ten parts, 100 characters at most (``org.example.notes``)."""

APP_ID_MOST = 100


class AppState(enum.StrEnum):
    """Where an app is in its life (contract L02); the moves between them are ``agent.core.life.MOVES``."""

    STOPPED = "stopped"
    LAUNCHING = "launching"
    FOREGROUND = "foreground"
    BACKGROUND = "background"
    SUSPENDED = "suspended"


class StopReason(enum.StrEnum):
    """Why a run of an app ended; stable on the wire and in receipts (contract L05)."""

    QUIT = "quit"
    """The person quit it: no background launches until the person opens it again (L04)."""
    TASK_NOT_ENDED = "task_not_ended"
    """Background time was up and a background task was still open (A06)."""
    TASK_NOT_COMPLETED = "task_not_completed"
    """A scheduled task was expired and not completed within the time for that (S12)."""
    CPU_EXCEEDED = "cpu_exceeded"
    """It used more than its share of a processor in the background (L08)."""
    MEMORY_EXCEEDED = "memory_exceeded"
    """It used more memory in the background than it may (L09)."""
    TOO_MANY_TASKS = "too_many_tasks"
    """More background tasks open than one app may hold (A09)."""
    SUSPENDED_LONG = "suspended_long"
    """It had been suspended for as long as the desk keeps a sleeping process (L03)."""
    MEMORY_PRESSURE = "memory_pressure"
    """The machine needed the memory of the app that slept longest (L03)."""
    LAUNCH_TIMED_OUT = "launch_timed_out"
    """It was launched and did not connect to the desk in time."""
    LAUNCH_FAILED = "launch_failed"
    """Its command could not be started at all."""
    UNREACHABLE = "unreachable"
    """It ran in the background without a connection to the desk and did not come back in time."""
    EXITED = "exited"
    """It ended by itself, with exit status 0."""
    CRASHED = "crashed"
    """It ended by itself, with another exit status or by a signal (L07)."""
    LOGOUT = "logout"
    """The person logged out, or the desk was told to stop."""
    REMOVED = "removed"
    """Its registration was removed."""
    REPLACED = "replaced"
    """A run that the desk had launched was found gone when the desk came back."""

    @property
    def words(self) -> str:
        """The same for a person, in a few words."""
        return _STOPPED[self]


_STOPPED = {
    StopReason.QUIT: "quit",
    StopReason.TASK_NOT_ENDED: "background task not ended in time",
    StopReason.TASK_NOT_COMPLETED: "scheduled task not completed",
    StopReason.CPU_EXCEEDED: "used too much processor time",
    StopReason.MEMORY_EXCEEDED: "used too much memory",
    StopReason.TOO_MANY_TASKS: "too many background tasks",
    StopReason.SUSPENDED_LONG: "slept for long",
    StopReason.MEMORY_PRESSURE: "memory was short",
    StopReason.LAUNCH_TIMED_OUT: "did not connect in time",
    StopReason.LAUNCH_FAILED: "could not be started",
    StopReason.UNREACHABLE: "lost its connection to the desk",
    StopReason.EXITED: "ended by itself",
    StopReason.CRASHED: "crashed",
    StopReason.LOGOUT: "the desk was stopped",
    StopReason.REMOVED: "registration removed",
    StopReason.REPLACED: "gone when the desk came back",
}


class WakeReason(enum.StrEnum):
    """What made the desk launch or thaw an app; it sets the time box (A03)."""

    OPENED = "opened"
    """The person opened it: its icon, a command, a second start."""
    PRESSED = "pressed"
    """The person pressed a notification of it, or a button there."""
    PAGE_VISITED = "page_visited"
    """A browser connected to the page of the sleeping app (L11)."""
    PUSH = "push"
    ENDPOINT_CHANGED = "endpoint_changed"
    TASK = "task"
    """It had begun a background task in the moment in which it was suspended; it goes on with the time it had left."""
    SCHEDULED = "scheduled"
    """A scheduled task is due: refresh or processing (S05)."""
    BY_HAND = "by_hand"
    """Not launched by the desk at all: started in a terminal, say."""


class Receipt(msgspec.Struct, frozen=True):
    """What is kept of a run that ended (L05).

    ``limit`` and ``used`` are seconds, by the reason also bytes, a count, or shares of one processor core.
    """

    app: str
    reason: StopReason
    at: float
    text: str
    """One sentence for a person: what happened and what to do next."""
    limit: float | None = None
    used: float | None = None
    tasks: tuple[str, ...] = ()
    """Names of the background tasks that were open, the first 20."""
    pid: int = 0
    ran_since: float = 0.0

    @property
    def measured(self) -> str:
        """``limit 30 s, used 30.1 s`` for a person; empty where nothing was limited."""
        if not self.limit or not self.used:
            return ""
        times, unit = _MEASURED_IN.get(self.reason, (1.0, "s"))
        return f"limit {self.limit * times:.4g} {unit}, used {self.used * times:.4g} {unit}"


_MEASURED_IN = {
    StopReason.TOO_MANY_TASKS: (1.0, "tasks"),
    StopReason.CPU_EXCEEDED: (100.0, "% of a core"),
    StopReason.MEMORY_EXCEEDED: (2.0**-20, "MiB"),
}
"""What to multiply a receipt's figures with for a person, and the unit they then have; others are seconds."""


class Hold(msgspec.Struct, frozen=True):
    """One thing that keeps an app from being suspended (A11)."""

    kind: str
    """``task``, ``push``, ``opening``, ``endpoint`` (told a new one) or ``settling`` (told of the background)."""
    name: str
    since: float


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an app says of itself in its TOML file.

    ``command`` is the program and its arguments, as the desk launches it. ``page`` = true: the app serves a page,
    and the desk keeps its listening socket (L11). ``background`` lists the modes it may use (``push`` …).
    """

    id: str
    name: str
    command: tuple[str, ...]
    page: bool = False
    background: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
