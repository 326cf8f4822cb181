"""Finds free TCP ports on loopback, and remembers them so that addresses stay the same from one run to the next."""

import socket
from pathlib import Path

from demo.errors import DemoError

LOOPBACK = "127.0.0.1"


def free_port(preferred: int = 0) -> int:
    """`preferred` if nobody listens on it, else one that the system picks.

    The port is free at this moment; a stranger may still take it before it is used, and then that start fails by name.
    """
    for port in (preferred, 0) if preferred else (0,):
        with socket.socket() as probe:
            # As servers do: a port with old connections in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("No free TCP port on 127.0.0.1. Nothing was started; close some programs and try again.")


def same_port(note: Path, what: str) -> int:
    """As `remembered_port`, for a port that others have written down: DemoError when the noted one is taken."""
    noted = noted_port(note)
    port = remembered_port(note)
    if noted not in (0, port):
        note.write_text(f"{noted}\n")
        raise DemoError(
            f"Port {noted} is used by another program, and {what}. Nothing was started. End that program, or forget "
            f"the demo's accounts with `make demo-clean`."
        )
    return port


def remembered_port(note: Path) -> int:
    """The port written in the file `note` if it is still free, else another one, which is written there."""
    port = free_port(noted_port(note))
    note_port(note, port)
    return port


def note_port(note: Path, port: int) -> None:
    """Writes it into the file `note`, for the next run."""
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(f"{port}\n")


def noted_port(note: Path) -> int:
    """What is written there; 0: nothing."""
    try:
        return int(note.read_text())
    except (FileNotFoundError, ValueError):
        return 0
