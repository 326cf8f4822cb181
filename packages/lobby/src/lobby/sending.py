"""Carries out what the outbox decides: writes it down, sends, looks, cancels, and holds Lobby awake meanwhile."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any, Protocol

from lobby.core import outbox as box
from lobby.core.batch import EMPTY_PAGES, open_page, read_page
from lobby.core.event import TEXT_MOST, Happened, Kind, text_message
from lobby.core.timeline import Draft
from lobby.encryption.login_keys import LoginKeys
from lobby.errors import LobbyError, ServerRefused, TokenRefused, Unreachable
from lobby.matrix.session import Session
from lobby.store import Store

CLOCKS_DIFFER = 600.0
"""Seconds by which the homeserver's clock may be behind ours when a message is looked for in the timeline."""

HISTORY_PAGE = 100

WRITE_AGAIN = 10.0
"""Seconds after which what could not be written down is tried again."""

HISTORY_TOO_EMPTY = "An earlier attempt may have arrived; the homeserver shows too little of this chat to tell."
NOT_WRITTEN = "Lobby could not write down that it goes out, so it did not."

log = logging.getLogger("lobby")


class Guard(Protocol):
    """Keeps this process from being put to sleep around work it is doing."""

    def begin(self, name: str, on_expiry: Callable[[], None]) -> int:
        """Hold on to it; ``on_expiry`` is called shortly before time is up. Returns what ``end`` takes."""

    def end(self, task: int) -> None:
        """The work is done."""


class Unguarded:
    """For a Lobby that nobody puts to sleep."""

    def begin(self, name: str, on_expiry: Callable[[], None]) -> int:
        return 0

    def end(self, task: int) -> None:
        return None


class Sending:
    """The outbox of one login, at work. ``on_unsent`` is awaited before the process is let go of."""

    def __init__(
        self,
        session: Session,
        store: Store,
        keys: LoginKeys,
        guard: Guard,
        clock: Callable[[], float],
        room_name: Callable[[str], str],
        on_change: Callable[[str], None],
        on_unsent: Callable[[list[Draft]], Awaitable[None]],
        on_token_refused: Callable[[], None],
    ) -> None:
        self._session = session
        self._store = store
        self._keys = keys
        self._guard = guard
        self._clock = clock
        self._room_name = room_name
        self._on_change = on_change
        self._on_unsent = on_unsent
        self._on_token_refused = on_token_refused
        self._machine = box.Outbox(tuple(draft.item for draft in store.drafts()), session.login.token_mark)
        self._readable: set[str] = set()
        """Rooms of which the homeserver has said that they are not encrypted; later ones the sync tells of."""
        self._requests: dict[str, asyncio.Task[box.Event]] = {}
        self._holds: dict[str, int] = {}
        self._gave_up: list[Draft] = []
        self._unwritten: dict[str, tuple[str, Callable[[], None]]] = {}
        """By transaction: the room, and the last change of a message that could not be written down yet."""
        self._telling: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stopping = False

    def start(self) -> None:
        """Take up what an earlier run had not finished."""
        for item in self._machine.pending():
            self._hold(item)
        self._handle(box.Reachable())

    def send(self, room_id: str, text: str, txn: str) -> None:
        """Keep a new message, then send it in its turn. Raises NotKept: it is neither kept nor sent."""
        now = self._clock()
        item = box.Item(txn, room_id, turn=1 + max((item.turn for item in self._machine.items()), default=0))
        self._store.keep_draft(Draft(item, text, now))
        self._hold(item)
        self._handle(box.Queue(txn, room_id))
        self._on_change(room_id)

    def resend(self, txn: str) -> None:
        """Send an unsent message after all, as the newest of its chat."""
        self._handle(box.Resend(txn))
        for item in self._machine.pending():
            if item.txn == txn:
                self._hold(item)

    def discard(self, txn: str) -> None:
        """Forget an unsent message. Raises NotKept: it could not be removed, and stays."""
        item = self._item(txn)
        if item is not None and item.phase is box.Phase.UNSENT:
            self._store.drop_draft(txn)
            self._handle(box.Discard(txn))
            self._on_change(item.room_id)

    def as_it_is(self, draft: Draft) -> Draft:
        """A kept message with its standing of now, which a full disk may have kept from being written down."""
        return replace(draft, item=self._item(draft.item.txn) or draft.item)

    def slept(self) -> None:
        """Nobody knows what has become of the rooms meanwhile."""
        self._readable.clear()

    def seen(self, txn: str, event_id: str) -> None:
        """The timeline shows that a message has arrived."""
        self._handle(box.Delivered(txn, event_id))

    def room_gone(self, room_id: str) -> None:
        """The person is no longer in that room."""
        self._handle(box.RoomGone(room_id))

    def reachable(self) -> None:
        """The homeserver answers: what waits is tried at once."""
        if self._machine.next_wake() is not None:
            self._handle(box.Reachable())

    def give_up_all(self, reason: str) -> None:
        """Everything pending becomes unsent."""
        self._handle(box.GiveUpAll(reason))

    async def stop(self) -> None:
        """Break everything off; what is pending stays in the outbox, and the next run takes it up."""
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
        tasks: list[asyncio.Task[Any]] = [*self._requests.values()] + ([self._telling] if self._telling else [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for txn in list(self._holds):
            self._release(txn)

    def _handle(self, event: box.Event) -> None:
        self._write_again()
        events = [event]
        while events:
            events += self._carry_out_all(self._machine.handle(events.pop(0), self._clock()))
        self._arm_timer()

    def _carry_out_all(self, effects: list[box.Effect]) -> list[box.Event]:
        """Carry out effects in their order; returns what the outbox has to hear of those that could not be."""
        failed: dict[str, LobbyError] = {}
        unsent: list[box.Event] = []
        for effect in effects:
            if isinstance(effect, box.Send | box.Look) and effect.txn in failed:
                # After a crash nobody would know that it may have gone out: it does not go out.
                unsent.append(box.Refused(effect.txn, f"{NOT_WRITTEN} {failed[effect.txn]}"))
                continue
            try:
                self._carry_out(effect)
            except LobbyError as error:
                log.warning("outbox: %s", error)
                if isinstance(effect, box.Keep):
                    failed[effect.item.txn] = error
        return unsent

    def _write(self, txn: str, room_id: str, change: Callable[[], None]) -> None:
        """Write down what became of a message; what fails is tried again until it succeeds. Raises LobbyError."""
        self._unwritten[txn] = (room_id, change)
        try:
            change()
            del self._unwritten[txn]
        finally:
            self._on_change(room_id)

    def _write_again(self) -> None:
        for txn, (room_id, change) in list(self._unwritten.items()):
            try:
                self._write(txn, room_id, change)
            except LobbyError as error:
                log.info("outbox: still %s", error)
                return

    def _item(self, txn: str) -> box.Item | None:
        return next((item for item in self._machine.items() if item.txn == txn), None)

    def _carry_out(self, effect: box.Effect) -> None:
        match effect:
            case box.Keep(item):
                self._write(item.txn, item.room_id, lambda: self._store.keep_item(item))
            case box.Send(txn):
                self._requests[txn] = self._begin(txn, self._send(txn))
            case box.Look(txn, since, by_words):
                self._requests[txn] = self._begin(txn, self._look(txn, since, by_words))
            case box.Cancel(txn):
                self._requests[txn].cancel()
            case box.Sent(txn, event_id):
                me, now = self._session.login.user_id, self._clock()
                self._carry_out_last(txn, lambda: self._store.delivered(txn, event_id, me, now))
            case box.GaveUp(item):
                self._carry_out_gave_up(item)
            case box.Forget(txn):
                self._carry_out_last(txn, lambda: self._store.drop_draft(txn))

    def _carry_out_last(self, txn: str, change: Callable[[], None]) -> None:
        """The last that is written of a message: it is an event now, or gone."""
        try:
            draft = self._store.draft(txn)
            if draft is None:
                self._unwritten.pop(txn, None)
            else:
                self._write(txn, draft.item.room_id, change)
        finally:
            self._release(txn)

    def _carry_out_gave_up(self, item: box.Item) -> None:
        draft = None
        try:
            draft = self._store.draft(item.txn)
        finally:
            if draft is None:
                self._release(item.txn)
        if draft is None:
            return
        self._gave_up.append(draft)
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell_unsent())

    def _begin(self, txn: str, work: Coroutine[None, None, box.Event]) -> asyncio.Task[box.Event]:
        # A callback, not a `finally` inside: a task cancelled before its first step runs none of its own code.
        request = asyncio.create_task(work)
        request.add_done_callback(lambda over: self._conclude(txn, over))
        return request

    def _conclude(self, txn: str, request: asyncio.Task[box.Event]) -> None:
        del self._requests[txn]
        error = None if request.cancelled() else request.exception()
        if self._stopping:
            return
        if request.cancelled():
            self._handle(box.Stopped(txn))
        elif error is None:
            self._handle(request.result())
        elif isinstance(error, Unreachable):
            self._handle(box.Failed(txn, error.retry_after))
        elif isinstance(error, ServerRefused):
            self._handle(box.Refused(txn, str(error)))
            if isinstance(error, TokenRefused):
                self._on_token_refused()
        else:
            log.error("A message could not be sent and is tried again later.", exc_info=error)
            self._handle(box.Failed(txn))

    async def _send(self, txn: str) -> box.Event:
        draft = self._store.draft(txn)
        if draft is None:
            return box.Refused(txn, "This chat is gone.")
        room_id, kind, content = draft.item.room_id, "m.room.message", text_message(draft.text)
        if await self._is_encrypted(room_id):
            # Sealed anew at each attempt; under the same transaction id only one of them becomes an event.
            kind, content = "m.room.encrypted", await self._keys.seal(room_id, kind, content)
        return box.Delivered(txn, await self._session.send_event(room_id, kind, content, txn))

    async def _is_encrypted(self, room_id: str) -> bool:
        """Nothing is sent readable to a room that has become encrypted since Lobby last heard of it."""
        room = self._store.room(room_id)
        if room is not None and room.encrypted:
            return True
        if room_id not in self._readable:
            if await self._session.is_encrypted(room_id):
                self._store.add_room(room_id, "", direct=False, encrypted=True)
                return True
            self._readable.add(room_id)
        return False

    async def _look(self, txn: str, since: float, by_words: bool) -> box.Event:
        await self._keys.engine()
        draft = self._store.draft(txn)
        if draft is None:
            return box.Refused(txn, "This chat is gone.")
        before, empty = "", 0
        while True:
            page = read_page(await self._session.messages(draft.item.room_id, before, HISTORY_PAGE), before)
            page = open_page(page, draft.item.room_id, self._keys.open)
            for event in page.events:
                if event.txn == txn or (by_words and self._has_words_of(event, draft, since)):
                    return box.Delivered(txn, event.event_id)
            if not page.next or (page.events and page.events[-1].at < since - CLOCKS_DIFFER):
                return box.NotFound(txn)
            before, empty = page.next, 0 if page.events else empty + 1
            if empty == EMPTY_PAGES:
                return box.Refused(txn, HISTORY_TOO_EMPTY)

    def _has_words_of(self, event: Happened, draft: Draft, since: float) -> bool:
        """Whether an event of this person can be that message, and is known to be no other."""
        if event.txn or event.kind is not Kind.MESSAGE or event.sender != self._session.login.user_id:
            return False
        kept = self._store.event(event.event_id)
        of_another = kept is not None and kept.key != kept.event_id
        return event.text == draft.text[:TEXT_MOST] and event.at >= since - CLOCKS_DIFFER and not of_another

    async def _tell_unsent(self) -> None:
        """Tell the person of all that was given up together, then let go of the process; never the other way round."""
        try:
            while self._gave_up:
                dying = [task for txn, task in self._requests.items() if task.cancelling()]
                await asyncio.gather(*dying, return_exceptions=True)
                told, self._gave_up = self._gave_up, []
                try:
                    await self._on_unsent(told)
                except LobbyError as error:
                    log.warning("The person could not be told of unsent messages: %s", error)
                for draft in told:
                    self._release_if_over(draft.item.txn)
        finally:
            self._telling = None

    def _hold(self, item: box.Item) -> None:
        if item.txn not in self._holds:
            name = f"send to {self._room_name(item.room_id)}"
            self._holds[item.txn] = self._guard.begin(name, lambda: self.give_up_all(box.NO_TIME))

    def _release_if_over(self, txn: str) -> None:
        """A message may have been resent while the person was being told: then it is still held."""
        if all(item.txn != txn for item in self._machine.pending()):
            self._release(txn)

    def _release(self, txn: str) -> None:
        if txn in self._holds:
            self._guard.end(self._holds.pop(txn))

    def _arm_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wake = self._machine.next_wake()
        if self._unwritten:
            wake = min(wake or math.inf, self._clock() + WRITE_AGAIN)
        if wake is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, wake - self._clock()), self._handle, box.Tick())
