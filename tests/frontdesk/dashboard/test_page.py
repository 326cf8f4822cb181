"""The status page's HTML: what is sent to a page is what changed, under ids that the page has."""

import re
from dataclasses import replace

import msgspec

from frontdesk.dashboard.page import Seen, page, parts
from frontdesk.terms import (
    AppState,
    AppStatus,
    Budget,
    Condition,
    DeskStatus,
    Explanation,
    Obstacle,
    Reading,
    Reason,
    Receipt,
    StopReason,
    TaskEnd,
    TaskKind,
    TaskReceipt,
    TaskState,
)

NOW = 1_700_000_005.0
APPS = [f"org.example.app{number:02}" for number in range(20)]


def row(app: str, **more: object) -> AppStatus:
    reason = Reason(Obstacle.NO_NETWORK, "needs a network: offline", "offline", "online")
    task = Explanation(app, f"{app}.news", TaskKind.REFRESH, TaskState.PENDING, "It waits.", (reason,))
    base = AppStatus(app, app[-5:], AppState.SUSPENDED, NOW - 40, tasks=(task,), budget=Budget(6.0, 2.0))
    return msgspec.structs.replace(base, **more)


def seen(*rows: AppStatus, now: float = NOW, power: str = "external") -> Seen:
    readings = (Reading(Condition.POWER, power, "UPower", NOW),)
    return Seen(DeskStatus(now, 1, "1", rows, (), (), conditions=readings, since=NOW - 900), False, now)


def ids(html: str) -> list[str]:
    return re.findall(r'<(?:section|article|div)[^>]* id="([^"]+)"', html)


def test_of_many_cards_only_the_one_that_changed_is_sent() -> None:
    before = seen(*(row(app) for app in APPS))
    after = seen(*(row(app, penalty="Paused." if app == APPS[3] else "") for app in APPS), now=NOW + 3)
    html = parts(after, before)["status"]
    assert ids(html) == [f"app-{APPS[3]}"] and "Paused." in html
    assert parts(seen(*(row(app) for app in APPS), now=NOW + 60), before)["status"] == "", "time alone changes nothing"


def test_a_condition_that_changed_is_sent_and_nothing_else() -> None:
    before = seen(row(APPS[0]))
    assert ids(parts(seen(row(APPS[0]), power="battery"), before)["status"]) == ["machine"]


def test_all_apps_are_sent_when_one_comes_or_goes_and_to_a_page_that_was_told_nothing() -> None:
    one, two = seen(row(APPS[0])), seen(row(APPS[0]), row(APPS[1]))
    for after, before in ((two, one), (one, two), (one, seen())):
        assert "apps" in ids(parts(after, before)["status"])
    assert parts(seen(), one)["status"].count("No app is registered") == 1
    for nothing_known in (one, seen()):
        assert {"notice", "desk", "machine", "apps", "shown", "receipts"} <= set(ids(parts(nothing_known)["status"]))


def test_whatever_is_sent_has_its_place_on_the_page() -> None:
    after = seen(*(row(app) for app in APPS))
    there = set(ids(page(after)))
    assert set(ids(parts(after)["status"])) <= there
    assert set(ids(parts(after, replace(after, status=None))["status"])) <= there | {f"app-{app}" for app in APPS}


def test_runs_and_tasks_that_ended_stand_in_one_list() -> None:
    text = "Its time was up."
    run = Receipt(APPS[0], StopReason.CRASHED, NOW - 5, "It crashed.", ran_since=NOW - 65)
    task = TaskReceipt(APPS[0], f"{APPS[0]}.news", TaskKind.REFRESH, TaskEnd.TIME_OVER, NOW, text, 30.0, 25.0)
    html = page(replace(seen(row(APPS[0])), receipts={APPS[0]: (task, run)}))
    assert "<b>app00, news: its time was over</b>, after 25 s. Its time was up. (limit 30 s)" in html
    assert "<b>app00: crashed</b>, after 60 s. It crashed." in html


def test_a_card_says_why_tasks_wait_what_launches_are_left_and_what_is_borne() -> None:
    html = page(seen(row(APPS[0], penalty="Paused for a minute: it crashed.", background_off=True)))
    for words in ("needs a network: offline", "2 now, 6 a day", "Paused for a minute", "you switched it off", "UPower"):
        assert words in html
