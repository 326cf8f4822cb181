"""Watches a machine while a story is played: what its desk sees, everything it shows, and which processes there are."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from demo.errors import DemoError
from demo.kills.verdict import Process, Showing
from demo.machine import LOBBY, Machine, app_of
from frontdesk import AppState, AppStatus, DeskStatus, FrontdeskError, Shown

PATIENCE = 30.0
"""Seconds after which something awaited is taken for missing, time to come back from a death included."""

_LISTENS = "0A"
"""The kernel's number for a listening socket."""


class Spectator:
    """Use `async with`. `last`: what the desk said last; None while there is none."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.last: DeskStatus | None = None
        self._showings: dict[tuple[str, str, float], Showing] = {}
        self._news = asyncio.Condition()
        self._watching: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Spectator":
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    def showings(self, since: float, app: str = LOBBY) -> list[Showing]:
        """What the desk has shown of the app since that time of its clock, the oldest first."""
        found = [shown for (of, _, at), shown in self._showings.items() if of == app and at >= since]
        return sorted(found, key=lambda shown: shown.at)

    def listed(self) -> list[Showing]:
        """What is in the desk's list of Lobby now."""
        rows = self.last.shown if self.last is not None else ()
        return [_showing(shown) for shown in rows if shown.app == LOBBY]

    async def until(self, seen: Callable[[DeskStatus], bool], what: str, patience: float = PATIENCE) -> DeskStatus:
        """Waits until a desk says it; DemoError with `what` when none does within `patience` seconds."""
        try:
            async with asyncio.timeout(patience), self._news:
                while self.last is None or not seen(self.last):
                    self._of_now()
                    await self._news.wait()
                return self.last
        except TimeoutError:
            raise DemoError(f"Waited {patience:g} s for {what}. {self._standing()}") from None

    async def lobby(self, *states: AppState, patience: float = PATIENCE) -> AppStatus:
        """Lobby once it is in one of the states."""
        what = f"{self.machine.person}'s Lobby to be {' or '.join(states)}"
        return app_of(await self.until(lambda status: app_of(status).state in states, what, patience))

    async def told(self, words: tuple[str, ...], since: float, patience: float = PATIENCE) -> None:
        """Waits until a notification of Lobby has had one of the words in its title or text, shown still or not."""

        def seen(status: DeskStatus) -> bool:
            return any(word in shown.title + shown.body for shown in self.showings(since) for word in words)

        await self.until(seen, f"{self.machine.person} to be told “{words[0]}”", patience)

    async def ready(self, patience: float = PATIENCE) -> None:
        """Waits for a desk that is connected to the push service."""
        await self.until(
            lambda status: status.push_state == "connected", f"{self.machine.person}'s desk and its pushes", patience
        )

    def _of_now(self) -> None:
        if self._watching is not None and self._watching.done():
            self._watching.result()
            raise DemoError(f"Nobody watches {self.machine.person}'s desk any more.")

    def _standing(self) -> str:
        if self.last is None:
            return f"{self.machine.person} has no desk."
        row = app_of(self.last)
        holds = ", ".join(hold.name for hold in row.holds) or "nothing"
        return f"{self.machine.person}'s Lobby: {row.state}, held by {holds}; pushes {self.last.push_state}."

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(FrontdeskError):
                async with contextlib.aclosing(self.machine.watch()) as statuses:
                    async for status in statuses:
                        await self._take(status)
            await self._take(None)
            await asyncio.sleep(0.2)

    async def _take(self, status: DeskStatus | None) -> None:
        async with self._news:
            self.last = status
            for shown in status.shown if status is not None else ():
                self._showings[shown.app, shown.notification.id, shown.at] = _showing(shown)
            self._news.notify_all()


def _showing(shown: Shown) -> Showing:
    said = shown.notification
    return Showing(said.id, shown.at, said.title, said.body)


def visitors_waiting() -> dict[int, int]:
    """How many connections nobody has accepted yet, by the port of this machine at which they wait."""
    found = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == _LISTENS:
            found[int(fields[1].rpartition(":")[2], 16)] = int(fields[4].rpartition(":")[2], 16)
    return found


def processes_of(folder: Path) -> list[Process]:
    """Every process of the machine in that folder, its desk's apps and all that they have started."""
    mark = b"\0FRONTDESK_HOME=" + str(folder).encode() + b"\0"
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if mark not in b"\0" + (entry / "environ").read_bytes():
                continue
            command = (entry / "cmdline").read_bytes().rstrip(b"\0").decode(errors="replace")
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # It has ended, or is somebody else's.
        if fields[0] not in "ZX":
            found.append(Process(int(entry.name), int(fields[1]), fields[0], tuple(command.split("\0"))))
    return found
