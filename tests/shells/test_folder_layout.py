"""A folder of the first Lobby becomes one with a folder for each account, wherever the move is broken off."""

import contextlib
import os
import sqlite3
from pathlib import Path

import pytest

from lobby.database import Database
from lobby.folder_layout import bring_up
from lobby.home import Home, Login
from lobby.page_store import PAGE, PageStore
from lobby.store import Store

LOGIN = Login("https://x", "@me:x", "DEV", "token", "Me")


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def old(tmp_path: Path) -> Home:
    """As the first Lobby left it."""
    home = Home(tmp_path / "lobby")
    home.account(1).keep_login(LOGIN)
    database = Database(home.account(1).database)
    Store(database).keep_note("sync_token", "s1")
    database.close()
    for path in home.account(1).folder.iterdir():
        path.rename(home.folder / path.name)
    home.account(1).remove()
    (home.folder / "accounts").rmdir()
    with sqlite3.connect(home.folder / "lobby.sqlite3") as db:
        db.execute("CREATE TABLE IF NOT EXISTS page_sessions (hash TEXT PRIMARY KEY, at REAL NOT NULL)")
        db.execute("INSERT INTO page_sessions VALUES ('abc', 5.0)")
    db.close()
    return home


def moved(home: Home) -> None:
    """Bring it up and look whether all of it is there."""
    page_database = Database(home.page_database, PAGE)
    page = PageStore(page_database)
    bring_up(home, page)
    assert page.page_session_at("abc") == 5.0
    page_database.close()
    assert home.account_numbers() == [1] and home.account(1).login() == LOGIN
    database = Database(home.account(1).database)
    assert Store(database).note("sync_token") == "s1"
    database.close()
    assert not (home.folder / "account.json").exists() and not (home.folder / "lobby.sqlite3").exists()


def test_the_account_at_the_top_becomes_account_1(old: Home) -> None:
    moved(old)
    moved(old)


@pytest.mark.parametrize("step", ["hardlink_to", "rename", "unlink"])
@pytest.mark.parametrize("times", [1, 2])
def test_broken_off_anywhere_it_goes_on(old: Home, monkeypatch: pytest.MonkeyPatch, step: str, times: int) -> None:
    done = 0
    owner = os if step == "rename" else Path
    as_it_is = getattr(owner, step)

    def killed(*arguments: object, **named: object) -> object:
        nonlocal done
        done += 1
        if done == times:
            raise Killed
        return as_it_is(*arguments, **named)

    page_database = Database(old.page_database, PAGE)
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, killed)
        with contextlib.suppress(Killed):
            bring_up(old, PageStore(page_database))
    page_database.close()
    moved(old)


def test_a_later_file_at_the_top_is_never_taken_for_a_leftover(old: Home) -> None:
    moved(old)
    (old.folder / "account.json").write_text("of an older Lobby that was started once more")
    page_database = Database(old.page_database, PAGE)
    bring_up(old, PageStore(page_database))
    page_database.close()
    assert (old.folder / "account.json").exists() and old.account(1).login() == LOGIN
