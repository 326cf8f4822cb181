"""``frontdesk push serve``: run a push service for one's own desks."""

import argparse
from typing import Any

WORDS = ("push", "serve")


def add_to(subjects: "argparse._SubParsersAction[Any]") -> None:
    """For ``--help`` only: ``serve`` has options of its own, so ``cli.main`` hands it the rest of the line."""
    push = subjects.add_parser("push", help="the push service").add_subparsers(required=True, metavar="WHAT")
    push.add_parser("serve", help="run a push service and Matrix gateway", add_help=False)


def serve(words: list[str]) -> int:
    """Run it with the options in ``words``. Imported late: a server's libraries would slow down every other command."""
    from frontdesk.push import main as service

    return service.main(words)
