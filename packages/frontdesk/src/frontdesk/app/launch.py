"""What the desk gave this process when it launched it: a token, and the socket of its page.

Programs that a launched app starts inherit its environment, and with it the launch. They are not what was launched:
the first process to ask takes the launch, and all others are as if started by hand. The token itself stays where it
is, since the desk finds by it what belongs to an app.
"""

import os

from frontdesk.environment import LAUNCH_TAKEN_BY, LAUNCH_TOKEN, PAGE_FD


def launch_token() -> str:
    """The token of this process's launch; "" when the desk did not launch it."""
    return os.environ.get(LAUNCH_TOKEN, "") if _is_ours() else ""


def page_descriptor() -> int | None:
    """The listening socket that came with the launch; None when none did."""
    number = os.environ.get(PAGE_FD, "") if _is_ours() else ""
    return int(number) if number else None


def _is_ours() -> bool:
    if LAUNCH_TOKEN not in os.environ:
        return False
    ours = str(os.getpid())
    return os.environ.setdefault(LAUNCH_TAKEN_BY, ours) == ours
