"""Where things lie on disk: runtime, state and configuration folders of one person's desk.

``FRONTDESK_HOME`` puts all three under one folder (tests, the demo, a second desk); else the XDG base directories.
Each function that names a folder of ours makes it; ``FrontdeskError`` when that cannot be.
"""

import os
import stat
from pathlib import Path

from frontdesk.errors import FrontdeskError


def _base(name: str, xdg: str, fallback: str) -> Path:
    home = os.environ.get("FRONTDESK_HOME", "")
    if home and not os.path.isabs(home):
        # The desk, started in a folder of its own, would take it for another place.
        raise FrontdeskError(f"FRONTDESK_HOME is {home!r}. Set it to a path that begins with /; nothing was changed.")
    if home:
        return Path(home) / name
    return _base_directory(xdg, fallback) / "frontdesk"


def _base_directory(xdg: str, fallback: str) -> Path:
    told = os.environ.get(xdg, "")
    if os.path.isabs(told):  # else to be ignored, says the XDG Base Directory Specification
        return Path(told)
    try:
        return Path.home() / fallback
    except RuntimeError as error:
        raise FrontdeskError("You have no home folder. Set HOME or FRONTDESK_HOME; nothing was changed.") from error


def state_folder() -> Path:
    """The desk's database and the apps' logs."""
    return _private(_base("state", "XDG_STATE_HOME", ".local/state"))


def config_folder() -> Path:
    """``settings.toml``, and ``apps/ID.json`` of each registered app."""
    return _private(_base("config", "XDG_CONFIG_HOME", ".config"))


def person_config_folder() -> Path:
    """Where the person's other programs, systemd and the desktop among them, have theirs; not made."""
    return _base_directory("XDG_CONFIG_HOME", ".config")


def runtime_folder() -> Path:
    """Sockets and locks; gone after a reboot. Without XDG_RUNTIME_DIR: /tmp/frontdesk-UID, checked to be ours."""
    if os.environ.get("FRONTDESK_HOME") or os.path.isabs(os.environ.get("XDG_RUNTIME_DIR", "")):
        return _private(_base("run", "XDG_RUNTIME_DIR", ""))
    return _private(Path(f"/tmp/frontdesk-{os.getuid()}"))


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
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise FrontdeskError(
            f"{folder} cannot be made ({error.strerror}). Nothing was changed; correct that, "
            "or set FRONTDESK_HOME to a folder that you may write to."
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise FrontdeskError(
            f"{folder} belongs to somebody else. Nothing was changed; remove it or set FRONTDESK_HOME."
        )
    if found.st_mode & 0o077:
        folder.chmod(0o700)
    return folder
