"""The WebSocket to the push service: connects for ever, and does what ``core.push_session`` decides.

Between messages nothing here wakes the process but the session's own timer and the service's pings.
"""

import asyncio
import random
from collections.abc import Callable, Sequence

import aiohttp

from frontdesk.agent.core.pushes import push_session
from frontdesk.agent.core.pushes.push_session import PushEvent, PushSession
from frontdesk.wire import autopush

_CLOSE_WITHIN = 2.0

_ENDED = frozenset(
    {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
)


class PushConnection:
    """The desk's line to one push service. All methods belong to the event loop's thread.

    ``uaid`` is the one that was kept from the last Connected event. ``on_event`` is called for each PushEvent; it must
    neither block nor raise. ``keep_alive``: seconds of silence before the service is asked for a sign of life.
    """

    def __init__(
        self,
        url: str,
        uaid: str | None,
        on_event: Callable[[PushEvent], None],
        *,
        keep_alive: float = push_session.KEEP_ALIVE,
    ) -> None:
        self._url = url
        self._on_event = on_event
        self._session = PushSession(uaid, keep_alive=keep_alive)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wanted = asyncio.Event()
        self._attempt: asyncio.Task[str] | None = None
        self._outgoing: asyncio.Queue[str] = asyncio.Queue()
        self._why = ""

    async def run(self) -> None:
        """Stay connected for ever; cancel it to end. Call it once."""
        self._loop = asyncio.get_running_loop()
        timeout = aiohttp.ClientTimeout(total=None)  # the session has deadlines of its own
        try:
            async with aiohttp.ClientSession(timeout=timeout) as http:
                self._feed(self._session.wake(self._now()))
                while True:
                    await self._wanted.wait()
                    self._wanted.clear()
                    # Taken back before it was begun? Then there is nothing to connect.
                    opening = self._session.stage is push_session.Stage.OPENING
                    why = await self._one_connection(http) if opening else self._why
                    self._feed(self._session.lost(why, self._now(), random.random()))
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._loop = None

    def register(self, channel_id: str) -> None:
        """Ask for an endpoint for this channel (a UUID, lower case); Registered or RegisterFailed will follow."""
        self._feed(self._session.register(channel_id, self._now()))

    def unregister(self, channel_id: str) -> None:
        """Give this channel's endpoint up. Nothing follows; it is tried until it is done."""
        self._feed(self._session.unregister(channel_id, self._now()))

    def ack(self, channel_id: str, version: str, code: int = autopush.DELIVERED) -> None:
        """This message is durable with us; the service may forget it (contract P09)."""
        self._feed(self._session.ack(channel_id, version, code))

    def reconnect_now(self) -> None:
        """The network has changed: do not wait for the old connection to time out."""
        self._feed(self._session.reconnect_now(self._now()))

    # ---- one connection

    async def _one_connection(self, http: aiohttp.ClientSession) -> str:
        """Connect and stay so; the reason why it ended."""
        self._attempt = asyncio.ensure_future(self._talk(http))
        try:
            await asyncio.wait([self._attempt])
        except asyncio.CancelledError:
            self._attempt.cancel()
            await asyncio.wait([self._attempt])
            raise
        return self._why if self._attempt.cancelled() else self._attempt.result()

    async def _talk(self, http: aiohttp.ClientSession) -> str:
        try:
            async with http.ws_connect(
                self._url,
                compress=0,
                autoping=False,
                heartbeat=None,
                max_msg_size=autopush.MOST_FRAME,
                timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_WITHIN),
            ) as socket:
                self._outgoing = asyncio.Queue()
                sending = asyncio.ensure_future(self._send(socket))
                try:
                    self._feed(self._session.opened(self._now()))
                    return await self._receive(socket)
                finally:
                    sending.cancel()
                    await asyncio.wait([sending])
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return f"{type(error).__name__}: {error}"

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> str:
        while True:
            message = await socket.receive()
            if message.type in _ENDED:
                return self._why or f"the push service closed the connection (code {socket.close_code})"
            if message.type is aiohttp.WSMsgType.TEXT:
                self._feed(self._session.received(message.data, self._now()))
                continue
            self._session.heard(self._now())
            self._arm()
            if message.type is aiohttp.WSMsgType.PING:
                await socket.pong(message.data)

    async def _send(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        try:
            while True:
                await socket.send_str(await self._outgoing.get())
        except ConnectionError:
            return  # the receiving side reports the end of the connection

    # ---- effects

    def _feed(self, effects: Sequence[push_session.Effect]) -> None:
        for effect in effects:
            match effect:
                case push_session.Open():
                    self._why = ""
                    self._wanted.set()
                case push_session.SendFrame(frame):
                    self._outgoing.put_nowait(frame)
                case push_session.Drop(why):
                    self._why = why
                    if self._attempt is not None:
                        self._attempt.cancel()
                case push_session.Tell(event):
                    self._on_event(event)
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._session.next_wake()
        if self._loop is not None and due is not None:
            self._timer = self._loop.call_at(due, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._feed(self._session.wake(self._now()))

    def _now(self) -> float:
        return 0.0 if self._loop is None else self._loop.time()
