"""Every number of the contract that can be set, with its unit and its rule; the defaults are the contract's."""

from typing import Annotated

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(gt=0, extra={"unit": "seconds"})]
Launches = Annotated[float, Meta(ge=1, extra={"unit": "launches"})]
PerDay = Annotated[float, Meta(gt=0, extra={"unit": "launches a day"})]
Share = Annotated[float, Meta(gt=0, extra={"unit": "cores"})]
Count = Annotated[int, Meta(ge=1, extra={"unit": "count"})]
Days = Annotated[int, Meta(ge=1, extra={"unit": "days"})]
Percent = Annotated[int, Meta(ge=0, le=100, extra={"unit": "percent"})]
Bytes = Annotated[int, Meta(ge=1, extra={"unit": "bytes"})]


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section ``[limits]`` of ``settings.toml``. The type of each says its unit, and what it can be."""

    settle: Seconds = 5.0
    """Time an app has to answer "ready" after it left the foreground (L01)."""
    background: Seconds = 30.0
    """Background time of an app, for all its tasks together (A03)."""
    expiry_lead: Seconds = 5.0
    """So long before time is up expiration handlers are called; it is all they have together (A05, A07, S11, S12)."""
    most_tasks: Count = 1000
    """Open background tasks one app may have (A09)."""
    suspended: Seconds = 600.0
    """A suspended app is stopped after this (L03)."""
    receipts_kept: Seconds = 30 * 86400.0
    """How long receipts are kept, the newest 5,000 of each app at most (L05)."""
    launch: Seconds = 20.0
    """Time a launched app has to connect; also the time a running one has to connect again to a new desk."""
    opening: Seconds = 10.0
    """Time a woken app stays awake for a visitor or an opening person who is not there yet (L11)."""
    quit: Seconds = 5.0
    """Time an app has to leave after it was told that the person quits it (L04)."""
    push: Seconds = 25.0
    """Time an app has to answer a changeable alert; the time box of an app woken for one (P02)."""
    push_wakes: Count = 60
    """Wakes of one app by changeable alerts within ``push_wakes_in`` (P02)."""
    push_wakes_in: Seconds = 3600.0
    """The time in which ``push_wakes`` are counted (P02)."""
    push_tries: Count = 3
    """How often a push is given to an app that dies over it (L07)."""
    retry_first: Seconds = 1.0
    """First pause before an app that died is launched again for what it owes; doubles each time (L07)."""
    retry_most: Seconds = 60.0
    """The longest such pause (L07)."""
    seen_versions: Count = 1000
    """Push versions remembered for each subscription (P09)."""
    refresh: Seconds = 30.0
    """Time of a launch for refresh tasks, for all that come with it together (S08)."""
    processing: Seconds = 600.0
    """Time of a launch for processing tasks (S09)."""
    pending_refresh: Count = 1
    """Refresh requests of one app that may be pending (S03)."""
    pending_processing: Count = 10
    """Processing requests of one app that may be pending (S03)."""
    pending_continued: Count = 10
    """Continued tasks of one app that may be queued (S03, S18)."""
    refresh_at_once: Count = 4
    """Apps that may refresh at the same time (S15)."""
    processing_at_once: Count = 1
    """Apps that may do processing tasks at the same time (S16)."""
    continued_at_once: Count = 4
    """Continued tasks, of all apps, that may run at the same time; the next is queued, or fails (S18)."""
    task_tries: Count = 3
    """How often a scheduled task is given to an app that dies over it (L07)."""
    together: Seconds = 900.0
    """A refresh that would be due so soon is taken along with one that is due now (S15)."""
    habit_days: Days = 28
    """Days of use that the person's habit is learned from (S14)."""
    habit_lead: Seconds = 900.0
    """Refresh so long before the usual time of use (S14)."""
    habit_wait: Seconds = 86400.0
    """A refresh waits at most so long for the usual time of use (S14)."""
    budget_least: PerDay = 2.0
    """Refresh launches of an app that is seldom used (S15)."""
    budget_most: PerDay = 24.0
    """Refresh launches of an app that is used every day (S15)."""
    budget_burst: Launches = 3.0
    """Refresh launches that an app can have saved up (S15)."""
    stalled: Seconds = 60.0
    """A continued task that tells of no progress for so long is expired (S18)."""
    critical_battery: Percent = 20
    """On battery with less than this nothing opportunistic runs (L12)."""
    low_battery: Percent = 30
    """On battery with less than this the battery is low for tasks that ask (S10)."""
    cpu_share: Share = 0.8
    """Share of one processor core that an app in the background may use (L08)."""
    cpu_window: Seconds = 60.0
    """The time over which ``cpu_share`` is measured (L08)."""
    memory: Bytes = 512 * 1024 * 1024
    """Memory that an app in the background may use, its children included (L09)."""
    waiting_pushes: Count = 1000
    """Pushes kept for one app that have not been given to it; past it the oldest end in their fallback."""
    messages: Count = 1000
    """Messages that one client may send within a second; with more its connection ends (X02)."""
