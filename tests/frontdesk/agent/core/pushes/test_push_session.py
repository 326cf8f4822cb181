"""The desk's push session: greeting, asking, acknowledging, staying alive, and coming back, by a hand-driven clock."""

import json
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from frontdesk.agent.core.pushes import push_session as ps
from frontdesk.agent.core.pushes.push_session import PushSession, Stage
from frontdesk.wire import autopush

CHANNEL = "5ae2ab00-5f1a-4c5c-9d0b-5b6a0a1fbb2e"
OTHER = "11111111-5f1a-4c5c-9d0b-5b6a0a1fbb2e"
UAID, NEW_UAID = "a" * 32, "b" * 32


def frames(effects: list[ps.Effect]) -> list[dict[str, Any]]:
    return [json.loads(effect.frame) for effect in effects if isinstance(effect, ps.SendFrame)]


def told(effects: list[ps.Effect]) -> list[ps.PushEvent]:
    return [effect.event for effect in effects if isinstance(effect, ps.Tell)]


def say(message: autopush.ServerMessage) -> str:
    return autopush.encode(message)


def hello(uaid: str = UAID) -> str:
    return say(autopush.HelloReply(uaid=uaid, status=200))


def ready(uaid: str | None = UAID, now: float = 0.0) -> PushSession:
    session = PushSession(uaid, now)
    assert session.wake(now) == [ps.Open()]
    session.opened(now)
    session.received(hello(uaid or UAID), now)
    assert session.stage is Stage.READY
    return session


def test_it_says_who_it_was_and_learns_who_it_is() -> None:
    session = PushSession(UAID, 0.0)
    assert session.wake(0.0) == [ps.Open()]
    assert frames(session.opened(0.5)) == [{"messageType": "hello", "uaid": UAID}]
    assert session.received(hello(), 1.0) == [ps.Tell(ps.Connected(UAID, changed=False))]


def test_a_connection_that_does_not_come_about_is_given_up_after_half_a_minute() -> None:
    session = PushSession(UAID, 0.0)
    session.wake(0.0)
    assert session.next_wake() == 30.0
    assert session.wake(30.0) == [ps.Drop("no connection within 30 s")]


def test_its_numbers_are_those_that_were_decided() -> None:
    assert (ps.REPLY_WITHIN, ps.KEEP_ALIVE, ps.STEADY_AFTER, ps.MOST_ACKS) == (30.0, 1800.0, 30.0, 1000)


def test_the_first_time_there_is_nothing_to_lose() -> None:
    session = PushSession(None, 0.0)
    session.wake(0.0)
    assert "uaid" not in frames(session.opened(0.0))[0]
    assert told(session.received(hello(NEW_UAID), 0.0)) == [ps.Connected(NEW_UAID, changed=False)]
    assert session.uaid == NEW_UAID


def test_hello_says_that_web_push_is_wanted() -> None:
    session = PushSession(None, 0.0)
    session.wake(0.0)
    (frame,) = session.opened(0.0)
    assert isinstance(frame, ps.SendFrame)
    assert autopush.client_message(frame.frame) == autopush.Hello(use_webpush=True)


def test_a_changed_uaid_is_said_and_what_belonged_to_the_old_one_is_forgotten() -> None:
    session = PushSession(UAID, 0.0)
    session.register(CHANNEL, 0.0)
    session.unregister(OTHER, 0.0)
    session.ack(OTHER, "v1", 100)
    session.wake(0.0)
    session.opened(0.0)
    effects = session.received(hello(NEW_UAID), 0.0)
    assert told(effects) == [ps.Connected(NEW_UAID, changed=True)]
    assert frames(effects) == [{"messageType": "register", "channelID": CHANNEL}]


def test_what_was_asked_before_the_connection_goes_out_after_hello() -> None:
    session = PushSession(UAID, 0.0)
    assert session.register(CHANNEL, 0.0) == session.unregister(OTHER, 0.0) == session.ack(CHANNEL, "v", 100) == []
    session.wake(0.0)
    session.opened(0.0)
    assert [frame["messageType"] for frame in frames(session.received(hello(), 0.0))] == [
        "ack",
        "register",
        "unregister",
    ]


@pytest.mark.contract("P01")
def test_an_endpoint_is_asked_for_and_told() -> None:
    session = ready()
    assert frames(session.register(CHANNEL, 1.0)) == [{"messageType": "register", "channelID": CHANNEL}]
    reply = autopush.RegisterReply(channel_id=CHANNEL, status=200, endpoint="https://push/x")
    assert session.received(say(reply), 2.0) == [ps.Tell(ps.Registered(CHANNEL, "https://push/x"))]
    assert session.received(say(reply), 2.0) == []


@pytest.mark.parametrize("status", [400, 409, 500])
def test_a_refused_register_is_told_and_not_repeated(status: int) -> None:
    session = ready()
    session.register(CHANNEL, 1.0)
    (event,) = told(session.received(say(autopush.RegisterReply(channel_id=CHANNEL, status=status)), 2.0))
    assert isinstance(event, ps.RegisterFailed)
    assert str(status) in event.why
    assert session.next_wake() == 2.0 + ps.KEEP_ALIVE


def test_a_register_in_flight_is_asked_again_on_the_next_connection() -> None:
    session = ready()
    session.register(CHANNEL, 1.0)
    session.lost("cable", 2.0, dice=0.0)
    session.wake(100.0)
    session.opened(100.0)
    assert {"messageType": "register", "channelID": CHANNEL} in frames(session.received(hello(), 100.0))


def test_no_answer_is_expected_any_more_from_a_connection_that_is_gone() -> None:
    session = ready()
    session.register(CHANNEL, 1.0)
    session.lost("cable", 2.0, dice=0.0)
    session.register(CHANNEL, 3.0)
    session.wake(100.0)
    session.opened(100.0)
    session.received(hello(), 100.0)
    reply = autopush.RegisterReply(channel_id=CHANNEL, status=200, endpoint="https://push/x")
    assert told(session.received(say(reply), 101.0)) == [ps.Registered(CHANNEL, "https://push/x")]


def test_an_unanswered_register_means_a_dead_connection() -> None:
    session = ready()
    session.register(CHANNEL, 1.0)
    assert session.next_wake() == 1.0 + ps.REPLY_WITHIN
    assert session.wake(1.0 + ps.REPLY_WITHIN) == [ps.Drop("no answer within 30 s")]


def test_unregister_takes_register_back() -> None:
    session = ready()
    session.register(CHANNEL, 1.0)
    session.unregister(CHANNEL, 1.0)
    late = autopush.RegisterReply(channel_id=CHANNEL, status=200, endpoint="https://push/x")
    assert session.received(say(late), 2.0) == []
    assert session.received(say(autopush.UnregisterReply(channel_id=CHANNEL, status=200)), 2.0) == []
    assert session.next_wake() == 2.0 + ps.KEEP_ALIVE


def test_the_answer_to_an_earlier_register_is_not_taken_for_the_latest() -> None:
    session = ready()
    session.register(CHANNEL, 1.0)
    session.unregister(CHANNEL, 1.0)
    session.register(CHANNEL, 1.0)
    dead = autopush.RegisterReply(channel_id=CHANNEL, status=200, endpoint="https://push/dead")
    alive = autopush.RegisterReply(channel_id=CHANNEL, status=200, endpoint="https://push/alive")
    assert session.received(say(dead), 2.0) == []
    assert session.received(say(autopush.UnregisterReply(channel_id=CHANNEL, status=200)), 2.0) == []
    assert told(session.received(say(alive), 2.0)) == [ps.Registered(CHANNEL, "https://push/alive")]


def test_a_refused_unregister_is_asked_again_later() -> None:
    session = ready()
    session.unregister(CHANNEL, 1.0)
    session.received(say(autopush.UnregisterReply(channel_id=CHANNEL, status=500)), 2.0)
    session.lost("cable", 3.0, 0.0)
    session.wake(100.0)
    session.opened(100.0)
    assert frames(session.received(hello(), 100.0))[-1]["messageType"] == "unregister"


def test_a_channel_id_that_would_close_the_connection_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="UUID"):
        ready().register("my channel", 0.0)


def test_a_push_comes_as_it_was_sent() -> None:
    arrival = autopush.Arrival(channel_id=CHANNEL, version="v1", data="_-8", headers={"encoding": "aes128gcm"}, ttl=60)
    assert ready().received(say(arrival), 1.0) == [ps.Tell(ps.Arrived(CHANNEL, "v1", b"\xff\xef", 60.0))]


def test_a_push_without_body_or_time_to_live_is_a_push() -> None:
    arrival = autopush.Arrival(channel_id=CHANNEL, version="v1")
    assert told(ready().received(say(arrival), 1.0)) == [ps.Arrived(CHANNEL, "v1", b"", None)]


@pytest.mark.contract("P09")
def test_a_push_is_acknowledged_when_the_desk_says_so_and_not_before() -> None:
    session = ready()
    effects = session.received(say(autopush.Arrival(channel_id=CHANNEL, version="v1")), 1.0)
    assert frames(effects) == []
    assert frames(session.ack(CHANNEL, "v1", 100)) == [
        {"messageType": "ack", "updates": [{"channelID": CHANNEL, "version": "v1", "code": 100}]}
    ]


@pytest.mark.contract("P11")
def test_a_push_that_is_no_base64url_is_acknowledged_lest_it_come_for_ever() -> None:
    effects = ready().received(say(autopush.Arrival(channel_id=CHANNEL, version="v1", data="!")), 1.0)
    assert told(effects) == []
    assert frames(effects)[0]["updates"][0]["code"] == autopush.NOT_DELIVERED


@pytest.mark.contract("P11")
@pytest.mark.parametrize("frame", ["", "nonsense", "[]", '{"messageType":"notification"}', '{"a":1}'])
def test_a_broken_frame_ends_the_connection_and_the_next_one_works(frame: str) -> None:
    session = ready()
    (effect,) = session.received(frame, 1.0)
    assert isinstance(effect, ps.Drop)
    assert session.received(hello(), 1.0) == []
    (event,) = told(session.lost(effect.why, 1.0, dice=0.0))
    assert event == ps.Disconnected(effect.why, 0.5)
    assert session.wake(1.5) == [ps.Open()]


def test_a_push_before_hello_is_not_believed() -> None:
    session = PushSession(UAID, 0.0)
    session.wake(0.0)
    session.opened(0.0)
    (effect,) = session.received(say(autopush.Arrival(channel_id=CHANNEL, version="v")), 0.0)
    assert isinstance(effect, ps.Drop)


def test_what_a_newer_service_says_is_passed_over() -> None:
    assert ready().received('{"messageType":"broadcast","broadcasts":{}}', 1.0) == []
    assert ready().received('{"messageType":"surprise"}', 1.0) == []


def test_after_long_silence_it_asks_and_a_dead_line_is_noticed() -> None:
    session = ready()
    assert session.next_wake() == ps.KEEP_ALIVE
    assert frames(session.wake(ps.KEEP_ALIVE)) == [{}]
    assert session.next_wake() == ps.KEEP_ALIVE + ps.REPLY_WITHIN
    assert session.wake(ps.KEEP_ALIVE + ps.REPLY_WITHIN) == [ps.Drop("no answer within 30 s")]


def test_the_services_own_pings_count_as_sound() -> None:
    session = ready()
    session.heard(300.0)
    assert session.wake(ps.KEEP_ALIVE) == []
    assert session.next_wake() == 300.0 + ps.KEEP_ALIVE


def test_an_answered_ping_starts_the_silence_anew() -> None:
    session = ready()
    session.wake(ps.KEEP_ALIVE)
    session.received("{}", ps.KEEP_ALIVE + 1)
    assert session.next_wake() == 2 * ps.KEEP_ALIVE + 1


def test_a_service_that_does_not_answer_hello_is_left() -> None:
    session = PushSession(UAID, 0.0)
    session.wake(0.0)
    session.opened(1.0)
    assert isinstance(session.wake(1.0 + ps.REPLY_WITHIN)[0], ps.Drop)


def test_waits_grow_until_a_connection_has_held() -> None:
    session = PushSession(UAID, 0.0)
    waits = []
    now = 0.0
    for _ in range(4):
        now = session.next_wake() or now
        session.wake(now)
        (event,) = told(session.lost("refused", now, dice=0.0))
        assert isinstance(event, ps.Disconnected)
        waits.append(event.retry_in)
    assert waits == [0.5, 1.0, 2.0, 4.0]
    session.wake(now + 4.0)
    session.opened(now + 4.0)
    session.received(hello(), now + 4.0)
    short = told(session.lost("again", now + 5.0, dice=0.0))
    assert short == [ps.Disconnected("again", 8.0)]
    session.wake(now + 13.0)
    session.opened(now + 13.0)
    session.received(hello(), now + 13.0)
    held = told(session.lost("again", now + 13.0 + ps.STEADY_AFTER, dice=0.0))
    assert held == [ps.Disconnected("again", 0.5)]


def test_a_changed_network_ends_the_wait_or_the_connection() -> None:
    waiting = PushSession(UAID, 0.0)
    waiting.wake(0.0)
    waiting.lost("refused", 0.0, dice=0.9)
    assert waiting.reconnect_now(0.1) == [ps.Open()]
    session = ready()
    assert session.reconnect_now(5.0) == [ps.Drop("the network has changed")]
    assert told(session.lost("the network has changed", 5.0, dice=0.9)) == [
        ps.Disconnected("the network has changed", 0.0)
    ]
    assert session.wake(5.0) == [ps.Open()]


def test_acknowledgements_wait_for_the_next_connection_but_not_without_bound() -> None:
    session = PushSession(UAID, 0.0)
    for number in range(ps.MOST_ACKS + 5):
        session.ack(CHANNEL, str(number), 100)
    session.wake(0.0)
    session.opened(0.0)
    (frame,) = frames(session.received(hello(), 0.0))
    assert len(frame["updates"]) == ps.MOST_ACKS
    assert frame["updates"][-1]["version"] == str(ps.MOST_ACKS + 4)


class AnyOrder(RuleBasedStateMachine):
    """Whatever the network and the service do: each register ends exactly once, and there is always a next step."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.session = PushSession(None, 0.0)
        self.open = False
        self.asked: dict[str, int] = {}
        self.on_the_wire: list[str] = []
        self.run(self.session.wake(0.0))

    def run(self, effects: list[ps.Effect]) -> None:
        for effect in effects:
            match effect:
                case ps.Open():
                    assert not self.open
                    self.open = True
                    self.on_the_wire = []
                case ps.SendFrame(frame):
                    assert self.open
                    message = autopush.client_message(frame)
                    if isinstance(message, autopush.Register):
                        self.on_the_wire.append(message.channel_id)
                case ps.Drop(why):
                    self.gone(why)
                case ps.Tell(ps.Registered(channel_id, _)) | ps.Tell(ps.RegisterFailed(channel_id, _)):
                    assert self.asked.pop(channel_id) == 1
                case ps.Tell():
                    pass

    def gone(self, why: str) -> None:
        self.open = False
        self.run(self.session.lost(why, self.now, dice=0.5))

    @rule(channel=st.sampled_from([CHANNEL, OTHER]))
    def register(self, channel: str) -> None:
        self.asked[channel] = 1
        self.run(self.session.register(channel, self.now))

    @rule(channel=st.sampled_from([CHANNEL, OTHER]))
    def unregister(self, channel: str) -> None:
        self.asked.pop(channel, None)
        self.run(self.session.unregister(channel, self.now))

    @rule()
    def acknowledge(self) -> None:
        self.run(self.session.ack(CHANNEL, "v", 100))

    @precondition(lambda self: self.session.stage is Stage.OPENING)
    @rule(uaid=st.sampled_from([UAID, NEW_UAID]))
    def connect(self, uaid: str) -> None:
        self.run(self.session.opened(self.now))
        self.run(self.session.received(hello(uaid), self.now))

    @precondition(lambda self: self.on_the_wire)
    @rule(status=st.sampled_from([200, 500]))
    def answer(self, status: int) -> None:
        channel = self.on_the_wire.pop(0)
        reply = autopush.RegisterReply(channel_id=channel, status=status, endpoint="https://push/x")
        self.run(self.session.received(say(reply), self.now))

    @precondition(lambda self: self.open)
    @rule(frame=st.sampled_from(["nonsense", "{}", hello(), '{"messageType":"broadcast"}']))
    def anything(self, frame: str) -> None:
        self.run(self.session.received(frame, self.now))

    @precondition(lambda self: self.open)
    @rule()
    def lose(self) -> None:
        self.gone("cable")

    @rule()
    def network_changes(self) -> None:
        self.run(self.session.reconnect_now(self.now))

    @rule(seconds=st.floats(0, 4000))
    def time_passes(self, seconds: float) -> None:
        end = self.now + seconds
        for _ in range(10_000):
            due = self.session.next_wake()
            assert due is not None
            if due > end:
                break
            self.now = max(self.now, due)
            self.run(self.session.wake(self.now))
        else:
            raise AssertionError("the timer never comes to rest")
        self.now = end

    @invariant()
    def what_was_asked_is_not_forgotten(self) -> None:
        assert self.open == (self.session.stage is not Stage.WAITING)
        assert self.session.next_wake() is not None

    def teardown(self) -> None:
        """Whatever has happened: once the network is good, everything that was asked is answered."""
        if self.session.stage is Stage.WAITING:
            self.run(self.session.reconnect_now(self.now))
        if self.session.stage is Stage.OPENING:
            self.connect(self.session.uaid or UAID)
        while self.on_the_wire:
            self.answer(200)
        assert self.asked == {}


TestAnyOrder = AnyOrder.TestCase
