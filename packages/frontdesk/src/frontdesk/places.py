"""Where things lie on disk: runtime, state and configuration folders of one person's desk.

``FRONTDESK_HOME`` puts all three under one folder (tests, the demo, a second desk); else the XDG base directories.
"""

import os
import stat
from pathlib import Path

from frontdesk.errors import FrontdeskError


def _base(name: str, xdg: str, fallback: Path) -> Path:
    home = os.environ.get("FRONTDESK_HOME")
    if home:
        return Path(home) / name
    return Path(os.environ.get(xdg) or fallback) / "frontdesk"


def state_folder() -> Path:
    """The desk's database and the apps' logs."""
    return _private(_base("state", "XDG_STATE_HOME", Path.home() / ".local" / "state"))


def config_folder() -> Path:
    """``settings.toml``, and ``apps/ID.json`` of each registered app."""
    return _private(_base("config", "XDG_CONFIG_HOME", Path.home() / ".config"))


def runtime_folder() -> Path:
    """Sockets and locks; gone after a reboot. Without XDG_RUNTIME_DIR: /tmp/frontdesk-UID, checked to be ours."""
    if not os.environ.get("FRONTDESK_HOME") and not os.environ.get("XDG_RUNTIME_DIR"):
        return _private(Path(f"/tmp/frontdesk-{os.getuid()}"))
    return _private(_base("run", "XDG_RUNTIME_DIR", Path("/nonexistent")))


def desk_socket() -> Path:
    """The Unix socket on which the desk listens; owned by the keeper, so it outlives the desk (L06)."""
    return runtime_folder() / "desk.sock"


def keeper_lock() -> Path:
    """Held by the keeper and its desk: one desk per person. Its text is the keeper's process id."""
    return runtime_folder() / "keeper.lock"


def log_file(name: str) -> Path:
    """What a process printed: ``desk``, or an app's id."""
    return _private(state_folder() / "logs") / f"{name}.log"


def _private(folder: Path) -> Path:
    """Make the folder if need be (0700) and insist that it is ours and closed to others (X01)."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise FrontdeskError(
            f"{folder} belongs to somebody else. Nothing was changed; remove it or set FRONTDESK_HOME."
        )
    if found.st_mode & 0o077:
        folder.chmod(0o700)
    return folder
