"""The keeper: the small parent that outlives the desk (contract L06). It hardly ever changes and remembers nothing.

It owns the desk's socket and the apps' listening sockets, starts the desk again when it dies, launches apps in
sessions of their own and tells the desk how they ended. When the keeper itself dies, apps run on and the desk ends
by itself; the next keeper starts anew, and apps that still run are admitted again by the desk.
"""

import contextlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from frontdesk import places
from frontdesk.agent.shell import cgroup, process_table
from frontdesk.agent.shell.desk_channel import ChannelClosed, ChannelLost, DeskChannel
from frontdesk.agent.shell.one_desk import DeskIsThere, listen_for_apps, take_lock
from frontdesk.agent.shell.pages import PageRefused, Pages, port_of
from frontdesk.agent.shell.spawn import SpawnFailed, adopt_orphans, open_log, spawn
from frontdesk.environment import KEEPER_FD, LISTEN_FD, PAGE_FD
from frontdesk.errors import FrontdeskError
from frontdesk.wire import keeper as wire

ALREADY_RUNNING = 3
"""Exit status: there is a desk already."""
DESK_TIME_TO_STOP = 5.0
"""Seconds the desk has to stop its apps and leave, before it is killed."""
APPS_TIME_TO_STOP = 1.0
"""Seconds apps that are still there after the desk have to leave, before they are killed."""
PAUSE_MOST = 2.0
"""Longest pause in seconds before the desk is started again (L06)."""

_STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def pause_before_restart(last_pause: float, ran_for: float) -> float:
    """Seconds to wait before starting a desk that died after ``ran_for`` seconds: none, unless it keeps dying."""
    return 0.0 if ran_for >= 1.0 else min(PAUSE_MOST, max(0.1, 2 * last_pause))


class Keeper:
    """One run of the keeper, from its first desk to its end."""

    def __init__(self, desk_command: Sequence[str], lock: int, desk_listener: socket.socket) -> None:
        self._desk_command = desk_command
        self._lock = lock
        self._desk_listener = desk_listener
        self._pages = Pages()
        self._apps: dict[int, str] = {}
        self._cgroups: set[str] = set()
        """Folders that launched apps joined: removed at the end, when there is no desk left to do it."""
        self._ended: dict[int, int] = {}
        """Exit statuses by process id, until a desk has seen them."""
        self._desk = 0
        self._desk_started = 0.0
        self._pause = 0.0
        self._channel: DeskChannel | None = None
        self._start_desk_at: float | None = 0.0
        self._stop_by: float | None = None
        self._exit_status: int | None = None
        self._signals = _signal_pipe()

    def run(self) -> int:
        """Until the desk ends for good or a signal asks for the end; returns the exit status."""
        while self._exit_status is None:
            now = time.monotonic()
            if self._stop_by is not None and now >= self._stop_by:
                _say(f"the desk did not leave in {DESK_TIME_TO_STOP:.0f} s and is killed")
                break
            if self._start_desk_at is not None and now >= self._start_desk_at:
                self._start_desk(now)
            self._wait(self._stop_by if self._stop_by is not None else self._start_desk_at)
        self._end_everything()
        for folder in self._cgroups:
            cgroup.remove(Path(folder))
        return self._exit_status or 0

    def _wait(self, until: float | None) -> None:
        """Sleep until a signal, the desk, or the time ``until``; then do what is to be done."""
        poll = select.poll()
        poll.register(self._signals, select.POLLIN)
        if self._channel is not None:
            poll.register(self._channel, self._channel.wants)
        ready = dict(poll.poll(None if until is None else max(0.0, until - time.monotonic()) * 1000))
        if self._channel is not None and self._channel.fileno() in ready:
            self._serve(self._channel)
        if self._signals in ready:
            self._on_signals()

    def _on_signals(self) -> None:
        if any(number in _STOP for number in os.read(self._signals, 4096)) and self._stop_by is None:
            self._stop_by = time.monotonic() + DESK_TIME_TO_STOP
            self._start_desk_at = None
            if self._desk:
                os.kill(self._desk, signal.SIGTERM)
            else:
                self._exit_status = 0
        self._reap()

    # The desk.

    def _start_desk(self, now: float) -> None:
        self._start_desk_at = None
        self._desk_started = now
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        env = {**os.environ, KEEPER_FD: "3", LISTEN_FD: "4"}
        # The lock goes along: even when the keeper is killed, no second desk starts before this one has ended.
        passed = [theirs.fileno(), self._desk_listener.fileno(), self._lock]
        try:
            self._desk = spawn(self._desk_command, env, passed=passed)
        except SpawnFailed as error:
            ours.close()
            self._start_desk_again(str(error))
            return
        finally:
            theirs.close()
        self._channel = DeskChannel(ours)
        for pid, status in self._ended.items():
            self._tell(0, wire.Exited(pid, status))

    def _on_desk_exit(self, status: int) -> None:
        self._desk = 0
        self._drop_channel()
        if self._stop_by is not None:
            self._exit_status = 0
        elif status in (0, wire.HOPELESS):
            self._exit_status = status
        else:
            self._start_desk_again(
                f"the desk ended by signal {-status}." if status < 0 else f"the desk ended ({status})."
            )

    def _start_desk_again(self, why: str) -> None:
        now = time.monotonic()
        self._pause = pause_before_restart(self._pause, now - self._desk_started)
        self._start_desk_at = now + self._pause
        _say(f"{why} Its apps and sockets are kept; it is started again in {self._pause:.1f} s")

    def _tell(self, number: int, report: wire.Report, fds: Sequence[int] = ()) -> None:
        if self._channel is not None:
            try:
                self._channel.send(number, report, fds)
            except ChannelLost as error:
                self._drop_channel(error)

    def _drop_channel(self, why: ChannelLost | None = None) -> None:
        # One that is merely closed goes with the desk's end, of which is told by its status, or by the desk itself.
        if why is not None and self._stop_by is None and not isinstance(why, ChannelClosed):
            _say(f"the channel to the desk ended: {why}")
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    # What the desk asks.

    def _serve(self, channel: DeskChannel) -> None:
        try:
            channel.flush()
            asked = channel.receive()
        except ChannelLost as error:
            self._drop_channel(error)
            return
        if asked is not None:
            number, request, handed = asked
            try:
                self._answer(number, request, handed)
            except PageRefused as error:
                self._tell(number, wire.Refused(error.reason, str(error)))
            except SpawnFailed as error:
                self._tell(number, wire.Refused(wire.KeeperRefusal.LAUNCH_FAILED, str(error)[:1000]))

    def _answer(self, number: int, request: wire.Request, handed: list[int]) -> None:
        match request:
            case wire.Launch():
                self._tell(number, wire.Launched(self._launch(request)))
            case wire.Listen(app, port):
                page = self._pages.open(app, port)
                self._tell(number, wire.Listening(port_of(page)), [page.fileno()])
            case wire.Adopt(app):
                self._pages.adopt(app, handed)
                self._tell(number, wire.Done())
            case wire.Forget(app):
                self._pages.forget(app)
                self._tell(number, wire.Done())
            case wire.ListPages():
                self._tell(number, wire.Pages(self._pages.listing()), self._pages.descriptors())
            case wire.ListChildren():
                self._tell(number, wire.Children(tuple((app, pid) for pid, app in self._apps.items())))
            case wire.Seen(pid):
                self._ended.pop(pid, None)

    def _launch(self, ask: wire.Launch) -> int:
        env, passed = dict(ask.env), []
        if ask.listen:
            passed = [self._pages.open(ask.app, 0).fileno()]
            env[PAGE_FD] = str(wire.PAGE_FD)
        if ask.cgroup is not None:
            self._cgroups.add(ask.cgroup)
        pid = spawn(ask.argv, env, cwd=ask.cwd, log=ask.log, cgroup=ask.cgroup, passed=passed)
        self._apps[pid] = ask.app
        # The number may have been used before; then its last owner's exit is no news of this one.
        self._ended.pop(pid, None)
        return pid

    # Ends.

    def _reap(self) -> bool:
        """Take note of every child that has ended; False when there are no children at all."""
        while True:
            try:
                pid, how = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            status = os.waitstatus_to_exitcode(how)
            if pid == self._desk:
                self._on_desk_exit(status)
            elif pid in self._apps:
                del self._apps[pid]
                self._ended[pid] = status
                self._tell(0, wire.Exited(pid, status))

    def _end_everything(self) -> None:
        """Leave no process behind that this keeper, its desk or its apps started, but browsers."""
        if self._desk:
            os.kill(self._desk, signal.SIGKILL)
        for number in (signal.SIGTERM, signal.SIGCONT):  # a stopped process hears SIGTERM only once it goes on
            for pid in self._apps:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, number)
        self._wait_for_children(APPS_TIME_TO_STOP, lambda: bool(self._apps))
        # Orphans come to us (adopt_orphans): round after round, until there are no children left.
        for _ in range(50):
            table = process_table.everyone()
            left = process_table.descendants(os.getpid(), table)
            doomed = [pid for pid in left if not table[pid].ended and not process_table.stays(pid)]
            for pid in doomed:
                process_table.send_signal(table[pid], signal.SIGKILL)
            if not self._wait_for_children(0.1 if doomed else 0.0, lambda: True) or not doomed:
                return
        _say("some processes could not be killed; `ps` shows what they wait for")

    def _wait_for_children(self, seconds: float, wanted: Callable[[], bool]) -> bool:
        """Reap until ``wanted`` says no or time is up; False when no child is left."""
        until = time.monotonic() + seconds
        some = self._reap()
        while some and wanted() and (left := until - time.monotonic()) > 0:
            if select.select([self._signals], [], [], left)[0]:
                os.read(self._signals, 4096)
            some = self._reap()
        return some


def main(desk_command: Sequence[str] | None = None, *, detach: bool = False) -> int:
    """Run the keeper and its desk until they are asked to end.

    ``desk_command`` is the desk's program and arguments, default: the desk of this package. ``detach``: return as
    soon as the desk's socket is there, and go on in a process and session of its own, printing to the desk's log.

    Returns the exit status: 0, ALREADY_RUNNING, or ``wire.keeper.HOPELESS`` when the desk cannot run as things are
    set up.
    """
    if not detach:
        return _run(desk_command, lambda status: None)
    waiting, told = os.pipe()
    if os.fork():
        os.close(told)
        # Without a word the other process died; its last words are on our stderr.
        return (os.read(waiting, 1) or b"\1")[0]
    os.close(waiting)
    os.setsid()
    return _run(desk_command, lambda status: _let_go(told, status))


def _run(desk_command: Sequence[str] | None, ready: Callable[[int], None]) -> int:
    try:
        # Its desk needs them, and would be started again and again without.
        places.config_folder(), places.state_folder()
        cgroup.step_out_of_app_folder()
        lock = take_lock()
        listener = listen_for_apps()
        adopt_orphans()
        ready(0)
    except DeskIsThere as error:
        _say(str(error))
        ready(ALREADY_RUNNING)
        return ALREADY_RUNNING
    except (FrontdeskError, OSError) as error:
        _say(f"the desk cannot run: {error}")
        ready(wire.HOPELESS)
        return wire.HOPELESS
    keeper = Keeper(desk_command or [sys.executable, "-m", "frontdesk.agent.main"], lock, listener)
    try:
        return keeper.run()
    finally:
        places.desk_socket().unlink(missing_ok=True)


def _let_go(told: int, status: int) -> None:
    """Tell the process that waits how it went, and let go of its terminal."""
    if status == 0:
        log, null = open_log(places.log_file("desk")), os.open(os.devnull, os.O_RDONLY)
        for ours, standard in ((null, 0), (log, 1), (log, 2)):
            os.dup2(ours, standard)
        os.close(log)
        os.close(null)
    os.write(told, bytes([status]))
    os.close(told)


def _signal_pipe() -> int:
    """Signals as bytes in a pipe, so that one poll waits for them and for the desk."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for number in (*_STOP, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    return read


def _say(text: str) -> None:
    print(f"frontdesk keeper: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(detach="--detach" in sys.argv[1:]))
