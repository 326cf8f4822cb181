"""``frontdesk apps add|list|remove``, ``frontdesk open APP``, ``frontdesk quit APP``."""

import argparse
import asyncio
import sys
from typing import Any

from frontdesk.app.control import DeskControl
from frontdesk.cli.wording import printable
from frontdesk.terms import AppState


def add_to(subjects: "argparse._SubParsersAction[Any]") -> None:
    apps = subjects.add_parser("apps", help="which apps the desk knows").add_subparsers(required=True, metavar="WHAT")
    add = apps.add_parser("add", help="register an app, or take its changed manifest")
    add.add_argument("manifest", metavar="MANIFEST.toml")
    add.set_defaults(run=lambda chosen: asyncio.run(_add(chosen.manifest)))
    apps.add_parser("list", help="id, name and command of each").set_defaults(run=lambda chosen: asyncio.run(_list()))
    remove = apps.add_parser("remove", help="stop it, and forget it with its subscriptions")
    remove.add_argument("app", metavar="APP", help="its id or its name")
    remove.set_defaults(run=lambda chosen: asyncio.run(_remove(chosen.app)))
    opening = subjects.add_parser("open", help="launch or wake an app, and have it show itself")
    opening.add_argument("app", metavar="APP", help="its id or its name")
    opening.set_defaults(run=lambda chosen: asyncio.run(_open(chosen.app)))
    quitting = subjects.add_parser("quit", help="stop an app; nothing wakes it until it is opened again")
    quitting.add_argument("app", metavar="APP", help="its id or its name")
    quitting.set_defaults(run=lambda chosen: asyncio.run(_quit(chosen.app)))


OPENS_WITHIN = 5.0
"""Seconds for which ``open`` looks on: an app that cannot start, or crashes at once, has done so by then."""


async def app_id(desk: DeskControl, word: str) -> str:
    """The id of the app that a person means: its id, or its name in any case. An unknown word is left to the desk."""
    named = [manifest.id for manifest in await desk.apps() if manifest.name.casefold() == word.casefold()]
    return named[0] if len(named) == 1 else word


async def _add(path: str) -> int:
    async with DeskControl() as desk:
        manifest = await desk.add_app(path)
    print(printable(f"{manifest.name} is registered as {manifest.id}."))
    return 0


async def _list() -> int:
    async with DeskControl() as desk:
        manifests = await desk.apps()
    for manifest in manifests:
        print(printable(f"{manifest.id}  {manifest.name}  {' '.join(manifest.command)}"))
    if not manifests:
        print("No app is registered. Register one with: frontdesk apps add MANIFEST.toml")
    return 0


async def _remove(app: str) -> int:
    async with DeskControl() as desk:
        app = await app_id(desk, app)
        await desk.remove_app(app)
    print(f"{app} is removed. What it stored itself is untouched.")
    return 0


async def _open(word: str) -> int:
    async with DeskControl() as desk:
        app = await app_id(desk, word)
        asked = (await desk.status()).now
        await desk.open(app)
        try:
            async with asyncio.timeout(OPENS_WITHIN):
                async for status in desk.watch():
                    row = next((row for row in status.apps if row.app == app), None)
                    if row is None or row.state is AppState.FOREGROUND:
                        return 0
                    if row.last_receipt is not None and row.last_receipt.at >= asked:
                        print(
                            printable(f"frontdesk: {row.name} did not open: {row.last_receipt.text}"), file=sys.stderr
                        )
                        return 1
        except TimeoutError:
            return 0
    return 0


async def _quit(word: str) -> int:
    async with DeskControl() as desk:
        await desk.quit(await app_id(desk, word))
    return 0
