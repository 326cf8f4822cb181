"""Lobby's folder: the secret of its page, and a folder for each account. Nothing in it is for other users.

``LOBBY_HOME`` names the folder; else it is ``$XDG_DATA_HOME/lobby``. Secrets have mode 0600, the folders 0700.
"""

import hashlib
import json
import logging
import os
import secrets
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from lobby.errors import LobbyError
from lobby.private_folder import PrivateFolder

log = logging.getLogger("lobby")


@dataclass(frozen=True)
class Login:
    """What the homeserver gave us for the password, which is not kept."""

    homeserver: str
    user_id: str
    device_id: str
    token: str
    name: str = ""

    @property
    def token_mark(self) -> str:
        """Tells this login from every other one, also of the same device, and nothing of the token."""
        return hashlib.sha256(self.token.encode()).hexdigest()[:16]


class AccountHome(PrivateFolder):
    """The folder of one account: its login, its database, its keys."""

    @property
    def database(self) -> Path:
        return self.folder / "lobby.sqlite3"

    def login(self) -> Login | None:
        """Who is logged in; None: nobody, or the file is no login (it is then as good as gone)."""
        try:
            return Login(**json.loads((self.folder / "account.json").read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError):
            return None
        except OSError as error:
            raise LobbyError(f"The login in {self.folder} cannot be read: {error.strerror}.") from error

    def keep_login(self, login: Login) -> None:
        """Write the login down, whole or not at all."""
        self.write("account.json", json.dumps(asdict(login)).encode())

    def forget_login(self) -> None:
        (self.folder / "account.json").unlink(missing_ok=True)

    def put_aside(self) -> Path:
        """Keep the folder under another name, where it is no account's; returns that. Raises LobbyError."""
        number = 1
        while (aside := self.folder.with_name(f"{self.folder.name}.damaged-{number}")).exists():
            number += 1
        try:
            return self.folder.rename(aside)
        except OSError as error:
            raise LobbyError(f"{self.folder} cannot be put aside: {error.strerror}. Nothing was changed.") from error

    def remove(self) -> None:
        """Delete the folder with all that is in it. Raises LobbyError."""
        try:
            shutil.rmtree(self.folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise LobbyError(
                f"Chats of the account that is logged out are still on this computer: {self.folder} cannot be removed "
                f"({error.strerror}). Delete it by hand."
            ) from error


class Home(PrivateFolder):
    """The folder of one person's Lobby."""

    @property
    def page_database(self) -> Path:
        return self.folder / "page.sqlite3"

    @property
    def manifest(self) -> Path:
        return self.folder / "lobby.toml"

    def account_numbers(self) -> list[int]:
        """The numbers of the accounts that have a folder, whether or not somebody is logged in there."""
        try:
            names = [entry.name for entry in os.scandir(self.folder / "accounts")]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise LobbyError(f"{self.folder / 'accounts'} cannot be read: {error.strerror}.") from error
        return sorted(int(name) for name in names if name.isascii() and name.isdigit())

    def clear_vacant(self) -> None:
        """Remove what is left of accounts that were logged out; what has a login that cannot be read is put aside."""
        for number in self.account_numbers():
            account = self.account(number)
            if account.login() is not None:
                continue
            if (account.folder / "account.json").exists():
                log.warning(
                    "The login in %s cannot be read. The folder was put aside as %s; log in again.",
                    account.folder,
                    account.put_aside().name,
                )
            else:
                account.remove()

    def account(self, number: int) -> AccountHome:
        """The folder of that account; made if need be. Raises LobbyError."""
        PrivateFolder(self.folder / "accounts")
        return AccountHome(self.folder / "accounts" / str(number))

    def keep_manifest(self, text: str) -> None:
        """Write the manifest down, unless it says that already. Raises LobbyError."""
        try:
            if self.manifest.read_text() == text:
                return
        except (FileNotFoundError, ValueError):
            pass  # None yet, or none that can be read: it is written anew.
        except OSError as error:
            raise LobbyError(f"{self.manifest} cannot be read: {error.strerror}. Nothing was changed.") from error
        self.write(self.manifest.name, text.encode())

    def page_secret(self) -> bytes:
        """32 bytes that whoever can read this folder shares with the page; drawn at the first call."""
        return self._drawn("page.secret", 32)

    def page_host(self) -> str:
        """The host name of the page: ``LOBBY_HOST``, else a name of this folder's own, as cookies ignore ports."""
        return os.environ.get("LOBBY_HOST") or f"lobby-{self._drawn('page.id', 4).hex()}.localhost"

    def page_address(self) -> str:
        """The address of the page that was last served with this folder's secret; empty: none ever was."""
        try:
            return (self.folder / "page.address").read_text()
        except FileNotFoundError:
            return ""
        except (OSError, ValueError) as error:
            raise LobbyError(
                f"{self.folder / 'page.address'} cannot be read. Remove it and open Lobby again."
            ) from error

    def keep_page_address(self, address: str) -> None:
        """Remember where the page is served now. Raises LobbyError."""
        if self.page_address() != address:
            self.write("page.address", address.encode())

    def _drawn(self, name: str, length: int) -> bytes:
        path = self.folder / name
        if not path.exists():
            self.write(name, secrets.token_bytes(length), replace=False)
        found = path.read_bytes()
        if len(found) != length:
            raise LobbyError(f"{path} is damaged. Remove it and start Lobby again; open pages must be opened anew.")
        return found


def home_from_environment() -> Home:
    """The folder that the environment names."""
    named = os.environ.get("LOBBY_HOME")
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return Home(Path(named).absolute() if named else data / "lobby")
