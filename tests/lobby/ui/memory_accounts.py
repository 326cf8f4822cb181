"""Accounts in memory for the page's tests: each a ``MemoryMessenger``."""

from collections.abc import Callable

from lobby.core.views import Change, Provider, WaysIn
from lobby.messenger import Cleartext, LoginRefused
from tests.lobby.ui.memory_messenger import MemoryMessenger

SIGN_ON = Provider("cas", "House of Keys")


class MemoryAccounts:
    """Implements ``lobby.messenger.Accounts``. Those of ``messengers`` count in which somebody is logged in."""

    def __init__(self, *messengers: MemoryMessenger) -> None:
        self.messengers = dict(enumerate(messengers, 1))
        self.connected = True
        """The homeserver hears of a log-out."""
        self.providers: tuple[Provider, ...] = ()
        self.password = True
        self.logged_in: list[tuple[str, str, int | None]] = []
        """Homeserver, user or token, and the account that logs in again, of each log-in."""
        self._listeners: list[Callable[[int, Change], None]] = []
        for number, messenger in self.messengers.items():
            self._listen(number, messenger)

    def numbers(self) -> list[int]:
        return [number for number, messenger in sorted(self.messengers.items()) if messenger.account()]

    def messenger(self, number: int) -> MemoryMessenger | None:
        return self.messengers[number] if number in self.numbers() else None

    def subscribe(self, on_change: Callable[[int, Change], None]) -> Callable[[], None]:
        self._listeners.append(on_change)
        return lambda: self._listeners.remove(on_change)

    async def ways_in(self, homeserver: str) -> WaysIn:
        if "." not in homeserver:
            raise LoginRefused(f"{homeserver} cannot be reached: no computer of that name was found.")
        address = homeserver if "://" in homeserver else f"https://{homeserver}"
        return WaysIn(address, self.password, self.providers, address.startswith("http://"))

    def sign_on_address(self, homeserver: str, provider_id: str, back: str, cleartext: str = "") -> str:
        _insist(homeserver, cleartext)
        return f"{homeserver}/sso/{provider_id}?redirectUrl={back}"

    async def log_in(
        self, homeserver: str, user: str, password: str, cleartext: str = "", number: int | None = None
    ) -> int:
        _insist(homeserver, cleartext)
        if password != "right":
            raise LoginRefused("User name or password is wrong. Nobody was logged in; try again.")
        return self._enter(homeserver, user, number)

    async def log_in_by_token(self, homeserver: str, token: str, cleartext: str = "", number: int | None = None) -> int:
        _insist(homeserver, cleartext)
        if token != "good":
            raise LoginRefused("The homeserver does not take that sign-on any more: try again. Nothing was changed.")
        return self._enter(homeserver, token, number)

    async def log_out(self, number: int) -> bool:
        await self.messengers[number].log_out()
        return self.connected

    def _enter(self, homeserver: str, user: str, number: int | None) -> int:
        self.logged_in.append((homeserver, user, number))
        free = [number for number, messenger in self.messengers.items() if messenger.account() is None]
        number = number or (free[0] if free else len(self.messengers) + 1)
        if number not in self.messengers:
            self.messengers[number] = MemoryMessenger(self.messengers[1].clock, logged_in=False)
            self._listen(number, self.messengers[number])
        self.messengers[number].enter(homeserver, user)
        return number

    def _listen(self, number: int, messenger: MemoryMessenger) -> None:
        def tell(change: Change) -> None:
            for listener in list(self._listeners):
                listener(number, change)

        messenger.subscribe(tell)


def _insist(homeserver: str, cleartext: str) -> None:
    if homeserver.startswith("http://") and cleartext != homeserver:
        raise Cleartext(homeserver)
