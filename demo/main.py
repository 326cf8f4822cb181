"""The demo's command line: `run` opens the stage, `tour` plays the story, `clean` forgets accounts and history."""

import argparse
import asyncio
import contextlib
import os
import shlex
import sys
import time
import webbrowser
from collections.abc import Iterator, Sequence
from pathlib import Path

from demo import folder, world
from demo.errors import DemoError
from demo.machine import Machine
from demo.ports import claim_noted
from demo.stage.board import Machines
from demo.stage.server import Stage, opened
from demo.tour import tour
from demo.until_stopped import until_stopped

_FOLDER = Path(".demo")
_LIMITS = {"suspended": 120.0}
"""Two minutes instead of ten until a sleeping app is stopped: a visitor should see that, too."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; gives the exit status: 0 done, 1 something went wrong, 130 a tour stopped by Ctrl-C."""
    said = _parser().parse_args(arguments)
    try:
        match said.command:
            case "run":
                # Ctrl-C is how a demo ends; nothing has gone wrong then.
                return until_stopped(run(said.folder.absolute(), said.browser), stopped=0)
            case "tour":
                return until_stopped(tour.run(said.json, said.keep), stopped=130)
            case _:
                gone = folder.clean(said.folder.absolute())
                print(f"Removed {said.folder}." if gone else f"There is no {said.folder}; nothing to remove.")
                return 0
    except DemoError as reason:
        print(reason, file=sys.stderr)
    except OSError as reason:
        print(f"The demo cannot go on: {reason}. What it had started has been stopped.", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run_command = commands.add_parser("run", help="start everything and open the stage")
    run_command.add_argument("--no-browser", dest="browser", action="store_false", help="print the addresses instead")
    tour_command = commands.add_parser("tour", help="play the story without a browser and check each step")
    tour_command.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    tour_command.add_argument("--keep", type=Path, metavar="FOLDER", help="play in this folder and leave it, with logs")
    clean_command = commands.add_parser("clean", help="remove the demo's accounts and history")
    for command in (run_command, clean_command):
        command.add_argument("--folder", type=Path, default=_FOLDER, help="where the demo lives (%(default)s)")
    return parser


async def run(path: Path, browser: bool) -> int:
    """Starts everything, opens the stage (or prints its address), and serves it until it is cancelled."""
    began = time.monotonic()
    with folder.Folder(path) as held, claim_noted(path / "stage.port") as claim:
        stage = Stage(claim.port, enter_helps=sys.stdin.isatty())
        print(f"Starting the demo in {path}", flush=True)
        async with world.running(held, stage.origin, _LIMITS, _progress) as stand:
            board = Machines(stand.left, stand.right)
            async with opened(stage, board):
                print(f"Ready after {time.monotonic() - began:.1f} s.\n", flush=True)
                _tell_addresses(stand, stage)
                await _open(stage, browser)
                with _fresh_address_on_enter(stage):
                    async with asyncio.TaskGroup() as both:
                        both.create_task(board.watch())
                        both.create_task(world.report_ends(stand, lambda text: print(text, file=sys.stderr)))
    return 0


def _progress(what: str, seconds: float) -> None:
    print(f"  {what:<16} {seconds:5.1f} s", flush=True)


def _tell_addresses(stand: world.World, stage: Stage) -> None:
    print(f"Homeserver  {stand.synapse.url}  (accounts left and right, password {world.PASSWORD})")
    for machine in stand.machines:
        # Past this address the switches of the machine's network have no effect on who logs in again.
        print(f"            {machine.homeserver}  through {machine.person}’s network, for logging in there again")
    for machine in stand.machines:
        print(f"\n{machine.person} in a terminal: what the desk sees, and a fresh address of Lobby's page")
        print("  " + _command(machine, ("FRONTDESK_HOME",), "frontdesk status"))
        print("  " + _command(machine, ("FRONTDESK_HOME", "LOBBY_HOME", "LOBBY_HOST"), "lobby address"))


def _command(machine: Machine, variables: Sequence[str], command: str) -> str:
    """A line to be copied into any terminal: the variables as the machine has them, the command by its full path."""
    settings = [f"{name}={shlex.quote(machine.environment[name])}" for name in variables]
    return " ".join([*settings, shlex.quote(str(Path(sys.executable).parent)) + "/" + command])


async def _open(stage: Stage, browser: bool) -> None:
    address = stage.address()
    if browser and _has_screen() and await asyncio.to_thread(webbrowser.open, address):
        print(f"\nThe stage is open in your browser; it lives at {stage.origin}/", flush=True)
    else:
        print(f"\nThe stage, open it in a browser (works once):\n  {address}", flush=True)
    again = "Enter prints a fresh address. " if sys.stdin.isatty() else ""
    print(f"{again}Ctrl-C stops everything; accounts and history stay for the next time.", flush=True)


def _has_screen() -> bool:
    """Whether a browser could show itself: on a bare terminal `webbrowser` would start one that takes it over."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


@contextlib.contextmanager
def _fresh_address_on_enter(stage: Stage) -> Iterator[None]:
    """Each Enter in the terminal prints another one-time address, for a second browser."""
    if not sys.stdin.isatty():
        yield
        return
    loop = asyncio.get_running_loop()

    def entered() -> None:
        if sys.stdin.readline():
            print(f"  {stage.address()}", flush=True)
        else:
            loop.remove_reader(sys.stdin)

    loop.add_reader(sys.stdin, entered)
    try:
        yield
    finally:
        loop.remove_reader(sys.stdin)
