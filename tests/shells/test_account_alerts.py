"""What a push is answered with on a real homeserver, and what has been heard by then: nothing holds Lobby after it."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lobby.account_alerts import AccountAlerts
from lobby.core.alerts import Alert
from lobby.core.key_news import ToDevice
from tests.homeserver import Homeserver, homeserver
from tests.people import PATIENCE, Person, World, asked, world

__all__ = ["homeserver", "world"]


class HandDesk:
    """Shows nothing to anybody, and remembers what it was asked to show."""

    connected, foreground = True, False

    def __init__(self) -> None:
        self.titles: list[str] = []

    async def notify(self, alert: Alert, quiet: bool = False) -> None:
        self.titles.append(alert.title)

    async def withdraw(self, alert_id: str) -> None:
        return None

    @contextlib.asynccontextmanager
    async def awake(self, name: str) -> AsyncIterator[None]:
        yield


async def test_a_push_is_answered_once_what_other_devices_said_beside_it_has_been_heard(
    world: World, homeserver: Homeserver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, right, desk = world.left, world.right, HandDesk()
    for person in (left, right):
        await person.log_in()
    assert right.lobby.keys is not None
    await right.lobby.keys.engine()
    hear = right.lobby.keys.on_message
    heard, may_be_heard = asyncio.Event(), asyncio.Event()

    async def hear_late(message: ToDevice) -> None:
        heard.set()
        await may_be_heard.wait()
        await hear(message)

    monkeypatch.setattr(right.lobby.keys, "on_message", hear_late)
    async with Person(tmp_path / "laptop", right.user_id, homeserver.url) as laptop:
        await laptop.log_in()
        request = {"from_device": "LAPTOP", "methods": ["m.sas.v1"], "timestamp": int(time.time() * 1000)}
        messages = {right.user_id: {"*": {**request, "transaction_id": "1"}}}
        await asked(laptop, "/sendToDevice/m.key.verification.request/1", body={"messages": messages}, method="PUT")
    room_id = await left.lobby.start_group("Team", [right.user_id])

    alerts = AccountAlerts(desk, right.lobby, right.store, time.monotonic, waiting="messages")
    right.lobby.subscribe(lambda change: alerts.verifications_changed())
    payload = json.dumps({"room_id": room_id, "event_id": "$invitation"}).encode()
    answering = asyncio.create_task(alerts.answer("push", payload))
    async with asyncio.timeout(PATIENCE):
        await heard.wait()
        await right.until(right.lobby.invitations)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(answering), 0.5)
    assert not desk.titles
    may_be_heard.set()
    alert = await answering
    assert alert is not None and alert.title == "Left invites you"
    assert desk.titles == ["Another of your devices wants to be verified"]
    await alerts.stop()
