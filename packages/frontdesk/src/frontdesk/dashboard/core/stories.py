"""Tells what happened to one app, and why: happenings that belong together become one story, with a mark for each."""

from collections.abc import Callable, Sequence

from frontdesk.dashboard.core.push_stories import PushStories
from frontdesk.dashboard.core.task_stories import TaskStories
from frontdesk.dashboard.core.threads import SOON, Kind, Mark, Story, Telling, Thread
from frontdesk.terms import AppState, Happening, Span, StopReason, WakeReason

S = AppState

SERVICE_AWAY, SERVICE_BACK = "Push service away", "Push service reached again"
"""Marks that begin and end a time without it."""

_TROUBLE = frozenset(
    {
        StopReason.CRASHED,
        StopReason.LAUNCH_FAILED,
        StopReason.LAUNCH_TIMED_OUT,
        StopReason.TASK_NOT_ENDED,
        StopReason.TASK_NOT_COMPLETED,
        StopReason.TOO_MANY_TASKS,
        StopReason.CPU_EXCEEDED,
        StopReason.MEMORY_EXCEEDED,
        StopReason.UNREACHABLE,
    }
)
"""Ends that nobody wanted."""

_BY_ITSELF = frozenset({StopReason.EXITED, StopReason.CRASHED, StopReason.REPLACED})

_NO_MARK = frozenset({"connected", "settled", "subscribed", "stopping", "background"})
"""Steps on the way, which the bands show or a story tells."""


def tell(
    happened: Sequence[Happening], spans: Sequence[Span], name: str, who: str, bodies: dict[tuple[str, float], str]
) -> tuple[tuple[Story, ...], tuple[Mark, ...]]:
    """The stories of one app, and the marks that lead to them, by time.

    ``happened``: its lines of the event list in their order. ``who``: the person, "you" or a name. ``bodies``: by id
    and moment, the texts of the notifications that are still shown; the event list itself keeps titles only.
    """
    teller = _Teller(spans, name, who, bodies)
    for place, line in enumerate(happened):
        teller.hear(line, str(line.number) if line.number else f"p{place}")
    return tuple(thread.story() for thread in teller.threads), tuple(teller.marks)


class _Teller(Telling):
    """Hears the lines of one app in their order."""

    def __init__(self, spans: Sequence[Span], name: str, who: str, bodies: dict[tuple[str, float], str]) -> None:
        super().__init__(spans, name, who)
        self._bodies = bodies
        self._pushes = PushStories(self)
        self._scheduled = TaskStories(self)
        self._notifications: dict[str, Thread] = {}
        self._tasks: dict[str, Thread] = {}
        self._short: dict[str, tuple[Happening, Thread, Mark]] = {}
        """Tasks begun while the app was being opened: one that is soon over is a part of that, and has no story."""
        self._expired: Thread | None = None
        """The task whose time is up: what the app shows now is about it."""
        self._link: Thread | None = None
        """How long the push service is away."""
        self._opening: Thread | None = None
        """What brings the app to the front, should it come there now."""
        self._quitting: Thread | None = None
        self._ended: Thread | None = None
        """Its latest end."""
        self._tellers: dict[str, Callable[[Happening], None]] = {
            "push": self._pushes.arrived,
            "push_answered": self._pushes.answered,
            "push_fallback": self._pushes.fell_back,
            "push_over": self._pushes.over,
            "push_refused": self._pushes.refused,
            "thawed": self._woken,
            "launched": self._woken,
            "connected": self._connected,
            "foreground": self._in_front,
            "suspended": self._asleep,
            "notified": self._notified,
            "pressed": self._pressed,
            "dismissed": self._dismissed,
            "withdrawn": self._withdrawn,
            "task_begun": self._task_begun,
            "task_ended": self._task_ended,
            "expiring": self._expiring,
            "request_kept": self._scheduled.asked,
            "request_cancelled": self._scheduled.withdrawn,
            "run_begun": self._scheduled.begun,
            "run_expired": self._scheduled.expired,
            "run_over": self._scheduled.over,
            "run_again": self._scheduled.again,
            "quit": self._quit,
            "stopped": self._stopped,
            "paused": self._paused,
            "push_service_lost": self._service_lost,
            "push_service_back": self._service_back,
            "restarted": self._desk,
            "desk_back": self._desk,
            "condition": self._condition,
        }

    def hear(self, line: Happening, key: str) -> None:
        self.key = key
        for about, (begun, _, _) in list(self._short.items()):
            if line.at - begun.at >= SOON:
                self._tell_of_task(about)
        if line.what in self._tellers:
            self._tellers[line.what](line)
        elif line.what not in _NO_MARK:
            trouble = line.what in ("refused", "no_page", "task_unknown")
            kind, title = (Kind.TROUBLE, "Trouble") if trouble else (Kind.NOTE, line.name or "Noted")
            self.begin(line, kind, title, line.text)

    # --- waking and sleeping --------------------------------------------------------------------------------------

    def _woken(self, line: Happening) -> None:
        asleep = "was asleep, so it was woken" if line.what == "thawed" else "was not running, so it was launched"
        if line.why == WakeReason.PUSH:
            for thread in self._pushes.open:
                thread.woken = line.what == "thawed"
                thread.say(line.at, f"{self.name} {asleep}")
            if not self._pushes.open:
                self.until_sleep.append(self.begin(line, Kind.PUSH, "Woken", f"{self.name} {asleep}: a push waited"))
            return
        if line.why == WakeReason.SCHEDULED and self._scheduled.woken(line, asleep):
            return
        if line.why == WakeReason.PRESSED and self._opening is not None:
            self._opening.then(line.at, f"{self.name} {asleep}")
            return
        begun = {
            WakeReason.OPENED: f"{self.who} opened {self.name}; it {asleep}",
            WakeReason.PRESSED: f"{self.who} pressed a notification of {self.name}; it {asleep}",
            WakeReason.PAGE_VISITED: f"a browser asked for {self.name}’s page; it {asleep}",
            WakeReason.TASK: f"{self.name} had begun a background task just then; it {asleep}",
            WakeReason.SCHEDULED: f"a scheduled task of {self.name} was due; it {asleep}",
            WakeReason.ENDPOINT_CHANGED: f"{self.name}’s address for pushes changed; it {asleep} to hear of it",
        }
        words = next((words for why, words in begun.items() if why == line.why), f"{self.name} {asleep}")
        title = "Opened" if line.why in (WakeReason.OPENED, WakeReason.PRESSED, WakeReason.PAGE_VISITED) else "Woken"
        self._opening = self.begin(line, Kind.OPENED, title, words)
        self._opening.woken = line.what == "thawed"
        self.until_sleep.append(self._opening)

    def _connected(self, line: Happening) -> None:
        if line.why == WakeReason.BY_HAND and self.before(line.at) in (None, S.STOPPED):
            words = f"{self.name} was started by hand, in a terminal say"
            self._opening = self.begin(line, Kind.OPENED, "Started", words)
            self.until_sleep.append(self._opening)

    def _in_front(self, line: Happening) -> None:
        if self._opening is not None:
            self._opening.then(line.at, f"{self.who} saw it")
        self._opening = self._expired = None
        self.until_sleep.clear()

    def _asleep(self, line: Happening) -> None:
        self.slept_at = line.at
        for thread in self.until_sleep:
            if thread.names_app:
                thread.then(line.at, f"{self.name} slept")
            else:
                thread.and_(line.at, "slept again" if thread.woken else "slept")
        self.until_sleep.clear()
        self._opening = self._expired = None

    # --- notifications --------------------------------------------------------------------------------------------

    def _notified(self, line: Happening) -> None:
        body = self._bodies.get((line.about, line.at), "")
        words = f"showed “{line.name}: {body}”" if body else f"showed “{line.name or line.text}”"
        thread = self._pushes.story_of(line.cause) if line.cause else None
        if thread is not None:
            self._pushes.showed(thread, line, words, again=self._notifications.get(line.about) is thread)
        elif line.about in self._notifications:
            thread = self._notifications[line.about]
            thread.say(line.at, f"{self.name} changed what it says{f' to “{line.name}: {body}”' if body else ''}")
            self.mark(line, Kind.NOTIFICATION, f"Notification “{line.name}” changed", thread)
        elif self._expired is not None:
            thread = self._expired
            thread.title = f"{thread.title}: time was up"
            thread.then(line.at, f"{self.name} {words}")
            self.mark(line, Kind.NOTIFICATION, f"Notification “{line.name}”", thread)
            self._expired = None
        else:
            thread = self.begin(line, Kind.NOTIFICATION, "Notification", f"{self.name} {words}")
        self._notifications[line.about] = thread

    def _pressed(self, line: Happening) -> None:
        thread = self._notifications.get(line.about)
        button = f"“{line.why}” on it" if line.why else "it"
        if thread is None:
            thread = self.begin(line, Kind.OPENED, "Pressed", f"{self.who} pressed a notification of {self.name}")
        else:
            thread.say(line.at, f"{self.who} pressed {button}")
            self.mark(line, Kind.OPENED, "A notification pressed", thread)
        self._opening = thread

    def _dismissed(self, line: Happening) -> None:
        self._gone(line, f"{self.who} dismissed it", f"{self.who} dismissed “{line.name}”")

    def _withdrawn(self, line: Happening) -> None:
        self._gone(line, f"{self.name} took it back", f"{self.name} took “{line.name}” back")

    def _gone(self, line: Happening, words: str, without: str) -> None:
        thread = self._notifications.pop(line.about, None)
        if thread is None:
            self.begin(line, Kind.NOTIFICATION, "Notification gone", without)
        else:
            thread.say(line.at, words)
            self.mark(line, Kind.NOTIFICATION, "Notification gone", thread)

    # --- background tasks -----------------------------------------------------------------------------------------

    def _task_begun(self, line: Happening) -> None:
        title = f"Task “{line.name}”"
        thread = Thread(f"s{self.key}", line.at, Kind.TASK, title, self.name, names_app=True)
        words = f"{self.name} began the background task “{line.name}”: it is kept awake until that is done"
        thread.say(line.at, words)
        self._tasks[line.about] = thread
        self._short[line.about] = line, thread, Mark(f"m{self.key}", line.at, Kind.TASK, title, thread.key)
        if self._opening is None:
            self._tell_of_task(line.about)

    def _tell_of_task(self, about: str) -> None:
        if about in self._short:
            _, thread, mark = self._short.pop(about)
            self.threads.append(thread)
            self.marks.append(mark)

    def _task_ended(self, line: Happening) -> None:
        thread = self._tasks.pop(line.about, None)
        if self._short.pop(line.about, None):
            return
        if thread is None:
            thread = self.begin(line, Kind.TASK, f"Task “{line.name}”", f"the background task “{line.name}” ended")
        else:
            thread.then(line.at, "the task was done" if thread.kind is Kind.TASK else "the task was ended")
            self.mark(line, Kind.TASK, f"Task “{line.name}” ended", thread)
        self.ends_with_sleep(thread, line.at)

    def _expiring(self, line: Happening) -> None:
        for about in list(self._short):
            self._tell_of_task(about)
        for thread in self._tasks.values():
            thread.kind = Kind.TROUBLE
            of = f"its {line.why} unseen were" if line.why else "its time was"
            thread.say(line.at, f"{of} almost up, and {self.name} was told to come to an end")
        for thread in list(self._tasks.values())[:1]:
            self.mark(line, Kind.TROUBLE, "Time almost up", thread)
            self._expired = thread
        if not self._tasks:
            self.begin(line, Kind.TROUBLE, "Time almost up", line.text)

    # --- ends -----------------------------------------------------------------------------------------------------

    def _quit(self, line: Happening) -> None:
        words = f"{self.who} quit {self.name}: nothing wakes it until it is opened again"
        self._quitting = self.begin(line, Kind.STOPPED, "Quit", words)

    def _stopped(self, line: Happening) -> None:
        reason = next((reason for reason in StopReason if reason == line.why), None)
        told = line.text.partition(": ")[2] or line.text
        for about in list(self._short):
            self._tell_of_task(about)
        for thread in (*self._tasks.values(), *self._pushes.open, *self._scheduled.open):
            thread.say(line.at, f"{self.name} ended before that was done")
        self._tasks.clear()
        self.until_sleep.clear()
        self._opening = self._expired = self._ended = None
        if reason is StopReason.QUIT and self._quitting is None:
            self._quit(line)
        elif reason is StopReason.QUIT and self._quitting is not None:
            self._quitting.then(line.at, "it left")
        else:
            kind = Kind.TROUBLE if reason in _TROUBLE else Kind.STOPPED
            own = reason in _BY_ITSELF
            words = f"{self.name} {told[3:]}" if own and told.startswith("It ") else f"{self.name} was stopped. {told}"
            self._ended = self.begin(line, kind, "Ended" if own else "Stopped", words)
        self._quitting = None

    def _paused(self, line: Happening) -> None:
        """What follows from an end: who wakes it, waits."""
        if self._ended is None:
            self.begin(line, Kind.TROUBLE, "Trouble", f"{self.name} was {line.text}")
        else:
            self._ended.say(line.at, f"it was {line.text}")

    # --- the desk -------------------------------------------------------------------------------------------------

    def _service_lost(self, line: Happening) -> None:
        # Why, in words of the machine, is for the log.
        words = "the push service could not be connected to. Pushes wait there, and it is tried again and again"
        self._link = self.begin(line, Kind.TROUBLE, SERVICE_AWAY, words)

    def _service_back(self, line: Happening) -> None:
        words, title = "the push service was reached again; whatever had waited there came then", SERVICE_BACK
        if self._link is None:
            self.begin(line, Kind.LINK, title, words)
        else:
            self._link.say(line.at, words)
            self.mark(line, Kind.LINK, title, self._link)
        self._link = None

    def _condition(self, line: Happening) -> None:
        title = "Condition simulated" if line.why == "simulated" else "Condition of the machine"
        self.begin(line, Kind.NOTE, title, line.text)

    def _desk(self, line: Happening) -> None:
        if self._link is not None and line.what == "restarted":
            self._link.say(line.at, "the next desk tried anew, and says so again should it not be reached")
            self._link = None
        words = line.text if line.text.casefold().startswith("the desk") else f"the desk was {line.text}"
        self.begin(line, Kind.DESK, "Desk back", words)
