"""One person's machine: a desk and a Lobby of their own in one folder, behind a network of their own."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

from demo import processes
from demo.doorbell import Doorbell
from demo.errors import DemoError
from demo.network import Network
from demo.ports import LOOPBACK
from frontdesk import AppState, AppStatus, DeskControl, DeskStatus, DeskUnavailable

LOBBY = "org.frontdesk.Lobby"
"""Lobby's id at the desk."""

_SOCKET_PATH_MOST = 100
_DESK_READY_WITHIN = 20.0
_COMMAND_PATIENCE = 60.0
_RUNS_ALREADY = 3
"""Exit status of `frontdesk agent` where another desk runs."""
_FROM_OUTSIDE = ("FRONTDESK_", "LOBBY_", "XDG_", "DBUS_", "BROWSER", "PYTHONDONTWRITEBYTECODE")
"""Beginnings of variables that would tie a machine of the demo to the computer it runs on."""


class Machine:
    """What belongs to one person. `person` is the name shown, in lower case also the name of the account.

    `stage`: the origin whose pages frame Lobby's; empty: no page does.
    `limits` are the desk's settings of that name, in seconds; empty: the contract's defaults.
    `session_bus`: the D-Bus address of the person's desktop; empty: there is none, as on a server.
    """

    def __init__(
        self,
        person: str,
        folder: Path,
        stage: str,
        limits: Mapping[str, float] | None = None,
        session_bus: str = "",
    ) -> None:
        self.person = person
        self.user = person.lower()
        self.folder = folder
        self.host = f"{self.user}.demo.localhost"
        self.network = Network()
        self.homeserver = ""
        """The homeserver's address as this machine sees it, through its network."""
        self._limits = dict(limits or {})
        self.keeper: processes.Program | None = None
        self.doorbell = Doorbell(folder / "run" / "window.sock")
        """Rings when Lobby wants its window shown; there is a window to show only where there is a stage."""
        self.environment = _environment(folder, self.host)
        if stage:
            self.environment |= {"LOBBY_FRAME_PARENTS": stage, "BROWSER": self.doorbell.browser}
        else:
            self.environment["LOBBY_BROWSER"] = "none"
        if session_bus:
            self.environment["DBUS_SESSION_BUS_ADDRESS"] = session_bus

    async def start(self, homeserver_port: int, push_port: int) -> None:
        """Opens the network and starts the desk; both servers may start later. DemoError when the desk does not."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        socket = self.folder / "run" / "desk.sock"
        if len(str(socket)) > _SOCKET_PATH_MOST:
            raise DemoError(
                f"The path {socket} is too long for a Unix socket. Nothing was started; use a shorter --folder."
            )
        self.doorbell.open()
        to_homeserver = await self.network.proxy(homeserver_port, self.folder / "homeserver.port")
        to_push = await self.network.proxy(push_port, self.folder / "push.port")
        self.homeserver = f"http://{LOOPBACK}:{to_homeserver}"
        self._write_settings(f"ws://{LOOPBACK}:{to_push}/")
        await self.start_desk()

    async def start_desk(self) -> None:
        """Starts a keeper and with it a desk, as a login does; one whose keeper was killed has a moment to leave."""
        self.keeper = await processes.start(
            f"{self.person}'s desk",
            [sys.executable, "-m", "frontdesk.cli.main", "agent"],
            self.folder / "desk.log",
            self.environment,
        )
        try:
            await self.keeper.until(self._desk_answers, _DESK_READY_WITHIN)
        except DemoError:
            if self.keeper.status != _RUNS_ALREADY:
                raise

    async def keeper_pid(self) -> int:
        """The keeper of the desk that answers, started here or by an app that missed it; 0: no desk answers."""
        try:
            return processes.parent((await self.status()).pid)
        except DeskUnavailable:
            return 0

    async def log_in(self, password: str) -> None:
        """Sees that Lobby is logged in. One that knows the homeserver by an address it no longer has starts afresh."""
        note = self.folder / "logged_in_at"
        if note.exists() and note.read_text() != self.homeserver:
            await self.lobby("logout", "--anyway")
        try:
            account = ("--homeserver", self.homeserver, "--user", self.user)
            await self.lobby("login", *account, "--password-stdin", says=password)
        except DemoError as reason:
            if "logged in already" not in str(reason):
                raise
        note.write_text(self.homeserver)

    async def lobby(self, *arguments: str, says: str = "") -> str:
        """Runs the `lobby` command as the person would, `says` on its standard input, and gives what it printed."""
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "lobby.main", *arguments],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environment,
            start_new_session=True,
        )
        try:
            out, complaint = await asyncio.wait_for(process.communicate(says.encode()), _COMMAND_PATIENCE)
        except TimeoutError:
            raise DemoError(
                f"`lobby {' '.join(arguments)}` of {self.person} did not end within {_COMMAND_PATIENCE:g} s."
            ) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise DemoError(f"`lobby {' '.join(arguments)}` of {self.person} said: {complaint.decode().strip()}")
        return out.decode().strip()

    async def page_address(self) -> str:
        """A fresh one-time address of Lobby's page; it works while Lobby sleeps, too."""
        return (await self.lobby("address")).split()[-1]

    async def stop(self) -> None:
        """Ends desk, apps and network. Does nothing to a machine that is off."""
        if self.keeper:
            await self.keeper.stop()
            await self._stop_desk_of_an_app()
        await self.network.stop()
        self.doorbell.close()

    async def _stop_desk_of_an_app(self) -> None:
        """An app that finds its keeper killed starts another, which nobody else would stop."""
        if pid := await self.keeper_pid():
            os.kill(pid, signal.SIGTERM)
            if not await processes.gone(pid, processes.STOP_PATIENCE):
                raise DemoError(f"{self.person}'s desk was asked to stop and did not (process {pid}). Stop it by hand.")

    def desk(self) -> DeskControl:
        """A connection to the desk, to be used in `async with`."""
        return DeskControl(self.folder)

    async def status(self) -> DeskStatus:
        """What the desk sees now."""
        async with self.desk() as desk:
            return await desk.status()

    async def watch(self) -> AsyncGenerator[DeskStatus | None, None]:
        """What the desk sees, at once and on every change; None while there is no desk. Never ends by itself."""
        while True:
            try:
                async with self.desk() as desk:
                    async for status in desk.watch():
                        yield status
            except DeskUnavailable:
                yield None
            # A desk that was killed is back within two seconds (L06).
            await asyncio.sleep(0.2)

    async def kill_desk(self) -> int:
        """Kills the desk's process with SIGKILL and gives its number. The keeper starts another one (L06)."""
        pid = (await self.status()).pid
        os.kill(pid, signal.SIGKILL)
        return pid

    async def _desk_answers(self) -> bool:
        try:
            await self.status()
        except DeskUnavailable:
            return False
        return True

    def _write_settings(self, push_service: str) -> None:
        config = self.folder / "config"
        config.mkdir(mode=0o700, exist_ok=True)
        lines = [f'push_service = "{push_service}"', "", "[limits]"]
        lines += [f"{name} = {float(seconds)}" for name, seconds in self._limits.items()]
        (config / "settings.toml").write_text("\n".join(lines) + "\n")


def app_of(status: DeskStatus, app: str = LOBBY) -> AppStatus:
    """An app's row in what the desk sees; a stopped one when the desk does not know it."""
    for row in status.apps:
        if row.app == app:
            return row
    return AppStatus(app=app, name=app, state=AppState.STOPPED, since=status.now)


def _environment(folder: Path, host: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FROM_OUTSIDE)}
    return kept | {
        "FRONTDESK_HOME": str(folder),
        "LOBBY_HOME": str(folder / "lobby"),
        "LOBBY_HOST": host,
    }
