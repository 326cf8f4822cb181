"""The answers to browsers that are being made: Lobby is not suspended in the middle of one."""

import contextlib
from collections.abc import Callable, Iterator

from lobby.sending import Guard

_NOT_HELD = 0


class OpenAnswers:
    """Holds Lobby awake by ``guard``. ``seen``: whether a person sees Lobby, which keeps it awake by itself."""

    def __init__(self, guard: Guard, seen: Callable[[], bool]) -> None:
        self._guard = guard
        self._seen = seen
        self._holds: dict[object, int] = {}

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """An answer is made and sent inside; one that takes all the time there is may be suspended after all."""
        answer = object()
        self._holds[answer] = _NOT_HELD
        if not self._seen():
            self._hold(answer)
        try:
            yield
        finally:
            self._let_go(answer)
            del self._holds[answer]

    def unseen(self) -> None:
        """Nobody sees Lobby from now on: what is being answered has to hold it. To be called before the desk knows."""
        for answer, hold in self._holds.items():
            if hold == _NOT_HELD:
                self._hold(answer)

    def _hold(self, answer: object) -> None:
        self._holds[answer] = self._guard.begin("answer the browser", lambda: self._let_go(answer))

    def _let_go(self, answer: object) -> None:
        hold, self._holds[answer] = self._holds[answer], _NOT_HELD
        if hold != _NOT_HELD:
            self._guard.end(hold)
