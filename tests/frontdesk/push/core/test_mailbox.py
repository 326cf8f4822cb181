"""The mailbox: who gets what, when a sender may be told of success, and what a crash may cost."""

from collections.abc import Iterable

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from frontdesk.push.core import mailbox as mb
from frontdesk.push.core import records as rec
from frontdesk.push.core.desk import MOST_WAITING
from frontdesk.push.core.effects import NOBODY_WAITS, Answer, Close, Effect, Fetch, Send, Write
from frontdesk.push.core.mailbox import Mailbox
from frontdesk.push.core.records import Message, Saved
from frontdesk.wire import autopush, rfc8030
from frontdesk.wire.rfc8030 import Accepted, Push

URL = "https://push.example"
CHANNEL = "5ae2ab00-5f1a-4c5c-9d0b-5b6a0a1fbb2e"
OTHER = "11111111-5f1a-4c5c-9d0b-5b6a0a1fbb2e"
DESK, FRESH = "a" * 32, "f" * 32
T0 = 1_700_000_000.0


class Paper:
    """A store on paper: applies changes the way the file does, and can be read back after a crash."""

    def __init__(self) -> None:
        self.seen: dict[str, float] = {}
        self.channels: dict[str, rec.Channel] = {}
        self.gone: dict[str, float] = {}
        self.messages: dict[str, Message] = {}
        self.bodies: dict[str, bytes] = {}

    def apply(self, changes: Iterable[rec.Change]) -> None:
        for change in changes:
            match change:
                case rec.KeepMessage(message, body):
                    self.bodies[message.id] = body
                    for old in [m for m in self.messages.values() if m.topic and m.topic == message.topic]:
                        if old.token == message.token:
                            del self.messages[old.id]
                    self.messages[message.id] = message
                case rec.DropMessages(ids):
                    for message_id in ids:
                        self.messages.pop(message_id, None)
                case rec.KeepChannel(channel, at):
                    self.channels[channel.token] = channel
                    self.seen[channel.uaid] = at
                case rec.EndChannel(token, at):
                    if self.channels.pop(token, None):
                        self.gone[token] = at
                    self.messages = {i: m for i, m in self.messages.items() if m.token != token}
                case rec.SeenDesk(uaid, at):
                    if uaid in self.seen:
                        self.seen[uaid] = at
                case rec.ForgetDesk(uaid):
                    self.seen.pop(uaid, None)
                case rec.ForgetGone(before):
                    self.gone = {token: at for token, at in self.gone.items() if at >= before}

    def read(self, ids: Iterable[str]) -> dict[str, bytes]:
        return {message_id: self.bodies[message_id] for message_id in ids if message_id in self.messages}

    def saved(self) -> Saved:
        return Saved(dict(self.seen), tuple(self.channels.values()), dict(self.gone), tuple(self.messages.values()))


def settle(mailbox: Mailbox, effects: list[Effect], now: float = T0, paper: Paper | None = None) -> list[Effect]:
    """Carry out every write and every reading at once (without a paper every body is x); the effects besides."""
    rest: list[Effect] = []
    for effect in effects:
        if isinstance(effect, Write):
            if paper is not None:
                paper.apply(effect.changes)
            if effect.ticket != NOBODY_WAITS:
                rest += settle(mailbox, mailbox.stored(effect.ticket, now), now, paper)
        elif isinstance(effect, Fetch):
            bodies = dict.fromkeys(effect.ids, b"x") if paper is None else paper.read(effect.ids)
            rest += settle(mailbox, mailbox.fetched(effect.session, bodies, now), now, paper)
        else:
            rest.append(effect)
    return rest


def one_desk(paper: Paper | None = None) -> Mailbox:
    """A mailbox in which the desk DESK, on connection 1, has the channel CHANNEL with the endpoint ``token``."""
    mailbox = Mailbox(URL, now=T0)
    settle(mailbox, mailbox.hello(1, None, DESK, T0), T0, paper)
    settle(mailbox, mailbox.register(1, CHANNEL, "token", T0), T0, paper)
    return mailbox


def arrivals(effects: Iterable[Effect]) -> list[str]:
    return [e.message.version for e in effects if isinstance(e, Send) and isinstance(e.message, autopush.Arrival)]


def post(mailbox: Mailbox, message_id: str, ttl: int = 60, now: float = T0, topic: str | None = None) -> list[Effect]:
    return settle(mailbox, mailbox.post("token", Push(ttl=ttl, body=b"x", topic=topic), message_id, now), now)


def reconnect(mailbox: Mailbox, now: float = T0, session: int = 2) -> list[Effect]:
    mailbox.disconnected(1, now)
    return settle(mailbox, mailbox.hello(session, DESK, FRESH, now), now)


def test_a_desk_is_greeted_and_gets_an_endpoint() -> None:
    mailbox = Mailbox(URL, now=T0)
    (greeting,) = mailbox.hello(1, None, DESK, T0)
    assert greeting == Send(1, autopush.HelloReply(uaid=DESK, status=200, use_webpush=True, broadcasts={}))
    effects = mailbox.register(1, CHANNEL, "token", T0)
    assert settle(mailbox, effects) == [
        Send(1, autopush.RegisterReply(channel_id=CHANNEL, status=200, endpoint=f"{URL}/push/token"))
    ]


def test_registering_again_gives_the_same_endpoint() -> None:
    mailbox = one_desk()
    (effect,) = mailbox.register(1, CHANNEL, "another", T0)
    assert effect == Send(1, autopush.RegisterReply(channel_id=CHANNEL, status=200, endpoint=f"{URL}/push/token"))


def test_registering_twice_at_once_gives_one_endpoint_twice() -> None:
    mailbox = Mailbox(URL, now=T0)
    mailbox.hello(1, None, DESK, T0)
    effects = mailbox.register(1, CHANNEL, "one", T0) + mailbox.register(1, CHANNEL, "two", T0)
    replies = [e.message for e in settle(mailbox, effects) if isinstance(e, Send)]
    assert replies == [autopush.RegisterReply(channel_id=CHANNEL, status=200, endpoint=f"{URL}/push/one")] * 2
    assert mailbox.post("two", Push(ttl=1), "m", T0) == [Answer("m", rfc8030.GONE)]


def test_unregister_and_register_at_once_give_a_living_endpoint() -> None:
    mailbox = one_desk()
    effects = mailbox.unregister(1, CHANNEL, T0) + mailbox.register(1, CHANNEL, "new", T0)
    replies = [e.message for e in settle(mailbox, effects) if isinstance(e, Send)]
    assert replies == [
        autopush.UnregisterReply(channel_id=CHANNEL, status=200),
        autopush.RegisterReply(channel_id=CHANNEL, status=200, endpoint=f"{URL}/push/new"),
    ]
    assert isinstance(mailbox.post("new", Push(ttl=1), "m", T0)[0], Write)


def test_nobody_hears_of_success_before_it_is_durable() -> None:
    mailbox = one_desk()
    (write,) = mailbox.post("token", Push(ttl=60, body=b"x"), "m1", T0)
    assert isinstance(write, Write)
    assert isinstance(write.changes[0], rec.KeepMessage)
    effects = mailbox.stored(write.ticket, T0)
    assert effects[0] == Answer("m1", Accepted("m1", 60))
    assert arrivals(effects) == ["m1"]


def test_a_store_that_fails_is_said_and_nothing_is_delivered() -> None:
    mailbox = one_desk()
    (write,) = mailbox.post("token", Push(ttl=60), "m1", T0)
    assert isinstance(write, Write)
    assert mailbox.not_stored(write.ticket) == [Answer("m1", rfc8030.STORE_UNAVAILABLE)]
    assert arrivals(reconnect(mailbox)) == []
    (register,) = mailbox.register(2, OTHER, "t2", T0)
    assert isinstance(register, Write)
    assert mailbox.not_stored(register.ticket) == [Send(2, autopush.RegisterReply(channel_id=OTHER, status=500))]
    (ending,) = mailbox.unregister(2, CHANNEL, T0)
    assert isinstance(ending, Write)
    assert mailbox.not_stored(ending.ticket) == [Send(2, autopush.UnregisterReply(channel_id=CHANNEL, status=500))]
    assert isinstance(mailbox.post("token", Push(ttl=60), "m2", T0)[0], Write)


@pytest.mark.contract("P11")
def test_an_unknown_endpoint_is_404_and_an_ended_one_410() -> None:
    mailbox = one_desk()
    assert mailbox.post("nobody's", Push(ttl=60), "m", T0) == [Answer("m", rfc8030.UNKNOWN_ENDPOINT)]
    settle(mailbox, mailbox.unregister(1, CHANNEL, T0))
    assert mailbox.post("token", Push(ttl=60), "m", T0) == [Answer("m", rfc8030.GONE)]


def test_unregistering_what_is_not_there_is_fine() -> None:
    assert one_desk().unregister(1, OTHER, T0) == [Send(1, autopush.UnregisterReply(channel_id=OTHER, status=200))]


def test_a_message_written_while_its_subscription_ends_is_refused_and_removed() -> None:
    mailbox = one_desk()
    paper = Paper()
    ending = mailbox.unregister(1, CHANNEL, T0)
    posting = mailbox.post("token", Push(ttl=60), "m", T0)
    effects = settle(mailbox, ending + posting, T0, paper)
    assert Answer("m", rfc8030.GONE) in effects
    assert paper.messages == {}


@pytest.mark.contract("P09")
def test_what_is_not_acknowledged_comes_again_under_the_same_version() -> None:
    mailbox = one_desk()
    assert arrivals(post(mailbox, "m1")) == ["m1"]
    assert arrivals(reconnect(mailbox)) == ["m1"]
    settle(mailbox, mailbox.acknowledge(2, ["m1"], T0))
    mailbox.disconnected(2, T0)
    assert arrivals(settle(mailbox, mailbox.hello(3, DESK, FRESH, T0))) == []
    assert mailbox.waiting == 0


def test_acknowledging_nonsense_or_another_desks_message_changes_nothing() -> None:
    mailbox = one_desk()
    post(mailbox, "m1")
    settle(mailbox, mailbox.hello(7, None, "b" * 32, T0))
    assert mailbox.acknowledge(7, ["m1", "nonsense"], T0) == []
    assert mailbox.acknowledge(99, ["m1"], T0) == []
    assert mailbox.waiting == 1


def test_messages_come_in_the_order_of_their_acceptance_a_window_at_a_time() -> None:
    mailbox = one_desk()
    mailbox.disconnected(1, T0)
    ids = [f"m{number:02}" for number in range(mb.WINDOW + 3)]
    for message_id in ids:
        post(mailbox, message_id)
    assert arrivals(settle(mailbox, mailbox.hello(2, DESK, FRESH, T0))) == ids[: mb.WINDOW]
    assert arrivals(settle(mailbox, mailbox.acknowledge(2, ids[:2], T0))) == ids[mb.WINDOW : mb.WINDOW + 2]
    mailbox.disconnected(2, T0)
    assert arrivals(settle(mailbox, mailbox.hello(3, DESK, FRESH, T0))) == ids[2 : mb.WINDOW + 2]


def test_bodies_that_wait_are_in_the_store_and_read_a_window_at_a_time() -> None:
    mailbox = one_desk()
    mailbox.disconnected(1, T0)
    ids = [f"m{number:02}" for number in range(mb.WINDOW + 2)]
    for message_id in ids:
        post(mailbox, message_id)
    *_, fetch = mailbox.hello(2, DESK, FRESH, T0)
    assert fetch == Fetch(2, tuple(ids[: mb.WINDOW]))
    effects = mailbox.fetched(2, {message_id: message_id.encode() for message_id in ids}, T0)
    assert [e.message.body() for e in effects if isinstance(e, Send) and isinstance(e.message, autopush.Arrival)] == [
        message_id.encode() for message_id in ids[: mb.WINDOW]
    ]
    assert mailbox.acknowledge(2, ids[:1], T0)[-1] == Fetch(2, (ids[mb.WINDOW],))


def test_a_message_does_not_overtake_those_that_are_being_read() -> None:
    mailbox = one_desk()
    post(mailbox, "first")
    mailbox.disconnected(1, T0)
    *_, fetch = mailbox.hello(2, DESK, FRESH, T0)
    assert fetch == Fetch(2, ("first",))
    assert post(mailbox, "second") == [Answer("second", Accepted("second", 60))]
    assert arrivals(settle(mailbox, mailbox.fetched(2, {"first": b"x"}, T0))) == ["first", "second"]


def test_what_is_read_for_a_connection_that_has_ended_goes_nowhere() -> None:
    mailbox = one_desk()
    post(mailbox, "m1")
    mailbox.disconnected(1, T0)
    mailbox.hello(2, DESK, FRESH, T0)
    again = mailbox.hello(3, DESK, FRESH, T0)
    assert mailbox.fetched(2, {"m1": b"x"}, T0) == mailbox.not_fetched(2) == []
    assert arrivals(settle(mailbox, again)) == ["m1"]


def test_what_was_withdrawn_or_replaced_or_is_over_when_it_was_read_is_not_delivered() -> None:
    mailbox = one_desk()
    mailbox.disconnected(1, T0)
    for message_id, ttl in (("withdrawn", 60), ("replaced", 60), ("over", 10), ("good", 60)):
        post(mailbox, message_id, ttl=ttl)
    *_, fetch = mailbox.hello(2, DESK, FRESH, T0)
    assert fetch == Fetch(2, ("withdrawn", "replaced", "over", "good"))
    mailbox.withdraw("withdrawn")
    bodies = {"withdrawn": b"x", "over": b"x", "good": b"x"}  # the store took the newer one of the topic already
    effects = mailbox.fetched(2, bodies, T0 + 10)
    assert arrivals(effects) == ["good"]
    assert effects[-1] == Write(NOBODY_WAITS, (rec.DropMessages(("over",)),))
    assert mailbox.waiting == 1


def test_a_store_that_cannot_be_read_ends_the_connection_and_loses_nothing() -> None:
    mailbox = one_desk()
    mailbox.disconnected(1, T0)
    post(mailbox, "m1")
    mailbox.hello(2, DESK, FRESH, T0)
    (close,) = mailbox.not_fetched(2)
    assert isinstance(close, Close)
    assert (close.session, mailbox.disconnected(2, T0)) == (2, [])
    assert arrivals(settle(mailbox, mailbox.hello(3, DESK, FRESH, T0))) == ["m1"]


@pytest.mark.contract("P08")
def test_a_message_past_its_time_is_not_delivered() -> None:
    mailbox = one_desk()
    mailbox.disconnected(1, T0)
    post(mailbox, "short", ttl=10)
    post(mailbox, "long", ttl=20)
    effects = settle(mailbox, mailbox.hello(2, DESK, FRESH, T0 + 10), T0 + 10)
    assert arrivals(effects) == ["long"]
    assert mailbox.waiting == 1


@pytest.mark.contract("P08")
def test_time_to_live_zero_is_now_or_never() -> None:
    mailbox = one_desk()
    effects = mailbox.post("token", Push(ttl=0, body=b"x"), "now", T0)
    assert arrivals(effects) == ["now"]
    assert effects[-1] == Answer("now", Accepted("now", 0))
    mailbox.disconnected(1, T0)
    assert mailbox.post("token", Push(ttl=0), "never", T0) == [Answer("never", Accepted("never", 0))]
    assert arrivals(settle(mailbox, mailbox.hello(2, DESK, FRESH, T0))) == []


def test_now_or_never_does_not_wait_for_acknowledgements() -> None:
    mailbox = one_desk()
    for number in range(mb.WINDOW + 1):
        post(mailbox, f"m{number}")
    assert arrivals(mailbox.post("token", Push(ttl=0), "now", T0)) == ["now"]


@pytest.mark.contract("P08")
def test_a_desk_is_told_the_seconds_that_are_left() -> None:
    mailbox = one_desk()
    mailbox.disconnected(1, T0)
    post(mailbox, "m", ttl=60)
    (arrival,) = [
        e.message
        for e in settle(mailbox, mailbox.hello(2, DESK, FRESH, T0 + 50.5), T0 + 50.5)
        if isinstance(e, Send) and isinstance(e.message, autopush.Arrival)
    ]
    assert arrival.ttl == 10
    assert arrival.channel_id == CHANNEL
    assert arrival.body() == b"x"
    assert arrival.headers == {"encoding": "aes128gcm"}


def test_a_message_without_a_body_has_no_encoding() -> None:
    mailbox = one_desk()
    effects = settle(mailbox, mailbox.post("token", Push(ttl=60), "m", T0))
    (send,) = [e for e in effects if isinstance(e, Send)]
    assert send.message == autopush.Arrival(channel_id=CHANNEL, version="m", ttl=60)


def test_the_newest_of_a_topic_replaces_what_waits() -> None:
    mailbox = one_desk()
    mailbox.disconnected(1, T0)
    for message_id, topic in (("a1", "a"), ("b1", "b"), ("plain", None), ("a2", "a")):
        post(mailbox, message_id, topic=topic)
    assert arrivals(settle(mailbox, mailbox.hello(2, DESK, FRESH, T0))) == ["b1", "plain", "a2"]


def test_a_sender_can_take_its_message_back() -> None:
    mailbox = one_desk()
    mailbox.disconnected(1, T0)
    post(mailbox, "m1")
    (write,) = mailbox.withdraw("m1")
    assert write == Write(NOBODY_WAITS, (rec.DropMessages(("m1",)),))
    assert mailbox.withdraw("m1") == mailbox.withdraw("never there") == []
    assert arrivals(settle(mailbox, mailbox.hello(2, DESK, FRESH, T0))) == []


def test_a_newer_connection_of_the_same_desk_ends_the_older() -> None:
    mailbox = one_desk()
    post(mailbox, "m1")
    effects = settle(mailbox, mailbox.hello(2, DESK, FRESH, T0))
    assert isinstance(effects[0], Close)
    assert effects[0].session == 1
    assert arrivals(effects) == ["m1"]
    assert mailbox.disconnected(1, T0) == []
    assert mailbox.connected == 1


def test_a_desk_that_is_not_known_any_more_gets_another_name() -> None:
    mailbox = Mailbox(URL, now=T0)
    (greeting,) = mailbox.hello(1, DESK, FRESH, T0)
    assert isinstance(greeting, Send)
    assert isinstance(greeting.message, autopush.HelloReply)
    assert greeting.message.uaid == FRESH


def test_a_desk_without_subscriptions_leaves_nothing_behind() -> None:
    mailbox = Mailbox(URL, now=T0)
    mailbox.hello(1, None, DESK, T0)
    assert mailbox.disconnected(1, T0) == []
    assert mailbox.next_wake() is None


def test_too_many_waiting_messages_are_refused_for_now() -> None:
    mailbox = one_desk()
    mailbox.disconnected(1, T0)
    for number in range(MOST_WAITING):
        post(mailbox, str(number))
    assert post(mailbox, "one more") == [Answer("one more", rfc8030.MAILBOX_FULL)]


def full() -> Mailbox:
    """A mailbox whose desk is away and has as many waiting messages as it may have; "0" has the topic t."""
    mailbox = one_desk()
    mailbox.disconnected(1, T0)
    for number in range(MOST_WAITING):
        post(mailbox, str(number), ttl=60 if number else 3600, topic=None if number else "t")
    return mailbox


def test_a_full_mailbox_still_takes_what_replaces_a_waiting_message() -> None:
    mailbox = full()
    assert post(mailbox, "other topic", topic="u") == [Answer("other topic", rfc8030.MAILBOX_FULL)]
    assert post(mailbox, "newer", topic="t") == [Answer("newer", Accepted("newer", 60))]
    assert mailbox.waiting == MOST_WAITING
    assert mailbox.withdraw("0") == []


def test_messages_on_their_way_to_the_disk_count_as_waiting() -> None:
    mailbox = full()
    mailbox.withdraw("1")
    (write,) = mailbox.post("token", Push(ttl=60), "fits", T0)
    assert mailbox.post("token", Push(ttl=60), "does not", T0) == [Answer("does not", rfc8030.MAILBOX_FULL)]
    assert isinstance(write, Write)
    mailbox.not_stored(write.ticket)
    assert post(mailbox, "fits now") == [Answer("fits now", Accepted("fits now", 60))]


@pytest.mark.contract("P08")
def test_messages_whose_time_is_over_do_not_fill_a_mailbox() -> None:
    mailbox = full()
    later = T0 + 60
    assert post(mailbox, "after", now=later) == [Answer("after", Accepted("after", 60))]
    assert mailbox.waiting == 2


@pytest.mark.contract("P08")
def test_now_or_never_replaces_what_waits_under_its_topic() -> None:
    mailbox = one_desk()
    mailbox.disconnected(1, T0)
    post(mailbox, "ring", topic="call")
    post(mailbox, "plain")
    effects = mailbox.post("token", Push(ttl=0, topic="call"), "cancelled", T0)
    assert effects == [
        Answer("cancelled", Accepted("cancelled", 0)),
        Write(NOBODY_WAITS, (rec.DropMessages(("ring",)),)),
    ]
    assert arrivals(settle(mailbox, mailbox.hello(2, DESK, FRESH, T0))) == ["plain"]


@pytest.mark.contract("P08")
def test_what_went_out_of_date_while_the_service_was_down_is_not_delivered() -> None:
    paper = Paper()
    mailbox = one_desk(paper)
    for message_id, ttl in (("short", 60), ("long", 7200)):
        settle(mailbox, mailbox.post("token", Push(ttl=ttl), message_id, T0), T0, paper)
    later = T0 + 3600
    mailbox = Mailbox(URL, paper.saved(), later)
    assert arrivals(settle(mailbox, mailbox.hello(2, DESK, FRESH, later), later, paper)) == ["long"]
    assert set(paper.messages) == {"long"}


def test_too_many_subscriptions_are_refused() -> None:
    saved = Saved({DESK: T0}, tuple(rec.Channel(f"t{n}", DESK, f"c{n}") for n in range(mb.MOST_CHANNELS)))
    mailbox = Mailbox(URL, saved, T0)
    mailbox.hello(1, DESK, FRESH, T0)
    refused = [Send(1, autopush.RegisterReply(channel_id=CHANNEL, status=400))]
    assert mailbox.register(1, CHANNEL, "t", T0) == refused
    settle(mailbox, mailbox.unregister(1, "c0", T0))
    (write,) = mailbox.register(1, OTHER, "t", T0)
    assert mailbox.register(1, CHANNEL, "u", T0) == refused  # those count that are being written
    assert isinstance(write, Write)
    mailbox.not_stored(write.ticket)
    assert isinstance(mailbox.register(1, CHANNEL, "u", T0)[0], Write)


@pytest.mark.contract("P08")
def test_expired_messages_are_swept_without_anybody_coming() -> None:
    mailbox = one_desk()
    mailbox.disconnected(1, T0)
    post(mailbox, "m1", ttl=100)
    assert mailbox.next_wake() == T0 + 100
    assert mailbox.wake(T0 + 99) == []
    assert mailbox.wake(T0 + 100) == [Write(NOBODY_WAITS, (rec.DropMessages(("m1",)),))]
    assert mailbox.waiting == 0


def test_desks_and_ended_endpoints_are_forgotten_after_a_long_time() -> None:
    paper = Paper()
    mailbox = one_desk(paper)
    settle(mailbox, mailbox.disconnected(1, T0), T0, paper)
    later = T0 + mb.FORGET_AFTER
    settle(mailbox, mailbox.wake(later), later, paper)
    assert (paper.seen, paper.channels) == ({}, {})
    assert mailbox.post("token", Push(ttl=1), "m", later) == [Answer("m", rfc8030.GONE)]
    much_later = later + mb.FORGET_AFTER + 1
    settle(mailbox, mailbox.wake(much_later), much_later, paper)
    assert mailbox.post("token", Push(ttl=1), "m", much_later) == [Answer("m", rfc8030.UNKNOWN_ENDPOINT)]
    assert paper.gone == {}
    assert mailbox.next_wake() is None


def test_a_connected_desk_is_never_forgotten() -> None:
    mailbox = one_desk()
    assert mailbox.wake(T0 + 10 * mb.FORGET_AFTER) == []
    assert isinstance(mailbox.post("token", Push(ttl=1), "m", T0)[0], Write)


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens, crashes and a failing disk included: an accepted message is delivered until it is over."""

    def __init__(self) -> None:
        super().__init__()
        self.now = T0
        self.paper = Paper()
        self.mailbox = Mailbox(URL, now=T0)
        self.uaid: str | None = None
        self.session = 0  # 0: not connected
        self.count = 0
        self.writes: list[Write] = []
        self.fetches: list[Fetch] = []
        self.written: dict[str, Message] = {}  # every message that was ever durable
        self.owed: dict[str, Message] = {}  # promised to senders with 201, and not over
        self.tokens: dict[str, str] = {}  # channel id → token, as the desk was told
        self.now_or_never: dict[str, tuple[str, str | None]] = {}  # message id → token and topic

    def fresh(self) -> str:
        self.count += 1
        return f"{self.count:032x}"

    def carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Write():
                    self.writes.append(effect)
                case Fetch():
                    self.fetches.append(effect)
                case Send(session, message):
                    assert session == self.session
                    self.told(message)
                case Close(session):
                    assert session == self.session
                    self.session = 0
                case Answer(message_id, Accepted(_, 0)):
                    replaced = self.now_or_never.pop(message_id)
                    self.owed = {i: m for i, m in self.owed.items() if not m.topic or (m.token, m.topic) != replaced}
                case Answer(message_id, Accepted()):
                    kept = self.written[message_id]  # durable before the promise
                    for old in [m for m in self.owed.values() if m.topic and m.topic == kept.topic]:
                        if old.token == kept.token:
                            del self.owed[old.id]
                    if kept.expires_at > self.now:
                        self.owed[message_id] = kept
                case Answer():
                    pass

    def told(self, message: autopush.ServerMessage) -> None:
        match message:
            case autopush.HelloReply(uaid=uaid):
                assert self.uaid in (None, uaid) or not self.tokens
                self.uaid = uaid
            case autopush.RegisterReply(channel_id=channel_id, status=200, endpoint=endpoint):
                self.tokens[channel_id] = endpoint.rpartition("/")[2]
            case autopush.UnregisterReply(channel_id=channel_id, status=200):
                token = self.tokens.pop(channel_id, None)
                self.owed = {i: m for i, m in self.owed.items() if m.token != token}
            case autopush.Arrival(version=version, ttl=ttl):
                if version in self.written:
                    assert self.written[version].expires_at > self.now
                    assert version in self.owed
                    assert message.body() == self.paper.bodies[version]
                else:
                    assert ttl == 0

    @precondition(lambda self: self.session == 0)
    @rule()
    def connect(self) -> None:
        self.count += 1
        self.session = self.count
        self.carry_out(self.mailbox.hello(self.session, self.uaid, self.fresh(), self.now))

    @precondition(lambda self: self.session)
    @rule()
    def disconnect(self) -> None:
        session, self.session = self.session, 0
        self.carry_out(self.mailbox.disconnected(session, self.now))

    @precondition(lambda self: self.session)
    @rule(channel=st.sampled_from([CHANNEL, OTHER]))
    def register(self, channel: str) -> None:
        self.carry_out(self.mailbox.register(self.session, channel, self.fresh(), self.now))

    @precondition(lambda self: self.session and not self.writes)
    @rule(channel=st.sampled_from([CHANNEL, OTHER]))
    def unregister(self, channel: str) -> None:
        self.carry_out(self.mailbox.unregister(self.session, channel, self.now))
        self.disk(works=True)

    @precondition(lambda self: self.tokens)
    @rule(
        data=st.data(),
        ttl=st.sampled_from([0, 1, 60, 3600]),
        topic=st.sampled_from([None, None, "t"]),
    )
    def post(self, data: st.DataObject, ttl: int, topic: str | None) -> None:
        token = data.draw(st.sampled_from(sorted(self.tokens.values())))
        message_id, body = self.fresh(), self.fresh().encode()
        if ttl == 0:
            self.now_or_never[message_id] = (token, topic)
        self.carry_out(self.mailbox.post(token, Push(ttl=ttl, body=body, topic=topic), message_id, self.now))

    @precondition(lambda self: self.fetches)
    @rule(works=st.sampled_from([True, True, True, False]))
    def read(self, works: bool) -> None:
        """The disk answers the oldest question, perhaps after the desk has left, or not at all."""
        fetch = self.fetches.pop(0)
        if works:
            self.carry_out(self.mailbox.fetched(fetch.session, self.paper.read(fetch.ids), self.now))
        else:
            self.carry_out(self.mailbox.not_fetched(fetch.session))

    @precondition(lambda self: self.writes)
    @rule(works=st.booleans())
    def disk(self, works: bool) -> None:
        """All that waits goes into one commit, which succeeds or fails as a whole."""
        batch, self.writes = self.writes, []
        if works:
            for write in batch:
                self.paper.apply(write.changes)
                self.written |= {c.message.id: c.message for c in write.changes if isinstance(c, rec.KeepMessage)}
        for write in batch:
            if write.ticket != NOBODY_WAITS:
                stored = self.mailbox.stored(write.ticket, self.now) if works else self.mailbox.not_stored(write.ticket)
                self.carry_out(stored)

    @precondition(lambda self: self.session and self.owed)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        versions = data.draw(st.lists(st.sampled_from(sorted(self.owed)), min_size=1))
        for version in versions:
            self.owed.pop(version, None)
        self.carry_out(self.mailbox.acknowledge(self.session, versions, self.now))
        if self.writes:
            self.disk(works=True)

    @rule(seconds=st.sampled_from([0.5, 30.0, 1800.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.owed = {i: m for i, m in self.owed.items() if m.expires_at > self.now}
        due = self.mailbox.next_wake()
        if due is not None and due <= self.now:
            self.carry_out(self.mailbox.wake(self.now))

    @precondition(lambda self: self.count > 3)
    @rule()
    def crash(self) -> None:
        """Only what was durable is there again; nobody was promised more."""
        self.writes.clear()
        self.fetches.clear()
        self.session = 0
        self.mailbox = Mailbox(URL, self.paper.saved(), self.now)

    @invariant()
    def what_was_promised_is_durable(self) -> None:
        assert set(self.owed) <= set(self.paper.messages)

    def teardown(self) -> None:
        """In the end the desk comes, acknowledges everything, and has received all that it was owed."""
        if self.writes:
            self.disk(works=True)
        if self.session:
            self.disconnect()
        self.connect()
        received: set[str] = set()
        assert self.uaid is not None
        session, self.session = self.session, 0
        self.mailbox.disconnected(session, self.now)

        def settled(effects: list[Effect]) -> list[str]:
            return arrivals(settle(self.mailbox, effects, self.now, self.paper))

        versions = settled(self.mailbox.hello(10**6, self.uaid, self.fresh(), self.now))
        while versions:
            received |= set(versions)
            versions = settled(self.mailbox.acknowledge(10**6, versions, self.now))
        assert received >= set(self.owed)


TestAnyOrder = AnyOrder.TestCase
