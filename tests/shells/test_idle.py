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
    home.settings(push_service.setting)
    await home.start()
    await home.install()
    puppet = await home.launch()
    await puppet.do("subscribe", kind="changeable_alert", fallback=None)
    puppet.order("background")
    await home.until(lambda status: status.apps[0].state == "suspended" and status.push_state == "connected")
    desk = (await home.status()).pid
    assert home.keeper is not None
    await home.disconnect()
    await asyncio.sleep(1.0)  # the end of our own connection is the last thing that happens
    before = wake_ups(desk), wake_ups(home.keeper.pid)
    await asyncio.sleep(WATCHED)
    after = wake_ups(desk), wake_ups(home.keeper.pid)
    # One for what the machine itself may have to say (memory pressure of another test, say).
    assert after[0] - before[0] <= 1 and after[1] == before[1]
