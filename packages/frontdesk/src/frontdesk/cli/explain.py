"""``frontdesk explain TASK|APP|all``: why a scheduled task does not run now, and when it is looked at next (S16)."""

import argparse
import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from frontdesk.agent.core.scheduled.progress_notice import percent
from frontdesk.app.control import DeskControl
from frontdesk.cli.apps import app_id
from frontdesk.cli.conditions import LIFT
from frontdesk.cli.wording import clock, duration, moment, printable
from frontdesk.terms import Condition, Explanation, Obstacle, Reason, TaskState


def add_to(subjects: "argparse._SubParsersAction[Any]") -> None:
    explain = subjects.add_parser(
        "explain", help="why a scheduled task does not run now, and when it is looked at next"
    )
    explain.add_argument("of", metavar="TASK|APP|all", help="a task's identifier, an app's id or name, or: all")
    explain.add_argument("--json", action="store_true", help="as JSON")
    explain.set_defaults(run=lambda chosen: asyncio.run(_run(chosen.of, chosen.json)))


async def _run(of: str, as_json: bool) -> int:
    async with DeskControl() as desk:
        explanations = await desk.explain(of if of == "all" else await app_id(desk, of))
        names = {manifest.id: manifest.name for manifest in await desk.apps()}
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(explanations)).decode())
    else:
        print("\n".join(printable(line) for line in lines(explanations, names, time.time())) or _none(of))
    return 0


def _none(of: str) -> str:
    whose = "No scheduled task is pending" if of == "all" else f"No scheduled task of {printable(of)} is pending"
    return f"{whose}. One request is one launch: an app that wants another submits again."


def lines(explanations: Sequence[Explanation], names: Mapping[str, str], now: float) -> list[str]:
    """For a person, app by app; each task with everything that stands in its way. ``names``: of apps, by id."""
    told: list[str] = []
    before = ""
    for each in explanations:
        if each.app != before:
            told += [*([""] if told else []), f"{names.get(each.app, each.app)} ({each.app})"]
            before = each.app
        told += _of_task(each, now)
    if any(reason.forced for each in explanations for reason in each.reasons):
        told += ["", f"For what is simulated, what is really so counts again with: {LIFT}"]
    return told


def _of_task(each: Explanation, now: float) -> list[str]:
    # Since when one runs is told in its text: it was submitted before.
    waits = each.submitted and each.state is TaskState.PENDING
    since = f" for {duration(now - each.submitted)}" if waits else ""
    attempt = f", attempt {each.attempt}" if each.attempt > 1 else ""
    told = [f"  {each.identifier}: {each.kind}, {each.state}{since}{attempt}"]
    told += [f"    - {reason_line(reason, now)}" for reason in each.reasons]
    told += [f"    - {_unknown(condition)}" for condition in each.unknown]
    if each.state is TaskState.RUNNING or not each.reasons:
        told.append(f"    {each.text}")
    elif each.next_look is not None:
        told.append(f"    Looked at next {moment(each.next_look, now)}.")
    else:
        told.append("    Looked at as soon as one of these changes.")
    return told


def reason_line(reason: Reason, now: float) -> str:
    """What stands in the way with its present value; when it ends, as far as anybody can know."""
    return reason.text if reason.until is None else f"{reason.text} ({clock(reason.until, now)})"


def _unknown(condition: Condition) -> str:
    return f"{condition} is unknown: no source can tell; it counts as met"


_ALL_THE_SAME = (Obstacle.BACKGROUND_OFF, Obstacle.APP_QUIT, Obstacle.APP_FAILED)
"""While one of these stands, nothing else matters to a person: only they, or time, can end it."""


def in_short(each: Explanation, now: float) -> str:
    """The main reason, for one line of a table: what ends last, or what nobody can know the end of."""
    if each.state is TaskState.RUNNING:
        return "running" if each.progress is None else f"running, {percent(each.progress)} done"
    if not each.reasons:
        return "starts at once"
    main = next((reason for reason in each.reasons if reason.obstacle in _ALL_THE_SAME), None)
    main = main or max(each.reasons, key=lambda reason: (reason.until is None, reason.until or 0.0))
    words = main.text if main.until is None else f"{main.obstacle.words} until {clock(main.until, now)}"
    more = len(each.reasons) - 1
    return f"{words} (and {more} more)" if more else words
