"""``frontdesk agent``, ``enable``, ``disable``: run the desk, and have it started at login."""

import argparse
from typing import Any


def add_to(subjects: "argparse._SubParsersAction[Any]") -> None:
    agent = subjects.add_parser("agent", help="run the desk here, until Ctrl-C")
    agent.set_defaults(run=lambda chosen: _agent())
    on = subjects.add_parser("enable", help="start the desk at every login, and now")
    on.set_defaults(run=lambda chosen: _enable(True))
    off = subjects.add_parser("disable", help="start the desk no more at login")
    off.set_defaults(run=lambda chosen: _enable(False))


def _agent() -> int:
    from frontdesk.agent import keeper

    return keeper.main()


def _enable(on: bool) -> int:
    from frontdesk.agent import enable

    print(enable.enable() if on else enable.disable())
    return 0
