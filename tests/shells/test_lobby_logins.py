"""Log-ins and log-outs that meet: the homeserver lists one device of this Lobby at most, with one pusher."""

import asyncio
import resource
import subprocess
import sys

import pytest

from lobby.errors import LoginRefused
from lobby.home import Login
from lobby.matrix.login import device_name, log_in
from lobby.matrix.pusher import PushTarget
from lobby.matrix.session import Session
from tests.desks import DeskHome
from tests.full_disk import no_room
from tests.homeserver import PASSWORD, homeserver
from tests.people import Person, World, introduce, world

__all__ = ["homeserver", "world"]

TARGET = PushTarget("http://127.0.0.1:9/push/abc", "BP256", "AUTH")


async def listed(person: Person, what: str) -> list[str]:
    """Lobby's devices, or the pushers, as the homeserver lists them, but for the device that asks."""
    witness = await log_in(person.homeserver, person.user_id, PASSWORD)
    session = Session(witness)
    try:
        answer = await session.request("GET", f"/{what}")
        await session.log_out()
    finally:
        await session.close()
    if what == "pushers":
        return [pusher["pushkey"] for pusher in answer["pushers"]]
    # The account was made together with a device that has no name.
    ours = [device["device_id"] for device in answer["devices"] if device["display_name"] == device_name()]
    return [device for device in ours if device != witness.device_id]


def kept(person: Person) -> Login:
    login = person.home.login()
    assert login is not None
    return login


async def test_two_log_ins_at_once_leave_one_device_and_one_pusher(world: World) -> None:
    left = world.left
    await asyncio.gather(left.log_in(), left.log_in())
    await left.lobby.pushing.to(TARGET)
    assert await listed(left, "devices") == [kept(left).device_id]
    assert await listed(left, "pushers") == ["BP256"]


async def test_a_log_out_during_a_log_in_leaves_nobody(world: World) -> None:
    left = world.left
    logging_in = asyncio.create_task(left.log_in())
    await asyncio.sleep(0)
    assert await left.lobby.log_out()
    await logging_in
    assert left.lobby.account() is None and left.home.login() is None
    assert await listed(left, "devices") == []


async def test_logging_in_again_goes_on_as_the_same_device(world: World) -> None:
    left = world.left
    room_id = await introduce(left, world.right)
    first = kept(left)
    await left.log_in()
    assert await listed(left, "devices") == [kept(left).device_id] == [first.device_id]
    assert kept(left).token != first.token
    assert left.lobby.chat(room_id) is not None


async def test_a_log_in_that_cannot_be_kept_leaves_no_device(world: World) -> None:
    left = world.left
    with no_room(), pytest.raises(LoginRefused, match="Nothing was changed"):
        await left.log_in()
    assert left.lobby.account() is None and left.home.login() is None
    assert await listed(left, "devices") == []


async def test_a_log_out_on_a_full_disk_ends_the_login(world: World) -> None:
    left = world.left
    await introduce(left, world.right)
    await left.lobby.pushing.to(TARGET)
    with no_room():
        assert await left.lobby.log_out()
    assert left.lobby.account() is None and left.lobby.chats() == []
    assert await listed(left, "devices") == []


async def test_the_command_logs_nobody_in_whom_it_could_not_keep(world: World, home: DeskHome) -> None:
    left = world.left
    folder = home.home / "full"
    words = ["--home", str(folder), "login", "--homeserver", left.homeserver, "--user", left.user_id]
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "lobby.main", *words, "--password-stdin"],
        env=home.environment,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
    )
    _, error = await process.communicate(f"{PASSWORD}\n".encode())
    assert process.returncode == 1 and b"Nothing was changed" in error
    assert await listed(left, "devices") == []
