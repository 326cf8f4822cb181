"""The ``frontdesk`` command: finds the subject, runs it, and turns errors into one clear sentence."""

import argparse
import importlib.metadata
import io
import os
import sys
from collections.abc import Sequence

from frontdesk.cli import apps, background, dashboard, desk, explain, log, push, replay, simulate, status
from frontdesk.errors import FrontdeskError


def main(words: Sequence[str] | None = None) -> int:
    """Exit status 0, 1 (it could not be done; stderr says why), 2 (the words are wrong) or 130 (Ctrl-C)."""
    _prepare_output()
    try:
        try:
            return _run(list(sys.argv[1:] if words is None else words))
        finally:
            sys.stdout.flush()
    except FrontdeskError as error:
        print(f"frontdesk: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read our output (head, less) has enough.
        _drop_output()
        return 0
    except OSError as error:
        _drop_output()
        place = f" ({error.filename})" if error.filename else ""
        print(f"frontdesk: It could not be done, or not be printed: {error.strerror or error}{place}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _run(words: list[str]) -> int:
    if tuple(words[:2]) == push.WORDS:
        return push.serve(words[2:])
    parser = argparse.ArgumentParser(
        prog="frontdesk",
        description="One small process per person stays awake so that desktop apps can sleep.",
    )
    parser.add_argument("--version", action="version", version=f"frontdesk {importlib.metadata.version('frontdesk')}")
    subjects = parser.add_subparsers(dest="subject", required=True, metavar="COMMAND")
    for subject in (desk, status, dashboard, log, explain, simulate, apps, background, replay, push):
        subject.add_to(subjects)
    chosen = parser.parse_args(words)
    return int(chosen.run(chosen))


def _prepare_output() -> None:
    """Output that was closed goes nowhere, and a character that the terminal does not know becomes a question mark."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - until the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _drop_output() -> None:
    """What is still to be written would fail again when the interpreter ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


if __name__ == "__main__":
    sys.exit(main())
