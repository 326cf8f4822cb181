"""Between apps, a real desk in the middle: who may speak for whom, bad clients, versions, one process per app."""

import asyncio
import os
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from frontdesk import AppState, Condition
from frontdesk.agent.shell import process_table
from frontdesk.wire import desk as wire
from frontdesk.wire.frames import MOST_BYTES, frame
from tests.desks import APP, PATIENCE, DeskHome, frontdesk_manifest
from tests.raw_client import RawClient, hello

AS_NOBODY = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
client = socket.socket(socket.AF_UNIX)
client.settimeout(10)
try:
    client.connect(sys.argv[1])
except PermissionError:
    print("closed")
    sys.exit()
client.sendall(bytes.fromhex(sys.argv[2]))
while data := client.recv(65536):
    sys.stdout.buffer.write(data)
"""


async def raw(desk: DeskHome) -> RawClient:
    return await RawClient.connect(desk.home / "run" / "desk.sock")


# --- who may speak ----------------------------------------------------------------------------------------------------


@pytest.mark.contract("X01")
async def test_another_user_gets_nothing(desk: DeskHome) -> None:
    socket = desk.home / "run" / "desk.sock"
    for folder in (desk.home / "run", desk.home / "state", desk.home / "config"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((desk.home / "state" / "desk.sqlite3").stat().st_mode) == 0o600
    if os.getuid() != 0:
        return  # only root can be somebody else; that others are told apart by credentials is proven in the core
    for opening in (wire.ControlHello(1, 1), wire.OpenFirst(APP, 1, 1), hello(APP)):
        assert _as_nobody(socket, opening) == "closed"
        for place in (desk.home, desk.home / "run", socket):
            place.chmod(0o777)  # even if the folders were open to all
        answer = _as_nobody(socket, opening)
        assert "not_permitted" in answer and "another person" in answer
        assert "welcome" not in answer and "Puppet" not in answer.replace(APP, "")
        for place in (desk.home, desk.home / "run", socket):
            place.chmod(0o700)
    assert (await desk.row()).state is AppState.STOPPED


def _as_nobody(socket: Path, opening: wire.Opening) -> str:
    # The system's own Python: ours may lie in a folder that is closed to others.
    python = next(path for path in ("/usr/bin/python3", sys.executable) if os.access(path, os.X_OK))
    words = [python, "-c", AS_NOBODY, str(socket), frame(wire.encode(opening)).hex()]
    done = subprocess.run(words, capture_output=True, timeout=PATIENCE, check=True, cwd="/")
    return done.stdout.decode(errors="replace").strip()


@pytest.mark.contract("X01")
@pytest.mark.parametrize("who", ["asleep", "never launched"])
async def test_a_wrong_token_or_another_program_is_not_that_app(desk: DeskHome, who: str) -> None:
    if who == "asleep":
        await desk.asleep()
    before = await desk.row()
    for claim, reason in ((hello(APP, token="guessed"), "wrong_token"), (hello(APP), "not_permitted")):
        async with await raw(desk) as client:
            client.say(claim)
            refused = await client.refused()
        if who == "asleep":
            reason = "already_running"
        assert refused.reason == reason and refused.text
    if who == "never launched":
        assert await desk.row() == before
    assert "not admitted" in await desk.happened("refused")


@pytest.mark.contract("X01")
async def test_an_app_acts_for_itself_only(desk: DeskHome) -> None:
    other = "org.example.Other"
    await desk.install(other)
    first, second = await desk.launch(), await desk.launch(other)
    await first.do("notify", id="same", title="From the first")
    await second.do("notify", id="same", title="From the second")
    await second.do("withdraw", id="same")
    status = await desk.status()
    assert [(each.app, each.notification.title) for each in status.shown] == [(APP, "From the first")]
    token = process_table.launch_token(first.pid)
    async with await raw(desk) as client:
        client.say(hello(other, token=token))
        assert (await client.refused()).reason in ("wrong_token", "already_running")
    async with await raw(desk) as client:
        client.say(hello("org.example.Unknown"))
        assert (await client.refused()).reason == "unknown_app"


@pytest.mark.contract("X01")
async def test_an_app_started_by_a_launched_app_is_as_started_by_hand(desk: DeskHome) -> None:
    other = "org.example.Other"
    await desk.install(other, page=True)
    first = await desk.launch()
    await first.do("start program", command=frontdesk_manifest(desk.home / f"{other}.toml"))
    second = await desk.puppet(other)
    assert second.first["heard"] == "started" and second.first["why"] == "by_hand", second.first
    assert (await desk.row(other)).pid == second.pid
    # It stays a part of the app that started it, and is found as such by the token (L01).
    assert process_table.launch_token(second.pid) == process_table.launch_token(first.pid) != ""


@pytest.mark.contract("X01")
async def test_an_app_may_not_steer_and_who_steers_is_no_app(desk: DeskHome) -> None:
    async with await raw(desk) as control:
        control.say(wire.ControlHello(wire.OLDEST, wire.NEWEST))
        assert isinstance(await control.hears(), wire.Welcome)
        control.say(wire.BeginTask(1, "mine"))
        refused = await control.refused()
    assert refused.reason == "bad_request" and "BeginTask" in refused.text
    await desk.launch()
    assert (await desk.row()).state is AppState.FOREGROUND


# --- bad clients ------------------------------------------------------------------------------------------------------


@pytest.mark.contract("X02")
async def test_bad_clients_are_refused_with_a_reason_and_harm_nobody(desk: DeskHome) -> None:
    puppet = await desk.launch()
    pid = (await desk.status()).pid
    too_long = (MOST_BYTES + 1).to_bytes(4, "big")
    steering = frame(wire.encode(wire.ControlHello(1, 1)))
    flood = frame(wire.encode(wire.GetStatus(1))) * 3000
    for data, reason in (
        (frame(b"\xc1 no message"), "bad_request"),
        (b"GET / HTTP/1.1\r\n\r\n", "too_large"),
        (too_long + b"x" * 1000, "too_large"),
        (frame(wire.encode(wire.GetStatus(1))), "bad_request"),
        (steering + steering, "bad_request"),
        (steering + frame(b""), "bad_request"),
        (steering + flood, "too_fast"),
    ):
        async with await raw(desk) as client:
            client.write(data)
            refused = await client.refused()
            assert refused.reason == reason, data[:40]
            assert refused.text.endswith((".", "again"))
    await puppet.do("notify", id="n", title="Unharmed")
    status = await desk.status()
    assert status.pid == pid and status.shown[0].notification.title == "Unharmed"
    assert "broke the protocol" in await desk.happened("refused", "")


@pytest.mark.contract("X02")
async def test_an_app_that_floods_is_cut_off_and_others_go_on(desk: DeskHome) -> None:
    other = "org.example.Flooding"
    await desk.install(other)
    puppet, flooding = await desk.launch(), await desk.launch(other)
    flooding.order("flood", count=10_000)
    assert "within a second" in await desk.happened("refused", other)
    await puppet.do("notify", id="n", title="Unharmed")
    assert await desk.titles() == ["Unharmed"]
    assert "foreground" in {each.what for each in (await desk.status()).happenings if each.app != other}
    # Cut off for what it said, not for good: it comes back by itself.
    await flooding.do("notify", id="n", title="Sorry")
    assert await desk.titles() == ["Sorry", "Unharmed"]


@pytest.mark.contract("X02")
async def test_a_frozen_app_that_is_sent_much_does_not_block_the_desk(desk: DeskHome) -> None:
    puppet = await desk.asleep()
    os.kill(puppet.pid, signal.SIGSTOP)  # it stays stopped although the desk thaws it in its own way
    other = "org.example.Busy"
    await desk.install(other)
    busy = await desk.launch(other)
    for _ in range(300):
        await desk.control.act(APP, "nothing", "pressed")
    await busy.do("notify", id="n", title="In time")
    assert await desk.titles() == ["In time"]
    os.kill(puppet.pid, signal.SIGCONT)


@pytest.mark.contract("X02", "A11")
async def test_apps_with_very_much_to_say_leave_the_status_readable(desk: DeskHome) -> None:
    apps = [APP, "org.example.Wordy"]
    await desk.install(apps[1])
    long = "\N{MUSICAL SYMBOL G CLEF}" * 250
    for app in apps:
        puppet = await desk.launch(app)
        await puppet.do("begin many", count=700, name=long)
        await puppet.do("notify", id="n", title=long)
        puppet.order("background")
    await desk.until(
        lambda status: all(
            row.holds and row.holds[-1].name == f"and {701 - len(row.holds)} more" for row in status.apps
        )
    )
    code, out, error = await desk.command("status", "--json")
    assert (code, error) == (0, "") and long[:19] in out


# --- versions ---------------------------------------------------------------------------------------------------------


@pytest.mark.contract("X03")
@pytest.mark.parametrize(
    ("oldest", "newest", "update"), [(wire.NEWEST + 1, wire.NEWEST + 5, "frontdesk"), (0, wire.OLDEST - 1, "the app")]
)
async def test_no_common_version_is_said_clearly(desk: DeskHome, oldest: int, newest: int, update: str) -> None:
    for opening in (hello(APP, oldest=oldest, newest=newest), wire.ControlHello(oldest, newest)):
        async with await raw(desk) as client:
            client.say(opening)
            refused = await client.refused()
        assert refused.reason == "version" and f"update {update}" in refused.text


@pytest.mark.contract("X03")
async def test_a_newer_client_that_still_knows_this_version_is_welcome(desk: DeskHome) -> None:
    async with await raw(desk) as client:
        client.say(wire.ControlHello(0, wire.NEWEST + 10))
        welcome = await client.hears()
    assert isinstance(welcome, wire.Welcome) and welcome.version == wire.NEWEST


@pytest.mark.contract("X03")
async def test_a_client_of_version_1_gets_a_status_that_it_can_read(desk: DeskHome) -> None:
    await desk.control.force_condition(Condition.POWER, "battery")
    async with await raw(desk) as client:
        client.say(wire.ControlHello(1, 1))
        welcome = await client.hears()
        client.say(wire.GetStatus(1))
        told = await client.hears()
    assert isinstance(welcome, wire.Welcome) and welcome.version == 1
    assert isinstance(told, wire.StatusIs) and told.status.conditions == ()
    assert (await desk.status()).conditions != ()


# --- one process per app ----------------------------------------------------------------------------------------------


@pytest.mark.contract("X04", "L11")
async def test_a_second_start_opens_the_first_and_leaves_with_status_0(desk: DeskHome) -> None:
    first = await desk.asleep()
    process = await desk.start_by_hand()
    second = await desk.puppet()
    assert second.first["error"] == "AlreadyRunning"
    _, complaint = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 0 and b"Traceback" not in complaint
    await first.hears("open")
    assert (await desk.row()).pid == first.pid


@pytest.mark.contract("X04")
async def test_the_lock_of_a_process_that_was_killed_is_free(desk: DeskHome) -> None:
    await desk.start_by_hand()
    first = await desk.puppet()
    assert first.first["heard"] == "started"
    await desk.kill_process(first.pid)
    await desk.start_by_hand()
    second = await desk.puppet()
    assert second.first["heard"] == "started"


@pytest.mark.contract("X04")
async def test_many_starts_at_once_leave_one(desk: DeskHome) -> None:
    processes = await asyncio.gather(*(desk.start_by_hand() for _ in range(4)))
    puppets = [await desk.puppet() for _ in range(4)]
    started = [each for each in puppets if each.first["heard"] == "started"]
    assert len(started) == 1
    assert {each.first.get("error") for each in puppets if each not in started} <= {"AlreadyRunning"}
    others = [each for each in processes if each.pid != started[0].pid]
    assert [await asyncio.wait_for(each.wait(), PATIENCE) for each in others] == [0, 0, 0]


@pytest.mark.contract("X02")
async def test_a_program_that_holds_all_connections_it_can_get_does_not_end_the_desk(desk: DeskHome) -> None:
    before = (await desk.status()).pid
    files = len(os.listdir(f"/proc/{before}/fd"))
    resource.prlimit(before, resource.RLIMIT_NOFILE, (files + 140, files + 140))
    clients = [await raw(desk) for _ in range(160)]
    try:
        for client in clients[:90]:
            client.say(wire.ControlHello(1, 1))
        # Refused before it has said a word: one that spoke first might find the line closed before it reads why.
        refused = await clients[-1].refused()
        assert refused.reason == "too_many" and "Close some first" in refused.text
        # The person can still open an app, and see how things stand.
        await desk.control.open(APP)
        await desk.until_state(AppState.BACKGROUND)
        assert (await desk.status()).pid == before
    finally:
        for client in clients:
            client.writer.close()
