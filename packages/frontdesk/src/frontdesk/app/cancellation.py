"""Tells a function of the app that is being cancelled from one that fails over something else that was."""

import asyncio


def is_cancellation(error: BaseException) -> bool:
    """Somebody wants the present task to end. A ``CancelledError`` out of what it awaited is a failure like others."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
