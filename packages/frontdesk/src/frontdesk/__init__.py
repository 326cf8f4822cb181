"""frontdesk: one small process per person stays awake so that desktop apps can sleep. The public names, re-exported."""

from frontdesk.app.application import App
from frontdesk.app.background_tasks import INVALID_TASK
from frontdesk.app.control import DeskControl
from frontdesk.app.pushes import SHOW_AS_IT_IS, SHOW_NOTHING, Answer, Push, ShowThis
from frontdesk.errors import (
    AlreadyRunning,
    DeskUnavailable,
    FrontdeskError,
    ManifestError,
    RefusedError,
    TaskExpired,
    VersionMismatch,
)
from frontdesk.start import start_desk
from frontdesk.terms import (
    Action,
    AppState,
    AppStatus,
    DeskStatus,
    Happening,
    Hold,
    Level,
    Manifest,
    Notification,
    PushKind,
    Receipt,
    Refusal,
    Shown,
    StopReason,
    Subscription,
    Verdict,
    WakeReason,
)

__all__ = [
    "INVALID_TASK",
    "SHOW_AS_IT_IS",
    "SHOW_NOTHING",
    "Action",
    "AlreadyRunning",
    "Answer",
    "App",
    "AppState",
    "AppStatus",
    "DeskControl",
    "DeskStatus",
    "DeskUnavailable",
    "FrontdeskError",
    "Happening",
    "Hold",
    "Level",
    "Manifest",
    "ManifestError",
    "Notification",
    "Push",
    "PushKind",
    "Receipt",
    "Refusal",
    "RefusedError",
    "ShowThis",
    "Shown",
    "StopReason",
    "Subscription",
    "TaskExpired",
    "Verdict",
    "VersionMismatch",
    "WakeReason",
    "start_desk",
]
