"""``frontdesk agent``, ``enable``, ``disable``: run the desk, and have it started at login."""

import argparse
from typing import Any

from frontdesk.agent import enable, keeper


def add_to(subjects: "argparse._SubParsersAction[Any]") -> None:
    agent = subjects.add_parser("agent", help="run the desk here, until Ctrl-C")
    agent.set_defaults(run=lambda chosen: keeper.main())
    on = subjects.add_parser("enable", help="start the desk at every login, and now")
    on.set_defaults(run=lambda chosen: _say(enable.enable()))
    off = subjects.add_parser("disable", help="start the desk no more at login")
    off.set_defaults(run=lambda chosen: _say(enable.disable()))


def _say(sentence: str) -> int:
    print(sentence)
    return 0
