"""``frontdesk dashboard``: the desk's own status page, served on this machine for as long as the command runs."""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from frontdesk.app.control import DeskControl
from frontdesk.errors import FrontdeskError

if TYPE_CHECKING:
    from frontdesk.dashboard.server import Dashboard


def add_to(subjects: "argparse._SubParsersAction[Any]") -> None:
    dashboard = subjects.add_parser("dashboard", help="the same as a page in your browser, with the last minutes drawn")
    dashboard.add_argument("--no-browser", action="store_true", help="print the address instead of opening it")
    dashboard.set_defaults(run=lambda chosen: asyncio.run(_run(not chosen.no_browser)))


async def _run(browser: bool) -> int:
    # Here, so that the other commands do not wait for what only this one needs.
    from frontdesk.dashboard.following import Following
    from frontdesk.dashboard.server import served

    async with DeskControl() as desk:
        await desk.status()
    following = Following()
    work = asyncio.create_task(following.run())
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        async with served(following) as dashboard:
            await _show(dashboard, browser)
            with _fresh_address_on_enter(dashboard):
                ended = asyncio.create_task(stopped.wait())
                await asyncio.wait([ended, work], return_when=asyncio.FIRST_COMPLETED)
                ended.cancel()
            if work.done():
                work.result()
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    return 0


async def _show(dashboard: "Dashboard", browser: bool) -> None:
    """Open the page, or print its address: where there is no screen a browser in the terminal would take it over."""
    from frontdesk.agent.shell.browser import open_address

    address = dashboard.address()
    opened = False
    if browser and (sys.platform == "darwin" or any(os.environ.get(name) for name in _SCREENS)):
        try:
            await open_address(address, os.environ)
            opened = True
        except FrontdeskError as error:
            print(f"frontdesk: {error}", file=sys.stderr)
    if opened:
        print("The dashboard is open in your browser.")
    else:
        print(f"The dashboard, open it in a browser (the address works once):\n  {address}")
    again = "Enter prints a fresh address; " if sys.stdin.isatty() else ""
    print(f"{again}Ctrl-C ends the dashboard, and nothing else.", flush=True)


_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")


@contextlib.contextmanager
def _fresh_address_on_enter(dashboard: "Dashboard") -> Any:
    """Each Enter in the terminal prints another one-time address, for a second browser."""
    if not sys.stdin.isatty():
        yield
        return
    loop = asyncio.get_running_loop()

    def entered() -> None:
        if sys.stdin.readline():
            print(f"  {dashboard.address()}", flush=True)
        else:
            loop.remove_reader(sys.stdin)

    loop.add_reader(sys.stdin, entered)
    try:
        yield
    finally:
        loop.remove_reader(sys.stdin)
