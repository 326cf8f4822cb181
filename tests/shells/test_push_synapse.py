"""The whole way of a push, on real parts: Synapse, our gateway and mailbox, and the desk's line."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from frontdesk.agent.core.pushes import push_session as ps
from frontdesk.agent.shell.push_connection import PushConnection
from frontdesk.wire import webpush
from tests.homeserver import PASSWORD, Homeserver, homeserver
from tests.shells.push_service import KEYS, running

__all__ = ["homeserver"]  # a fixture, used by its name

CHANNEL = "5ae2ab00-5f1a-4c5c-9d0b-5b6a0a1fbb2e"


class Account:
    """Somebody on the homeserver, by its plain HTTP API."""

    def __init__(self, http: aiohttp.ClientSession, homeserver: Homeserver) -> None:
        self._http = http
        self._homeserver = homeserver
        self._token = ""
        self.user_id = ""

    async def log_in(self, name: str) -> None:
        self.user_id = await self._homeserver.account(name)
        identifier = {"type": "m.id.user", "user": self.user_id}
        login = {"type": "m.login.password", "identifier": identifier, "password": PASSWORD}
        self._token = (await self.call("POST", "login", login))["access_token"]

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        address = f"{self._homeserver.url}/_matrix/client/v3/{path}"
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        async with self._http.request(method, address, json=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            found = await answer.json()
            assert isinstance(found, dict)
            return found

    async def say(self, room_id: str, text: str) -> str:
        path = f"rooms/{room_id}/send/m.room.message/{text.replace(' ', '-')}"
        return str((await self.call("PUT", path, {"msgtype": "m.text", "body": text}))["event_id"])


def pusher(url: str, endpoint: str, **data: Any) -> dict[str, Any]:
    return {
        "kind": "http",
        "app_id": "org.frontdesk.test",
        "pushkey": KEYS.p256dh,
        "app_display_name": "test",
        "device_display_name": "test",
        "lang": "en",
        "data": {"url": f"{url}/_matrix/push/v1/notify", "endpoint": endpoint, "auth": KEYS.auth} | data,
    }


class Line:
    """A desk's line, and the pushes that came in, acknowledged and decrypted."""

    def __init__(self, url: str) -> None:
        self.endpoints: asyncio.Queue[str] = asyncio.Queue()
        self.pushes: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.connection = PushConnection(url.replace("http", "ws", 1) + "/", None, self.hear)

    def hear(self, event: ps.PushEvent) -> None:
        if isinstance(event, ps.Registered):
            self.endpoints.put_nowait(event.endpoint)
        elif isinstance(event, ps.Arrived):
            self.connection.ack(event.channel_id, event.version)
            self.pushes.put_nowait(json.loads(webpush.decrypt(event.data, KEYS)))


@pytest.mark.timeout(300)
async def test_a_message_on_synapse_reaches_the_desk_and_a_dead_subscription_loses_its_pusher(
    tmp_path: Path, homeserver: Homeserver
) -> None:
    async with running(tmp_path) as url, aiohttp.ClientSession() as http:
        line = Line(url)
        line.connection.register(CHANNEL)
        staying_connected = asyncio.create_task(line.connection.run())
        endpoint = await line.endpoints.get()
        left, right = Account(http, homeserver), Account(http, homeserver)
        await left.log_in("Left")
        await right.log_in("Right")
        await right.call("POST", "pushers/set", pusher(url, endpoint, format="event_id_only", events_only=True))
        chat = {"preset": "trusted_private_chat", "is_direct": True, "invite": [right.user_id]}
        room_id = (await left.call("POST", "createRoom", chat))["room_id"]
        assert (await line.pushes.get())["room_id"] == room_id, "the invitation"
        await right.call("POST", f"rooms/{room_id}/join", {})

        event_id = await left.say(room_id, "hello")
        push = await line.pushes.get()
        assert (push["event_id"], push["room_id"], push["prio"]) == (event_id, room_id, "high")
        assert "content" not in push

        # Reading changes the badge only, which this pusher does not want: the next push is the next message.
        await right.call("POST", f"rooms/{room_id}/receipt/m.read/{event_id}", {})
        second = await left.say(room_id, "are you there")
        assert (await line.pushes.get())["event_id"] == second

        line.connection.unregister(CHANNEL)
        await left.say(room_id, "nobody listens")
        # Synapse tells nobody when it forgets a pusher; each question gives it time to.
        while (await right.call("GET", "pushers"))["pushers"]:
            pass
        staying_connected.cancel()
        await asyncio.wait([staying_connected])
