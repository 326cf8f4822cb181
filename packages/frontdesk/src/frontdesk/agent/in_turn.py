"""Questions answered one by one: a client that asks a thousand at once holds nobody else up (contract X02)."""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable


class InTurn:
    """Of each client one question in a turn of the event loop, the first in the turn after it was asked.

    By then what the client said before has been handled.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[Callable[[], None]]] = {}

    def later(self, client: Hashable, answer: Callable[[], None]) -> None:
        """Have ``answer`` called when the turn of this client has come."""
        line = self._waiting.setdefault(client, deque())
        line.append(answer)
        if len(line) == 1:
            asyncio.get_running_loop().call_soon(self._next, client, line)

    def forget(self, client: Hashable) -> None:
        """It is gone: nothing is worked out for it any more."""
        self._waiting.pop(client, deque()).clear()

    def _next(self, client: Hashable, line: deque[Callable[[], None]]) -> None:
        if not line:
            return
        answer = line[0]
        answer()
        if line:  # the client may be gone over its answer
            line.popleft()
        if line:
            asyncio.get_running_loop().call_soon(self._next, client, line)
        elif self._waiting.get(client) is line:
            del self._waiting[client]
