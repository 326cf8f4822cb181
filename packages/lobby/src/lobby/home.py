"""Lobby's folder: the login, the secret of its page, and where the database lies. Nothing in it is for other users.

``LOBBY_HOME`` names the folder; else it is ``$XDG_DATA_HOME/lobby``. Secrets have mode 0600, the folder 0700.
"""

import json
import os
import secrets
import stat
from dataclasses import asdict, dataclass
from pathlib import Path

from lobby.errors import LobbyError


@dataclass(frozen=True)
class Login:
    """What the homeserver gave us for the password, which is not kept."""

    homeserver: str
    user_id: str
    device_id: str
    token: str
    name: str = ""


class Home:
    """The folder of one person's Lobby."""

    def __init__(self, folder: Path) -> None:
        """Make the folder if need be, and insist that it is ours and closed to others. Raises LobbyError."""
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
                raise LobbyError(
                    f"{folder} belongs to somebody else. Nothing was changed; set LOBBY_HOME to a folder of yours."
                )
            if found.st_mode & 0o077:
                folder.chmod(0o700)
        except OSError as error:
            raise LobbyError(
                f"{folder} cannot be used: {error.strerror}. Set LOBBY_HOME to a folder of yours."
            ) from error

    @property
    def database(self) -> Path:
        return self.folder / "lobby.sqlite3"

    @property
    def manifest(self) -> Path:
        return self.folder / "lobby.toml"

    def keep_manifest(self, text: str) -> None:
        """Write the manifest down, unless it says that already. Raises LobbyError."""
        try:
            if self.manifest.read_text() == text:
                return
        except (FileNotFoundError, ValueError):
            pass  # None yet, or none that can be read: it is written anew.
        except OSError as error:
            raise LobbyError(f"{self.manifest} cannot be read: {error.strerror}. Nothing was changed.") from error
        self._write(self.manifest.name, text.encode())

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
        self._write("account.json", json.dumps(asdict(login)).encode())

    def forget_login(self) -> None:
        (self.folder / "account.json").unlink(missing_ok=True)

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
            self._write("page.address", address.encode())

    def _drawn(self, name: str, length: int) -> bytes:
        path = self.folder / name
        if not path.exists():
            self._write(name, secrets.token_bytes(length), replace=False)
        found = path.read_bytes()
        if len(found) != length:
            raise LobbyError(f"{path} is damaged. Remove it and start Lobby again; open pages must be opened anew.")
        return found

    def _write(self, name: str, data: bytes, replace: bool = True) -> None:
        draft = self.folder / f".{name}.{secrets.token_hex(4)}"
        try:
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                draft.replace(self.folder / name)
            else:
                _link_unless_there(draft, self.folder / name)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise LobbyError(
                f"{self.folder / name} cannot be written: {error.strerror}. Nothing was changed."
            ) from error


def _link_unless_there(draft: Path, path: Path) -> None:
    """Of two Lobbies that draw a secret at once, both must use the one that was there first."""
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)


def home_from_environment() -> Home:
    """The folder that the environment names."""
    named = os.environ.get("LOBBY_HOME")
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return Home(Path(named).absolute() if named else data / "lobby")
