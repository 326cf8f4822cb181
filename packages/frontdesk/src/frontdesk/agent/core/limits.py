"""Every number of the contract that the core uses, with its unit and its rule; the defaults are the contract's."""

import msgspec


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section ``[limits]`` of ``settings.toml``. Durations in seconds, the rest are counts."""

    settle: float = 5.0
    """Time an app has to answer "ready" after it left the foreground (L01)."""
    background: float = 30.0
    """Background time of an app, for all its tasks together (A03)."""
    expiry_lead: float = 5.0
    """So long before time is up the expiration handlers are called; it is all they have together (A05, A07)."""
    most_tasks: int = 1000
    """Open background tasks one app may have (A09)."""
    suspended: float = 600.0
    """A suspended app is stopped after this (L03)."""
    receipts_kept: float = 30 * 86400.0
    """How long receipts are kept (L05)."""
    launch: float = 20.0
    """Time a launched app has to connect; also the time a running one has to connect again to a new desk."""
    opening: float = 10.0
    """Time a woken app stays awake for a visitor or an opening person who is not there yet (L11)."""
    quit: float = 5.0
    """Time an app has to leave after it was told that the person quits it (L04)."""
    push: float = 25.0
    """Time an app has to answer a changeable alert; the time box of an app woken for one (P02)."""
    push_wakes: int = 60
    """Wakes of one app by changeable alerts within ``push_wakes_in`` (P02)."""
    push_wakes_in: float = 3600.0
    """The time in which ``push_wakes`` are counted (P02)."""
    push_tries: int = 3
    """How often a push is given to an app that dies over it (L07)."""
    retry_first: float = 1.0
    """First pause before an app that died is launched again for what it owes; doubles each time (L07)."""
    retry_most: float = 60.0
    """The longest such pause (L07)."""
    seen_versions: int = 1000
    """Push versions remembered for each subscription (P09)."""
    waiting_pushes: int = 1000
    """Pushes kept for one app that have not been given to it; past it the oldest end in their fallback."""
