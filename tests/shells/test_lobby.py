"""The `lobby` command and Lobby's life with a real desk, a real push service and a real homeserver."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from demo.network import Condition, Network
from demo.tour.window import Window
from frontdesk import App, AppState, AppStatus, DeskStatus, Shown, TaskEnd
from lobby.accounts import Accounts
from lobby.background import Background
from lobby.core.alerts import Place, place_of
from lobby.core.views import Mark
from lobby.home import Home
from lobby.scheduled import REFRESH, UPKEEP
from tests.desks import DeskHome, RunningPushService, row_of
from tests.homeserver import PASSWORD, Homeserver, homeserver
from tests.people import HandGuard, Person, asked

__all__ = ["homeserver"]

LOBBY = "org.frontdesk.Lobby"


class Right:
    """Somebody with a desk and a Lobby of their own, and a network that can be switched."""

    def __init__(self, desk: DeskHome, network: Network, url: str, user_id: str) -> None:
        self.desk = desk
        self.network = network
        self.url = url
        self.user_id = user_id

    async def lobby(self, *words: str, says: str = "") -> tuple[int, str, str]:
        """``lobby WORDS…``: exit status, standard output, standard error."""
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "lobby.main", *words],
            env=self.desk.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        async with asyncio.timeout(30.0):
            out, error = await process.communicate(says.encode())
        assert process.returncode is not None
        return process.returncode, out.decode().strip(), error.decode().strip()

    async def log_in(self) -> None:
        words = ["login", "--homeserver", self.url, "--user", self.user_id, "--password-stdin"]
        status, _, error = await self.lobby(*words, says=PASSWORD + "\n")
        assert status == 0, error

    async def window(self, chat: str = "") -> Window:
        """Lobby's window, open."""
        status, address, error = await self.lobby("address")
        assert status == 0, error
        window = Window(address, chat)
        await window.open()
        return window

    async def state(self, state: AppState) -> AppStatus:
        return await self.desk.until_state(state, LOBBY, within=20.0)

    async def falls_asleep(self) -> AppStatus:
        """Its window seen and closed: Lobby as it is suspended."""
        window = await self.window()
        await self.state(AppState.FOREGROUND)
        await window.close()
        return await self.state(AppState.SUSPENDED)

    async def shown(self, title: str) -> Shown:
        """A notification with that title, once it is in the desk's list."""

        def found(status: DeskStatus) -> list[Shown]:
            return [each for each in status.shown if each.notification.title == title]

        return found(await self.desk.until(found, within=20.0))[0]

    async def body(self, text: str) -> None:
        """Until a notification says this."""
        await self.desk.until(lambda status: text in [each.notification.body for each in status.shown], within=20.0)


@pytest.fixture
async def right(home: DeskHome, push_service: RunningPushService, homeserver: Homeserver) -> AsyncIterator[Right]:
    """Right's Lobby is logged in and has been opened once; its window is closed."""
    async with AsyncExitStack() as stack:
        network = Network()
        stack.push_async_callback(network.stop)
        port = await network.proxy(homeserver.synapse.port)
        home.environment |= {"LOBBY_HOME": str(home.home / "lobby"), "LOBBY_BROWSER": "none"}
        # Whom a visit or the command has woken waits for its window longer than a busy machine needs to open one.
        home.settings(push_service.setting, background=9.0, expiry_lead=4.0, opening=60)
        await home.start()
        person = Right(home, network, f"http://127.0.0.1:{port}", await homeserver.account("Right"))
        await person.log_in()
        status, _, error = await person.lobby()
        assert status == 0, error
        yield person


@pytest.fixture
async def left(homeserver: Homeserver, tmp_path: Path) -> AsyncIterator[Person]:
    async with Person(tmp_path / "left", await homeserver.account("Left"), homeserver.url) as person:
        await person.log_in()
        person.lobby.foreground()
        yield person


async def meet(left: Person, right: Right) -> str:
    """A chat of both; Right's window is closed afterwards and Lobby sleeps."""
    room_id = await left.lobby.start_chat(right.user_id)
    window = await right.window()
    await window.until(lambda page: page.invitations == [room_id], "the invitation")
    await window.accept(room_id)
    await left.until(lambda: (chat := left.lobby.chat(room_id)) and chat.members)
    await window.close()
    await right.state(AppState.SUSPENDED)
    return room_id


def ends(status: DeskStatus, identifier: str) -> list[str]:
    """How the runs of that task of Lobby's ended."""
    return [each.why for each in status.happenings if each.what == "run_over" and each.name == identifier]


async def say_sealed(left: Person, room_id: str, kind: str, content: dict[str, Any]) -> str:
    """Sends an encrypted event as clients do while they verify; returns its id."""
    assert left.lobby.keys is not None
    sealed = await left.lobby.keys.seal(room_id, kind, content)
    path = f"/rooms/{quote(room_id)}/send/m.room.encrypted/{time.time_ns()}"
    return str((await asked(left, path, body=sealed, method="PUT"))["event_id"])


@pytest.mark.timeout(300)
async def test_a_message_wakes_a_sleeping_and_a_stopped_lobby_and_reading_it_withdraws_the_notification(
    left: Person, right: Right
) -> None:
    room_id = await meet(left, right)
    asleep = await right.state(AppState.SUSPENDED)
    await left.lobby.send(room_id, "hello")
    alert = await right.shown("Left")
    assert (alert.notification.body, alert.notification.id) == ("hello", room_id)
    assert (await right.state(AppState.SUSPENDED)).pid == asleep.pid

    await right.desk.kill_process(asleep.pid)
    await right.state(AppState.STOPPED)
    await left.lobby.send(room_id, "are you there?")
    await right.body("are you there?")
    assert len((await right.desk.status()).shown) == 1, "a later message replaces the earlier one"
    assert (await right.state(AppState.SUSPENDED)).pid != asleep.pid

    window = await right.window(room_id)
    await window.until(
        lambda page: [message.text for message in page.messages][-1:] == ["are you there?"], "the message"
    )
    await right.desk.until(lambda status: not status.shown)
    await window.close()


@pytest.mark.timeout(300)
@pytest.mark.contract("S08", "S17")
async def test_what_nobody_pushed_is_there_after_a_refresh_and_found_by_its_words_after_the_upkeep(
    left: Person, right: Right, push_service: RunningPushService
) -> None:
    room_id = await meet(left, right)
    await push_service.stop()
    await left.lobby.send(room_id, "the map is in the drawer")
    await left.until(lambda: [bubble.mark for bubble in left.bubbles(room_id)] == [Mark.SENT])
    await right.desk.control.simulate_launch(REFRESH)
    await right.desk.until(lambda status: ends(status, REFRESH) == [TaskEnd.COMPLETED])
    await right.state(AppState.SUSPENDED)
    right.network.set(Condition.OFF)
    await right.desk.control.simulate_launch(UPKEEP)
    await right.desk.until(lambda status: ends(status, UPKEEP) == [TaskEnd.COMPLETED])
    await right.state(AppState.SUSPENDED)
    [database] = (right.desk.home / "lobby" / "accounts").glob("*/lobby.sqlite3")
    with contextlib.closing(sqlite3.connect(database)) as kept:
        assert kept.execute("SELECT count(*) FROM unindexed").fetchone() == (0,)
    window = await right.window(room_id)
    await window.until(lambda page: "the map is in the drawer" in [each.text for each in page.messages], "the message")
    await window.close()
    # Both are asked for again by the runs themselves.
    asked_for = {why.identifier for why in await right.desk.control.explain(LOBBY)}
    assert asked_for == {REFRESH, UPKEEP}


async def test_a_desk_that_knows_the_manifest_of_an_earlier_lobby_takes_the_new_one(right: Right) -> None:
    earlier = right.desk.home / "earlier.toml"
    now = (right.desk.home / "lobby" / "lobby.toml").read_text()
    earlier.write_text("\n".join(line for line in now.splitlines() if not line.startswith(("background", "tasks"))))
    process = (await right.desk.row(LOBBY)).pid
    await right.desk.control.add_app(earlier)
    await right.desk.kill_process(process)
    await right.state(AppState.STOPPED)
    await right.desk.control.open(LOBBY)
    await right.desk.until(lambda status: UPKEEP in [task.identifier for task in row_of(status, LOBBY).tasks])
    [manifest] = [each for each in await right.desk.control.apps() if each.id == LOBBY]
    assert manifest.tasks == (REFRESH, UPKEEP)


@pytest.mark.timeout(300)
async def test_an_invitation_is_shown_while_lobby_sleeps(left: Person, right: Right) -> None:
    await right.falls_asleep()
    await left.lobby.start_group("Team", [right.user_id])
    alert = await right.shown("Left invites you")
    assert alert.notification.body == "To the group “Team”"


@pytest.mark.timeout(300)
async def test_a_request_to_verify_is_shown_while_lobby_sleeps_and_withdrawn_when_it_ends_or_is_forgotten(
    left: Person, right: Right
) -> None:
    room_id = await meet(left, right)
    device = {"from_device": "LEFT", "methods": ["m.sas.v1"]}
    request = {"msgtype": "m.key.verification.request", "body": "asks", "to": right.user_id, **device}
    event_id = await say_sealed(left, room_id, "m.room.message", request)
    alert = await right.shown("Left wants to verify you")
    assert place_of(alert.notification.id) == Place(1, room_id)
    await right.state(AppState.SUSPENDED)
    assert len((await right.desk.status()).shown) == 1, "its push showed nothing besides"

    relation = {"rel_type": "m.reference", "event_id": event_id}
    cancel = {"code": "m.user", "reason": "", "m.relates_to": relation}
    await say_sealed(left, room_id, "m.key.verification.cancel", cancel)
    await right.desk.until(lambda status: not status.shown, within=20.0)

    await say_sealed(left, room_id, "m.room.message", request)
    await right.shown("Left wants to verify you")
    await right.desk.kill_process((await right.state(AppState.SUSPENDED)).pid)
    await right.state(AppState.STOPPED)
    await left.lobby.send(room_id, "hello")
    await right.desk.until(lambda status: [each.notification.body for each in status.shown] == ["hello"], within=20.0)


@pytest.mark.timeout(300)
async def test_a_request_of_an_own_device_is_shown_when_lobby_comes_to_hear_of_it_and_not_once_the_page_shows_it(
    left: Person, right: Right, homeserver: Homeserver, tmp_path: Path
) -> None:
    await right.falls_asleep()
    async with Person(tmp_path / "laptop", right.user_id, homeserver.url) as laptop:
        await laptop.log_in()
        request = {"from_device": "LAPTOP", "methods": ["m.sas.v1"], "timestamp": int(time.time() * 1000)}
        messages = {right.user_id: {"*": {**request, "transaction_id": "1"}}}
        path = "/sendToDevice/m.key.verification.request/1"
        await asked(laptop, path, body={"messages": messages}, method="PUT")
    await left.lobby.start_group("Team", [right.user_id])
    await right.shown("Another of your devices wants to be verified")
    await right.shown("Left invites you")
    window = await right.window()
    await right.desk.until(
        lambda status: [each.notification.title for each in status.shown] == ["Left invites you"], within=20.0
    )
    await window.close()


@pytest.mark.timeout(300)
async def test_without_a_homeserver_a_push_shows_the_fallback(left: Person, right: Right) -> None:
    room_id = await meet(left, right)
    right.network.set(Condition.OFF)
    await left.lobby.send(room_id, "hello")
    assert (await right.shown("Lobby")).notification.body == "New message"


@pytest.mark.timeout(300)
@pytest.mark.contract("A05")
async def test_a_send_that_time_cut_off_is_told_and_resent_once(left: Person, right: Right) -> None:
    room_id = await meet(left, right)
    window = await right.window(room_id)
    right.network.set(Condition.OFF)
    await window.send("good bye")
    await window.close()
    await right.desk.until(lambda status: [hold.name for hold in row_of(status, LOBBY).holds if hold.kind == "task"])
    alert = await right.shown("Message not sent, please resend")
    assert alert.notification.body == "To Left: good bye"
    asleep = await right.state(AppState.SUSPENDED)
    assert asleep.last_receipt is None, "its task was ended in time"
    right.network.set(Condition.GOOD)
    window = await right.window(room_id)
    await right.desk.until(lambda status: not status.shown)
    await window.until(lambda page: [message.mark for message in page.messages][-1:] == ["unsent"], "the mark")
    await window.resend(window.messages[-1].key)
    await left.until(lambda: left.texts(room_id)[-1:] == ["good bye"])
    await window.until(lambda page: [message.mark for message in page.messages][-1:] == ["sent"], "the mark")
    await window.close()
    assert left.texts(room_id) == ["good bye"]


@pytest.mark.timeout(300)
async def test_pressing_a_notification_opens_one_window_at_its_chat(left: Person, right: Right) -> None:
    room_id = await meet(left, right)
    # The next run finds a browser: a program that tells which address it was given.
    told = right.desk.home / "told"
    os.mkfifo(told)
    browser = right.desk.home / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {told}\n')
    browser.chmod(0o700)
    await right.desk.stop()
    del right.desk.environment["LOBBY_BROWSER"]
    right.desk.environment["BROWSER"] = str(browser)
    await right.desk.start()

    opened = []
    for words in ("hello", "", "are you there?"):
        if words:
            await left.lobby.send(room_id, words)
            await right.body(words)
            await right.desk.control.act(LOBBY, room_id)
        else:
            await right.desk.control.open(LOBBY)
        opened.append((await asyncio.wait_for(asyncio.to_thread(told.read_text), 20.0)).strip())
    assert ["chat=" in address for address in opened] == [True, False, True], "a window too many, or the wrong one"
    assert f"chat={quote(room_id, safe='')}" in opened[0]


@pytest.mark.timeout(300)
async def test_the_address_of_a_stopped_lobby_opens_it(right: Right) -> None:
    row = await right.falls_asleep()
    await right.desk.kill_process(row.pid)
    await right.state(AppState.STOPPED)
    window = await right.window()
    await right.state(AppState.FOREGROUND)
    await window.close()


@pytest.mark.timeout(300)
async def test_a_running_lobby_is_not_logged_out_behind_its_back(right: Right) -> None:
    status, out, error = await right.lobby("logout")
    assert status == 1 and out == "" and "Log out on its page" in error and "\n" not in error
    await right.desk.control.quit(LOBBY)
    await right.state(AppState.STOPPED)
    status, out, error = await right.lobby("logout")
    assert status == 0, error
    assert f"{right.user_id} is logged out" in out
    status, out, _ = await right.lobby("logout")
    assert (status, out) == (0, "Nobody was logged in.")


@pytest.mark.timeout(300)
async def test_a_log_out_that_the_homeserver_did_not_hear_of_says_so(right: Right) -> None:
    await right.desk.control.quit(LOBBY)
    await right.state(AppState.STOPPED)
    right.network.set(Condition.OFF)
    status, out, error = await right.lobby("logout")
    assert status == 0 and f"{right.user_id} is logged out" in out
    assert "could not be told" in error and "\n" not in error


@pytest.mark.timeout(300)
async def test_an_address_is_the_desks_and_only_for_the_folder_that_it_uses(right: Right) -> None:
    await right.falls_asleep()
    here = row_of(await right.desk.status(), LOBBY).page
    right.desk.environment["LOBBY_HOST"] = "elsewhere.localhost"
    status, address, error = await right.lobby("address")
    assert status == 0 and address.startswith(f"{here}enter?code="), error
    right.desk.environment["LOBBY_HOME"] = str(right.desk.home / "another")
    status, out, error = await right.lobby("address")
    assert status == 1 and out == "" and here in error and "page.secret" in error and "\n" not in error


@pytest.mark.timeout(300)
@pytest.mark.parametrize("pushed", [True, False])
async def test_the_page_promises_to_be_reachable_only_with_a_push_service(
    home: DeskHome, push_service: RunningPushService, homeserver: Homeserver, pushed: bool
) -> None:
    home.environment |= {"LOBBY_HOME": str(home.home / "lobby"), "LOBBY_BROWSER": "none"}
    home.settings(push_service.setting if pushed else "", background=9.0, expiry_lead=4.0)
    await home.start()
    right = Right(home, Network(), homeserver.url, await homeserver.account("Right"))
    await right.log_in()
    status, _, error = await right.lobby()
    assert status == 0, error
    window = await right.window()
    if pushed:
        await window.until(lambda page: "You are reachable" in page.fragment("welcome"), "the promise")
        assert "only while" not in window.fragment("strip")
    else:
        words = "Messages arrive only while this window is open. No push service is set."
        await window.until(lambda page: words in page.fragment("strip"), "why not")
        assert "reachable" not in window.fragment("welcome")
    await window.close()


@pytest.mark.timeout(300)
async def test_a_second_lobby_hands_over_to_the_first(right: Right) -> None:
    await right.falls_asleep()
    status, _, error = await right.lobby("run")
    assert status == 0 and "running already" in error
    assert "launched" in [each.what for each in (await right.desk.status()).happenings if each.app == LOBBY]


async def test_a_person_who_is_back_before_the_farewell_was_heard_still_gets_news(
    homeserver: Homeserver, tmp_path: Path
) -> None:
    app = App(LOBBY)  # Not started: there is no desk to tell, and what the desk would tell is told here.

    async def open_no_page(place: Place) -> None:
        raise AssertionError("nobody asked for it")

    accounts = Accounts(Home(tmp_path), HandGuard(), time.time, lambda: "")
    number = await accounts.log_in(homeserver.url, await homeserver.account("Left"), PASSWORD)
    lobby = accounts.messengers()[number]
    ties = Background(app, tmp_path / "lobby.toml", accounts, time.time, open_no_page)
    assert app.on_entered_background is not None
    ties.on_visible(True)
    await app.on_entered_background()
    assert lobby.watching
    app.report_background()
    leaving = asyncio.ensure_future(app.on_entered_background())
    await asyncio.sleep(0)
    ties.on_visible(True)
    await leaving
    assert lobby.watching
    app.report_background()
    await app.on_entered_background()
    assert not lobby.watching
    await ties.stop()
    await accounts.stop()
    accounts.close()


@pytest.mark.contract("L14")
async def test_lobby_starts_a_desk_where_none_runs(home: DeskHome) -> None:
    home.environment |= {"LOBBY_HOME": str(home.home / "lobby"), "LOBBY_BROWSER": "none"}
    right = Right(home, Network(), "", "")
    try:
        status, address, error = await right.lobby()
        assert status == 0, error
        await home.connect()
        window = Window(address)
        await window.open()
        await right.state(AppState.FOREGROUND)
        await window.close()
        await right.state(AppState.SUSPENDED)
    finally:
        await home.disconnect()
        await end_gently(int((home.home / "run" / "keeper.lock").read_text()))


async def end_gently(pid: int) -> None:
    """SIGTERM, and wait for the end of a process that is not our child."""
    handle = os.pidfd_open(pid)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(handle, ended.set)
    signal.pidfd_send_signal(handle, signal.SIGTERM)
    await asyncio.wait_for(ended.wait(), 15.0)
    asyncio.get_running_loop().remove_reader(handle)
    os.close(handle)


def alone(tmp_path: Path, *words: str, says: str = "") -> "subprocess.CompletedProcess[str]":
    """``lobby WORDS…`` where there is no desk."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "FRONTDESK_HOME": str(tmp_path / "d"),
        "LOBBY_HOME": str(tmp_path / "lobby"),
    }
    command = [sys.executable, "-m", "lobby.main", *words]
    return subprocess.run(command, env=environment, input=says, capture_output=True, text=True, timeout=30, check=False)


def test_its_version_is_that_of_the_distribution(tmp_path: Path) -> None:
    told = alone(tmp_path, "--version")
    assert (told.returncode, told.stdout) == (0, f"lobby {version('frontdesk-lobby')}\n")


@pytest.mark.parametrize(
    ("words", "says", "sentence"),
    [
        (["address"], "", "desk"),
        (
            ["login", "--homeserver", "http://127.0.0.1:9", "--user", "me", "--password-stdin"],
            "x\n",
            "cannot be reached: nothing answers at that address. Nothing was changed.",
        ),
        (["login", "--homeserver", "", "--user", "me", "--password-stdin"], "x\n", "Which homeserver"),
        (["login", "--homeserver", "http://x", "--user", "me", "--password-stdin"], "x\n", "add --cleartext"),
        (["login", "--homeserver", "http://127.0.0.1:9", "--user", "me"], "", "--password-stdin"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(tmp_path: Path, words: list[str], says: str, sentence: str) -> None:
    ended = alone(tmp_path, *words, says=says)
    assert ended.returncode == 1 and ended.stdout == ""
    assert sentence in ended.stderr and ended.stderr.startswith("lobby: ") and ended.stderr.count("\n") == 1


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "lobby").write_text("")
    ended = alone(tmp_path, "address")
    assert ended.returncode == 1 and "Set LOBBY_HOME" in ended.stderr and "Traceback" not in ended.stderr


def test_the_page_does_not_wait_for_the_matrix_client() -> None:
    """nio alone takes most of a second to import; it must come after the page."""
    program = (
        "import sys; import lobby.main, lobby.background, lobby.store, lobby.ui.server\n"
        "print(*sorted({'nio', 'synapse', 'cryptography', 'dbus_fast'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == ""
