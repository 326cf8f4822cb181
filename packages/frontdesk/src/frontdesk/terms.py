"""The nouns of frontdesk as frozen values: what apps, desk and push service all mean by a word.

Rule of this file: values only. No I/O, no clock, no behaviour beyond what a value can say of itself; it imports
nothing of frontdesk. Times are seconds since 1970 (``float``), durations are seconds (``float``).
"""

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


class Refusal(enum.StrEnum):
    """Why a request was not done; stable on the wire. ``errors`` gives each its sentence."""

    BAD_REQUEST = "bad_request"
    TOO_LARGE = "too_large"
    TOO_FAST = "too_fast"
    TOO_MANY = "too_many"
    VERSION = "version"
    NOT_PERMITTED = "not_permitted"
    UNKNOWN_APP = "unknown_app"
    WRONG_TOKEN = "wrong_token"
    ALREADY_RUNNING = "already_running"
    UNAVAILABLE = "unavailable"
    """Background running is switched off for this app, or for all (L10)."""
    STORE_UNAVAILABLE = "store_unavailable"
    """The desk could not write to its store (a full disk, say); nothing was accepted."""
    PUSH_UNAVAILABLE = "push_unavailable"
    """No push service is set, or it cannot be reached now."""
    BAD_MANIFEST = "bad_manifest"


class PushKind(enum.StrEnum):
    """What a push of a subscription may do; a property of the subscription that no sender can raise (P01)."""

    ALERT = "alert"
    """Shown by the desk without waking the app."""
    CHANGEABLE_ALERT = "changeable_alert"
    """First given to the app, which says what to show; fallback when it does not (P02)."""


class Verdict(enum.StrEnum):
    """An app's answer to a changeable alert (P02)."""

    SHOW_THIS = "show_this"
    SHOW_AS_IT_IS = "show_as_it_is"
    SHOW_NOTHING = "show_nothing"


class Level(enum.StrEnum):
    """How much a notification may disturb (N01)."""

    PASSIVE = "passive"
    ACTIVE = "active"
    TIME_SENSITIVE = "time_sensitive"
    CRITICAL = "critical"


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
    BY_HAND = "by_hand"
    """Not launched by the desk at all: started in a terminal, say."""


class Action(msgspec.Struct, frozen=True):
    """A button of a notification. ``id`` comes back to the app when it is pressed (N04)."""

    id: str
    title: str


class Notification(msgspec.Struct, frozen=True):
    """What the person is shown. Same ``id`` as one that is shown: replaces it (N03)."""

    id: str
    title: str
    body: str = ""
    level: Level = Level.ACTIVE
    actions: tuple[Action, ...] = ()


class Subscription(msgspec.Struct, frozen=True):
    """Where senders push to (RFC 8030 push resource, RFC 8291 keys).

    ``p256dh`` (65 bytes, uncompressed P-256 point) and ``auth`` (16 bytes) are base64url without padding, as
    browsers give them. ``name`` is the app's own word for it, unique in the app.
    """

    name: str
    kind: PushKind
    endpoint: str
    p256dh: str
    auth: str


class Receipt(msgspec.Struct, frozen=True):
    """What is kept of a run that ended (L05); ``limit`` and ``used`` are seconds, bytes or a count, by the reason."""

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
        unit = "tasks" if self.reason is StopReason.TOO_MANY_TASKS else "s"
        return f"limit {self.limit:g} {unit}, used {self.used:.4g} {unit}"


class Hold(msgspec.Struct, frozen=True):
    """One thing that keeps an app from being suspended (A11)."""

    kind: str
    """``task``, ``push``, ``opening``, ``endpoint`` (told a new one) or ``settling`` (told of the background)."""
    name: str
    since: float


class SubscriptionStatus(msgspec.Struct, frozen=True):
    """A subscription of an app as the desk sees it; its endpoint and keys stay with the app."""

    name: str
    kind: PushKind
    registered: bool
    """The push service has given it an endpoint."""


class AppStatus(msgspec.Struct, frozen=True):
    """One row of ``frontdesk status``: an app as the desk sees it now."""

    app: str
    name: str
    state: AppState
    since: float
    quit: bool = False
    pid: int = 0
    seconds_left: float | None = None
    """Background time left; None where time does not run (foreground, suspended, stopped)."""
    holds: tuple[Hold, ...] = ()
    page: str = ""
    """Address of the app's page without any secret, or empty."""
    last_receipt: Receipt | None = None
    launches: int = 0
    """How often the desk launched it since the desk's own start."""
    subscriptions: tuple[SubscriptionStatus, ...] = ()
    pushes_waiting: int = 0
    """Pushes that the app has not answered yet, those it is working on included."""


class Happening(msgspec.Struct, frozen=True):
    """One line of the desk's event list: what it saw or did, in words."""

    at: float
    app: str
    what: str
    """A stable word: ``launched``, ``suspended``, ``thawed``, ``push``, ``task_begun`` …"""
    text: str
    about: str = ""
    """Which push, task or notification: lines about the same one bear the same word."""
    name: str = ""
    """What that is called: the subscription, the background task, the title."""
    why: str = ""
    """A ``WakeReason``, ``StopReason`` or ``Verdict`` where there is one; else a few words."""
    cause: str = ""
    """``about`` of what it came of: of a notification, the push."""
    number: int = 0
    """In the order in which the desk saw and did things, through its restarts."""
    count: int = 1
    """So many of the same came in a row, this being the first: a burst of pushes is one line."""


class Span(msgspec.Struct, frozen=True):
    """A stretch of time that an app spent in one state."""

    app: str
    state: AppState
    since: float
    until: float | None = None
    """None: it is in it still."""
    why: str = ""
    """The ``WakeReason`` of one that ran unseen (``left``: a person saw it before), ``StopReason`` of one stopped."""
    holds: tuple[Hold, ...] = ()
    """What kept it from being suspended, the first few."""


class Shown(msgspec.Struct, frozen=True):
    """A notification in the desk's own list (N05)."""

    app: str
    at: float
    notification: Notification


class DeskStatus(msgspec.Struct, frozen=True):
    """All that ``frontdesk status`` shows."""

    now: float
    pid: int
    version: str
    apps: tuple[AppStatus, ...]
    shown: tuple[Shown, ...]
    happenings: tuple[Happening, ...]
    push_service: str = ""
    push_state: str = "off"
    """``off``, ``connecting``, ``connected`` or ``waiting`` (between attempts)."""
    trouble: str = ""
    """What is wrong with the desk itself now (store full, say) and what to do; else empty."""
    restarted: Happening | None = None
    """How the desk before this one ended, if not in order; ``at`` is when this one took over.

    ``what`` is ``failed`` (a part of it did), ``killed`` (it left no word) or ``keeper_lost``.
    """
    since: float = 0.0
    """When this desk was started."""
    spans: tuple[Span, ...] = ()
    """The states of each app over the last minutes, as far as they are remembered; by app and time."""


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
