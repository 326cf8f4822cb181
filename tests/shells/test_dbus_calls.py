"""Calls over a real bus: no file stays open that nobody waits for; and addresses that lead to none."""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from frontdesk.agent.shell import dbus_calls
from frontdesk.agent.shell.dbus_calls import CallFailed, FileBus, NoBus
from tests.desks import PATIENCE
from tests.shells.private_bus import PrivateBus

NAME, PATH = "org.example.Locks", "/org/example/Locks"


class Locks:
    """Gives locks: a lock is held as long as its file is open somewhere else."""

    def __init__(self, bus: MessageBus) -> None:
        self.asked: asyncio.Queue[Message] = asyncio.Queue()
        self._bus = bus
        self._bus.add_message_handler(self._on_message)
        self._ours: list[int] = []

    async def answer(self, call: Message, signature: str = "h", locks: int = 1) -> None:
        files = self._files(locks)
        body = [0] if signature == "h" else ["no lock"]
        await self._bus.send(Message.new_method_return(call, signature, body, files))
        self._given(files)

    async def send_unasked(self, to: str) -> None:
        files = self._files(1)
        signal = Message(
            destination=to,
            path=PATH,
            interface=NAME,
            member="Here",
            message_type=MessageType.SIGNAL,
            signature="h",
            body=[0],
            unix_fds=files,
        )
        await self._bus.send(signal)
        self._given(files)

    async def all_given_back(self) -> None:
        """Every lock that was given is held no more."""
        for ours in self._ours:
            ended = asyncio.Event()
            asyncio.get_running_loop().add_reader(ours, ended.set)
            try:
                await asyncio.wait_for(ended.wait(), PATIENCE)
            finally:
                asyncio.get_running_loop().remove_reader(ours)
            assert os.read(ours, 1) == b""

    def close(self) -> None:
        self._given(self._ours)

    def _files(self, count: int) -> list[int]:
        pipes = [os.pipe() for _ in range(count)]
        self._ours += [ours for ours, _ in pipes]
        return [theirs for _, theirs in pipes]

    def _given(self, files: list[int]) -> None:
        for file in files:
            os.close(file)

    def _on_message(self, message: Message) -> bool:
        if message.message_type is MessageType.METHOD_CALL:
            self.asked.put_nowait(message)
            return True
        return False


@pytest.fixture
async def address() -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory(prefix="fd-", dir="/tmp") as folder:
        bus = PrivateBus(Path(folder))
        await bus.start()
        yield bus.address
        await bus.kill()


@pytest.fixture
async def locks(address: str) -> AsyncIterator[Locks]:
    bus = await MessageBus(bus_address=address, negotiate_unix_fd=True).connect()
    await bus.request_name(NAME)
    locks = Locks(bus)
    yield locks
    locks.close()
    bus.disconnect()


@pytest.fixture
async def desk(address: str) -> AsyncIterator[FileBus]:
    bus = await dbus_calls.connect_for_files(address, "private")
    yield bus
    bus.disconnect()


async def ask(desk: FileBus) -> int:
    return await dbus_calls.call_for_file(desk, NAME, PATH, "Give", "", [], interface=NAME)


async def test_the_file_is_the_callers_to_close(desk: FileBus, locks: Locks) -> None:
    asking = asyncio.ensure_future(ask(desk))
    await locks.answer(await asyncio.wait_for(locks.asked.get(), PATIENCE))
    lock = await asyncio.wait_for(asking, PATIENCE)
    os.fstat(lock)
    os.close(lock)
    await locks.all_given_back()


async def test_a_lock_that_comes_too_late_is_not_held(
    desk: FileBus, locks: Locks, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as impatient, pytest.raises(CallFailed):
        impatient.setattr(dbus_calls, "ANSWER_WITHIN", 0.01)
        await ask(desk)
    await locks.answer(await asyncio.wait_for(locks.asked.get(), PATIENCE))
    await locks.all_given_back()


async def test_a_lock_for_somebody_who_left_is_not_held(desk: FileBus, locks: Locks) -> None:
    asking = asyncio.ensure_future(ask(desk))
    call = await asyncio.wait_for(locks.asked.get(), PATIENCE)
    asking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asking
    await locks.answer(call)
    await locks.all_given_back()


@pytest.mark.parametrize(("signature", "given"), [("h", 3), ("s", 1)])
async def test_an_answer_of_another_shape_leaves_nothing_open(
    desk: FileBus, locks: Locks, signature: str, given: int
) -> None:
    asking = asyncio.ensure_future(ask(desk))
    await locks.answer(await asyncio.wait_for(locks.asked.get(), PATIENCE), signature, given)
    with pytest.raises(CallFailed):
        await asking
    await locks.all_given_back()


async def test_files_that_a_stranger_sends_are_closed(desk: FileBus, locks: Locks) -> None:
    for _ in range(10):
        await locks.send_unasked(str(desk.unique_name))
    await locks.all_given_back()


async def test_files_beside_an_answer_that_needs_none_are_closed(desk: FileBus, locks: Locks) -> None:
    asking = asyncio.ensure_future(dbus_calls.call(desk, NAME, PATH, "Say"))
    await locks.answer(await asyncio.wait_for(locks.asked.get(), PATIENCE), "s", 2)
    assert await asyncio.wait_for(asking, PATIENCE) == ["no lock"]
    await locks.all_given_back()


@pytest.mark.parametrize(
    "address",
    ["nonsense", "unix:", "unix:path=", "tcp:host=127.0.0.1,port=999999", "unix:path=/\0", "autolaunch:", ";"],
)
async def test_an_address_that_leads_nowhere_is_no_bus(address: str) -> None:
    with pytest.raises(NoBus, match="No private bus at"):
        await dbus_calls.connect_for_files(address, "private")
