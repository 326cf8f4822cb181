"""What ``frontdesk status`` prints, without a desk: a person is to see at a glance who is held awake, and by what."""

import msgspec
import pytest

from frontdesk.cli.status import table
from frontdesk.terms import (
    AppState,
    AppStatus,
    Budget,
    Condition,
    DeskStatus,
    Explanation,
    Happening,
    Hold,
    Notification,
    Obstacle,
    Reading,
    Reason,
    Receipt,
    Shown,
    StopReason,
    TaskKind,
    TaskState,
)

NOW = 1_000_000.0


def status(*apps: AppStatus, shown: tuple[Shown, ...] = (), trouble: str = "", push: str = "") -> DeskStatus:
    return DeskStatus(NOW, 4711, "1.2.3", apps, shown, (), push, "connected" if push else "off", trouble)


@pytest.mark.contract("A11")
def test_who_holds_what_since_when_and_how_long_it_may() -> None:
    holds = (Hold("task", "upload", NOW - 5), Hold("push", "messages", NOW - 1))
    mail = AppStatus("org.example.mail", "Mail", AppState.BACKGROUND, NOW - 5, seconds_left=24.6, holds=holds)
    lines = table(status(mail), 0.0).splitlines()
    assert lines[0].split() == ["APP", "STATE", "FOR", "LEFT", "HELD", "AWAKE", "BY"]
    assert lines[1] == "Mail  background  5 s  25 s  task 'upload' for 5 s, push 'messages' for 1 s"


def test_columns_line_up_and_time_goes_on_between_statuses() -> None:
    apps = (
        AppStatus("a.b", "A", AppState.FOREGROUND, NOW - 4000),
        AppStatus("a.c", "A long name", AppState.BACKGROUND, NOW, seconds_left=2.0),
    )
    first, second = table(status(*apps), 10.0).splitlines()[1:3]
    assert first.index("foreground") == second.index("background")
    assert "1 h" in first and "0 s" in second and "-" not in second


@pytest.mark.contract("L04", "L05")
def test_a_stopped_app_says_why_and_quit_is_not_stopped() -> None:
    receipt = Receipt("a.b", StopReason.SUSPENDED_LONG, NOW, "It had slept long.")
    slept = AppStatus("a.b", "A", AppState.STOPPED, NOW, last_receipt=receipt)
    quit = AppStatus("a.c", "B", AppState.STOPPED, NOW, quit=True)
    lines = table(status(slept, quit), 0.0).splitlines()
    assert lines[1].endswith("(slept for long)") and "stopped" in lines[1]
    assert "quit" in lines[2] and "stopped" not in lines[2]


def waiting(*reasons: Reason) -> Explanation:
    return Explanation("a.b", "a.b.feeds", TaskKind.REFRESH, TaskState.PENDING, "It waits.", reasons)


@pytest.mark.contract("S15", "S16")
def test_scheduled_tasks_say_why_they_wait_and_what_the_app_may_still_have() -> None:
    offline = Reason(Obstacle.NO_NETWORK, "needs a network: offline", "offline", "online")
    feeds = AppStatus(
        "a.b",
        "Feeds",
        AppState.STOPPED,
        NOW,
        tasks=(waiting(offline),),
        budget=Budget(6.0, 1.7),
        penalty="Paused.",
        penalty_until=NOW + 60,
    )
    spent = AppStatus("a.c", "News", AppState.STOPPED, NOW, tasks=(waiting(),), budget=Budget(6.0, 0.5, NOW + 7200))
    text = table(status(feeds, spent), 0.0)
    assert "SCHEDULED TASKS\n  Feeds  a.b.feeds  refresh  needs a network: offline\n" in text
    assert "LAUNCHES FOR REFRESH\n  Feeds  1 now, 6 a day\n  News   0 now, 6 a day, the next in 2 h (" in text
    assert "PENALTIES\n  Feeds  Paused. Until " in text
    assert "SCHEDULED" not in table(status(), 0.0) and "PENALTIES" not in table(status(), 0.0)


@pytest.mark.contract("L10")
def test_an_app_that_may_not_run_in_the_background_says_so() -> None:
    off = AppStatus("a.b", "Mail", AppState.FOREGROUND, NOW, background_off=True)
    assert table(status(off), 0.0).splitlines()[1].endswith("(background running is off)")


@pytest.mark.contract("S10")
def test_conditions_are_told_with_their_source_and_the_simulated_ones_marked() -> None:
    power = Reading(Condition.POWER, "battery", "UPower", NOW, forced=True, seen="external")
    seen = msgspec.structs.replace(status(), conditions=(power, Reading(Condition.METERED)))
    text = table(seen, 0.0)
    assert "CONDITIONS\n  power    battery  SIMULATED (really external, says UPower); lift with: " in text
    assert "\n  metered  unknown  no source can tell; counts as met\n" in text
    assert "CONDITIONS" not in table(status(), 0.0)


def test_nothing_registered_push_notifications_and_trouble_are_said() -> None:
    shown = tuple(Shown("a.b", NOW, Notification(str(n), f"Title {n}", "Body")) for n in range(9))
    text = table(status(shown=shown, trouble="The disk is full.", push="ws://push/"), 0.0)
    assert "frontdesk apps add" in text
    assert "desk 1.2.3, process 4711, push connected to ws://push/" in text
    assert "Title 0: Body" in text and "Title 4" in text and "Title 5" not in text
    assert text.endswith("! The disk is full.")
    assert "push off" in table(status(), 0.0)


def test_a_push_service_that_is_not_reached_is_said_to_be_tried_again() -> None:
    waiting = msgspec.structs.replace(status(push="ws://push/"), push_state="waiting")
    assert "push not connected, tries again to reach ws://push/" in table(waiting, 0.0)


def test_a_strangers_words_do_not_steer_the_terminal() -> None:
    told = Shown("a.b", NOW, Notification("1", "Ann\x1b]0;hello\x07", "one\ntwo\x9b2J"))
    lines = table(status(shown=(told,)), 0.0).splitlines()
    assert lines[-1] == "  Ann\ufffd]0;hello\ufffd: one\ufffdtwo\ufffd2J"


@pytest.mark.contract("L06")
def test_a_desk_that_was_started_again_says_since_when_and_why() -> None:
    restarted = Happening(NOW - 200, "", "failed", "A part of it failed (KeyError: 1); logs/desk.log says where.")
    text = table(msgspec.structs.replace(status(), restarted=restarted), 10.0)
    assert "started again 4 min ago: A part of it failed (KeyError: 1)" in text
    assert "started again" not in table(status(), 0.0)


def test_on_a_narrow_terminal_rows_are_cut_and_sentences_wrapped() -> None:
    mail = AppStatus("a.b", "Mail", AppState.BACKGROUND, NOW, holds=(Hold("task", "upload of the holidays", NOW),))
    told = Shown("a.b", NOW, Notification("1", "Ann", "What a very long message this is, and it goes on and on"))
    lines = table(status(mail, shown=(told,), trouble="The disk is full. Make room, then all goes on."), 0.0, 40)
    assert all(len(line) <= 40 for line in lines.splitlines())
    assert lines.splitlines()[1].endswith("…") and "  Ann: What a very long message this is…" in lines
    assert "! The disk is full. Make room, then all\n  goes on." in lines
    assert table(status(mail), 0.0, 1000) == table(status(mail), 0.0)
