"""``frontdesk log APP``: how its runs and its scheduled tasks ended, and why (contract L05)."""

import argparse
import asyncio
import datetime
from typing import Any

import msgspec

from frontdesk.app.control import DeskControl
from frontdesk.cli.apps import app_id
from frontdesk.cli.wording import duration, printable
from frontdesk.terms import Receipt, TaskReceipt

_NOTHING = "There is no receipt of {}: no process of it has ended, and no task of it was expired or given up."


def add_to(subjects: "argparse._SubParsersAction[Any]") -> None:
    log = subjects.add_parser(
        "log", help="receipts: why and when an app was stopped, or a scheduled task of it expired"
    )
    log.add_argument("app", metavar="APP", help="its id or its name")
    log.add_argument("--json", action="store_true", help="as JSON")
    log.set_defaults(run=lambda chosen: asyncio.run(_run(chosen)))


async def _run(chosen: argparse.Namespace) -> int:
    async with DeskControl() as desk:
        app = await app_id(desk, chosen.app)
        both: list[Receipt | TaskReceipt] = [*await desk.receipts(app), *await desk.task_receipts(app)]
    receipts = sorted(both, key=lambda receipt: -receipt.at)
    if chosen.json:
        print(msgspec.json.format(msgspec.json.encode(receipts)).decode())
    else:
        print("\n".join(line(receipt) for receipt in receipts) or _NOTHING.format(chosen.app))
    return 0


def line(receipt: Receipt | TaskReceipt) -> str:
    """One receipt as two lines: when and which reason; what happened, limit and use."""
    when = datetime.datetime.fromtimestamp(receipt.at).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(receipt, TaskReceipt):
        ran = f", had run for {duration(receipt.used)}" if receipt.used is not None else ""
        limit = f" (limit {receipt.limit:g} s)" if receipt.limit is not None else ""
        task = f"{receipt.kind} task {printable(receipt.identifier)}"
        return f"{when}  {task}: {receipt.end.words}{ran}\n    {printable(receipt.text)}{limit}"
    ran = f", had run for {duration(receipt.at - receipt.ran_since)}" if receipt.ran_since else ""
    used = f" ({receipt.measured})" if receipt.measured else ""
    return f"{when}  {receipt.reason.words}{ran}\n    {printable(receipt.text)}{used}"
