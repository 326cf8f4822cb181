"""What Lobby asks the desk for, and when it asks for it again."""

import logging

import pytest

from lobby.database import Database
from lobby.errors import LobbyError
from lobby.scheduled import FIRST_UPKEEP, REFRESH_AGAIN, UPKEEP_AGAIN, Scheduled

NOW = 1e9


class Desk:
    """Notes what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, float, bool]] = []
        self.refuses = False

    async def want_refresh(self, earliest: float, keep: bool) -> None:
        self._take("refresh", earliest, keep)

    async def want_upkeep(self, earliest: float, keep: bool) -> None:
        self._take("upkeep", earliest, keep)

    def _take(self, what: str, earliest: float, keep: bool) -> None:
        if self.refuses:
            raise LobbyError("Running in the background is switched off.")
        self.asked.append((what, earliest, keep))


class Chats:
    """Accounts without databases, whose homeserver may be away."""

    def __init__(self) -> None:
        self.fetched = 0
        self.logged_in = [1]
        self.away = False

    def numbers(self) -> list[int]:
        return self.logged_in

    def database(self, number: int) -> Database | None:
        return None

    async def catch_up(self) -> None:
        if self.away:
            raise LobbyError("The homeserver does not answer.")
        self.fetched += 1


async def test_a_start_asks_for_both_and_puts_off_neither() -> None:
    desk = Desk()
    scheduled = Scheduled(desk, Chats(), lambda: NOW)
    await scheduled.ask()
    assert desk.asked == [("refresh", NOW + REFRESH_AGAIN, True), ("upkeep", NOW + FIRST_UPKEEP, True)]


async def test_nothing_is_asked_for_while_nobody_is_logged_in() -> None:
    desk, chats = Desk(), Chats()
    chats.logged_in = []
    scheduled = Scheduled(desk, chats, lambda: NOW)
    await scheduled.ask()
    await scheduled.refresh()
    await scheduled.upkeep()
    assert desk.asked == []
    chats.logged_in = [2]
    await scheduled.ask()
    assert len(desk.asked) == 2


async def test_a_desk_that_refuses_is_said_and_asked_again_later(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    desk.refuses = True
    scheduled = Scheduled(desk, Chats(), lambda: NOW)
    with caplog.at_level(logging.WARNING, "lobby"):
        await scheduled.ask()
    assert "switched off" in caplog.text and desk.asked == []
    desk.refuses = False
    await scheduled.ask()
    assert len(desk.asked) == 2


async def test_a_refresh_asks_for_the_next_one_also_when_the_homeserver_is_away() -> None:
    desk, chats = Desk(), Chats()
    scheduled = Scheduled(desk, chats, lambda: NOW)
    await scheduled.refresh()
    chats.away = True
    with pytest.raises(LobbyError, match="does not answer"):
        await scheduled.refresh()
    assert desk.asked == [("refresh", NOW + REFRESH_AGAIN, False)] * 2 and chats.fetched == 1


async def test_upkeep_asks_for_the_next_one_a_day_later() -> None:
    desk = Desk()
    await Scheduled(desk, Chats(), lambda: NOW).upkeep()
    assert desk.asked == [("upkeep", NOW + UPKEEP_AGAIN, False)]
