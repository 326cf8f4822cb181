"""The steps of the tour told for a world in which something dies: the same acts, and what must be true in the end."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from demo.errors import DemoError
from demo.kills.desktop import Desktop
from demo.kills.killer import Killer
from demo.kills.person import Person
from demo.kills.plan import Victim
from demo.kills.spectator import PATIENCE, Spectator
from demo.machine import app_of
from demo.network import Condition
from demo.tour import forgetful_app
from demo.tour.steps import notified
from demo.tour.window import Window
from frontdesk import AppState, DeskControl, DeskStatus, FrontdeskError, Receipt, StopReason

FALLBACK = "New message"
"""What Lobby's subscription says when its text cannot be had in time."""

UNSENT = "Message not sent, please resend"

_UP = (AppState.LAUNCHING, AppState.BACKGROUND)
_ASLEEP = (AppState.SUSPENDED, AppState.STOPPED)
_AGAIN = 0.3
_STRUCK_WITHIN = 1.0
_OPEN_WITHIN = 15.0
"""Seconds that somebody at a page has patience for, its desk's or Lobby's start included."""

Answer = TypeVar("Answer")


class Play:
    """Who plays a cell. `tag` makes its messages different from those of every other cell."""

    def __init__(
        self,
        left: Person,
        right: Person,
        spectators: dict[str, Spectator],
        desktops: dict[str, Desktop],
        killer: Killer,
        tag: str,
        sleep: float,
    ) -> None:
        self.left = left
        self.right = right
        self.on_left = spectators["left"]
        self.on_right = spectators["right"]
        self.left_desktop = desktops["Left"]
        self.right_desktop = desktops["Right"]
        self.killer = killer
        self.began = time.time()
        self.sleep = sleep
        """Seconds for which a suspended Lobby is kept."""
        self._tag = tag

    def text(self, words: str) -> str:
        """These words as a message of this cell."""
        return f"{words} ({self._tag})"

    async def right_is_told(self, text: str) -> None:
        """Waits for Right's notification: the fallback, where the homeserver that knows the text was dead."""
        fallback = (FALLBACK,) if self.killer.blow.victim is Victim.SYNAPSE else ()
        await self.on_right.told((text, *fallback), self.began)
        words = (text, *fallback)
        await self.right_desktop.until(
            lambda desktop: any(word in bubble.title + bubble.body for bubble in desktop.stands for word in words),
            f"“{text}” on the desktop",
            PATIENCE,
        )

    async def right_presses(self, text: str) -> None:
        """Clicks on the notification of it, whichever desk has put that up: the desk takes the click."""
        words = (text, FALLBACK)
        about = [each for each in self.right_desktop.stands if any(word in each.title + each.body for word in words)]
        _check(bool(about), f"Right has not read “{text}”, and its notification is gone.")
        await self.right_desktop.press(about[-1], PATIENCE)

    async def right_moves(self, since: float) -> None:
        """Waits until Right's Lobby has changed its state after that time."""
        await self.on_right.until(lambda status: app_of(status).since > since, "Right's Lobby to be woken")

    async def arrives(self, text: str) -> None:
        """Left sees to it that the message goes out: by Resend, should it be marked as not sent."""

        def settled(window: Window) -> bool:
            return mark_of(window, text) in ("sent", "unsent")

        async with _patience(f"“{text}” to be sent"):
            while mark_of(await self.left.sees(settled, f"what became of “{text}”"), text) != "sent":
                await self.left.resends(text)
                await asyncio.sleep(_AGAIN)

    async def asks_left_desk(self, ask: Callable[[DeskControl], Awaitable[Answer]]) -> Answer:
        """Asks Left's desk as a command does, again while there is none."""
        async with _patience("an answer of Left's desk"):
            while True:
                with contextlib.suppress(FrontdeskError):
                    async with self.on_left.machine.desk() as desk:
                        return await ask(desk)
                await asyncio.sleep(_AGAIN)


async def both_see(play: Play) -> None:
    """1. What Left sends Right sees, once."""
    play.killer.moment("windows are opened")
    await play.left.looks()
    await play.right.looks()
    text = play.text("hello")
    play.killer.moment("a message is sent")
    await play.left.writes(text)
    await play.right.sees(lambda window: text in texts(window), f"“{text}”")
    play.killer.moment("it is there")
    await play.arrives(text)


async def closed_and_asleep(play: Play) -> None:
    """2. The Lobby of a closed window ends stopped, and nothing else runs or is frozen in its place."""
    await play.right.looks()
    await play.on_right.lobby(AppState.FOREGROUND)
    play.killer.moment("the window is closed")
    await play.right.leaves()
    await play.on_right.lobby(AppState.BACKGROUND, *_ASLEEP)
    play.killer.moment("Lobby is told of it")
    await play.on_right.lobby(*_ASLEEP)
    play.killer.moment("Lobby sleeps")
    with contextlib.suppress(DemoError):
        await play.on_right.lobby(AppState.STOPPED, patience=play.sleep - 0.8)
    play.killer.moment("Lobby is about to be stopped")
    await play.on_right.lobby(AppState.STOPPED)


async def reached(play: Play) -> None:
    """3. Right is told of both messages, whichever way Lobby is woken for them, and of each once."""
    await play.right.leaves()
    await play.left.looks()
    await play.on_right.lobby(AppState.STOPPED)
    first, second = play.text("Are you there?"), play.text("It is about tonight.")
    play.killer.moment("a message is sent to a stopped Lobby")
    await play.left.writes(first)
    await play.on_right.lobby(*_UP, AppState.SUSPENDED)
    play.killer.moment("Lobby is launched for it")
    await play.right_is_told(first)
    await play.on_right.lobby(*_ASLEEP)
    since = time.time()
    play.killer.moment("a message is sent to a sleeping Lobby")
    await play.left.writes(second)
    await play.right_moves(since)
    play.killer.moment("Lobby is thawed for it")
    await play.right_is_told(second)


async def send_and_leave(play: Play) -> None:
    """4. What Left sends on leaving arrives once, at the latest when Left is back."""
    await play.left.looks()
    await play.on_left.lobby(AppState.FOREGROUND)
    network, text = play.left.machine.network, play.text("On my way, bad line here")
    network.set(Condition.SLOW)
    try:
        play.killer.moment("the message is on its way")
        await play.left.writes(text)
        await play.left.leaves()
        await play.on_left.lobby(*_ASLEEP)
    finally:
        network.set(Condition.GOOD)
    play.killer.moment("Left is back")
    await play.arrives(text)


async def out_of_time(play: Play) -> None:
    """5. What cannot be sent is told, unless Lobby itself is what died; sent again, it arrives once."""
    await play.left.looks()
    await play.on_left.lobby(AppState.FOREGROUND)
    network, text = play.left.machine.network, play.text("Bring the projector, please")
    network.set(Condition.OFF)
    try:
        play.killer.moment("the message cannot leave")
        await play.left.writes(text)
        await play.left.leaves()
        await play.on_left.lobby(*_ASLEEP)
        if play.killer.blow.victim is not Victim.LOBBY:
            told = play.on_left.last is not None and notified(UNSENT)(play.on_left.last)
            _check(told, "Lobby sleeps with a message that is not sent, and nobody told Left.")
            await play.left_desktop.until(
                lambda desktop: any(bubble.title == UNSENT and bubble.tells(text) for bubble in desktop.stands),
                f"“{UNSENT}” on the desktop",
                PATIENCE,
            )
        play.killer.moment("time is up")
        await play.on_left.lobby(*_ASLEEP)
    finally:
        network.set(Condition.GOOD)
    play.killer.moment("Left is back")
    await play.left.sees(lambda window: text in texts(window), f"“{text}”")
    play.killer.moment("it is sent again")
    await play.arrives(text)


async def forgetful(play: Play) -> None:
    """6. An app that never ends its task is stopped by whichever desk is there, and its next run is told."""
    app, machine = forgetful_app.APP_ID, play.left.machine

    async def open_it() -> None:
        await play.asks_left_desk(lambda desk: desk.open(app))

    def ended(receipt: Receipt | None) -> bool:
        return receipt is not None and receipt.at >= play.began

    def stopped(status: DeskStatus) -> bool:
        return any(row.state is AppState.STOPPED and ended(row.last_receipt) for row in status.apps if row.app == app)

    def holds(status: DeskStatus) -> bool:
        return any(hold.name == forgetful_app.TASK for row in status.apps if row.app == app for hold in row.holds)

    await play.asks_left_desk(lambda desk: desk.add_app(forgetful_app.manifest(machine.folder)))
    play.killer.moment("it is launched")
    await open_it()
    await play.on_left.until(lambda status: holds(status) or stopped(status), "the forgetful app's task")
    play.killer.moment("it holds its task")
    await play.on_left.until(stopped, "the forgetful app to be stopped")
    _check_receipt(play, await play.asks_left_desk(lambda desk: desk.receipts(app)))
    play.killer.moment("it is opened again")
    async with _patience("what the next run was told"):
        while not any(shown.title.startswith("Last time: ") for shown in play.on_left.showings(play.began, app)):
            await open_it()
            with contextlib.suppress(DemoError):
                await play.on_left.until(
                    lambda status: bool(play.on_left.showings(play.began, app)), "its word", patience=6.0
                )

    if play.killer.blow.victim is Victim.LOBBY:
        # It is what is to die, and it is quick: told already, it would be removed before.
        await play.killer.struck(_STRUCK_WITHIN)

    async def remove(desk: DeskControl) -> None:
        if any(manifest.id == app for manifest in await desk.apps()):  # The last answer may have got lost.
            await desk.remove_app(app)

    await play.asks_left_desk(remove)


async def desk_killed(play: Play) -> None:
    """7. Right's desk dies while Lobby sleeps, and something else on top of it: the next message is told of."""
    await play.right.looks()
    await play.left.looks()
    await play.on_right.lobby(AppState.FOREGROUND)
    await play.right.leaves()
    await play.on_right.lobby(AppState.SUSPENDED)
    killed = (await play.on_right.until(lambda status: status.pid > 0, "Right's desk")).pid
    with contextlib.suppress(ProcessLookupError):
        os.kill(killed, signal.SIGKILL)
    play.killer.moment("the desk was killed")
    await play.on_right.until(lambda status: status.pid != killed, "another desk")
    text = play.text("Still there?")
    play.killer.moment("a message is sent")
    await play.left.writes(text)
    await play.right_is_told(text)


async def opened(play: Play) -> None:
    """8. Whoever opens the page of a sleeping Lobby right after a death finds it there, with what came meanwhile."""
    asleep = AppState(play.killer.blow.moment.rpartition(" ")[2])
    await play.left.looks()
    await play.right.looks()
    await play.right.leaves()
    await play.on_right.lobby(AppState.SUSPENDED)
    text = play.text("While you were away")
    await play.left.writes(text)
    await play.right_is_told(text)
    await play.on_right.lobby(asleep)
    await play.right.finds_the_page()
    play.killer.moment(f"Lobby is {asleep}")
    await play.killer.struck(_STRUCK_WITHIN)
    async with _patience("the page of a sleeping Lobby to show what came", _OPEN_WITHIN):
        await play.right.sees(lambda window: text in texts(window), f"“{text}”")


STORIES = (both_see, closed_and_asleep, reached, send_and_leave, out_of_time, forgetful, desk_killed, opened)
"""In the order of `plan.STEPS`."""


async def all_is_well(play: Play) -> None:
    """The end of every story: a message to a sleeping Lobby is told of, and both windows show all that was sent."""
    await play.right.leaves()
    await play.left.looks()
    for spectator in (play.on_left, play.on_right):
        await spectator.ready()
    await play.on_right.lobby(*_ASLEEP)
    text = play.text("All is well")
    await play.left.writes(text)
    await play.right_is_told(text)
    await play.killer.over()
    await play.right_presses(text)
    for text in play.left.accepted:
        await play.right.sees(lambda window, text=text: text in texts(window), f"“{text}” in the end")  # type: ignore[misc]
        await play.arrives(text)


def texts(window: Window) -> list[str]:
    """The texts that the window shows, the oldest first."""
    return [message.text for message in window.messages]


def mark_of(window: Window, text: str) -> str:
    """How the window marks the message; empty where it is not shown."""
    return next((message.mark for message in reversed(window.messages) if message.text == text), "")


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise DemoError(otherwise)


def _check_receipt(play: Play, receipts: tuple[Receipt, ...]) -> None:
    """Only a death of its own, or that of the keeper that was just launching it, is another reason than its task."""
    newest = max(receipts, key=lambda receipt: receipt.at)
    if play.killer.blow.victim not in (Victim.LOBBY, Victim.KEEPER):
        _check(newest.reason is StopReason.TASK_NOT_ENDED, f"The receipt says {newest.reason}: {newest.text}")


@contextlib.asynccontextmanager
async def _patience(what: str, seconds: float = 2 * PATIENCE) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise DemoError(f"Waited {seconds:g} s for {what}.") from None
