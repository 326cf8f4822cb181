"""A running push service for tests, in this process or as a child, and a desk that is nobody's relative."""

import asyncio
import contextlib
import json
import re
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from websockets.asyncio.client import ClientConnection, connect

from frontdesk.push.main import PushSettings, serve
from frontdesk.wire import webpush

KEYS = webpush.receiver_keys(bytes(range(40)), bytes(range(16)))

LOOPBACK = ("127.0.0.0/8",)


@contextlib.asynccontextmanager
async def running(data: Path, **settings: Any) -> AsyncIterator[str]:
    """A service in this process; its public URL."""
    stop = asyncio.Event()
    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    chosen = msgspec.structs.replace(PushSettings(data=data, port=0, allow_private=LOOPBACK), **settings)
    service = asyncio.create_task(serve(chosen, stop, started.set_result))
    service.add_done_callback(lambda _: started.cancel())
    await asyncio.wait([started])
    if started.cancelled():
        await service  # raises what kept it from starting
    try:
        yield started.result()
    finally:
        stop.set()
        await service


async def nobody_connected(url: str) -> None:
    """Until the service has noticed that every desk has left."""
    await _none(url, "connected")


async def nothing_waits(url: str) -> None:
    """Until every desk has come and acknowledged all that there was for it."""
    await _none(url, "waiting")


async def _none(url: str, counted: str) -> None:
    """Until the service counts no more of these; each question lets it go on."""
    async with aiohttp.ClientSession() as http:
        while True:
            async with http.get(f"{url}/health") as health:
                if (await health.json())[counted] == 0:
                    return


class ServiceProcess:
    """A service of its own process."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process = process
        self.url = url

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.communicate()


@contextlib.asynccontextmanager
async def child(data: Path, port: int = 0) -> AsyncIterator[ServiceProcess]:
    """A service as a child process, killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "frontdesk.push.main", "--data", str(data), "--port", str(port)),
        *("--allow-private", LOOPBACK[0]),
        stderr=asyncio.subprocess.PIPE,
    )
    service = ServiceProcess(process, "")
    try:
        assert process.stderr is not None
        while not service.url:
            line = (await process.stderr.readline()).decode()
            assert line, "the service ended before it listened"
            found = re.search(r"event=listening .*public_url=(\S+)", line)
            service.url = found[1] if found else ""
        yield service
    finally:
        await service.kill()


class StrangeDesk:
    """Speaks autopush with another WebSocket library, and JSON written by hand."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.uaid = ""

    async def say(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def hear(self) -> dict[str, Any]:
        frame = json.loads(await self.socket.recv())
        assert isinstance(frame, dict)
        return frame

    async def register(self, channel_id: str | None = None) -> str:
        """The endpoint of a new channel."""
        channel_id = channel_id or str(uuid.uuid4())
        await self.say(messageType="register", channelID=channel_id)
        reply = await self.hear()
        assert (reply["messageType"], reply["channelID"], reply["status"]) == ("register", channel_id, 200)
        return str(reply["pushEndpoint"])

    async def unregister(self, channel_id: str) -> None:
        await self.say(messageType="unregister", channelID=channel_id, code=200)
        assert await self.hear() == {"messageType": "unregister", "channelID": channel_id, "status": 200}

    async def ack(self, *arrivals: dict[str, Any]) -> None:
        updates = [{"channelID": a["channelID"], "version": a["version"], "code": 100} for a in arrivals]
        await self.say(messageType="ack", updates=updates)

    async def settled(self) -> None:
        """Everything sent before has been handled: the answer to a ping comes after it."""
        await self.socket.send("{}")
        assert await self.hear() == {}


@contextlib.asynccontextmanager
async def desk(url: str, uaid: str | None = None) -> AsyncIterator[StrangeDesk]:
    """A desk that is connected and has said hello."""
    async with connect(url.replace("http", "ws", 1) + "/", ping_interval=None) as socket:
        stranger = StrangeDesk(socket)
        await stranger.say(messageType="hello", use_webpush=True, **({} if uaid is None else {"uaid": uaid}))
        reply = await stranger.hear()
        assert (reply["messageType"], reply["status"]) == ("hello", 200)
        stranger.uaid = str(reply["uaid"])
        yield stranger
