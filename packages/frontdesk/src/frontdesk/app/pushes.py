"""Pushes in the app: handlers by subscription, and their answers (contract P01, P02)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from frontdesk.app.cancellation import is_cancellation
from frontdesk.terms import Notification, Verdict
from frontdesk.wire import desk as wire

log = logging.getLogger("frontdesk")


class Push(msgspec.Struct, frozen=True):
    """One push: ``data`` is the sender's payload, decrypted; ``received_at`` in seconds since 1970."""

    id: str
    subscription: str
    data: bytes
    received_at: float


class Answer(msgspec.Struct, frozen=True):
    """What the desk shall show for a changeable alert."""

    verdict: Verdict
    notification: Notification | None = None


def ShowThis(notification: Notification) -> Answer:
    """Show this in place of the push."""
    return Answer(Verdict.SHOW_THIS, notification)


SHOW_AS_IT_IS = Answer(Verdict.SHOW_AS_IT_IS)
"""Show what the payload itself says, or the subscription's fallback."""

SHOW_NOTHING = Answer(Verdict.SHOW_NOTHING)

PushHandler = Callable[[Push], Awaitable[Answer]]


class Pushes:
    """Handlers, and what is being worked on. An answer is repeated until the desk has kept it (P09)."""

    def __init__(self, send: Callable[[wire.ToDesk], bool]) -> None:
        self._send = send
        self._handlers: dict[str, PushHandler] = {}
        self._working: dict[str, asyncio.Task[None]] = {}
        self._answers: dict[str, wire.PushAnswer] = {}

    def on(self, subscription: str, handler: PushHandler) -> None:
        self._handlers[subscription] = handler

    def in_hand(self) -> tuple[str, ...]:
        """For the next hello: what need not be given again."""
        return (*self._working, *self._answers)

    def repeat_answers(self) -> None:
        """After a reconnect: the desk may not have heard them."""
        for answer in self._answers.values():
            self._send(answer)

    def handle(self, message: wire.Push | wire.PushKept) -> None:
        if isinstance(message, wire.PushKept):
            self._answers.pop(message.push, None)
        elif message.push not in self._working and message.push not in self._answers:
            push = Push(message.push, message.subscription, message.data, message.received_at)
            self._working[push.id] = asyncio.create_task(self._work(push), name=f"push {push.subscription}")

    async def _work(self, push: Push) -> None:
        try:
            answer = await self._answer(push)
        finally:
            del self._working[push.id]
        message = wire.PushAnswer(push.id, answer.verdict, answer.notification)
        self._answers[push.id] = message
        self._send(message)

    async def _answer(self, push: Push) -> Answer:
        handler = self._handlers.get(push.subscription)
        if handler is None:
            log.warning("No handler for pushes of %r: the desk shows the fallback.", push.subscription)
            return SHOW_AS_IT_IS
        try:
            answer: Any = await handler(push)
        except (Exception, asyncio.CancelledError) as error:
            if is_cancellation(error):
                raise
            log.exception("The handler for pushes of %r failed: the desk shows the fallback.", push.subscription)
            return SHOW_AS_IT_IS
        if not isinstance(answer, Answer):
            log.error("The handler for pushes of %r must return an Answer, not %r.", push.subscription, answer)
            return SHOW_AS_IT_IS
        return answer
