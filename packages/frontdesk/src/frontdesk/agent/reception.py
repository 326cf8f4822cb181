"""Receives who connects to the desk: admits or refuses, and turns what they say into events for the core."""

import os
import secrets
import socket
import uuid
from collections.abc import Callable
from pathlib import Path

from frontdesk.agent.clients import Clients
from frontdesk.agent.core import admission
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.dispatcher import Dispatcher
from frontdesk.agent.core.saying import NewChannel
from frontdesk.agent.shell import process_table
from frontdesk.agent.shell.app_server import AppServer, Connection
from frontdesk.agent.shell.registry import Registry
from frontdesk.agent.steering import Steering, reason_of
from frontdesk.errors import FrontdeskError, WireError
from frontdesk.terms import Manifest, Refusal
from frontdesk.wire import desk as wire
from frontdesk.wire import webpush


class Reception:
    """Has the kernel's word on who connects, and what came beside a hello. ``post`` hands events to the core.

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
        most_messages: int,
    ) -> None:
        self._dispatcher = dispatcher
        self._registry = registry
        self._post = post
        self._steering = steering
        self._take_page = take_page
        self._follow = follow
        self._called = called
        self._open_address = show_address
        self.clients: Clients[Connection] = Clients(
            dispatcher,
            post,
            desk_version=desk_version,
            now=now,
            new_channel=_new_channel,
            show_address=self._show_address,
        )
        self._server = AppServer(listener, self._received, self._ended, self._broken, most_messages)

    def close(self) -> None:
        self._server.close()

    # --- from clients ---------------------------------------------------------------------------------------------

    def _received(self, connection: Connection, message: wire.ToDesk, fds: list[int]) -> None:
        match message:
            case wire.Hello():
                self._hello(connection, message, fds)
            case wire.ControlHello() | wire.OpenFirst():
                self._steering_hello(connection, message)
            case _ if connection.app is not None:
                self.clients.heard(connection, connection.app, message)
            case _:
                self._steering.received(connection, message)

    def _hello(self, connection: Connection, hello: wire.Hello, fds: list[int]) -> None:
        peer = _peer(connection)
        try:
            manifest = self._manifest_for(hello, peer)
        except FrontdeskError as error:
            connection.refuse(reason_of(error, Refusal.BAD_MANIFEST), str(error))
            return
        admitted = self.clients.admit(connection, hello, peer, manifest)
        if admitted is None:
            return
        page = listening_page(fds) if manifest is not None and manifest.page else None
        if fds and page is None and manifest is not None and manifest.page:
            connection.refuse(Refusal.BAD_REQUEST, "What came with the hello is no listening socket of this machine.")
            return
        if page is not None:
            self._take_page(hello.app, page)
        self._follow(hello.app, connection.pid)
        if not admitted.launched:
            self._called(connection.pid)
        before = self.clients.enter(connection, hello, peer, admitted)
        if before is not None:
            before.close()

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
        if connection.uid != os.getuid():
            connection.refuse(
                Refusal.NOT_PERMITTED, "This desk belongs to another person. Nothing was told or changed."
            )
        elif self.clients.enter_to_steer(connection, hello):
            self._called(connection.pid)

    def _show_address(self, connection: Connection, asked: wire.ShowAddress) -> None:
        def done(error: FrontdeskError | None) -> None:
            if error is None:
                connection.send(wire.Done(asked.request))
            else:
                connection.send(wire.Refused(reason_of(error, Refusal.UNAVAILABLE), str(error), asked.request))

        self._open_address(asked.address, done)

    # --- ends -----------------------------------------------------------------------------------------------------

    def _ended(self, connection: Connection) -> None:
        self._steering.forget(connection)
        self.clients.left(connection)

    def _broken(self, connection: Connection, error: WireError) -> None:
        text = f"process {connection.pid} broke the protocol: {error}"
        self._post(ev.Noticed(connection.app or "", "refused", text))


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
