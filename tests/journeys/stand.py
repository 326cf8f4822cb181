"""What journeys are played on, all of it real: homeserver, push service, and people with desk, Lobby and browser."""

import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit

from playwright.async_api import Browser, BrowserContext, Locator, Page, StorageState, async_playwright, expect

from demo import processes
from demo.machine import LOBBY, Machine, app_of
from demo.network import Condition
from demo.push_service import PushService
from demo.synapse import Synapse
from demo.throttle import Line
from demo.tour.steps import in_state, until
from demo.tour.witness import Witness
from demo.world import acquaint, together
from frontdesk import AppState, AppStatus, DeskStatus
from tests.programs import CHROMIUM_FLAGS, chromium

PASSWORD = "correct horse battery staple"

PLAIN = "Market square"
"""The group in which nothing is encrypted."""

LIMITS = {"background": 10.0, "expiry_lead": 4.0, "suspended": 8.0, "opening": 8.0}
"""Of every desk here, in seconds; short, so that a journey through them all is."""

SLOW = Line(latency=3.0, rate=8192.0, setup=0.5)
"""So slow that a message is still on its way when the window has been gone for the two seconds of the page."""

PATIENCE = 30.0
"""Seconds after which something awaited is taken for missing; a busy machine is slow."""


@dataclass(frozen=True)
class Chat:
    """In which Left and Right talk. `group`: its name, empty where it is a direct chat."""

    room_id: str
    encrypted: bool
    group: str = ""

    @property
    def place(self) -> str:
        """Where it is on Lobby's page."""
        return f"/chat/{quote(self.room_id, safe='')}"

    def told_of(self, sender: str) -> str:
        """The title of a notification about one message of it."""
        return f"{sender} in {self.group}" if self.group else sender

    def seen_with(self, other: str) -> str:
        """Its name in one person's list."""
        return self.group or other


class Person:
    """Somebody at a machine of their own, with a browser. `page`: the tab opened last; `origin`: of Lobby's page."""

    def __init__(self, machine: Machine, context: BrowserContext, user_id: str) -> None:
        self.machine = machine
        self.context = context
        self.user_id = user_id
        self.page: Page
        self.origin = ""
        self.wrote: list[str] = []
        """What this person has written, whether it was sent or not."""

    async def sits_down(self, place: str) -> None:
        """Has Lobby's page open at this place, as one who has used this browser before, or else by a new address."""
        self.origin = app_of(await self.machine.status()).page.rstrip("/")
        self.page = await self.context.new_page()
        if not await self._shows(place):
            await self.page.close()
            await self.enters()
            assert await self._shows(place), f"{self.user_id} was let in and is not shown {place}"
        # What the journey before has left unread is read before this one begins.
        await expect(self.page.locator(".chat[aria-current] .badge")).to_have_count(0)

    async def _shows(self, place: str) -> bool:
        """Loads the place; True once it is shown and its event stream has begun, False when the browser is kept out."""
        begun = asyncio.Event()
        self.page.on("response", lambda answer: begun.set() if "/events" in answer.url else None)
        answer = await self.page.goto(self.origin + place)
        if answer is None or answer.status != 200:
            return False
        await asyncio.wait_for(begun.wait(), PATIENCE)
        return True

    async def enters(self) -> Page:
        """A new tab, by an address that `lobby address` prints; from then on the browser is let in."""
        address = await self.machine.page_address()
        parts = urlsplit(address)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.page = await self.context.new_page()
        await self.page.goto(address)
        return self.page

    async def visits(self, place: str = "/") -> Page:
        """A new tab at Lobby's page as a bookmark opens it; returns when the browser has begun to show it."""
        self.page = await self.context.new_page()
        await self.page.goto(self.origin + place, wait_until="commit")
        return self.page

    async def follows(self, address: str) -> Page:
        """A new tab at an address that Lobby wants shown."""
        self.page = await self.context.new_page()
        await self.page.goto(address)
        return self.page

    async def closes(self) -> None:
        """Closes every tab."""
        for page in self.context.pages:
            await page.close()

    async def falls_asleep(self) -> AppStatus:
        """Closes every tab; Lobby as it is suspended."""
        await self.closes()
        return await self.lobby(AppState.SUSPENDED)

    async def lobby(self, *states: AppState, patience: float = PATIENCE) -> AppStatus:
        """Lobby once it is in one of the states."""
        return app_of(await self.desk(in_state(*states), f"Lobby {' or '.join(states)}", patience))

    async def desk(self, seen: Callable[[DeskStatus], bool], what: str, patience: float = PATIENCE) -> DeskStatus:
        """What the desk sees, once it sees that."""
        return await until(self.machine, seen, what, patience)

    async def presses(self, notification: str) -> str:
        """Presses a notification in the desk's list; the address that Lobby wants shown for it."""
        async with self.machine.desk() as desk:
            await desk.act(LOBBY, notification)
        return await self.hears_lobby()

    async def hears_lobby(self) -> str:
        """The next address that Lobby asks the browser to show."""
        return await asyncio.wait_for(self.machine.doorbell.heard(), PATIENCE)

    async def writes(self, text: str) -> None:
        """Writes into the open chat and presses Enter, which sends once the page's module is there."""
        self.wrote.append(text)
        await self.page.wait_for_load_state()
        await self.page.locator("#text").fill(text)
        await self.page.locator("#text").press("Enter")

    async def finds(self, chat: Chat) -> None:
        """Opens the chat from the list."""
        await self.page.locator(f"a.chat[href$='{chat.place}']").click()

    def bubble(self, text: str) -> Locator:
        """What the open chat shows of a message."""
        return self.page.locator("#bubbles .row", has_text=text)

    async def sees(self, text: str, mark: str | None = None, within: float = PATIENCE) -> None:
        """The message is in the open chat, once, with that mark."""
        await expect(self.bubble(text)).to_have_count(1, timeout=within * 1000)
        await expect(self.bubble(text)).to_be_visible()
        if mark is not None:
            await expect(self.bubble(text)).to_have_attribute("data-mark", mark, timeout=within * 1000)


class Observer(Witness):
    """Asks the homeserver itself, as a person but with a device of its own; believes no Lobby."""

    async def pushers(self) -> list[dict[str, Any]]:
        """Where the homeserver pushes this person's messages to."""
        return list((await self._asked("pushers"))["pushers"])

    async def devices(self) -> set[str]:
        """The person's log-ins, without this one."""
        return {device["device_id"] for device in (await self._asked("devices"))["devices"]} - {"WITNESS"}

    async def rooms(self) -> list[str]:
        """The chats that this person is in."""
        return list((await self._asked("joined_rooms"))["joined_rooms"])

    async def encrypts(self, chat: Chat) -> bool:
        """Whether what is written there has to be encrypted, by the room's own state."""
        state = f"rooms/{quote(chat.room_id, safe='')}/state/m.room.encryption"
        async with self._http.get(f"{self._homeserver}/_matrix/client/v3/{state}") as answer:
            assert answer.status in (200, 404), await answer.text()
            return answer.status == 200

    async def has_it_as_promised(self, chat: Chat, *people: Person) -> None:
        """What these people wrote there is stored as events of the right kind; an encrypted one tells no word of it."""
        senders = {person.user_id for person in people}
        stored = [event for event in await self.messages(chat.room_id) if event["sender"] in senders]
        kind = "m.room.encrypted" if chat.encrypted else "m.room.message"
        assert await self.encrypts(chat) is chat.encrypted
        assert {event["type"] for event in stored} <= {kind}
        contents = json.dumps([event["content"] for event in stored], ensure_ascii=False)
        wrote = [text for person in people for text in person.wrote]
        readable = [text for text in wrote if text in contents]
        assert readable == ([] if chat.encrypted else wrote), "what the homeserver can read"

    async def _asked(self, what: str) -> dict[str, Any]:
        async with self._http.get(f"{self._homeserver}/_matrix/client/v3/{what}") as answer:
            assert answer.status == 200, await answer.text()
            found: dict[str, Any] = await answer.json()
            return found


class Stand:
    """Use `async with`. `chat` is the encrypted one of Left and Right; `homeserver` is asked as Right."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fd-", dir="/tmp"))
        self.synapse = Synapse(self.folder / "synapse")
        self.push = PushService(self.folder / "push")
        self.left = self._machine("Left")
        self.right = self._machine("Right")
        self.chat: Chat
        self._plain: Chat | None = None
        self.homeserver: Observer
        self.browser: Browser
        self._residents: dict[str, Machine] = {}
        self._cookies: dict[str, StorageState] = {}
        """What each person's browser keeps from one journey to the next."""
        self._stops = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._stops.callback(shutil.rmtree, self.folder)
        self._stops.push_async_callback(self.synapse.stop)
        self._stops.push_async_callback(self.push.stop)
        try:
            self.synapse.choose_port(), self.push.choose_port()
            await together(self.push.start(), self.synapse.start(), self.start(self.left), self.start(self.right))
            await together(*(self._live_in(machine) for machine in (self.left, self.right)))
            room_id = await acquaint(self.left, self.right, self.synapse.user_id("right"))
            self.chat = Chat(room_id, encrypted=True)
            self.homeserver = await self._stops.enter_async_context(self.observer(self.right))
            playwright = await self._stops.enter_async_context(async_playwright())
            self.browser = await playwright.chromium.launch(executable_path=chromium(), args=[*CHROMIUM_FLAGS])
            self._stops.push_async_callback(self.browser.close)
        except BaseException:
            await self._stops.aclose()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stops.aclose()

    @asynccontextmanager
    async def person(self, machine: Machine) -> AsyncIterator[Person]:
        """Somebody with a browser of their own, at a machine without a care: good network, no notifications."""
        cookies = self._cookies.get(machine.folder.name)
        context = await self.browser.new_context(viewport={"width": 1280, "height": 800}, storage_state=cookies)
        wrong: list[str] = []
        context.on("weberror", lambda error: wrong.append(str(error.error)))
        context.on("console", lambda line: wrong.append(line.text) if "Content Security Policy" in line.text else None)
        machine.network.set(Condition.GOOD)
        async with machine.desk() as desk:
            for shown in (await desk.status()).shown:
                await desk.dismiss(shown.app, shown.notification.id)
        try:
            yield Person(machine, context, self.synapse.user_id(machine.user))
        finally:
            machine.network.set(Condition.GOOD)
            self._cookies[machine.folder.name] = await context.storage_state()
            await context.close()
        assert wrong == [], "errors of the page's module, or what its policy refused"

    @asynccontextmanager
    async def newcomer(self, name: str) -> AsyncIterator[Person]:
        """Somebody with an account and a machine on which Lobby has never been logged in."""
        machine = self._machine(name)
        try:
            await together(self.start(machine), self._register(machine))
            await machine.lobby()
            await machine.doorbell.heard()
            async with self.person(machine) as person:
                yield person
        finally:
            await machine.stop()

    @asynccontextmanager
    async def resident(self, name: str) -> AsyncIterator[Person]:
        """Somebody with a machine on which Lobby is logged in; who has the name for the first time knows nobody yet."""
        if name not in self._residents:
            machine = self._machine(name)
            await self.start(machine)
            await self._live_in(machine)
            self._residents[name] = machine
        async with self.person(self._residents[name]) as person:
            yield person

    @asynccontextmanager
    async def other_computer(self, person: Person, name: str) -> AsyncIterator[Person]:
        """Somebody at a further machine of theirs, on which Lobby is logged in as a new device."""
        machine = self._machine(person.machine.person, f"{person.machine.user}-{name}")
        try:
            await self.start(machine)
            await machine.log_in(PASSWORD)
            await machine.lobby()
            await machine.doorbell.heard()
            async with self.person(machine) as again:
                yield again
        finally:
            await machine.stop()

    @asynccontextmanager
    async def observer(self, machine: Machine) -> AsyncIterator[Observer]:
        """Somebody who asks the homeserver as that machine's person."""
        async with Observer(self.synapse.url, machine.user, PASSWORD) as observer:
            yield observer

    async def plain(self) -> Chat:
        """A group of the two that is not encrypted: made by Left and entered by Right when it is first asked for."""
        if self._plain is None:
            async with self.person(self.left) as left, self.person(self.right) as right:
                await left.sits_down("/new")
                await right.sits_down("/")
                page = left.page
                await page.get_by_label("Name of the group").fill(PLAIN)
                await page.get_by_label("People", exact=True).fill(right.user_id)
                await page.get_by_label("Encrypted: only its members can read it").uncheck()
                await page.get_by_role("button", name="Make group").click()
                await right.page.get_by_role("button", name="Accept the invitation of Left").click()
                for person in (left, right):
                    await expect(person.page.get_by_role("heading", name=PLAIN)).to_be_visible()
                self._plain = Chat(unquote(urlsplit(page.url).path.rpartition("/")[2]), encrypted=False, group=PLAIN)
        return self._plain

    async def start(self, machine: Machine) -> None:
        """The machine's network and its desk; stopped with the stand at the latest."""
        self._stops.push_async_callback(machine.stop)
        await machine.start(self.synapse.port, self.push.port)

    async def start_desk_again(self, machine: Machine) -> None:
        """A desk in place of one that was stopped; the machine's network has stayed."""
        command = [sys.executable, "-m", "frontdesk.cli.main", "agent"]
        log = self.folder / machine.user / "desk.log"
        machine.keeper = await processes.start(f"{machine.person}'s desk", command, log, machine.environment)

        async def answers() -> bool:
            with contextlib.suppress(Exception):
                await machine.status()
                return True
            return False

        await machine.keeper.until(answers, PATIENCE)

    def _machine(self, person: str, folder: str = "") -> Machine:
        machine = Machine(person, self.folder / (folder or person.lower()), "", LIMITS)
        machine.network.slow = SLOW
        # A browser that tells which address it was given, where the demo without a stage has none.
        del machine.environment["LOBBY_BROWSER"]
        machine.environment["BROWSER"] = machine.doorbell.browser
        return machine

    async def _register(self, machine: Machine) -> None:
        await self.synapse.register(machine.user, PASSWORD, machine.person)

    async def _live_in(self, machine: Machine) -> None:
        """An account, and Lobby logged in to it and opened once."""
        await self._register(machine)
        await machine.log_in(PASSWORD)
        await machine.lobby()
        await machine.doorbell.heard()
