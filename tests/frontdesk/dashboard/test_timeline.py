"""The time line's HTML: what is sent to a page is what changed, under ids that the page has."""

import re
from dataclasses import replace

import msgspec
import pytest

from frontdesk.dashboard.timeline import Strip, live, time_line
from frontdesk.terms import AppState, AppStatus, DeskStatus, Happening, Hold, Span

NOW = 1_700_000_005.0
APPS = [f"org.example.app{number:02}" for number in range(20)]


def history(app: str) -> tuple[list[Happening], list[Span]]:
    """Ten minutes of one app that a push wakes every forty seconds."""
    lines, spans = [], []
    for number in range(15):
        at, push = NOW - 600 + 40 * number, f"push {number}"
        hold = Hold("push", "messages", at)
        spans.append(Span(app, AppState.BACKGROUND, at, at + 0.4, "push", (hold,)))
        spans.append(Span(app, AppState.SUSPENDED, at + 0.4, at + 40 if number < 14 else None))
        lines += [
            Happening(at, app, "push", "a push", push, "messages"),
            Happening(at, app, "thawed", "woken", why="push"),
            Happening(at + 0.4, app, "notified", "notification", f"room {number}", "Left", cause=push),
            Happening(at + 0.4, app, "suspended", "asleep"),
        ]
    return lines, spans


def strip(apps: list[str], now: float = NOW, more: tuple[Happening, ...] = ()) -> Strip:
    rows = tuple(AppStatus(app, app[-5:], AppState.SUSPENDED, NOW - 39.6) for app in apps)
    found = [history(app) for app in apps]
    lines = sorted((line for each, _ in found for line in each), key=lambda line: line.at)
    spans = tuple(span for _, each in found for span in each)
    status = DeskStatus(now, 1, "1", rows, (), (*lines, *more), spans=spans, since=NOW - 900)
    return Strip("own", "", status, now)


def ids(html: str) -> set[str]:
    return set(re.findall(r' id="([^"]+)"', html))


def test_only_the_lane_with_something_new_is_sent_and_the_clock() -> None:
    before = strip(APPS)
    after = strip(APPS, NOW + 1, (Happening(NOW + 1, APPS[3], "foreground", "a person sees it"),))
    pushed = replace(
        after, status=strip(APPS, NOW + 1, (Happening(NOW + 1, APPS[3], "push", "a push", "push x"),)).status
    )
    everything, new = live(after), live(pushed, before)
    assert APPS[3] in new and not [app for app in APPS if app != APPS[3] and app in new]
    assert f'data-now="{NOW + 1:.3f}"' in new
    assert len(everything) > 300_000, "this is worth being sparing with"
    assert len(new) < len(everything) / 15
    assert len(live(replace(before, now=NOW + 1), before)) < 100, "time alone changes no lane"


def test_another_app_or_another_beginning_sends_everything() -> None:
    before = strip(APPS[:2])
    assert live(strip(APPS[:3]), before) == live(strip(APPS[:3]))
    assert before.status is not None
    rows = (before.status.apps[0], msgspec.structs.replace(before.status.apps[1], name="Renamed"))
    renamed = replace(before, status=msgspec.structs.replace(before.status, apps=rows))
    assert live(renamed, before) == live(renamed), "its name stands beside its lane"
    assert live(before, None) == live(before)


def marks_of(*lines: Happening) -> list[tuple[str, str]]:
    """Kind and name of each mark of the near scale."""
    html = live(strip(APPS[:1], more=lines))
    found = re.findall(
        r'<button[^>]* class="tl-mark" id="[^"]*-near-[^"]*" title="([^"]*)"[^>]*data-kind="([^"]*)"', html
    )
    return [(kind, name) for name, kind in found]


def test_a_later_mark_of_a_story_bears_its_own_name_and_sign() -> None:
    lost = Happening(NOW - 60, "", "push_service_lost", "…", number=1)
    good = Happening(NOW - 20, "", "network", "the visitor set it to “good”", name="Network good", number=2)
    back = Happening(NOW - 19.5, "", "push_service_back", "…", number=3)
    assert marks_of(lost, good, back)[:2] == [
        ("trouble", "Push service away"),
        ("link", "Network good; Push service reached again"),
    ]


def test_a_press_long_after_is_named_as_a_press() -> None:
    pressed = Happening(NOW - 10, APPS[0], "pressed", "pressed", "room 14", number=99)
    assert ("opened", "A notification pressed") in marks_of(pressed)
    assert marks_of(pressed)[0] == ("notification", "15 pushes: “Left” shown"), "where it begins, what became of it"


def test_where_the_memory_of_marks_begins_is_written_there() -> None:
    whole = strip(APPS[:1])
    assert whole.status is not None and "older marks" not in live(whole)
    newest = msgspec.structs.replace(whole.status, happenings=whole.status.happenings[-8:])
    edges = re.findall(
        r'class="tl-edge" id="[^"]+" data-at="([^"]+)"><span>([^<]+)', live(replace(whole, status=newest))
    )
    assert edges == [(f"{newest.happenings[0].at:.3f}", "older marks are forgotten")]


@pytest.mark.parametrize("before", [None, strip(APPS[:3])])
def test_what_is_sent_has_its_place_on_the_page(before: Strip | None) -> None:
    after = strip(APPS[:3], NOW + 1, (Happening(NOW + 1, APPS[0], "push", "a push", "push x"),))
    page, sent = time_line([strip(APPS[:3])]), live(after, before)
    outermost = {"tl-own-clock", f"tl-own-{APPS[0]}", f"tl-own-{APPS[0]}-stories"}
    assert outermost <= ids(sent) and outermost <= ids(page)
    for name in ids(page):
        assert page.count(f' id="{name}"') == 1
