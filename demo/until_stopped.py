"""Runs a program of the demo until it is done, or a signal or a closed terminal asks it to stop and tidy up."""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any


def _fall_silent() -> None:
    """The terminal is closed, or the reader gone: no further word, nor Python's own flush at the end, fails over it."""
    with open(os.devnull, "wb") as nowhere:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere.fileno(), stream.fileno())


def until_stopped(work: Coroutine[Any, Any, int], stopped: int) -> int:
    """Runs `work`; the first Ctrl-C, SIGTERM or closed terminal cancels it, later ones disturb no tidying up.

    Gives what `work` returns, or `stopped` when it was cancelled.
    """

    async def guarded() -> int:
        loop = asyncio.get_running_loop()
        task = loop.create_task(work)
        told = False

        def stop() -> None:
            nonlocal told
            if not told:
                told = True
                task.cancel()
                try:
                    print("\nStopping …", file=sys.stderr, flush=True)
                except OSError:
                    _fall_silent()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stop)
        try:
            return await task
        except asyncio.CancelledError:
            return stopped

    return asyncio.run(guarded())
