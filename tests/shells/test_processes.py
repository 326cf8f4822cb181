"""What the desk makes of the keeper's reports about its apps, over a real channel; the test is the keeper."""

import asyncio
import errno
import os
import socket
import subprocess
from pathlib import Path

import pytest

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.shell import process_table
from frontdesk.agent.shell.desk_channel import DeskChannel
from frontdesk.agent.shell.freezer import SignalFreezer
from frontdesk.agent.shell.keeper_channel import KeeperChannel
from frontdesk.agent.shell.processes import Processes
from frontdesk.terms import Manifest
from frontdesk.wire import keeper as wire


async def asked(keeper: DeskChannel) -> tuple[int, wire.Request]:
    """The next request of the desk."""
    ready = asyncio.Event()
    asyncio.get_running_loop().add_reader(keeper.fileno(), ready.set)
    try:
        await asyncio.wait_for(ready.wait(), 20)
    finally:
        asyncio.get_running_loop().remove_reader(keeper.fileno())
    request = keeper.receive()
    assert request is not None
    return request[:2]


async def refused_launch(text: str) -> tuple[wire.Launch, ev.LaunchFailed]:
    """A launch that the keeper refuses with this text: what it was asked for, and the one event that came of it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    keeper, channel = DeskChannel(ours), KeeperChannel(theirs)
    happened: list[ev.Event] = []
    manifest = Manifest("org.example.quick", "Quick", ("quick",))
    processes = Processes(channel, SignalFreezer(), happened.append, lambda app: manifest)
    launching = asyncio.ensure_future(processes.launch(do.Launch(manifest.id, "token")))
    number, request = await asked(keeper)
    keeper.send(number, wire.Refused(wire.KeeperRefusal.LAUNCH_FAILED, text))
    await asyncio.wait_for(launching, 20)
    processes.close()
    channel.close()
    keeper.close()
    (failed,) = happened
    assert isinstance(request, wire.Launch) and isinstance(failed, ev.LaunchFailed)
    return request, failed


@pytest.mark.contract("L05", "L06")
async def test_how_an_app_ended_while_there_was_no_desk_is_not_lost() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    keeper, channel = DeskChannel(ours), KeeperChannel(theirs)
    happened: list[ev.Event] = []
    processes = Processes(channel, SignalFreezer(), happened.append, lambda app: None)
    nobodys = 4_000_000  # of an app that was removed meanwhile
    with subprocess.Popen(["sleep", "100"]) as lives, subprocess.Popen(["false"]) as ended:
        try:
            started = process_table.start_time(lives.pid) or 0
            ended.wait()
            # As the keeper does it: first what it has to tell, then the answers.
            keeper.send(0, wire.Exited(ended.pid, 1))
            keeper.send(0, wire.Exited(nobodys, 0))
            known = [
                ("a.ended", do.Process(ended.pid, 1, True, "")),
                ("a.lives", do.Process(lives.pid, started, True, "")),
            ]
            taking_up = asyncio.ensure_future(processes.survivors(known, True))
            number, request = await asked(keeper)
            assert request == wire.ListChildren()
            keeper.send(number, wire.Children((("a.lives", lives.pid),)))
            await asyncio.wait_for(taking_up, 20)
            assert happened == [ev.Exited("a.ended", ended.pid, 1), ev.Survived("a.lives", child=True)]
            # Of the end that the core has still to keep the keeper hears later; the other is nobody's news.
            assert (await asked(keeper))[1] == wire.Seen(nobodys)
            assert keeper.receive() is None
        finally:
            lives.kill()
    processes.close()
    channel.close()
    keeper.close()


@pytest.mark.contract("L06")
async def test_an_app_that_was_being_launched_when_keeper_and_desk_died_is_found_by_its_token() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    keeper, channel = DeskChannel(ours), KeeperChannel(theirs)
    happened: list[ev.Event] = []
    processes = Processes(channel, SignalFreezer(), happened.append, lambda app: None)
    environment = {**os.environ, "FRONTDESK_LAUNCH": "the token of this launch"}
    with subprocess.Popen(["sleep", "100"], env=environment) as launched:
        try:
            known = [
                ("a.launching", do.Process(0, 0, True, "the token of this launch")),
                ("a.never", do.Process(0, 0, True, "the token of another")),
            ]
            taking_up = asyncio.ensure_future(processes.survivors(known, True))
            number, _ = await asked(keeper)
            keeper.send(number, wire.Children(()))
            await asyncio.wait_for(taking_up, 20)
            started = process_table.start_time(launched.pid) or 0
            assert happened == [
                ev.Launched("a.launching", "the token of this launch", launched.pid, started),
                ev.Survived("a.launching", child=False),
            ]
        finally:
            launched.kill()
    processes.close()
    channel.close()
    keeper.close()


@pytest.mark.contract("L05")
async def test_how_a_launched_app_ended_is_known_also_when_it_said_hello_before_the_keeper_had_answered() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    keeper, channel = DeskChannel(ours), KeeperChannel(theirs)
    happened: asyncio.Queue[ev.Event] = asyncio.Queue()
    manifest = Manifest("org.example.quick", "Quick", ("quick",))
    processes = Processes(channel, SignalFreezer(), happened.put_nowait, lambda app: manifest)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as quick:
        taking_up = asyncio.ensure_future(processes.survivors([], True))
        keeper.send((await asked(keeper))[0], wire.Children(()))
        await taking_up
        launching = asyncio.ensure_future(processes.launch(do.Launch(manifest.id, "token")))
        number, request = await asked(keeper)
        assert isinstance(request, wire.Launch) and request.env["FRONTDESK_LAUNCH"] == "token"
        processes.follow(manifest.id, quick.pid)
        keeper.send(number, wire.Launched(quick.pid))
        await asyncio.wait_for(launching, 20)
        assert await happened.get() == ev.Launched(
            manifest.id, "token", quick.pid, process_table.start_time(quick.pid) or 0
        )
        quick.communicate()
        keeper.send(0, wire.Exited(quick.pid, 3))
        assert await asyncio.wait_for(happened.get(), 20) == ev.Exited(manifest.id, quick.pid, 3)
        # That it was kept is for the core to say.
        assert keeper.receive() is None
    processes.close()
    channel.close()
    keeper.close()


async def test_an_app_of_a_person_without_a_home_is_launched_in_the_root_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def nobody(*_: object) -> None:
        raise KeyError

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    monkeypatch.setenv("FRONTDESK_HOME", str(tmp_path))
    request, failed = await refused_launch("no such program")
    assert request.cwd == "/" and "no such program" in failed.text


async def test_an_end_is_heard_of_although_a_first_attempt_to_follow_found_no_descriptor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_left(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    channel = KeeperChannel(theirs)
    happened: asyncio.Queue[ev.Event] = asyncio.Queue()
    processes = Processes(channel, SignalFreezer(), happened.put_nowait, lambda app: None)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as app:
        with monkeypatch.context() as short:
            short.setattr(os, "pidfd_open", none_left)
            with pytest.raises(OSError, match="Too many"):
                processes.follow("a", app.pid)
        processes.follow("a", app.pid)
        app.communicate()
    assert await asyncio.wait_for(happened.get(), 20) == ev.Exited("a", app.pid, None)
    processes.close()
    channel.close()
    ours.close()


async def test_why_a_launch_failed_can_be_kept_also_when_it_names_a_file_whose_name_is_no_text(tmp_path: Path) -> None:
    text = f"Could not open its log {os.fsdecode(os.fsencode(tmp_path) + bytes([255]))}."
    _, failed = await refused_launch(text)
    assert failed.text.encode().endswith(rb"\udcff.")
