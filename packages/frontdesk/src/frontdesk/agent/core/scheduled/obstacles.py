"""What stands in the way of a request: said once, for the decision and for its explanation alike (contract S16).

The scheduler launches a request when all four functions here say nothing; ``explain`` shows what they say. Each reason
bears the present value and what is needed.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from frontdesk.agent.core.limits import Limits
from frontdesk.terms import Budget, Condition, Obstacle, Reading, Reason, Requirement, TaskKind

NotLaunchable = tuple[Obstacle, float | None]
"""Why an app may not be launched in the background, and until when if that is known."""


class Known(Protocol):
    """Where the conditions are looked up."""

    def value(self, condition: Condition) -> str: ...
    def reading(self, condition: Condition) -> Reading: ...


class Moments(NamedTuple):
    """From when on a request may run, for each cause; None: that cause does not hold it up. By the desk's clock."""

    earliest: float | None = None
    """``earliest_begin`` (S06)."""
    pause: float | None = None
    """The end of the pause after a failure (S19, L07)."""
    budget: float | None = None
    """The app's next launch (S15)."""
    habit: float | None = None
    """Shortly before the usual time of use (S14)."""
    submitted: float = 0.0
    """Of those that are due the one that has been so for longest comes first: nobody keeps others from a place by
    submitting again and again."""

    @property
    def may(self) -> float:
        """Before it nothing launches the request."""
        moments = (self.submitted, self.earliest, self.pause, self.budget)
        return max(moment for moment in moments if moment is not None)

    @property
    def wanted(self) -> float:
        """From then on it is due; between ``may`` and this it goes along with others that are (S15)."""
        return max(self.may, self.habit or 0.0)


# --- the machine --------------------------------------------------------------------------------------------------


def of_machine(requires: frozenset[Requirement], conditions: Known, limits: Limits) -> tuple[Reason, ...]:
    """Conditions that do not hold: those that forbid all opportunistic work (L12), and those it requires (S10).

    What no source can tell counts as met.
    """
    found: list[Reason] = []

    def stands(obstacle: Obstacle, text: str, condition: Condition, needs: str) -> None:
        reading = conditions.reading(condition)
        forced = " (simulated)" if reading.forced else ""
        found.append(Reason(obstacle, text + forced, reading.value, needs, forced=reading.forced))

    if conditions.value(Condition.POWER_SAVER) == "on":
        text = "nothing that can wait runs in power saver mode: it is on"
        stands(Obstacle.POWER_SAVER, text, Condition.POWER_SAVER, "off")
    if _battery_below(limits.critical_battery, conditions):
        text = f"nothing that can wait runs below {limits.critical_battery} % of battery: {_power(conditions)}"
        stands(Obstacle.BATTERY_CRITICAL, text, Condition.BATTERY, str(limits.critical_battery))
    if requires & {Requirement.NETWORK, Requirement.UNMETERED} and conditions.value(Condition.NETWORK) == "offline":
        stands(Obstacle.NO_NETWORK, "needs a network: offline", Condition.NETWORK, "online")
    if Requirement.UNMETERED in requires and conditions.value(Condition.METERED) == "yes":
        text = "needs a network that is not metered: it is metered"
        stands(Obstacle.METERED_NETWORK, text, Condition.METERED, "no")
    if Requirement.EXTERNAL_POWER in requires and conditions.value(Condition.POWER) == "battery":
        text = f"needs external power: {_power(conditions)}"
        stands(Obstacle.NO_EXTERNAL_POWER, text, Condition.POWER, "external")
    if Requirement.BATTERY_NOT_LOW in requires and _battery_below(limits.low_battery, conditions):
        text = f"needs {limits.low_battery} % of battery or external power: {_power(conditions)}"
        stands(Obstacle.BATTERY_LOW, text, Condition.BATTERY, str(limits.low_battery))
    if Requirement.IDLE in requires and conditions.value(Condition.IDLE) == "no":
        text = "runs while nobody uses the machine: it is in use"
        stands(Obstacle.MACHINE_IN_USE, text, Condition.IDLE, "yes")
    return tuple(found)


_LOOKED_AT = {
    Requirement.NETWORK: (Condition.NETWORK,),
    Requirement.UNMETERED: (Condition.NETWORK, Condition.METERED),
    Requirement.EXTERNAL_POWER: (Condition.POWER,),
    Requirement.BATTERY_NOT_LOW: (Condition.POWER, Condition.BATTERY),
    Requirement.IDLE: (Condition.IDLE,),
}


def unknown(requires: frozenset[Requirement], conditions: Known) -> tuple[Condition, ...]:
    """Conditions that it requires and that no source can tell (S10)."""
    looked_at = {condition for requirement in requires for condition in _LOOKED_AT[requirement]}
    if conditions.value(Condition.POWER) == "external":
        looked_at.discard(Condition.BATTERY)
    return tuple(each for each in Condition if each in looked_at and not conditions.value(each))


def _battery_below(percent: int, conditions: Known) -> bool:
    charge = conditions.value(Condition.BATTERY)
    return conditions.value(Condition.POWER) == "battery" and charge != "" and int(charge) < percent


def _power(conditions: Known) -> str:
    charge = conditions.value(Condition.BATTERY)
    return f"on battery, {charge} %" if charge else "on battery"


# --- the app ------------------------------------------------------------------------------------------------------

_OF_APP = {
    Obstacle.BACKGROUND_OFF: "its background running is switched off",
    Obstacle.APP_QUIT: "you quit the app: open it again and it goes on",
    Obstacle.APP_FAILED: "the app failed when it last ran",
    Obstacle.APP_BUSY: "the app is on its way out",
    Obstacle.DESK_STOPPING: "the desk is being stopped",
}


def of_app(
    kind: TaskKind, not_launchable: NotLaunchable | None, now: float, *, in_front: bool, first: str
) -> tuple[Reason, ...]:
    """What it is about the app. ``first``: which task of the app has to be over before, else empty."""
    found: list[Reason] = []
    if not_launchable is not None:
        obstacle, until = not_launchable
        when = f", next try in {in_words(until - now)}" if until is not None else ""
        found.append(Reason(obstacle, _OF_APP[obstacle] + when, until=until))
    if in_front and kind is TaskKind.REFRESH:
        found.append(Reason(Obstacle.APP_IN_FRONT, "the app is open in front of you: it refreshes itself"))
    if first:
        found.append(Reason(Obstacle.APP_BUSY, f"{first} is running, and comes first", now=first))
    return tuple(found)


# --- time and places ----------------------------------------------------------------------------------------------


def of_time(moments: Moments, now: float, attempt: int, budget: Callable[[], Budget]) -> tuple[Reason, ...]:
    """Moments that have not come. ``budget`` is asked when it is what is waited for."""
    found: list[Reason] = []

    def waits(obstacle: Obstacle, until: float | None, text: str, has: str = "", needs: str = "") -> None:
        if until is not None and until > now:
            found.append(Reason(obstacle, f"{text} in {in_words(until - now)}", has, needs, until))

    waits(Obstacle.TOO_EARLY, moments.earliest, "may begin at the earliest")
    waits(Obstacle.RETRY_PAUSE, moments.pause, f"try {attempt} comes after a pause,")
    if moments.budget is not None and moments.budget > now:
        has = budget()
        text = f"its {has.per_day:.2g} launches a day are spread over the day: the next is due"
        waits(Obstacle.BUDGET_SPENT, moments.budget, text, f"{has.left:.2g}", "1")
    waits(Obstacle.WAITS_FOR_HABIT, moments.habit, "waits until shortly before you usually open the app,")
    return tuple(found)


def of_places(kind: TaskKind, taken: int, most: int) -> tuple[Reason, ...]:
    """Other apps have all the places there are for this kind."""
    if taken < most:
        return ()
    apps = "1 other app is" if taken == 1 else f"{taken} other apps are"
    text = f"{apps} at work on {kind} tasks, {most} at a time"
    return (Reason(Obstacle.OTHERS_RUN, text, f"{taken} of {most}", f"at most {most - 1}"),)


def next_look(reasons: tuple[Reason, ...]) -> float | None:
    """When the last of them has ended by itself; None: one of them ends when something changes."""
    moments = [reason.until for reason in reasons]
    known = [moment for moment in moments if moment is not None]
    return max(known) if known and len(known) == len(moments) else None


def sentence(reasons: tuple[Reason, ...]) -> str:
    """All of them, at least one, as one sentence for a person."""
    return f"Waits: {'; '.join(reason.text for reason in reasons)}."


def in_words(seconds: float) -> str:
    """A time to wait, for a person: ``12 s``, ``2 h 5 min``, ``3 days``."""
    whole = max(1, round(seconds))
    if whole < 120:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{round(minutes / 1440)} days"
