"""What the person sees of a continued task while its app is not in front: title, progress, a cancel button (S18)."""

import math

from frontdesk.terms import Action, Level, Notification

CANCEL = "cancel"
"""Id of the button."""

_OWN = "frontdesk:continued:"
"""Notifications whose id begins so are the desk's; no app hears of their presses."""


def notice_id(run: str) -> str:
    """The id of the notification about this run; the same each time, so that the newer replaces the older (N03)."""
    return _OWN + run


def run_of(notification: str) -> str | None:
    """The run that a notification with this id is about; None: it is an app's own."""
    return notification.removeprefix(_OWN) if notification.startswith(_OWN) else None


def progress_notice(run: str, title: str, subtitle: str, fraction: float | None) -> Notification:
    """Quiet, with a button that cancels. ``fraction``: 0 to 1; None: not known."""
    body = " · ".join(part for part in (subtitle, percent(fraction)) if part)
    return Notification(notice_id(run), title, body, Level.PASSIVE, (Action(CANCEL, "Cancel"),))


def end_notice(run: str, title: str, text: str) -> Notification:
    """It came to no good end, and the person who began it sees nothing of the app."""
    return Notification(notice_id(run), title, text, Level.PASSIVE)


def fraction_of(done: float, total: float) -> float | None:
    """How much of the whole is done, 0 to 1; None where the numbers do not say."""
    if not (math.isfinite(done) and math.isfinite(total)) or total <= 0.0:
        return None
    return min(1.0, max(0.0, done / total))


def percent(fraction: float | None) -> str:
    """In words for a person; never 100 % before all is done."""
    if fraction is None:
        return ""
    whole = math.floor(100 * fraction + 1e-9)  # 29 of 100 is 0.29, and a hundred times that a little less than 29
    return f"{whole if fraction >= 1.0 else min(99, whole)} %"
