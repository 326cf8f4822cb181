"""Starting a desk where none runs: in a session of its own, so that neither app nor terminal takes it along (L14).

Standard library only, since apps import it.
"""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from frontdesk import places
from frontdesk.environment import OF_ONE_PROCESS
from frontdesk.errors import DeskUnavailable

DEADLINE = 5.0
"""Seconds a desk has to open its socket."""

_ALREADY_RUNNING = 3
"""Exit status of a keeper that finds another."""


def start_desk() -> None:
    """Start a desk unless one runs; returns when its socket accepts, which is before the desk is ready to answer.

    Blocks for about 0.1 s, DEADLINE seconds at most. What the desk prints goes to ``places.log_file("desk")``.

    Raises:
        DeskUnavailable: it could not be started; the text says why.
    """
    env = {name: value for name, value in os.environ.items() if name not in OF_ONE_PROCESS}
    until = time.monotonic() + DEADLINE
    command = [sys.executable, "-m", "frontdesk.agent.keeper", "--detach"]
    try:
        # It leaves as soon as the keeper, by then a process of its own, listens.
        done = subprocess.run(
            command, env=env, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE
        )
    except (subprocess.TimeoutExpired, OSError) as error:
        raise DeskUnavailable(f"The desk could not be started: {error}. Nothing was changed; try again.") from error
    if done.returncode not in (0, _ALREADY_RUNNING):
        words = (done.stderr or done.stdout).strip().rstrip(".") or f"it ended with status {done.returncode}"
        raise DeskUnavailable(f"The desk could not be started: {words[-500:]}. Nothing was changed.")
    path = places.desk_socket()
    while not _accepts(path):
        # Another keeper has the lock and is about to listen; it tells nobody when it does.
        if time.monotonic() > until:
            raise DeskUnavailable(
                f"A desk runs, but {path} did not accept within {DEADLINE:.0f} s. `frontdesk status` tells more."
            )
        time.sleep(0.02)


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.settimeout(DEADLINE)
        try:
            visitor.connect(str(path))
        except OSError:
            return False
    return True
