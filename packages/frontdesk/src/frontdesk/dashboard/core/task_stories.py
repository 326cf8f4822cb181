"""Tells what became of each run of a scheduled task: asked for, due, woken for, told to end, done or tried again."""

from frontdesk.dashboard.core.threads import SOON, Kind, Telling, Thread
from frontdesk.dashboard.core.wording import length, short
from frontdesk.terms import Happening, TaskEnd, TaskKind

_TOLD_TO_END = {
    TaskEnd.TIME_OVER: "its time was almost up",
    TaskEnd.CONDITION_LOST: "a condition that it needs held no longer",
    TaskEnd.IN_USE: "the machine was used again",
    TaskEnd.STALLED: "it had told of no progress for long",
    TaskEnd.CANCELLED: "it was cancelled",
    TaskEnd.SIMULATED: "it was expired by hand",
    TaskEnd.SWITCHED_OFF: "APP may not run in the background any more",
}

_TROUBLE = frozenset({TaskEnd.TIME_OVER, TaskEnd.STALLED, TaskEnd.APP_ENDED})
"""Ends that its app could have spared itself."""

_OVER = {
    TaskEnd.COMPLETED: "it was done",
    TaskEnd.FAILED: "it was over, without success",
    TaskEnd.APP_ENDED: "it was given up: APP had ended over it each time",
}


class TaskStories:
    """Hears the lines that are about scheduled tasks, in their order."""

    def __init__(self, told: Telling) -> None:
        self._told = told
        self._asked: dict[str, float] = {}
        self._runs: dict[str, Thread] = {}
        """By the word for the request."""

    @property
    def open(self) -> tuple[Thread, ...]:
        """Those of runs that are not over."""
        return tuple(self._runs.values())

    def asked(self, line: Happening) -> None:
        """A request is no story yet: most of them wait for long, and what they wait for is told elsewhere."""
        self._asked[line.about] = line.at

    def withdrawn(self, line: Happening) -> None:
        """It never ran."""
        self._asked.pop(line.about, None)
        what = line.text.removeprefix(line.name).strip() or "cancelled"
        words = f"the scheduled task “{_short(line)}” of {self._told.name} was {what}"
        self._told.begin(line, Kind.TASK, f"Task “{_short(line)}” withdrawn", words)

    def begun(self, line: Happening) -> None:
        kind = line.why or TaskKind.CONTINUED
        thread = self._begin(line, f"{kind.capitalize()} “{_short(line)}”")
        asked = self._asked.get(line.about)
        began, _, attempt = line.text.partition(", ")
        by_hand = began.endswith("by hand")
        words = f"the {kind} task “{_short(line)}” of {self._told.name} was {'launched by hand' if by_hand else 'due'}"
        words += f" ({attempt})" if attempt else ""
        if kind == TaskKind.CONTINUED:
            words = f"{self._told.name} went to work on the task “{_short(line)}”, which goes on without its window"
        elif asked is not None and line.at - asked >= SOON and not attempt and not by_hand:
            words += f"; it had asked for that {length(line.at - asked)} before"
        thread.say(line.at, words)
        self._told.mark(line, Kind.TASK, thread.title, thread)

    def woken(self, line: Happening, asleep: str) -> bool:
        """The app is woken for what is due; False: no run is known that it could be for."""
        for thread in self.open:
            thread.woken = line.what == "thawed"
            thread.say(line.at, f"{self._told.name} {asleep}")
        return bool(self._runs)

    def expired(self, line: Happening) -> None:
        thread = self._of(line)
        why = next((words for end, words in _TOLD_TO_END.items() if end == line.why), "it had to")
        thread.say(line.at, f"{why.replace('APP', self._told.name)}, so it was told to come to an end")
        kind = Kind.TROUBLE if line.why in _TROUBLE else Kind.TASK
        if kind is Kind.TROUBLE:
            thread.kind, thread.title = kind, f"{thread.title}: {TaskEnd(line.why).words}"
        self._told.mark(line, kind, f"Task “{_short(line)}” told to end", thread)

    def over(self, line: Happening) -> None:
        thread = self._of(line)
        self._runs.pop(line.about, None)
        words = next((words for end, words in _OVER.items() if end == line.why), "it came to its end")
        again = line.text.partition(", tried again ")[2]
        if line.why == TaskEnd.APP_ENDED:
            thread.kind = Kind.TROUBLE
        thread.then(line.at, words.replace("APP", self._told.name) + (f" and is tried again {again}" if again else ""))
        self._told.mark(line, thread.kind, f"Task “{_short(line)}” ended", thread)
        self._told.ends_with_sleep(thread, line.at)

    def again(self, line: Happening) -> None:
        """The app died over it."""
        thread = self._of(line)
        self._runs.pop(line.about, None)
        thread.kind = Kind.TROUBLE
        thread.say(line.at, f"the task is tried again {line.text.partition(', tried again ')[2] or 'later'}")

    def _of(self, line: Happening) -> Thread:
        thread = self._runs.get(line.about)
        if thread is None:
            thread = self._begin(line, f"Task “{_short(line)}”")
            thread.say(line.at, f"{self._told.name} had been at work on the task “{_short(line)}” for some time")
        return thread

    def _begin(self, line: Happening, title: str) -> Thread:
        thread = Thread(f"s{self._told.key}", line.at, Kind.TASK, title, self._told.name, names_app=True)
        self._told.threads.append(thread)
        self._runs[line.about] = thread
        return thread


def _short(line: Happening) -> str:
    return short(line.name, line.app)
