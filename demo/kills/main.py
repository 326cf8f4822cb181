"""The command line of the kill matrix: plays it, or a part of it, and prints a line for each cell."""

import argparse
import logging
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from demo.errors import DemoError
from demo.kills import matrix, plan
from demo.kills.plan import Cell
from demo.until_stopped import until_stopped


def main(arguments: Sequence[str] | None = None) -> int:
    """Gives the exit status: 0 every cell ended well, 1 one did not, 2 wrong words, 130 stopped by Ctrl-C."""
    parser = _parser()
    said = parser.parse_args(arguments)
    try:
        cells = plan.read_cells(said.only)
    except ValueError as reason:
        parser.error(str(reason))
    if said.list:
        for cell in cells:
            print(f"{cell!s:<10} {plan.blow(cell, said.seed)}")
        return 0
    try:
        # That desks and connections break off is what this is about; the desks' own logs have it.
        logging.getLogger("frontdesk").setLevel(logging.CRITICAL)
        return until_stopped(run(cells, said.seed, said.keep), stopped=130)
    except DemoError as reason:
        print(reason, file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m demo.kills", description="Kills each part in each step of the tour; the story still ends well."
    )
    parser.add_argument("--seed", type=int, default=1, help="draws the moments (%(default)s)")
    parser.add_argument(
        "--only", action="extend", nargs="+", default=[], metavar="CELL", help="desk:3, or desk, or 3; several allowed"
    )
    parser.add_argument("--list", action="store_true", help="say who would be killed when, and kill nobody")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where worlds of cells that went wrong are left")
    return parser


async def run(cells: Sequence[Cell], seed: int, keep: Path | None) -> int:
    """Plays the cells and prints them; exit status 0 when every one ended well, else 1."""
    began = time.monotonic()
    folder = keep.absolute() if keep else Path(tempfile.mkdtemp(prefix="kills-", dir="/tmp"))
    print(f"{len(cells)} cells, seed {seed}. Worlds start in {folder}", flush=True)
    outcomes = await matrix.play(cells, seed, folder, lambda outcome: print(told(outcome, seed), flush=True))
    wrong = [outcome for outcome in outcomes if outcome.wrong]
    verdict = "Every cell ended well" if not wrong else f"{len(wrong)} of {len(outcomes)} cells went wrong"
    print(f"{verdict}, {time.monotonic() - began:.0f} s in all." + (f" Logs: {folder}" if wrong else ""))
    if not wrong and not keep:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if wrong else 0


def told(outcome: matrix.Outcome, seed: int) -> str:
    """What is said of a cell: one line, and when it went wrong what did, and how to play it again."""
    line = (
        f"{outcome.cell!s:<10} {outcome.blow!s:<78} {outcome.seconds:5.1f} s  {'ok' if not outcome.wrong else 'WRONG'}"
    )
    if not outcome.wrong:
        return line
    again = shlex.quote(f"ARGS=--seed {seed} --only {outcome.cell}")
    return "\n".join([line, *(f"     {each}" for each in outcome.wrong), f"     Again: make kill-matrix {again}"])
