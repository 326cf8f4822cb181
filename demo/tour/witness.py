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

    async def texts(self, room_id: str) -> list[str]:
        """The last 100 messages of a chat as the homeserver has them, the newest first."""
        return [event["content"]["body"] for event in await self._messages(room_id)]

    async def count(self, room_id: str, text: str) -> int:
        """How often the homeserver has that message."""
        return (await self.texts(room_id)).count(text)

    async def came(self, room_id: str, text: str) -> float | None:
        """When the homeserver got that message, in seconds since 1970 by its clock; None: it has none."""
        found = [event for event in await self._messages(room_id) if event["content"]["body"] == text]
        return float(found[0]["origin_server_ts"]) / 1000 if found else None

    async def _messages(self, room_id: str) -> list[dict[str, Any]]:
        address = f"{self._homeserver}/_matrix/client/v3/rooms/{quote(room_id, safe='')}/messages?dir=b&limit=100"
        async with self._http.get(address) as answer:
            events = (await answer.json()).get("chunk", [])
        return [event for event in events if "body" in event.get("content", {})]
