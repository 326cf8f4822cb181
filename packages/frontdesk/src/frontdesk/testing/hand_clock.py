"""The clock of the running event loop, in the hand of a test; and what it means that nothing is left to run.

While it is taken, ``asyncio.sleep(60)`` and every other timer of the loop end when the test has moved the clock that
far, and in no real time. What lies outside the loop keeps its own time: other threads, other programs, the network.
"""

import asyncio
import heapq
import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

_TAKEN = ("time", "call_soon", "call_at", "run_in_executor")


class StillBusy(AssertionError):
    """The apps did not come to rest within the patience of the desk, which is counted in real time."""


class HandClock:
    """``take`` and ``give_back`` go together. ``patience``: real seconds that ``rest`` waits at most."""

    def __init__(self, patience: float) -> None:
        loop = asyncio.get_running_loop()
        if not isinstance(loop, asyncio.BaseEventLoop):
            raise TypeError(
                f"An in-memory desk moves the clock of asyncio's own event loop, and this is {type(loop).__name__}. "
                "Run the test on asyncio.SelectorEventLoop."
            )
        self._loop = loop
        self._patience = patience
        self._time = loop.time()
        self._soon = 0
        """How often something was put in line to run at once."""
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = itertools.count()
        self._in_threads: set[asyncio.Future[Any]] = set()
        self._real_call_soon: Callable[..., asyncio.Handle] = loop.call_soon
        self._real_call_at: Callable[..., asyncio.TimerHandle] = loop.call_at
        self._real_run_in_executor: Callable[..., asyncio.Future[Any]] = loop.run_in_executor

    def take(self) -> None:
        """From here on the clock stands still unless ``move_to`` moves it. ``RuntimeError``: another hand has it."""
        if "time" in vars(self._loop):
            raise RuntimeError("This event loop has an in-memory desk already: install every app at that one.")
        for name in _TAKEN:
            setattr(self._loop, name, getattr(self, f"_{name}" if name != "time" else name))

    def give_back(self) -> None:
        """The loop's own clock counts again."""
        for name in _TAKEN:
            delattr(self._loop, name)

    def time(self) -> float:
        """As ``loop.time()``: seconds from an arbitrary beginning."""
        return self._time

    async def move_to(self, at: float) -> None:
        """Let everything run that is due until then, in order, each timer at its own moment."""
        await self.rest()
        while (due := self.next_timer()) is not None and due <= at:
            await self.move_to_timer()
        self._time = max(self._time, at)
        await self.rest()

    async def move_to_timer(self) -> None:
        """To the moment of the next timer, and let it run."""
        due = self.next_timer()
        if due is not None:
            self._time = max(self._time, due)
        await self.rest()

    def next_timer(self) -> float | None:
        """When something is due next; None: nothing ever, unless somebody does something."""
        while self._timers and (self._timers[0][2].cancelled() or self._timers[0][0] <= self._time):
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    async def rest(self) -> None:
        """Until nothing is left to run at this moment. ``StillBusy`` when there is no end of it.

        That is so when the loop has gone round twice and nobody but this put anything in line: the first round runs
        what was in line before and what has become due, and what those put in line would be counted in the second.
        Work in threads (``asyncio.to_thread``, ``run_in_executor``) is waited for.
        """
        give_up = time.monotonic() + self._patience
        while True:
            before = self._soon
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if self._soon == before + 2:
                if not self._in_threads:
                    return
                await self._wait_for_threads(give_up - time.monotonic())
            elif time.monotonic() > give_up:
                raise StillBusy(f"Something was running on and on for {self._patience:g} s without waiting for time.")

    async def real_pause(self, seconds: float) -> None:
        """Let real time pass, and what comes in it from outside the loop be handled."""
        over = asyncio.Event()
        timer = threading.Timer(seconds, self._loop.call_soon_threadsafe, (over.set,))
        timer.daemon = True
        timer.start()
        try:
            await over.wait()
        finally:
            timer.cancel()

    async def _wait_for_threads(self, patience: float) -> None:
        enough = asyncio.ensure_future(self.real_pause(max(0.0, patience)))
        try:
            done, _ = await asyncio.wait({*self._in_threads, enough}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            enough.cancel()
        if done == {enough}:
            what = ", ".join(sorted(repr(each) for each in self._in_threads))
            raise StillBusy(f"Work in a thread did not end within {self._patience:g} s of real time: {what}")

    # --- in place of the loop's own -------------------------------------------------------------------------------

    def _call_soon(self, callback: Callable[..., object], *args: Any, context: Any = None) -> asyncio.Handle:
        self._soon += 1
        return self._real_call_soon(callback, *args, context=context)

    def _call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        if when <= self._time:
            self._soon += 1  # due at once: as good as in line
        timer = self._real_call_at(when, callback, *args, context=context)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def _run_in_executor(self, executor: Any, work: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":
        future = self._real_run_in_executor(executor, work, *args)
        self._in_threads.add(future)
        future.add_done_callback(self._in_threads.discard)
        return future
