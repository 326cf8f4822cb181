"""What the core can be told: events from the shells, and signals that its machines send each other.

A machine gets every event and signal through ``handle(happened, now)`` and ignores what is not its own. Values only.
"""

import msgspec

from frontdesk.terms import Manifest, Notification, PushKind, Receipt, StopReason, Verdict, WakeReason
from frontdesk.wire.desk import OpenTask


class Event(msgspec.Struct, frozen=True):
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


class SubscriptionGone(Signal, frozen=True):
    """The app gave it up, or was removed: nothing waits for it any more."""

    app: str
    name: str
    channel: str


class Present(Signal, frozen=True):
    """Show this to the person: on the desktop and in the desk's own list (N03, N05).

    ``cause``: ``about`` of the push that it comes of, for the event list.
    """

    app: str
    notification: Notification
    cause: str = ""
