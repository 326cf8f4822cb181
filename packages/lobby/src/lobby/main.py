"""The command `lobby`: open it, run it for the desk, log in and out, print an address that opens its page.

Environment: LOBBY_HOME (its folder), LOBBY_HOST (host name of the page), LOBBY_FRAME_PARENTS (origins that may frame
the page, separated by spaces), LOBBY_BROWSER (`none`: open no browser), LOBBY_APP_ID (default org.frontdesk.Lobby).
What only one subcommand needs is imported there: `lobby run` must serve its page well within a second.
"""

import argparse
import asyncio
import getpass
import json
import logging
import os
import secrets
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from lobby.core.alerts import NOWHERE, Place
from lobby.errors import LobbyError, LoginRefused
from lobby.home import Home, home_from_environment
from lobby.scheduled import REFRESH, UPKEEP
from lobby.ui.codes import mint

if TYPE_CHECKING:
    from lobby.database import Database

log = logging.getLogger("lobby")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status. Errors are one sentence on stderr and status 1."""
    options = _parser().parse_args(arguments)
    if options.home:
        os.environ["LOBBY_HOME"] = options.home
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    log.setLevel(logging.INFO if options.command == "run" else logging.WARNING)
    # What nio warns of comes back as an answer, and Lobby says it in its own words.
    logging.getLogger("nio").setLevel(logging.ERROR)
    try:
        home = home_from_environment()
        match options.command:
            case "run":
                return asyncio.run(_run(home))
            case "login" | "logout" | "accounts":
                return _change_accounts(home, options)
            case "address":
                return asyncio.run(_address(home))
            case _:
                return asyncio.run(_open(home))
    except LobbyError as error:
        print(f"lobby: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _change_accounts(home: Home, options: argparse.Namespace) -> int:
    from lobby.account_commands import AccountCommands

    commands = AccountCommands(home, _app_id())
    match options.command:
        case "accounts":
            asyncio.run(commands.list())
        case "logout":
            asyncio.run(commands.log_out(options.user, options.anyway))
        case _ if options.sso or options.provider:
            words = (options.homeserver, options.provider, options.user, options.cleartext)
            asyncio.run(commands.sign_on(*words))
        case _ if not options.user:
            raise LoginRefused("Who logs in? Name them with --user, or use --sso. Nothing was changed.")
        case _:
            password = _password(options.password_stdin)
            asyncio.run(commands.log_in(options.homeserver, options.user, password, options.cleartext))
    return 0


def write_manifest(home: Home) -> None:
    """Write down how the desk runs Lobby; says the folder, since the desk's environment may name another."""
    command = [sys.executable, "-m", "lobby.main", "--home", str(home.folder), "run"]
    lines = [
        f"id = {json.dumps(_app_id())}",
        'name = "Lobby"',
        # A JSON array of strings is a TOML array.
        f"command = {json.dumps(command, ensure_ascii=False)}",
        "page = true",
        'background = ["push", "refresh", "processing"]',
        f"tasks = {json.dumps([REFRESH, UPKEEP])}",
    ]
    home.keep_manifest("\n".join(lines) + "\n")


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"lobby {version('frontdesk-lobby')}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lobby", description="A messenger that is reachable with its window closed.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and leave")
    parser.add_argument("--home", help="Lobby's folder (else LOBBY_HOME, else $XDG_DATA_HOME/lobby)")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="without a command, Lobby opens")
    commands.add_parser("run", help="run it in this process (what the desk does)")
    log_in = commands.add_parser("login", help="log in, or add an account, while Lobby is not running")
    log_in.add_argument("--homeserver", required=True, help="address, or a domain such as matrix.org")
    log_in.add_argument("--user", default="", help="name on that homeserver; with --sso only of whom was signed out")
    log_in.add_argument("--sso", action="store_true", help="log in on a page of the homeserver, in a browser")
    log_in.add_argument("--provider", default="", help="id of the single sign-on, where there are several")
    log_in.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    log_in.add_argument("--cleartext", action="store_true", help="send it unencrypted, where the address says http://")
    log_out = commands.add_parser(
        "logout", help="log out while Lobby is not running; pusher, login and local chats are removed"
    )
    log_out.add_argument("user", nargs="?", default="", help="whom; needed where there are several accounts")
    log_out.add_argument("--anyway", action="store_true", help="also where unsent messages or keys would be lost")
    commands.add_parser("accounts", help="list who is logged in, and who was signed out")
    commands.add_parser("address", help="print an address that opens the page once, within a minute")
    return parser


def _app_id() -> str:
    return os.environ.get("LOBBY_APP_ID") or "org.frontdesk.Lobby"


def _password(on_stdin: bool) -> str:
    if on_stdin:
        return sys.stdin.readline().rstrip("\n")
    try:
        if sys.stdin.isatty():
            return getpass.getpass("Password: ")
    except EOFError:
        print(file=sys.stderr)
    raise LobbyError("No password was typed: write it to standard input with --password-stdin. Nothing was changed.")


def _address_with_code(home: Home, page: str, place: Place = NOWHERE) -> str:
    code = mint(home.page_secret(), time.time(), secrets.token_urlsafe(18))
    chat = f"&chat={quote(place.room_id, safe='')}" if place.room_id else ""
    account = f"&account={place.account}" if place.account != 1 else ""
    return f"{page}enter?code={code}{account}{chat}{'&login' if place.login else ''}"


async def _run(home: Home) -> int:
    from lobby.page_store import page_database

    write_manifest(home)
    with page_database(home) as database:
        return await _serve(home, database)


async def _serve(home: Home, database: "Database") -> int:
    from lobby import background
    from lobby.accounts import Accounts
    from lobby.folder_layout import bring_up
    from lobby.page_store import PageStore
    from lobby.ui.server import Page

    app = background.new_app(_app_id(), home.manifest)
    host = home.page_host()
    sock, port, address = background.page_socket(app, host)
    store = PageStore(database)
    bring_up(home, store)
    accounts = Accounts(home, background.DeskGuard(app), time.time, lambda: secrets.token_urlsafe(18))
    accounts.start()

    async def open_page(place: Place) -> None:
        if os.environ.get("LOBBY_BROWSER") != "none":
            await background.show_page(app, _address_with_code(home, address, place))

    ties = background.Background(app, home.manifest, accounts, time.time, open_page)
    parents = tuple(os.environ.get("LOBBY_FRAME_PARENTS", "").split())
    page = Page(
        accounts,
        store,
        host,
        port,
        home.page_secret(),
        parents,
        ties.on_visible,
        time.time,
        ties.answering,
        ties.on_looking,
    )
    await page.serve(sock)
    try:
        try:
            await ties.start()
        except background.AlreadyRunning as error:
            print(f"lobby: {error}", file=sys.stderr)
            return 0
        except background.NoDesk as error:
            print(f"lobby: {error} The page: {_address_with_code(home, address)}", file=sys.stderr)
        try:
            home.keep_page_address(address)
        except LobbyError as error:
            log.warning("`lobby address` may not know this page. %s", error)
        await app.run_until_quit()
        return 0
    finally:
        await page.stop()
        await accounts.stop()
        await ties.stop()
        accounts.close()


async def _open(home: Home) -> int:
    from lobby import background

    write_manifest(home)
    try:
        await background.open_lobby(_app_id(), home.manifest)
    except background.NoDesk:
        await background.start_desk()
        await background.open_lobby(_app_id(), home.manifest)
    # Only at the very first launch with this folder does it take its time: then the desk keeps the page's socket.
    page = await _own_page(home, patience=10.0)
    if not page:
        raise LobbyError("Lobby was opened, but shows no page. `frontdesk log` tells why it stopped.")
    print(_address_with_code(home, page))
    return 0


async def _address(home: Home) -> int:
    page = await _own_page(home, patience=1.0)
    if not page:
        raise LobbyError("Lobby has no page yet. Run `lobby` first.")
    print(_address_with_code(home, page))
    return 0


async def _own_page(home: Home, patience: float) -> str:
    """The address of the desk's page of Lobby; empty: none within ``patience`` seconds.

    Raises LobbyError when it is served from another folder: a code made with this folder's secret would not open it.
    """
    from lobby import background

    deadline = time.monotonic() + patience
    while not (page := await background.page_address(_app_id())) or page != home.page_address():
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(0.1)
    if page and page != home.page_address():
        raise LobbyError(
            f"The desk's Lobby ({page}) does not use page.secret of {home.folder}, so no address made here opens it. "
            f"Set LOBBY_HOME to the folder it uses, or run `frontdesk quit {_app_id()}` and then `lobby`."
        )
    return page


if __name__ == "__main__":
    sys.exit(main())
