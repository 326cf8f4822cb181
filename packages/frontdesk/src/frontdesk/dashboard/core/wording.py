"""How the dashboard words moments, lengths of time, and sentences."""

import datetime


def clock(at: float) -> str:
    """``10:31:05``, in the zone of this machine; ``at``: seconds since 1970."""
    return f"{datetime.datetime.fromtimestamp(at):%H:%M:%S}"


def until(at: float, now: float) -> str:
    """A moment to come: ``10:31:05`` within the hour, then ``12:40``, ``tomorrow 07:15``, ``27 Mar 07:15``."""
    moment, today = datetime.datetime.fromtimestamp(at), datetime.date.fromtimestamp(now)
    days = (moment.date() - today).days
    if at - now < 3600.0:
        return clock(at)
    if days == 0:
        return f"{moment:%H:%M}"
    return f"tomorrow {moment:%H:%M}" if days == 1 else f"{moment.day} {moment:%b} {moment:%H:%M}"


def length(seconds: float) -> str:
    """``a moment``, ``0.4 s``, ``12 s``, ``3 min``, ``3 min 20 s``, ``2 h``, ``2 d``: as exact as a person wants it."""
    seconds = max(0.0, seconds)
    if seconds < 0.05:
        return "a moment"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if seconds < 600:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size or unit == "min":
            return f"{seconds / size:.0f} {unit}"
    raise AssertionError("minutes fit everything")


def short(identifier: str, app: str) -> str:
    """A scheduled task's identifier without the app's own id before it."""
    return identifier.removeprefix(f"{app}.")


def sentence(words: str) -> str:
    """With a capital at its beginning and a full stop at its end."""
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?", "…", ".”")) else ".")
