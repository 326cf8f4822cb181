"""The seven steps of the story, each with its checks on the real parts."""

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable

from demo.errors import DemoError
from demo.machine import LOBBY, Machine, app_of
from demo.network import Condition
from demo.tour import cpu, forgetful_app
from demo.tour.story import Step
from demo.tour.window import Window
from demo.tour.witness import Witness
from demo.world import World
from frontdesk import AppState, DeskStatus, Receipt, StopReason

_STILL = 1.0
"""Seconds over which the CPU time of a suspended app is compared."""

_AT_ONCE = 4.0
"""Seconds that pass for "at once" from outside on a busy machine, through two programs; a test of A02 measures the
50 ms."""


class Cast:
    """Who plays: the world, the witness, and the window that each person has open, if any."""

    def __init__(self, world: World, witness: Witness) -> None:
        self.world = world
        self.witness = witness
        self._windows: dict[str, Window] = {}

    async def window(self, machine: Machine) -> Window:
        """That person's window on the chat, opened if it is closed."""
        if machine.person not in self._windows:
            window = self._windows[machine.person] = Window(await machine.page_address(), self.world.chat)
            await window.open()
        return self._windows[machine.person]

    async def close_window(self, machine: Machine) -> None:
        """Closes that person's window if it is open."""
        if window := self._windows.pop(machine.person, None):
            await window.close()

    async def sent(self, machine: Machine) -> dict[str, float]:
        """What the homeserver has of that person in the chat: event id → when it came, in seconds since 1970."""
        return await self.witness.sent(self.world.chat, self.world.synapse.user_id(machine.user))

    async def kinds(self) -> set[str]:
        """Of what kinds the messages are that the homeserver has of their chat."""
        return {event["type"] for event in await self.witness.messages(self.world.chat)}

    async def close(self) -> None:
        """Closes all windows."""
        for machine in self.world.machines:
            await self.close_window(machine)


@dataclasses.dataclass
class Watch:
    """What the desk said of Lobby while a step was played: the background tasks that held it awake."""

    holds: set[str] = dataclasses.field(default_factory=set)


def check(holds: bool, otherwise: str) -> None:
    """DemoError with the sentence `otherwise` when a check does not hold."""
    if not holds:
        raise DemoError(otherwise)


async def until(
    machine: Machine, seen: Callable[[DeskStatus], bool], what: str, patience: float = 20.0, watch: Watch | None = None
) -> DeskStatus:
    """Waits until the desk shows it; what was seen of Lobby on the way goes into `watch`."""
    last: DeskStatus | None = None
    try:
        async with asyncio.timeout(patience), contextlib.aclosing(machine.watch()) as statuses:
            async for status in statuses:
                if status is None:
                    continue
                last = status
                if watch:
                    watch.holds |= {hold.name for hold in app_of(status).holds if hold.kind == "task"}
                if seen(status):
                    return status
    except TimeoutError:
        pass
    row = app_of(last) if last else None
    raise DemoError(
        f"Waited {patience:g} s for {what}. {machine.person}'s Lobby: "
        + (f"{row.state}, held by {', '.join(hold.name for hold in row.holds) or 'nothing'}." if row else "no desk.")
    )


def in_state(*states: AppState) -> Callable[[DeskStatus], bool]:
    """True when Lobby is in one of `states`."""
    return lambda status: app_of(status).state in states


def notified(body: str, title: str = "") -> Callable[[DeskStatus], bool]:
    """True when a notification of Lobby has `body` in its text and `title` in its title."""
    return lambda status: any(
        body in shown.notification.body + shown.notification.title and title in shown.notification.title
        for shown in status.shown
        if shown.app == LOBBY
    )


ASLEEP = in_state(AppState.SUSPENDED, AppState.STOPPED)


async def both_see(cast: Cast) -> str:
    """1. Left sends "hello" with the window open; Right, window open, sees it, and nobody else could."""
    left, right = await cast.window(cast.world.left), await cast.window(cast.world.right)
    await left.send("hello")
    await right.until(lambda window: _last(window) == ("hello", False), "“hello” in Right's window")
    await left.until(lambda window: bool(window.messages) and window.messages[-1].mark == "sent", "the mark “sent”")
    kinds = await cast.kinds()
    check(kinds == {"m.room.encrypted"}, f"The homeserver has messages of these kinds: {', '.join(sorted(kinds))}.")
    return "Right's window shows it, Left's says “sent”, and the homeserver cannot read it."


async def closed_and_asleep(cast: Cast) -> str:
    """2. Right closes the window: Lobby is told, suspended without CPU time, later stopped."""
    right = cast.world.right
    await cast.window(right)
    await until(right, in_state(AppState.FOREGROUND), "Lobby in the foreground")
    closed = (await right.status()).now
    await cast.close_window(right)
    status = await until(right, in_state(AppState.SUSPENDED), "Lobby suspended")
    told = [one for one in status.happenings if (one.app, one.what) == (LOBBY, "background") and one.at >= closed]
    check(bool(told), "Lobby was suspended without having been told that its window is gone.")
    pid = app_of(status).pid
    before = cpu.tree(pid)
    await asyncio.sleep(_STILL)
    check(bool(before) and cpu.tree(pid) == before, f"The suspended Lobby (process {pid}) used CPU time.")
    await until(right, in_state(AppState.STOPPED), "Lobby stopped")
    check(not cpu.tree(pid), f"Lobby is called stopped, and its process {pid} is still there.")
    receipt = await _last_receipt(right, LOBBY)
    check(receipt.reason is StopReason.SUSPENDED_LONG, f"The receipt says {receipt.reason.words}.")
    return (
        f"Suspended ({len(before)} process, no tick of CPU in {_STILL:g} s), later stopped: “{receipt.reason.words}”."
    )


async def reached(cast: Cast) -> str:
    """3. Left writes: Right's Lobby is launched, then thawed, stores the message, notifies and sleeps again."""
    left, right = await cast.window(cast.world.left), cast.world.right
    await cast.close_window(right)
    await until(right, in_state(AppState.STOPPED), "Right's Lobby stopped")
    await left.send("Are you there?")
    await until(right, notified("Are you there?", "Left"), "the notification of a launched Lobby")
    asleep = app_of(await until(right, in_state(AppState.SUSPENDED), "Lobby asleep again"))
    await left.send("It is about tonight.")
    await until(right, notified("It is about tonight.", "Left"), "the notification of a thawed Lobby")
    again = app_of(await until(right, in_state(AppState.SUSPENDED), "Lobby asleep again"))
    check(again.pid == asleep.pid, "The second message should have thawed the process that the first one launched.")
    # Without a network the window can show only what was stored while nobody looked.
    right.network.set(Condition.OFF)
    try:
        window = await cast.window(right)
        await window.until(lambda it: _last(it) == ("It is about tonight.", False), "the stored message")
    finally:
        right.network.set(Condition.GOOD)
        await cast.close_window(right)
    return (
        f"Launched, then thawed (process {again.pid}): Left's name and words shown, message stored, asleep by itself."
    )


async def send_and_leave(cast: Cast) -> str:
    """4. On a slow network Lobby is kept awake until the homeserver has the message, and then no longer."""
    left, text, watch = cast.world.left, "On my way, bad line here", Watch()
    before = await cast.sent(left)
    window = await cast.window(left)
    await until(left, in_state(AppState.FOREGROUND), "Left's Lobby in the foreground")
    left.network.set(Condition.SLOW)
    try:
        await window.send(text)
        await cast.close_window(left)
        gone = app_of(await until(left, in_state(AppState.BACKGROUND), "Lobby in the background", watch=watch)).since
        asleep = app_of(await until(left, ASLEEP, "Lobby asleep", watch=watch)).since
    finally:
        left.network.set(Condition.GOOD)
    check(bool(watch.holds), "No background task kept Lobby awake.")
    # By the clocks of the homeserver and of the desk, which are this machine's: not by when the tour looked.
    new = [came for event_id, came in (await cast.sent(left)).items() if event_id not in before]
    check(len(new) == 1, f"Lobby sleeps, and the homeserver has {len(new)} new messages instead of one.")
    came = new[0]
    check(came > gone, "The message was out before the window was gone: this network was not slow.")
    late = asleep - came
    check(late > 0, "Lobby slept before the homeserver had the message.")
    # The homeserver's answer needs its time on this network, too; only then does the task end.
    back = left.network.slow.latency
    check(late < back + _AT_ONCE, f"Lobby slept {late:.1f} s after the message had arrived.")
    return f"Held awake by “{watch.holds.pop()}”; asleep when the homeserver's answer was back, {late:.1f} s after."


async def out_of_time(cast: Cast) -> str:
    """5. Without a network time runs out: the person is told, and "resend" later sends exactly once."""
    left, text = cast.world.left, "Bring the projector, please"
    before = await cast.sent(left)
    window = await cast.window(left)
    await until(left, in_state(AppState.FOREGROUND), "Left's Lobby in the foreground")
    left.network.set(Condition.OFF)
    try:
        await window.send(text)
        await cast.close_window(left)
        await until(left, notified("Message not sent, please resend"), "the notification “Message not sent”")
        await until(left, in_state(AppState.SUSPENDED), "Lobby asleep, not stopped")
    finally:
        left.network.set(Condition.GOOD)
    window = await cast.window(left)
    await window.until(lambda it: _mark(it, text) == "unsent", "the mark “unsent”")
    check(await cast.sent(left) == before, "The message went out without anybody saying so.")
    await window.resend(next(message.key for message in window.messages if message.text == text))
    await window.until(lambda it: _mark(it, text) == "sent", "the mark “sent” after resending")
    count = len((await cast.sent(left)).keys() - before.keys())
    check(count == 1, f"The homeserver has the message {count} times.")
    right = await cast.window(cast.world.right)
    await right.until(lambda it: _last(it) == (text, False), "the resent words in Right's window")
    times = sum(message.text == text for message in right.messages)
    check(times == 1, f"Right's window shows the message {times} times.")
    return "Notified, asleep with its task ended; marked unsent; “resend” arrived exactly once."


async def forgetful(cast: Cast) -> str:
    """6. An app that does not end its background task is stopped, and its next run is told why."""
    machine, app = cast.world.left, forgetful_app.APP_ID
    async with machine.desk() as desk:
        await desk.add_app(forgetful_app.manifest(machine.folder))
        await desk.open(app)
        await until(
            machine,
            lambda status: any(hold.name == forgetful_app.TASK for hold in app_of(status, app).holds),
            "its task in the desk's list",
        )
        await until(machine, lambda status: app_of(status, app).state is AppState.STOPPED, "the app stopped")
        receipt = await _last_receipt(machine, app)
        check(receipt.reason is StopReason.TASK_NOT_ENDED, f"The receipt says {receipt.reason.words}.")
        check(forgetful_app.TASK in receipt.tasks, "The receipt does not name the task.")
        await desk.open(app)
        told = f"Last time: {StopReason.TASK_NOT_ENDED.words}"
        await until(
            machine,
            lambda status: any(shown.app == app and shown.notification.title == told for shown in status.shown),
            "what the next run was told",
        )
        await desk.remove_app(app)
    return f"Stopped with a receipt that names “{forgetful_app.TASK}”; the next run was told “{receipt.reason.words}”."


async def desk_killed(cast: Cast) -> str:
    """7. Right's desk is killed while Lobby sleeps: it is back, Lobby is still there, the next message arrives."""
    left, right = await cast.window(cast.world.left), cast.world.right
    await cast.window(right)
    await until(right, in_state(AppState.FOREGROUND), "Right's Lobby in the foreground")
    await cast.close_window(right)
    before = app_of(await until(right, in_state(AppState.SUSPENDED), "Right's Lobby suspended"))
    clock = asyncio.get_running_loop().time
    at = clock()
    killed = await right.kill_desk()
    status = await until(right, lambda status: status.pid != killed, "another desk")
    away = clock() - at
    after = app_of(status)
    check(after.pid == before.pid, f"Lobby was process {before.pid} and is {after.pid} for the new desk.")
    check(after.state is AppState.SUSPENDED, f"The new desk found Lobby {after.state}.")
    await left.send("Still there?")
    status = await until(right, notified("Still there?", "Left"), "the next message")
    check(app_of(status).pid == before.pid, "The message did not reach the Lobby that slept.")
    return f"A new desk after {away:.1f} s found the same Lobby (process {before.pid}); the next message arrived."


STORY = (
    Step("Left writes, Right sees it", both_see),
    Step("Right closes the window: asleep without CPU, later stopped", closed_and_asleep),
    Step("Left writes: Right's sleeping Lobby is woken and notifies", reached),
    Step("Slow network: Left sends and leaves; sent, then asleep", send_and_leave),
    Step("No network: told “not sent”; resend sends exactly once", out_of_time),
    Step("A forgetful app is stopped, and told why", forgetful),
    Step("Right's desk is killed: back, Lobby still there", desk_killed),
)


async def _last_receipt(machine: Machine, app: str) -> Receipt:
    async with machine.desk() as desk:
        receipts = await desk.receipts(app)
    if not receipts:
        raise DemoError(f"The desk has no receipt of {app}.")
    return max(receipts, key=lambda receipt: receipt.at)


def _last(window: Window) -> tuple[str, bool]:
    if not window.messages:
        return "", False
    return window.messages[-1].text, window.messages[-1].mine


def _mark(window: Window, text: str) -> str:
    return next((message.mark for message in reversed(window.messages) if message.text == text), "")
