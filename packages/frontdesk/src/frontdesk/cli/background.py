"""``frontdesk background on|off APP|all``: whether apps may run while nobody sees them (contract L10)."""

import argparse
import asyncio
from typing import Any

from frontdesk.agent.core.life.background_switch import ALL as EVERY_APP
from frontdesk.app.control import DeskControl
from frontdesk.cli.apps import app_id
from frontdesk.cli.wording import printable

ALL = "all"


def add_to(subjects: "argparse._SubParsersAction[Any]") -> None:
    background = subjects.add_parser("background", help="let an app run while nobody sees it, or no more")
    background.add_argument("switch", choices=("on", "off"))
    background.add_argument("app", metavar="APP", help="its id or its name, or: all")
    background.set_defaults(run=lambda chosen: asyncio.run(_switch(chosen.app, chosen.switch == "on")))


async def _switch(word: str, on: bool) -> int:
    async with DeskControl() as desk:
        app = EVERY_APP if word == ALL else await app_id(desk, word)
        await desk.switch_background(app, on)
        off = [row for row in (await desk.status()).apps if row.background_off]
    print(printable(_said(app, on, [row.name for row in off], any(row.app == app for row in off))))
    return 0


def _said(app: str, on: bool, off: list[str], still_off: bool) -> str:
    """What holds from now on. ``off``: names of the apps that are off now; ``still_off``: the one that is meant is."""
    if not on:
        whose, again = ("No app runs", ALL) if app == EVERY_APP else (f"{app} does not run", app)
        kept = "What it asked the desk to do later is kept; until it is switched on again nothing more is taken"
        return f"{whose} in the background from now on. {kept}: frontdesk background on {again}"
    if app == EVERY_APP:
        save = f", save those that are off by themselves: {', '.join(off)}" if off else ""
        return f"Apps run in the background again{save}."
    if still_off:
        return f"{app} is on, but the switch for all apps is off: frontdesk background on {ALL}"
    return f"{app} runs in the background again."
