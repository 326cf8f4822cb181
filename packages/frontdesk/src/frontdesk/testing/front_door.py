"""Who connects to the desk in memory: admitted as by the real one, heard and answered in the same words."""

import asyncio
import itertools
import os
from collections.abc import Callable
from pathlib import Path

from frontdesk.agent.clients import Clients
from frontdesk.agent.core import admission, saying
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.dispatcher import Dispatcher
from frontdesk.app.surroundings import Greeting
from frontdesk.errors import WireError
from frontdesk.terms import Refusal
from frontdesk.testing.line import Line
from frontdesk.testing.process import Process
from frontdesk.wire import desk as wire


class FrontDoor:
    """``post`` hands events to the core; ``addresses`` are those that apps had opened in a browser."""

    def __init__(self, dispatcher: Dispatcher, post: Callable[[ev.Event], None], now: Callable[[], float]) -> None:
        self.addresses: list[str] = []
        self._dispatcher = dispatcher
        self._is_open = True
        self._lines: dict[int, Line] = {}
        self._askers = itertools.count(1)
        self._channels = itertools.count(1)
        self.clients: Clients[Line] = Clients(
            dispatcher,
            post,
            desk_version=VERSION,
            now=now,
            new_channel=self._new_channel,
            show_address=self._show_address,
        )

    def close(self) -> None:
        """The desk is gone: every connection with it."""
        self._is_open = False
        for line in self._lines.values():
            line.cut()

    async def reach(
        self, process: Process, greeting: Greeting, protocol: Callable[[], asyncio.Protocol]
    ) -> asyncio.WriteTransport:
        """What connecting to the socket is elsewhere."""
        if not self._is_open:
            raise ConnectionRefusedError("there is no desk just now")
        first, _ = greeting()
        line = Line(next(self._askers), process, protocol(), self)
        self._lines[line.asker] = line
        line.write(first)
        return line

    # --- from apps ------------------------------------------------------------------------------------------------

    def heard(self, line: Line, message: wire.ToDesk) -> None:
        """``WireError``: nothing that may be said here."""
        match message:
            case wire.Hello():
                self._hello(line, message)
            case wire.OpenFirst():
                self.clients.enter_to_steer(line, message)
            case _ if line.app is None:
                raise WireError(Refusal.BAD_REQUEST, f"{type(message).__name__} needs the hello of an app first.")
            case _:
                self.clients.heard(line, line.app, message)

    def hung_up(self, line: Line) -> None:
        self._lines.pop(line.asker, None)
        self.clients.left(line)

    def _hello(self, line: Line, hello: wire.Hello) -> None:
        manifest = self._dispatcher.lifecycle.manifests().get(hello.app)
        process = line.process
        command = manifest.command if manifest is not None and process.app == hello.app else ()
        peer = admission.Peer(process.pid, os.getuid(), process.started, command, str(Path.cwd()))
        admitted = self.clients.admit(line, hello, peer, manifest)
        if admitted is not None and (before := self.clients.enter(line, hello, peer, admitted)) is not None:
            before.cut()

    def _show_address(self, line: Line, asked: wire.ShowAddress) -> None:
        self.addresses.append(asked.address)
        line.send(wire.Done(asked.request))

    def _new_channel(self) -> saying.NewChannel:
        """Nobody pushes to it from outside, so nothing has to be secret."""
        number = next(self._channels)
        return saying.NewChannel(f"channel-{number}", "", f"p256dh-{number}", f"auth-{number}")


VERSION = "in memory"
"""What the desk in memory gives as its version."""
