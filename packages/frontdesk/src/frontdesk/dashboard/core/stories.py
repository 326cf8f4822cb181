"""Tells what happened to one app, and why: happenings that belong together become one story, with a mark for each."""

from collections.abc import Callable, Sequence

from frontdesk.dashboard.core.threads import SOON, Kind, Mark, Story, Thread
from frontdesk.terms import AppState, Happening, PushKind, Span, StopReason, Verdict, WakeReason

S = AppState

_TROUBLE = frozenset(
    {
        StopReason.CRASHED,
        StopReason.LAUNCH_FAILED,
        StopReason.LAUNCH_TIMED_OUT,
        StopReason.TASK_NOT_ENDED,
        StopReason.TOO_MANY_TASKS,
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


class _Teller:
    """Hears the lines of one app in their order."""

    def __init__(self, spans: Sequence[Span], name: str, who: str, bodies: dict[tuple[str, float], str]) -> None:
        self.threads: list[Thread] = []
        self.marks: list[Mark] = []
        self._spans = spans
        self._name = name
        self._who = who
        self._bodies = bodies
        self._key = ""
        self._pushes: dict[str, Thread] = {}
        """By the word for the push; of a row of them only the first is sure to be here."""
        self._open: list[Thread] = []
        """Those of pushes that have not all been answered."""
        self._row: Thread | None = None
        """The latest of them, and when its last push came."""
        self._row_at = 0.0
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
        self._until_sleep: list[Thread] = []
        """What ends with the app's next sleep."""
        self._tellers: dict[str, Callable[[Happening], None]] = {
            "push": self._push,
            "push_answered": self._push_answered,
            "push_fallback": self._push_fallback,
            "push_over": self._push_over,
            "push_refused": self._push_refused,
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
            "quit": self._quit,
            "stopped": self._stopped,
            "paused": self._paused,
            "push_service_lost": self._service_lost,
            "push_service_back": self._service_back,
            "restarted": self._desk,
            "desk_back": self._desk,
        }

    def hear(self, line: Happening, key: str) -> None:
        self._key = key
        for about, (begun, _, _) in list(self._short.items()):
            if line.at - begun.at >= SOON:
                self._tell_of_task(about)
        if line.what in self._tellers:
            self._tellers[line.what](line)
        elif line.what not in _NO_MARK:
            trouble = line.what in ("refused", "no_page", "task_unknown")
            kind, title = (Kind.TROUBLE, "Trouble") if trouble else (Kind.NOTE, line.name or "Noted")
            self._begin(line, kind, title, line.text)

    # --- small parts ----------------------------------------------------------------------------------------------

    def _begin(self, line: Happening, kind: Kind, title: str, words: str) -> Thread:
        thread = Thread(f"s{self._key}", line.at, kind, title, self._name)
        thread.say(line.at, words)
        self.threads.append(thread)
        self._mark(line, kind, title, thread)
        return thread

    def _mark(self, line: Happening, kind: Kind, title: str, thread: Thread) -> None:
        self.marks.append(Mark(f"m{self._key}", line.at, kind, title, thread.key))

    def _ends_with_sleep(self, thread: Thread, at: float) -> None:
        """Where nobody sees the app: in front, its next sleep has nothing to do with this."""
        if self._before(at) is not S.FOREGROUND:
            self._until_sleep.append(thread)

    def _before(self, at: float) -> AppState | None:
        """The state that the app was in until just then."""
        earlier = [span for span in self._spans if span.since < at]
        return earlier[-1].state if earlier else None

    # --- pushes ---------------------------------------------------------------------------------------------------

    def _push(self, line: Happening) -> None:
        if self._row is not None and self._row in self._open and not line.why and line.at - self._row_at < SOON:
            self._one_more(self._row, line)
            return
        arrived = (
            f"{line.count} pushes for {self._name} arrived" if line.count > 1 else f"a push for {self._name} arrived"
        )
        thread = self._begin(line, Kind.PUSH, "Push", arrived)
        thread.row = line.count
        self._pushes[line.about] = self._row = thread
        self._row_at = line.at
        thread.by_desk = bool(line.why)
        if line.why == PushKind.ALERT:
            thread.say(line.at, f"it is of the kind for which {self._name} is not woken")
        elif line.why == "quit":
            thread.say(line.at, f"{self._who} had quit {self._name}, so it was not woken")
        elif line.why:
            thread.say(line.at, f"it was not given to {self._name}: {line.why}")
        else:
            match self._before(line.at):
                case S.FOREGROUND:
                    thread.say(line.at, f"{self._name} was in front and was given {_it(thread)}")
                case S.BACKGROUND:
                    thread.say(line.at, f"{self._name} was running, unseen, and was given {_it(thread)}")
            self._open.append(thread)
            self._ends_with_sleep(thread, line.at)

    def _one_more(self, thread: Thread, line: Happening) -> None:
        """A burst is one story: the app answers its pushes together."""
        thread.row += line.count
        self._row_at = line.at
        self._pushes[line.about] = thread
        thread.begin_with(f"{thread.row} pushes for {self._name} arrived")
        thread.title = f"{thread.row} pushes"

    def _story_of(self, push: str) -> Thread | None:
        """None: what began it is not remembered."""
        return self._pushes.get(push) or (self._row if self._row is not None and self._row.row > 1 else None)

    def _answer_of(self, line: Happening) -> Thread:
        thread = self._story_of(line.about)
        if thread is None:
            thread = self._begin(line, Kind.PUSH, "Push", f"a push for {self._name} had arrived some time before")
            self._pushes[line.about] = thread
        thread.answered += line.count
        if thread in self._open and thread.answered >= thread.row:
            self._open.remove(thread)
        return thread

    def _push_answered(self, line: Happening) -> None:
        thread = self._answer_of(line)
        if line.why == Verdict.SHOW_AS_IT_IS:
            thread.as_it_is = True
        elif line.why == Verdict.SHOW_NOTHING and thread.title == _many(thread.row) and thread not in self._open:
            thread.title = f"{thread.title}, nothing shown"
            thread.then(line.at, "it answered that there is nothing to show")

    def _push_fallback(self, line: Happening) -> None:
        thread = self._answer_of(line)
        if not thread.fell_back:
            thread.kind, thread.title, thread.fell_back = Kind.TROUBLE, f"{_many(thread.row)}, fallback", True
            thread.say(line.at, f"the desk stepped in for {self._name} ({line.why})")

    def _push_over(self, line: Happening) -> None:
        self._answer_of(line).say(line.at, "it was dropped: its time to live was over")

    def _push_refused(self, line: Happening) -> None:
        words = f"a push for {self._name} arrived and could not be decrypted; it was dropped"
        self._begin(line, Kind.TROUBLE, "Push refused", words)

    # --- waking and sleeping --------------------------------------------------------------------------------------

    def _woken(self, line: Happening) -> None:
        asleep = "was asleep, so it was woken" if line.what == "thawed" else "was not running, so it was launched"
        if line.why == WakeReason.PUSH:
            for thread in self._open:
                thread.woken = line.what == "thawed"
                thread.say(line.at, f"{self._name} {asleep}")
            if not self._open:
                self._until_sleep.append(self._begin(line, Kind.PUSH, "Woken", f"{self._name} {asleep}: a push waited"))
            return
        if line.why == WakeReason.PRESSED and self._opening is not None:
            self._opening.then(line.at, f"{self._name} {asleep}")
            return
        begun = {
            WakeReason.OPENED: f"{self._who} opened {self._name}; it {asleep}",
            WakeReason.PRESSED: f"{self._who} pressed a notification of {self._name}; it {asleep}",
            WakeReason.PAGE_VISITED: f"a browser asked for {self._name}’s page; it {asleep}",
            WakeReason.TASK: f"{self._name} had begun a background task just then; it {asleep}",
            WakeReason.ENDPOINT_CHANGED: f"{self._name}’s address for pushes changed; it {asleep} to hear of it",
        }
        words = next((words for why, words in begun.items() if why == line.why), f"{self._name} {asleep}")
        title = "Opened" if line.why in (WakeReason.OPENED, WakeReason.PRESSED, WakeReason.PAGE_VISITED) else "Woken"
        self._opening = self._begin(line, Kind.OPENED, title, words)
        self._opening.woken = line.what == "thawed"
        self._until_sleep.append(self._opening)

    def _connected(self, line: Happening) -> None:
        if line.why == WakeReason.BY_HAND and self._before(line.at) in (None, S.STOPPED):
            words = f"{self._name} was started by hand, in a terminal say"
            self._opening = self._begin(line, Kind.OPENED, "Started", words)
            self._until_sleep.append(self._opening)

    def _in_front(self, line: Happening) -> None:
        if self._opening is not None:
            self._opening.then(line.at, f"{self._who} saw it")
        self._opening = self._expired = None
        self._until_sleep.clear()

    def _asleep(self, line: Happening) -> None:
        for thread in self._until_sleep:
            if thread.of_task:
                thread.then(line.at, f"{self._name} slept")
            else:
                thread.and_(line.at, "slept again" if thread.woken else "slept")
        self._until_sleep.clear()
        self._opening = self._expired = None

    # --- notifications --------------------------------------------------------------------------------------------

    def _notified(self, line: Happening) -> None:
        body = self._bodies.get((line.about, line.at), "")
        words = f"showed “{line.name}: {body}”" if body else f"showed “{line.name or line.text}”"
        thread = self._story_of(line.cause) if line.cause else None
        if thread is not None:
            self._shown_for_push(thread, line, words)
        elif line.about in self._notifications:
            thread = self._notifications[line.about]
            thread.say(line.at, f"{self._name} changed what it says{f' to “{line.name}: {body}”' if body else ''}")
            self._mark(line, Kind.NOTIFICATION, f"Notification “{line.name}” changed", thread)
        elif self._expired is not None:
            thread = self._expired
            thread.title = f"{thread.title}: time was up"
            thread.then(line.at, f"{self._name} {words}")
            self._mark(line, Kind.NOTIFICATION, f"Notification “{line.name}”", thread)
            self._expired = None
        else:
            thread = self._begin(line, Kind.NOTIFICATION, "Notification", f"{self._name} {words}")
        self._notifications[line.about] = thread

    def _shown_for_push(self, thread: Thread, line: Happening, words: str) -> None:
        if thread.fell_back and self._notifications.get(line.about) is thread:
            return  # the same fallback again, for another push of the row
        if thread.kind is Kind.PUSH:
            thread.title = f"{_many(thread.row)}: “{line.name}” shown"
        if thread.fell_back:
            thread.and_(line.at, words)
        elif thread.as_it_is:
            thread.then(line.at, f"it had nothing to add, and the desk {words}")
        elif thread.by_desk:
            thread.then(line.at, f"the desk {words} by itself")
        else:
            thread.then(line.at, f"it {words}")
        self._mark(line, Kind.NOTIFICATION, f"Notification “{line.name}”", thread)

    def _pressed(self, line: Happening) -> None:
        thread = self._notifications.get(line.about)
        button = f"“{line.why}” on it" if line.why else "it"
        if thread is None:
            thread = self._begin(line, Kind.OPENED, "Pressed", f"{self._who} pressed a notification of {self._name}")
        else:
            thread.say(line.at, f"{self._who} pressed {button}")
            self._mark(line, Kind.OPENED, "Notification pressed", thread)
        self._opening = thread

    def _dismissed(self, line: Happening) -> None:
        self._gone(line, f"{self._who} dismissed it", f"{self._who} dismissed “{line.name}”")

    def _withdrawn(self, line: Happening) -> None:
        self._gone(line, f"{self._name} took it back", f"{self._name} took “{line.name}” back")

    def _gone(self, line: Happening, words: str, without: str) -> None:
        thread = self._notifications.pop(line.about, None)
        if thread is None:
            self._begin(line, Kind.NOTIFICATION, "Notification gone", without)
        else:
            thread.say(line.at, words)
            self._mark(line, Kind.NOTIFICATION, "Notification gone", thread)

    # --- background tasks -----------------------------------------------------------------------------------------

    def _task_begun(self, line: Happening) -> None:
        title = f"Task “{line.name}”"
        thread = Thread(f"s{self._key}", line.at, Kind.TASK, title, self._name, of_task=True)
        words = f"{self._name} began the background task “{line.name}”: it is kept awake until that is done"
        thread.say(line.at, words)
        self._tasks[line.about] = thread
        self._short[line.about] = line, thread, Mark(f"m{self._key}", line.at, Kind.TASK, title, thread.key)
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
            thread = self._begin(line, Kind.TASK, f"Task “{line.name}”", f"the background task “{line.name}” ended")
        else:
            thread.then(line.at, "the task was done" if thread.kind is Kind.TASK else "the task was ended")
            self._mark(line, Kind.TASK, f"Task “{line.name}” ended", thread)
        self._ends_with_sleep(thread, line.at)

    def _expiring(self, line: Happening) -> None:
        for about in list(self._short):
            self._tell_of_task(about)
        for thread in self._tasks.values():
            thread.kind = Kind.TROUBLE
            of = f"its {line.why} unseen were" if line.why else "its time was"
            thread.say(line.at, f"{of} almost up, and {self._name} was told to come to an end")
        for thread in list(self._tasks.values())[:1]:
            self._mark(line, Kind.TROUBLE, "Time almost up", thread)
            self._expired = thread
        if not self._tasks:
            self._begin(line, Kind.TROUBLE, "Time almost up", line.text)

    # --- ends -----------------------------------------------------------------------------------------------------

    def _quit(self, line: Happening) -> None:
        words = f"{self._who} quit {self._name}: nothing wakes it until it is opened again"
        self._quitting = self._begin(line, Kind.STOPPED, "Quit", words)

    def _stopped(self, line: Happening) -> None:
        reason = next((reason for reason in StopReason if reason == line.why), None)
        told = line.text.partition(": ")[2] or line.text
        for about in list(self._short):
            self._tell_of_task(about)
        for thread in (*self._tasks.values(), *self._open):
            thread.say(line.at, f"{self._name} ended before that was done")
        self._tasks.clear()
        self._until_sleep.clear()
        self._opening = self._expired = self._ended = None
        if reason is StopReason.QUIT and self._quitting is None:
            self._quit(line)
        elif reason is StopReason.QUIT and self._quitting is not None:
            self._quitting.then(line.at, "it left")
        else:
            kind = Kind.TROUBLE if reason in _TROUBLE else Kind.STOPPED
            own = reason in _BY_ITSELF
            words = (
                f"{self._name} {told[3:]}" if own and told.startswith("It ") else f"{self._name} was stopped. {told}"
            )
            self._ended = self._begin(line, kind, "Ended" if own else "Stopped", words)
        self._quitting = None

    def _paused(self, line: Happening) -> None:
        """What follows from an end: who wakes it, waits."""
        if self._ended is None:
            self._begin(line, Kind.TROUBLE, "Trouble", f"{self._name} was {line.text}")
        else:
            self._ended.say(line.at, f"it was {line.text}")

    # --- the desk -------------------------------------------------------------------------------------------------

    def _service_lost(self, line: Happening) -> None:
        why = f" ({line.why})" if line.why else ""
        words = f"the push service cannot be reached{why}. Pushes wait there, and it is tried again and again"
        self._link = self._begin(line, Kind.TROUBLE, "Push service away", words)

    def _service_back(self, line: Happening) -> None:
        words = "the push service was reached again, and gave out what had waited there"
        if self._link is None:
            self._begin(line, Kind.DESK, "Push service back", words)
        else:
            self._link.say(line.at, words)
            self._mark(line, Kind.DESK, "Push service back", self._link)
        self._link = None

    def _desk(self, line: Happening) -> None:
        words = line.text if line.text.casefold().startswith("the desk") else f"the desk was {line.text}"
        self._begin(line, Kind.DESK, "Desk back", words)


def _it(thread: Thread) -> str:
    return "them" if thread.row > 1 else "it"


def _many(row: int) -> str:
    return f"{row} pushes" if row > 1 else "Push"
