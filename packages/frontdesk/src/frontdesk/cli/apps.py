"""``frontdesk apps add|list|remove``, ``frontdesk open APP``, ``frontdesk quit APP``."""

import argparse
import asyncio
from typing import Any

from frontdesk.app.control import DeskControl


def add_to(subjects: "argparse._SubParsersAction[Any]") -> None:
    apps = subjects.add_parser("apps", help="which apps the desk knows").add_subparsers(required=True, metavar="WHAT")
    add = apps.add_parser("add", help="register an app, or take its changed manifest")
    add.add_argument("manifest", metavar="MANIFEST.toml")
    add.set_defaults(run=lambda chosen: asyncio.run(_add(chosen.manifest)))
    apps.add_parser("list", help="id, name and command of each").set_defaults(run=lambda chosen: asyncio.run(_list()))
    remove = apps.add_parser("remove", help="stop it, and forget it with its subscriptions")
    remove.add_argument("app", metavar="APP")
    remove.set_defaults(run=lambda chosen: asyncio.run(_remove(chosen.app)))
    opening = subjects.add_parser("open", help="launch or wake an app, and have it show itself")
    opening.add_argument("app", metavar="APP")
    opening.set_defaults(run=lambda chosen: asyncio.run(_open(chosen.app)))
    quitting = subjects.add_parser("quit", help="stop an app; nothing wakes it until it is opened again")
    quitting.add_argument("app", metavar="APP")
    quitting.set_defaults(run=lambda chosen: asyncio.run(_quit(chosen.app)))


async def _add(path: str) -> int:
    async with DeskControl() as desk:
        manifest = await desk.add_app(path)
    print(f"{manifest.name} is registered as {manifest.id}.")
    return 0


async def _list() -> int:
    async with DeskControl() as desk:
        manifests = await desk.apps()
    for manifest in manifests:
        print(f"{manifest.id}  {manifest.name}  {' '.join(manifest.command)}")
    if not manifests:
        print("No app is registered. Register one with: frontdesk apps add MANIFEST.toml")
    return 0


async def _remove(app: str) -> int:
    async with DeskControl() as desk:
        await desk.remove_app(app)
    print(f"{app} is removed. What it stored itself is untouched.")
    return 0


async def _open(app: str) -> int:
    async with DeskControl() as desk:
        await desk.open(app)
    return 0


async def _quit(app: str) -> int:
    async with DeskControl() as desk:
        await desk.quit(app)
    return 0
