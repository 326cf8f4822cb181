"""How times and days read in chat list and conversation. Pure: ``now`` and the time zone are handed in.

``zone`` None is the machine's own zone, with its rules for summer time.
"""

from datetime import date, datetime, timedelta, tzinfo

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def local(at: float, zone: tzinfo | None) -> datetime:
    """``at`` on the person's clock; a time no calendar can show (a broken server's) reads as 1970."""
    try:
        return datetime.fromtimestamp(at, zone)
    except (OverflowError, OSError, ValueError):
        return datetime.fromtimestamp(0, zone)


def clock_time(at: float, zone: tzinfo | None) -> str:
    """``14:05``."""
    return f"{local(at, zone):%H:%M}"


def list_time(at: float, today: date, zone: tzinfo | None) -> str:
    """The short form of the chat list: ``14:05``, ``Yesterday``, ``Tue``, ``12 May``, ``12 May 2025``."""
    day = local(at, zone).date()
    if day >= today:
        return clock_time(at, zone)
    if day == today - timedelta(days=1):
        return "Yesterday"
    if day > today - timedelta(days=7):
        return WEEKDAYS[day.weekday()][:3]
    month = MONTHS[day.month - 1][:3]
    return f"{day.day} {month}" if day.year == today.year else f"{day.day} {month} {day.year}"


def day_name(day: date, today: date) -> str:
    """The line between days: ``Today``, ``Yesterday``, ``Tuesday``, ``Tuesday 12 May``, ``12 May 2025``."""
    if day == today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    weekday, month = WEEKDAYS[day.weekday()], MONTHS[day.month - 1]
    if today - timedelta(days=7) < day < today:
        return weekday
    return f"{weekday} {day.day} {month}" if day.year == today.year else f"{day.day} {month} {day.year}"
