"""The accounts of one Lobby: each a messenger with a folder, a sync and an outbox of its own; all in this process.

An account has a number for as long as it is logged in: the lowest that was free. Its addresses and the names of its
subscription follow from it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lobby.core.views import Change, WaysIn
from lobby.database import Database
from lobby.errors import LobbyError, LoginRefused, TokenRefused
from lobby.home import AccountHome, Home, Login
from lobby.matrix import login as ways
from lobby.matrix.logout import end_unused
from lobby.matrix_messenger import MatrixMessenger
from lobby.sending import Guard
from lobby.store import Store

log = logging.getLogger("lobby")


@dataclass(frozen=True)
class _Open:
    """One account at work."""

    home: AccountHome
    database: Database
    store: Store
    messenger: MatrixMessenger


class Accounts:
    """Implements ``lobby.messenger.Accounts``. Use: ``start()``, then ``foreground()`` and the like; last ``stop()``.

    ``on_opened`` hears of an account that is there from now on, ``on_closed`` (awaited) of one
    that was logged out.
    """

    def __init__(self, home: Home, guard: Guard, clock: Callable[[], float], new_id: Callable[[], str]) -> None:
        self._home = home
        self._guard = guard
        self._clock = clock
        self._new_id = new_id
        self._accounts: dict[int, _Open] = {}
        self._listeners: list[Callable[[int, Change], None]] = []
        self._foreground = False
        self._may_send = False
        self._one_at_a_time = asyncio.Lock()
        self.on_opened: Callable[[int], None] = lambda number: None
        self.on_closed: Callable[[int], Awaitable[None]] = _tell_nobody

    # Life

    def start(self) -> None:
        """Take up the logins of the last run, so that chats can be read. Raises LobbyError."""
        self._home.clear_vacant()
        for number in self._home.account_numbers():
            self._open(number)

    def take_up_outbox(self) -> None:
        """Go on with what the last run had not sent; call it when the guard can hold this process."""
        self._may_send = True
        for messenger in self.messengers().values():
            messenger.take_up_outbox()

    def foreground(self) -> None:
        """Somebody looks: news of all accounts is fetched as it comes."""
        self._foreground = True
        for messenger in self.messengers().values():
            messenger.foreground()

    async def background(self) -> None:
        """Nobody looks; what is being sent goes on."""
        self._foreground = False
        await asyncio.gather(*(messenger.background() for messenger in self.messengers().values()))

    async def catch_up(self) -> None:
        """Fetch what is new for all accounts, each once. Raises LobbyError when it failed for any of them."""
        each = (messenger.catch_up() for messenger in self.messengers().values())
        failures = [ended for ended in await asyncio.gather(*each, return_exceptions=True) if ended is not None]
        for failure in failures:
            log.info("chats are not fresh: %s", failure)
        if failures:
            raise failures[0]

    async def drop_connections(self) -> None:
        """They may be dead after a sleep."""
        await asyncio.gather(*(messenger.drop_connections() for messenger in self.messengers().values()))

    async def stop(self) -> None:
        """Break off what is under way; all of it is kept."""
        await asyncio.gather(*(messenger.stop() for messenger in self.messengers().values()))

    def close(self) -> None:
        """Let go of the files; nothing can be read afterwards."""
        for account in self._accounts.values():
            account.database.close()
        self._accounts.clear()

    # Reading

    def numbers(self) -> list[int]:
        return sorted(self._accounts)

    def messenger(self, number: int) -> MatrixMessenger | None:
        account = self._accounts.get(number)
        return account.messenger if account else None

    def store(self, number: int) -> Store | None:
        account = self._accounts.get(number)
        return account.store if account else None

    def database(self, number: int) -> Database | None:
        account = self._accounts.get(number)
        return account.database if account else None

    def messengers(self) -> dict[int, MatrixMessenger]:
        """All of them by number, the lowest first."""
        return {number: self._accounts[number].messenger for number in self.numbers()}

    def number_of(self, user_id: str) -> int | None:
        """The account of that person; None: there is none."""
        return next((number for number in self.numbers() if self._user_id(number) == user_id), None)

    def is_signed_out(self, number: int) -> bool:
        """Whether the homeserver has ended that account's login, as far as is known here; not when it is logged out."""
        messenger = self.messenger(number)
        return messenger is not None and messenger.is_signed_out

    async def signed_out_as(self, address: str, user: str) -> int | None:
        """The account that somebody who types this name surely means to log in again; None: there is none.

        Where nobody has noticed yet that its login was ended, the homeserver is asked.
        """
        for number in self.numbers():
            login = self._accounts[number].home.login()
            local = login.user_id[1:].partition(":")[0] if login else ""
            if login and (user == login.user_id or (login.homeserver == address and user in (local, f"@{local}"))):
                return number if await self._has_ended(number) else None
        return None

    def subscribe(self, on_change: Callable[[int, Change], None]) -> Callable[[], None]:
        self._listeners.append(on_change)

        def unsubscribe() -> None:
            if on_change in self._listeners:
                self._listeners.remove(on_change)

        return unsubscribe

    # Coming and going

    async def ways_in(self, homeserver: str) -> WaysIn:
        return await ways.ways_in(homeserver)

    def sign_on_address(self, homeserver: str, provider_id: str, back: str, cleartext: str = "") -> str:
        ways.insist_on_agreement(homeserver, cleartext)
        return ways.sign_on_address(homeserver, provider_id, back)

    async def log_in(
        self, homeserver: str, user: str, password: str, cleartext: str = "", number: int | None = None
    ) -> int:
        address = await ways.find_homeserver(homeserver)
        number = await self.signed_out_as(address, user.strip()) if number is None else number
        login = await ways.log_in(address, user, password, cleartext, self._device_of(number))
        return await self._take(login, number)

    async def log_in_by_token(self, homeserver: str, token: str, cleartext: str = "", number: int | None = None) -> int:
        login = await ways.log_in_by_token(homeserver, token, cleartext, self._device_of(number))
        return await self._take(login, number)

    async def log_out(self, number: int) -> bool:
        async with self._one_at_a_time:
            account = self._accounts.get(number)
            if account is None:
                return True
            told = await account.messenger.log_out()
            del self._accounts[number]
            account.database.close()
            try:
                account.home.remove()
            finally:
                self._tell(number, Change("account"))
                await self.on_closed(number)
            return told

    # Inside

    async def _take(self, login: Login, number: int | None) -> int:
        """Take up a login, as account ``number`` again or where it belongs. Raises LoginRefused: it was ended."""
        async with self._one_at_a_time:
            if number not in self._accounts:
                number = self.number_of(login.user_id)
                if number is not None and not await self._has_ended(number):
                    # Logged in twice, in two tabs say: the one that is at work stays.
                    await end_unused(login)
                    return number
            if number is not None:
                await self._accounts[number].messenger.admit(login)
                return number
            try:
                return self._add(login)
            except LobbyError as error:
                await end_unused(login)
                raise LoginRefused(str(error)) from error

    async def _has_ended(self, number: int) -> bool:
        """Whether the login of that account is good no more; when its homeserver does not say, as far as is known."""
        account = self._accounts[number]
        login = account.home.login()
        if login is not None and not self.is_signed_out(number):
            try:
                try:
                    await ways.insist_on_login(login)
                except TokenRefused:
                    # It finds that out for itself, and sees to all that follows.
                    await account.messenger.fetch()
            except LobbyError as error:
                log.info("whether %s is still logged in: %s", login.user_id, error)
        return self.is_signed_out(number)

    def _add(self, login: Login) -> int:
        taken = self._home.account_numbers()
        number = next(number for number in range(1, len(taken) + 2) if number not in taken)
        home = self._home.account(number)
        try:
            home.keep_login(login)
            messenger = self._open(number)
        except LobbyError:
            home.remove()
            raise
        self.on_opened(number)
        if self._may_send:
            messenger.take_up_outbox()
        if self._foreground:
            messenger.foreground()
        self._tell(number, Change("account"))
        return number

    def _open(self, number: int) -> MatrixMessenger:
        home = self._home.account(number)
        database = Database(home.database)
        store = Store(database)
        messenger = MatrixMessenger(home, store, self._guard, self._clock, self._new_id)
        try:
            messenger.start()
        except BaseException:
            database.close()
            raise
        if database.trouble:
            log.warning("%s", database.trouble)
            messenger.notice(database.trouble)
        messenger.subscribe(lambda change: self._tell(number, change))
        self._accounts[number] = _Open(home, database, store, messenger)
        return messenger

    def _tell(self, number: int, change: Change) -> None:
        for listener in list(self._listeners):
            listener(number, change)

    def _user_id(self, number: int) -> str:
        account = self._accounts[number].messenger.account()
        return account.user_id if account else ""

    def _device_of(self, number: int | None) -> str:
        """The device that logs in again: what others sent to it, and its keys, go on being its own."""
        account = self._accounts.get(number) if number is not None else None
        login = account.home.login() if account else None
        return login.device_id if login else ""


async def _tell_nobody(number: int) -> None:
    """Nobody has asked to be told."""
