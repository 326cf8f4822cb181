"""The ``frontdesk`` command: finds the subject, runs it, and turns errors into one clear sentence."""

import argparse
import importlib.metadata
import sys
from collections.abc import Sequence

from frontdesk.cli import apps, desk, log, push, status
from frontdesk.errors import FrontdeskError


def main(words: Sequence[str] | None = None) -> int:
    """Exit status 0, 1 (it could not be done; stderr says why) or 2 (the words are wrong)."""
    given = list(sys.argv[1:] if words is None else words)
    if tuple(given[:2]) == push.WORDS:
        return push.serve(given[2:])
    parser = argparse.ArgumentParser(
        prog="frontdesk",
        description="One small process per person stays awake so that desktop apps can sleep.",
    )
    parser.add_argument("--version", action="version", version=f"frontdesk {importlib.metadata.version('frontdesk')}")
    subjects = parser.add_subparsers(dest="subject", required=True, metavar="COMMAND")
    for subject in (desk, status, log, apps, push):
        subject.add_to(subjects)
    chosen = parser.parse_args(given)
    try:
        return int(chosen.run(chosen))
    except FrontdeskError as error:
        print(f"frontdesk: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read our output (head, less) has enough.
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
