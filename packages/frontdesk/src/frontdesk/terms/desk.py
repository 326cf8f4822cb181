"""The desk as ``frontdesk status`` shows it: apps, what happened, what is shown."""

import msgspec

from frontdesk.terms.apps import AppState, Hold, Receipt
from frontdesk.terms.conditions import Reading
from frontdesk.terms.notifications import Shown
from frontdesk.terms.pushes import SubscriptionStatus
from frontdesk.terms.tasks import Budget, Explanation


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
    tasks: tuple[Explanation, ...] = ()
    """Its scheduled tasks, each with what stands in its way (S16)."""
    more_tasks: int = 0
    """How many more it has than this status had room for."""
    budget: Budget | None = None
    """For its refresh launches (S15); None: it has no such mode."""
    penalty: str = ""
    """What it has to bear for what it did, and why, in a sentence; else empty."""
    penalty_until: float | None = None
    """When that is over."""
    background_off: bool = False
    """The person switched background running off for it (L10)."""


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
    conditions: tuple[Reading, ...] = ()
    """What the machine is like now, one reading for each condition there is."""
