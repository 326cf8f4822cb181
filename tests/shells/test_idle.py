"""An idle desk wakes up for nothing: counted by the kernel, with an app asleep and the push connection up."""

import asyncio

from tests.desks import DeskHome, RunningPushService

WATCHED = 4.0
"""Seconds. Nothing is to happen in them, so there is nothing to await."""


def wake_ups(pid: int) -> int:
    """How often this process gave up the processor to wait, and so was woken again."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches"))


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
