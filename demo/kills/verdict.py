"""Whether a story ended well: what was seen afterwards, in; what is wrong with it, out. Pure."""

import dataclasses
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from urllib.parse import urlsplit

from demo.tour.page import Message
from frontdesk import AppState, AppStatus, Receipt, StopReason

_DESK = ("-m", "frontdesk.agent.main")
_KEEPERS = (("-m", "frontdesk.cli.main", "agent"), ("-m", "frontdesk.agent.keeper"))
"""Started as at login, and by an app that missed it."""
_LOBBY = ("-m", "lobby.main")


@dataclasses.dataclass(frozen=True)
class Process:
    """One process of a person's machine. `state`: the kernel's letter, T for a frozen one."""

    pid: int
    parent: int
    state: str
    command: tuple[str, ...]

    def runs(self, words: tuple[str, ...]) -> bool:
        return self.command[1 : 1 + len(words)] == words


@dataclasses.dataclass(frozen=True)
class Showing:
    """One time that a desk showed a notification; shown again, even with the same words, it is another one."""

    id: str
    at: float
    title: str
    body: str

    def tells(self, text: str) -> bool:
        return text in self.body


_NUMBER_IS_KEPT_WITHIN = 0.5
"""Seconds. A desk that dies sooner after it put a bubble up may not have come to keep its number; the next desk, which
cannot know of that bubble, puts up another: better twice than not at all."""


@dataclasses.dataclass
class Bubble:
    """A notification as the desktop was given it. `fresh`: not in the place of one that stood there."""

    number: int
    title: str
    body: str
    fresh: bool
    desk: str
    """Which run of the desk asked for it."""
    outlived_by: float = math.inf
    """Seconds for which the desk that asked for it has lived on."""

    @property
    def unknown(self) -> bool:
        """Perhaps no desk knows its number."""
        return self.fresh and self.outlived_by <= _NUMBER_IS_KEPT_WITHIN

    def tells(self, text: str) -> bool:
        return text in self.body


@dataclasses.dataclass(frozen=True)
class Ending:
    """What was seen when the dust had settled."""

    accepted: tuple[str, ...]
    """The messages that Left's Lobby took, in that order."""
    at_homeserver: int
    """How many messages of Left's the homeserver has that it did not have before."""
    windows: Mapping[str, Sequence[Message]]
    """What each person's window shows of the chat, the oldest first."""
    showings: Mapping[str, Sequence[Showing]]
    """What each person's desk has shown since the story began, in that order."""
    bubbles: Mapping[str, Sequence[Bubble]] = dataclasses.field(default_factory=dict)
    """What each person's desktop was given since then, in that order."""
    stalls: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    """Requests that each person's page took and never answered; asked again, it may have."""
    said_before: Collection[str] = ()
    """What was accepted in the stories before, in the same chat."""


def faults(ending: Ending) -> list[str]:
    """A sentence for each thing that is wrong; empty: nothing lost, nothing twice, nothing out of order."""
    found = []
    if ending.at_homeserver != len(ending.accepted):
        found.append(f"The homeserver has {ending.at_homeserver} new messages; Left sent {len(ending.accepted)}.")
    for person, shown in ending.windows.items():
        found += _in_window(person, [message.text for message in shown], ending.accepted, ending.said_before)
        for message in shown:
            if message.text in ending.accepted and message.mark not in ("", "sent"):
                found.append(f"{person}'s window marks “{message.text}” as {message.mark}.")
    for person, showings in ending.showings.items():
        found += _as_notifications(person, showings, ending.accepted)
    for person, bubbles in ending.bubbles.items():
        found += _on_desktop(person, bubbles, ending.accepted)
    found += [f"{person} waited in vain. {stall}" for person, stalls in ending.stalls.items() for stall in stalls]
    return found


def _in_window(person: str, shown: Sequence[str], accepted: Sequence[str], before: Collection[str]) -> list[str]:
    found = []
    for text in accepted:
        times = shown.count(text)
        if times != 1:
            found.append(f"{person}'s window shows “{text}” {times} times.")
    for text in dict.fromkeys(shown):
        if text not in accepted and text not in before:
            found.append(f"{person}'s window shows “{text}”, which nobody wrote.")
        elif text in before and shown.count(text) > 1:
            found.append(f"{person}'s window shows “{text}” of a story before {shown.count(text)} times.")
    ours = [text for text in shown if text in accepted]
    if not found and ours != list(accepted):
        found.append(f"{person}'s window shows them out of order: {', '.join(ours)}.")
    return found


def _as_notifications(person: str, showings: Sequence[Showing], accepted: Sequence[str]) -> list[str]:
    found = []
    told = []
    for text in accepted:
        about = [showing for showing in showings if showing.tells(text)]
        for title in {showing.title for showing in about}:
            times = sum(showing.title == title for showing in about)
            if times > 1:
                found.append(f"{person} was shown “{title}: {text}” {times} times.")
    for showing in showings:
        told += [accepted.index(text) for text in accepted if showing.tells(text) and not _about_sending(showing)]
    if not found and told != sorted(told):
        found.append(f"{person} was told of newer messages before older ones: {[accepted[each] for each in told]}.")
    return found


def _on_desktop(person: str, bubbles: Sequence[Bubble], accepted: Sequence[str]) -> list[str]:
    """Given once by one desk. By the next again only in its place: one beside it, or after it, is seen as another."""
    found = []
    lasting = [bubble for bubble in bubbles if bubble.fresh and not bubble.unknown]
    for text in accepted:
        put_up = Counter((bubble.title, bubble.body) for bubble in lasting if bubble.tells(text))
        given = Counter((bubble.title, bubble.body, bubble.desk) for bubble in bubbles if bubble.tells(text))
        for title, body in dict.fromkeys((bubble.title, bubble.body) for bubble in bubbles if bubble.tells(text)):
            by_one_desk = max(times for (*words, _), times in given.items() if words == [title, body])
            times = max(put_up[title, body], by_one_desk)
            if times > 1:
                found.append(f"{person}'s desktop was given “{title}: {body}” {times} times.")
    return found


def left_over(person: str, bubbles: Sequence[Bubble], listed: Sequence[Showing]) -> list[str]:
    """What still stands on the desktop or in the desk's list when everybody has seen everything."""
    lasting = [bubble for bubble in bubbles if not bubble.unknown]
    found = [f"“{bubble.title}: {bubble.body}” never goes from {person}'s desktop." for bubble in lasting]
    found += [f"“{each.title}: {each.body}” never goes from the list of {person}'s desk." for each in listed]
    return found


def _about_sending(showing: Showing) -> bool:
    return showing.id.startswith("unsent:")


def unheard(person: str, apps: Sequence[AppStatus], queues: Mapping[int, int]) -> list[str]:
    """Who waits for an app that sleeps: visitors of its page (`queues`: how many at which port), and pushes."""
    found = []
    for row in apps:
        if row.state not in (AppState.SUSPENDED, AppState.STOPPED):
            continue
        if number := queues.get(urlsplit(row.page).port or 0, 0):
            found.append(f"{number} visitors wait at the page of {person}'s {row.name}, which is {row.state}.")
        if row.pushes_waiting:
            found.append(f"{row.pushes_waiting} pushes wait for {person}'s {row.name}, which is {row.state}.")
    return found


def ended_badly(person: str, receipts: Sequence[Receipt], *, keeper_died: bool) -> list[str]:
    """Runs of a Lobby that was not killed itself, and yet did not end in its sleep.

    A keeper takes along the launch that it was about to make; the next desk finds that run gone.
    """
    fine = {StopReason.SUSPENDED_LONG} | ({StopReason.REPLACED, StopReason.LAUNCH_FAILED} if keeper_died else set())
    return [f"A run of {person}'s Lobby ended: {receipt.text}" for receipt in receipts if receipt.reason not in fine]


def keeper_of(processes: Sequence[Process]) -> int:
    """The keeper among the processes of a machine, also in the moment in which it has no desk; 0: there is none."""
    return next((process.pid for process in processes if any(process.runs(words) for words in _KEEPERS)), 0)


def strays(person: str, processes: Sequence[Process], asleep: Collection[int], awake: Collection[int]) -> list[str]:
    """What is wrong with the processes of a machine whose desk says that the apps `asleep` are frozen, `awake` not.

    A frozen process that no desk knows would stay frozen for ever; one that runs unknown would never be put to sleep.
    """
    found = []
    for what, ways in (("keeper", _KEEPERS), ("desk", (_DESK,))):
        number = sum(any(process.runs(words) for words in ways) for process in processes)
        if number != 1:
            found.append(f"{person} has {number} {what} processes.")
    parents = {process.pid: process.parent for process in processes}
    for process in processes:
        command = " ".join(process.command[1:]) or "?"
        known = _family(process.pid, parents)
        if process.state == "T" and not known & set(asleep):
            found.append(f"{person}'s process {process.pid} ({command}) is frozen, and its desk does not know that.")
        if process.state != "T" and process.pid in asleep:
            found.append(f"{person}'s process {process.pid} ({command}) runs, and its desk calls it suspended.")
        if process.runs(_LOBBY) and process.command[-1] == "run" and process.pid not in {*asleep, *awake}:
            found.append(f"{person}'s desk does not know of its Lobby, process {process.pid}.")
    return found


def _family(pid: int, parents: Mapping[int, int]) -> set[int]:
    """A process and those it descends from."""
    found: set[int] = set()
    while pid in parents and pid not in found:
        found.add(pid)
        pid = parents[pid]
    return found
