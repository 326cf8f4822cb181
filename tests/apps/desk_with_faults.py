"""A real keeper and desk with faults in them: each shows once, when its file is in ``faults`` of FRONTDESK_HOME.

``core``: a machine of the core fails when a notification is asked for. ``saving``: it fails when it says what is to be
saved. ``part``: the part that speaks to the desktop ends with an error when it is to show something. ``message``: what
an app says cannot be turned into an event.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from frontdesk.agent import keeper, main
from frontdesk.agent.clients import Clients
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.notifications import Notifications
from frontdesk.agent.shell.notifications import DesktopNotifications
from frontdesk.wire import desk as wire


class PlantedFault(RuntimeError):
    """What the test meant to happen."""


def shows(fault: str) -> bool:
    """Now, and not again."""
    try:
        (Path(os.environ["FRONTDESK_HOME"]) / "faults" / fault).unlink()
    except FileNotFoundError:
        return False
    return True


def before(kind: type, name: str, first: Callable[..., None]) -> None:
    """Have ``first`` called before this method, with the same arguments."""
    method = getattr(kind, name)

    def both(self: Any, *words: Any) -> Any:
        first(self, *words)
        return method(self, *words)

    setattr(kind, name, both)


def fail_in_core(_: Notifications, happened: object, now: float) -> None:
    if isinstance(happened, ev.NotifyAsked) and shows("core"):
        raise PlantedFault("in the core")


def fail_at_saving(machine: Notifications) -> None:
    if machine.shown() and shows("saving"):
        raise PlantedFault("at saving")


def fail_at_message(_: Clients[Any], connection: object, app: str, message: wire.ToDesk) -> None:
    if isinstance(message, wire.Notify) and shows("message"):
        raise PlantedFault("over a message")


def plant_in_part() -> None:
    run, show = DesktopNotifications.run, DesktopNotifications.show
    asked = asyncio.Event()

    def show_or_fail(self: DesktopNotifications, *words: Any) -> None:
        if shows("part"):
            asked.set()
        show(self, *words)

    async def run_or_fail(self: DesktopNotifications) -> None:
        running = asyncio.ensure_future(run(self))
        await asked.wait()
        running.cancel()
        raise PlantedFault("in a part")

    setattr(DesktopNotifications, "show", show_or_fail)  # noqa: B010 (an assignment is what mypy forbids)
    setattr(DesktopNotifications, "run", run_or_fail)  # noqa: B010


if __name__ == "__main__":
    if "FRONTDESK_KEEPER_FD" not in os.environ:
        sys.exit(keeper.main([sys.executable, __file__]))
    before(Notifications, "handle", fail_in_core)
    before(Notifications, "saves", fail_at_saving)
    before(Clients, "heard", fail_at_message)
    plant_in_part()
    sys.exit(main.main())
