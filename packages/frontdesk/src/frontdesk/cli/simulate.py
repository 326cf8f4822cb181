"""``frontdesk simulate launch|expire TASK``, ``frontdesk simulate condition NAME=VALUE``: try it now (contract S17)."""

import argparse
import asyncio
import sys
from typing import Any

from frontdesk.app.control import DeskControl
from frontdesk.cli import conditions
from frontdesk.cli.apps import app_id
from frontdesk.cli.wording import aligned, printable
from frontdesk.errors import FrontdeskError
from frontdesk.terms import VALUES, Condition


def add_to(subjects: "argparse._SubParsersAction[Any]") -> None:
    simulate = subjects.add_parser("simulate", help="launch or expire a task by hand, or make up a condition")
    what = simulate.add_subparsers(required=True, metavar="WHAT")
    launch = what.add_parser("launch", help="launch a pending task now, whatever stands in its way")
    launch.set_defaults(run=lambda chosen: asyncio.run(_launch(chosen.task, chosen.app)))
    expire = what.add_parser("expire", help="tell a running task now that its time is up")
    expire.set_defaults(run=lambda chosen: asyncio.run(_expire(chosen.task, chosen.app)))
    for each in (launch, expire):
        each.add_argument("task", metavar="TASK", help="its identifier")
        each.add_argument("--app", metavar="APP", default="", help="whose, where several apps have that identifier")
    condition = what.add_parser(
        "condition",
        help="have the desk take conditions to be so until they are lifted; without words: what they are now",
        epilog="  ".join(f"{each}: {each.possible}." for each in Condition),
    )
    condition.add_argument("words", metavar="NAME=VALUE", nargs="*", help="such as power=battery; to lift: NAME")
    condition.add_argument("--lift", action="store_true", help="what is really so counts again; no NAME: for all")
    condition.set_defaults(run=lambda chosen: asyncio.run(_condition(chosen.words, chosen.lift)))


async def _launch(identifier: str, app: str) -> int:
    async with DeskControl() as desk:
        await desk.simulate_launch(identifier, await app_id(desk, app) if app else "")
    print(printable(f"{identifier} is being launched; its handler cannot tell that this was by hand."))
    return 0


async def _expire(identifier: str, app: str) -> int:
    async with DeskControl() as desk:
        await desk.simulate_expire(identifier, await app_id(desk, app) if app else "")
    print(printable(f"{identifier} is told to come to an end; its handler cannot tell that this was by hand."))
    return 0


async def _condition(words: list[str], lift: bool) -> int:
    if lift:
        return await _lift([_named(word) for word in words])
    forced = [_forced(word) for word in words]
    async with DeskControl() as desk:
        for condition, value in forced:
            await desk.force_condition(condition, value)
        if not forced:
            status = await desk.status()
            lines = aligned(conditions.rows(status.conditions, status.now))
            print("\n".join(printable(line) for line in lines) or "The desk knows of no condition.")
    for condition, value in forced:
        so = condition.worded(value)
        print(f"{condition} is {so} from now on, whatever is really so. Lift it: {conditions.LIFT} {condition}")
    return 0


async def _lift(named: list[Condition]) -> int:
    async with DeskControl() as desk:
        before = {each.condition for each in (await desk.status()).conditions if each.forced}
        for condition in named:
            await desk.lift_condition(condition)
        if not named:
            await desk.lift_condition()
        readings = {each.condition: each for each in (await desk.status()).conditions}
    for condition in [each for each in Condition if each in before and (each in named or not named)]:
        reading = readings[condition]
        by = f" ({reading.source})" if reading.source else ""
        print(printable(f"{condition} is what is really so again: {condition.worded(reading.value)}{by}."))
    for condition in [each for each in named if each not in before]:
        print(f"{condition} was not simulated.", file=sys.stderr)
    if not named and not before:
        print("No condition was simulated.", file=sys.stderr)
    return 0


def _forced(word: str) -> tuple[Condition, str]:
    """``FrontdeskError`` says what can stand there; nothing has been changed by then."""
    name, equals, value = word.partition("=")
    condition = _named(name)
    value = value.removesuffix("%") if condition is Condition.BATTERY else value
    if not equals or value not in VALUES[condition]:
        said = f"{condition} cannot be {value!r}" if equals else f"{word} has no value"
        can_be = f"{condition}=VALUE, where VALUE is {condition.possible}"
        raise FrontdeskError(f"{said}: write {can_be}. Nothing was changed.")
    return condition, value


def _named(word: str) -> Condition:
    try:
        return Condition(word)
    except ValueError:
        there = ", ".join(Condition)
        raise FrontdeskError(f"{word!r} is no condition; there are: {there}. Nothing was changed.") from None
