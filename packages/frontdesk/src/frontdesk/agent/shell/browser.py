"""Opens an address in the person's browser, on behalf of an app.

The desk does it, since a browser that an app starts descends from the app: it would be frozen and stopped with it.
It is marked with ``process_table.STAYS`` so that it outlives the desk, too.
"""

import asyncio
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from urllib.parse import urlsplit

from frontdesk.agent.shell import process_table
from frontdesk.errors import RefusedError
from frontdesk.terms import Refusal

STARTED_WITHIN = 2.0
"""Seconds after which a program that still runs counts as a browser that opened; a failing one fails sooner."""


def command_for(address: str) -> list[str]:
    """What opens it: ``BROWSER`` of the desk's environment (``%s`` stands for the address), else the desktop's way."""
    named = os.environ.get("BROWSER", "").split(os.pathsep)[0]
    if named:
        words = shlex.split(named)
        return [word.replace("%s", address) for word in words] if "%s" in named else [*words, address]
    if shutil.which("xdg-open"):
        return ["xdg-open", address]
    return [sys.executable, "-m", "webbrowser", address]


async def open_address(address: str, environment: Mapping[str, str]) -> None:
    """Returns when it is opened, or seems to be; ``RefusedError`` when it is no web address, or nothing opens it.

    ``environment``: the browser's, without what is frontdesk's own.
    """
    if not _is_web_address(address):
        raise RefusedError(Refusal.BAD_REQUEST, f"{address!r} is no web address; it was not opened.")
    try:
        command = command_for(address)
    except ValueError as error:
        raise RefusedError(Refusal.UNAVAILABLE, f"BROWSER is no command ({error}). Correct it: {address}") from error
    env = {name: value for name, value in environment.items() if not name.startswith("FRONTDESK_")}
    env[process_table.STAYS] = "1"
    if not await asyncio.to_thread(_started, command, env):
        text = f"No browser could be opened ({command[0]}). Open the address by hand: {address}"
        raise RefusedError(Refusal.UNAVAILABLE, text)


def _is_web_address(address: str) -> bool:
    try:
        return urlsplit(address).scheme in ("http", "https") and "\0" not in address
    except ValueError:  # a bracket that is not closed, say
        return False


def _started(command: list[str], env: dict[str, str]) -> bool:
    # Not asyncio's subprocesses: those are killed when the desk's event loop ends.
    null = subprocess.DEVNULL
    try:
        browser = subprocess.Popen(command, stdin=null, stdout=null, stderr=null, env=env, start_new_session=True)
    except OSError:
        return False
    try:
        return browser.wait(STARTED_WITHIN) == 0
    except subprocess.TimeoutExpired:
        return True
