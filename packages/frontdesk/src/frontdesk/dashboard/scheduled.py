"""Scheduled tasks as HTML: what each waits for, what an app may still have; and the conditions of the machine."""

from collections.abc import Sequence

from frontdesk.agent.core.scheduled.progress_notice import percent
from frontdesk.dashboard.core.wording import short, until
from frontdesk.dashboard.markup import Markup, Part, joined, tag
from frontdesk.terms import AppStatus, Budget, Condition, Explanation, Reading, Reason, TaskState

_NAMES = {
    Condition.POWER: "Power",
    Condition.BATTERY: "Battery",
    Condition.POWER_SAVER: "Power saver",
    Condition.NETWORK: "Network",
    Condition.METERED: "Metered",
    Condition.IDLE: "Idle",
    Condition.MEMORY: "Memory",
}

_SIMULATED = tag("span", "simulated", class_="tk-simulated")


def scheduled_tasks(app: AppStatus, now: float) -> str:
    """A list of the app's scheduled tasks with everything that stands in their way; empty when it has none.

    ``tasks.css`` has the looks. It tells moments by the clock, so it changes only when the app's status does.
    """
    if not app.tasks:
        return ""
    rows = [_task(each, now) for each in app.tasks]
    if app.more_tasks:
        rows.append(tag("li", f"and {app.more_tasks} more"))
    return tag("ul", rows, class_="tk-tasks")


def _task(each: Explanation, now: float) -> Markup:
    attempt = f", try {each.attempt}" if each.attempt > 1 else ""
    head = joined(tag("b", short(each.identifier, each.app), title=each.identifier), f" · {each.kind} task{attempt}")
    if each.state is TaskState.RUNNING:
        done = f", {percent(each.progress)} done" if each.progress is not None else ""
        return tag("li", head, tag("p", f"running{done}"), data_state="running")
    rows = [tag("li", _reason(reason, now)) for reason in each.reasons] or [tag("li", "starts at once")]
    rows += [tag("li", f"{condition} is unknown, and counts as met") for condition in each.unknown]
    if each.next_look is not None and len(each.reasons) > 1:
        rows.append(tag("li", f"looked at next {until(each.next_look, now)}"))
    return tag("li", head, tag("ul", rows), data_state="pending")


def _reason(reason: Reason, now: float) -> Part:
    if reason.until is not None:
        return f"{reason.obstacle.words} until {until(reason.until, now)}"
    text = reason.text.removesuffix(" (simulated)")
    return joined(text, " ", _SIMULATED) if reason.forced else text


def launches_left(budget: Budget, now: float) -> str:
    """``2 now, 6 a day``; when there is none now, when the next is due."""
    following = f", the next at {until(budget.next_at, now)}" if budget.next_at is not None else ""
    return f"{int(budget.left)} now, {budget.per_day:.2g} a day{following}"


def conditions(readings: Sequence[Reading], now: float) -> Markup:
    """What the desk takes the machine for, who says so, and what is really so where it is simulated."""
    rows = [
        tag("div", tag("dt", _NAMES[each.condition]), tag("dd", *_read(each, now)), class_="condition")
        for each in readings
    ]
    return tag("dl", rows) if rows else Markup("")


def _read(reading: Reading, now: float) -> list[Part]:
    value = reading.condition.worded(reading.value)
    if reading.forced:
        by = f", says {reading.source}" if reading.source else ""
        lift = f"really {reading.condition.worded(reading.seen)}{by}"
        return [f"{value} ", _SIMULATED, tag("small", lift)]
    if not reading.value:
        return [value, tag("small", "no source can tell; counts as met")]
    return [value, tag("small", reading.source) if reading.source else ""]
