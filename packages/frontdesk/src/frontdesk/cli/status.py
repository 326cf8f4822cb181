"""``frontdesk status``: every app, its state, who holds it awake and how long yet; live on a terminal."""

import argparse
import asyncio
import contextlib
import math
import shutil
import sys
import time
from typing import Any

import msgspec

from frontdesk.app.control import DeskControl
from frontdesk.cli import conditions
from frontdesk.cli.explain import in_short
from frontdesk.cli.wording import aligned, clock, duration, moment, printable, wrapped
from frontdesk.terms import AppState, AppStatus, Budget, DeskStatus
from frontdesk.wire.status import shortened

_HOME_AND_CLEAR = "\x1b[H\x1b[J"
_NEWEST_SHOWN = 5

_TRIES = "not connected, tries again to reach"
"""The state of the line to the push service whose own word, ``waiting``, would tell a person nothing."""


def add_to(subjects: "argparse._SubParsersAction[Any]") -> None:
    status = subjects.add_parser("status", help="what each app is doing, and who keeps it awake; live on a terminal")
    status.add_argument("--once", action="store_true", help="print once, also on a terminal")
    status.add_argument("--json", action="store_true", help="print once, as JSON")
    status.set_defaults(run=lambda chosen: asyncio.run(_run(chosen)))


async def _run(chosen: argparse.Namespace) -> int:
    async with DeskControl() as desk:
        if chosen.json:
            print(msgspec.json.format(msgspec.json.encode(await desk.status())).decode())
        elif chosen.once or not sys.stdout.isatty():
            print(table(await desk.status(), 0.0))
        else:
            with contextlib.suppress(asyncio.CancelledError):
                await _live(desk)
    return 0


async def _live(desk: DeskControl) -> None:
    """Redrawn on every change, and each second while background time runs out somewhere."""
    watching = desk.watch()
    coming = asyncio.ensure_future(anext(watching))
    status: DeskStatus | None = None
    since = time.monotonic()
    while True:
        counts_down = status is not None and any(app.seconds_left is not None for app in status.apps)
        done, _ = await asyncio.wait([coming], timeout=1.0 if counts_down else None)
        if done:
            status, since = coming.result(), time.monotonic()
            coming = asyncio.ensure_future(anext(watching))
        if status is not None:
            columns = shutil.get_terminal_size().columns
            print(_HOME_AND_CLEAR + table(status, time.monotonic() - since, columns), flush=True)


def table(status: DeskStatus, age: float, columns: int | None = None) -> str:
    """The whole table as text; ``age``: seconds since ``status`` was taken.

    For a terminal of so many ``columns`` rows are cut and sentences wrapped; None: as long as they are.
    """
    now = status.now + age
    rows = [("APP", "STATE", "FOR", "LEFT", "HELD AWAKE BY")]
    table = aligned(rows + [_row(app, now, age) for app in status.apps])
    if not status.apps:
        table.append("(no app is registered: frontdesk apps add MANIFEST.toml)")
    link = _TRIES if status.push_state == "waiting" else f"{status.push_state} to"
    push = f"push {link} {status.push_service}" if status.push_service else f"push {status.push_state}"
    lines = ["", f"desk {status.version}, process {status.pid}, {push}"]
    if status.restarted is not None:
        lines.append(f"started again {duration(now - status.restarted.at)} ago: {status.restarted.text}")
    notifications: list[str] = []
    if status.shown:
        newest = [shown.notification for shown in status.shown[:_NEWEST_SHOWN]]
        notifications = ["", "NOTIFICATIONS", *(f"  {each.title}: {each.body}" for each in newest)]
    trouble = ["", f"! {status.trouble}"] if status.trouble else []
    scheduled = [*_tasks(status.apps, now), *_borne(status.apps, now), *_conditions(status, now)]
    parts = ((table, False), (scheduled, False), (lines, True), (notifications, False), (trouble, True))
    return "\n".join(line for part, sentences in parts for line in _for_terminal(part, sentences, columns))


def _tasks(apps: tuple[AppStatus, ...], now: float) -> list[str]:
    """Scheduled tasks, each with the main thing that stands in its way."""
    rows = [(app.name, each.identifier, str(each.kind), in_short(each, now)) for app in apps for each in app.tasks]
    rows += [(app.name, f"and {app.more_tasks} more", "", "") for app in apps if app.more_tasks]
    return ["", "SCHEDULED TASKS", *(f"  {line}" for line in aligned(rows))] if rows else []


def _borne(apps: tuple[AppStatus, ...], now: float) -> list[str]:
    """What apps may still have, and what they have to bear."""
    rows = [(app.name, _budget(app.budget, now)) for app in apps if app.budget is not None and app.tasks]
    budgets = ["", "LAUNCHES FOR REFRESH", *(f"  {line}" for line in aligned(rows))] if rows else []
    penalties = [(app.name, _penalty(app, now)) for app in apps if app.penalty]
    return budgets + (["", "PENALTIES", *(f"  {line}" for line in aligned(penalties))] if penalties else [])


def _penalty(app: AppStatus, now: float) -> str:
    until = f" Until {clock(app.penalty_until, now)}." if app.penalty_until is not None else ""
    return f"{app.penalty}{until}"


def _budget(budget: Budget, now: float) -> str:
    next_one = f", the next {moment(budget.next_at, now)}" if budget.next_at is not None else ""
    return f"{math.floor(budget.left)} now, {budget.per_day:.2g} a day{next_one}"


def _conditions(status: DeskStatus, now: float) -> list[str]:
    rows = conditions.rows(status.conditions, now)
    return ["", "CONDITIONS", *(f"  {line}" for line in aligned(rows))] if rows else []


def _for_terminal(lines: list[str], sentences: bool, columns: int | None) -> list[str]:
    harmless = [printable(line) for line in lines]
    if columns is None:
        return harmless
    if sentences:
        return [part for line in harmless for part in wrapped(line, columns)]
    return [shortened(line, columns) for line in harmless]


def _row(app: AppStatus, now: float, age: float) -> tuple[str, str, str, str, str]:
    state = "quit" if app.quit and app.state is AppState.STOPPED else str(app.state)
    left = "" if app.seconds_left is None else f"{max(0.0, app.seconds_left - age):.0f} s"
    holds = ", ".join(f"{hold.kind} {hold.name!r} for {duration(now - hold.since)}" for hold in app.holds)
    if not holds and app.state is AppState.STOPPED and app.last_receipt is not None:
        holds = f"({app.last_receipt.reason.words})"
    if app.background_off:
        holds = f"{holds} (background running is off)".strip()
    return (app.name, state, duration(now - app.since), left, holds)
