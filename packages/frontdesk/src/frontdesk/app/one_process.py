"""One process per app, held by a lock that a crash releases (contract X04)."""

import fcntl
import os

from frontdesk.places import runtime_folder


def take_lock(app: str) -> int | None:
    """The descriptor that holds the app's lock until it is closed or the process ends; None: another has it."""
    folder = runtime_folder() / "apps"
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(folder / f"{app}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
