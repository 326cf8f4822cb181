"""The desktop of the kill matrix, with the part of the desk that talks to desktops on the other side."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from demo.errors import DemoError
from demo.kills.desktop import Desktop
from frontdesk.agent.core import events as ev
from frontdesk.agent.shell.notifications import DesktopNotifications
from frontdesk.terms import Notification

APP = "org.example.chat"


@pytest.fixture
async def desktop(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desktop]:
    folder = Path(tempfile.mkdtemp(prefix="fd-", dir="/tmp"))
    async with Desktop("Right", folder) as desktop:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", desktop.address)
        yield desktop
    shutil.rmtree(folder)


async def test_it_writes_down_what_it_was_given_and_by_which_desk(desktop: Desktop) -> None:
    said: asyncio.Queue[ev.Event] = asyncio.Queue()
    desk = DesktopNotifications(said.put_nowait)
    running = asyncio.ensure_future(desk.run())
    for text in ("one", "two"):
        desk.show(APP, "Chat", Notification("same", "Ann", text))
        assert isinstance(await asyncio.wait_for(said.get(), 20), ev.OnDesktop)
    desk.show(APP, "Chat", Notification("other", "Bob", "three"))
    await desktop.until(lambda it: any(bubble.tells("three") for bubble in it.stands), "Bob's", 20)
    assert [(each.number, each.title, each.body, each.fresh) for each in desktop.bubbles] == [
        (1, "Ann", "one", True),
        (1, "Ann", "two", False),
        (2, "Bob", "three", True),
    ]
    assert [each.body for each in desktop.stands] == ["two", "three"]
    assert isinstance(await asyncio.wait_for(said.get(), 20), ev.OnDesktop)
    pressing = asyncio.ensure_future(desktop.press(desktop.stands[0], 20))
    assert await asyncio.wait_for(said.get(), 20) == ev.ActAsked(APP, "same", "")
    desk.withdraw(APP, "same")
    await pressing
    assert [each.body for each in desktop.stands] == ["three"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    async with asyncio.timeout(20):
        while desktop.bubbles[-1].outlived_by > 20:  # noqa: ASYNC110 - it is told to nobody
            await asyncio.sleep(0.01)


async def test_what_does_not_come_is_missed_in_words(desktop: Desktop) -> None:
    with pytest.raises(DemoError, match=r"for a miracle\. Right's desktop shows nothing"):
        await desktop.until(lambda it: bool(it.stands), "a miracle", 0.01)
