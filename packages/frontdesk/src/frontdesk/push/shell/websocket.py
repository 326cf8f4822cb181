"""The WebSocket side: desks (and Mozilla's browsers) connect here and wait for their messages.

Compression is off: it would cost each idle connection three times its memory, and ciphertext does not compress.
"""

import asyncio
import logging
from collections import deque
from typing import Protocol

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from frontdesk.push.core import connection
from frontdesk.wire import autopush

_log = logging.getLogger("frontdesk.push.websocket")

_MOST_QUEUED = 1024 * 1024
"""Bytes that may wait for a desk that does not read; then the connection is cut."""

_SEND_WITHIN = 30.0
"""Seconds a desk has to make room for the next frame."""

_CLOSE_WITHIN = 4.0
_MOST_REASON = 100
"""Bytes of a close reason; the protocol allows 123."""

_COME_BACK = 300
"""Seconds after which a desk that was refused may try again."""

_LEAVE = frozenset({WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR})


class Service(Protocol):
    """What stands behind a connection."""

    def opened(self, connection: "DeskConnection") -> int:
        """A number for the connection."""

    def received(
        self, session: int, message: autopush.Hello | autopush.Register | autopush.Unregister | autopush.Ack
    ) -> None:
        """A message from the desk."""

    def closed(self, session: int) -> None:
        """The connection is over."""


class DeskConnection:
    """One desk's connection: feeds the machine, keeps the frames in order, closes when told to."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        self._socket = socket
        self._transport = request.transport
        self._now = asyncio.get_running_loop().time
        self._machine = connection.Connection(self._now())
        self._queued: deque[str | bytes | None] = deque()  # text frames; the payload of a pong; None is a ping
        self._queued_bytes = 0
        self._sending: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    def send(self, message: autopush.ServerMessage) -> None:
        """Queue a frame; never waits."""
        self._queue(autopush.encode(message))

    def close(self, reason: str, code: int = WSCloseCode.INTERNAL_ERROR) -> None:
        """End the connection soon; what is queued is not sent any more."""
        if self._closing is None:
            _log.info("event=closing code=%d why=%r", code, reason)
            self._forget_queued()
            self._closing = asyncio.get_running_loop().create_task(self._close(reason, code))

    async def closed(self) -> None:
        """Wait until the connection has ended in good order, or has been cut."""
        for task in (self._closing, self._sending):
            if task is not None:
                await asyncio.wait([task])

    async def serve(self, service: Service) -> None:
        """Until the connection ends."""
        session = service.opened(self)
        try:
            while self._closing is None:
                due = self._machine.next_wake()
                try:
                    message = await self._socket.receive(None if due is None else max(0.001, due - self._now()))
                except TimeoutError:
                    self._carry_out(self._machine.wake(self._now()), service, session)
                    continue
                if message.type in _LEAVE:
                    break
                await self._handle(message, service, session)
        finally:
            service.closed(session)
            await self.closed()
            self._cut_if_unread()

    def _cut_if_unread(self) -> None:
        """Closing alone would wait for ever for somebody who never reads what was sent before."""
        if self._transport is not None and self._transport.get_write_buffer_size() > 0:
            self._transport.abort()

    async def _handle(self, message: WSMessage, service: Service, session: int) -> None:
        match message.type:
            case WSMsgType.TEXT:
                self._carry_out(self._machine.received(message.data, self._now()), service, session)
            case WSMsgType.PING:
                self._machine.heard(self._now())
                self._queue(bytes(message.data))
            case WSMsgType.PONG:
                self._machine.heard(self._now())
            case _:
                self.close("frames are text", WSCloseCode.UNSUPPORTED_DATA)
        # A desk that sends without reading is not read any further.
        if self._sending is not None:
            await asyncio.wait([self._sending])

    def _carry_out(self, effects: list[connection.Effect], service: Service, session: int) -> None:
        for effect in effects:
            match effect:
                case connection.Received(message):
                    service.received(session, message)
                case connection.Reply(message):
                    self.send(message)
                case connection.SendPing():
                    self._queue(None)
                case connection.Close(code, reason):
                    self.close(reason, code)

    def _queue(self, frame: str | bytes | None) -> None:
        if self._closing is not None:
            return
        self._queued.append(frame)
        self._queued_bytes += len(frame or "")
        if self._queued_bytes > _MOST_QUEUED:
            self.close("it does not read what it is sent")
        elif self._sending is None:
            self._sending = asyncio.get_running_loop().create_task(self._send_queued())

    async def _send_queued(self) -> None:
        try:
            while self._queued:
                frame = self._queued.popleft()
                self._queued_bytes -= len(frame or "")
                async with asyncio.timeout(_SEND_WITHIN):
                    await self._send(frame)
        except TimeoutError:
            self.close("it does not read what it is sent")
        except ConnectionError:
            # The reading side sees the end too; what is lost here the mailbox sends again on the next connection.
            self._forget_queued()
        finally:
            self._sending = None

    async def _send(self, frame: str | bytes | None) -> None:
        match frame:
            case None:
                await self._socket.ping()
            case bytes():
                await self._socket.pong(frame)
            case str():
                await self._socket.send_str(frame)

    def _forget_queued(self) -> None:
        self._queued.clear()
        self._queued_bytes = 0

    async def _close(self, reason: str, code: int) -> None:
        text = reason.encode()[:_MOST_REASON].decode(errors="ignore")
        try:
            async with asyncio.timeout(_CLOSE_WITHIN):
                await self._socket.close(code=code, message=text.encode())
        except TimeoutError:
            self._cut_if_unread()


class WebSocketSide:
    """All connections of desks."""

    def __init__(self, service: Service, most: int) -> None:
        """``most``: desks that may be connected at a time; more are told to come back later."""
        self._service = service
        self._most = most
        self._connections: set[DeskConnection] = set()

    def routes(self) -> list[web.RouteDef]:
        """The one route of this side."""
        return [web.get("/", self.connect)]

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """A desk connects. Whoever comes without a WebSocket is told what this is."""
        socket = web.WebSocketResponse(
            compress=False, autoping=False, max_msg_size=autopush.MOST_FRAME, timeout=_CLOSE_WITHIN
        )
        if not socket.can_prepare(request).ok:
            return web.Response(status=426, text="A push service of frontdesk: desks connect here with a WebSocket.\n")
        if len(self._connections) >= self._most:
            _log.warning(
                "event=desk_refused connected=%d next=%r", len(self._connections), "raise the limit of open files"
            )
            text = "This push service holds as many desks as it can. Nothing was changed; try again later.\n"
            return web.Response(status=503, headers={"Retry-After": str(_COME_BACK)}, text=text)
        await socket.prepare(request)
        desk = DeskConnection(socket, request)
        self._connections.add(desk)
        try:
            await desk.serve(self._service)
        finally:
            self._connections.discard(desk)
        return socket

    async def close(self) -> None:
        """Tell every desk that the service goes away; they come back by themselves."""
        connections = list(self._connections)
        for desk in connections:
            desk.close("the push service is stopping", WSCloseCode.GOING_AWAY)
        for desk in connections:
            await desk.closed()
