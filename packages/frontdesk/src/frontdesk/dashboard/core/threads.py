"""A story in the making: what began it, and beat by beat what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from frontdesk.dashboard.core.wording import clock, length, sentence
from frontdesk.terms import AppState, Happening, Span

AT_ONCE = 0.05
"""Seconds below which nobody is told how much later something was."""

SOON = 2.0
"""Seconds within which two things are told in one breath."""

CLOCK_AFTER = 60.0
"""Seconds after which the time is told by the clock."""


class Kind(StrEnum):
    """What a mark shows; its value is the class of its colour and its sign."""

    PUSH = "push"
    NOTIFICATION = "notification"
    TASK = "task"
    OPENED = "opened"
    STOPPED = "stopped"
    TROUBLE = "trouble"
    DESK = "desk"
    LINK = "link"
    NOTE = "note"


@dataclass(frozen=True)
class Story:
    """What happened, why, and what came of it, for a person. ``key`` stays the same while it grows."""

    key: str
    at: float
    kind: Kind
    title: str
    text: str


@dataclass(frozen=True)
class Mark:
    """One moment on a lane; several may lead to the same story."""

    key: str
    at: float
    kind: Kind
    title: str
    story: str


@dataclass(frozen=True)
class _Beat:
    at: float
    words: str
    joint: str


@dataclass(eq=False)
class Thread:
    """Grows while the happenings of an app are told in order."""

    key: str
    at: float
    kind: Kind
    title: str
    subject: str
    """The app's name: what ``and_`` is said of."""
    woken: bool = False
    """The app had been asleep, and was woken for it."""
    fell_back: bool = False
    """Of a push: the desk had to show something in the app's place."""
    stepped_in: bool = False
    """Of a push: what is shown next is that."""
    words_of_desk: bool = False
    """Of a push: what was shown last is not what the app said."""
    names_app: bool = False
    """It is about a task, or a push that was dropped, which does not sleep: the app does."""
    by_desk: bool = False
    """Of a push: the app was not woken for it."""
    as_it_is: bool = False
    """Of a push: the app left the last one at what that says by itself."""
    row: int = 1
    """Pushes that it tells of."""
    answered: int = 0
    """Of those, the ones that have had their answer."""
    beats: list[_Beat] = field(default_factory=list)

    def reword(self, place: int, words: str) -> None:
        """Other words for that beat: there is more of it by now."""
        beat = self.beats[place]
        self.beats[place] = _Beat(beat.at, words, beat.joint)

    def say(self, at: float, words: str) -> None:
        """A sentence of its own."""
        self.beats.append(_Beat(at, words, "."))

    def then(self, at: float, words: str) -> None:
        """In the same sentence, so much later."""
        self.beats.append(_Beat(at, words, ";"))

    def and_(self, at: float, words: str) -> None:
        """What the app did next, without naming it again."""
        self.beats.append(_Beat(at, words, "and"))

    def story(self) -> Story:
        """As it stands now."""
        sentences: list[str] = []
        last = self.at
        for beat in self.beats:
            later, last = beat.at - last, max(last, beat.at)
            when = f"at {clock(beat.at)} " if later >= CLOCK_AFTER else _later(later)
            if sentences and beat.joint == "and" and later < SOON:
                sentences[-1] += f" and {beat.words}"
            elif sentences and beat.joint == ";":
                sentences[-1] += f"; {when}{beat.words}"
            else:
                subject = f"{self.subject} " if beat.joint == "and" else ""
                sentences.append(f"{when}{subject}{beat.words}")
        return Story(self.key, self.at, self.kind, self.title, " ".join(sentence(words) for words in sentences))


class Telling:
    """What is told of one app so far. ``who``: the person, "you" or a name; ``key``: of the line told of just now."""

    def __init__(self, spans: Sequence[Span], name: str, who: str) -> None:
        self.threads: list[Thread] = []
        self.marks: list[Mark] = []
        self.name = name
        self.who = who
        self.key = ""
        self.slept_at = 0.0
        """When it was suspended last; in the same moment something new may come."""
        self.until_sleep: list[Thread] = []
        """What ends with the app's next sleep."""
        self._spans = spans

    def begin(self, line: Happening, kind: Kind, title: str, words: str) -> Thread:
        """Another story, with its mark."""
        thread = Thread(f"s{self.key}", line.at, kind, title, self.name)
        thread.say(line.at, words)
        self.threads.append(thread)
        self.mark(line, kind, title, thread)
        return thread

    def mark(self, line: Happening, kind: Kind, title: str, thread: Thread) -> None:
        """Another mark that leads to that story."""
        self.marks.append(Mark(f"m{self.key}", line.at, kind, title, thread.key))

    def ends_with_sleep(self, thread: Thread, at: float) -> None:
        """Where nobody sees the app: in front, its next sleep has nothing to do with this."""
        if self.before(at) is not AppState.FOREGROUND:
            self.until_sleep.append(thread)

    def before(self, at: float) -> AppState | None:
        """The state that the app was in until just then."""
        earlier = [span for span in self._spans if span.since < at]
        return earlier[-1].state if earlier else None


def _later(seconds: float) -> str:
    if seconds < AT_ONCE:
        return ""
    return f"{length(seconds)} later "
