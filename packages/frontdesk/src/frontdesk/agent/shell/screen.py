"""Which screen the person sits at: a browser has to be told, and a desk started before the desktop does not know.

Known from whoever of the person's programs called last from a screen; else from the desk's own environment; else from
systemd, to which desktops tell theirs (systemctl(1), ``import-environment``).
"""

import asyncio
import logging
import os
import shutil
import subprocess
from collections.abc import Mapping

from frontdesk.agent.shell import process_table

ANSWER_WITHIN = 3.0
"""Seconds systemd has to tell."""

log = logging.getLogger("frontdesk.desk")

_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")
_VARIABLES = (*_SCREENS, "XAUTHORITY", "XDG_SESSION_TYPE", "XDG_CURRENT_DESKTOP", "DBUS_SESSION_BUS_ADDRESS")
_FROM_ELSEWHERE = "SSH_CONNECTION"
"""Set for programs of a person at another machine, whose screen is not this one and may be gone soon."""


class Screen:
    """Remembers the last caller's; asks systemd each time it has to."""

    def __init__(self) -> None:
        self._called_from: dict[str, str] = {}

    def called_by(self, pid: int) -> None:
        """A program that the person started has connected. One that knows no screen changes nothing."""
        known = process_table.variables(pid, (*_VARIABLES, _FROM_ELSEWHERE))
        if _has_screen(known) and _FROM_ELSEWHERE not in known:
            self._called_from = known

    async def environment(self) -> dict[str, str]:
        """This process's environment, with the person's screen as far as anybody knows one."""
        own = dict(os.environ)
        if self._called_from:
            found = self._called_from
        elif _has_screen(own):
            return own
        else:
            found = await asyncio.to_thread(_of_systemd)
        if not _has_screen(found):
            return own
        # The whole set is of one desktop: half of another's would lead to a screen that is gone.
        return {name: value for name, value in own.items() if name not in _VARIABLES} | found


def _has_screen(environment: Mapping[str, str]) -> bool:
    return any(environment.get(name) for name in _SCREENS)


def _of_systemd() -> dict[str, str]:
    if shutil.which("systemctl") is None:
        return {}
    command = ["systemctl", "--user", "show-environment"]
    try:
        told = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=ANSWER_WITHIN
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("systemd does not tell which screen there is (%s).", error)
        return {}
    lines = [line.partition("=") for line in told.stdout.splitlines()] if told.returncode == 0 else []
    # $'…' quotes what is out of the ordinary; none of these values is.
    return {name: value for name, _, value in lines if name in _VARIABLES and not value.startswith("$'")}
