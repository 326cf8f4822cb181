"""One desk per person: the lock that keeper and desk hold, and the Unix socket that belongs to whoever holds it."""

import fcntl
import os
import socket
import time

from frontdesk import places
from frontdesk.agent.shell import process_table
from frontdesk.errors import FrontdeskError

PATIENCE = 5.0
"""Seconds given to the desk of a killed keeper to notice, and to let go of the lock."""


class DeskIsThere(Exception):
    """Another keeper, or its desk, holds the lock."""


def take_lock() -> int:
    """A descriptor that holds the lock; the lock is free once all its copies are closed, crash included.

    Raises:
        DeskIsThere: the text is a sentence with the other's process id.
    """
    lock = os.open(places.keeper_lock(), os.O_RDWR | os.O_CREAT, 0o600)
    patience = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError as error:
            holder = os.pread(lock, 20, 0).decode(errors="replace").strip()
            # Of a killed keeper only the desk is left, and leaves too. A lock cannot be waited for with a limit.
            orphaned = holder.isdigit() and process_table.read(int(holder)) is None
            if not orphaned or time.monotonic() > patience:
                os.close(lock)
                raise DeskIsThere(f"a desk is already running (process {holder or 'unknown'})") from error
            time.sleep(0.05)
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


def listen_for_apps() -> socket.socket:
    """The desk's socket, for this person only (X01); one left behind by a killed keeper is replaced.

    Call it with the lock held.
    """
    path = places.desk_socket()
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise FrontdeskError(
            f"{path} cannot be made ({error}). Nothing was started; set FRONTDESK_HOME to a folder with a shorter name."
        ) from error
    return listener
