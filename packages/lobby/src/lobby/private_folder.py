"""A folder of the person's own: made if need be, closed to others; files in it are written whole or not at all."""

import os
import secrets
import stat
from pathlib import Path

from lobby.errors import LobbyError


class PrivateFolder:
    """The folder, mode 0700; what ``write`` puts into it has mode 0600."""

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

    def write(self, name: str, data: bytes, replace: bool = True) -> None:
        """Write a file, durably. ``replace`` False: one that is there stays as it is. Raises LobbyError."""
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
