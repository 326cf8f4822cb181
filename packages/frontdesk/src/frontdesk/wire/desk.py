"""The messages between an app (or ``frontdesk status`` and its like) and the desk, typed; bytes ↔ values, no I/O.

Either side opens with its hello; the desk answers ``Welcome`` or ``Refused``. Requests carry a number of the asker's
choosing (from 1), and exactly one answer carries it back. The rest are reports, which nobody answers.
"""

from typing import Any

import msgspec

from frontdesk.errors import WireError
from frontdesk.terms import (
    Budget,
    Condition,
    DeskStatus,
    ExistingWork,
    Explanation,
    Manifest,
    Notification,
    PendingTask,
    PushKind,
    Receipt,
    Refusal,
    Subscription,
    TaskEnd,
    TaskKind,
    TaskReceipt,
    TaskRequest,
    Verdict,
    WakeReason,
)

NEWEST = 2
OLDEST = 1
"""Protocol versions this code speaks (contract X03): the newest both know is used.

2 added scheduled tasks, conditions and the switch for background running. ``wire.versions`` says what may be sent to a
peer that speaks an older one.
"""


class _Message(msgspec.Struct, frozen=True, tag_field="is", array_like=False, omit_defaults=True):
    pass


# --- either side opens ------------------------------------------------------------------------------------------


class OpenTask(msgspec.Struct, frozen=True):
    """A background task that is open in the app when it connects again (A13)."""

    task: int
    name: str


class Hello(_Message, frozen=True, tag="hello"):
    """An app says who it is. ``token``: from its launch; without one it is taken for its registered command (X01).

    The listening socket of its page, if it has one, comes as a file descriptor beside this frame.
    """

    app: str
    run: str
    """Random, the same for all connections of one process: tells a reconnect from a second start (X04)."""
    oldest: int
    newest: int
    token: str = ""
    manifest: str = ""
    """Path of its manifest; used when the desk does not know the app yet."""
    python: str = ""
    """The Python that runs it, absolute: what ``python3`` in its manifest means."""
    page: str = ""
    """Address of its page, without any secret."""
    foreground: bool = False
    tasks: tuple[OpenTask, ...] = ()
    pushes: tuple[str, ...] = ()
    """Ids of pushes it was given and is still working on, or has answered without hearing that the answer was kept."""
    runs: tuple[str, ...] = ()
    """Runs of scheduled tasks that it works on, or has completed without hearing that this was kept (L07)."""


class ControlHello(_Message, frozen=True, tag="control"):
    """A program of the person that looks at or steers the desk: the command line, a status page."""

    oldest: int
    newest: int


# --- app → desk -------------------------------------------------------------------------------------------------


class Foreground(_Message, frozen=True, tag="foreground"):
    """A person can see the app now."""


class Background(_Message, frozen=True, tag="background"):
    """Nobody can see the app any more."""


class Ready(_Message, frozen=True, tag="ready"):
    """The app has done what it wanted to do on ``EnteredBackground`` number ``transition`` (L01)."""

    transition: int


class BeginTask(_Message, frozen=True, tag="begin_task"):
    task: int
    name: str


class EndTask(_Message, frozen=True, tag="end_task"):
    task: int


class Subscribe(_Message, frozen=True, tag="subscribe"):
    request: int
    name: str
    kind: PushKind
    fallback: Notification | None = None


class Unsubscribe(_Message, frozen=True, tag="unsubscribe"):
    request: int
    name: str


class PushAnswer(_Message, frozen=True, tag="push_answer"):
    push: str
    verdict: Verdict
    notification: Notification | None = None


class Notify(_Message, frozen=True, tag="notify"):
    request: int
    notification: Notification


class Withdraw(_Message, frozen=True, tag="withdraw"):
    request: int
    notification: str


class SubmitTask(_Message, frozen=True, tag="submit_task"):
    """Ask for a scheduled task. ``Done``, or ``Refused`` with the reason (S01, S03, S18)."""

    request: int
    task: TaskRequest
    existing: ExistingWork = ExistingWork.REPLACE
    submission: str = ""
    """Of the app's choosing; the same when it asks again since the desk died over its answer: it counts once (S05)."""


class CancelTasks(_Message, frozen=True, tag="cancel_tasks"):
    """Withdraw requests, those that run included; none named: all of the app (S13)."""

    request: int
    identifiers: tuple[str, ...] = ()


class ListTasks(_Message, frozen=True, tag="list_tasks"):
    request: int


class ExplainTasks(_Message, frozen=True, tag="explain_tasks"):
    """Why the app's own requests do not run now (S16). Answered by ``ExplanationsAre``."""

    request: int


class GetBudget(_Message, frozen=True, tag="get_budget"):
    request: int


class CompleteTask(_Message, frozen=True, tag="complete_task"):
    """``set_task_completed`` (S12). Repeated after a reconnect until ``RunKept`` has come."""

    run: str
    success: bool


class TellProgress(_Message, frozen=True, tag="tell_progress"):
    """Of a continued task: so much of ``total`` is done (S18)."""

    run: str
    done: float
    total: float
    title: str = ""
    subtitle: str = ""


class ShowAddress(_Message, frozen=True, tag="show_address"):
    """Open this web address in the person's browser, which must not descend from the app."""

    request: int
    address: str


class OpenFirst(_Message, frozen=True, tag="open_first"):
    """A second start of the app asks that the first be opened instead (X04). Sent in place of ``Hello``."""

    app: str
    oldest: int
    newest: int


# --- a program that steers → desk ---------------------------------------------------------------------------------


class GetStatus(_Message, frozen=True, tag="get_status"):
    request: int


class Watch(_Message, frozen=True, tag="watch"):
    """Send ``StatusIs`` with this request number now and after every change, until the connection ends."""

    request: int


class OpenApp(_Message, frozen=True, tag="open_app"):
    request: int
    app: str


class QuitApp(_Message, frozen=True, tag="quit_app"):
    request: int
    app: str


class GetReceipts(_Message, frozen=True, tag="get_receipts"):
    request: int
    app: str


class Explain(_Message, frozen=True, tag="explain"):
    """Why tasks do not run: of an app by its id, of an identifier, or with ``all`` of everything (S16)."""

    request: int
    of: str = "all"


class GetTaskReceipts(_Message, frozen=True, tag="get_task_receipts"):
    """Which runs of its scheduled tasks were expired or given up, newest first."""

    request: int
    app: str


class SimulateLaunch(_Message, frozen=True, tag="simulate_launch"):
    """Launch a pending task now, whatever stands in its way (S17). ``app``: whose, where several have it."""

    request: int
    identifier: str
    app: str = ""


class SimulateExpire(_Message, frozen=True, tag="simulate_expire"):
    """Expire a running task now (S17)."""

    request: int
    identifier: str
    app: str = ""


class ForceCondition(_Message, frozen=True, tag="force_condition"):
    """Take the condition to be ``value``, whatever its source says, until lifted."""

    request: int
    condition: Condition
    value: str


class LiftCondition(_Message, frozen=True, tag="lift_condition"):
    """What its source says counts again; None: of all conditions."""

    request: int
    condition: Condition | None = None


class SwitchBackground(_Message, frozen=True, tag="switch_background"):
    """Let an app run in the background, or not; ``*``: all (L10)."""

    request: int
    app: str
    on: bool


class AddApp(_Message, frozen=True, tag="add_app"):
    """``python``: what ``python3`` in the manifest means, absolute."""

    request: int
    manifest: str
    python: str = ""


class RemoveApp(_Message, frozen=True, tag="remove_app"):
    request: int
    app: str


class ListApps(_Message, frozen=True, tag="list_apps"):
    request: int


class Act(_Message, frozen=True, tag="act"):
    """Press a button (or, with ``""``, the body) of a notification in the desk's own list (N04, N05)."""

    request: int
    app: str
    notification: str
    action: str = ""


class Dismiss(_Message, frozen=True, tag="dismiss"):
    request: int
    app: str
    notification: str


# --- desk → app ---------------------------------------------------------------------------------------------------


class Welcome(_Message, frozen=True, tag="welcome"):
    version: int
    desk: str
    why: WakeReason = WakeReason.BY_HAND
    background_available: bool = True
    receipts: tuple[Receipt, ...] = ()
    """Runs that ended since the app was last told (L05)."""
    task_receipts: tuple[TaskReceipt, ...] = ()
    """Runs of its scheduled tasks that were expired or given up since then."""
    declared: tuple[str, ...] = ()
    """Identifiers of scheduled tasks that the app's manifest declares (S01)."""


class BackgroundIs(_Message, frozen=True, tag="background_is"):
    """The person has switched background running on or off for the app (L10)."""

    available: bool


class TaskRun(msgspec.Struct, frozen=True):
    """One delivery of a scheduled task. ``run`` names it; the app completes it by that."""

    run: str
    identifier: str
    kind: TaskKind
    attempt: int = 1


class RunTasks(_Message, frozen=True, tag="run_tasks"):
    """Do these now; each is to be completed (S12). ``seconds``: for all of them together (S08); None: no limit."""

    runs: tuple[TaskRun, ...]
    seconds: float | None


class ExpireRuns(_Message, frozen=True, tag="expire_runs"):
    """Come to an end with these: their expiration handlers have ``seconds`` together (S11)."""

    runs: tuple[str, ...]
    why: TaskEnd
    seconds: float


class RunKept(_Message, frozen=True, tag="run_kept"):
    """That this run is completed is kept; the app may forget it."""

    run: str


class Refused(_Message, frozen=True, tag="refused"):
    """The answer no. ``request`` 0: it is about the connection, which ends."""

    reason: Refusal
    text: str
    request: int = 0


class EnteredBackground(_Message, frozen=True, tag="entered_background"):
    transition: int


class TimeBox(_Message, frozen=True, tag="time_box"):
    """Background time left from now on, in seconds; None: unlimited, the app is in the foreground (A03)."""

    seconds: float | None


class Resumed(_Message, frozen=True, tag="resumed"):
    slept_for: float


class ExpireTasks(_Message, frozen=True, tag="expire_tasks"):
    tasks: tuple[int, ...]
    seconds: float
    """What is left for all their handlers together (A07)."""


class TaskProblem(_Message, frozen=True, tag="task_problem"):
    task: int
    text: str


class Push(_Message, frozen=True, tag="push"):
    push: str
    subscription: str
    data: bytes
    received_at: float


class PushKept(_Message, frozen=True, tag="push_kept"):
    """The answer to this push is kept; the app may forget it."""

    push: str


class SubscriptionChanged(_Message, frozen=True, tag="subscription_changed"):
    subscription: Subscription


class Open(_Message, frozen=True, tag="open"):
    """The person wants to see the app."""


class Pressed(_Message, frozen=True, tag="pressed"):
    notification: str
    action: str


class Quit(_Message, frozen=True, tag="quit"):
    """The person quits the app: finish and leave within ``seconds``."""

    seconds: float


# --- answers ------------------------------------------------------------------------------------------------------


class Done(_Message, frozen=True, tag="done"):
    request: int


class Subscribed(_Message, frozen=True, tag="subscribed"):
    request: int
    subscription: Subscription


class StatusIs(_Message, frozen=True, tag="status_is"):
    request: int
    status: DeskStatus


class ReceiptsAre(_Message, frozen=True, tag="receipts_are"):
    request: int
    receipts: tuple[Receipt, ...]


class TasksAre(_Message, frozen=True, tag="tasks_are"):
    request: int
    tasks: tuple[PendingTask, ...]


class BudgetIs(_Message, frozen=True, tag="budget_is"):
    request: int
    budget: Budget


class ExplanationsAre(_Message, frozen=True, tag="explanations_are"):
    request: int
    explanations: tuple[Explanation, ...]
    more: int = 0
    """So many more than one answer holds; to be asked for app by app."""


class TaskReceiptsAre(_Message, frozen=True, tag="task_receipts_are"):
    request: int
    receipts: tuple[TaskReceipt, ...]


class AppsAre(_Message, frozen=True, tag="apps_are"):
    request: int
    manifests: tuple[Manifest, ...]


FromApp = (
    Foreground
    | Background
    | Ready
    | BeginTask
    | EndTask
    | Subscribe
    | Unsubscribe
    | PushAnswer
    | Notify
    | Withdraw
    | SubmitTask
    | CancelTasks
    | ListTasks
    | ExplainTasks
    | GetBudget
    | CompleteTask
    | TellProgress
    | ShowAddress
)
FromControl = (
    GetStatus
    | Watch
    | OpenApp
    | QuitApp
    | GetReceipts
    | GetTaskReceipts
    | Explain
    | SimulateLaunch
    | SimulateExpire
    | ForceCondition
    | LiftCondition
    | SwitchBackground
    | AddApp
    | RemoveApp
    | ListApps
    | Act
    | Dismiss
)
Opening = Hello | ControlHello | OpenFirst
ToDesk = Opening | FromApp | FromControl
ToApp = (
    Welcome
    | BackgroundIs
    | RunTasks
    | ExpireRuns
    | RunKept
    | Refused
    | EnteredBackground
    | TimeBox
    | Resumed
    | ExpireTasks
    | TaskProblem
    | Push
    | PushKept
    | SubscriptionChanged
    | Open
    | Pressed
    | Quit
    | Done
    | Subscribed
    | StatusIs
    | ReceiptsAre
    | AppsAre
    | TasksAre
    | BudgetIs
    | ExplanationsAre
    | TaskReceiptsAre
)

_encoder = msgspec.msgpack.Encoder()
_to_desk: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(ToDesk)
_to_app: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(ToApp)


def encode(message: ToDesk | ToApp) -> bytes:
    """The body of a frame."""
    return _encoder.encode(message)


def decode_at_desk(body: bytes) -> ToDesk:
    """What an app sent. ``WireError`` (``bad_request``) when it is no message of this protocol."""
    return _decoded(_to_desk, body)  # type: ignore[no-any-return]


def decode_at_app(body: bytes) -> ToApp:
    """What the desk sent. ``WireError`` (``bad_request``) when it is no message of this protocol."""
    return _decoded(_to_app, body)  # type: ignore[no-any-return]


def agreed_version(oldest: int, newest: int) -> int | None:
    """The newest version both sides speak, or None (contract X03)."""
    version = min(newest, NEWEST)
    return version if version >= max(oldest, OLDEST) else None


def _decoded(decoder: msgspec.msgpack.Decoder[Any], body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise WireError(
            Refusal.BAD_REQUEST, f"A message was not understood ({error}). Nothing of it was used."
        ) from error
