"""The nouns of frontdesk as frozen values: what apps, desk and push service all mean by a word.

Rule of this folder: values only. No I/O, no clock, no behaviour beyond what a value can say of itself; it imports
nothing else of frontdesk. Times are seconds since 1970 (``float``), durations are seconds (``float``).
"""

from frontdesk.terms.apps import (
    APP_ID,
    APP_ID_MOST,
    AppState,
    Hold,
    Manifest,
    Receipt,
    StopReason,
    WakeReason,
)
from frontdesk.terms.conditions import (
    VALUES,
    Condition,
    Reading,
)
from frontdesk.terms.desk import (
    AppStatus,
    DeskStatus,
    Happening,
    Span,
)
from frontdesk.terms.notifications import (
    Action,
    Level,
    Notification,
    Shown,
)
from frontdesk.terms.pushes import (
    PushKind,
    Subscription,
    SubscriptionStatus,
    Verdict,
)
from frontdesk.terms.refusals import (
    Refusal,
)
from frontdesk.terms.tasks import (
    EXPIRED,
    Budget,
    ContinuedTask,
    ExistingWork,
    Explanation,
    Growth,
    Obstacle,
    PendingTask,
    ProcessingTask,
    Reason,
    RefreshTask,
    Requirement,
    Retry,
    Strategy,
    TaskEnd,
    TaskKind,
    TaskReceipt,
    TaskRequest,
    TaskState,
)

__all__ = [
    "APP_ID",
    "APP_ID_MOST",
    "EXPIRED",
    "VALUES",
    "Action",
    "AppState",
    "AppStatus",
    "Budget",
    "Condition",
    "ContinuedTask",
    "DeskStatus",
    "ExistingWork",
    "Explanation",
    "Growth",
    "Happening",
    "Hold",
    "Level",
    "Manifest",
    "Notification",
    "Obstacle",
    "PendingTask",
    "ProcessingTask",
    "PushKind",
    "Reading",
    "Reason",
    "Receipt",
    "RefreshTask",
    "Refusal",
    "Requirement",
    "Retry",
    "Shown",
    "Span",
    "StopReason",
    "Strategy",
    "Subscription",
    "SubscriptionStatus",
    "TaskEnd",
    "TaskKind",
    "TaskReceipt",
    "TaskRequest",
    "TaskState",
    "Verdict",
    "WakeReason",
]
