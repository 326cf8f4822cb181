"""The stage says of a machine what its desk says, in words of a person."""

import pytest

from demo.network import Condition
from demo.stage.scene import Scene, scene
from frontdesk import AppState, DeskStatus, Happening, Hold, Notification
from tests.demo.stage.desks import APP, NOW, status


def see(found: DeskStatus | None) -> Scene:
    return scene("Right", False, Condition.GOOD, found, APP)


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (status(AppState.FOREGROUND), "In front"),
        (status(AppState.BACKGROUND, left=24.3), "Running unseen"),
        (status(AppState.LAUNCHING), "Starting"),
        (status(AppState.SUSPENDED), "Asleep"),
        (status(AppState.STOPPED), "Stopped"),
        (status(AppState.STOPPED, quit=True), "Quit"),
        (None, "Desk away"),
    ],
)
def test_each_state_has_its_word_and_its_meaning(found: DeskStatus | None, word: str) -> None:
    state = see(found).state
    assert (state.word, bool(state.meaning)) == (word, True)


def test_seconds_left_are_the_desks_own() -> None:
    assert see(status(AppState.BACKGROUND, left=24.3)).state.seconds_left == 24.3
    assert see(status(AppState.FOREGROUND, left=None)).state.seconds_left is None


@pytest.mark.contract("A11")
def test_who_holds_it_awake_is_named() -> None:
    held = see(status(AppState.BACKGROUND, holds=(Hold("task", "send to Left", NOW), Hold("push", "p1", NOW)))).held
    assert held == ("background task “send to Left”", "a push it is looking at")


def test_the_newest_event_comes_first_and_of_one_moment_the_last_noted() -> None:
    happenings = tuple(Happening(at, APP, "what", text) for at, text in [(NOW, "A"), (NOW + 1, "B"), (NOW + 1, "C")])
    assert [event.text for event in see(status(happenings=happenings)).events] == ["C", "B", "A"]


def test_thirty_events_are_enough() -> None:
    happenings = tuple(Happening(NOW + number, APP, "what", str(number)) for number in range(50))
    events = see(status(happenings=happenings)).events
    assert (len(events), events[0].text, events[-1].text) == (30, "49", "20")


def test_the_newest_notification_comes_first() -> None:
    shown = see(status(shown=(Notification("1", "old"), Notification("2", "new")))).shown
    assert [one.notification.title for one in shown] == ["new", "old"]


def test_a_desk_that_does_not_know_lobby_yet_says_so() -> None:
    empty = DeskStatus(NOW, 1, "1", (), (), ())
    assert see(empty).state.word == "Not there yet"
    assert not see(empty).asleep


def test_the_desks_words_begin_with_a_capital_letter() -> None:
    assert (
        see(status(happenings=(Happening(NOW, APP, "thawed", "woken after 4 s"),))).events[0].text == "Woken after 4 s"
    )


def test_a_window_closed_just_now_is_not_called_open() -> None:
    lingering = scene("Right", False, Condition.GOOD, status(AppState.FOREGROUND), APP).state.meaning
    assert lingering != scene("Right", True, Condition.GOOD, status(AppState.FOREGROUND), APP).state.meaning
    assert "just gone" in lingering


@pytest.mark.parametrize("what", ["thawed", "launched"])
def test_the_newest_wake_is_known(what: str) -> None:
    wakes = [
        Happening(NOW, APP, "thawed", "A"),
        Happening(NOW + 1, APP, what, "B"),
        Happening(NOW + 2, APP, "push", "C"),
    ]
    other = Happening(NOW + 3, "another.app", "thawed", "D")
    woken = see(status(happenings=(*wakes, other))).woken
    assert woken is not None
    assert (woken.what, woken.at) == (what, NOW + 1)
    assert see(status()).woken is None


def test_what_was_quit_is_not_said_to_be_woken() -> None:
    """To be told of it a sleeping app is thawed, and what follows says so: nothing wakes it."""
    thawed = (Happening(NOW, APP, "thawed", "woken after 4 s of sleep"),)
    assert see(status(AppState.STOPPED, quit=True, happenings=thawed)).woken is None
    assert see(status(AppState.STOPPED, happenings=thawed)).woken is not None


def test_what_no_desk_can_tell_stands_among_its_events_and_stays_while_there_is_none() -> None:
    noted = (Happening(NOW + 1, "", "desk_back", "the desk was killed; back after 1.2 s"),)
    later = status(happenings=(Happening(NOW, APP, "x", "old"), Happening(NOW + 2, APP, "x", "new")))
    texts = [event.text for event in scene("Right", False, Condition.GOOD, later, APP, noted=noted).events]
    assert texts == ["New", "The desk was killed; back after 1.2 s", "Old"]
    assert len(scene("Right", False, Condition.GOOD, None, APP, noted=noted).events) == 1


def task(number: int, begun: float, ended: float, name: str) -> list[Happening]:
    about = f"task {number}"
    return [
        Happening(NOW + begun, APP, "task_begun", f"begun: {name}", about, name),
        Happening(NOW + ended, APP, "task_ended", f"ended: {name}", about, name),
    ]


def test_the_list_is_not_drowned_in_short_tasks_and_steps_on_the_way() -> None:
    happenings = (
        *(line for number in range(3) for line in task(number, number, number + 0.5, "answer")),
        Happening(NOW + 5, APP, "connected", "connected"),
        *task(7, 6, 11, "send"),
    )
    seen = see(status(happenings=happenings))
    assert [event.text for event in reversed(seen.listed)] == [
        "Background task begun and ended, 3 times: answer",
        "Begun: send",
        "Ended: send",
    ]
    assert len(seen.events) == len(happenings)


def test_a_short_task_of_half_a_minute_later_keeps_its_own_line_and_time() -> None:
    begun = (0.0, 0.9, 29.0, 76.0)
    happenings = tuple(line for number, at in enumerate(begun) for line in task(number, at, at + 0.5, "send"))
    listed = see(status(happenings=happenings)).listed
    assert [(round(event.at - NOW, 1), event.text) for event in reversed(listed)] == [
        (1.4, "Background task begun and ended, 2 times: send"),
        (29.5, "Background task begun and ended: send"),
        (76.5, "Background task begun and ended: send"),
    ]


def test_a_scheduled_task_is_told_by_its_short_name() -> None:
    name = f"{APP}.upkeep"
    happenings = (
        Happening(NOW, APP, "request_kept", f"processing {name} submitted", "r1", name),
        Happening(NOW + 1, APP, "run_begun", f"{name} is due", "r1", name),
        Happening(NOW + 2, APP, "run_again", f"{name}: the app ended over it, tried again in 30 s", "r1", name),
        Happening(NOW + 3, APP, "run_over", f"{name}: completed", "r1", name),
    )
    assert [event.text for event in reversed(see(status(happenings=happenings)).listed)] == [
        "Processing “upkeep” submitted",
        "Task “upkeep” is due",
        "Task “upkeep”: the app ended over it, tried again in 30 s",
        "Task “upkeep”: completed",
    ]


def test_many_short_tasks_in_a_row_are_folded_only_within_two_seconds_of_the_first() -> None:
    happenings = tuple(line for number in range(6) for line in task(number, number, number + 0.5, "send"))
    assert [event.at - NOW for event in reversed(see(status(happenings=happenings)).listed)] == [2.5, 5.5]


def test_tasks_of_two_apps_may_have_the_same_number_in_the_list() -> None:
    other = "org.example.Other"
    happenings = (
        Happening(NOW, APP, "task_begun", "begun: send", "task 1", "send"),
        Happening(NOW + 4, other, "task_begun", "begun: theirs", "task 1", "theirs"),
        Happening(NOW + 5, APP, "task_ended", "ended: send", "task 1", "send"),
        Happening(NOW + 9, other, "task_ended", "ended: theirs", "task 1", "theirs"),
    )
    listed = see(status(happenings=happenings)).listed
    assert [event.text for event in reversed(listed)] == [
        "Begun: send",
        "Begun: theirs",
        "Ended: send",
        "Ended: theirs",
    ]


def test_the_same_hold_several_times_is_counted() -> None:
    holds = tuple(Hold("push", f"p{number}", NOW) for number in range(3))
    assert see(status(AppState.BACKGROUND, holds=holds)).held == ("3 × a push it is looking at",)


def test_what_the_visitor_did_to_the_network_is_on_the_time_line() -> None:
    noted = (Happening(NOW - 1, "", "network", "the visitor set it to “off”", name="Network off", number=-1),)
    strip = scene("Right", False, Condition.OFF, status(), APP, noted=noted).strip
    assert strip.noted == noted
