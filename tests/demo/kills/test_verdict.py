"""What counts as a story that ended well: each thing that could be wrong is found, and nothing else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec.structs import replace as replace_status

from demo.kills.verdict import (
    Bubble,
    Ending,
    Process,
    Showing,
    ended_badly,
    faults,
    keeper_of,
    left_over,
    strays,
    unheard,
)
from demo.tour.page import Message
from frontdesk import AppState, AppStatus, Receipt, StopReason

SENT = ("hello", "are you there", "good night")


def bubble(text: str, mark: str = "") -> Message:
    return Message(text, mark, False, text)


def showing(text: str, at: float, id: str = "!room", title: str = "Left") -> Showing:
    return Showing(id, at, title, text)


WELL = Ending(
    accepted=SENT,
    at_homeserver=3,
    windows={"Left": [bubble(text, "sent") for text in SENT], "Right": [bubble(text) for text in SENT]},
    showings={"Left": [], "Right": [showing(text, at) for at, text in enumerate(SENT)]},
)


def test_all_once_and_in_order_is_well() -> None:
    assert faults(WELL) == []


def test_what_others_had_sent_before_is_no_part_of_it() -> None:
    older = [bubble("an older one"), *WELL.windows["Right"]]
    assert faults(replace(WELL, windows={"Right": older}, said_before=("an older one",))) == []


def test_in_a_window_stands_nothing_that_nobody_wrote_and_nothing_of_before_twice() -> None:
    strange = [bubble("cannot be read"), *WELL.windows["Right"]]
    assert faults(replace(WELL, windows={"Right": strange})) == [
        "Right's window shows “cannot be read”, which nobody wrote."
    ]
    twice = [bubble("older"), bubble("older"), *WELL.windows["Right"]]
    assert faults(replace(WELL, windows={"Right": twice}, said_before=("older",))) == [
        "Right's window shows “older” of a story before 2 times."
    ]


def test_lost_or_doubled_at_the_homeserver() -> None:
    for number in (2, 4):
        assert faults(replace(WELL, at_homeserver=number)) == [
            f"The homeserver has {number} new messages; Left sent 3."
        ]


@given(some.sampled_from(SENT), some.sampled_from(["Left", "Right"]), some.sampled_from([0, 2, 3]))
def test_lost_or_doubled_in_a_window(text: str, person: str, times: int) -> None:
    shown = [each for each in WELL.windows[person] if each.text != text] + [bubble(text, "sent")] * times
    found = faults(replace(WELL, windows={**WELL.windows, person: shown}))
    assert found == [f"{person}'s window shows “{text}” {times} times."]


def test_out_of_order_in_a_window() -> None:
    found = faults(replace(WELL, windows={"Right": [bubble(text) for text in reversed(SENT)]}))
    assert found == ["Right's window shows them out of order: good night, are you there, hello."]


def test_never_sent() -> None:
    for mark in ("sending", "unsent"):
        shown = [*WELL.windows["Left"][:2], bubble("good night", mark)]
        assert faults(replace(WELL, windows={"Left": shown})) == [f"Left's window marks “good night” as {mark}."]


def test_shown_twice_as_a_notification() -> None:
    twice = [*WELL.showings["Right"], showing("good night", 9.0)]
    assert faults(replace(WELL, showings={"Right": twice})) == ["Right was shown “Left: good night” 2 times."]


def test_told_of_newer_ones_before_older_ones() -> None:
    late = [showing("good night", 1.0), showing("hello", 2.0)]
    assert faults(replace(WELL, showings={"Right": late})) == [
        "Right was told of newer messages before older ones: ['good night', 'hello']."
    ]


def test_a_message_that_could_not_be_sent_at_first_is_told_of_once_for_itself() -> None:
    unsent = [showing("To Right: hello", 5.0, "unsent:!room", "Message not sent, please resend")]
    assert faults(replace(WELL, showings={"Left": unsent})) == []
    assert len(faults(replace(WELL, showings={"Left": [*unsent, replace(unsent[0], at=7.0)]}))) == 1


def put_up(text: str, number: int = 1, *, fresh: bool = True, title: str = "Left", desk: str = ":1.5") -> Bubble:
    return Bubble(number, title, text, fresh, desk)


def test_on_the_desktop_the_same_words_are_put_up_once() -> None:
    for second in (put_up("hello", 2), put_up("hello", 2, desk=":1.9"), put_up("hello", fresh=False)):
        twice = [put_up("hello"), second]
        assert faults(replace(WELL, bubbles={"Right": twice})) == ["Right's desktop was given “Left: hello” 2 times."]


def test_a_bubble_of_the_next_desk_in_the_place_of_its_like_is_none_more() -> None:
    again = [put_up("hello"), put_up("hello", fresh=False, desk=":1.9"), put_up("hello", 2, title="Message not sent")]
    assert faults(replace(WELL, bubbles={"Right": again})) == []


def test_a_desk_that_died_over_a_bubble_could_not_keep_its_number() -> None:
    for outlived_by, wrong in ((0.1, 0), (2.0, 1)):
        first = replace(put_up("hello"), outlived_by=outlived_by)
        assert len(left_over("Right", [first], [])) == wrong
        twice = [first, put_up("hello", 2, desk=":1.9")]
        assert len(faults(replace(WELL, bubbles={"Right": twice}))) == wrong


def test_a_page_that_never_answered_is_wrong_although_it_did_when_asked_again() -> None:
    assert faults(replace(WELL, stalls={"Left": [], "Right": ["No answer."]})) == ["Right waited in vain. No answer."]


def test_what_everybody_has_seen_is_told_of_no_longer() -> None:
    assert left_over("Right", [], []) == []
    assert left_over("Right", [put_up("New message", title="Lobby")], [showing("good night", 1.0)]) == [
        "“Lobby: New message” never goes from Right's desktop.",
        "“Left: good night” never goes from the list of Right's desk.",
    ]


@pytest.mark.parametrize("state", [AppState.SUSPENDED, AppState.STOPPED])
def test_nobody_waits_for_an_app_that_sleeps(state: AppState) -> None:
    row = AppStatus("org.example.Lobby", "Lobby", state, 0.0, page="http://lobby.localhost:8001/")
    assert unheard("Left", [row, replace_status(row, page="")], {8001: 0, 8002: 3}) == []
    assert unheard("Left", [row], {8001: 2}) == [f"2 visitors wait at the page of Left's Lobby, which is {state}."]
    assert unheard("Left", [replace_status(row, pushes_waiting=1)], {}) == [
        f"1 pushes wait for Left's Lobby, which is {state}."
    ]
    awake = replace_status(row, state=AppState.BACKGROUND, pushes_waiting=1)
    assert unheard("Left", [awake], {8001: 2}) == []


def test_a_run_ends_in_its_sleep_or_badly() -> None:
    receipts = [
        Receipt("org.example.Lobby", StopReason.SUSPENDED_LONG, 0.0, "It slept long."),
        Receipt("org.example.Lobby", StopReason.CRASHED, 0.0, "It crashed."),
    ]
    assert ended_badly("Left", receipts, keeper_died=False) == ["A run of Left's Lobby ended: It crashed."]
    gone = [Receipt("org.example.Lobby", StopReason.REPLACED, 0.0, "It was gone.")]
    assert ended_badly("Left", gone, keeper_died=False) == ["A run of Left's Lobby ended: It was gone."]
    assert ended_badly("Left", gone, keeper_died=True) == []


KEEPER = Process(10, 1, "S", ("python", "-m", "frontdesk.cli.main", "agent"))
DESK = Process(11, 10, "S", ("python", "-m", "frontdesk.agent.main"))
LOBBY = Process(12, 10, "T", ("python", "-m", "lobby.main", "--home", "/x", "run"))
CHILD = Process(13, 12, "T", ("sleep", "60"))
MACHINE = [KEEPER, DESK, LOBBY, CHILD]


def test_a_sleeping_lobby_with_its_child_is_as_it_should_be() -> None:
    assert strays("Left", MACHINE, asleep={12}, awake=()) == []
    awake = [replace(LOBBY, state="S"), replace(CHILD, state="S")]
    assert strays("Left", [KEEPER, DESK, *awake], asleep=(), awake={12}) == []


def test_frozen_without_a_desk_that_knows() -> None:
    found = strays("Left", MACHINE, asleep=(), awake={12})
    assert len(found) == 2
    assert all("is frozen, and its desk does not know that" in each for each in found)


def test_a_lobby_that_no_desk_knows() -> None:
    second = Process(14, 1, "S", LOBBY.command)
    assert strays("Left", [*MACHINE, second], asleep={12}, awake=()) == [
        "Left's desk does not know of its Lobby, process 14."
    ]
    command = Process(15, 1, "S", ("python", "-m", "lobby.main", "address"))
    assert strays("Left", [*MACHINE, command], asleep={12}, awake=()) == []


def test_called_suspended_and_running() -> None:
    found = strays("Left", [KEEPER, DESK, replace(LOBBY, state="S")], asleep={12}, awake=())
    assert found == ["Left's process 12 (-m lobby.main --home /x run) runs, and its desk calls it suspended."]


def test_a_keeper_is_found_without_its_desk() -> None:
    started_by_an_app = replace(KEEPER, command=("python", "-m", "frontdesk.agent.keeper"))
    assert keeper_of([LOBBY, KEEPER]) == keeper_of([started_by_an_app, DESK]) == KEEPER.pid
    assert keeper_of([DESK, LOBBY]) == 0


def test_none_or_two_of_what_there_is_one() -> None:
    assert strays("Left", [DESK], asleep=(), awake=()) == ["Left has 0 keeper processes."]
    assert strays("Left", [KEEPER, DESK, replace(DESK, pid=16)], (), ()) == ["Left has 2 desk processes."]


@given(some.lists(some.sampled_from([*MACHINE, Process(14, 14, "T", ())]), unique=True))
def test_parents_that_lead_nowhere_or_in_a_circle_do_not_harm(processes: list[Process]) -> None:
    assert all(isinstance(each, str) for each in strays("Left", processes, asleep={12}, awake=()))
