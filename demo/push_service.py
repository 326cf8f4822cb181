"""The demo's push service: ours, on loopback, with its waiting messages kept in the demo's folder."""

import asyncio
import sys
from pathlib import Path

from demo import processes
from demo.ports import LOOPBACK, Claim, claim_known

_READY_WITHIN = 30.0


class PushService:
    """`frontdesk push serve` as a child process; its address stays the same, since subscriptions name it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program: processes.Program | None = None
        self._claim: Claim | None = None

    @property
    def port(self) -> int:
        """0 before it has been chosen."""
        return self._claim.port if self._claim else 0

    def choose_port(self) -> int:
        """The port it will have, claimed until `stop()`; others may need it before it runs. DemoError: it is taken."""
        if not self._claim:
            self._claim = claim_known(self.folder / "port", "the demo's push subscriptions name it")
        return self._claim.port

    async def start(self) -> None:
        """Starts it and waits until it accepts connections. DemoError when it does not."""
        port = self.choose_port()
        self.program = await processes.start("The push service", self._command(port), self.folder / "output.log")
        await self.program.until(lambda: _accepts(port), _READY_WITHIN)

    async def stop(self) -> None:
        """Stops it; does nothing when it does not run."""
        if self._claim:
            self._claim.close()
        if self.program:
            await self.program.stop()

    def _command(self, port: int) -> list[str]:
        where = ["--host", LOOPBACK, "--port", str(port), "--public-url", f"http://{LOOPBACK}:{port}"]
        # The demo's own homeserver and push resources live on loopback, which a push service refuses by default.
        allowed = ["--allow-private", "127.0.0.0/8"]
        return [
            sys.executable,
            "-m",
            "frontdesk.cli.main",
            "push",
            "serve",
            *where,
            *allowed,
            "--data",
            str(self.folder),
        ]


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    return True
