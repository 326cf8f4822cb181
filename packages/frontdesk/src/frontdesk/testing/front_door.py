"""Who connects to the desk in memory: admitted as by the real one, heard and answered in the same words."""

import asyncio
import itertools
import os
from collections.abc import Callable
from pathlib import Path

from frontdesk.agent.core import admission, answering, saying
from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.answering import Question
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
        self._post = post
        self._now = now
        self._loop = asyncio.get_running_loop()
        self._is_open = True
        self._by_app: dict[str, Line] = {}
        self._by_asker: dict[int, Line] = {}
        self._askers = itertools.count(1)
        self._channels = itertools.count(1)

    def close(self) -> None:
        """The desk is gone: every connection with it."""
        self._is_open = False
        for line in [*self._by_asker.values()]:
            line.cut()

    async def reach(
        self, process: Process, greeting: Greeting, protocol: Callable[[], asyncio.Protocol]
    ) -> asyncio.WriteTransport:
        """What connecting to the socket is elsewhere."""
        if not self._is_open:
            raise ConnectionRefusedError("there is no desk just now")
        first, _ = greeting()
        line = Line(next(self._askers), process, protocol(), self)
        self._by_asker[line.asker] = line
        line.write(first)
        return line

    def is_connected(self, app: str) -> bool:
        return app in self._by_app

    # --- towards apps ---------------------------------------------------------------------------------------------

    def send(self, effect: do.Send) -> None:
        line = self._by_app.get(effect.app)
        if line is not None:
            line.say(effect.message)

    def answer(self, effect: do.Answer) -> None:
        line = self._by_asker.get(effect.asker)
        if line is not None:
            line.say(effect.message)

    # --- from apps ------------------------------------------------------------------------------------------------

    def heard(self, line: Line, message: wire.ToDesk) -> None:
        """``WireError``: nothing that may be said here."""
        match message:
            case wire.Hello():
                self._hello(line, message)
            case wire.OpenFirst(app=app):
                self._post(ev.OpenAsked(app))
                line.say(wire.Welcome(version=wire.NEWEST, desk=VERSION))
            case _ if line.app is None:
                raise WireError(Refusal.BAD_REQUEST, f"{type(message).__name__} needs the hello of an app first.")
            case wire.ShowAddress():
                self._loop.call_soon(self._show_address, line, line.app, message)
            case wire.ListTasks() | wire.ExplainTasks() | wire.GetBudget():
                # Answered when what it said before has been handled.
                self._loop.call_soon(self._look, line, line.app, message)
            case _:
                event = saying.said(line.app, line.asker, message, self._new_channel)
                if event is None:
                    raise WireError(Refusal.BAD_REQUEST, f"An app may not send {type(message).__name__}.")
                self._post(event)

    def hung_up(self, line: Line) -> None:
        self._by_asker.pop(line.asker, None)
        if line.app is not None and self._by_app.get(line.app) is line:
            del self._by_app[line.app]
            self._post(ev.Disconnected(line.app))

    def _hello(self, line: Line, hello: wire.Hello) -> None:
        manifest = self._dispatcher.lifecycle.manifests().get(hello.app)
        life, other = self._dispatcher.lifecycle.life(hello.app), self._by_app.get(hello.app)
        command = manifest.command if manifest is not None and line.process.app == hello.app else ()
        uid, process = os.getuid(), line.process
        peer = admission.Peer(process.pid, uid, process.started, command, str(Path.cwd()))
        run = life.run if life is not None and other is not None and other.process is not process else ""
        decision = admission.admit(hello, peer, uid, manifest, life.token if life is not None else "", run)
        if isinstance(decision, admission.No):
            if decision.reason is Refusal.ALREADY_RUNNING:
                self._post(ev.OpenAsked(hello.app))
            line.refuse(wire.Refused(decision.reason, decision.text))
            return
        if other is not None:
            del self._by_app[hello.app]
            other.cut()
        line.app, line.version = hello.app, decision.version
        self._by_app[hello.app] = line
        connected = ev.Connected(
            app=hello.app,
            pid=process.pid,
            started=process.started,
            run=hello.run,
            launched=decision.launched,
            foreground=hello.foreground,
            tasks=hello.tasks,
            pushes=hello.pushes,
            runs=hello.runs,
            page=hello.page,
            version=decision.version,
        )
        self._post(connected)

    def _look(self, line: Line, app: str, question: Question) -> None:
        line.say(answering.answered(app, question, self._dispatcher, self._now()))

    def _show_address(self, line: Line, app: str, asked: wire.ShowAddress) -> None:
        refused = answering.not_shown(app, asked.request, self._dispatcher)
        if refused is None:
            self.addresses.append(asked.address)
        line.say(refused or wire.Done(asked.request))

    def _new_channel(self) -> saying.NewChannel:
        """Nobody pushes to it from outside, so nothing has to be secret."""
        number = next(self._channels)
        return saying.NewChannel(f"channel-{number}", "", f"p256dh-{number}", f"auth-{number}")


VERSION = "in memory"
"""What the desk in memory gives as its version."""
