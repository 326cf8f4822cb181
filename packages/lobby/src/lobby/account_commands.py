"""The subcommands of `lobby` that change or list its accounts, while no other process of Lobby runs.

They stand beside the page, which does the same for a Lobby that runs. What they print is one sentence each; what they
refuse is raised as LobbyError.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Iterator

from lobby import background, sign_on
from lobby.accounts import Accounts
from lobby.core.views import Backup, EncryptionState
from lobby.errors import Cleartext, LobbyError, LoginRefused, TokenRefused
from lobby.folder_layout import bring_up
from lobby.home import Home, Login
from lobby.matrix import login as ways
from lobby.matrix_messenger import MatrixMessenger
from lobby.page_store import PageStore, page_database
from lobby.sending import Unguarded
from lobby.ui.scenes import keys_lost

ASKING_TIME = 5.0
"""Seconds a homeserver has to say whether it knows a login; the list waits for the slowest."""


class AccountCommands:
    """Each method is a subcommand. ``app_id``: Lobby's at the desk."""

    def __init__(self, home: Home, app_id: str) -> None:
        self._home = home
        self._app_id = app_id

    async def log_in(self, homeserver: str, user: str, password: str, cleartext: bool) -> None:
        """Log in with a password; whoever was signed out, noticed or not, goes on as the same device."""
        await self._insist_on_rest("Log in on its page")
        async with self._accounts() as accounts:
            address = await ways.find_homeserver(homeserver)
            before = _marks(accounts)
            with _asking_for_agreement():
                number = await accounts.log_in(address, user, password, address if cleartext else "")
            _tell_logged_in(accounts, number, before)

    async def sign_on(self, homeserver: str, provider_id: str, user: str, cleartext: bool) -> None:
        """Log in as whom the homeserver's pages say; ``user``: who was signed out, and goes on as the same device."""
        await self._insist_on_rest("Log in on its page")
        found = await ways.ways_in(homeserver)
        provider, agreed = sign_on.chosen(found, provider_id), found.homeserver if cleartext else ""
        with _asking_for_agreement():
            ways.insist_on_agreement(found.homeserver, agreed)
        if not user:
            await self._insist_on_a_name(found.homeserver)
        token = await sign_on.token_of_browser(
            lambda back: ways.sign_on_address(found.homeserver, provider.id, back), sign_on.show, sign_on.PATIENCE
        )
        # Much may have happened meanwhile.
        await self._insist_on_rest("Log in on its page")
        async with self._accounts() as accounts:
            before = _marks(accounts)
            number = await accounts.signed_out_as(found.homeserver, user)
            number = await accounts.log_in_by_token(found.homeserver, token, agreed, number)
            _tell_logged_in(accounts, number, before)

    async def log_out(self, user: str, anyway: bool) -> None:
        """Log out. Raises LobbyError where something would be lost by it, unless that is to be done ``anyway``."""
        await self._insist_on_rest("Log out on its page")
        async with self._accounts() as accounts:
            known = _logged_in(accounts)
            if not known:
                print("Nobody was logged in.")
                return
            number = _meant(known, user)
            if not anyway and (lost := await _lost(accounts, number)):
                raise LobbyError(f"{lost} To log out all the same, add --anyway. Nothing was changed.")
            told = await accounts.log_out(number)
        print(f"{known[number]} is logged out; nothing of it is kept here.")
        # Where no desk runs, none shows anything.
        with contextlib.suppress(background.NoDesk):
            await background.dismiss_all(self._app_id, number)
        if not told:
            print(
                "lobby: The homeserver could not be told, so it still lists this login. End it there from another "
                "client.",
                file=sys.stderr,
            )

    async def list(self) -> None:
        """Who is logged in, and whose log-in the homeserver has ended: that is asked, and what to do is said."""
        logins = [(number, self._home.account(number).login()) for number in self._home.account_numbers()]
        known = [(number, login) for number, login in logins if login is not None]
        standings = await asyncio.gather(*(_standing(login) for _, login in known))
        for (number, login), standing in zip(known, standings, strict=True):
            print(f"{number}  {login.user_id}  {login.homeserver}{standing}")
        if not known:
            print("Nobody is logged in.")

    async def _insist_on_a_name(self, homeserver: str) -> None:
        """Single sign-on says too late who comes: the device that goes on has to be named before."""
        async with self._accounts() as accounts:
            for user_id in _logged_in(accounts).values():
                if await accounts.signed_out_as(homeserver, user_id) is not None:
                    raise LoginRefused(
                        f"{user_id} was signed out by that homeserver. Say with --user who logs in now: with "
                        f"--user {user_id} this goes on as the same device. Nothing was changed."
                    )

    async def _insist_on_rest(self, instead: str) -> None:
        """Two processes must not change one login at once."""
        if await background.is_running(self._app_id):
            raise LobbyError(
                f"Lobby is running. {instead}, or run `frontdesk quit {self._app_id}` first. Nothing was changed."
            )

    @contextlib.asynccontextmanager
    async def _accounts(self) -> AsyncIterator[Accounts]:
        """The accounts, with nothing under way."""
        with page_database(self._home) as database:
            bring_up(self._home, PageStore(database))
        accounts = Accounts(self._home, Unguarded(), time.time, lambda: "")
        try:
            accounts.start()
            yield accounts
        finally:
            await accounts.stop()
            accounts.close()


async def _lost(accounts: Accounts, number: int) -> str:
    """What a log-out would lose, sentences for the person; empty: nothing."""
    messenger, store = accounts.messengers()[number], accounts.store(number)
    waiting = len(store.drafts()) if store is not None else 0
    unsent = f"{'One message has' if waiting == 1 else f'{waiting} messages have'} not been sent." if waiting else ""
    return f"{unsent} {await _lost_keys(messenger)}".strip()


async def _lost_keys(messenger: MatrixMessenger) -> str:
    chats = messenger.chats()
    if messenger.keys is None or not any(chat.encrypted for chat in chats):
        return ""
    try:
        await messenger.keys.engine()
        await messenger.encryption.look()
    except LobbyError as error:
        return f"Keys of encrypted messages may be on this computer only: {error}"
    state = messenger.encryption.state()
    return why_lost(state) if state is not None and keys_lost(state, chats) else ""


def why_lost(state: EncryptionState) -> str:
    """What a log-out would take along, and what to do first; sentences for the person."""
    if state.backup is Backup.IN_USE:
        return (
            "Some keys of encrypted messages have not reached the key backup yet; without them those messages could "
            "not be read again. Open Lobby for a moment first: it gives them to the backup."
        )
    return (
        "Keys of encrypted messages are on this computer only; without them those messages could not be read again. "
        "Open the key backup on Lobby's page first."
    )


async def _standing(login: Login) -> str:
    """What the list says of a login besides whose it is; empty: it is good."""
    try:
        async with asyncio.timeout(ASKING_TIME):
            await ways.insist_on_login(login)
    except TokenRefused:
        again = f"lobby login --homeserver {login.homeserver} --user {login.user_id}"
        return (
            "  signed out by its homeserver; chats and unsent messages are still here. "
            f"Log in again on Lobby's page, or: {again}"
        )
    except TimeoutError:
        return "  its homeserver does not answer now"
    except LobbyError as error:
        return f"  {error}"
    return ""


@contextlib.contextmanager
def _asking_for_agreement() -> Iterator[None]:
    try:
        yield
    except Cleartext as asked:
        raise LoginRefused(f"{asked} To confirm, add --cleartext.") from asked


def _logged_in(accounts: Accounts) -> dict[int, str]:
    """The number and Matrix id of every account."""
    found = {number: messenger.account() for number, messenger in accounts.messengers().items()}
    return {number: account.user_id for number, account in found.items() if account is not None}


def _marks(accounts: Accounts) -> dict[int, str]:
    """What tells each account's login from the next one."""
    return {number: messenger.login_mark for number, messenger in accounts.messengers().items()}


def _tell_logged_in(accounts: Accounts, number: int, before: dict[int, str]) -> None:
    user_id = _logged_in(accounts)[number]
    if _marks(accounts)[number] == before.get(number):
        raise LobbyError(f"{user_id} is logged in already. Run `lobby logout {user_id}` first; nothing was changed.")
    print(f"Logged in as {user_id}.")


def _meant(known: dict[int, str], user: str) -> int:
    """The account that ``user`` names, the only one where nobody is named. Raises LobbyError."""
    numbers = [number for number, user_id in known.items() if user in ("", user_id, user_id[1:].partition(":")[0])]
    if len(numbers) == 1:
        return numbers[0]
    those = ", ".join(known.values())
    if not numbers:
        raise LobbyError(f"{user} is not logged in here; {those} is. Nothing was changed.")
    raise LobbyError(f"Which account? Say one of {those}. Nothing was changed.")
