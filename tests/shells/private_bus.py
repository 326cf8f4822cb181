"""A D-Bus bus of a test's own, and services of the machine on it that are played by python-dbusmock's templates."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from frontdesk.agent.shell import dbus_calls
from tests.desks import PATIENCE
from tests.programs import dbus_daemon, python_with_dbusmock

_MOCK = "org.freedesktop.DBus.Mock"


class PrivateBus:
    """A bus at one address, for as often as it is started."""

    def __init__(self, folder: Path) -> None:
        self.address = f"unix:path={folder}/bus"
        self.daemon: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.daemon = await asyncio.create_subprocess_exec(
            *[dbus_daemon(), "--session", "--print-address", "--nofork", "--nopidfile", f"--address={self.address}"],
            stdout=asyncio.subprocess.PIPE,
        )
        assert self.daemon.stdout is not None
        assert await asyncio.wait_for(self.daemon.stdout.readline(), PATIENCE)

    async def kill(self) -> None:
        if self.daemon is not None:
            if self.daemon.returncode is None:
                self.daemon.kill()
            await self.daemon.wait()
            Path(self.address.removeprefix("unix:path=")).unlink(missing_ok=True)


class MockedService:
    """One service of the machine. ``path`` and ``interface``: its main object."""

    def __init__(self, address: str, bus: MessageBus, name: str, path: str, interface: str) -> None:
        self.name, self.path, self.interface = name, path, interface
        self._address, self._bus = address, bus
        self._process: asyncio.subprocess.Process | None = None
        self._owned = asyncio.Event()

    async def start(self, *arguments: str) -> None:
        """With these arguments of the mock: a template, or name, path and interface."""
        self._bus.add_message_handler(self._on_message)
        await dbus_calls.hear(self._bus, f"type='signal',member='NameOwnerChanged',arg0='{self.name}'")
        await self.again(*arguments)

    async def again(self, *arguments: str) -> None:
        self._owned.clear()
        self._process = await asyncio.create_subprocess_exec(
            *[python_with_dbusmock(), "-m", "dbusmock", "--session", *arguments],
            env={**os.environ, "DBUS_SESSION_BUS_ADDRESS": self._address},
            stdout=asyncio.subprocess.DEVNULL,
        )
        await asyncio.wait_for(self._owned.wait(), PATIENCE)

    async def kill(self) -> None:
        if self._process is not None:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()

    async def says(self, *, path: str = "", interface: str = "", **properties: Variant) -> None:
        """Its properties are these from here on, and it tells everybody."""
        body = [interface or self.interface, properties]
        await self.do("UpdateProperties", "sa{sv}", body, path=path)

    async def do(self, member: str, signature: str, body: list[Any], *, path: str = "", interface: str = _MOCK) -> Any:
        at = path or self.path
        return await dbus_calls.call(self._bus, self.name, at, member, signature, body, interface=interface)

    async def emit(self, member: str, signature: str, arguments: list[Variant]) -> None:
        await self.do("EmitSignal", "sssav", [self.interface, member, signature, arguments])

    def _on_message(self, message: Message) -> None:
        if message.message_type is MessageType.SIGNAL and message.member == "NameOwnerChanged":
            name, _, owner = message.body
            if name == self.name and owner:
                self._owned.set()


@asynccontextmanager
async def mocked(address: str, name: str, path: str, interface: str, *arguments: str) -> AsyncIterator[MockedService]:
    """``arguments``: what the mock is started with, ``--template upower`` for instance."""
    bus = await MessageBus(bus_address=address).connect()
    service = MockedService(address, bus, name, path, interface)
    try:
        await service.start(*arguments)
        yield service
    finally:
        await service.kill()
        bus.disconnect()
