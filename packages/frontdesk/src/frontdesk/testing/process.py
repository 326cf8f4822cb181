"""A run of an app as a task of the test's event loop: what it starts belongs to it, and can be stopped and ended.

While a run is frozen no step of its coroutines is executed, as if its process were suspended; they go on where they
were. Callbacks that it gave to the loop itself (``loop.call_later``) and its threads are beyond reach and run on.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from typing import Any

log = logging.getLogger("frontdesk.testing")

Main = Callable[[], Awaitable[object]]
"""What an app's process does from start to end; an ``int`` that it gives is the exit status."""

_RUN: ContextVar["Process"] = ContextVar("frontdesk_testing_process")
"""Which run the present code belongs to."""

KILLED = -9
"""Exit status of a process that was killed."""


class Process:
    """One run. ``ended`` is called with the exit status when the last of it is gone."""

    def __init__(self, app: str, pid: int, token: str, ended: Callable[["Process", int], None]) -> None:
        self.app = app
        self.pid = pid
        self.started = pid
        """Stands for the moment of its start, as the kernel has it: another one for each process."""
        self.token = token
        self.frozen = False
        self.over = False
        self.context: Context = copy_context()
        self.context.run(_RUN.set, self)
        self.tasks: set[asyncio.Task[Any]] = set()
        self.on_thaw: list[Callable[[], None]] = []
        """Called at each thaw, after its coroutines have been let go."""
        self.at_end: list[Callable[[], None]] = []
        """What the kernel does for a process that ends: close its connections, give back its lock."""
        self._ended = ended
        self._killed = False
        self._held: list[asyncio.Future[None]] = []
        self._life: asyncio.Task[None] | None = None

    def start(self, main: Main) -> None:
        self._life = asyncio.get_running_loop().create_task(self._live(main), name=f"process {self.pid} of {self.app}")

    def freeze(self) -> None:
        self.frozen = True

    def thaw(self) -> None:
        self.frozen = False
        held, self._held = self._held, []
        for step in held:
            if not step.done():
                step.set_result(None)
        for call in self.on_thaw:
            call()

    def kill(self) -> None:
        """Nobody hears of it any more from here on. Its tasks are cancelled: ``finally`` blocks still run."""
        if not self._killed:
            self._killed = True
            self._close()
            self.thaw()
            for task in list(self.tasks):
                task.cancel()

    async def gone(self) -> None:
        """Until the last of it is gone."""
        if self._life is not None:
            await asyncio.wait({self._life})

    def hold(self) -> "Generator[Any, None, None]":
        """What a coroutine of this frozen run waits for."""
        step = asyncio.get_running_loop().create_future()
        self._held.append(step)
        return step.__await__()

    async def _live(self, main: Main) -> None:
        running = asyncio.get_running_loop().create_task(_to_its_end(main, self.app), context=self.context)
        await asyncio.wait({running})
        status = KILLED if self._killed or running.cancelled() else running.result()
        # As asyncio.run does it: what the program left running is cancelled before the process ends.
        while left := [task for task in self.tasks if not task.done()]:
            for task in left:
                task.cancel()
            await asyncio.wait(left)
        self._close()
        self.over = True
        self._ended(self, status)

    def _close(self) -> None:
        closing, self.at_end = self.at_end, []
        for close in closing:
            close()


async def _to_its_end(main: Main, app: str) -> int:
    """Exit status as Python gives it."""
    try:
        value = await main()
    except SystemExit as leaving:
        value = leaving.code if isinstance(leaving.code, int) or leaving.code is None else 1
    except Exception:
        log.exception("%s ended with an error.", app)
        return 1
    return value if isinstance(value, int) else 0


class _Steps(Coroutine[Any, Any, Any]):
    """A coroutine of an app, no step of which is executed while its run is frozen."""

    def __init__(self, work: Coroutine[Any, Any, Any], process: Process) -> None:
        self._work = work
        self._process = process
        self._error: BaseException | None = None
        """What it is to be resumed with, once it is."""

    def send(self, value: Any) -> Any:
        if self._process.frozen:
            return next(self._process.hold())
        if self._error is not None:
            error, self._error = self._error, None
            return self._work.throw(error)
        return self._work.send(value)

    def throw(self, kind: Any, value: Any = None, trace: Any = None, /) -> Any:
        error = kind if isinstance(kind, BaseException) else value if value is not None else kind()
        if self._process.frozen:
            self._error = error
            return next(self._process.hold())
        self._error = None
        return self._work.throw(error)

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._work.__await__()


def follow_tasks() -> Callable[[], None]:
    """From here on every task that a run starts belongs to that run. Gives what ends this."""
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()

    def factory(
        loop: asyncio.AbstractEventLoop, work: Any, *, context: Context | None = None, **more: Any
    ) -> "asyncio.Future[Any]":
        process = _RUN.get(None) if context is None else context.get(_RUN)
        if context is not None:
            more["context"] = context
        if process is None:
            return asyncio.Task(work, loop=loop, **more) if before is None else before(loop, work, **more)
        task: asyncio.Task[Any] = asyncio.Task(_Steps(work, process), loop=loop, **more)
        process.tasks.add(task)
        task.add_done_callback(process.tasks.discard)
        return task

    loop.set_task_factory(factory)
    return lambda: loop.set_task_factory(before)
