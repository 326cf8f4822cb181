"""The push service as a program: settings, start, graceful stop.

``python -m frontdesk.push.main --help`` lists the settings; ``frontdesk push serve`` is the same.
"""

import argparse
import asyncio
import contextlib
import errno
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from aiohttp import web

from frontdesk.errors import FrontdeskError
from frontdesk.push.core import addresses
from frontdesk.push.loop import PushService
from frontdesk.push.shell.http import BAD_REQUESTS_IN_A_LINE, IDLE, HttpSide
from frontdesk.push.shell.sender import Sender
from frontdesk.push.shell.store import LARGEST, LEAST, Store
from frontdesk.push.shell.websocket import WebSocketSide

_log = logging.getLogger("frontdesk.push")

FILES_BESIDE = 300
"""Open files kept free of desks: for senders, homeservers, the gateway's own posts and the database."""


class PushSettings(msgspec.Struct, frozen=True):
    """How to run the service."""

    data: Path
    """Folder of the database; made when missing, open to its owner only."""
    host: str = "127.0.0.1"
    port: int = 8930
    """0: any free one, told through ``port_file``."""
    public_url: str = ""
    """How senders reach this service; the start of every endpoint. Default: ``http://host:port``."""
    allow_private: tuple[str, ...] = ()
    """Private networks (``127.0.0.0/8``) that the gateway may push to; by default none."""
    port_file: Path | None = None
    """Where to write the port once the service accepts connections."""
    largest: int = LARGEST
    """Bytes the database may grow to; past it new messages are refused with 503."""


class StartError(FrontdeskError):
    """The service could not start; nothing was changed."""


async def serve(settings: PushSettings, stop: asyncio.Event, on_started: Callable[[str], None] | None = None) -> None:
    """Run until ``stop`` is set. Raises FrontdeskError, with a sentence for a person, when it cannot start.

    ``on_started`` is called with the public URL once connections are accepted.
    """
    exceptions = _checked(settings)
    listening = _listen(settings.host, settings.port)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(listening.close)
        port = listening.getsockname()[1]
        public_url = (settings.public_url or _url(settings.host, port)).rstrip("/")
        store = Store(settings.data / "push.db", settings.largest)
        service = PushService(public_url, store, Sender(exceptions))
        stack.push_async_callback(service.close)
        desks = WebSocketSide(service, max(1, open_files() - FILES_BESIDE))
        app = web.Application()
        app.add_routes(HttpSide(service, public_url).routes() + desks.routes())
        # No access log: it would write down endpoints, and whoever knows an endpoint can push to it.
        # No decompression: a push has one content encoding, and small bodies that unpack into large ones are a trap.
        # Whoever connects and asks nothing, or never finishes asking, is not kept: that is the keep-alive timeout too.
        runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=5.0, auto_decompress=False, keepalive_timeout=IDLE
        )
        logging.getLogger("aiohttp.server").addFilter(BAD_REQUESTS_IN_A_LINE)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        stack.push_async_callback(desks.close)
        site = web.SockSite(runner, listening)
        await site.start()
        _log.info("event=listening host=%s port=%d public_url=%s", settings.host, port, public_url)
        if settings.port_file is not None:
            _write_port(settings.port_file, port)
        if on_started is not None:
            on_started(public_url)
        await stop.wait()
        _log.info("event=stopping")
        await site.stop()


def run(settings: PushSettings) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit status: 0, or 1 with a line on standard error."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s level=%(levelname)s part=%(name)s %(message)s"
    )
    allow_many_files()
    try:
        asyncio.run(_until_signalled(settings))
    except FrontdeskError as error:
        print(f"frontdesk push: {error}", file=sys.stderr)
        return 1
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    return run(parse_arguments(arguments))


def parse_arguments(arguments: Sequence[str] | None) -> PushSettings:
    """Settings from a command line."""
    default = PushSettings(data=Path())
    parser = argparse.ArgumentParser(prog="frontdesk push serve", description="A push service and Matrix gateway.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the database")
    parser.add_argument("--host", default=default.host, help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=default.port, help="port, 0 for any free one (%(default)s)")
    parser.add_argument("--public-url", default="", help="how senders reach this service (http://HOST:PORT)")
    parser.add_argument(
        "--allow-private",
        action="append",
        default=[],
        metavar="NETWORK",
        help="private network that the gateway may push to, such as 127.0.0.0/8; may be repeated",
    )
    parser.add_argument("--port-file", type=Path, help="write the port there once connections are accepted")
    parser.add_argument("--largest", type=int, default=LARGEST, metavar="BYTES", help="size limit of the database")
    found = parser.parse_args(arguments)
    return PushSettings(
        data=found.data,
        host=found.host,
        port=found.port,
        public_url=found.public_url,
        allow_private=tuple(found.allow_private),
        port_file=found.port_file,
        largest=found.largest,
    )


async def _until_signalled(settings: PushSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(settings, stop)


def allow_many_files() -> None:
    """Each desk is an open file, and the usual soft limit of 1,024 is a number from the days of ``select``."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def open_files() -> int:
    """How many files this process may have open."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit


def _checked(settings: PushSettings) -> tuple[addresses.Network, ...]:
    """The networks of ``allow_private``. Raises StartError for settings with which nobody could be served."""
    if settings.public_url and not addresses.is_base(settings.public_url):
        raise StartError(
            f"--public-url: {settings.public_url!r} is not how a sender could reach this service. Nothing was started; "
            "write it like https://push.example.org, without ? and #."
        )
    if settings.largest < LEAST:
        raise StartError(
            f"--largest: {settings.largest} bytes hold no messages. Nothing was started; give at least {LEAST}."
        )
    try:
        return addresses.networks(settings.allow_private)
    except ValueError as error:
        raise StartError(f"--allow-private: {error}. Nothing was started; write it like 127.0.0.0/8.") from error


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise StartError(f"{port} is not a port. Nothing was started; ports go from 0 to 65535.")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise StartError(
                f"port {port} on {host} is in use. Nothing was started; choose another with --port, or 0 for any."
            ) from error
        raise _cannot_listen(host, port, error.strerror or str(error)) from error
    except UnicodeError as error:
        raise _cannot_listen(host, port, "that is no host name") from error


def _cannot_listen(host: str, port: int, why: str) -> StartError:
    return StartError(
        f"cannot listen on {host or 'an empty host'} port {port} ({why}). Nothing was started; choose another address "
        "with --host."
    )


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _write_port(file: Path, port: int) -> None:
    """Whole or not at all: whoever waits for the file must never read half a number."""
    try:
        part = file.with_name(f"{file.name}.{os.getpid()}")
        part.write_text(f"{port}\n")
        part.replace(file)
    except OSError as error:
        raise StartError(f"{file} cannot be written ({error.strerror}). The service was stopped again.") from error


if __name__ == "__main__":
    sys.exit(main())
