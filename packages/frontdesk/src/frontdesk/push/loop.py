"""The push service's centre: hands events to the mailbox and the gateway, carries out their effects, arms one timer."""

import asyncio
import logging
import secrets
import sqlite3
import time
import uuid
from collections.abc import Sequence
from typing import Protocol

from frontdesk.push.core import records
from frontdesk.push.core.effects import NOBODY_WAITS, Answer, Close, Effect, Fetch, Send, Write
from frontdesk.push.core.gateway import Gateway, Outcome, Push, Reply, Trouble
from frontdesk.push.core.mailbox import Mailbox
from frontdesk.push.shell.sender import Sender
from frontdesk.push.shell.store import Bodies, Store
from frontdesk.wire import autopush, matrix_push, rfc8030, webpush

_log = logging.getLogger("frontdesk.push")


class DeviceConnection(Protocol):
    """What the centre can do to a connected desk."""

    def send(self, message: autopush.ServerMessage) -> None:
        """Queue a frame; never waits."""

    def close(self, reason: str) -> None:
        """End the connection soon."""


class PushService:
    """One service: its mailbox, its gateway, its store, and the connections it has now."""

    def __init__(self, public_url: str, store: Store, sender: Sender) -> None:
        self._store = store
        self._sender = sender
        self._mailbox = Mailbox(public_url, store.load(), time.time())
        self._gateway = Gateway()
        self._own_endpoints = f"{public_url}/push/"
        self._connections: dict[int, DeviceConnection] = {}
        self._last_session = 0
        self._answers: dict[str, asyncio.Future[rfc8030.Accepted | rfc8030.Problem]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._arm()

    # ---- senders

    async def post(self, token: str, push: rfc8030.Push) -> rfc8030.Accepted | rfc8030.Problem:
        """Take a sender's message; Accepted only once it is durable."""
        message_id = secrets.token_urlsafe(16)
        answer: asyncio.Future[rfc8030.Accepted | rfc8030.Problem] = asyncio.get_running_loop().create_future()
        self._answers[message_id] = answer
        try:
            self._carry_out(self._mailbox.post(token, push, message_id, time.time()))
            return await answer
        finally:
            del self._answers[message_id]

    def withdraw(self, message_id: str) -> None:
        """The sender of this message has changed its mind."""
        self._carry_out(self._mailbox.withdraw(message_id))

    # ---- homeservers

    async def notify(self, notification: matrix_push.Notification) -> Reply:
        """Push a homeserver's notification to its devices, and say what to answer."""
        plan = self._gateway.notified(notification)
        outcomes: tuple[Outcome, ...] = (Outcome.LATER,) * len(plan.pushes)
        try:
            outcomes = tuple(await asyncio.gather(*(self._push(push) for push in plan.pushes)))
        finally:
            reply = self._gateway.finished(plan, outcomes)
        _log.info(
            "event=notified status=%d pushes=%d delivered=%d rejected=%d",
            reply.status,
            len(plan.pushes),
            outcomes.count(Outcome.DELIVERED),
            len(reply.rejected),
        )
        return reply

    async def _push(self, push: Push) -> Outcome:
        """Try until it is delivered, never will be, or has to wait for the homeserver's next attempt."""
        step: Outcome | Push = push
        while isinstance(step, Push):
            answer = await self._send(step)
            if isinstance(answer, Trouble):
                _log.warning("event=push_not_sent why=%s", answer)
            step = self._gateway.tried(step, answer)
        return step

    async def _send(self, push: Push) -> int | Trouble:
        target, wishes = push.target, push.wishes
        body = webpush.encrypt(
            push.payload,
            target.p256dh,
            target.auth,
            seed=secrets.token_bytes(webpush.SEED_BYTES),
            salt=secrets.token_bytes(webpush.SALT_BYTES),
        )
        message = rfc8030.Push(ttl=wishes.ttl, body=body, urgency=wishes.urgency, topic=wishes.topic)
        if target.endpoint.startswith(self._own_endpoints):
            own = await self.post(target.endpoint.removeprefix(self._own_endpoints), message)
            return own.status if isinstance(own, rfc8030.Problem) else 201
        return await self._sender.post(target.endpoint, message)

    # ---- desks

    def opened(self, connection: DeviceConnection) -> int:
        """A desk has connected; its number from now on."""
        self._last_session += 1
        self._connections[self._last_session] = connection
        return self._last_session

    def received(
        self, session: int, message: autopush.Hello | autopush.Register | autopush.Unregister | autopush.Ack
    ) -> None:
        """A desk's message; hello has been checked to come first."""
        now = time.time()
        match message:
            case autopush.Hello():
                self._carry_out(self._mailbox.hello(session, message.uaid, uuid.uuid4().hex, now))
            case autopush.Register():
                token = secrets.token_urlsafe(32)
                self._carry_out(self._mailbox.register(session, message.channel_id, token, now))
            case autopush.Unregister():
                self._carry_out(self._mailbox.unregister(session, message.channel_id, now))
            case autopush.Ack():
                versions = [update.version for update in message.updates]
                self._carry_out(self._mailbox.acknowledge(session, versions, now))

    def closed(self, session: int) -> None:
        """A desk's connection has ended, whoever ended it."""
        del self._connections[session]
        self._carry_out(self._mailbox.disconnected(session, time.time()))

    # ---- the operator

    def health(self) -> dict[str, str | int]:
        """How it is: ``status`` is ``ok``, or ``degraded`` with ``trouble`` when the last write failed."""
        return {
            "status": "degraded" if self._store.trouble else "ok",
            "trouble": self._store.trouble,
            "connected": self._mailbox.connected,
            "waiting": self._mailbox.waiting,
            "commits": self._store.commits,
        }

    async def close(self) -> None:
        """Write what is queued and let go of everything. The connections must have been closed before."""
        if self._timer is not None:
            self._timer.cancel()
        await self._sender.close()
        await self._store.close()

    # ---- effects

    def _carry_out(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Write(ticket, changes):
                    self._write(ticket, changes)
                case Send(session, message):
                    self._connections[session].send(message)
                case Close(session, reason):
                    self._connections[session].close(reason)
                case Fetch(session, ids):
                    self._fetch(session, ids)
                case Answer(message_id, answer):
                    self._answer(message_id, answer)
        self._arm()

    def _write(self, ticket: int, changes: Sequence[records.Change]) -> None:
        def done(error: sqlite3.Error | None) -> None:
            if ticket == NOBODY_WAITS:
                return
            if error is None:
                self._carry_out(self._mailbox.stored(ticket, time.time()))
            else:
                self._carry_out(self._mailbox.not_stored(ticket))

        self._store.write(changes, done)

    def _fetch(self, session: int, ids: Sequence[str]) -> None:
        def done(found: Bodies) -> None:
            if isinstance(found, sqlite3.Error):
                self._carry_out(self._mailbox.not_fetched(session))
            else:
                self._carry_out(self._mailbox.fetched(session, found, time.time()))

        self._store.read(ids, done)

    def _answer(self, message_id: str, answer: rfc8030.Accepted | rfc8030.Problem) -> None:
        if isinstance(answer, rfc8030.Accepted):
            _log.info("event=accepted ttl=%d waiting=%d", answer.ttl, self._mailbox.waiting)
        else:
            _log.info("event=refused status=%d errno=%d", answer.status, answer.errno)
        waiting = self._answers.get(message_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._mailbox.next_wake()
        if due is not None:
            # At most an hour, so that a clock set back or forward is noticed.
            delay = min(max(0.0, due - time.time()), 3600.0)
            self._timer = asyncio.get_running_loop().call_later(delay, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._carry_out(self._mailbox.wake(time.time()))
