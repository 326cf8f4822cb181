"""A real Synapse for the tests: one per run, started when the first test asks for it."""

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from demo.synapse import Synapse

PASSWORD = "correct horse battery staple"


@dataclass
class Homeserver:
    """Where it is, and accounts on it that no other test uses."""

    synapse: Synapse
    numbers: "itertools.count[int]"

    @property
    def url(self) -> str:
        return self.synapse.url

    async def account(self, name: str) -> str:
        """A fresh account with display name ``name`` and PASSWORD; returns its user id."""
        user = f"{name.lower()}{next(self.numbers)}"
        await self.synapse.register(user, PASSWORD, name)
        return self.synapse.user_id(user)


@pytest.fixture(scope="session")
def homeserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Homeserver]:
    """Synapse, running until the last test is over. Its process is watched by a loop of its own between tests."""
    synapse = Synapse(tmp_path_factory.mktemp("synapse"), "test.localhost")
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(synapse.start())
        yield Homeserver(synapse, itertools.count(1))
    finally:
        loop.run_until_complete(synapse.stop())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
