"""The clock of the desk in memory: goes with the event loop's, and through the machine's sleep as well."""

import asyncio
from collections.abc import Callable


class DeskClock:
    """As ``agent.shell.clock.Clock``: seconds since 1970 that nobody sets. ``start``: what it shows at first."""

    def __init__(self, start: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._ahead = start - self._loop.time()
        self._unsaid = 0.0

    def now(self) -> float:
        return self._loop.time() + self._ahead

    def begin_anew(self, ahead: float) -> None:
        """A desk starts, and its clock shows what the wall clock does: ``ahead`` seconds more."""
        self._ahead += ahead

    def sleep(self, seconds: float) -> None:
        """The machine sleeps for so long: this clock goes on, that of the loop does not."""
        self._ahead += seconds
        self._unsaid += seconds

    def slept(self) -> float:
        """Seconds of sleep since this was last asked."""
        slept, self._unsaid = self._unsaid, 0.0
        return slept

    def alarm(self, ring: Callable[[], None]) -> "DeskAlarm":
        """Calls ``ring`` when it is due."""
        return DeskAlarm(self, ring)


class DeskAlarm:
    """One at a time."""

    def __init__(self, clock: DeskClock, ring: Callable[[], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None

    def set(self, at: float | None) -> None:
        """``at`` by the desk's clock; None: never."""
        self.close()
        if at is not None:
            left = max(0.0, at - self._clock.now())
            self._timer = asyncio.get_running_loop().call_later(left, self._ring)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
