"""What is told at once, together, and by one summary; hand-driven clock."""

import dataclasses
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lobby.core.alerts import SUMMARY, Alert, message_alert
from lobby.core.telling import (
    CALM,
    FEW,
    LONGEST,
    TOGETHER,
    Answer,
    AskForMore,
    Effect,
    Show,
    Shrink,
    Telling,
    Withdraw,
)
from lobby.core.views import ChatSummary


class Chats:
    """Chats in which others write; ``telling`` is what is tested."""

    def __init__(self, summary: Iterable[str] = (), last: float = float("-inf")) -> None:
        self.chats: dict[str, ChatSummary] = {}
        self.telling = Telling(self.chats.get, summary, last)

    def write(self, room_id: str, now: float, times: int = 1) -> None:
        empty = ChatSummary(room_id, f"Chat {room_id}", True, "", None, False, None, 0, ())
        chat = self.chats.get(room_id, empty)
        self.chats[room_id] = dataclasses.replace(chat, unread=chat.unread + times, last_at=now)

    def read(self, room_id: str) -> None:
        self.chats[room_id] = dataclasses.replace(self.chats[room_id], unread=0)

    def alert(self, room_id: str) -> Alert:
        chat = self.chats[room_id]
        return message_alert(chat, "Left", f"words at {chat.last_at}", f"${room_id} {chat.last_at}")


def shown(effects: list[Effect]) -> list[Alert]:
    shows = (effect for effect in effects if isinstance(effect, Answer | Show | Shrink))
    return [effect.alert for effect in shows if effect.alert is not None]


def answered(effects: list[Effect]) -> set[object]:
    return {effect.push for effect in effects if isinstance(effect, Answer)}


def let_pass(telling: Telling, more: Sequence[Alert] = ()) -> list[Effect]:
    """What happens until nothing is waited for; ``more``: what the homeserver tells when it is asked."""
    effects: list[Effect] = []
    while (due := telling.next_wake()) is not None:
        effects += telling.time_passed(due)
        if effects[-1:] == [AskForMore()]:
            effects += telling.more(more, due)
    return effects


def burst(chats: Chats, rooms: Iterable[str], now: float, times: int = 1, more: Sequence[Alert] = ()) -> list[Effect]:
    """Messages in all of these, whose pushes come in one row; what is told of them."""
    rooms = list(rooms)
    pushes = [(room_id, f"{room_id} {now} {number}") for number in range(times) for room_id in rooms]
    for room_id, push in pushes:
        chats.write(room_id, now)
        chats.telling.pushed(push, now)
    effects: list[Effect] = []
    for room_id, push in pushes:
        effects += chats.telling.learned(push, chats.alert(room_id), now)
    effects += let_pass(chats.telling, more)
    assert answered(effects) == {push for _, push in pushes}
    return effects


def test_a_single_message_is_told_at_once() -> None:
    chats = Chats()
    chats.write("a", 10.0)
    chats.telling.pushed("p", 10.0)
    assert chats.telling.learned("p", chats.alert("a"), 10.2) == [Answer("p", chats.alert("a"))]
    assert chats.telling.next_wake() is None


def test_what_the_person_was_told_is_not_told_again_until_it_is_read() -> None:
    chats = Chats()
    burst(chats, "a", 10.0)
    chats.telling.pushed("again", 20.0)
    assert chats.telling.learned("again", chats.alert("a"), 20.0) == [Answer("again", None)]
    assert chats.telling.read("a", looking=False) == []
    chats.telling.pushed("later", 30.0)
    assert chats.telling.learned("later", chats.alert("a"), 30.0) == [Answer("later", chats.alert("a"))]


def test_nothing_to_tell_is_answered_at_once() -> None:
    telling = Chats().telling
    telling.pushed("p", 1.0)
    assert telling.learned("p", None, 1.0) == [Answer("p", None)]


@pytest.mark.contract("P02")
def test_a_row_of_pushes_that_ask_for_nothing_is_answered_together() -> None:
    telling = Chats().telling
    for number in range(4):
        telling.pushed(number, 1.0 + number / 10)
        effects = telling.learned(number, None, 1.0 + number / 10)
        assert effects == ([Answer(0, None)] if number == 0 else [])
    assert telling.next_wake() == 1.3 + CALM
    assert telling.time_passed(1.3 + CALM) == [AskForMore()]
    assert answered(telling.more([], 1.4 + CALM)) == {1, 2, 3}


def test_a_row_without_an_end_is_answered_all_the_same() -> None:
    telling = Chats().telling
    told: set[object] = set()
    for number in range(100):
        telling.pushed(number, number / 10)
        told |= answered(telling.learned(number, None, number / 10))
    assert {number for number in range(100) if number / 10 < 9.9 - 2 * LONGEST} <= told
    assert 99 not in told, "awake for the end of the row"
    assert 99 in answered(let_pass(telling))


@pytest.mark.contract("P02")
def test_the_end_of_a_burst_that_is_not_pushed_is_asked_for_and_told() -> None:
    chats = Chats()
    for room_id in "xa":
        chats.write(room_id, 9.0, times=4)
    effects = burst(chats, "abcde", 10.0, more=[chats.alert("x")])
    (alert,) = shown(effects)
    assert (alert.id, alert.title) == (SUMMARY, "13 new messages in 6 chats")


def test_what_comes_when_all_pushes_are_answered_is_shown_all_the_same() -> None:
    chats = Chats()
    for number, room_id in enumerate("ab"):
        chats.write(room_id, 10.0)
        chats.telling.pushed(number, 10.0)
    for number, room_id in enumerate("ab"):
        chats.telling.learned(number, chats.alert(room_id), 10.0)
    assert chats.telling.time_passed(10.0 + CALM) == [AskForMore()]
    assert answered(chats.telling.time_passed(10.0 + LONGEST)) == {0, 1}
    chats.write("c", 14.0)
    assert chats.telling.more([chats.alert("a"), chats.alert("c")], 14.0) == [Show(chats.alert("c"))]


def test_an_invitation_waits_for_nobody() -> None:
    telling = Chats().telling
    for push in ("p", "q"):
        telling.pushed(push, 1.0)
    invitation = Alert("!a", "Left invites you", "")
    assert telling.learned("p", invitation, 1.0) == [Answer("p", invitation)]


@pytest.mark.contract("P02")
def test_many_messages_of_one_chat_are_one_alert_with_the_newest_words_and_the_count() -> None:
    chats = Chats()
    (alert,) = shown(burst(chats, "a", 10.0, times=200))
    assert (alert.id, alert.title, alert.body) == ("a", "Left in Chat a (200 new messages)", "words at 10.0")


def test_a_few_chats_have_an_alert_each() -> None:
    assert [alert.id for alert in shown(burst(Chats(), "abcde"[:FEW], 10.0, times=3))] == list("abcde"[:FEW])


@pytest.mark.contract("P02")
def test_more_chats_have_one_summary() -> None:
    chats = Chats()
    (alert,) = shown(burst(chats, "abcdefghijkl", 10.0, times=10))
    assert (alert.id, alert.title) == (SUMMARY, "120 new messages in 12 chats")
    assert alert.body == "Chat a, Chat b, Chat c, Chat d, Chat e, Chat f and 6 more"


def test_a_summary_takes_the_place_of_what_was_told_just_before_and_is_brought_up_to_date() -> None:
    chats = Chats()
    assert [alert.id for alert in shown(burst(chats, "a", 10.0))] == ["a"]
    effects = burst(chats, "bcdefg", 12.0)
    assert [alert.title for alert in shown(effects)] == ["7 new messages in 7 chats"]
    assert Withdraw("a") in effects
    assert [alert.title for alert in shown(burst(chats, "b", 14.0))] == ["8 new messages in 7 chats"]


def test_what_comes_much_later_is_told_by_itself_and_leaves_the_summary() -> None:
    chats = Chats()
    burst(chats, "abcdefg", 10.0)
    (alert,) = shown(burst(chats, "a", 11.0 + TOGETHER))
    assert alert.id == "a" and "a" not in chats.telling.summary


def test_a_summary_is_one_of_a_run_before() -> None:
    chats = Chats(summary="abcdefg", last=9.0)
    for room_id in "abcdefg":
        chats.write(room_id, 9.0)
    (alert,) = shown(burst(chats, "h", 10.0))
    assert (alert.id, alert.title) == (SUMMARY, "8 new messages in 8 chats")


def test_the_summary_shrinks_when_chats_are_read_elsewhere_and_goes_with_the_last() -> None:
    chats = Chats()
    burst(chats, "abcdefg", 10.0)
    for number, room_id in enumerate("abcdef", start=1):
        chats.read(room_id)
        (alert,) = shown(chats.telling.read(room_id, looking=False))
        chats_left = "1 chat" if number == 6 else f"{7 - number} chats"
        assert alert.title == f"{7 - number} new message{'s' * (number < 6)} in {chats_left}"
    chats.read("g")
    assert chats.telling.read("g", looking=False) == [Withdraw(SUMMARY)]
    assert chats.telling.read("g", looking=False) == []


def test_the_summary_goes_when_the_person_reads_here() -> None:
    chats = Chats()
    burst(chats, "abcdefg", 10.0)
    chats.read("a")
    assert chats.telling.read("a", looking=True) == [Withdraw(SUMMARY)]


def test_what_is_read_while_it_waits_is_not_told() -> None:
    chats = Chats()
    for room_id in "ab":
        chats.write(room_id, 10.0)
        chats.telling.pushed(room_id, 10.0)
    assert chats.telling.learned("a", chats.alert("a"), 10.0) == []
    assert chats.telling.read("a", looking=True) == [Answer("a", None)]
    assert chats.telling.next_wake() is None


@pytest.mark.parametrize("looking", [False, True])
def test_words_that_could_not_be_read_at_first_follow_in_the_same_place(looking: bool) -> None:
    chats = Chats()
    burst(chats, "a", 10.0)
    readable = dataclasses.replace(chats.alert("a"), body="the words")
    assert chats.telling.reworded(readable, looking) == [Show(readable)]
    chats.telling.pushed("again", 20.0)
    assert chats.telling.learned("again", readable, 20.0) == [Answer("again", None)]


def test_words_that_follow_before_anything_was_told_are_told_with_the_rest() -> None:
    chats = Chats()
    for push in "ab":
        chats.write("a", 10.0)
        chats.telling.pushed(push, 10.0)
    chats.telling.learned("a", chats.alert("a"), 10.0)
    readable = dataclasses.replace(chats.alert("a"), body="the words")
    assert chats.telling.reworded(readable, looking=False) == []
    assert chats.telling.learned("b", readable, 10.0) == []
    assert shown(let_pass(chats.telling)) == [readable]


def test_words_that_follow_do_not_disturb_a_summary_nor_one_who_looks() -> None:
    chats = Chats()
    burst(chats, "abcdefg", 10.0)
    assert chats.telling.reworded(chats.alert("a"), looking=False) == []
    chats.write("x", 11.0)
    assert chats.telling.reworded(chats.alert("x"), looking=True) == []
    assert chats.telling.reworded(chats.alert("x"), looking=False) == [Show(chats.alert("x"))]


def test_one_that_cannot_be_learned_holds_up_the_others_no_longer_than_that() -> None:
    chats = Chats()
    chats.write("a", 10.0)
    for push in ("a", "lost"):
        chats.telling.pushed(push, 10.0)
    assert chats.telling.learned("a", chats.alert("a"), 10.0) == []
    assert chats.telling.next_wake() == 10.0 + LONGEST
    assert chats.telling.unknown("lost", 10.0 + CALM) == [AskForMore()]
    assert shown(chats.telling.more([], 10.0 + CALM)) == [chats.alert("a")]


class EveryOrder(RuleBasedStateMachine):
    """Messages, pushes, reads and time in any order: each push has one answer in time, nobody is left untold."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.world = Chats()
        self.learning: dict[str, str] = {}
        self.waiting: dict[str, float] = {}
        self.on_screen: dict[str, Alert] = {}
        self.numbers = 0
        self.asking = False

    def take(self, effects: list[Effect]) -> None:
        popups = 0
        for effect in effects:
            match effect:
                case Answer(push, alert):
                    assert isinstance(push, str)
                    del self.waiting[push]
                    if alert is not None:
                        self.on_screen[alert.id] = alert
                        popups += 1
                case Withdraw(alert_id):
                    self.on_screen.pop(alert_id, None)
                case Show(alert) | Shrink(alert):
                    self.on_screen[alert.id] = alert
                case AskForMore():
                    self.asking = True
        assert popups <= FEW, "never many at once"

    @rule(room=st.sampled_from("abcdefgh"))
    def message(self, room: str) -> None:
        self.numbers += 1
        self.world.write(room, self.now + self.numbers / 1e6)
        push = f"push {self.numbers}"
        self.learning[push] = room
        self.world.telling.pushed(push, self.now)

    @precondition(lambda self: self.learning)
    @rule(data=st.data(), works=st.booleans())
    def learn(self, data: st.DataObject, works: bool) -> None:
        push = data.draw(st.sampled_from(sorted(self.learning)))
        room = self.learning.pop(push)
        if not works:
            # The desk shows its fallback then.
            self.on_screen[room] = Alert(room, "fallback", "")
            self.take(self.world.telling.unknown(push, self.now))
            return
        self.waiting[push] = self.now
        alert = self.world.alert(room) if self.unread(room) else None
        self.take(self.world.telling.learned(push, alert, self.now))

    @precondition(lambda self: self.asking)
    @rule(rooms=st.sets(st.sampled_from("abcdefgh")))
    def told_more(self, rooms: set[str]) -> None:
        self.asking = False
        alerts = [self.world.alert(room) for room in sorted(rooms) if self.unread(room)]
        self.take(self.world.telling.more(alerts, self.now))

    def unread(self, room: str) -> int:
        return self.world.chats[room].unread if room in self.world.chats else 0

    @rule(room=st.sampled_from("abcdefgh"), looking=st.booleans())
    def read(self, room: str, looking: bool) -> None:
        if room in self.world.chats:
            self.world.read(room)
            self.on_screen.pop(room, None)
            if looking:
                # The person sees the list of all chats.
                for other, chat in self.world.chats.items():
                    if chat.unread:
                        self.on_screen[other] = Alert(other, "seen on the page", "")
            self.take(self.world.telling.read(room, looking))

    @rule(seconds=st.floats(0.0, 2 * TOGETHER))
    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while (due := self.world.telling.next_wake()) is not None and due <= until:
            self.now = max(self.now, due)
            self.take(self.world.telling.time_passed(self.now))
        self.now = until

    @invariant()
    def everybody_is_answered_in_time(self) -> None:
        assert all(self.now - since <= 2 * LONGEST for since in self.waiting.values())

    @invariant()
    def what_nobody_works_on_is_on_the_screen(self) -> None:
        if self.waiting:
            return
        summed_up = set(self.world.telling.summary) if SUMMARY in self.on_screen else set()
        for room, chat in self.world.chats.items():
            if chat.unread and room not in self.learning.values():
                assert room in self.on_screen or room in summed_up, room


TestEveryOrder = EveryOrder.TestCase
