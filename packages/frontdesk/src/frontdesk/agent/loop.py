"""Feeds the core: takes events, commits what it saves, carries out what it wants, and arms one timer. Nothing else."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.dispatcher import Dispatcher
from frontdesk.agent.shell.store import StoreFailed
from frontdesk.terms import Refusal
from frontdesk.wire import desk as wire

log = logging.getLogger("frontdesk.desk")

_RETRY_FIRST, _RETRY_MOST = 1.0, 30.0

EMPTY_AFTER = 1.0
"""Seconds after a deletion in which others may follow; then what was deleted is in no file any more."""


class Memory(Protocol):
    """What keeps things for good: ``shell.store.Store``, or that of a desk in memory."""

    trouble: str
    traces: bool

    def commit(self, saves: Sequence[do.Save], receipts: Sequence[do.Kept]) -> None: ...

    def empty_log(self) -> None: ...


class Alarm(Protocol):
    """Rings once when the moment comes, however the machine slept until then; ``shell.clock.Alarm`` or a test's."""

    def set(self, at: float | None) -> None: ...

    def close(self) -> None: ...


class Time(Protocol):
    """``shell.clock.Clock``, or the clock in a test's hand."""

    def now(self) -> float: ...

    def slept(self) -> float: ...

    def alarm(self, ring: Callable[[], None]) -> Alarm: ...


Record = Callable[[float, Sequence[ev.Event], Sequence[do.Effect] | None, float | None], None]
"""Told of each batch: the moment, events, effects (None: the core failed), and when the core wants to be woken next."""


class DeskLoop:
    """All events that came until the loop turns are one batch: handled together, one commit, then the effects.

    When the store fails, what does not depend on it goes on; answers that promise something become refusals, and
    acknowledgements wait until a later commit has succeeded. ``record`` is called before anything of a batch is done,
    ``on_batch`` after each. What was deleted leaves the files soon after, once for many batches (``EMPTY_AFTER``).

    Should the core or an effect fail, nothing is handled or committed any more, and the error goes to whoever runs the
    event loop: the next desk goes on from the last commit (L06).
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        store: Memory,
        clock: Time,
        carry_out: Callable[[do.Effect], None],
        on_batch: Callable[[], None],
        record: Record | None = None,
    ) -> None:
        self.trouble = store.trouble
        self._dispatcher = dispatcher
        self._store = store
        self._clock = clock
        self._carry_out = carry_out
        self._on_batch = on_batch
        self._record = record
        self._loop = asyncio.get_running_loop()
        self._events: list[ev.Event] = []
        self._scheduled = False
        self._stopped = False
        self._alarm = clock.alarm(lambda: self.post(ev.TimePassed()))
        self._unsaved: list[do.Save] = []
        self._unkept: list[do.Kept] = []
        self._withheld: list[do.Effect] = []
        self._retry = _RETRY_FIRST
        self._retrying: asyncio.TimerHandle | None = None
        self._emptying: asyncio.TimerHandle | None = None

    def post(self, event: ev.Event) -> None:
        """Hand in an event; it is handled when the loop turns, together with others that came."""
        self._events.append(event)
        self._turn_soon()

    def close(self) -> None:
        """Handle what was handed in, and stop."""
        if self._events and not self._stopped:
            self._turn()
        self.stop()

    def stop(self) -> None:
        """Do nothing any more, as if killed: what was handed in and not handled yet is lost."""
        self._stopped = True
        self._alarm.close()
        for timer in (self._retrying, self._emptying):
            if timer is not None:
                timer.cancel()

    def _turn_soon(self) -> None:
        if not self._scheduled and not self._stopped:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        if self._stopped:
            return
        events, self._events = self._events, []
        now = self._clock.now()  # first: a sleep between the two is told of, and ``now`` knows nothing of it yet
        if (slept := self._clock.slept()) > 0:
            # Before anything is found to be too late that had no time to happen.
            events.insert(0, ev.MachineSlept(slept))
        try:
            effects, wake = self._decide(events, now)
            self._do(effects, self._commit(effects))
        except BaseException:
            # The core may know half of a batch, and what it would save next is not to be trusted.
            self.stop()
            raise
        self._alarm.set(wake)
        self._on_batch()

    def _decide(self, events: list[ev.Event], now: float) -> tuple[list[do.Effect], float | None]:
        """What the core wants done, and when it wants to be woken; recorded in any case."""
        effects: list[do.Effect] | None = None
        wake: float | None = None
        try:
            decided = self._dispatcher.handle(events, now)
            effects, wake = decided, self._dispatcher.next_wake()
        finally:
            if self._record is not None:
                self._record(now, events, effects, wake)
        return effects, wake

    def _do(self, effects: list[do.Effect], durable: bool) -> None:
        for effect in effects:
            match effect:
                case do.Save() | do.KeepReceipt() | do.KeepTaskReceipt():
                    pass
                case do.Note(app=app, text=text):
                    log.info("%s: %s", app or "desk", text)
                case do.Answer(asker=asker, message=message) if not durable:
                    request = getattr(message, "request", 0)
                    refusal = wire.Refused(Refusal.STORE_UNAVAILABLE, self.trouble, request)
                    self._carry_out(do.Answer(asker, refusal))
                case _ if effect.after_save and not durable:
                    self._withheld.append(effect)
                case _:
                    self._carry_out(effect)

    def _commit(self, effects: list[do.Effect]) -> bool:
        """Whether everything saved so far is durable."""
        self._unsaved += [effect for effect in effects if isinstance(effect, do.Save)]
        self._unkept += [effect for effect in effects if isinstance(effect, do.KeepReceipt | do.KeepTaskReceipt)]
        # The last word on each key is enough, also when a full disk has made many of them wait.
        last = {(save.machine, save.key): save for save in self._unsaved}
        try:
            self._store.commit(list(last.values()), self._unkept)
        except StoreFailed as error:
            if self.trouble != str(error):
                log.error("%s", error)
            self.trouble = str(error)
            self._unsaved = list(last.values())
            self._try_again_later()
            return False
        if self._withheld or self._retry != _RETRY_FIRST:
            log.info("The store can be written again.")
            self.trouble, self._retry = self._store.trouble, _RETRY_FIRST
        self._unsaved, self._unkept = [], []
        if self._store.traces and self._emptying is None:
            self._emptying = self._loop.call_later(EMPTY_AFTER, self._empty_log)
        withheld, self._withheld = self._withheld, []
        for effect in withheld:
            self._carry_out(effect)
        return True

    def _try_again_later(self) -> None:
        """One attempt to come, however many batches fail meanwhile."""
        if self._retrying is None:
            self._retrying = self._loop.call_later(self._retry, self._try_again)
            self._retry = min(2 * self._retry, _RETRY_MOST)

    def _try_again(self) -> None:
        self._retrying = None
        self._turn_soon()

    def _empty_log(self) -> None:
        """Where another program is in the way, the next batch has it tried again."""
        self._emptying = None
        self._store.empty_log()
