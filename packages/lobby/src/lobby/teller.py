"""Has the person told of messages as ``core.telling`` decides: holds its one timer and the pushes that wait for it."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable

from lobby.core.alerts import Alert
from lobby.core.telling import Answer, AskForMore, Effect, Show, Shrink, Telling, Withdraw
from lobby.core.views import ChatSummary
from lobby.errors import LobbyError, NotKept
from lobby.store import Store

NOTE = "summary"
"""The store's note of the chats that the shown summary is about, and when the person was told last."""

log = logging.getLogger("lobby")


class Teller:
    """For one account. ``look``: a chat as it is now; ``more``: alerts of what the homeserver has not pushed.

    ``show`` and ``withdraw`` change what is shown besides answers; ``shrink`` shows less, and calls nobody's attention.
    What the summary is about is kept, so that a later run goes on with it; should that fail, it tells of less.
    """

    def __init__(
        self,
        store: Store,
        look: Callable[[str], ChatSummary | None],
        more: Callable[[], Awaitable[list[Alert]]],
        clock: Callable[[], float],
        show: Callable[[Alert], None],
        shrink: Callable[[Alert], None],
        withdraw: Callable[[str], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._more = more
        self._show = show
        self._shrink = shrink
        self._withdraw = withdraw
        self._telling = Telling(look, *_read_note(store.note(NOTE)))
        self._answers: dict[object, asyncio.Future[Alert | None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None

    async def answer(self, push: str, learning: Awaitable[Alert | None]) -> Alert | None:
        """What to show for a push, once ``learning`` has told what it is about; None: nothing.

        Raises what ``learning`` raises.
        """
        self._telling.pushed(push, self._clock())
        alert: Alert | None = None
        known = False
        try:
            alert = await learning
            known = True
        finally:
            if not known:
                self._carry_out(self._telling.unknown(push, self._clock()))
        waiting: asyncio.Future[Alert | None] = asyncio.get_running_loop().create_future()
        self._answers[push] = waiting
        self._carry_out(self._telling.learned(push, alert, self._clock()))
        return await waiting

    def read(self, room_id: str, looking: bool) -> None:
        """A chat has been read; ``looking``: here, on the page."""
        self._carry_out(self._telling.read(room_id, looking))

    def reworded(self, alert: Alert, looking: bool) -> None:
        """The key of a chat's newest message has come: these are its words."""
        self._carry_out(self._telling.reworded(alert, looking))

    def stop(self) -> None:
        """No timer any more; pushes that wait are given again by the desk."""
        self._disarm()
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self) -> None:
        alerts: list[Alert] = []
        try:
            alerts = await self._more()
        except LobbyError as error:
            log.info("Whether there is more than was pushed is not known: %s", error)
        self._asking = None
        self._carry_out(self._telling.more(alerts, self._clock()))

    def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Answer(push, alert):
                    waiting = self._answers.pop(push, None)
                    if waiting is not None and not waiting.done():
                        waiting.set_result(alert)
                case Withdraw(alert_id):
                    self._withdraw(alert_id)
                case Show(alert):
                    self._show(alert)
                case Shrink(alert):
                    self._shrink(alert)
                case AskForMore():
                    self._asking = asyncio.create_task(self._ask(), name="what was not pushed")
        if effects:
            self._keep()
        self._arm()

    def _keep(self) -> None:
        summary = self._telling.summary
        note = json.dumps([self._telling.last, *summary]) if summary else ""
        if note != self._store.note(NOTE):
            try:
                self._store.keep_note(NOTE, note)
            except NotKept as error:
                log.warning("Which chats the summary tells of is not kept: %s", error)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        self._disarm()
        due = self._telling.next_wake()
        if due is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, due - self._clock()), self._time_passed)

    def _time_passed(self) -> None:
        self._carry_out(self._telling.time_passed(self._clock()))


def _read_note(note: str) -> tuple[list[str], float]:
    """The rooms of the summary, and when the person was told last."""
    if not note:
        return [], float("-inf")
    last, *rooms = json.loads(note)
    return rooms, last
