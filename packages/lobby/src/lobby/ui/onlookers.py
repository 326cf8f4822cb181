"""Who looks at Lobby: the event streams of visible pages, counted as ``visibility`` decides, with one timer."""

import asyncio
from collections.abc import Callable

from lobby.ui.visibility import StreamClosed, StreamOpened, Told, Visibility


class Onlookers:
    """``on_visible``: True when the first page becomes visible, False 2 s after the last is gone. ``on_looking``: hears
    which accounts visible pages show. Last ``stop()``, after which nobody is told anything."""

    def __init__(self, on_visible: Callable[[bool], None], on_looking: Callable[[frozenset[int]], None]) -> None:
        self._on_visible = on_visible
        self._on_looking = on_looking
        self._looking: dict[int, int] = {}
        """Stream → the account that its page shows."""
        self._visibility = Visibility()
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    def opened(self, stream: int, account: int) -> None:
        """A page that shows this account is visible from now on; ``stream``: a number of its own."""
        self._looking[stream] = account
        self._look()
        self._tell(self._visibility.handle(StreamOpened(stream), self._now()))

    def closed(self, stream: int, account: int) -> None:
        """That page is not visible any more."""
        self._looking.pop(stream, None)
        self._look()
        self._tell(self._visibility.handle(StreamClosed(stream), self._now()))

    def stop(self) -> None:
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        if not self._stopped:
            self._on_looking(frozenset(self._looking.values()))

    def _due(self) -> None:
        self._tell(self._visibility.wake(self._now()))

    def _tell(self, told: list[Told]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._stopped:
            return
        due = self._visibility.next_wake()
        self._timer = asyncio.get_running_loop().call_at(due, self._due) if due is not None else None
        for one in told:
            self._on_visible(one is Told.VISIBLE)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
