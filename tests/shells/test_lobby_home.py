"""Lobby's folder: secrets are its owner's, and a login is whole or not there."""

from pathlib import Path

import pytest

from lobby.errors import LobbyError
from lobby.home import AccountHome, Home, Login, home_from_environment

LOGIN = Login("https://x", "@me:x", "DEV", "token", "Me")


def test_the_folder_and_what_is_in_it_are_for_the_owner_only(tmp_path: Path) -> None:
    home = Home(tmp_path / "a" / "lobby")
    account = home.account(2)
    account.keep_login(LOGIN)
    home.page_secret()
    for folder in (home.folder, home.folder / "accounts", account.folder):
        assert folder.stat().st_mode & 0o777 == 0o700
    files = [file for file in home.folder.rglob("*") if file.is_file()]
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    assert {file.name for file in files} == {"account.json", "page.secret"}
    assert home.account_numbers() == [2]


def test_what_is_left_of_a_log_out_goes_and_a_damaged_login_is_put_aside(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.account(1).database.write_bytes(b"left over")
    (home.account(2).folder / "account.json").write_bytes(b"{")
    home.account(3).keep_login(LOGIN)
    home.clear_vacant()
    assert home.account_numbers() == [3] and home.account(3).login() == LOGIN
    assert {path.name for path in (tmp_path / "accounts").iterdir()} == {"3", "2.damaged-1"}


def test_an_open_folder_is_closed_to_others(tmp_path: Path) -> None:
    (tmp_path / "lobby").mkdir(mode=0o755)
    assert Home(tmp_path / "lobby").folder.stat().st_mode & 0o777 == 0o700


def test_a_login_comes_back_and_goes(tmp_path: Path) -> None:
    home = AccountHome(tmp_path)
    assert home.login() is None
    home.keep_login(LOGIN)
    assert AccountHome(tmp_path).login() == LOGIN
    home.forget_login()
    assert home.login() is None
    home.forget_login()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"homeserver": 1}', "\xff"])
def test_a_damaged_login_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "account.json").write_text(text, encoding="latin-1")
    assert AccountHome(tmp_path).login() is None


def test_the_secret_is_drawn_once(tmp_path: Path) -> None:
    secret = Home(tmp_path).page_secret()
    assert len(secret) == 32 and Home(tmp_path).page_secret() == secret
    assert Home(tmp_path / "other").page_secret() != secret


def test_the_address_of_its_page_is_remembered(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.page_address() == ""
    home.keep_page_address("http://a.localhost:1/")
    home.keep_page_address("http://b.localhost:2/")
    assert Home(tmp_path).page_address() == "http://b.localhost:2/"


def test_a_damaged_secret_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "page.secret").write_bytes(b"short")
    with pytest.raises(LobbyError, match="damaged"):
        Home(tmp_path).page_secret()


def test_each_folder_has_a_host_name_of_its_own_unless_one_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = Home(tmp_path / "1"), Home(tmp_path / "2")
    assert one.page_host() == one.page_host() != other.page_host()
    assert one.page_host().endswith(".localhost")
    monkeypatch.setenv("LOBBY_HOST", "left.demo.localhost")
    assert one.page_host() == "left.demo.localhost"


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LobbyError, match="Set LOBBY_HOME"):
        Home(tmp_path / "file" / "lobby")
    with pytest.raises(LobbyError):
        Home(tmp_path / "file")


def test_the_environment_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOBBY_HOME", str(tmp_path / "named"))
    assert home_from_environment().folder == tmp_path / "named"
    monkeypatch.delenv("LOBBY_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert home_from_environment().folder == tmp_path / "lobby"
