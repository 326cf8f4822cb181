"""The desk's status page as HTML: the desk, its apps and what holds them, notifications, receipts, the time line."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from frontdesk.dashboard.core.lanes import WORDS, Gap, held_by
from frontdesk.dashboard.core.wording import clock, length, short, until
from frontdesk.dashboard.markup import Markup, joined, tag
from frontdesk.dashboard.scheduled import conditions, launches_left, scheduled_tasks
from frontdesk.dashboard.timeline import Strip, live, time_line
from frontdesk.terms import AppState, AppStatus, DeskStatus, Receipt, TaskReceipt

_MOST_SHOWN = 8
_MOST_RECEIPTS = 12

_PUSH_STATES = {
    "off": "none is set",
    "connecting": "connecting",
    "connected": "connected",
    "waiting": "no connection; it is tried again",
}


@dataclass(frozen=True)
class Seen:
    """What the page shows. ``status``: the desk's last word; ``away``: no desk is there; ``now``: since 1970."""

    status: DeskStatus | None
    away: bool
    now: float
    gaps: tuple[Gap, ...] = ()
    receipts: Mapping[str, tuple[Receipt | TaskReceipt, ...]] = field(default_factory=dict)
    """By app, newest first."""

    @cached_property
    def strip(self) -> Strip:
        """The desk's lanes."""
        return Strip("own", "", self.status, self.now, gaps=self.gaps)


def page(seen: Seen) -> str:
    """The whole page."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", "frontdesk"),
        tag("link", rel="icon", href="/static/mark.svg", type="image/svg+xml"),
        tag("link", rel="stylesheet", href="/static/dashboard.css"),
        tag("link", rel="stylesheet", href="/static/timeline.css"),
        tag("link", rel="stylesheet", href="/static/tasks.css"),
        tag("script", type="module", src="/static/dashboard.js"),
    )
    noscript = tag("noscript", tag("p", "Without JavaScript this page stays as it is now.", class_="strip"))
    lost = tag("p", id="lost", class_="strip", role="alert", hidden=True)
    body = tag(
        "body",
        tag("header", tag("h1", "Your desk"), tag("p", _INTRODUCTION)),
        noscript,
        lost,
        tag(
            "main",
            _notice(seen),
            _desk(seen),
            Markup(time_line([seen.strip])),
            _apps(seen),
            _machine(seen),
            _shown(seen),
            _log(seen),
        ),
    )
    return "<!doctype html>\n" + tag("html", head, body, lang="en")


def parts(seen: Seen, before: Seen | None = None) -> dict[str, str]:
    """By name, what changes by itself; each is HTML whose elements have ids that the page has too.

    ``before``: what the page has been told last; only what is new since then is given, and "" where nothing is.
    """
    fresh = _sections(seen)
    # As of the same moment: how long something lasts already, the page counts by itself.
    known = _sections(replace(before, now=seen.now)) if before is not None else {}
    listed = [[name for name in sections if name.startswith("app-")] for sections in (known, fresh)]
    if before is None or listed[0] != listed[1]:
        fresh = {name: html for name, html in fresh.items() if not name.startswith("app-")} | {"apps": _apps(seen)}
    return {
        "status": joined(html for name, html in fresh.items() if known.get(name) != html),
        "timeline": live(seen.strip, before.strip if before is not None else None),
    }


def _sections(seen: Seen) -> dict[str, Markup]:
    """By their ids on the page; each app's card is one."""
    whole = {"notice": _notice(seen), "desk": _desk(seen), "machine": _machine(seen)}
    cards = {f"app-{app.app}": _app(app, seen) for app in (seen.status.apps if seen.status is not None else ())}
    return whole | cards | {"shown": _shown(seen), "receipts": _log(seen)}


def sentence(title: str, text: str) -> str:
    """A page that says one thing, such as why there is nothing to see."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width"),
        tag("title", title),
    )
    return "<!doctype html>\n" + tag("html", head, tag("body", tag("h1", title), tag("p", text)), lang="en")


_INTRODUCTION = "It stays awake so that your apps can sleep, and wakes them when they are needed."


def _notice(seen: Seen) -> Markup:
    words = ""
    if seen.away:
        words = (
            "No desk answers. If it was running, its keeper starts it again within seconds, and this page goes on by "
            "itself. If not, start one: frontdesk agent, or for good: frontdesk enable"
        )
    elif seen.status is not None:
        words = seen.status.trouble
    return tag("div", tag("p", words, class_="strip") if words else "", id="notice", role="status")


def _desk(seen: Seen) -> Markup:
    status = seen.status
    facts: list[tuple[str, Markup | str]] = []
    if status is None or seen.away:
        facts.append(("Desk", "away"))
    else:
        facts.append(("Desk", joined("awake for ", _lasting(status.since or seen.now, seen.now))))
        facts.append(("Process", f"{status.pid}, version {status.version}"))
        service = _PUSH_STATES.get(status.push_state, status.push_state)
        facts.append(("Push service", f"{service}{f': {status.push_service}' if status.push_service else ''}"))
        if status.restarted is not None:
            again = f"at {clock(status.restarted.at)}: {status.restarted.text} Apps and what was kept went on."
            facts.append(("Started again", again))
    rows = [tag("div", tag("dt", name), tag("dd", value)) for name, value in facts]
    return tag("section", tag("h2", "Desk", class_="tl-unseen"), tag("dl", rows), id="desk", class_="facts")


# --- apps -----------------------------------------------------------------------------------------------------------


def _apps(seen: Seen) -> Markup:
    apps = seen.status.apps if seen.status is not None else ()
    cards: list[Markup] = [_app(app, seen) for app in apps]
    if not cards:
        cards = [tag("div", [tag("p", *line) for line in _NO_APP], class_="none card")]
    return tag("section", tag("h2", "Apps"), tag("div", cards, class_="cards"), id="apps")


_NO_APP = (
    ("No app is registered with this desk yet. Each one that is gets a lane above and a card here.",),
    ("A messenger to try it with: ", tag("code", "lobby"), ", which registers itself."),
    (
        "An app of your own: ",
        tag("code", "frontdesk apps add MANIFEST.toml"),
        ", then ",
        tag("code", "frontdesk open APP"),
        ".",
    ),
)


def _app(app: AppStatus, seen: Seen) -> Markup:
    word = "quit" if app.quit and app.state is AppState.STOPPED else WORDS[app.state]
    pill = tag("span", tag("i", class_="tl-swatch", data_state=app.state, aria_hidden="true"), word, class_="pill")
    head = tag("div", tag("h3", app.name), pill, class_="who")
    facts = [
        ("For", _lasting(app.since, seen.now)),
        ("Held awake by", _holds(app, seen.now)),
        ("Background time left", _left(app)),
        ("Pushes", _pushes(app, seen)),
        ("Scheduled tasks", Markup(scheduled_tasks(app, seen.now))),
        ("Refresh launches", launches_left(app.budget, seen.now) if app.budget is not None and app.tasks else ""),
        ("Penalty", f"{app.penalty} Until {until(app.penalty_until, seen.now)}." if app.penalty_until else app.penalty),
        ("In the background", "you switched it off" if app.background_off else ""),
        ("Process", str(app.pid) if app.pid else "none"),
        ("Started by the desk", {0: "", 1: "once"}.get(app.launches, f"{app.launches} times")),
        ("Page", app.page),
    ]
    rows = [tag("div", tag("dt", name), tag("dd", value)) for name, value in facts if value]
    return tag("article", head, tag("p", app.app, class_="id"), tag("dl", rows), class_="card", id=f"app-{app.app}")


def _machine(seen: Seen) -> Markup:
    """The conditions under which deferred work runs."""
    readings = seen.status.conditions if seen.status is not None else ()
    body = conditions(readings, seen.now) if readings else tag("p", "The desk has told nothing yet.", class_="none")
    return tag("section", tag("h2", "What the desk takes this machine for"), body, id="machine", class_="box")


def _holds(app: AppStatus, now: float) -> Markup | str:
    if app.state is AppState.FOREGROUND:
        return "a person sees it"
    if not app.holds:
        return "nothing" if app.state is not AppState.STOPPED else ""
    return tag("ul", [tag("li", held_by(hold), ", for ", _lasting(hold.since, now)) for hold in app.holds])


def _left(app: AppStatus) -> Markup | str:
    if app.seconds_left is None:
        return ""
    return tag("span", length(app.seconds_left), data_left=f"{app.seconds_left:.1f}")


def _pushes(app: AppStatus, seen: Seen) -> Markup | str:
    if not app.subscriptions:
        return ""
    kinds = {"alert": "shown without waking it", "changeable_alert": "wakes it, and it says what to show"}
    each = [
        tag(
            "li",
            tag("b", one.name),
            f": {kinds.get(one.kind, one.kind)}",
            "" if one.registered else "; no address from the push service yet",
        )
        for one in app.subscriptions
    ]
    happenings = seen.status.happenings if seen.status is not None else ()
    last = max((line.at for line in happenings if (line.app, line.what) == (app.app, "push")), default=None)
    more = [tag("li", "the last one ", _lasting(last, seen.now), " ago")] if last is not None else []
    waiting = [tag("li", f"{app.pushes_waiting} not answered yet")] if app.pushes_waiting else []
    return tag("ul", each, more, waiting)


# --- notifications and receipts -------------------------------------------------------------------------------------


def _shown(seen: Seen) -> Markup:
    shown = seen.status.shown if seen.status is not None else ()
    names = {app.app: app.name for app in (seen.status.apps if seen.status is not None else ())}
    rows = [
        tag(
            "li",
            tag("time", clock(each.at)),
            tag(
                "span",
                tag("b", f"{names.get(each.app, each.app)}: {each.notification.title}"),
                " ",
                each.notification.body,
            ),
        )
        for each in shown[:_MOST_SHOWN]
    ]
    if more := len(shown) - len(rows):
        rows.append(tag("li", tag("span", f"and {more} more"), class_="none"))
    body = tag("ol", rows, class_="lines") if rows else tag("p", "None is shown.", class_="none")
    return tag("section", tag("h2", "Notifications"), body, id="shown", class_="box")


def _log(seen: Seen) -> Markup:
    names = {app.app: app.name for app in (seen.status.apps if seen.status is not None else ())}
    receipts = sorted((each for of_app in seen.receipts.values() for each in of_app), key=lambda each: -each.at)
    rows = [_receipt(each, names.get(each.app, each.app)) for each in receipts[:_MOST_RECEIPTS]]
    body = tag("ol", rows, class_="lines") if rows else tag("p", "No run has ended yet.", class_="none")
    return tag("section", tag("h2", "How runs and tasks ended"), body, id="receipts", class_="box")


def _receipt(receipt: Receipt | TaskReceipt, name: str) -> Markup:
    if isinstance(receipt, TaskReceipt):
        title = f"{name}, {short(receipt.identifier, receipt.app)}: {receipt.end.words}"
        ran = f", after {length(receipt.used)}" if receipt.used is not None else ""
        used = f" (limit {receipt.limit:g} s)" if receipt.limit is not None else ""
    else:
        title = f"{name}: {receipt.reason.words}"
        ran = f", after {length(receipt.at - receipt.ran_since)}" if receipt.ran_since else ""
        used = f" ({receipt.measured})" if receipt.measured else ""
    # A receipt is kept for a month: the clock alone would not say which day.
    when = tag("time", clock(receipt.at), data_moment=f"{receipt.at:.0f}")
    said = tag("span", tag("b", title), f"{ran}. {receipt.text}{used}")
    return tag("li", when, said)


def _lasting(since: float, now: float) -> Markup:
    """How long already; the page counts on."""
    return tag("span", length(now - since), data_since=f"{since:.3f}")
