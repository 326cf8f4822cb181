"""Launching, freezing, thawing and killing apps, and hearing of their ends: what the core decides, done."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from frontdesk import places
from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.shell import process_table
from frontdesk.agent.shell.freezer import FreezeFailed, Freezer
from frontdesk.agent.shell.keeper_channel import KeeperChannel, KeeperLost
from frontdesk.environment import LAUNCH_TOKEN, OF_ONE_PROCESS
from frontdesk.errors import FrontdeskError, spelled_out
from frontdesk.terms import Manifest

log = logging.getLogger("frontdesk.desk")

_FREEZE_AGAIN = 1.0


class Processes:
    """``post`` hands events to the core; ``manifest(app)`` says what to launch."""

    def __init__(
        self,
        keeper: KeeperChannel,
        freezer: Freezer,
        post: Callable[[ev.Event], None],
        manifest: Callable[[str], Manifest | None],
    ) -> None:
        self._keeper = keeper
        self._freezer = freezer
        self._post = post
        self._manifest = manifest
        self._apps: dict[int, str] = {}
        self._pidfds: dict[int, int] = {}
        self._early: dict[int, int] = {}
        """Ends that were reported before we knew the process: it was being launched, or we have just started."""
        self._launching = 0
        self._taking_up = True
        self._frozen: dict[str, asyncio.TimerHandle | None] = {}
        keeper.on_exit = self._exited

    def close(self) -> None:
        for pid in list(self._pidfds):
            self._stop_following(pid)
        for again in self._frozen.values():
            if again is not None:
                again.cancel()

    # --- what the core wants --------------------------------------------------------------------------------------

    def freeze(self, app: str, process: do.Process) -> None:
        """Tried again each second while something of the app escapes; the core hears of it by the log only."""
        self._frozen[app] = None
        try:
            self._freezer.freeze(process.pid, app, process.launched, started=process.started, token=process.token)
        except (FreezeFailed, OSError) as error:
            log.error("%s: %s", app, error)
            again = asyncio.get_running_loop().call_later(_FREEZE_AGAIN, self.freeze, app, process)
            self._frozen[app] = again

    def thaw(self, app: str, process: do.Process) -> None:
        again = self._frozen.pop(app, None)
        if again is not None:
            again.cancel()
        with _logged(app, "thawed"):
            self._freezer.thaw(process.pid, app, process.launched, started=process.started, token=process.token)

    def kill(self, app: str, process: do.Process) -> None:
        with _logged(app, "killed"):
            self._freezer.kill(process.pid, app, process.launched, started=process.started, token=process.token)

    # --- following processes --------------------------------------------------------------------------------------

    def follow(self, app: str, pid: int) -> None:
        """Hear of the end of a process that is not the keeper's child: one started by hand, or by an earlier keeper."""
        if pid in self._apps or pid in self._pidfds:
            self._apps[pid] = app
            return
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            self._apps[pid] = app
            asyncio.get_running_loop().call_soon(self._ended, pid, None)
            return
        self._apps[pid], self._pidfds[pid] = app, pidfd
        asyncio.get_running_loop().add_reader(pidfd, self._ended, pid, None)

    async def survivors(self, lives: list[tuple[str, do.Process]], same_boot: bool) -> None:
        """After a restart: tell the core which of these still live (L06), and end launched ones it does not know."""
        children = {pid: app for app, pid in await self._keeper.children()}
        for app, process in lives:
            pid = process.pid
            if not pid:
                # The desk died between launching and hearing of it. The keeper knows the process; one that died at the
                # same moment is survived by it, and the launch by its token.
                pid = next((child for child, of in children.items() if of == app), 0)
                pid = pid or process_table.launched_under(process.token)
                if not pid:
                    continue
                self._post(ev.Launched(app, process.token, pid, process_table.start_time(pid) or 0))
            elif same_boot and pid in self._early:
                # It ended while no desk was there, or just now: the keeper knows how (L05, L07).
                self._post(ev.Exited(app, pid, self._early.pop(pid)))
                continue
            elif not same_boot or not process_table.alive(pid, process.started):
                continue
            if pid in children:
                self._apps[pid] = app
            else:
                self.follow(app, pid)
            self._post(ev.Survived(app, child=pid in children))
        self._end_unknown({pid: app for pid, app in children.items() if app not in dict(lives)})
        self._taking_up = False
        self._nobody_waits_for_early()

    # --- inside ---------------------------------------------------------------------------------------------------

    def _end_unknown(self, children: dict[int, str]) -> None:
        """Runs that a broken database took the desk's knowledge of: nobody would ever wake, freeze or stop them."""
        for pid, app in children.items():
            log.error("%s: process %d is ended, since the desk's database knows nothing of it any more", app, pid)
            started, token = process_table.start_time(pid) or 0, process_table.launch_token(pid)
            self._freezer.kill(pid, app, True, started=started, token=token)

    async def launch(self, effect: do.Launch) -> None:
        """``Launched`` or ``LaunchFailed`` follows. ``KeeperLost``: neither will."""
        app = effect.app
        manifest = self._manifest(app)
        if manifest is None:
            self._post(ev.LaunchFailed(app, effect.token, "It is not registered any more."))
            return
        env = {name: value for name, value in os.environ.items() if name not in OF_ONE_PROCESS}
        env[LAUNCH_TOKEN] = effect.token
        self._launching += 1
        try:
            pid = await self._keeper.launch(
                app=app,
                argv=manifest.command,
                env=env,
                cwd=_home(),
                log=str(places.log_file(app)),
                cgroup=self._freezer.prepare(app),
                listen=manifest.page,
            )
        except KeeperLost:
            raise
        except (FrontdeskError, OSError) as error:
            command = " ".join(manifest.command)
            text = f"Its command {command!r} could not be started: {error}"
            self._post(ev.LaunchFailed(app, effect.token, spelled_out(text)))
        else:
            self._apps[pid] = app
            # It may have said hello already; how it ends the keeper knows better than a descriptor of ours.
            self._stop_following(pid)
            self._post(ev.Launched(app, effect.token, pid, process_table.start_time(pid) or 0))
            if pid in self._early:
                self._exited(pid, self._early.pop(pid))
        finally:
            self._launching -= 1
            self._nobody_waits_for_early()

    def _exited(self, pid: int, status: int) -> None:
        """The keeper reports; perhaps before we know that we launched it. It is told when the core has kept it."""
        if pid in self._apps:
            self._ended(pid, status)
        elif self._launching or self._taking_up:
            self._early[pid] = status
        else:
            self._keeper.seen(pid)

    def _nobody_waits_for_early(self) -> None:
        """What is left when all launches are answered was of runs that no app is waiting for."""
        if not self._launching and not self._taking_up:
            for pid in self._early:
                self._keeper.seen(pid)
            self._early.clear()

    def _ended(self, pid: int, status: int | None) -> None:
        self._stop_following(pid)
        app = self._apps.pop(pid, None)
        if app is not None:
            again = self._frozen.pop(app, None)
            if again is not None:
                again.cancel()
            self._freezer.remove(app)
            self._post(ev.Exited(app, pid, status))

    def _stop_following(self, pid: int) -> None:
        pidfd = self._pidfds.pop(pid, None)
        if pidfd is not None:
            with contextlib.suppress(RuntimeError):
                asyncio.get_running_loop().remove_reader(pidfd)
            os.close(pidfd)


def _home() -> str:
    try:
        return str(Path.home())
    except RuntimeError:  # a person without one, in a container say: FRONTDESK_HOME is enough for the desk
        return "/"


@contextlib.contextmanager
def _logged(app: str, what: str) -> Iterator[None]:
    """A process or cgroup that goes away under our hands must not take the rest of a batch along."""
    try:
        yield
    except OSError as error:
        log.error("%s could not be %s: %s", app, what, error)
