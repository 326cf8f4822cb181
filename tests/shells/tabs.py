"""A Chromium driven without Playwright, whose tabs are truly hidden while another is in front.

Playwright keeps every page "visible" (it emulates focus), so what a page does when it is hidden cannot be seen there.
This speaks the DevTools protocol directly: two dozen lines are all it takes.
"""

import asyncio
import itertools
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp


class Refused(Exception):
    """Chromium did not do a command."""


class Tabs:
    """The tabs of one window."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)

    async def call(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        """One command of the DevTools protocol, and its result."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params}
        await self._socket.send_json(message | ({"sessionId": session} if session else {}))
        while True:
            answer: dict[str, Any] = await self._socket.receive_json(timeout=20)
            if answer.get("id") == number:
                if "error" in answer:
                    raise Refused(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result

    async def open(self, address: str) -> str:
        """A new tab in front of the others. Returns its id."""
        target: str = (await self.call("Target.createTarget", url=address))["targetId"]
        return target

    async def to_front(self, tab: str) -> None:
        """Show this tab; the one that was shown is hidden."""
        await self.call("Target.activateTarget", targetId=tab)

    async def close(self, tab: str) -> None:
        """Close it as a person would."""
        await self.call("Target.closeTarget", targetId=tab)

    async def minimise(self, tab: str) -> None:
        """Put the tab's window away."""
        window = (await self.call("Browser.getWindowForTarget", targetId=tab))["windowId"]
        await self.call("Browser.setWindowBounds", windowId=window, bounds={"windowState": "minimized"})

    async def wait_for_text(self, tab: str, selector: str, text: str) -> None:
        """Until an element that ``selector`` finds holds ``text``, in whatever page is there then; 20 s at most."""
        session = (await self.call("Target.attachToTarget", targetId=tab, flatten=True))["sessionId"]
        script = f"""new Promise((found) => {{
            const look = () => [...document.querySelectorAll({json.dumps(selector)})].some(
                (element) => element.textContent.includes({json.dumps(text)})) && found(true);
            new MutationObserver(look).observe(document, {{childList: true, subtree: true, characterData: true}});
            look();
        }})"""
        async with asyncio.timeout(20):
            while True:
                try:
                    await self.call("Runtime.evaluate", session, expression=script, awaitPromise=True)
                    break
                except Refused:
                    await asyncio.sleep(0.02)  # between two pages there is none to ask, and the next one tells nobody
        await self.call("Target.detachFromTarget", sessionId=session)


@asynccontextmanager
async def chromium_tabs(chromium: str, arguments: list[str]) -> AsyncIterator[Tabs]:
    """Start a Chromium with a profile of its own, and stop it."""
    with tempfile.TemporaryDirectory(prefix="fd-", ignore_cleanup_errors=True) as profile:
        command = [chromium, "--headless=new", *arguments, "--remote-debugging-port=0", f"--user-data-dir={profile}"]
        process = await asyncio.create_subprocess_exec(*command, "about:blank", stderr=asyncio.subprocess.PIPE)
        try:
            assert process.stderr is not None
            async with asyncio.timeout(30):
                while b"DevTools listening on " not in (line := await process.stderr.readline()):
                    assert line, "Chromium ended before it listened"
            address = line.decode().split()[-1]
            # What it complains of is read: Chromium stands still when nobody does.
            reading = asyncio.create_task(process.stderr.read())
            async with aiohttp.ClientSession() as http, http.ws_connect(address, max_msg_size=0) as socket:
                yield Tabs(socket)
            reading.cancel()
        finally:
            process.terminate()
            await process.communicate()
