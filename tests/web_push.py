"""A sender of web pushes for tests, somebody else's program (pywebpush), and an app's subscription."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from pywebpush import WebPusher  # type: ignore[import-untyped]

from tests.desks import Strings

Subscribed = Mapping[str, str]


async def send(to: Subscribed, *, ttl: int = 60, urgency: str = "high", **payload: Any) -> int:
    """As any web push sender does it; the status of the answer."""
    subscription = {"endpoint": to["endpoint"], "keys": {"p256dh": to["p256dh"], "auth": to["auth"]}}

    def post() -> int:
        answer = WebPusher(subscription).send(
            json.dumps(payload).encode(), headers={"Urgency": urgency}, ttl=ttl, content_encoding="aes128gcm"
        )
        return int(answer.status_code)

    return await asyncio.to_thread(post)


async def subscribed(
    puppet: Strings, kind: str = "changeable_alert", fallback: str | None = "New message"
) -> Subscribed:
    """The puppet's subscription of that kind."""
    given: Subscribed = await puppet.do("subscribe", kind=kind, fallback=fallback)
    return given
