"""Follows the desk for the dashboard: its status, the receipts of its apps, and how long it was gone."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from frontdesk.app.control import DeskControl
from frontdesk.dashboard.core.away import Away
from frontdesk.dashboard.page import Seen
from frontdesk.errors import DeskUnavailable, FrontdeskError
from frontdesk.terms import AppState, DeskStatus, Receipt, TaskReceipt

log = logging.getLogger("frontdesk")

_TRY_AGAIN_AFTER = 0.5
_MOST_RECEIPTS = 20


class Following:
    """``run`` follows until it is cancelled; ``seen`` is what is known now, ``changes`` tells of each change."""

    def __init__(self, home: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self._home = home
        self._clock = clock
        self._status: DeskStatus | None = None
        self._age_from = 0.0
        self._away = Away()
        self._receipts: dict[str, tuple[Receipt | TaskReceipt, ...]] = {}
        self._stops: dict[str, tuple[float, int, int]] = {}
        """By app, the state for which its receipts were asked last."""
        self._changed = asyncio.Event()

    def seen(self) -> Seen:
        """The desk's last word, and whether there is one now. Time goes on by the desk's clock."""
        now = self._clock() if self._status is None else self._status.now + time.monotonic() - self._age_from
        # A copy: what a page was told is compared with what is known later.
        receipts = dict(self._receipts)
        return Seen(self._status, self._away.is_away or self._status is None, now, self._away.gaps, receipts)

    async def changes(self) -> AsyncIterator[None]:
        """At once, and after every change."""
        while True:
            changed = self._changed
            yield
            await changed.wait()

    async def run(self) -> None:
        """Follows the desk, and the next one when it dies."""
        while True:
            try:
                async with DeskControl(self._home) as desk:
                    desk.on_lost = self._lost
                    async for status in desk.watch():
                        self._heard(status)
                        await self._read_receipts(desk, status)
            except DeskUnavailable:
                self._lost()
            except FrontdeskError as error:
                log.warning("The desk does not answer the dashboard: %s", error)
                self._lost()
            await asyncio.sleep(_TRY_AGAIN_AFTER)

    def _heard(self, status: DeskStatus) -> None:
        self._status, self._age_from = status, time.monotonic()
        self._away.there(status.pid, status.now)
        self._tell()

    def _lost(self) -> None:
        self._away.gone(self.seen().now)
        self._tell()

    async def _read_receipts(self, desk: DeskControl, status: DeskStatus) -> None:
        over = {line.app: line.number for line in status.happenings if line.what == "run_over"}
        for app in status.apps:
            runs = (app.since if app.state is AppState.STOPPED else 0.0, app.pid, over.get(app.app, 0))
            if self._stops.get(app.app) != runs:
                both: list[Receipt | TaskReceipt] = [*await desk.receipts(app.app), *await desk.task_receipts(app.app)]
                self._receipts[app.app] = tuple(sorted(both, key=lambda each: -each.at)[:_MOST_RECEIPTS])
                self._stops[app.app] = runs
                self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
