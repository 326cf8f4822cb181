"""A message whose key comes after it: first told without its words, later with them, in the same places."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import ClientSession, ClientTimeout, web
from playwright.async_api import expect

from demo.machine import LOBBY
from demo.tour.steps import notified
from demo.tour.window import opened
from frontdesk import AppState
from lobby.arrival import NO_KEY
from lobby.core.event import CANNOT_READ
from lobby.core.views import Mark
from tests import people
from tests.journeys.stand import PASSWORD, Person, Stand

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]


class SlowKeys:
    """The homeserver as one client sees it; what the client sends to other devices can be held up.

    A homeserver far away does the same: it takes the message between devices, and it arrives later than the event.
    """

    def __init__(self, http: ClientSession) -> None:
        self.url = ""
        self.held: list[tuple[str, bytes]] = []
        """Address and body of each message that is held up."""
        self._http = http
        self._token: dict[str, str] = {}

    async def pass_on(self, request: web.Request) -> web.Response:
        """Hands a request on to the homeserver, or takes it in its place."""
        body = await request.read()
        place = request.raw_path
        if "/sendToDevice/m.room.encrypted/" in place:
            self._token = {"Authorization": request.headers["Authorization"]}
            self.held.append((place, body))
            return web.json_response({})
        kept = {name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers}
        async with self._http.request(request.method, place, data=body, headers=kept) as answer:
            return web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)

    async def come(self) -> None:
        """What was held up reaches the homeserver."""
        for place, body in self.held:
            async with self._http.put(place, data=body, headers=self._token) as answer:
                assert answer.status == 200, await answer.text()


@asynccontextmanager
async def slow_keys(homeserver: str) -> AsyncIterator[SlowKeys]:
    """Served on loopback for as long as the block lasts."""
    async with ClientSession(homeserver, timeout=ClientTimeout(total=None)) as http:
        keys = SlowKeys(http)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", keys.pass_on)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        keys.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield keys
        finally:
            await runner.cleanup()


async def meet(sender: people.Person, receiver: Person) -> str:
    """An encrypted chat of the two in which nothing has been said; the receiver's window is closed again."""
    room_id = await sender.lobby.start_chat(receiver.user_id)
    async with opened(await receiver.machine.page_address()) as window:
        await window.until(lambda window: room_id in window.invitations, "the invitation")
        await window.accept(room_id)
    await sender.until(lambda: (chat := sender.lobby.chat(room_id)) and chat.members)
    return room_id


@pytest.mark.contract("P02", "N03")
async def test_a_late_key_puts_the_words_into_the_notification_and_the_bubble(stand: Stand, tmp_path: Path) -> None:
    await stand.synapse.register("ferry", PASSWORD, "Ferry")
    async with stand.resident("Nora") as nora, slow_keys(stand.synapse.url) as keys:
        async with people.Person(tmp_path / "ferry", stand.synapse.user_id("ferry"), keys.url) as ferry:
            await ferry.log_in()
            ferry.lobby.foreground()
            room_id = await meet(ferry, nora)
            os.kill((await nora.lobby(AppState.SUSPENDED)).pid, signal.SIGKILL)
            await nora.lobby(AppState.STOPPED)

            await ferry.lobby.send(room_id, "We land at noon.")
            await ferry.until(lambda: [bubble.mark for bubble in ferry.bubbles(room_id)] == [Mark.SENT])
        assert keys.held, "the key was sent another way"
        await nora.desk(notified(NO_KEY, "Ferry"), "whom it is from, and that it cannot be read yet")
        launched = await nora.lobby(AppState.SUSPENDED)

        await keys.come()
        # Whoever looks at something else has not read it.
        await nora.enters()
        status = await nora.desk(notified("We land at noon.", "Ferry"), "the words in place of that")
        assert [(each.app, each.notification.id) for each in status.shown] == [(LOBBY, room_id)]
        assert (await nora.lobby(AppState.FOREGROUND)).pid == launched.pid

        await expect(nora.page.locator("#chats")).to_contain_text("We land at noon.")
        await nora.page.goto(f"{nora.origin}/chat/{quote(room_id, safe='')}")
        await nora.sees("We land at noon.")
        await expect(nora.page.get_by_text(CANNOT_READ)).to_have_count(0)
        await nora.desk(lambda status: not status.shown, "the notification gone")
