"""Several accounts in one Lobby, and logging in again, with a real homeserver."""

import asyncio
import itertools
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lobby.accounts import Accounts
from lobby.core.views import Connection, Mark
from lobby.errors import LoginRefused, TokenRefused
from lobby.home import Home, Login
from lobby.matrix.session import Session
from lobby.matrix_messenger import MatrixMessenger
from tests.homeserver import PASSWORD, Homeserver, homeserver
from tests.people import HandGuard, until

__all__ = ["homeserver"]

IDS = itertools.count(1)


@pytest.fixture
async def accounts(tmp_path: Path) -> AsyncIterator[Accounts]:
    accounts = Accounts(Home(tmp_path), HandGuard(), time.time, lambda: f"key-key-key-key-{next(IDS)}")
    accounts.start()
    accounts.take_up_outbox()
    accounts.foreground()
    yield accounts
    await accounts.stop()
    accounts.close()


def connection(messenger: MatrixMessenger) -> Connection | None:
    account = messenger.account()
    return account.connection if account else None


async def test_two_accounts_of_one_lobby_talk_and_one_that_leaves_takes_nothing_of_the_other(
    accounts: Accounts, homeserver: Homeserver, tmp_path: Path
) -> None:
    ids = [await homeserver.account(name) for name in ("Left", "Right")]
    numbers = [await accounts.log_in(homeserver.url, user_id, PASSWORD) for user_id in ids]
    assert numbers == accounts.numbers() == [1, 2]
    assert await accounts.log_in(homeserver.url, ids[1], PASSWORD) == 2, "logged in twice, it is the same account"
    left, right = accounts.messengers().values()
    room_id = await left.start_chat(ids[1])
    await until(accounts, right.invitations)
    await right.accept(room_id)
    await left.send(room_id, "hello from beside you")
    await until(accounts, lambda: any(bubble.text == "hello from beside you" for bubble in right.bubbles(room_id)))
    assert await accounts.log_out(1)
    assert accounts.numbers() == [2] and not (tmp_path / "accounts" / "1").exists()
    assert right.chat(room_id) is not None and connection(right) is Connection.ONLINE
    assert await accounts.log_in(homeserver.url, ids[0], PASSWORD) == 1


async def test_whom_the_homeserver_signed_out_goes_on_as_the_same_device_and_resends(
    accounts: Accounts, homeserver: Homeserver, tmp_path: Path
) -> None:
    user_id, other = [await homeserver.account(name) for name in ("Left", "Right")]
    await accounts.log_in(homeserver.url, user_id, PASSWORD)
    messenger = accounts.messengers()[1]
    room_id = await messenger.start_chat(other)
    await until(accounts, lambda: connection(messenger) is Connection.ONLINE)
    before = Home(tmp_path).account(1).login()
    assert before is not None
    session = Session(before)
    await session.request("POST", "/logout/all", {})
    await session.close()
    await until(accounts, lambda: connection(messenger) is Connection.SIGNED_OUT)
    key = await messenger.send(room_id, "kept")
    await until(accounts, lambda: [b.mark for b in messenger.bubbles(room_id) if b.key == key] == [Mark.UNSENT])
    with pytest.raises(LoginRefused, match="has to log in again"):
        await accounts.log_in(homeserver.url, other, PASSWORD, number=1)
    assert await accounts.log_in(homeserver.url, user_id, PASSWORD, number=1) == 1
    after = Home(tmp_path).account(1).login()
    assert after is not None and after.device_id == before.device_id and after.token != before.token
    await messenger.resend(room_id, key)
    await until(accounts, lambda: [b.mark for b in messenger.bubbles(room_id) if b.key == key] == [Mark.SENT])


async def test_that_somebody_was_signed_out_is_known_at_the_next_start_until_they_log_in_again(
    homeserver: Homeserver, tmp_path: Path
) -> None:
    user_id = await homeserver.account("Left")
    home = Home(tmp_path)

    def run() -> Accounts:
        accounts = Accounts(home, HandGuard(), time.time, lambda: f"key-key-key-key-{next(IDS)}")
        accounts.start()
        return accounts

    accounts = run()
    await accounts.log_in(homeserver.url, user_id, PASSWORD)
    before = home.account(1).login()
    assert before is not None
    session = Session(before)
    await session.request("POST", "/logout/all", {})
    await session.close()
    with pytest.raises(TokenRefused):
        await accounts.messengers()[1].fetch()
    await accounts.stop()
    accounts.close()

    accounts = run()
    assert connection(accounts.messengers()[1]) is Connection.SIGNED_OUT
    assert await accounts.signed_out_as(homeserver.url, user_id) == 1
    await accounts.stop()
    accounts.close()

    async def lobby(*words: str, says: str = "") -> tuple[int | None, str, str]:
        """`lobby WORDS…` of the same person, where no desk runs: exit status, and what it says on either way out."""
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "lobby.main", *words],
            env={"PATH": "/usr/bin:/bin", "FRONTDESK_HOME": str(tmp_path / "d"), "LOBBY_HOME": str(tmp_path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        async with asyncio.timeout(30.0):
            out, error = await process.communicate(says.encode())
        return process.returncode, out.decode(), error.decode()

    log_in = ("login", "--homeserver", homeserver.url, "--user", user_id, "--password-stdin")
    line = f"1  {user_id}  {homeserver.url}"
    status, out, error = await lobby("accounts")
    assert status == 0 and out.startswith(f"{line}  signed out") and error == ""
    assert f"lobby login --homeserver {homeserver.url} --user {user_id}" in out, "what to do"
    assert await lobby(*log_in, says=PASSWORD) == (0, f"Logged in as {user_id}.\n", "")
    assert await lobby("accounts") == (0, f"{line}\n", "")
    status, _, error = await lobby(*log_in, says=PASSWORD)
    assert status == 1 and "logged in already" in error
    after = home.account(1).login()
    assert after is not None and after.device_id == before.device_id and after.token != before.token

    # Signed out once more, and Lobby has not noticed.
    session = Session(after)
    await session.request("POST", "/logout/all", {})
    await session.close()
    assert await lobby(*log_in, says=PASSWORD) == (0, f"Logged in as {user_id}.\n", "")
    last = home.account(1).login()
    assert last is not None and last.device_id == before.device_id and last.token != after.token
    accounts = run()
    assert connection(accounts.messengers()[1]) is Connection.CONNECTING
    await accounts.stop()
    accounts.close()


async def test_who_logs_in_again_while_that_account_is_logged_out_in_another_tab_is_new(
    accounts: Accounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = Login("http://127.0.0.1:1", "@me:x", "DEVICE", "token")

    async def logged_out_meanwhile(login: Login) -> None:
        assert login == nowhere
        await accounts.log_out(1)

    Home(tmp_path).account(1).keep_login(nowhere)
    accounts.start()
    assert accounts.numbers() == [1]
    monkeypatch.setattr("lobby.matrix.login.insist_on_login", logged_out_meanwhile)
    assert await accounts.signed_out_as("http://127.0.0.1:1", "me") is None
    assert accounts.numbers() == []
