"""Runs of scheduled tasks in the app: each handler at work, expired when told, completed once (S08, S11, S12)."""

import asyncio
import functools
import inspect
import logging
import math
import time
from collections.abc import Awaitable, Callable

from frontdesk.app.background_tasks import ExpirationHandler
from frontdesk.app.cancellation import is_cancellation
from frontdesk.terms import TaskKind
from frontdesk.wire import desk as wire

log = logging.getLogger("frontdesk")

CLEAN_UP = 1.0
"""Seconds that a handler without expiration handler has at most to clean up when it is cancelled on expiry."""

PROGRESS_EACH, PROGRESS_AT_ONCE = 1.0, 10
"""Of one task so many reports of progress go to the desk within so many seconds; past it only the latest does."""


MOST_TITLE = 300
"""Characters of a title or subtitle that are told to the desk; it keeps no more (X02)."""


class ScheduledTask:
    """One run of a scheduled task, as its handler gets it.

    ``identifier``, ``kind``, and ``attempt``: 1, more when it is tried again. ``expiration_handler``: set it, and it is
    called once when time is almost up or a condition holds no longer, plain or ``async``; it then owes
    ``set_task_completed`` within the seconds that ``time_remaining`` gives. Without it the handler is cancelled and the
    task completed as unsuccessful (S11).
    """

    def __init__(
        self,
        run: wire.TaskRun,
        over_at: float | None,
        send: Callable[[wire.ToDesk], bool],
        completed: Callable[["ScheduledTask", bool], None],
        monotonic: Callable[[], float],
    ) -> None:
        self.run = run.run
        self.identifier = run.identifier
        self.kind: TaskKind = run.kind
        self.attempt = run.attempt
        self.expiration_handler: ExpirationHandler | None = None
        self._over_at = over_at
        self._send = send
        self._completed = completed
        self._monotonic = monotonic
        self._is_completed = False
        self._is_expired = False
        self._progress: wire.TellProgress | None = None
        self._told, self._told_since = 0, -math.inf
        self._telling: asyncio.TimerHandle | None = None

    @property
    def is_expired(self) -> bool:
        """It has been told to come to an end."""
        return self._is_expired

    @property
    def is_completed(self) -> bool:
        return self._is_completed

    def set_task_completed(self, success: bool) -> None:
        """Owed for every task that was given, expired ones too; a second time is logged (S12).

        A handler that returns without it has completed its task; one that raises has failed.
        """
        if self._is_completed:
            log.warning("Scheduled task %r was completed before: this time does not count.", self.identifier)
            return
        self.finish(success)

    def report_progress(self, done: float, total: float, title: str = "", subtitle: str = "") -> None:
        """Of a continued task: so much of ``total`` is done; "" leaves title or subtitle as it is (S18).

        Owed at least once in 60 s, or the task is taken for stalled. Call it as often as you like: the desk hears of
        some. ``ValueError``: the numbers are no progress (``0 <= done <= total``, ``total`` over 0).
        """
        if not (math.isfinite(total) and total > 0 and 0 <= done <= total):
            raise ValueError(f"{done} of {total} is no progress: 0 <= done <= total, total over 0")
        title, subtitle = title[:MOST_TITLE], subtitle[:MOST_TITLE]
        before = self._progress
        if before is not None:
            title, subtitle = title or before.title, subtitle or before.subtitle
        self._progress = wire.TellProgress(self.run, done, total, title, subtitle)
        if self.kind is not TaskKind.CONTINUED or self._is_completed or self._telling is not None:
            return
        now = self._monotonic()
        if now - self._told_since >= PROGRESS_EACH:
            self._told, self._told_since = 0, now
        if self._told < PROGRESS_AT_ONCE:
            self._tell_progress()
        else:
            pause = self._told_since + PROGRESS_EACH - now
            self._telling = asyncio.get_running_loop().call_later(pause, self._tell_progress)

    def time_remaining(self) -> float:
        """Seconds until it must be completed; infinite for a continued task. Those of one launch share it (S08)."""
        return math.inf if self._over_at is None else max(0.0, self._over_at - self._monotonic())

    # --- for the runs -----------------------------------------------------------------------------------------------

    def finish(self, success: bool) -> None:
        """Completed, if it is not yet."""
        if self._is_completed:
            return
        self._is_completed = True
        self.expiration_handler = None
        if self._telling is not None:
            self._telling.cancel()
        self._completed(self, success)

    def expire(self, seconds: float) -> ExpirationHandler | None:
        """It has so many seconds from now; gives what is to be called, once."""
        self._is_expired = True
        self._over_at = self._monotonic() + seconds
        handler, self.expiration_handler = self.expiration_handler, None
        return handler

    def repeat_progress(self) -> None:
        """After a reconnect: the desk may not have heard the latest."""
        if self._progress is not None and self.kind is TaskKind.CONTINUED and self._telling is None:
            self._tell_progress()

    def _tell_progress(self) -> None:
        self._telling = None
        if self._told >= PROGRESS_AT_ONCE:
            self._told, self._told_since = 0, self._monotonic()
        self._told += 1
        if self._progress is not None:
            self._send(self._progress)


TaskHandler = Callable[[ScheduledTask], Awaitable[None]]


class ScheduledRuns:
    """Runs that this process has in hand. A completion is repeated until the desk has kept it (L07)."""

    def __init__(self, send: Callable[[wire.ToDesk], bool], monotonic: Callable[[], float] = time.monotonic) -> None:
        self.handlers: dict[str, TaskHandler] = {}
        """By identifier; ``org.example.export.*`` is for whatever continues it."""
        self._send = send
        self._monotonic = monotonic
        self._given: dict[str, ScheduledTask] = {}
        self._working: dict[str, asyncio.Task[bool]] = {}
        self._completions: dict[str, wire.CompleteTask] = {}
        self._expiring: set[asyncio.Future[None]] = set()

    def handler(self, identifier: str) -> TaskHandler | None:
        """The one of that name, else that of the longest declared beginning."""
        if identifier in self.handlers:
            return self.handlers[identifier]
        fitting = [name for name in self.handlers if name.endswith(".*") and identifier.startswith(name[:-1])]
        return self.handlers[max(fitting, key=len)] if fitting else None

    def in_hand(self) -> tuple[str, ...]:
        """For the next hello: what need not be given again."""
        return (*self._given, *self._completions)

    def repeat(self) -> None:
        """After a reconnect: the desk may not have heard what was said."""
        for completion in self._completions.values():
            self._send(completion)
        for task in self._given.values():
            task.repeat_progress()

    def close(self) -> None:
        """The app leaves: handlers are cancelled, and what they did not complete the desk gives again (L07)."""
        working, self._working = self._working, {}
        self._given.clear()
        for handler in working.values():
            handler.cancel()
        for expiring in self._expiring:
            expiring.cancel()

    def take(self, message: wire.RunTasks | wire.ExpireRuns | wire.RunKept) -> None:
        """What the desk said, as soon as it is read. Runs begin with ``start``, behind what was said before them."""
        match message:
            case wire.RunTasks(runs=runs, seconds=seconds):
                over_at = None if seconds is None else self._monotonic() + seconds
                for run in runs:
                    if run.run not in self._given and run.run not in self._completions:
                        self._given[run.run] = ScheduledTask(run, over_at, self._send, self._completed, self._monotonic)
            case wire.ExpireRuns(runs=expired, why=why, seconds=seconds):
                for name in expired:
                    task = self._given.get(name)
                    if task is not None and not task.is_expired:
                        log.info("Scheduled task %r is to end within %.1f s: %s.", task.identifier, seconds, why)
                        self._expire(task, seconds)
            case wire.RunKept(run=kept):
                self._completions.pop(kept, None)

    def start(self, message: wire.RunTasks) -> None:
        """Begin with the runs of it that have not been begun, or expired before they could be."""
        for run in message.runs:
            task = self._given.get(run.run)
            if task is None or run.run in self._working:
                continue
            handler = self.handler(task.identifier)
            if handler is None:
                log.warning("No handler is registered for scheduled task %r: completed as failed.", task.identifier)
                task.finish(False)
                continue
            working = asyncio.create_task(self._work(task, handler), name=f"scheduled task {task.identifier}")
            self._working[task.run] = working
            working.add_done_callback(functools.partial(self._ended, task))

    # --- inside -----------------------------------------------------------------------------------------------------

    async def _work(self, task: ScheduledTask, handler: TaskHandler) -> bool:
        try:
            await handler(task)
        except (Exception, asyncio.CancelledError) as error:
            if is_cancellation(error):
                raise
            log.exception("The handler of scheduled task %r failed: completed as failed.", task.identifier)
            return False
        return not task.is_expired

    def _ended(self, task: ScheduledTask, working: asyncio.Task[bool]) -> None:
        """The handler has returned, or was cancelled: expired, or by itself; its task is completed if it is not yet."""
        if self._working.get(task.run) is working:  # else the app has left
            del self._working[task.run]
            task.finish(not working.cancelled() and working.result())

    def _completed(self, task: ScheduledTask, success: bool) -> None:
        self._given.pop(task.run, None)
        completion = self._completions[task.run] = wire.CompleteTask(task.run, success)
        self._send(completion)

    def _expire(self, task: ScheduledTask, seconds: float) -> None:
        handler = task.expire(seconds)
        if task.run not in self._working:
            task.finish(False)  # it waits behind a slow on_resumed: not begun at all
        elif handler is None:
            log.warning("Scheduled task %r has no expiration handler: cancelled.", task.identifier)
            self._cut_off(task, seconds)
        else:
            expiring = asyncio.ensure_future(self._call_expiration_handler(task, handler, seconds))
            self._expiring.add(expiring)
            expiring.add_done_callback(self._expiring.discard)

    async def _call_expiration_handler(self, task: ScheduledTask, handler: ExpirationHandler, seconds: float) -> None:
        try:
            result = handler()
            if inspect.isawaitable(result):
                await result
        except (Exception, asyncio.CancelledError) as error:
            if is_cancellation(error):
                raise
            log.exception("The expiration handler of scheduled task %r failed: cancelled.", task.identifier)
            self._cut_off(task, seconds)

    def _cut_off(self, task: ScheduledTask, seconds: float) -> None:
        """Cancel the handler. The task is completed when that has come through, or is taking its time."""
        working = self._working.get(task.run)
        if working is None or task.is_completed:
            task.finish(False)
            return
        working.cancel()
        asyncio.get_running_loop().call_later(min(CLEAN_UP, seconds / 2), task.finish, False)
