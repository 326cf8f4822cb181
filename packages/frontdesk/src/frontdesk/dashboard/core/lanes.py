"""Lays out a desk's last minutes: a lane for the desk and for each app, with bands of states and marks upon them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from frontdesk.dashboard.core.offline import Offline, offline
from frontdesk.dashboard.core.stories import tell
from frontdesk.dashboard.core.threads import Kind, Mark, Story
from frontdesk.dashboard.core.wording import clock, length, sentence
from frontdesk.terms import AppState, AppStatus, DeskStatus, Happening, Hold, Span, StopReason, WakeReason

S = AppState

SECONDS = 600.0
"""So much of the past is laid out."""

STEP = 10.0
"""Seconds by which its beginning moves on: moved each time, it would make every lane another one."""

NOTICED_WITHIN = 3.0
"""Seconds after which even a busy machine has noticed that the desk is gone: the next may be there before."""

UNKNOWN, UP, OFFLINE, AWAY, QUIT = "unknown", "up", "offline", "away", "quit"
"""What a band says beside the states of an app: nobody remembers; the desk runs; it runs, and does not reach its push
service; no desk answers; stopped for good."""

_WRITTEN_DOWN = frozenset({S.FOREGROUND, S.SUSPENDED, S.LAUNCHING})
"""States of which the desk's list has a line when they begin."""

_SAME_MOMENT = 1.0
"""Seconds by which that line may be later."""

WORDS = {
    S.FOREGROUND: "in front",
    S.BACKGROUND: "running unseen",
    S.SUSPENDED: "asleep",
    S.LAUNCHING: "starting",
    S.STOPPED: "stopped",
}
"""The states, as the legend and the bands say them."""


@dataclass(frozen=True)
class Band:
    """A stretch of a lane in one state. ``until`` None: it lasts. ``story``: key, or empty."""

    key: str
    state: str
    since: float
    until: float | None
    title: str
    story: str = ""


@dataclass(frozen=True)
class Lane:
    """The desk, or an app."""

    key: str
    name: str
    bands: tuple[Band, ...]
    marks: tuple[Mark, ...]
    stories: tuple[Story, ...]
    marks_from: float | None = None
    """What happened earlier is forgotten, though bands tell of it; None: nothing is."""


@dataclass(frozen=True)
class Cluster:
    """Marks too near to each other to be pressed one by one, as one; ``at`` is the first of them."""

    at: float
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Gap:
    """A time without a desk; ``until`` None: it lasts."""

    since: float
    until: float | None


def lanes(
    status: DeskStatus,
    now: float,
    *,
    who: str = "you",
    gaps: Sequence[Gap] = (),
    noted: Sequence[Happening] = (),
    only: str = "",
    seconds: float = SECONDS,
) -> tuple[Lane, ...]:
    """The desk's own lane and one for each app, by name.

    ``who``: the person in the stories. ``gaps``, ``noted``: what no desk can tell of, since it was gone. ``only``: an
    app's id, the one lane wanted beside the desk's. Each lane is covered from ``now - seconds`` (or up to ``STEP``
    earlier) to ``now`` without overlap, and holds the marks of that time.
    """
    start = (now - seconds) // STEP * STEP
    spans: dict[str, list[Span]] = {}
    for span in status.spans:
        spans.setdefault(span.app, []).append(span)
    by_app: dict[str, list[Happening]] = {}
    for line in sorted((*status.happenings, *noted), key=lambda line: line.at):
        by_app.setdefault(line.app, []).append(line)
    rows = [row for row in status.apps if only in ("", row.app)]
    desk = _desk_lane(status, by_app.get("", []), gaps, who, start, now)
    return (
        desk,
        *(_app_lane(row, status, spans.get(row.app, []), by_app.get(row.app, []), who, start, now) for row in rows),
    )


def clusters(marks: Sequence[Mark], apart: float) -> tuple[Cluster, ...]:
    """Marks by time, those less than ``apart`` seconds after the first of a cluster in that cluster."""
    found: list[list[Mark]] = []
    for mark in sorted(marks, key=lambda mark: mark.at):
        if found and mark.at - found[-1][0].at < apart:
            found[-1].append(mark)
        else:
            found.append([mark])
    return tuple(Cluster(each[0].at, tuple(each)) for each in found)


# --- an app's lane --------------------------------------------------------------------------------------------------


def _app_lane(
    row: AppStatus,
    status: DeskStatus,
    remembered: Sequence[Span],
    happened: list[Happening],
    who: str,
    start: float,
    now: float,
) -> Lane:
    spans = _spans(row, remembered, start, now)
    bodies = {
        (shown.notification.id, shown.at): shown.notification.body for shown in status.shown if shown.app == row.app
    }
    stories, marks = tell(happened, spans, row.name, who, bodies)
    marks = tuple(mark for mark in marks if start <= mark.at <= now)
    wanted = {mark.story for mark in marks}
    around = zip((None, *spans[:-1]), spans, (*spans[1:], None), strict=True)
    told = [_span_story(before, span, after, row, who, now) for before, span, after in around]
    bands = [
        Band(f"b{story.key}", _looks(span, row), max(span.since, start), span.until, story.title, story.key)
        for span, story in zip(spans, told, strict=True)
    ]
    if not spans or spans[0].since > start:
        bands.insert(0, _unknown(start, spans[0].since if spans else None))
    kept = (*(story for story in stories if story.key in wanted), *told)
    earliest = min((line.at for line in happened or status.happenings), default=None)
    return Lane(row.app, row.name, tuple(bands), marks, kept, _marks_from(earliest, remembered, start))


def _marks_from(earliest: float | None, remembered: Sequence[Span], start: float) -> float | None:
    """The list of events is kept by number, spans by time: one that is older than its line tells that more is gone."""
    if earliest is None or earliest <= start:
        return None
    older = (span for span in remembered if span.state in _WRITTEN_DOWN and span.since < earliest - _SAME_MOMENT)
    return earliest if any(older) else None


def _spans(row: AppStatus, remembered: Sequence[Span], start: float, now: float) -> list[Span]:
    """Those that reach into the time laid out: one after the other, none in the future."""
    mine = sorted((span for span in remembered if span.since <= now), key=lambda span: span.since)
    if not mine or mine[-1].state is not row.state:
        since = max([min(row.since, now), *(span.since for span in mine)])
        mine.append(Span(row.app, row.state, since, None, "", row.holds))
    found = [_until(span, after.since) for span, after in pairwise(mine)] + [_until(mine[-1], None)]
    return [span for span in found if span.until is None or (span.until > start and span.until > span.since)]


def _until(span: Span, until: float | None) -> Span:
    return Span(span.app, span.state, span.since, until, span.why, span.holds)


def _unknown(since: float, until: float | None) -> Band:
    return Band("unknown", UNKNOWN, since, until, "Not known: no desk ran, or it does not remember")


def _looks(span: Span, row: AppStatus) -> str:
    """A person who quits an app that is stopped already ends no run: the row knows it, the span does not."""
    is_quit = span.why == StopReason.QUIT or (span.until is None and row.quit)
    return QUIT if span.state is S.STOPPED and is_quit else str(span.state)


def _span_story(before: Span | None, span: Span, after: Span | None, row: AppStatus, who: str, now: float) -> Story:
    lasted = length((span.until if span.until is not None else now) - span.since)
    over = span.until is not None
    # While it lasts its length is not told: the text would be another one every second.
    when = (
        f"from {clock(span.since)} to {clock(span.until or now)} ({lasted})" if over else f"since {clock(span.since)}"
    )
    looks = _looks(span, row)
    word = looks if looks == QUIT else WORDS[span.state]
    title = f"{row.name} {word}" + (f" for {lasted}" if over else "")
    if looks == QUIT:
        text = sentence(f"{who} had quit {row.name}; it had no process WHEN") + " Nothing wakes it until it is opened."
    elif span.state is S.SUSPENDED:
        text = _sleep_told(before, row.name, who, over) + _sleep_ended(after, who)
    else:
        text = _state_told(span, row.name, who, over)
    return Story(f"{span.state[:2]}{span.since:.3f}", span.since, Kind.NOTE, title, text.replace("WHEN", when))


def _sleep_told(before: Span | None, name: str, who: str, over: bool) -> str:
    left = before is not None and before.state is S.BACKGROUND and before.why == "left"
    why = f"{who} had closed its window, and nothing held it awake" if left else "nothing held it awake any more"
    stays = "stayed in memory, frozen, and used" if over else "stays in memory, frozen, and uses"
    return sentence(f"{name} {'was' if over else 'is'} asleep WHEN: {why}") + f" It {stays} no CPU at all."


def _sleep_ended(after: Span | None, who: str) -> str:
    match after:
        case Span(state=S.BACKGROUND, why=why) if why:
            return f" It was woken because {_why(why, who)}."
        case Span(state=S.STOPPED, why=why) if why:
            return f" Then it was stopped: {_stopped(why)}."
        case _:
            return ""


def _state_told(span: Span, name: str, who: str, over: bool) -> str:
    was = "was" if over else "is"
    match span.state:
        case S.FOREGROUND:
            saw = "could" if over else "can"
            return sentence(f"{who} {saw} see {name} WHEN")
        case S.BACKGROUND:
            return sentence(f"{name} {was} running unseen WHEN: {_why(span.why, who)}") + _held(span.holds, over)
        case S.LAUNCHING:
            return sentence(f"{name} {was} being started WHEN: {_why(span.why, who)}")
        case _:
            why = f": {_stopped(span.why)}" if span.why else ""
            return sentence(f"{name} {was} not running WHEN{why}") + " A push, or a look at its window, starts it."


def _stopped(why: str) -> str:
    known: dict[str, str] = {
        StopReason.SUSPENDED_LONG: "it had slept so long that the desk gave its memory back",
        StopReason.MEMORY_PRESSURE: "the machine was short of memory",
        StopReason.TASK_NOT_ENDED: "it had not ended its background task in time",
        StopReason.TASK_NOT_COMPLETED: "it had not completed its scheduled task in time",
        StopReason.CPU_EXCEEDED: "it had used too much processor time unseen",
        StopReason.MEMORY_EXCEEDED: "it had used too much memory unseen",
        StopReason.CRASHED: "it had ended unexpectedly",
        StopReason.EXITED: "it had ended by itself",
        StopReason.LOGOUT: "the desk was stopped, as at a logout",
        StopReason.REPLACED: "it was gone when the desk came back",
    }
    return known.get(why, why.replace("_", " "))


def _why(why: str, who: str) -> str:
    return {
        "left": "its window had been closed",
        WakeReason.PUSH: "a push had come for it",
        WakeReason.OPENED: f"{who} opened it",
        WakeReason.PRESSED: f"{who} pressed a notification of it",
        WakeReason.PAGE_VISITED: "a browser asked for its page",
        WakeReason.TASK: "it had begun a background task",
        WakeReason.SCHEDULED: "a scheduled task was due",
        WakeReason.ENDPOINT_CHANGED: "its address for pushes had changed",
        WakeReason.BY_HAND: "it had been started by hand",
    }.get(why, why or "the desk does not remember why")


def _held(holds: Sequence[Hold], over: bool) -> str:
    if not holds:
        return ""
    names = list(dict.fromkeys(held_by(hold) for hold in holds))
    listed = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    return f" It {'was' if over else 'is'} held awake by {listed}."


def held_by(hold: Hold) -> str:
    """In words, what keeps an app from being suspended (contract A11)."""
    match hold.kind:
        case "task":
            return f"the background task “{hold.name}”"
        case "push":
            return "a push it looks at"
        case "scheduled" | "continued":
            return f"the {hold.kind} task “{hold.name}”"
        case "opening":
            return "being opened"
        case "settling":
            return "the moment it has after its window closed"
        case "endpoint":
            return "a new address for pushes"
        case other:
            return f"{other} {hold.name}".strip()


# --- the desk's lane ------------------------------------------------------------------------------------------------


def _desk_lane(
    status: DeskStatus, happened: list[Happening], gaps: Sequence[Gap], who: str, start: float, now: float
) -> Lane:
    stories, told_by = tell(happened, (), "the desk", who, {})
    marks = tuple(mark for mark in told_by if start <= mark.at <= now)
    known = [line.at for line in status.happenings] + [span.since for span in status.spans]
    first = min([status.since or now, *known, *(gap.since for gap in gaps), now])
    bands = [] if first <= start else [_unknown(start, first)]
    at = max(first, start)
    without = offline(told_by, happened, status.since, now)
    told: list[Story] = []
    for gap in _apart(gaps):
        since, until = max(gap.since, at), gap.until if gap.until is None or gap.until < now else None
        if since >= now or (until is not None and until <= since):
            continue
        if since > at:
            bands += _awake(at, since, without)
        story = _away_story(gap, happened)
        told.append(story)
        bands.append(Band(f"b{story.key}", AWAY, since, until, story.title, story.key))
        if until is None:
            break
        at = until
    if not bands or bands[-1].until is not None:
        bands += _awake(at, None, without)
    wanted = {mark.story for mark in marks} | {band.story for band in bands}
    kept = (*(story for story in stories if story.key in wanted), *told)
    return Lane("", "Desk", tuple(bands), marks, kept)


def _awake(since: float, until: float | None, without: Sequence[Offline]) -> list[Band]:
    """The desk runs all that time, with the push service or without it."""
    bands: list[Band] = []
    at = since
    for each in without:
        begin = max(each.since, at)
        end = min((moment for moment in (each.until, until) if moment is not None), default=None)
        if end is not None and end <= begin:
            continue
        if begin > at:
            bands.append(_up(at, begin))
        did = "does" if end is None else "did"
        bands.append(
            Band(f"off{begin:.3f}", OFFLINE, begin, end, f"The desk {did} not reach the push service", each.story)
        )
        if end is None:
            return bands
        at = end
    return bands if at == until else [*bands, _up(at, until)]


def _up(since: float, until: float | None) -> Band:
    return Band(f"up{since:.3f}", UP, since, until, "The desk was awake" if until is not None else "The desk is awake")


def _apart(gaps: Sequence[Gap]) -> list[Gap]:
    """The gaps by time; those that overlap are one."""
    found: list[Gap] = []
    for gap in sorted(gaps, key=lambda gap: gap.since):
        last = found[-1] if found else None
        if last is None or (last.until is not None and last.until < gap.since):
            found.append(gap)
        elif last.until is not None and (gap.until is None or gap.until > last.until):
            found[-1] = Gap(last.since, gap.until)
    return found


def _away_story(gap: Gap, happened: Sequence[Happening]) -> Story:
    """Why there was none, the desk that followed has noted, unless the one before ended in order."""
    key = f"aw{gap.since:.3f}"
    if gap.until is None:
        otherwise = "If it was not stopped on purpose, its keeper starts it again; apps and their sockets stay."
        text = f"No desk answers since {clock(gap.since)}. {otherwise}"
        return Story(key, gap.since, Kind.TROUBLE, "No desk", text)
    lasted, noticed, until = length(gap.until - gap.since), gap.since - NOTICED_WITHIN, gap.until
    why = next((line.why for line in reversed(happened) if line.what == "restarted" and noticed < line.at <= until), "")
    text = f"There was no desk for {lasted}. "
    if not why:
        text += "It had been stopped in order, and its apps with it; what came meanwhile waited at the push service."
    else:
        again = (
            "Its keeper was gone, too; started anew, it"
            if why == "keeper_lost"
            else "Its keeper started it again and it"
        )
        text += f"{again} went on from its last commit; apps ran or slept on, and what came meanwhile waited."
    return Story(key, gap.since, Kind.DESK, f"No desk for {lasted}", text)
