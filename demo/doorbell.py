"""How a Lobby of the demo opens its window: its browser is this command, and rings at the stage with the address.

`python doorbell.py SOCKET ADDRESS` is the command; it imports the standard library only, to be quick. What Lobby does
(asks the system's browser to show an address) is what it does on anybody's machine.
"""

import asyncio
import os
import shlex
import socket
import sys
from pathlib import Path

_LONGEST = 8192


class Doorbell:
    """Receives the addresses; `await heard()` gives the next one. `browser` is the value for BROWSER."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._socket: socket.socket | None = None

    @property
    def browser(self) -> str:
        """A command line as `webbrowser` takes it from the variable BROWSER: %s stands for the address."""
        return shlex.join([sys.executable, "-I", __file__, str(self._place)]) + " %s"

    def open(self) -> None:
        """Listens from now on. The address holds a secret: nobody else may ring, or read who does."""
        self._place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._place.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(self._place))
        os.chmod(self._place, 0o600)

    async def heard(self) -> str:
        """Waits for the next address that Lobby wants shown."""
        assert self._socket is not None, "open() comes first"
        return (await asyncio.get_running_loop().sock_recv(self._socket, _LONGEST)).decode(errors="replace")

    def close(self) -> None:
        """Nobody listens any more; a Lobby that rings is told so."""
        if self._socket:
            self._socket.close()
        self._place.unlink(missing_ok=True)


def ring(place: str, address: str) -> int:
    """Rings; exit status 1 with a sentence when nobody listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        try:
            bell.sendto(address.encode(), place)
        except OSError as reason:
            print(f"The stage does not listen ({reason}); open Lobby there by hand.", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(ring(*sys.argv[1:3]))
