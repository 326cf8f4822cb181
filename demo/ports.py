"""Claims free TCP ports on loopback, and remembers them so that addresses stay the same from one run to the next."""

import socket
from pathlib import Path
from typing import Self

from demo.errors import DemoError

LOOPBACK = "127.0.0.1"


class Claim:
    """A port that nobody gets by chance until `close()`: no program that lets the system pick one is given it.

    The program it is meant for asks for it by number, as servers do (SO_REUSEADDR), and can listen on it meanwhile.
    """

    def __init__(self, port: int = 0) -> None:
        """Claims `port`, or one that the system picks. OSError when somebody listens on it."""
        self._socket = socket.socket()
        # Also: a port with old connections in TIME_WAIT is free.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((LOOPBACK, port))
        except OSError:
            self._socket.close()
            raise
        self.port = int(self._socket.getsockname()[1])

    def close(self) -> None:
        """Gives it up; does nothing the second time."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def free_port() -> int:
    """A port that is free at this moment, for those who listen on it at once."""
    with Claim() as claim:
        return claim.port


def claim_noted(note: Path) -> Claim:
    """Claims the port written in the file `note` if it is free, else another one, which is written there."""
    try:
        claim = Claim(_noted(note))
    except OSError:
        claim = Claim()
    _write_down(note, claim.port)
    return claim


def claim_known(note: Path, what: str) -> Claim:
    """As `claim_noted`, for a port that others have written down: DemoError when the noted one is taken."""
    noted = _noted(note)
    try:
        claim = Claim(noted)
    except OSError as taken:
        raise DemoError(
            f"Port {noted} is used by another program, and {what}. Nothing was started. End that program, or forget "
            f"the demo's accounts with `make demo-clean`."
        ) from taken
    _write_down(note, claim.port)
    return claim


def _write_down(note: Path, port: int) -> None:
    """Writes it into the file `note`, for the next run."""
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(f"{port}\n")


def _noted(note: Path) -> int:
    """What is written there; 0: nothing."""
    try:
        return int(note.read_text())
    except (FileNotFoundError, ValueError):
        return 0
