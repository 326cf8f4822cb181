"""Asks the homeserver itself what it has: the tour believes no Lobby in this."""

from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp

from demo.errors import DemoError

_LIMIT = aiohttp.ClientTimeout(total=10)


class Witness:
    """Reads a chat as one of its members, with a device of its own, straight from the homeserver."""

    def __init__(self, homeserver: str, user: str, password: str) -> None:
        self._homeserver = homeserver
        self._user = user
        self._password = password
        self._http = aiohttp.ClientSession(timeout=_LIMIT)

    async def __aenter__(self) -> Self:
        body = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": self._user},
            "password": self._password,
            "device_id": "WITNESS",
        }
        async with self._http.post(f"{self._homeserver}/_matrix/client/v3/login", json=body) as answer:
            said = await answer.json()
        if "access_token" not in said:
            await self._http.close()
            raise DemoError(f"The homeserver did not let the witness in: {said.get('error', said)}")
        self._http.headers["Authorization"] = f"Bearer {said['access_token']}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._http.close()

    async def messages(self, room_id: str) -> list[dict[str, Any]]:
        """The messages among the last 100 events of a chat, as they are stored, readable or not; the newest first.

        DemoError when the homeserver does not say.
        """
        address = f"{self._homeserver}/_matrix/client/v3/rooms/{quote(room_id, safe='')}/messages?dir=b&limit=100"
        async with self._http.get(address) as answer:
            said = await answer.json()
        if "chunk" not in said:
            raise DemoError(f"The homeserver does not tell the witness what is in the chat: {said.get('error', said)}")
        events: list[dict[str, Any]] = said["chunk"]
        return [event for event in events if event["type"] in ("m.room.message", "m.room.encrypted")]

    async def sent(self, room_id: str, sender: str) -> dict[str, float]:
        """That person's messages among them: event id → when the homeserver got it, in seconds since 1970.

        In an encrypted chat the words are for its members only: what they are is for the other's window to say.
        """
        return {
            event["event_id"]: float(event["origin_server_ts"]) / 1000
            for event in await self.messages(room_id)
            if event["sender"] == sender
        }
