"""What ``frontdesk status`` prints, without a desk: a person is to see at a glance who is held awake, and by what."""

import msgspec
import pytest

from frontdesk.cli.status import table
from frontdesk.terms import (
    AppState,
    AppStatus,
    DeskStatus,
    Happening,
    Hold,
    Notification,
    Receipt,
    Shown,
    StopReason,
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
