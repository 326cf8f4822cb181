"""Receives who connects to the desk: admits or refuses, and turns what they say into events for the core."""

import asyncio
import functools
import os
import secrets
import socket
import uuid
from collections.abc import Callable
from pathlib import Path

from frontdesk.agent.core import admission
from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.answering import Question, answered, not_shown
from frontdesk.agent.core.dispatcher import Dispatcher
from frontdesk.agent.core.saying import NewChannel, said
from frontdesk.agent.in_turn import InTurn
from frontdesk.agent.shell import process_table
from frontdesk.agent.shell.app_server import AppServer, Connection
from frontdesk.agent.shell.registry import Registry
from frontdesk.agent.steering import Steering, reason_of, unknown
from frontdesk.errors import FrontdeskError, WireError
from frontdesk.terms import Manifest, Refusal
from frontdesk.wire import desk as wire
from frontdesk.wire import webpush


class Reception:
    """Knows which connection belongs to whom. ``post`` hands events to the core.

    ``steering`` hears what programs that steer say; ``take_page`` gets the listening socket an app brought along;
    ``follow`` is told of each admitted process, ``called`` of each that the person, not the desk, started;
    ``show_address`` opens a browser, and calls back.
    """

    def __init__(
        self,
        listener: socket.socket,
        dispatcher: Dispatcher,
        registry: Registry,
        post: Callable[[ev.Event], None],
        steering: Steering,
        *,
        desk_version: str,
        now: Callable[[], float],
        take_page: Callable[[str, socket.socket], None],
        follow: Callable[[str, int], None],
        called: Callable[[int], None],
        show_address: Callable[[str, Callable[[FrontdeskError | None], None]], None],
        note: Callable[[str, str, str], None],
        most_messages: int,
    ) -> None:
        self._dispatcher = dispatcher
        self._registry = registry
        self._post = post
        self._steering = steering
        self._desk_version = desk_version
        self._now = now
        self._take_page = take_page
        self._follow = follow
        self._called = called
        self._open_address = show_address
        self._note = note
        self._by_app: dict[str, Connection] = {}
        self._by_asker: dict[int, Connection] = {}
        self._questions = InTurn()
        self._server = AppServer(listener, self._received, self._ended, self._broken, most_messages)

    def close(self) -> None:
        self._server.close()

    # --- towards clients ------------------------------------------------------------------------------------------

    def send(self, effect: do.Send) -> None:
        """To the app's connection; without one the message is moot: its next hello brings both sides together."""
        connection = self._by_app.get(effect.app)
        if connection is not None:
            connection.send(effect.message)

    def answer(self, effect: do.Answer) -> None:
        connection = self._by_asker.get(effect.asker)
        if connection is not None:
            connection.send(effect.message)

    # --- from clients ---------------------------------------------------------------------------------------------

    def _received(self, connection: Connection, message: wire.ToDesk, fds: list[int]) -> None:
        match message:
            case wire.Hello():
                self._hello(connection, message, fds)
            case wire.ControlHello() | wire.OpenFirst():
                self._steering_hello(connection, message)
            case _ if connection.app is not None:
                self._from_app(connection, connection.app, message)
            case _:
                self._steering.received(connection, message)

    def _hello(self, connection: Connection, hello: wire.Hello, fds: list[int]) -> None:
        peer = _peer(connection)
        try:
            manifest = self._manifest_for(hello, peer)
        except FrontdeskError as error:
            connection.refuse(reason_of(error, Refusal.BAD_MANIFEST), str(error))
            return
        life = self._dispatcher.lifecycle.life(hello.app)
        other = self._by_app.get(hello.app)
        run = life.run if life is not None and other is not None and not _same_process(other, connection) else ""
        decision = admission.admit(hello, peer, os.getuid(), manifest, life.token if life is not None else "", run)
        if isinstance(decision, admission.No):
            if decision.reason is Refusal.ALREADY_RUNNING:
                self._post(ev.OpenAsked(hello.app))
            self._note(hello.app, "refused", f"process {connection.pid} was not admitted: {decision.text}")
            connection.refuse(decision.reason, decision.text)
            return
        page = listening_page(fds) if manifest is not None and manifest.page else None
        if fds and page is None and manifest is not None and manifest.page:
            connection.refuse(Refusal.BAD_REQUEST, "What came with the hello is no listening socket of this machine.")
            return
        if other is not None:
            del self._by_app[hello.app]
            other.close()
        connection.app, connection.version = hello.app, decision.version
        self._by_app[hello.app] = self._by_asker[connection.asker] = connection
        if page is not None:
            self._take_page(hello.app, page)
        self._follow(hello.app, connection.pid)
        if not decision.launched:
            self._called(connection.pid)
        self._post(
            ev.Connected(
                app=hello.app,
                pid=connection.pid,
                started=peer.started,
                run=hello.run,
                launched=decision.launched,
                foreground=hello.foreground,
                tasks=hello.tasks,
                pushes=hello.pushes,
                runs=hello.runs,
                page=hello.page,
                version=decision.version,
            )
        )

    def _manifest_for(self, hello: wire.Hello, peer: admission.Peer) -> Manifest | None:
        """The registered manifest; an app the desk does not know yet may bring its own, if it is that program.

        One that brings the token of a launch was known: it has been removed since, and does not come back by itself.
        """
        known = self._dispatcher.lifecycle.manifests().get(hello.app)
        if known is not None or hello.token or not hello.manifest or peer.uid != os.getuid():
            return known
        brought = self._registry.read(Path(hello.manifest), hello.python)
        if brought.id != hello.app or not admission.runs_command(peer, brought.command):
            return None
        self._registry.add(Path(hello.manifest), hello.python)
        self._post(ev.AppAdded(brought))
        return brought

    def _steering_hello(self, connection: Connection, hello: wire.ControlHello | wire.OpenFirst) -> None:
        version = admission.version_of(hello)
        if connection.uid != os.getuid():
            connection.refuse(
                Refusal.NOT_PERMITTED, "This desk belongs to another person. Nothing was told or changed."
            )
        elif isinstance(version, admission.No):
            connection.refuse(version.reason, version.text)
        elif isinstance(hello, wire.OpenFirst) and not self._knows(hello.app):
            connection.refuse(Refusal.UNKNOWN_APP, unknown(hello.app))
        else:
            self._called(connection.pid)
            if isinstance(hello, wire.OpenFirst):
                self._post(ev.OpenAsked(hello.app))
            connection.version = version
            self._by_asker[connection.asker] = connection
            connection.send(wire.Welcome(version=version, desk=self._desk_version))

    def _from_app(self, connection: Connection, app: str, message: wire.ToDesk) -> None:
        if isinstance(message, wire.ShowAddress):
            # Decided when what it said before, "I am in front" perhaps, has been handled.
            later = asyncio.get_running_loop().call_soon
            later(self._show_address, connection, app, message.request, message.address)
        elif isinstance(message, Question):
            self._questions.later(connection, functools.partial(self._tell, connection, app, message))
        elif (event := said(app, connection.asker, message, _new_channel)) is not None:
            self._post(event)
        else:
            raise WireError(Refusal.BAD_REQUEST, f"An app may not send {type(message).__name__}.")

    def _tell(self, connection: Connection, app: str, question: Question) -> None:
        connection.send(answered(app, question, self._dispatcher, self._now()))

    def _show_address(self, connection: Connection, app: str, request: int, address: str) -> None:
        refused = not_shown(app, request, self._dispatcher)
        if refused is not None:
            self._note(app, "refused", "no browser was opened: it runs in the background, and nobody opens it")
            connection.send(refused)
            return

        def done(error: FrontdeskError | None) -> None:
            if error is None:
                connection.send(wire.Done(request))
            else:
                connection.send(wire.Refused(reason_of(error, Refusal.UNAVAILABLE), str(error), request))

        self._open_address(address, done)

    # --- ends -----------------------------------------------------------------------------------------------------

    def _ended(self, connection: Connection) -> None:
        self._by_asker.pop(connection.asker, None)
        self._questions.forget(connection)
        self._steering.forget(connection)
        if connection.app is not None and self._by_app.get(connection.app) is connection:
            del self._by_app[connection.app]
            self._post(ev.Disconnected(connection.app))

    def _broken(self, connection: Connection, error: WireError) -> None:
        self._note(connection.app or "", "refused", f"process {connection.pid} broke the protocol: {error}")

    def _knows(self, app: str) -> bool:
        return app in self._dispatcher.lifecycle.manifests()


def _peer(connection: Connection) -> admission.Peer:
    pid = connection.pid
    return admission.Peer(
        pid=pid,
        uid=connection.uid,
        started=process_table.start_time(pid) or 0,
        command=process_table.command_line(pid),
        folder=process_table.folder(pid),
    )


def listening_page(fds: list[int]) -> socket.socket | None:
    """A socket of our own on the first descriptor, if it is a listening TCP socket."""
    if not fds:
        return None
    own = os.dup(fds[0])
    try:
        page = socket.socket(fileno=own)
    except OSError:
        os.close(own)
        return None
    listens = page.family in (socket.AF_INET, socket.AF_INET6)
    if listens and page.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return page
    page.close()
    return None


def _new_channel() -> NewChannel:
    keys = webpush.receiver_keys(secrets.token_bytes(webpush.SEED_BYTES), secrets.token_bytes(webpush.AUTH_BYTES))
    return NewChannel(str(uuid.uuid4()), keys.private, keys.p256dh, keys.auth)


def _same_process(one: Connection, other: Connection) -> bool:
    return one.pid == other.pid
