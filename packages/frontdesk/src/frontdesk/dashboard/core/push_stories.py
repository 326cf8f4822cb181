"""Tells what became of each push for one app: given, woken for, answered, shown, fallen back; a burst is one story."""

from frontdesk.dashboard.core.threads import CLOCK_AFTER, SOON, Kind, Telling, Thread
from frontdesk.terms import AppState, Happening, PushKind, Verdict

S = AppState


class PushStories:
    """Hears the lines that are about pushes, in their order."""

    def __init__(self, told: Telling) -> None:
        self._told = told
        self._pushes: dict[str, Thread] = {}
        """By the word for the push; of a row of them only the first is sure to be here."""
        self.open: list[Thread] = []
        """Those of pushes that have not all been answered."""
        self._row: Thread | None = None
        """The latest of them, and when its last push came."""
        self._row_at = 0.0
        self._breath = 0, 0
        """Which beat of it tells of that one, and of how many."""

    def arrived(self, line: Happening) -> None:
        since = line.at - self._row_at
        if self._row is not None and self._row in self.open and not line.why and since < CLOCK_AFTER:
            self._more(self._row, line)
            return
        thread = self._told.begin(line, Kind.PUSH, _many(line.count), self._arrived(line.count))
        thread.row = line.count
        self._pushes[line.about] = self._row = thread
        self._row_at, self._breath = line.at, (0, line.count)
        thread.by_desk = bool(line.why)
        if line.why == PushKind.ALERT:
            thread.say(line.at, f"it is of the kind for which {self._told.name} is not woken")
        elif line.why == "quit":
            thread.say(line.at, f"{self._told.who} had quit {self._told.name}, so it was not woken")
        elif line.why:
            thread.say(line.at, f"it was not given to {self._told.name}: {line.why}")
        else:
            # Not that it was given it: where its time is almost up, that waits for the next wake.
            match self._told.before(line.at):
                case S.FOREGROUND if line.at > self._told.slept_at:
                    thread.say(line.at, f"{self._told.name} was in front")
                case S.BACKGROUND if line.at > self._told.slept_at:
                    thread.say(line.at, f"{self._told.name} was running, unseen")
            self.open.append(thread)
            self._told.ends_with_sleep(thread, line.at)

    def _more(self, thread: Thread, line: Happening) -> None:
        """As long as one waits for its answer it is one story: of a row only the first is known by its word."""
        place, of_breath = self._breath
        if line.at - self._row_at < SOON:
            of_breath += line.count
            thread.reword(place, self._arrived(of_breath, more=place > 0))
        else:
            place, of_breath = len(thread.beats), line.count
            thread.say(line.at, self._arrived(of_breath, more=True))
            self._told.mark(line, Kind.PUSH, _many(line.count), thread)
        self._row_at, self._breath = line.at, (place, of_breath)
        thread.title = _many(thread.row + line.count) + thread.title.removeprefix(_many(thread.row))
        thread.row += line.count
        self._pushes[line.about] = thread
        if thread not in self._told.until_sleep:
            self._told.ends_with_sleep(thread, line.at)

    def _arrived(self, number: int, *, more: bool = False) -> str:
        if number > 1:
            return f"{number} {'more ' if more else ''}pushes for {self._told.name} arrived"
        return f"{'another' if more else 'a'} push for {self._told.name} arrived"

    def story_of(self, push: str) -> Thread | None:
        """None: what began it is not remembered."""
        return self._pushes.get(push) or (self._row if self._row is not None and self._row.row > 1 else None)

    def _answer_of(self, line: Happening) -> Thread:
        thread = self.story_of(line.about)
        if thread is None:
            thread = self._told.begin(
                line, Kind.PUSH, "Push", f"a push for {self._told.name} had arrived some time before"
            )
            self._pushes[line.about] = thread
        thread.answered += line.count
        if thread in self.open and thread.answered >= thread.row:
            self.open.remove(thread)
        return thread

    def answered(self, line: Happening) -> None:
        thread = self._answer_of(line)
        thread.as_it_is, thread.stepped_in = line.why == Verdict.SHOW_AS_IT_IS, False
        if line.why == Verdict.SHOW_NOTHING and thread.title == _many(thread.row) and thread not in self.open:
            thread.title = f"{thread.title}, nothing shown"
            thread.then(line.at, "it answered that there is nothing to show")

    def fell_back(self, line: Happening) -> None:
        thread = self._answer_of(line)
        thread.as_it_is, thread.stepped_in = False, True
        if not thread.fell_back:
            thread.kind, thread.title, thread.fell_back = Kind.TROUBLE, f"{_many(thread.row)}, fallback", True
            thread.say(line.at, f"the desk stepped in for {self._told.name} ({line.why})")

    def over(self, line: Happening) -> None:
        thread = self._answer_of(line)
        thread.names_app = True
        thread.say(line.at, f"it was dropped: {line.why}")

    def refused(self, line: Happening) -> None:
        words = f"a push for {self._told.name} arrived and could not be decrypted; it was dropped"
        self._told.begin(line, Kind.TROUBLE, "Push refused", words)

    def showed(self, thread: Thread, line: Happening, words: str, *, again: bool) -> None:
        """A notification came of it; ``again``: as before, for another push of the row."""
        if thread.stepped_in and again:
            return
        if thread.kind is Kind.PUSH:
            thread.title = f"{_many(thread.row)}: “{line.name}” shown"
        if thread.stepped_in:
            thread.and_(line.at, words)
        elif thread.as_it_is:
            thread.then(line.at, f"it had nothing to add, and the desk {words}")
        elif thread.by_desk:
            thread.then(line.at, f"the desk {words} by itself")
        else:
            thread.then(line.at, f"{self._told.name if thread.words_of_desk else 'it'} {words}")
        thread.words_of_desk = thread.stepped_in or thread.as_it_is or thread.by_desk
        self._told.mark(line, Kind.NOTIFICATION, f"Notification “{line.name}”", thread)


def _many(row: int) -> str:
    return f"{row} pushes" if row > 1 else "Push"
