"""The last minutes as the desk saw them: the states each app went through, and what happened.

It rides along: what is new here is saved with a commit that is made anyway, never by one of its own, so the desk writes
no more often for it. A desk that is killed may thereby forget its very last lines; states it never forgets, since each
move of an app is a commit.
"""

from collections import deque
from collections.abc import Iterable
from itertools import chain

import msgspec

from frontdesk.agent.core import effects as do
from frontdesk.terms import AppState, AppStatus, Happening, Hold, Span, Verdict

MACHINE = "history"
"""Under this word spans and happenings are saved."""

KEPT = 900.0
"""Seconds for which an ended span is kept."""

MOST_HAPPENINGS = 300
"""Lines of the event list that are given out."""

MOST_OF_ONE_APP = 100
"""Lines, and spans, that one app may fill of them: a busy one does not push out what the others did."""

ROW = 2.0
"""Seconds within which the same, seen again and again, is one line: a burst leaves the rest of the list alone."""

MOST_HOLDS = 8
"""Holds of one span that are named."""

_IN_ROWS = frozenset({"push", "push_answered", "push_fallback"})

_MOVES = frozenset({"launched", "thawed", "connected", "background", "stopped"})
"""Lines whose reason is that of the state the app is in from then on."""

_REASON_TELLS = frozenset({AppState.LAUNCHING, AppState.BACKGROUND, AppState.STOPPED})


class History:
    """The machine. ``note`` each line of a batch, then ``look`` at the apps as the batch has left them."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[Happening]] = {}
        self._spans: dict[str, deque[tuple[int, Span]]] = {}
        self._now: dict[str, Span] = {}
        """The span that each app is in."""
        self._why: dict[str, str] = {}
        self._next = 0
        self._unsaved: dict[str, bytes | None] = {}

    # --- being told -----------------------------------------------------------------------------------------------

    def note(self, note: do.Note, now: float) -> None:
        """Write down one line."""
        lines = self._lines.setdefault(note.app, deque())
        line = Happening(now, note.app, note.what, note.text, note.about, note.name, str(note.why), note.cause)
        if lines and _in_a_row(lines[-1], line):
            row = lines.pop()
            text = f"{row.count + 1} × {note.text}"
            line = msgspec.structs.replace(row, text=text, count=row.count + 1)
        else:
            line = msgspec.structs.replace(line, number=self._number())
        lines.append(line)
        self._unsaved[_line_key(line.number)] = msgspec.msgpack.encode(line)
        if len(lines) > MOST_OF_ONE_APP:
            self._unsaved[_line_key(lines.popleft().number)] = None
        if note.what in _MOVES:
            self._why[note.app] = str(note.why)
        if note.what == "removed":
            self._forget(note.app)

    def look(self, rows: Iterable[AppStatus], now: float) -> None:
        """See which apps have changed their state, and what holds those that run unseen."""
        for row in rows:
            span = self._now.get(row.app)
            if span is None or (span.state, span.since) != (row.state, row.since):
                why = self._why.get(row.app, "") if row.state in _REASON_TELLS else ""
                self._begin(Span(row.app, row.state, row.since, None, why, row.holds[:MOST_HOLDS]), now)
            elif new := _new_holds(span, row.holds):
                self._begin(msgspec.structs.replace(span, holds=(*span.holds, *new)[:MOST_HOLDS]), now)

    def _begin(self, span: Span, now: float) -> None:
        """``span`` is the one its app is in from now on; it may be the same one with more to say."""
        before = self._now.get(span.app)
        if before is not None and (before.state, before.since) != (span.state, span.since):
            if span.since > before.since:
                self._end(msgspec.structs.replace(before, until=span.since), now)
            else:
                self._cut_back(span.app, span.since)
        self._now[span.app] = span
        self._unsaved[_now_key(span.app)] = msgspec.msgpack.encode(span)

    def _end(self, span: Span, now: float) -> None:
        number = self._number()
        spans = self._spans.setdefault(span.app, deque())
        spans.append((number, span))
        self._unsaved[_span_key(number)] = msgspec.msgpack.encode(span)
        while spans and (len(spans) > MOST_OF_ONE_APP or (spans[0][1].until or now) < now - KEPT):
            self._unsaved[_span_key(spans.popleft()[0])] = None

    def _cut_back(self, app: str, since: float) -> None:
        """The clock was set back: what the app did by the old clock at that time and later gives way."""
        spans = self._spans.get(app, deque())
        while spans and spans[-1][1].since >= since:
            self._unsaved[_span_key(spans.pop()[0])] = None
        if spans and (spans[-1][1].until or since) > since:
            number, span = spans.pop()
            cut = msgspec.structs.replace(span, until=since)
            spans.append((number, cut))
            self._unsaved[_span_key(number)] = msgspec.msgpack.encode(cut)

    def _forget(self, app: str) -> None:
        """The app is not registered any more: its lane goes; of its lines stay the newest of all apps that are gone."""
        self._why.pop(app, None)
        if self._now.pop(app, None) is not None:
            self._unsaved[_now_key(app)] = None
        for number, _ in self._spans.pop(app, ()):
            self._unsaved[_span_key(number)] = None
        gone = (line for of, lines in self._lines.items() if of and of not in self._now for line in lines)
        for line in sorted(gone, key=lambda line: line.number)[:-MOST_OF_ONE_APP]:
            lines = self._lines[line.app]
            lines.remove(line)
            if not lines:
                del self._lines[line.app]
            self._unsaved[_line_key(line.number)] = None

    def _number(self) -> int:
        self._next += 1
        return self._next

    # --- looking at it --------------------------------------------------------------------------------------------

    def happenings(self) -> tuple[Happening, ...]:
        """The event list, newest last."""
        return tuple(sorted(chain(*self._lines.values()), key=lambda line: line.number)[-MOST_HAPPENINGS:])

    def spans(self) -> tuple[Span, ...]:
        """By app and time; the last of each app is the one it is in."""
        return tuple(
            span
            for app, current in sorted(self._now.items())
            for span in (*(ended for _, ended in self._spans.get(app, ())), current)
        )

    # --- saved form -----------------------------------------------------------------------------------------------

    def saves(self) -> list[do.Effect]:
        """What is new since the last call; to be added to a commit that is made anyway."""
        unsaved, self._unsaved = self._unsaved, {}
        return [do.Save(MACHINE, key, value) for key, value in unsaved.items()]

    def restore(self, key: str, value: bytes) -> None:
        """Take back one saved value; they may come in any order."""
        kind, _, rest = key.partition(" ")
        if kind == "now":
            self._now[rest] = msgspec.msgpack.decode(value, type=Span)
            self._why[rest] = self._now[rest].why
            return
        number = int(rest)
        self._next = max(self._next, number)
        if kind == "line":
            line = msgspec.msgpack.decode(value, type=Happening)
            lines = self._lines.setdefault(line.app, deque())
            lines.append(line)
            self._lines[line.app] = deque(sorted(lines, key=lambda each: each.number))
        else:
            span = msgspec.msgpack.decode(value, type=Span)
            spans = self._spans.setdefault(span.app, deque())
            spans.append((number, span))
            self._spans[span.app] = deque(sorted(spans, key=lambda each: each[0]))


def _in_a_row(row: Happening, line: Happening) -> bool:
    """Whether ``line`` is one more of what the last line tells; each notification keeps a line of its own."""
    same = (row.what, row.name, row.why) == (line.what, line.name, line.why)
    return same and line.what in _IN_ROWS and line.why != Verdict.SHOW_THIS and 0 <= line.at - row.at < ROW


def _new_holds(span: Span, holds: tuple[Hold, ...]) -> list[Hold]:
    if len(span.holds) >= MOST_HOLDS:
        return []
    known = {(hold.kind, hold.name) for hold in span.holds}
    return [hold for hold in holds if (hold.kind, hold.name) not in known]


def _line_key(number: int) -> str:
    return f"line {number}"


def _span_key(number: int) -> str:
    return f"span {number}"


def _now_key(app: str) -> str:
    return f"now {app}"
