"""The outbox machine: order per chat, one request per message, exactly once, and unsent when time runs out."""

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from lobby.core import outbox as box
from lobby.core.outbox import Item, Outbox, Phase

DAY = 24 * 3600.0


def begun(effects: list[box.Effect]) -> list[str]:
    """Transactions for which a request begins."""
    return [effect.txn for effect in effects if isinstance(effect, box.Send | box.Look)]


def test_a_message_is_kept_before_it_is_sent() -> None:
    effects = Outbox().handle(box.Queue("t1", "!a"), 100.0)
    assert [type(effect) for effect in effects] == [box.Keep, box.Keep, box.Send]
    assert effects[1] == box.Keep(Item("t1", "!a", 1, Phase.SENDING, first_tried=100.0))


def test_messages_of_one_chat_go_out_one_after_the_other_and_chats_do_not_wait_for_each_other() -> None:
    outbox = Outbox()
    assert begun(outbox.handle(box.Queue("t1", "!a"), 0.0)) == ["t1"]
    assert begun(outbox.handle(box.Queue("t2", "!a"), 0.0)) == []
    assert begun(outbox.handle(box.Queue("t3", "!b"), 0.0)) == ["t3"]
    effects = outbox.handle(box.Delivered("t1", "$1"), 1.0)
    assert effects[0] == box.Sent("t1", "$1")
    assert begun(effects) == ["t2"]


def test_a_failure_is_retried_with_the_same_transaction_later_each_time() -> None:
    outbox = Outbox()
    outbox.handle(box.Queue("t1", "!a"), 0.0)
    waits = []
    now = 0.0
    for _ in range(8):
        assert begun(outbox.handle(box.Failed("t1"), now)) == []
        wake = outbox.next_wake()
        assert wake is not None
        waits.append(wake - now)
        assert begun(outbox.handle(box.Tick(), wake - 0.01)) == []
        assert begun(outbox.handle(box.Tick(), wake)) == ["t1"]
        now = wake
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_homeserver_that_asks_to_wait_is_obeyed_unless_it_proves_reachable() -> None:
    outbox = Outbox()
    outbox.handle(box.Queue("t1", "!a"), 0.0)
    outbox.handle(box.Failed("t1", retry_after=90.0), 0.0)
    assert outbox.next_wake() == 90.0
    assert begun(outbox.handle(box.Reachable(), 5.0)) == ["t1"]


def test_a_refused_message_is_unsent_with_its_reason_and_the_next_one_goes() -> None:
    outbox = Outbox()
    outbox.handle(box.Queue("t1", "!a"), 0.0)
    outbox.handle(box.Queue("t2", "!a"), 0.0)
    effects = outbox.handle(box.Refused("t1", "too long"), 1.0)
    assert box.GaveUp(Item("t1", "!a", 1, Phase.UNSENT, first_tried=0.0, reason="too long")) in effects
    assert begun(effects) == ["t2"]


@pytest.mark.contract("A05")
def test_when_time_runs_out_the_request_is_cancelled_and_all_that_waits_is_unsent() -> None:
    outbox = Outbox()
    outbox.handle(box.Queue("t1", "!a"), 0.0)
    outbox.handle(box.Queue("t2", "!a"), 0.0)
    effects = outbox.handle(box.GiveUpAll(), 30.0)
    assert [effect.txn for effect in effects if isinstance(effect, box.Cancel)] == ["t1"]
    assert [effect.item.txn for effect in effects if isinstance(effect, box.GaveUp)] == ["t1", "t2"]
    assert outbox.pending() == ()
    assert all(item.reason == box.NO_TIME for item in outbox.items())


def test_a_resend_waits_until_the_cancelled_request_is_really_over() -> None:
    outbox = Outbox()
    outbox.handle(box.Queue("t1", "!a"), 0.0)
    outbox.handle(box.GiveUpAll(), 30.0)
    assert begun(outbox.handle(box.Resend("t1"), 31.0)) == []
    assert begun(outbox.handle(box.Stopped("t1"), 32.0)) == ["t1"]


def test_a_cancelled_request_that_arrived_after_all_counts_as_sent() -> None:
    outbox = Outbox()
    outbox.handle(box.Queue("t1", "!a"), 0.0)
    outbox.handle(box.GiveUpAll(), 30.0)
    assert outbox.handle(box.Delivered("t1", "$1"), 31.0) == [box.Sent("t1", "$1")]
    assert outbox.items() == ()


def test_a_resent_message_is_the_newest_of_its_chat() -> None:
    outbox = Outbox()
    outbox.handle(box.Queue("t1", "!a"), 0.0)
    outbox.handle(box.Refused("t1", "no"), 0.0)
    outbox.handle(box.Queue("t2", "!a"), 1.0)
    outbox.handle(box.Resend("t1"), 2.0)
    assert [item.txn for item in outbox.pending()] == ["t2", "t1"]
    assert [item.txn for item in Outbox(tuple(reversed(outbox.items()))).pending()] == ["t2", "t1"]


def test_a_resend_within_a_day_uses_the_same_transaction_and_an_older_one_looks_first() -> None:
    outbox = Outbox()
    outbox.handle(box.Queue("t1", "!a"), 0.0)
    outbox.handle(box.GiveUpAll(), 30.0)
    outbox.handle(box.Stopped("t1"), 30.0)
    assert box.Send("t1") in outbox.handle(box.Resend("t1"), 22 * 3600.0)

    older = Outbox((Item("t2", "!a", 1, Phase.UNSENT, first_tried=0.0),))
    effects = older.handle(box.Resend("t2"), DAY)
    assert box.Look("t2", since=0.0) in effects
    assert box.Send("t2") in older.handle(box.NotFound("t2"), DAY + 1)


def test_what_another_login_has_tried_is_looked_for_by_its_words() -> None:
    tried = Item("t1", "!a", 1, Phase.UNSENT, first_tried=50.0, device="OLD")
    outbox = Outbox((tried, Item("t2", "!b", 2, Phase.UNSENT)), "NEW")
    assert box.Look("t1", since=50.0, by_words=True) in outbox.handle(box.Resend("t1"), 60.0)
    assert box.Send("t2") in outbox.handle(box.Resend("t2"), 60.0)
    effects = outbox.handle(box.NotFound("t1"), 61.0)
    assert box.Keep(Item("t1", "!a", 3, Phase.SENDING, first_tried=61.0, device="NEW")) in effects
    assert box.Send("t1") in effects


def test_a_clock_that_was_set_back_says_nothing_about_when_it_was_tried() -> None:
    outbox = Outbox((Item("t1", "!a", 1, Phase.QUEUED, first_tried=9 * DAY),))
    assert box.Look("t1", since=9 * DAY) in outbox.handle(box.Reachable(), DAY)


def test_what_is_found_in_the_timeline_is_not_sent_again() -> None:
    outbox = Outbox((Item("t1", "!a", 1, Phase.QUEUED, first_tried=0.0),))
    assert begun(outbox.handle(box.Reachable(), 2 * DAY)) == ["t1"]
    assert outbox.handle(box.Delivered("t1", "$1"), 2 * DAY) == [box.Sent("t1", "$1")]


def test_leaving_a_room_drops_what_was_to_go_there() -> None:
    outbox = Outbox()
    outbox.handle(box.Queue("t1", "!a"), 0.0)
    outbox.handle(box.Queue("t2", "!a"), 0.0)
    effects = outbox.handle(box.RoomGone("!a"), 1.0)
    assert effects == [box.Cancel("t1"), box.Forget("t1"), box.Forget("t2")]
    assert outbox.handle(box.Stopped("t1"), 2.0) == []


def test_only_an_unsent_message_can_be_discarded_or_resent() -> None:
    outbox = Outbox()
    outbox.handle(box.Queue("t1", "!a"), 0.0)
    assert outbox.handle(box.Discard("t1"), 1.0) == []
    assert outbox.handle(box.Resend("t1"), 1.0) == []
    outbox.handle(box.Refused("t1", "no"), 1.0)
    assert outbox.handle(box.Discard("t1"), 1.0) == [box.Forget("t1")]
    assert outbox.items() == ()


@dataclass
class Server:
    """A homeserver that knows a transaction of a login for 24 hours, and what it has in its rooms."""

    timeline: list[str] = field(default_factory=list)
    device: str = "1"
    """The login that sends to it."""
    remembered: dict[tuple[str, str], float] = field(default_factory=dict)

    def take(self, txn: str, now: float) -> None:
        known = self.remembered.get((self.device, txn))
        if known is None or now - known >= DAY:
            self.timeline.append(txn)
            self.remembered[self.device, txn] = now


class OutboxLife(RuleBasedStateMachine):
    """Any order of writing, answers, losses, cancellations, restarts and days passing."""

    messages = Bundle("messages")

    def __init__(self) -> None:
        super().__init__()
        self.server = Server()
        self.outbox = Outbox((), self.server.device)
        self.now = 1_000.0
        self.in_flight: dict[str, str] = {}
        self.cancelled: set[str] = set()
        self.kept: dict[str, Item] = {}
        self.written: list[str] = []
        self.disturbed: set[str] = set()
        self.discarded: set[str] = set()
        self.sent: list[str] = []
        self.number = 0

    def feed(self, event: box.Event) -> None:
        for effect in self.outbox.handle(event, self.now):
            match effect:
                case box.Keep(item):
                    self.kept[item.txn] = item
                case box.Send(txn) | box.Look(txn):
                    assert txn not in self.in_flight, "two requests for one message at once"
                    assert txn in self.kept, "a request for what is not written down"
                    self.in_flight[txn] = "look" if isinstance(effect, box.Look) else "send"
                case box.Cancel(txn):
                    assert txn in self.in_flight
                    self.cancelled.add(txn)
                case box.Sent(txn):
                    del self.kept[txn]
                    self.sent.append(txn)
                case box.GaveUp(item):
                    assert item.reason
                    self.disturbed.add(item.txn)
                case box.Forget(txn):
                    del self.kept[txn]
                    self.discarded.add(txn)

    def over(self, txn: str) -> str:
        self.cancelled.discard(txn)
        return self.in_flight.pop(txn)

    def conclude(self, txn: str) -> None:
        """The request is answered, truthfully."""
        if self.over(txn) == "send":
            self.server.take(txn, self.now)
        found = txn in self.server.timeline
        self.feed(box.Delivered(txn, f"${txn}") if found else box.NotFound(txn))

    def pick(self, index: int) -> str | None:
        requests = sorted(self.in_flight)
        return requests[index % len(requests)] if requests else None

    @rule(target=messages, room=st.sampled_from(["!a", "!b"]))
    def write(self, room: str) -> str:
        self.number += 1
        txn = f"{room}-{self.number}"
        self.written.append(txn)
        self.feed(box.Queue(txn, room))
        return txn

    @rule(index=st.integers(0, 9))
    def answer(self, index: int) -> None:
        txn = self.pick(index)
        if txn is None:
            return
        self.conclude(txn)

    @rule(index=st.integers(0, 9), reached=st.booleans(), asked=st.sampled_from([0.0, 5.0, 300.0]))
    def lose(self, index: int, reached: bool, asked: float) -> None:
        txn = self.pick(index)
        if txn is None:
            return
        if self.over(txn) == "send" and reached:
            self.server.take(txn, self.now)
        self.feed(box.Failed(txn, asked))

    @rule(index=st.integers(0, 9), reached=st.booleans())
    def end_cancelled(self, index: int, reached: bool) -> None:
        dying = sorted(self.cancelled)
        if not dying:
            return
        txn = dying[index % len(dying)]
        if self.over(txn) == "send" and reached:
            self.server.take(txn, self.now)
        self.feed(box.Stopped(txn))

    @rule(index=st.integers(0, 9))
    def refuse(self, index: int) -> None:
        txn = self.pick(index)
        if txn is not None:
            self.over(txn)
            self.feed(box.Refused(txn, "too long"))

    @rule()
    def run_out_of_time(self) -> None:
        self.feed(box.GiveUpAll())

    @rule(txn=messages)
    def resend(self, txn: str) -> None:
        self.feed(box.Resend(txn))

    @rule(txn=messages)
    def discard(self, txn: str) -> None:
        self.feed(box.Discard(txn))

    @rule(txn=messages)
    def see_in_timeline(self, txn: str) -> None:
        if txn in self.server.timeline:
            self.feed(box.Delivered(txn, f"${txn}"))

    @rule(seconds=st.sampled_from([0.5, 3.0, 61.0, 3_600.0, 80_000.0, 200_000.0]))
    def wait(self, seconds: float) -> None:
        # Requests do not last for hours: they have a time limit far below the server's memory.
        if seconds > 100.0:
            for txn in sorted(self.in_flight):
                self.over(txn)
                self.feed(box.Failed(txn))
        self.now += seconds
        self.feed(box.Tick())

    @rule()
    def reach(self) -> None:
        self.feed(box.Reachable())

    @rule(reached=st.booleans(), device=st.sampled_from(["1", "2"]))
    def crash_and_start_again(self, reached: bool, device: str) -> None:
        """The person may have logged in anew meanwhile."""
        for txn, kind in self.in_flight.items():
            if kind == "send" and reached:
                self.server.take(txn, self.now)
        self.in_flight.clear()
        self.cancelled.clear()
        self.server.device = device
        self.outbox = Outbox(tuple(self.kept.values()), device)
        self.feed(box.Reachable())

    @invariant()
    def saved_form_is_what_was_kept(self) -> None:
        def lasting(item: Item) -> tuple[object, ...]:
            # The phase of what was under way in a crash is known to be out of date.
            return (item.room_id, item.turn, item.first_tried, item.device, item.phase is Phase.UNSENT)

        items = {item.txn: lasting(item) for item in self.outbox.items()}
        assert items == {txn: lasting(item) for txn, item in self.kept.items()}

    @invariant()
    def nothing_arrives_twice(self) -> None:
        assert len(self.server.timeline) == len(set(self.server.timeline))
        assert len(self.sent) == len(set(self.sent))

    @invariant()
    def one_request_per_room(self) -> None:
        rooms = [self.kept[txn].room_id for txn in self.in_flight if txn in self.kept]
        assert len(rooms) == len(set(rooms))

    @invariant()
    def order_is_kept_where_nothing_was_given_up(self) -> None:
        undisturbed = [txn for txn in self.written if txn not in self.disturbed]
        for room in ("!a", "!b"):
            arrived = [txn for txn in self.server.timeline if txn in undisturbed and txn.startswith(room)]
            assert arrived == [txn for txn in undisturbed if txn in arrived]

    @invariant()
    def no_message_is_lost(self) -> None:
        for txn in self.written:
            assert txn in self.kept or txn in self.sent or txn in self.discarded

    def teardown(self) -> None:
        """With a network that works again, everything pending arrives."""
        for _ in range(4 * len(self.written) + 4):
            self.feed(box.Reachable())
            for txn in sorted(self.in_flight):
                self.conclude(txn)
        assert self.outbox.pending() == ()
        self.nothing_arrives_twice()


OutboxLife.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestOutboxLife = OutboxLife.TestCase
