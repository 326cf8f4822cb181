"""Lobby's page with invented chats, to look at: ``python -m tests.lobby.ui.preview [--empty|--logged-out]``."""

import asyncio
import secrets
import socket
import sys
import time

from lobby.core.views import Connection, Invitation, Mark
from lobby.ui.codes import mint
from lobby.ui.server import Page
from tests.lobby.ui.memory_accounts import MemoryAccounts
from tests.lobby.ui.memory_messenger import ME, MemoryMessenger, MemorySessions

RIGHT, ANN, BEN = "@right:demo.localhost", "@ann:demo.localhost", "@ben:demo.localhost"
DIRECT, GROUP, CHINESE = "!direct:demo.localhost", "!hills:demo.localhost", "!jia:demo.localhost"


def fill(messenger: MemoryMessenger) -> None:
    """Chats as a person might have them."""
    now = messenger.clock()
    day, hour, minute = 86400.0, 3600.0, 60.0
    messenger.put_chat(DIRECT, "Right Okonkwo", members=("Right Okonkwo",))
    for at, text, sender in (
        (now - day - 3 * hour, "Did the parcel come?", ME),
        (now - day - 3 * hour + minute, "Yes! Thank you so much", RIGHT),
        (now - day - 3 * hour + 80, "😍", RIGHT),
        (now - 2 * hour, "I found the timetable: https://example.org/lines/7?from=Freiburg&to=Titisee.", RIGHT),
        (now - 2 * hour + 50, "The early one gets us there before the rain. Shall we?", RIGHT),
        (now - 2 * hour + 3 * minute, "Yes, the 7:40. I bring bread and cheese,\nyou bring the thermos?", ME),
        (now - 2 * hour + 4 * minute, "And the map", ME),
        (now - 30 * minute, "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft", RIGHT),
        (now - 29 * minute, "that is my answer 🙂", RIGHT),
    ):
        messenger.put(DIRECT, text, sender, at, name="Right Okonkwo" if sender == RIGHT else "Left")
    messenger.put(DIRECT, "Good, see you at the station", at=now - 20 * minute)
    reason = "Time ran out before the homeserver had it."
    messenger.put(DIRECT, "Platform 3, not 5!", at=now - 12 * minute, mark=Mark.UNSENT, reason=reason)
    messenger.put(DIRECT, "Running late, five minutes", at=now - 10, mark=Mark.SENDING)
    messenger.put_chat(GROUP, "Weekend in the hills", True, ("Ann Marie Dupont", "Ben", "Right Okonkwo"))
    messenger.put(GROUP, "Ben joined", BEN, now - 5 * hour, notice=True)
    for at, text, sender, name in (
        (now - 4 * hour, "Who has a tent for three?", ANN, "Ann Marie Dupont"),
        (now - 4 * hour + minute, "Mine has a hole", BEN, "Ben"),
        (now - 4 * hour + 90, "a small one", BEN, "Ben"),
        (now - 4 * hour + 3 * minute, "I have one, and tape", ME, "Left"),
        (
            now - hour,
            "You are both heroes. Meeting at eight, by the fountain; bring warm things.",
            ANN,
            "Ann Marie Dupont",
        ),
        (now - hour + 30, "🏕️🔥", RIGHT, "Right Okonkwo"),
    ):
        messenger.put(GROUP, text, sender, at, name=name)
    messenger.put_chat(CHINESE, "陈佳")
    messenger.put(CHINESE, "周末一起去爬山吗?天气预报说会放晴。", "@jia:demo.localhost", now - 2 * day, name="陈佳")
    messenger.put_chat("!mail:demo.localhost", "Grandma")
    messenger.put("!mail:demo.localhost", "Call me when you have a minute ❤️", "@g:demo.localhost", now - 3 * day)
    messenger.put_chat("!office:demo.localhost", "House 12 · bicycles, keys and everything else", True, ("Ann", "Ben"))
    messenger.put("!office:demo.localhost", "The cellar door sticks again", at=now - 20 * day)
    messenger.put_chat("!new:demo.localhost", "Zoë")
    messenger.put_invitation(
        Invitation("!choir:demo.localhost", "Choir, second voices", "@maria:demo.localhost", "Maria", True, now)
    )


async def main(arguments: list[str]) -> None:
    """Serve until interrupted."""
    messenger = MemoryMessenger(time.time, logged_in="--logged-out" not in arguments)
    if not {"--empty", "--logged-out"} & set(arguments):
        fill(messenger)
    if "--offline" in arguments:
        messenger.connect(Connection.OFFLINE)
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    secret = secrets.token_bytes(32)
    host = "lobby-preview.localhost"
    page = Page(
        MemoryAccounts(messenger), MemorySessions(), host, port, secret, on_visible=lambda seen: print("visible", seen)
    )
    await page.serve(sock)
    print(f"http://{host}:{port}/enter?code={mint(secret, time.time(), secrets.token_urlsafe(16))}", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await page.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
