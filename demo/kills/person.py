"""Somebody in front of Lobby's page who does what people do when it breaks: looks again, and presses Enter again."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp

from demo.errors import DemoError
from demo.kills.spectator import PATIENCE
from demo.machine import Machine
from demo.tour.window import PageStalled, Window

_AGAIN = 0.3
"""Seconds until a person, or the page by itself, tries again."""

Found = TypeVar("Found")

_BROKEN = (DemoError, aiohttp.ClientError, OSError, TimeoutError)


class Person:
    """`accepted`: the messages that this person's Lobby took, in that order. `stalls`: what its page never answered."""

    def __init__(self, machine: Machine, chat: str) -> None:
        self.machine = machine
        self.accepted: list[str] = []
        self.stalls: list[str] = []
        self._chat = chat
        self._window: Window | None = None
        self._address = ""

    async def finds_the_page(self) -> None:
        """Has an address of the page at hand, so that the next look at it takes no command first."""
        self._address = await self.machine.page_address()

    async def looks(self) -> Window:
        """The window on the chat, open and live; opened anew as often as need be."""
        return await self._repeated(self._look, "Lobby's page")

    async def leaves(self) -> None:
        """Closes the window, if one is open."""
        window, self._window = self._window, None
        if window is not None:
            await window.close()

    async def writes(self, text: str) -> None:
        """Writes and sends, again under the same key when no answer comes, as the page does it."""
        key = secrets.token_urlsafe(18)

        async def send() -> None:
            await (await self._look()).send(text, key)

        await self._repeated(send, f"Lobby to take “{text}”")
        self.accepted.append(text)

    async def resends(self, text: str) -> None:
        """Presses Resend, where the message is marked as not sent."""

        async def resend() -> None:
            window = await self._look()
            await window.until(lambda it: any(message.text == text for message in it.messages), "the message", 5.0)
            for message in window.messages:
                if (message.text, message.mark) == (text, "unsent"):
                    await window.resend(message.key)

        await self._repeated(resend, f"“{text}” to be sent again")

    async def sees(self, seen: Callable[[Window], bool], what: str) -> Window:
        """Looks until the window shows it."""

        async def see() -> Window:
            window = await self._look()
            await window.until(lambda it: seen(it) or not it.live, what, PATIENCE / 2)
            if not seen(window):
                raise DemoError(f"The page broke off while {self.machine.person} waited for {what}.")
            return window

        return await self._repeated(see, what)

    async def _look(self) -> Window:
        if self._window is not None and self._window.live:
            return self._window
        if self._window is not None:
            # As the page does by itself when its event stream breaks off; a browser that is kept out asks for a code.
            try:
                await self._window.show(self._chat)
                return self._window
            except PageStalled:
                await self.leaves()
                raise
            except _BROKEN:
                await self.leaves()
        address, self._address = self._address or await self.machine.page_address(), ""
        self._window = Window(address, self._chat)
        try:
            await self._window.open()
        except BaseException:
            await self.leaves()
            raise
        return self._window

    async def _repeated(self, do: Callable[[], Awaitable[Found]], what: str) -> Found:
        last: BaseException | None = None
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    try:
                        return await do()
                    except _BROKEN as error:
                        last = error
                        if isinstance(error, PageStalled):
                            self.stalls.append(str(error))
                    await asyncio.sleep(_AGAIN)
        except TimeoutError:
            why = f" The last attempt: {last!r}" if last is not None else ""
            raise DemoError(f"{self.machine.person} waited {PATIENCE:g} s for {what}.{why}") from None
