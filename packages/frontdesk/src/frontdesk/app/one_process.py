"""One process per app, held by a lock that a crash releases (contract X04)."""

import fcntl
import os

from frontdesk.errors import FrontdeskError
from frontdesk.places import runtime_folder


def take_lock(app: str) -> int | None:
    """The descriptor that holds the app's lock until it is closed or the process ends; None: another has it.

    ``FrontdeskError`` when there can be no lock.
    """
    file = runtime_folder() / "apps" / f"{app}.lock"
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise FrontdeskError(f"{file} cannot be made ({error.strerror}). Correct that, then start {app}.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
