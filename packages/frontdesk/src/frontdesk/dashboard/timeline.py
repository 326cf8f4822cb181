"""The time line as HTML: a lane for each desk and app, its marks, their stories, and the legend."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from frontdesk.dashboard.core.lanes import (
    AWAY,
    OFFLINE,
    QUIT,
    SECONDS,
    WORDS,
    Band,
    Cluster,
    Gap,
    Lane,
    clusters,
    lanes,
)
from frontdesk.dashboard.core.threads import Kind, Mark, Story
from frontdesk.dashboard.core.wording import clock
from frontdesk.dashboard.markup import Markup, joined, tag
from frontdesk.terms import AppState, DeskStatus, Happening

STATIC = Path(__file__).parent / "static"
"""``timeline.css`` and ``timeline.js``, to be served as they are."""

MARK = 26.0
"""Pixels that a mark needs."""

SCALES = {"near": 8.0, "far": 1.6}
"""Pixels for a second: to read what happened in moments, and to look over minutes."""

_FIRST = (
    Kind.TROUBLE,
    Kind.STOPPED,
    Kind.DESK,
    Kind.LINK,
    Kind.OPENED,
    Kind.NOTIFICATION,
    Kind.PUSH,
    Kind.TASK,
    Kind.NOTE,
)
"""Whose sign a cluster bears."""

_TOLD = frozenset({Kind.PUSH, Kind.NOTIFICATION, Kind.TASK})
"""What the title of a story that begins just there tells already."""

_SIGNS = {
    Kind.PUSH: "M8 2v8M4.5 7 8 10.5 11.5 7M3 13.5h10",
    Kind.NOTIFICATION: "M3 3h10v7.5H8L5 13.5v-3H3z",
    Kind.TASK: "M4 2h8M4 14h8M5 2c0 4 6 8 6 12M11 2c0 4-6 8-6 12",
    Kind.OPENED: "M4 2.5v10l2.6-2.4 1.7 3.6 1.8-.9-1.7-3.5H12z",
    Kind.STOPPED: "M4 4h8v8H4z",
    Kind.TROUBLE: "M8 2.5v7M8 12.6v.9",
    Kind.DESK: "M12.6 5.5A5.3 5.3 0 1 0 13.3 8M13.3 2.6v3.2h-3.2",
    Kind.LINK: "M3 8.5 6.5 12 13 4.5",
    Kind.NOTE: "M4 5h8M4 8h8M4 11h5",
}
"""Each kind's sign, drawn with a pen in a square of 16: told apart by its form, not by colour alone."""

_KINDS = {
    Kind.PUSH: "a push arrived",
    Kind.NOTIFICATION: "a notification",
    Kind.TASK: "a task",
    Kind.OPENED: "opened by a person",
    Kind.STOPPED: "stopped, or quit",
    Kind.TROUBLE: "something went wrong",
    Kind.DESK: "the desk came back",
    Kind.LINK: "the push service was reached again",
    Kind.NOTE: "noted",
}

_STATES = {
    AppState.FOREGROUND: (WORDS[AppState.FOREGROUND], "a person sees it"),
    AppState.BACKGROUND: (WORDS[AppState.BACKGROUND], "it finishes something"),
    AppState.SUSPENDED: (WORDS[AppState.SUSPENDED], "frozen, no CPU"),
    AppState.LAUNCHING: (WORDS[AppState.LAUNCHING], ""),
    AppState.STOPPED: (WORDS[AppState.STOPPED], "no process until needed"),
    QUIT: ("quit", "until opened"),
    OFFLINE: ("no push service", "pushes wait there"),
    AWAY: ("no desk", ""),
}
"""What the bands look like: the word, and what it means."""


@dataclass(frozen=True)
class Strip:
    """The lanes of one desk.

    ``key``: letters, unique on the page. ``title``: whose it is, may be empty. ``status``: the desk's latest word, None
    as long as there was none. ``now``: seconds since 1970. The rest as in ``lanes``: ``who`` the stories are about
    (empty: "you"), ``gaps`` without a desk, ``noted`` of which no desk can tell, ``only`` one app's id.
    """

    key: str
    title: str
    status: DeskStatus | None
    now: float
    who: str = "you"
    gaps: tuple[Gap, ...] = ()
    noted: tuple[Happening, ...] = ()
    only: str = ""

    @cached_property
    def lanes(self) -> tuple[Lane, ...]:
        """Laid out once: what a page has been told is compared with what is new."""
        if self.status is None:
            return ()
        return lanes(self.status, self.now, who=self.who, gaps=self.gaps, noted=self.noted, only=self.only)


def time_line(strips: Sequence[Strip], heading: str = "The last minutes") -> str:
    """The whole piece, with everything that ``live`` brings up to date."""
    parts = [_parts(strip) for strip in strips]
    names = tag(
        "div", tag("div", class_="tl-corner"), [part[0] for part in parts], class_="tl-names", aria_hidden="true"
    )
    track = tag(
        "div", tag("div", class_="tl-ticks", aria_hidden="true"), [part[1] for part in parts], class_="tl-track"
    )
    scroll = tag("div", tag("div", track, class_="tl-sheet"), class_="tl-scroll")
    head = tag("div", tag("h2", heading), _scales(), class_="tl-head")
    panel = tag(
        "div",
        tag("p", "Press a mark or a band: it tells what happened, and why.", class_="tl-hint"),
        class_="tl-panel",
        id="tl-panel",
        role="region",
        aria_live="polite",
        aria_label="The story of what was chosen",
    )
    return tag(
        "section",
        _symbols(),
        head,
        tag("div", names, scroll, class_="tl-body"),
        panel,
        _legend(),
        [part[2] for part in parts],
        class_="timeline",
        id="timeline",
        aria_label=heading,
        data_seconds=f"{SECONDS:g}",
        data_scale="near",
        data_now=f"{strips[0].now if strips else 0.0:.3f}",
    )


def live(strip: Strip, before: Strip | None = None) -> str:
    """What is new in the lanes of one desk, each an element with an id that ``time_line`` has too.

    ``before``: the strip that the page has been told last; None: everything is told. With 20 busy apps that is half a
    megabyte, and what is new in one of them a twentieth of it.
    """
    if before is None or _column(before.lanes) != _column(strip.lanes):
        return joined(_parts(strip))
    key = f"tl-{strip.key}"
    changed = [now for now, then in zip(strip.lanes, before.lanes, strict=True) if now != then]
    return joined(_clock(strip), [joined(_lane(key, strip.title, lane), _stories(key, lane)) for lane in changed])


def _column(found: Sequence[Lane]) -> list[tuple[str, str]]:
    """What stands beside the lanes, from top to bottom."""
    return [(lane.key, lane.name) for lane in found]


def _parts(strip: Strip) -> tuple[Markup, Markup, Markup]:
    """Names, lanes and stories of one desk."""
    key = f"tl-{strip.key}"
    title = tag("div", strip.title, class_="tl-title", id=f"{key}-title") if strip.title else Markup()
    names = [
        tag("div", lane.name, class_="tl-name", id=f"{key}-name-{lane.key}", title=lane.name) for lane in strip.lanes
    ]
    rows = [_lane(key, strip.title, lane) for lane in strip.lanes]
    space = tag("div", class_="tl-title", id=f"{key}-space") if strip.title else Markup()
    told = [_stories(key, lane) for lane in strip.lanes]
    return (
        tag("div", title, names, class_="tl-group", id=f"{key}-names", data_parts=True),
        tag("div", space, rows, class_="tl-group", id=f"{key}-lanes", data_parts=True),
        joined(tag("div", told, id=f"{key}-stories", data_parts=True, hidden=True), _clock(strip)),
    )


def _clock(strip: Strip) -> Markup:
    """What time it is where the lanes come from."""
    return tag("i", id=f"tl-{strip.key}-clock", data_now=f"{strip.now:.3f}", hidden=True)


def _stories(key: str, lane: Lane) -> Markup:
    told = [_story(key, lane, story) for story in lane.stories]
    return tag("div", told, id=f"{key}-{_own(lane)}-stories", data_parts=True)


def _own(lane: Lane) -> str:
    return lane.key or "desk"


def _lane(key: str, title: str, lane: Lane) -> Markup:
    own = f"{key}-{_own(lane)}"
    bands = tag(
        "div", [_band(key, own, band) for band in lane.bands], class_="tl-bands", id=f"{own}-bands", data_parts=True
    )
    marks = [
        tag(
            "div",
            [_cluster(key, own, scale, cluster, lane) for cluster in clusters(lane.marks, MARK / pixels)],
            class_="tl-marks",
            id=f"{own}-{scale}",
            data_parts=True,
            data_at_scale=scale,
        )
        for scale, pixels in SCALES.items()
    ]
    label = f"{lane.name}, {title}" if title else lane.name
    edge = _edge(own, lane.marks_from) if lane.marks_from is not None else Markup()
    return tag("div", bands, edge, marks, class_="tl-lane", id=own, role="group", aria_label=label, data_parts=True)


def _edge(own: str, at: float) -> Markup:
    """Where the memory of marks begins: a bare band before it does not mean that nothing happened."""
    return tag("div", tag("span", "older marks are forgotten"), class_="tl-edge", id=f"{own}-edge", data_at=f"{at:.3f}")


def _band(key: str, own: str, band: Band) -> Markup:
    until = None if band.until is None else f"{band.until:.3f}"
    place = {"data_at": f"{band.since:.3f}", "data_to": until, "data_state": band.state, "title": band.title}
    if not band.story:
        return tag("span", class_="tl-band", id=f"{own}-{band.key}", **place)
    unseen = tag("span", f"{clock(band.since)} {band.title}", class_="tl-unseen")
    wanted = f"{key}-{_story_id(own, band.story)}"
    return tag(
        "button",
        unseen,
        type="button",
        class_="tl-band",
        id=f"{own}-{band.key}",
        data_stories=wanted,
        aria_expanded="false",
        aria_controls="tl-panel",
        **place,
    )


def _cluster(key: str, own: str, scale: str, cluster: Cluster, lane: Lane) -> Markup:
    kind = min((mark.kind for mark in cluster.marks), key=_FIRST.index)
    wanted = list(dict.fromkeys(mark.story for mark in cluster.marks))
    label = "; ".join(_names(cluster.marks, lane.stories))
    several = tag("b", str(len(wanted)), class_="tl-count", aria_hidden="true") if len(wanted) > 1 else Markup()
    return tag(
        "button",
        _sign(kind),
        several,
        tag("span", f"{clock(cluster.at)} {label}", class_="tl-unseen"),
        type="button",
        class_="tl-mark",
        id=f"{own}-{scale}-{cluster.marks[0].key}",
        title=label,
        data_at=f"{cluster.at:.3f}",
        data_kind=kind,
        data_stories=" ".join(f"{key}-{_story_id(own, story)}" for story in wanted),
        aria_expanded="false",
        aria_controls="tl-panel",
    )


def _names(marks: Sequence[Mark], stories: Sequence[Story]) -> list[str]:
    """What stands there: where a story begins, what became of it; a later moment of it bears its own name."""
    titles = {story.key: story.title for story in stories}
    firsts = {story.key: story.at for story in stories}
    begun = {mark.story for mark in marks if mark.at == firsts.get(mark.story)}
    named = (
        titles[mark.story]
        if mark.story in begun and (mark.at == firsts[mark.story] or mark.kind in _TOLD)
        else mark.title
        for mark in marks
    )
    return list(dict.fromkeys(named))


def _story(key: str, lane: Lane, story: Story) -> Markup:
    own = f"{key}-{_own(lane)}"
    when = tag("time", clock(story.at))
    head = tag("h3", when, " ", tag("b", lane.name), " · ", story.title)
    return tag("article", head, tag("p", story.text), id=f"{key}-{_story_id(own, story.key)}", data_kind=story.kind)


def _story_id(own: str, story: str) -> str:
    return f"{own.replace(' ', '_')}-story-{story}"


def _scales() -> Markup:
    buttons = [
        tag(
            "button",
            word,
            type="button",
            data_zoom=scale,
            data_pixels=f"{SCALES[scale]:g}",
            aria_pressed="true" if scale == "near" else "false",
        )
        for scale, word in (("near", "Seconds"), ("far", "Minutes"))
    ]
    back = tag("button", "Now", type="button", class_="tl-now", title="Follow the clock again", hidden=True)
    return joined(back, tag("div", buttons, class_="tl-scales", role="group", aria_label="How near to look"))


def _legend() -> Markup:
    states = [
        tag(
            "li",
            tag("i", class_="tl-swatch", data_state=state, aria_hidden="true"),
            tag("b", word),
            f" {words}",
        )
        for state, (word, words) in _STATES.items()
    ]
    kinds = [
        tag("li", tag("i", _sign(kind), class_="tl-mark", data_kind=kind, aria_hidden="true"), words)
        for kind, words in _KINDS.items()
    ]
    return tag(
        "div",
        tag("ul", states, aria_label="Bands: what the app is doing"),
        tag("ul", kinds, aria_label="Marks"),
        class_="tl-legend",
    )


def _sign(kind: Kind) -> Markup:
    return tag("svg", tag("use", href=f"#tl-sign-{kind}"), viewBox="0 0 16 16", aria_hidden="true")


def _symbols() -> Markup:
    each = [
        tag("symbol", tag("path", d=path), id=f"tl-sign-{kind}", viewBox="0 0 16 16") for kind, path in _SIGNS.items()
    ]
    return tag("svg", each, class_="tl-symbols", aria_hidden="true", width="0", height="0")
