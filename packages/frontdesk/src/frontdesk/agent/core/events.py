"""What the core can be told: events from the shells, and signals that its machines send each other.

A machine gets every event and signal through ``handle(happened, now)`` and ignores what is not its own. Values only.
"""

import msgspec

from frontdesk.terms import (
    Condition,
    ExistingWork,
    Manifest,
    Notification,
    PushKind,
    Receipt,
    StopReason,
    TaskReceipt,
    TaskRequest,
    Verdict,
    WakeReason,
)
from frontdesk.wire.desk import OpenTask


class Event(msgspec.Struct, frozen=True, tag=True):
    """Something a shell saw."""


class Report(Event, frozen=True):
    """Something an app said: it runs, and has read what it was sent before."""

    app: str


class Signal(msgspec.Struct, frozen=True):
    """Something a machine says to the others. Handled before the next event."""


# --- events: the registry and people ------------------------------------------------------------------------------


class AppAdded(Event, frozen=True):
    manifest: Manifest


class AppRemoved(Event, frozen=True):
    app: str


class SubscriptionsLost(Event, frozen=True):
    """What the desk knew of the app is gone with a broken database, and with it where it is pushed to (P01)."""

    app: str


class OpenAsked(Event, frozen=True):
    """The person opens the app (command, notification, second start)."""

    app: str


class QuitAsked(Event, frozen=True):
    app: str


class PageVisited(Event, frozen=True):
    """A browser connected to the page of a sleeping app (L11)."""

    app: str


class ActAsked(Event, frozen=True):
    """A notification or one of its buttons was pressed (N04)."""

    app: str
    notification: str
    action: str


class AnswerAsked(Event, frozen=True):
    """Whoever asked for what was posted just before is to be answered once that is kept (L06)."""

    asker: int
    request: int


class DismissAsked(Event, frozen=True):
    app: str
    notification: str


class OnDesktop(Event, frozen=True):
    """What came of a notification that the desktop was to show: what stands there now has this number.

    0: nothing stands, it is in the desk's own list only. ``service`` says who gave the number, and is no other's ever
    after; to another the same number is somebody else's bubble.
    """

    app: str
    notification: Notification
    service: str
    number: int


class OffDesktop(Event, frozen=True):
    """Nothing of it stands on the desktop any more: closed, withdrawn, its time over."""

    app: str
    notification: str


# --- events: processes and connections ----------------------------------------------------------------------------


class Launched(Event, frozen=True):
    """``started``: start of the process in clock ticks since boot, which with ``pid`` names it for good."""

    app: str
    token: str
    """Of the launch that this is the answer to."""
    pid: int
    started: int


class LaunchFailed(Event, frozen=True):
    """``token``: as in ``Launched``."""

    app: str
    token: str
    text: str


class Exited(Event, frozen=True):
    """A process is gone. ``status``: exit status, negative for a signal, None when nobody can know.

    Whatever is not None comes from the keeper, which repeats it to the next desk until it has heard ``ExitSeen``.
    """

    app: str
    pid: int
    status: int | None


class Connected(Event, frozen=True):
    """An admitted app said hello. ``started``: as in ``Launched``."""

    app: str
    pid: int
    started: int
    run: str
    launched: bool
    """It brought the token of its launch; else it was started by hand."""
    foreground: bool
    tasks: tuple[OpenTask, ...] = ()
    pushes: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    page: str = ""
    version: int = 1


class Disconnected(Event, frozen=True):
    """The connection of an app ended; its process may well be there."""

    app: str


class Survived(Event, frozen=True):
    """After a restart of the desk: the process of this app is still there."""

    app: str
    child: bool
    """It is a child of our keeper, so its page's socket is kept and its exit will be reported."""


class MemoryShort(Event, frozen=True):
    """The machine is short of memory (L03)."""


class Consumed(Event, frozen=True):
    """The answer to ``Measure``: what the app and its children have used so far, and hold now (L08, L09).

    ``cpu``: seconds of processor time since an arbitrary beginning, never less than before for the same run; ``memory``
    in bytes. None: it cannot be told. ``pid``: of the process that was meant.
    """

    app: str
    pid: int
    cpu: float | None
    memory: int | None


class DeskStarted(Event, frozen=True):
    """All that was saved is restored and survivors are told; from now on decisions are carried out."""


class Noticed(Event, frozen=True):
    """A shell has something for the event list; an event, so that it stands behind what came before it."""

    app: str
    what: str
    text: str
    why: str = ""


class DeskStopping(Event, frozen=True):
    """The person logs out, or stops the desk: end every app (L03)."""


class TimePassed(Event, frozen=True):
    """The moment a machine asked for has come."""


# --- events: the machine ------------------------------------------------------------------------------------------


class ConditionSeen(Event, frozen=True):
    """A source tells what a condition is; "" when it cannot tell any more (it has vanished, say)."""

    condition: Condition
    value: str
    source: str


class ConditionForced(Event, frozen=True):
    """The person puts a condition in force, whatever its source says (``frontdesk simulate condition``)."""

    condition: Condition
    value: str


class ConditionLifted(Event, frozen=True):
    """What the source says counts again; None: for all conditions."""

    condition: Condition | None


class WallClock(Event, frozen=True):
    """The wall clock is ``ahead`` seconds of ``now`` from here on: at the start, and whenever somebody set it (S07).

    ``utc_offset``: seconds that local time is east of UTC, for the hour of the week (S14).
    """

    ahead: float
    utc_offset: float

    @property
    def whole_ahead(self) -> int:
        """``ahead`` in the saved forms of moments: they are in wall time, with which the next desk begins its own.

        Whole seconds: two clocks are never read in one moment, and not for that is everything saved again.
        """
        return round(self.ahead)


class SleepComing(Event, frozen=True):
    """The machine is about to sleep; the desk holds it up for a few seconds at most."""


class MachineSlept(Event, frozen=True):
    """The machine slept for so many seconds, which ``now`` has counted: nobody could use time in which nothing ran."""

    seconds: float


class BackgroundSwitched(Event, frozen=True):
    """The person lets an app (``*``: all) run in the background, or not (L10)."""

    app: str
    on: bool


# --- events: what apps report and ask -----------------------------------------------------------------------------


class WentForeground(Report, frozen=True):
    """A person can see it."""


class WentBackground(Report, frozen=True):
    """Nobody can see it any more."""


class SaidReady(Report, frozen=True):
    transition: int


class TaskBegun(Report, frozen=True):
    task: int
    name: str


class TaskEnded(Report, frozen=True):
    task: int


class SubscribeAsked(Report, frozen=True):
    """``asker`` gets the answer with ``request``. Channel id and keys are fresh; unused when the name is known."""

    asker: int
    request: int
    name: str
    kind: PushKind
    fallback: Notification | None
    channel: str
    private_key: str
    p256dh: str
    auth: str


class UnsubscribeAsked(Report, frozen=True):
    asker: int
    request: int
    name: str


class PushAnswered(Report, frozen=True):
    push: str
    verdict: Verdict
    notification: Notification | None


class NotifyAsked(Report, frozen=True):
    asker: int
    request: int
    notification: Notification


class WithdrawAsked(Report, frozen=True):
    asker: int
    request: int
    notification: str


class SubmitAsked(Report, frozen=True):
    asker: int
    request: int
    task: TaskRequest
    existing: ExistingWork
    submission: str = ""
    """Names it, so that what is asked again counts once; "": nobody says."""


class CancelAsked(Report, frozen=True):
    """None named: all of the app."""

    asker: int
    request: int
    identifiers: frozenset[str]


class RunCompleted(Report, frozen=True):
    run: str
    success: bool


class ProgressTold(Report, frozen=True):
    run: str
    done: float
    total: float
    title: str
    subtitle: str


class SimulateAsked(Event, frozen=True):
    """Launch (or expire) a task by hand (S17). ``app``: "" where only one has the identifier."""

    asker: int
    request: int
    identifier: str
    app: str
    expire: bool


# --- events: the push connection ----------------------------------------------------------------------------------


class PushLinkUp(Event, frozen=True):
    uaid: str
    changed: bool
    """The push service knows us under a new name: every subscription must be registered again."""


class PushLinkDown(Event, frozen=True):
    text: str
    retry_in: float


class ChannelRegistered(Event, frozen=True):
    channel: str
    endpoint: str


class ChannelRefused(Event, frozen=True):
    channel: str
    text: str


class PushArrived(Event, frozen=True):
    """``data`` is decrypted, or None when it could not be (P11). ``ttl``: seconds it stays of use, None: unknown."""

    channel: str
    version: str
    data: bytes | None
    ttl: float | None


# --- signals ------------------------------------------------------------------------------------------------------


class HoldOn(Signal, frozen=True):
    """Keep the app from being suspended until ``LetGo`` with the same key (A11)."""

    app: str
    kind: str
    key: str
    name: str


class LetGo(Signal, frozen=True):
    app: str
    kind: str
    key: str


class Wake(Signal, frozen=True):
    """Have the app running and connected; ``Awake`` follows when it is (at once when it is already)."""

    app: str
    why: WakeReason


class Stop(Signal, frozen=True):
    """End the app's process now, with a receipt."""

    app: str
    reason: StopReason
    text: str
    limit: float | None = None
    used: float | None = None
    tasks: tuple[str, ...] = ()


class Awake(Signal, frozen=True):
    """The app runs and is connected: messages reach it. ``fresh``: it was not so a moment ago."""

    app: str
    why: WakeReason
    fresh: bool


class Unreached(Signal, frozen=True):
    """The app runs in front of the person, but without a connection, and has not come back in time."""

    app: str


class CameForeground(Signal, frozen=True):
    app: str


class LeftForeground(Signal, frozen=True):
    app: str


class Slept(Signal, frozen=True):
    """The app is suspended."""

    app: str


class Ended(Signal, frozen=True):
    """The app has no process any more."""

    app: str
    receipt: Receipt


class BoxOver(Signal, frozen=True):
    """Background time is up, and no task is open: whatever else held the app holds it no longer."""

    app: str


class ConditionChanged(Signal, frozen=True):
    """The condition is another from here on: seen, forced or lifted."""

    condition: Condition


class GiveTime(Signal, frozen=True):
    """The app may run in the background for at least so many seconds from now: it works on scheduled tasks (S08)."""

    app: str
    seconds: float


class FreeOfCpuLimit(Signal, frozen=True):
    """While ``on`` for anybody the app may use all processor time (L08).

    ``by``: which kind of work it is for, "scheduled" or "continued".
    """

    app: str
    by: str
    on: bool


class Simulate(Signal, frozen=True):
    """Launch (or expire) this task of this app by hand; whoever has it does so. ``SimulateAsked`` is answered (S17)."""

    app: str
    identifier: str
    expire: bool


class AvailabilityChanged(Signal, frozen=True):
    """Whether the app may be launched in the background has changed: quit, opened again, switched off, failing (L04).

    ``lifecycle.not_launchable`` says how it stands. Also told of an app that is registered while it may not.
    """

    app: str


class TaskReceiptKept(Signal, frozen=True):
    """A run of a scheduled task was expired or given up; its app hears of it in its next welcome."""

    app: str
    receipt: TaskReceipt


class SubscriptionGone(Signal, frozen=True):
    """The app gave it up, or was removed: nothing waits for it any more."""

    app: str
    name: str
    channel: str


class Present(Signal, frozen=True):
    """Show this to the person: on the desktop and in the desk's own list (N03, N05).

    ``cause``: ``about`` of the push that it comes of, for the event list. ``quiet``: no news, it has no line there.
    """

    app: str
    notification: Notification
    cause: str = ""
    quiet: bool = False


class Withdraw(Signal, frozen=True):
    """What the desk has presented is not to be seen any more (N03)."""

    app: str
    notification: str
