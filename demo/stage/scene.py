"""What the stage shows of a machine, made from what its desk says. Pure: values in, values out."""

import collections
import dataclasses
import datetime

from demo.network import Condition
from frontdesk import AppState, AppStatus, DeskStatus, Happening, Hold, Reading, Shown
from frontdesk.dashboard import Gap, Strip

_EVENTS_MOST = 30
_SHORT = 2.0
"""Seconds within which a background task that is over is one line of the list, not two; and several of them are one."""
_STEPS = frozenset({"connected", "settled", "stopping"})
"""Steps on the way to what another line tells."""
_OF_SCHEDULED_TASKS = frozenset(
    {"request_kept", "request_cancelled", "run_begun", "run_expired", "run_over", "run_again"}
)


@dataclasses.dataclass(frozen=True)
class State:
    """The app's state as a pill: a word, what it means for the person, and a tone for the colour."""

    word: str
    meaning: str
    tone: str
    """`awake`, `working`, `asleep`, `gone` or `alarm`."""
    seconds_left: float | None = None


@dataclasses.dataclass(frozen=True)
class Event:
    """One line of the desk's list."""

    clock: str
    what: str
    text: str
    at: float
    """When, in seconds since 1970."""


@dataclasses.dataclass(frozen=True)
class Scene:
    """One machine at one moment."""

    person: str
    window_open: bool
    network: Condition
    app: AppStatus | None
    """None: no desk answers."""
    state: State
    strip: Strip
    """Its lanes of the time line: the desk's and the app's."""
    asked: int = 0
    """How often Lobby has asked for its window to be shown: each time at an address of its own choice."""
    desk_pid: int = 0
    push: str = ""
    trouble: str = ""
    shown: tuple[Shown, ...] = ()
    events: tuple[Event, ...] = ()
    """All of them, newest first; ``listed`` are those that a person gets to read."""
    listed: tuple[Event, ...] = ()
    woken: Event | None = None
    """How the app last came out of sleep, `thawed` or `launched`; None: the desk remembers no such event, or the person
    has quit it (which takes waking it, too)."""

    conditions: tuple[Reading, ...] = ()
    """What its desk takes the machine to be like."""

    @property
    def user(self) -> str:
        return self.person.lower()

    @property
    def asleep(self) -> bool:
        """Its app executes nothing: suspended or stopped."""
        return self.app is not None and self.app.state in (AppState.SUSPENDED, AppState.STOPPED)

    @property
    def held(self) -> tuple[str, ...]:
        """In words, what keeps the app from being suspended (A11)."""
        words = collections.Counter(_held(hold) for hold in self.app.holds) if self.app else {}
        return tuple(f"{count} × {word}" if count > 1 else word for word, count in words.items())


def scene(
    person: str,
    window_open: bool,
    network: Condition,
    status: DeskStatus | None,
    app: str,
    asked: int = 0,
    noted: tuple[Happening, ...] = (),
    gaps: tuple[Gap, ...] = (),
    remembered: DeskStatus | None = None,
    now: float | None = None,
) -> Scene:
    """What to show of `person`'s machine; `status` None: no desk answers at the moment.

    `noted` and `gaps` are what no desk can tell of, since it was gone: they stand among its own. `remembered` is the
    last word of a desk that is gone, for the time line; `now` in seconds since 1970, by default the desk's own time.
    """
    last = status or remembered
    at = now if now is not None else last.now if last else 0.0
    # An absence is a gap there, and the desk's own line of being started again its mark.
    switched = tuple(line for line in noted if line.what == "network")
    strip = Strip(person.lower(), person, last, at, person, gaps, switched, app)
    if status is None:
        away = State("Desk away", "The desk is gone; the keeper starts it again. Apps and their sockets stay.", "alarm")
        return Scene(
            person, window_open, network, None, away, strip, asked, events=_events(noted), listed=_events(noted)
        )
    row = next((row for row in status.apps if row.app == app), None)
    wakes = tuple(one for one in status.happenings if one.app == app and one.what in ("thawed", "launched"))
    return Scene(
        person,
        window_open,
        network,
        row,
        _state(person, row, window_open),
        strip,
        asked,
        desk_pid=status.pid,
        push=_push(status),
        trouble=status.trouble,
        shown=tuple(sorted(status.shown, key=lambda shown: -shown.at)),
        events=_events(noted + status.happenings),
        listed=_events(_readable(noted + status.happenings)),
        conditions=status.conditions,
        woken=None if row is not None and row.quit else next(iter(_events(wakes)), None),
    )


def _state(person: str, app: AppStatus | None, window_open: bool) -> State:
    if app is None:
        return State("Not there yet", "Lobby is not registered with this desk yet.", "gone")
    left = app.seconds_left
    match app.state:
        case AppState.LAUNCHING:
            return State("Starting", "The desk starts a process for it.", "working", left)
        case AppState.FOREGROUND if not window_open:
            return State("In front", "Its window has just gone; Lobby waits 2 s in case it comes back.", "awake")
        case AppState.FOREGROUND:
            return State("In front", f"{person} can see the window.", "awake")
        case AppState.BACKGROUND:
            why = "It finishes what it began." if app.holds else "Unseen, and about to sleep."
            return State("Running unseen", why, "working", left)
        case AppState.SUSPENDED:
            return State("Asleep", "In memory and frozen: it uses no CPU at all.", "asleep")
        case AppState.STOPPED if app.quit:
            return State("Quit", f"{person} quit it. Nothing wakes it until the window is opened.", "gone")
        case AppState.STOPPED:
            return State("Stopped", "No process. A message or a look at the window starts it.", "gone")


def _held(hold: Hold) -> str:
    match hold.kind:
        case "task":
            return f"background task “{hold.name}”"
        case "push":
            return "a push it is looking at"
        case "scheduled" | "continued":
            return f"{hold.kind} task “{hold.name}”"
        case "opening":
            return "a window about to open"
        case "settling":
            return "told that its window is gone, not ready yet"
        case other:
            return f"{other} {hold.name}".strip()


def _push(status: DeskStatus) -> str:
    return {
        "off": "no push service",
        "connecting": "connecting",
        "connected": "connected",
        "waiting": "no connection, tries again",
    }.get(status.push_state, status.push_state)


def _readable(happenings: tuple[Happening, ...]) -> tuple[Happening, ...]:
    """Without steps on the way; a short task is one line, and so are several of one name at almost the same time."""
    begun: dict[tuple[str, str], float] = {}
    found: list[Happening] = []
    times, first = 0, 0.0
    for line in sorted(happenings, key=lambda happening: happening.at):
        if line.what in _STEPS:
            continue
        task = line.app, line.about
        if line.what == "task_begun":
            begun[task] = line.at
        since = begun.pop(task, line.at - _SHORT) if line.what == "task_ended" else line.at - _SHORT
        if line.at - since >= _SHORT:
            found.append(line)
            continue
        begin = ("task_begun", *task, since)
        found = [one for one in found if (one.what, one.app, one.about, one.at) != begin]
        same = bool(found) and (found[-1].what, found[-1].app, found[-1].name) == ("short_task", line.app, line.name)
        again = same and line.at - first <= _SHORT
        times, first = (times + 1, first) if again else (1, line.at)
        text = f"background task begun and ended{f', {times} times' if again else ''}: {line.name}"
        found[len(found) - again :] = [Happening(line.at, line.app, "short_task", text, name=line.name)]
    return tuple(found)


def _events(happenings: tuple[Happening, ...]) -> tuple[Event, ...]:
    # Of those at the same moment the last noted comes first, too.
    newest_first = sorted(happenings, key=lambda happening: happening.at)[: -_EVENTS_MOST - 1 : -1]
    return tuple(
        Event(
            f"{datetime.datetime.fromtimestamp(happening.at):%H:%M:%S}",
            happening.what,
            _text(happening),
            happening.at,
        )
        for happening in newest_first
    )


def _text(line: Happening) -> str:
    """What happened; a scheduled task has a long name, of which its app's part says nothing here."""
    text = line.text
    if line.what in _OF_SCHEDULED_TASKS:
        text = f"task {text}" if text.startswith(line.name) else text
        text = text.replace(line.name, f"“{line.name.removeprefix(f'{line.app}.')}”")
    return text[:1].upper() + text[1:]
