"""Fifty desks, many senders, and a service that is killed again and again: nothing lost, nothing back from the dead."""

import asyncio
import contextlib
import random
import sqlite3
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.shells.push_service import ServiceProcess, child, desk, nothing_waits

DESKS = 50
SENDERS = 8
KILLS = 4
HEADERS = {"TTL": "3600", "Content-Encoding": "aes128gcm"}


class Town:
    """What is known in all: where the service is, and what senders were promised."""

    def __init__(self, data: Path, seed: int) -> None:
        self.data = data
        self.dice = random.Random(seed)
        self.url = ""
        self.up = asyncio.Event()
        self.hurried = asyncio.Event()  # from now on desks acknowledge everything
        self.accepted: set[str] = set()
        self.received: set[str] = set()
        self.changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def service(self) -> AsyncIterator[ServiceProcess]:
        """The service, up; killed at the end unless it has ended before."""
        async with child(self.data, int(self.url.rpartition(":")[2] or 0)) as process:
            self.url = process.url
            reading = asyncio.create_task(read_away(process))
            self.up.set()
            try:
                yield process
            finally:
                self.up.clear()
                reading.cancel()
                await asyncio.wait([reading])

    async def until_accepted(self, number: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.accepted) >= number)

    async def note(self, where: set[str], version: str) -> None:
        async with self.changed:
            where.add(version)
            self.changed.notify_all()


async def read_away(process: ServiceProcess) -> None:
    """The log, or the service would wait for its reader."""
    assert process.process.stderr is not None
    while await process.process.stderr.read(65536):
        pass


class Receiver:
    """A desk that comes back after every end, and acknowledges what it likes."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.uaid = ""
        self.endpoint = ""
        self.over: set[str] = set()
        """Versions whose acknowledgement the service has made durable: none of them may come again."""

    async def subscribe(self) -> None:
        async with desk(self.town.url) as line:
            self.uaid, self.endpoint = line.uaid, await line.register()

    async def stay(self) -> None:
        while True:
            await self.town.up.wait()
            with contextlib.suppress(OSError, EOFError, ConnectionClosed, InvalidHandshake):
                await self._listen()

    async def _listen(self) -> None:
        here: set[str] = set()
        acknowledged: set[str] = set()
        asked: dict[str, set[str]] = {}
        async with desk(self.town.url, self.uaid) as line:
            assert line.uaid == self.uaid
            while True:
                frame = await line.hear()
                if frame["messageType"] == "register":  # written after the acknowledgements that came before it
                    self.over |= asked.pop(frame["channelID"])
                    continue
                version = frame["version"]
                assert version not in here, "twice on one connection"
                assert version not in self.over, "again after its acknowledgement was durable"
                here.add(version)
                await self.town.note(self.town.received, version)
                if self.town.hurried.is_set() or self.town.dice.random() < 0.7:
                    await line.ack(frame)
                    acknowledged.add(version)
                if self.town.dice.random() < 0.1:
                    channel = str(uuid.uuid4())
                    asked[channel] = set(acknowledged)
                    await line.say(messageType="register", channelID=channel)


async def send_on(town: Town, receivers: list[Receiver]) -> None:
    """Post to anybody; only what is answered with 201 is promised."""
    async with aiohttp.ClientSession() as sender:
        while True:
            await town.up.wait()
            endpoint = town.dice.choice(receivers).endpoint
            with contextlib.suppress(aiohttp.ClientError, OSError):
                async with sender.post(endpoint, headers=HEADERS, data=town.dice.randbytes(200)) as answer:
                    assert answer.status == 201
                    await town.note(town.accepted, answer.headers["Location"].rpartition("/")[2])


@pytest.mark.contract("P09")
@pytest.mark.parametrize("seed", [1, 2])
async def test_killed_at_any_moment_it_loses_nothing_and_repeats_nothing_that_is_over(
    tmp_path: Path, seed: int
) -> None:
    town = Town(tmp_path, seed)
    receivers = [Receiver(town) for _ in range(DESKS)]
    async with town.service():
        for receiver in receivers:
            await receiver.subscribe()
    async with asyncio.timeout(160), asyncio.TaskGroup() as people:
        staying = [people.create_task(receiver.stay()) for receiver in receivers]
        sending = [people.create_task(send_on(town, receivers)) for _ in range(SENDERS)]
        for _ in range(KILLS):
            async with town.service():
                await town.until_accepted(len(town.accepted) + town.dice.randrange(50, 400))
        for task in sending:
            task.cancel()
        await asyncio.wait(sending)
        town.hurried.set()
        async with town.service() as service:
            await nothing_waits(town.url)
            for task in staying:
                task.cancel()
            await asyncio.wait(staying)
            service.process.terminate()
            await service.process.wait()
    assert town.accepted <= town.received
    with sqlite3.connect(tmp_path / "push.db") as database:
        assert database.execute("SELECT count(*) FROM message").fetchone() == (0,)
    database.close()
