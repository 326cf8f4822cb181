"""Breaks the machines of the core one table entry, limit or case at a time and names the breaks that no test notices.

``make breaks`` runs the core's pure tests over each break, in a process of its own that sees the broken source instead
of the file; no file is touched. Exit status 1 when a break went unnoticed. ``ARGS``: names of machines, to try these
only; ``--list`` names the breaks and tries none.
"""

import argparse
import concurrent.futures
import os
import subprocess
import sys
from pathlib import Path

import msgspec

from frontdesk.agent.core.limits import Limits
from tools.breaking.breaks import Break, breaks_of

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "packages" / "frontdesk" / "src" / "frontdesk" / "agent" / "core"
TESTS = ROOT / "tests" / "frontdesk" / "agent" / "core"
NO_MACHINES = {"__init__", "events", "effects", "limits"}
"""Files that only say what there is."""
UNTIL = 120.0
"""Seconds after which tests over a break are taken to hang: noticed, too."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make breaks", description=__doc__)
    parser.add_argument("machines", nargs="*", metavar="MACHINE", help="a file of agent/core, without .py")
    parser.add_argument("--list", action="store_true", help="name the breaks, try none")
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1, help="tried at the same time")
    chosen = parser.parse_args()
    files = [file for file in sorted(CORE.rglob("*.py")) if file.stem not in NO_MACHINES]
    if chosen.machines:
        files = [file for file in files if file.stem in chosen.machines]
    limits = frozenset(field.name for field in msgspec.structs.fields(Limits))
    breaks = [(file, each) for file in files for each in breaks_of(file.read_text(encoding="utf-8"), limits)]
    if chosen.list:
        print("\n".join(_line(file, each) for file, each in breaks))
        return 0
    if _fails(files[0], files[0].read_text(encoding="utf-8"), TESTS):
        print("The tests fail, or hang, with nothing broken at all, and would notice everything. Mend that first.")
        return 2
    with concurrent.futures.ThreadPoolExecutor(chosen.at_once) as pool:
        unnoticed = 0
        for (file, each), noticed in zip(breaks, pool.map(lambda one: _is_noticed(*one), breaks), strict=True):
            if not noticed:
                unnoticed += 1
                print(_line(file, each), flush=True)
    print(f"{len(breaks) - unnoticed} of {len(breaks)} breaks are noticed by tests")
    return 1 if unnoticed else 0


def _line(file: Path, each: Break) -> str:
    return f"{file.relative_to(ROOT)}:{each.line}: {each.what}"


def _is_noticed(file: Path, each: Break) -> bool:
    return any(_fails(file, each.source, tests) for tests in looked_at_by(file))


def looked_at_by(file: Path) -> list[Path]:
    """Its own tests first: most breaks are noticed there, and the others need not run."""
    own = TESTS / file.relative_to(CORE).with_name(f"test_{file.name}")
    return [*([own] if own.exists() else []), TESTS]


def _fails(file: Path, source: str, tests: Path) -> bool:
    command = [sys.executable, "-m", "tools.breaking.run", _module(file), str(tests)]
    try:
        done = subprocess.run(command, input=source.encode(), cwd=ROOT, capture_output=True, timeout=UNTIL)
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0


def _module(file: Path) -> str:
    return ".".join(("frontdesk.agent.core", *file.relative_to(CORE).with_suffix("").parts))


if __name__ == "__main__":
    sys.exit(main())
