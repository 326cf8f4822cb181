"""The app's end of the socket to the desk: connect, start a desk when there is none, reconnect, ask and be answered."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from frontdesk.app.surroundings import Greeting, reach_socket
from frontdesk.errors import DeskUnavailable, FrontdeskError, VersionMismatch, WireError, refused
from frontdesk.terms import Refusal
from frontdesk.wire import desk as wire
from frontdesk.wire import versions
from frontdesk.wire.frames import FrameReader, frame

log = logging.getLogger("frontdesk")

ANSWER_WITHIN = 5.0
"""Seconds a request waits for its answer, a desk that is just coming back included."""

_FIRST_PAUSE, _MOST_PAUSE = 0.05, 2.0

_PASSING = frozenset({Refusal.TOO_FAST, Refusal.TOO_MANY, Refusal.TOO_LARGE, Refusal.BAD_REQUEST})
"""Refusals of what was said on one connection: the next may do better. The others would only be repeated."""

_KEEPS_AWAKE = (wire.BeginTask, wire.Foreground)
"""Reports after which this process is not frozen, or not for long."""

Reach = Callable[[Path, Greeting, Callable[[], asyncio.Protocol]], Awaitable[asyncio.WriteTransport]]

Reply = TypeVar("Reply", bound=wire.ToApp)


class _DeskEnded(DeskUnavailable):
    """It took the connection and ended before a welcome or a refusal: killed, most often, and another one follows."""


class _Wire(asyncio.Protocol):
    """Bytes to messages; hands each message, and the end with what was not understood, to its owner."""

    def __init__(self, on_message: Callable[[wire.ToApp], None], on_end: Callable[[WireError | None], None]) -> None:
        self._on_message = on_message
        self._on_end = on_end
        self._nonsense: WireError | None = None
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._reader.feed(data):
                self._on_message(wire.decode_at_app(body))
        except WireError as error:
            log.error("The desk sent something this app does not understand: %s", error)
            self._nonsense = error
            assert self._transport is not None
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_end(self._nonsense)


class DeskConnection:
    """One lasting connection. ``opening`` makes the first frame, and the descriptors that go with it, anew each time.

    ``start_desk`` is called (in a thread) when nothing answers at the first attempt; None: ``DeskUnavailable`` instead.
    ``reach`` makes the connection.
    """

    def __init__(
        self,
        path: Path,
        opening: Callable[[], tuple[wire.Opening, list[int]]],
        on_message: Callable[[wire.ToApp], None],
        start_desk: Callable[[], None] | None,
        *,
        reach: Reach = reach_socket,
    ) -> None:
        self._path = path
        self._reach = reach
        self._opening = opening
        self._on_message = on_message
        self._start_desk = start_desk
        self._transport: asyncio.WriteTransport | None = None
        self._welcomed = asyncio.Event()
        self._welcome: wire.Welcome | None = None
        self._closed = False
        self._ended = asyncio.Event()
        self._refusal: wire.Refused | None = None
        self._nonsense: WireError | None = None
        self.on_lost: Callable[[], None] = lambda: None
        """Called when a connection has ended; a new one is sought."""
        self._asked: dict[int, asyncio.Future[wire.ToApp]] = {}
        self._next_request = 1
        self._keeping: asyncio.Task[None] | None = None
        self._since_opening: list[bytes] | None = None
        self._unsent: list[bytes] = []

    # --- coming and going -----------------------------------------------------------------------------------------

    async def open(self) -> wire.Welcome:
        """Connect and be welcomed. ``DeskUnavailable``, or the ``RefusedError`` that says why not.

        A desk that dies before its welcome harms nobody (contract L06): the next one is tried, for 10 s in all.
        """
        loop = asyncio.get_running_loop()
        pause, patient_until = _FIRST_PAUSE, loop.time() + 2 * ANSWER_WITHIN
        while True:
            try:
                await self._connect_or_start()
                await self._until_welcomed()
                break
            except (_DeskEnded, OSError) as error:
                if loop.time() + pause > patient_until:
                    raise self._given_up(error) from error
            await asyncio.sleep(pause)
            pause = min(2 * pause, _MOST_PAUSE)
        assert self._welcome is not None
        self._keeping = asyncio.create_task(self._keep_connected(), name="frontdesk connection")
        return self._welcome

    async def close(self) -> None:
        """End the connection for good. Who waits for an answer hears so."""
        self._closed = True
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        if self._transport is not None:
            self._flush()
            self._transport.close()
            await self._ended.wait()
        self._welcomed.set()

    @property
    def connected(self) -> bool:
        return self._welcomed.is_set() and not self._closed

    @property
    def refusal(self) -> wire.Refused | None:
        """Why the desk ended the connection for good, if it did."""
        return self._refusal

    # --- talking --------------------------------------------------------------------------------------------------

    def send(self, message: wire.ToDesk) -> bool:
        """A report; False when there is no desk just now (what must last is told again in the next hello), or one that
        is too old to understand it, or when it is larger than a message may be (it is logged).

        What is said within one turn of the event loop leaves in one piece: the desk cannot act on "end this task"
        before it has heard "begin that one". What keeps this process awake leaves at once, with all that was said
        before: it may be frozen before the turn is over, and only a desk that has heard of it thaws it again. What is
        reported after the hello was written, welcomed or not, goes behind it: the hello does not know of it.
        """
        try:
            return self._put(message)
        except (WireError, UnicodeEncodeError) as error:
            log.error("The desk was not told (%s): %s", type(message).__name__, error)
            return False

    def _put(self, message: wire.ToDesk) -> bool:
        if self._welcome is not None and versions.since(message) > self._welcome.version:
            return False
        if self._transport is not None:
            self._unsent.append(frame(wire.encode(message)))
            if isinstance(message, _KEEPS_AWAKE):
                self._flush()
            elif len(self._unsent) == 1:
                asyncio.get_running_loop().call_soon(self._flush)
        elif self._since_opening is not None:
            self._since_opening.append(frame(wire.encode(message)))
        else:
            return False
        return True

    async def ask(self, make: Callable[[int], wire.ToDesk], kind: type[Reply], within: float = ANSWER_WITHIN) -> Reply:
        """Ask and wait for the answer; asked again should the desk die in between, so ``make`` must bear repeating.

        ``VersionMismatch``: this desk is too old to understand the question. It was not asked.
        """
        request, self._next_request = self._next_request, self._next_request + 1
        try:
            async with asyncio.timeout(within):
                while True:
                    await self._welcomed.wait()
                    if self._closed:
                        raise DeskUnavailable("This app has left the desk and hears no answer. It may have been done.")
                    answer = self._asked[request] = asyncio.get_running_loop().create_future()
                    if not self._send_question(make(request)):
                        continue  # the desk was lost between its welcome and this
                    try:
                        reply = await answer
                        break
                    except ConnectionError:
                        continue
        except TimeoutError:
            raise self._unavailable(within) from None
        finally:
            self._asked.pop(request, None)
        if isinstance(reply, wire.Refused):
            raise refused(reply.reason, reply.text)
        if not isinstance(reply, kind):
            raise DeskUnavailable(f"The desk answered {type(reply).__name__} where {kind.__name__} was due.")
        return reply

    def _send_question(self, question: wire.ToDesk) -> bool:
        assert self._welcome is not None
        needed, spoken = versions.since(question), self._welcome.version
        if needed > spoken:
            raise VersionMismatch(
                Refusal.VERSION,
                f"{type(question).__name__} needs protocol {needed}, and this desk speaks {spoken}. Nothing was asked "
                "or changed; log out and in again, so that the desk of the frontdesk you have now is started.",
            )
        return self._put(question)

    def _unavailable(self, within: float) -> Exception:
        if self._refusal is not None:
            return refused(self._refusal.reason, self._refusal.text)
        return DeskUnavailable(f"The desk did not answer within {within:g} s. It comes back by itself; try again then.")

    # --- inside ---------------------------------------------------------------------------------------------------

    async def _connect_or_start(self) -> None:
        try:
            await self._connect()
        except OSError as error:
            if self._start_desk is None:
                raise DeskUnavailable(
                    f"No desk answers at {self._path}. Start one with: frontdesk agent (or for good: frontdesk enable)"
                ) from error
            await asyncio.to_thread(self._start_desk)
            await self._connect()

    def _given_up(self, error: Exception) -> DeskUnavailable:
        if isinstance(error, _DeskEnded):
            return DeskUnavailable(
                "One desk after the other ended before it said anything. "
                "`frontdesk agent` in a terminal says why it cannot run."
            )
        return DeskUnavailable(
            f"A desk was started and does not answer at {self._path}. See its log, state/logs/desk.log."
        )

    async def _connect(self) -> None:
        self._ended.clear()
        self._refusal = None
        try:
            transport = await self._reach(self._path, self._greeting, lambda: _Wire(self._received, self._lost))
            since = self._since_opening or []
        except (BrokenPipeError, ConnectionResetError) as error:
            self._ended.set()
            raise _DeskEnded("The desk ended before it was told who calls.") from error
        except BaseException:
            self._ended.set()
            raise
        finally:
            self._since_opening = None
        self._transport = transport
        transport.writelines(since)

    def _greeting(self) -> tuple[bytes, list[int]]:
        message, fds = self._opening()
        self._since_opening = []
        return frame(wire.encode(message)), fds

    async def _until_welcomed(self) -> None:
        ended = asyncio.create_task(self._ended.wait())
        welcomed = asyncio.create_task(self._welcomed.wait())
        try:
            async with asyncio.timeout(2 * ANSWER_WITHIN):
                await asyncio.wait([ended, welcomed], return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            raise DeskUnavailable(f"The desk at {self._path} took the connection and says nothing.") from None
        finally:
            ended.cancel()
            welcomed.cancel()
        if not self._welcomed.is_set():
            if self._refusal is not None:
                raise refused(self._refusal.reason, self._refusal.text)
            if self._nonsense is not None:
                raise DeskUnavailable(f"What answers at {self._path} does not speak like a desk: {self._nonsense}")
            raise _DeskEnded("The desk ended before it said anything.")

    async def _keep_connected(self) -> None:
        """At once when a connection that had lasted ends; else, whatever went wrong, after a pause that doubles."""
        loop = asyncio.get_running_loop()
        pause, since = 0.0, loop.time()
        while True:
            await self._ended.wait()
            if self._refusal is not None:
                log.error("The desk refused this app (%s): %s", self._refusal.reason, self._refusal.text)
                if self._refusal.reason not in _PASSING:
                    return
                await asyncio.sleep(_MOST_PAUSE)
            lasted = loop.time() - since > _MOST_PAUSE
            pause = 0.0 if lasted else min(max(2 * pause, _FIRST_PAUSE), _MOST_PAUSE)
            await asyncio.sleep(pause)
            since = loop.time()
            try:
                await self._connect()
                await self._until_welcomed()
            except OSError:
                continue  # no desk yet
            except FrontdeskError as error:
                log.warning("There is no desk to talk to yet, and it is tried again: %s", error)

    def _received(self, message: wire.ToApp) -> None:
        if isinstance(message, wire.Welcome):
            self._welcome = message
            self._welcomed.set()
        elif isinstance(message, wire.Refused) and message.request == 0:
            self._refusal = message
            return
        request = getattr(message, "request", None)
        if request is not None and (answer := self._asked.get(request)) is not None:
            if not answer.done():
                answer.set_result(message)
            return
        self._on_message(message)

    def _flush(self) -> None:
        if self._transport is not None:
            self._transport.writelines(self._unsent)
        self._unsent.clear()

    def _lost(self, nonsense: WireError | None) -> None:
        self._nonsense = nonsense
        self._welcomed.clear()
        self._transport = None
        self._unsent.clear()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(ConnectionError("the desk is gone"))
        self._ended.set()
        self.on_lost()
