"""The clients of a desk, at its socket or in the memory of a test: let in or refused, heard, and answered."""

import asyncio
import functools
import os
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from frontdesk.agent.core import admission
from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.answering import Question, answered, not_shown
from frontdesk.agent.core.dispatcher import Dispatcher
from frontdesk.agent.core.saying import NewChannel, said
from frontdesk.agent.in_turn import InTurn
from frontdesk.errors import WireError
from frontdesk.terms import Manifest, Refusal
from frontdesk.wire import desk as wire


class Client(Protocol):
    """The desk's end of one connection."""

    asker: int
    """By this the core knows whom to answer."""
    pid: int
    app: str | None
    """The app it was admitted as."""
    version: int
    """Of the protocol, as agreed in its hello (X03)."""

    def send(self, message: wire.ToApp) -> None: ...

    def refuse(self, reason: Refusal, text: str) -> None:
        """Say why, and end the connection."""


C = TypeVar("C", bound=Client)


class Clients(Generic[C]):
    """Knows which connection belongs to whom. ``post`` hands events to the core; ``show_address`` opens a browser."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        post: Callable[[ev.Event], None],
        *,
        desk_version: str,
        now: Callable[[], float],
        new_channel: Callable[[], NewChannel],
        show_address: Callable[[C, wire.ShowAddress], None],
    ) -> None:
        self._dispatcher = dispatcher
        self._post = post
        self._desk_version = desk_version
        self._now = now
        self._new_channel = new_channel
        self._open_address = show_address
        self._by_app: dict[str, C] = {}
        self._by_asker: dict[int, C] = {}
        self._questions = InTurn()

    def is_connected(self, app: str) -> bool:
        return app in self._by_app

    # --- towards clients ------------------------------------------------------------------------------------------

    def send(self, effect: do.Send) -> None:
        """To the app's connection; without one the message is moot: its next hello brings both sides together."""
        client = self._by_app.get(effect.app)
        if client is not None:
            client.send(effect.message)

    def answer(self, effect: do.Answer) -> None:
        client = self._by_asker.get(effect.asker)
        if client is not None:
            client.send(effect.message)

    # --- coming and going -----------------------------------------------------------------------------------------

    def admit(
        self, client: C, hello: wire.Hello, peer: admission.Peer, manifest: Manifest | None
    ) -> admission.Admitted | None:
        """Whether it may be that app. None: it has been refused, and the app opened where that is why (X04)."""
        life, other = self._dispatcher.lifecycle.life(hello.app), self._by_app.get(hello.app)
        run = life.run if life is not None and other is not None and other.pid != client.pid else ""
        decision = admission.admit(hello, peer, os.getuid(), manifest, life.token if life is not None else "", run)
        if isinstance(decision, admission.Admitted):
            return decision
        if decision.reason is Refusal.ALREADY_RUNNING:
            self._post(ev.OpenAsked(hello.app))
        text = f"process {client.pid} was not admitted: {decision.text}"
        self._post(ev.Noticed(hello.app, "refused", text))
        client.refuse(decision.reason, decision.text)
        return None

    def enter(self, client: C, hello: wire.Hello, peer: admission.Peer, admitted: admission.Admitted) -> C | None:
        """From here on it is the app's. Gives the one that was so before: its connection is to be ended."""
        before = self._by_app.get(hello.app)
        client.app, client.version = hello.app, admitted.version
        self._by_app[hello.app] = self._by_asker[client.asker] = client
        self._post(
            ev.Connected(
                app=hello.app,
                pid=peer.pid,
                started=peer.started,
                run=hello.run,
                launched=admitted.launched,
                foreground=hello.foreground,
                tasks=hello.tasks,
                pushes=hello.pushes,
                runs=hello.runs,
                page=hello.page,
                version=admitted.version,
            )
        )
        return before

    def enter_to_steer(self, client: C, hello: wire.ControlHello | wire.OpenFirst) -> bool:
        """It looks at the desk and steers it, or only has an app opened. False: it has been refused."""
        version = admission.version_of(hello)
        if isinstance(version, admission.No):
            client.refuse(version.reason, version.text)
            return False
        if isinstance(hello, wire.OpenFirst):
            if hello.app not in self._dispatcher.lifecycle.manifests():
                client.refuse(Refusal.UNKNOWN_APP, admission.unknown(hello.app))
                return False
            self._post(ev.OpenAsked(hello.app))
        client.version = version
        self._by_asker[client.asker] = client
        client.send(wire.Welcome(version=version, desk=self._desk_version))
        return True

    def left(self, client: C) -> None:
        """Its connection has ended."""
        self._by_asker.pop(client.asker, None)
        self._questions.forget(client.asker)
        if client.app is not None and self._by_app.get(client.app) is client:
            del self._by_app[client.app]
            self._post(ev.Disconnected(client.app))

    # --- what an app says -----------------------------------------------------------------------------------------

    def heard(self, client: C, app: str, message: wire.ToDesk) -> None:
        """``WireError``: nothing that an app may say."""
        if isinstance(message, wire.ShowAddress):
            # Decided when what it said before, "I am in front" perhaps, has been handled.
            asyncio.get_running_loop().call_soon(self._show_address, client, app, message)
        elif isinstance(message, Question):
            self._questions.later(client.asker, functools.partial(self._tell, client, app, message))
        elif (event := said(app, client.asker, message, self._new_channel)) is not None:
            self._post(event)
        else:
            raise WireError(Refusal.BAD_REQUEST, f"An app may not send {type(message).__name__}.")

    def _tell(self, client: C, app: str, question: Question) -> None:
        client.send(answered(app, question, self._dispatcher, self._now()))

    def _show_address(self, client: C, app: str, asked: wire.ShowAddress) -> None:
        refused = not_shown(app, asked.request, self._dispatcher)
        if refused is None:
            self._open_address(client, asked)
            return
        text = "no browser was opened: it runs in the background, and nobody opens it"
        self._post(ev.Noticed(app, "refused", text))
        client.send(refused)
