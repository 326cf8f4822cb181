"""Single sign-on from a terminal: the browser goes to the homeserver's pages, and comes back to a listener of our own.

Matrix client-server API, "SSO client login/authentication"; the listener is on loopback, as RFC 8252 §7.3 has it.
"""

import asyncio
import contextlib
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from lobby.core.views import Provider, WaysIn
from lobby.errors import LoginRefused

PATIENCE = 600.0
"""Seconds that the browser has to come back in."""

LOOPBACK = "127.0.0.1"

CLOSE_THIS = "You can close this window: Lobby goes on in the terminal."

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Connection": "close",
}


class NobodyCame(LoginRefused):
    """The browser did not come back in time."""


def chosen(ways: WaysIn, provider_id: str) -> Provider:
    """The way of single sign-on that ``provider_id`` names; empty: the only one there is. Raises LoginRefused."""
    if not ways.providers:
        raise LoginRefused(f"{ways.homeserver} does not offer single sign-on. Nothing was changed.")
    found = [provider for provider in ways.providers if provider_id in ("", provider.id)]
    if len(found) == 1:
        return found[0]
    those = ", ".join(f"{provider.id} ({provider.name})" for provider in ways.providers)
    why = "offers several" if found else f"offers no {provider_id}"
    raise LoginRefused(f"{ways.homeserver} {why}. Say one with --provider: {those}. Nothing was changed.")


async def token_of_browser(address_for: Callable[[str], str], show: Callable[[str], None], within: float) -> str:
    """The log-in token that a browser brings back from single sign-on.

    ``address_for``: the address of the sign-on that comes back to the address given; ``show`` is given it, for the
    person. ``within``: seconds. Raises NobodyCame.
    """
    async with _listener() as (back, token):
        show(address_for(back))
        try:
            async with asyncio.timeout(within):
                return await token
        except TimeoutError as error:
            minutes = f"{within / 60:.0f} minutes"
            raise NobodyCame(f"No browser came back from the sign-on within {minutes}. Nothing was changed.") from error


def show(address: str) -> None:
    """Print the address, and open it in a browser; LOBBY_BROWSER=none leaves that to the person."""
    print(f"Log in on this page, within {PATIENCE / 60:.0f} minutes:\n{address}", flush=True)
    if os.environ.get("LOBBY_BROWSER") == "none":
        return
    # In a process of its own: a browser may last for hours, and says things that are not for this terminal.
    subprocess.Popen(
        [sys.executable, "-m", "webbrowser", address],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@contextlib.asynccontextmanager
async def _listener() -> AsyncIterator[tuple[str, "asyncio.Future[str]"]]:
    """An address that nobody can guess, and the token with which somebody comes there: once."""
    token: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def come_back(request: web.Request) -> web.Response:
        brought = request.query.get("loginToken", "")
        if not brought:
            return web.Response(status=422, text="This is not how one comes back from a sign-on.", headers=HEADERS)
        if token.done():
            return web.Response(status=410, text="This sign-on is over. Begin again.", headers=HEADERS)
        token.set_result(brought)
        return web.Response(text=CLOSE_THIS, headers=HEADERS)

    app = web.Application()
    path = f"/{secrets.token_urlsafe(32)}"
    # A HEAD, as of something that looks at links first, must not use it up.
    app.router.add_get(path, come_back, allow_head=False)
    # The answer is on its way when the token is there: the browser gets it before the listener ends.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    try:
        sock = socket.create_server((LOOPBACK, 0))
        await web.SockSite(runner, sock).start()
        yield f"http://{LOOPBACK}:{sock.getsockname()[1]}{path}", token
    finally:
        await runner.cleanup()
