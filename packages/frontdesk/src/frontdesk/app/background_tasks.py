"""Background tasks in the app: keep the app from being suspended around work that it is doing (contract A01 – A13)."""

import asyncio
import inspect
import logging
import math
import time
from collections.abc import Awaitable, Callable
from types import TracebackType

from frontdesk.app.cancellation import is_cancellation
from frontdesk.errors import TaskExpired
from frontdesk.wire import desk as wire

log = logging.getLogger("frontdesk")

INVALID_TASK = 0
"""What *begin* returns where running in the background is not possible (A10)."""

MOST_NAME = 200
"""Characters of a name that are told to the desk, which keeps no more: a hello has room for all that may be open."""

ExpirationHandler = Callable[[], Awaitable[None] | None]


class BackgroundTasks:
    """The open tasks of this process and the background time it has. ``send`` reports to the desk."""

    def __init__(
        self,
        send: Callable[[wire.ToDesk], bool],
        available: Callable[[], bool],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send = send
        self._available = available
        self._monotonic = monotonic
        self._next = INVALID_TASK + 1
        self._open: dict[int, tuple[str, ExpirationHandler | None]] = {}
        self._expired: set[int] = set()
        self._over_at: float | None = None
        self._running: set[asyncio.Future[None]] = set()

    def begin(self, name: str, expiration_handler: ExpirationHandler | None = None) -> int:
        """Hold off suspension until ``end``; starts no work (A01). ``INVALID_TASK`` where that is not possible (A10).

        ``expiration_handler`` is called once, shortly before background time is up, and must ``end`` the task (A05);
        it may be a plain or an ``async`` function. All handlers of an app share 5 s (A07).
        """
        if not self._available():
            return INVALID_TASK
        task, self._next = self._next, self._next + 1
        name = name[:MOST_NAME]
        self._open[task] = (name, expiration_handler)
        self._send(wire.BeginTask(task, name))
        return task

    def end(self, task: int) -> None:
        """The work is done. Ending what is not open is logged, never an error (A08)."""
        if task == INVALID_TASK:
            return
        if self._open.pop(task, None) is None:
            log.warning("Background task %s is not open: it was ended before, or never begun.", task)
        self._expired.discard(task)
        self._send(wire.EndTask(task))

    def remaining(self) -> float:
        """Background time left in seconds; infinite in the foreground (A03)."""
        return math.inf if self._over_at is None else max(0.0, self._over_at - self._monotonic())

    def opened(self) -> tuple[wire.OpenTask, ...]:
        """What the next hello brings back to the desk (A13)."""
        return tuple(wire.OpenTask(task, name) for task, (name, _) in self._open.items())

    def handle(self, message: wire.TimeBox | wire.ExpireTasks | wire.TaskProblem) -> None:
        """What the desk said about tasks."""
        match message:
            case wire.TimeBox(seconds=seconds):
                self._over_at = None if seconds is None else self._monotonic() + seconds
            case wire.ExpireTasks(tasks=tasks):
                for task in tasks:
                    self._expire(task)
            case wire.TaskProblem(task=task, text=text):
                log.warning("Background task %s: %s", task, text)

    def _expire(self, task: int) -> None:
        if task not in self._open or task in self._expired:
            return
        self._expired.add(task)
        name, handler = self._open[task]
        if handler is None:
            log.warning("Background task %r has no expiration handler and time is almost up: ended.", name)
            self.end(task)
            return
        try:
            result = handler()
        except Exception:
            log.exception("The expiration handler of background task %r failed.", name)
            return
        if inspect.isawaitable(result):
            running = asyncio.ensure_future(_logged(result, name))
            self._running.add(running)
            running.add_done_callback(self._running.discard)


async def _logged(result: Awaitable[None], name: str) -> None:
    try:
        await result
    except (Exception, asyncio.CancelledError) as error:
        if is_cancellation(error):
            raise
        log.exception("The expiration handler of background task %r failed.", name)


class GuardedWork:
    """``async with app.background_task(name):`` – cannot leak (A12).

    Ends the task on success, error and cancellation. When time runs out the work inside is cancelled, the task is
    ended, and ``TaskExpired`` is raised out of the block.
    """

    def __init__(self, tasks: BackgroundTasks, name: str) -> None:
        self._tasks = tasks
        self._name = name
        self._id = INVALID_TASK
        self._work: asyncio.Task[object] | None = None
        self._expired = False

    async def __aenter__(self) -> int:
        self._work = asyncio.current_task()
        self._id = self._tasks.begin(self._name, self._expire)
        return self._id

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tasks.end(self._id)
        if self._expired and self._work is not None and self._work.uncancel() == 0 and kind is asyncio.CancelledError:
            raise TaskExpired(
                f"Background time was up during {self._name!r}: the work was cancelled and its task ended. "
                "Tell the person, or do it when the app is opened next."
            ) from error

    def _expire(self) -> None:
        self._expired = True
        if self._work is not None:
            self._work.cancel()
