"""An account at a real desk that was signed out while Lobby slept."""

import asyncio
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import pytest

from frontdesk import AppState
from lobby.home import Home, Login
from lobby.matrix.session import Session
from tests.homeserver import homeserver
from tests.people import Person, asked
from tests.shells.test_lobby import LOBBY, Right, left, meet, right

__all__ = ["homeserver", "left", "right"]

PATIENCE = 30.0
"""Seconds until what ought to happen counts as not happening."""


class Browser:
    """The desk's browser: a program that tells which address it was given."""

    def __init__(self, folder: Path) -> None:
        self._told = folder / "told"
        self.program = folder / "browser"

    async def stand_by(self, right: Right) -> None:
        """The desk is started anew, with this browser."""
        os.mkfifo(self._told)
        self.program.write_text(f'#!/bin/sh\necho "$1" > {self._told}\n')
        self.program.chmod(0o700)
        await right.desk.stop()
        del right.desk.environment["LOBBY_BROWSER"]
        right.desk.environment["BROWSER"] = str(self.program)
        await right.desk.start()

    async def address(self) -> str:
        return (await asyncio.wait_for(asyncio.to_thread(self._told.read_text), 20.0)).strip()


async def page_at(address: str) -> tuple[str, str]:
    """Where an address with a code leads, and the page there, as a browser gets them."""
    parts = urlsplit(address)
    there, host = f"http://127.0.0.1:{parts.port}", {"Host": parts.netloc}
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        async with http.get(f"{there}/enter?{parts.query}", headers=host, allow_redirects=False) as entered:
            place, cookie = entered.headers["Location"], entered.headers["Set-Cookie"].partition(";")[0]
        async with http.get(there + place, headers=host | {"Cookie": cookie}) as page:
            return place, await page.text()


def login_of(right: Right, number: int) -> Login:
    login = Home(right.desk.home / "lobby").account(number).login()
    assert login is not None
    return login


async def ask(login: Login, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """What the homeserver answers to whoever has that login."""
    session = Session(login)
    try:
        return await session.request(method, path, body)
    finally:
        await session.close()


@pytest.mark.timeout(300)
async def test_who_was_signed_out_while_lobby_slept_is_told_once_and_led_to_the_log_in(
    left: Person, right: Right
) -> None:
    browser = Browser(right.desk.home)
    room_id = await meet(left, right)
    await browser.stand_by(right)
    login = login_of(right, 1)
    (pusher,) = (await ask(login, "GET", "/pushers"))["pushers"]
    await ask(login, "POST", "/logout/all", {})

    async def push(text: str) -> None:
        """As a homeserver does that had the message under way when it ended the login."""
        await left.lobby.send(room_id, text)
        await left.until(lambda: left.bubbles(room_id)[-1].mark == "sent")
        newest = (await asked(left, f"/rooms/{quote(room_id, safe='')}/messages?dir=b&limit=1"))["chunk"][0]
        device = {name: pusher[name] for name in ("app_id", "pushkey", "data")}
        told = {"event_id": newest["event_id"], "room_id": room_id, "counts": {"unread": 1}, "devices": [device]}
        async with (
            aiohttp.ClientSession() as http,
            http.post(pusher["data"]["url"], json={"notification": told}) as answer,
        ):
            assert (answer.status, await answer.json()) == (200, {"rejected": []})

    await push("one")
    alert = await right.shown("Lobby was signed out")
    assert right.user_id in alert.notification.body
    asleep = await right.state(AppState.SUSPENDED)
    # The next is for a Lobby that was stopped, and knows it from the run before.
    await right.desk.kill_process(asleep.pid)
    await right.state(AppState.STOPPED)
    await push("two")
    await right.desk.until_state(AppState.SUSPENDED, LOBBY, within=PATIENCE)
    assert [each.notification.title for each in (await right.desk.status()).shown] == ["Lobby was signed out"]
    assert (await right.desk.status()).shown[0].at == alert.at, "told once"

    await right.desk.control.act(LOBBY, alert.notification.id)
    place, page = await page_at(await browser.address())
    assert place == "/login" and "Log in again" in page and right.user_id in page
