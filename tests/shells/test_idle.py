"""An idle desk wakes up for nothing: counted by the kernel, with an app asleep and the push connection up."""

import asyncio
import ctypes
import math
import platform
from pathlib import Path

from tests.desks import DeskHome, RunningPushService

EPOLL = {"x86_64": 232, "aarch64": 22}
"""Number of ``epoll_wait``, or of ``epoll_pwait`` where there is no other."""

WATCHED = 4.0
"""Seconds. Nothing is to happen in them, so there is nothing to await."""


def wake_ups(pid: int) -> int:
    """How often this process gave up the processor to wait, and so was woken again."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches"))


SOON = 60.0
"""Seconds within which nothing may be planned: what comes more seldom than we watch is not counted."""


def planned_in(pid: int) -> float:
    """In how many seconds this process wakes up by itself: the kernel knows what it waits in, and for which timers."""
    return min([_waits(pid), *_timers(pid)])


def _timers(pid: int) -> list[float]:
    """Of timers that are files (proc(5), fdinfo); one that does not run is at nothing."""
    found = []
    for file in Path(f"/proc/{pid}/fdinfo").iterdir():
        _, is_timer, left = file.read_text(encoding="ascii").partition("it_value: (")
        if is_timer and (at := left.partition(")")[0]) != "0, 0":
            found.append(float(at.partition(",")[0]))
    return found


def _waits(pid: int) -> float:
    try:
        number, *arguments = Path(f"/proc/{pid}/syscall").read_text().split()
    except OSError:
        return math.inf  # A sandbox may not tell: there, what was counted has to do.
    assert int(number) == EPOLL[platform.machine()], f"it waits in system call {number}"
    timeout = ctypes.c_int(int(arguments[3], 16) & 0xFFFFFFFF).value
    return math.inf if timeout < 0 else timeout / 1000


async def test_desk_and_keeper_do_not_wake_up_while_nothing_happens(
    home: DeskHome, push_service: RunningPushService
) -> None:
    await home.start_reachable(push_service)
    puppet = await home.launch()
    await puppet.do("subscribe", kind="changeable_alert", fallback=None)
    puppet.order("background")
    await home.until(lambda status: status.apps[0].state == "suspended" and status.push_state == "connected")
    desk = (await home.status()).pid
    assert home.keeper is not None
    await home.disconnect()
    counted: list[int] = []
    # What wakes up by itself does so each time. The machine may have to say something once (that memory is short, say),
    # and a busy one takes a while to end our own connection, the last thing that happened.
    while min(counted, default=1) > 0 and len(counted) < 4:
        before = wake_ups(desk) + wake_ups(home.keeper.pid)
        await asyncio.sleep(WATCHED)
        counted.append(wake_ups(desk) + wake_ups(home.keeper.pid) - before)
    assert min(counted) == 0, counted
    assert planned_in(desk) > SOON
