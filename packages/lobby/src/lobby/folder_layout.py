"""Brings a folder of the first Lobby, which had one account and its files at the top, to a folder for each account.

Safe to be killed at any point: the files get a second name below a draft folder, the draft becomes ``accounts`` in one
step, and only then their old names go.
"""

import contextlib
import logging
import os
import shutil
import sqlite3
from pathlib import Path

from lobby.errors import LobbyError
from lobby.home import Home
from lobby.page_store import PageStore
from lobby.private_folder import PrivateFolder

log = logging.getLogger("lobby")


def bring_up(home: Home, page: PageStore) -> None:
    """Make the account at the top of the folder account 1. Raises LobbyError: nothing was changed."""
    old = [path for path in home.folder.iterdir() if _is_of_the_account(path)]
    if not old:
        return
    first = home.folder / "accounts" / "1"
    try:
        if not first.parent.exists():
            _keep_page_sessions(home.folder / "lobby.sqlite3", page)
            old = [path for path in home.folder.iterdir() if _is_of_the_account(path)]
            draft = home.folder / ".accounts"
            shutil.rmtree(draft, ignore_errors=True)
            PrivateFolder(draft)
            inside = PrivateFolder(draft / "1").folder
            for path in old:
                (inside / path.name).hardlink_to(path)
            os.rename(draft, first.parent)
        for path in old:
            if (first / path.name).exists() and path.samefile(first / path.name):
                path.unlink()
            else:
                log.warning("%s is of no account; it is left where it is.", path)
    except OSError as error:
        raise LobbyError(f"{home.folder} cannot be brought up to this Lobby: {error}. Nothing was lost.") from error


def _is_of_the_account(path: Path) -> bool:
    return path.name == "account.json" or path.name.startswith("lobby.sqlite3")


def _keep_page_sessions(database: Path, page: PageStore) -> None:
    """Browsers that were let in stay so; closing the database also puts its write-ahead log into it."""
    if not database.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(database)) as db:
            for hash, at in db.execute("SELECT hash, at FROM page_sessions").fetchall():
                page.page_session_add(hash, at)
    except sqlite3.Error as error:
        log.warning("Pages that were open have to be opened anew (run `lobby`): %s", error)
