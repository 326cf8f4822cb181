"""One desk's connection: hello first and in time, messages afterwards, silence noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.core.pushes.push_session import PushSession, SendFrame
from frontdesk.agent.core.pushes.push_session import Stage as Greeting
from frontdesk.push.core.connection import (
    HELLO_WITHIN,
    PING_AFTER,
    PONG_WITHIN,
    Close,
    Connection,
    Received,
    Reply,
    SendPing,
    Stage,
)
from frontdesk.wire import autopush

CHANNEL = "5ae2ab00-5f1a-4c5c-9d0b-5b6a0a1fbb2e"
HELLO = autopush.encode(autopush.Hello())
REGISTER = autopush.encode(autopush.Register(channel_id=CHANNEL))


def greeted(now: float = 0.0) -> Connection:
    connection = Connection(now)
    assert connection.received(HELLO, now) == [Received(autopush.Hello())]
    return connection


def test_hello_must_come_in_time() -> None:
    connection = Connection(100.0)
    assert connection.next_wake() == 100.0 + HELLO_WITHIN
    assert connection.wake(100.0 + HELLO_WITHIN - 0.1) == []
    assert connection.wake(100.0 + HELLO_WITHIN) == [Close(1011, "no hello within 30 s")]
    assert connection.next_wake() is None


@pytest.mark.parametrize("one_way", [0.05, 3.0, 9.0])
def test_a_slow_line_is_not_a_dead_one(one_way: float) -> None:
    """Each end waits long enough for the other, whose words take ``one_way`` seconds."""
    service, desk = Connection(0.0), PushSession(None)
    desk.wake(0.0)
    (hello,) = desk.opened(one_way)
    assert isinstance(hello, SendFrame)
    assert service.wake(2 * one_way) == []
    assert service.received(hello.frame, 2 * one_way) == [Received(autopush.Hello(use_webpush=True))]
    assert desk.wake(3 * one_way) == []
    assert desk.stage is Greeting.GREETING
    service.wake(PING_AFTER + 2 * one_way)
    assert service.wake(PING_AFTER + 4 * one_way) == []


def test_signs_of_life_do_not_replace_hello() -> None:
    connection = Connection(0.0)
    connection.heard(4.0)
    assert isinstance(connection.wake(HELLO_WITHIN)[0], Close)


@pytest.mark.parametrize("frame", [REGISTER, "{}", "nonsense"])
def test_what_is_not_hello_may_not_come_first(frame: str) -> None:
    connection = Connection(0.0)
    (effect,) = connection.received(frame, 1.0)
    assert isinstance(effect, Close)
    assert connection.received(HELLO, 1.0) == []


def test_a_second_hello_closes() -> None:
    assert greeted().received(HELLO, 1.0) == [Close(1011, "hello came twice")]


def test_messages_go_to_the_mailbox_and_pings_are_answered_often_too() -> None:
    connection = greeted()
    assert connection.received(REGISTER, 1.0) == [Received(autopush.Register(channel_id=CHANNEL))]
    for now in (1.0, 1.1, 1.2):
        assert connection.received("{}", now) == [Reply(autopush.Ping())]
    nack = autopush.encode(autopush.Nack(version="v", code=301))
    assert connection.received(nack, 2.0) == []
    assert connection.received('{"messageType":"broadcast_subscribe","broadcasts":{}}', 2.0) == []


@pytest.mark.contract("P11")
def test_a_broken_frame_closes_this_connection() -> None:
    (effect,) = greeted().received('{"messageType":"ack","updates":7}', 1.0)
    assert isinstance(effect, Close)


def test_silence_is_asked_about_and_then_ends_it() -> None:
    connection = greeted()
    assert connection.next_wake() == PING_AFTER
    assert connection.wake(PING_AFTER) == [SendPing()]
    assert connection.next_wake() == PING_AFTER + PONG_WITHIN
    assert connection.wake(PING_AFTER + PONG_WITHIN) == [Close(1011, "no sign of life within 30 s")]


def test_a_sign_of_life_buys_another_five_minutes() -> None:
    connection = greeted()
    connection.wake(PING_AFTER)
    connection.heard(PING_AFTER + 1)
    assert connection.next_wake() == 2 * PING_AFTER + 1
    assert connection.wake(2 * PING_AFTER + 1) == [SendPing()]


@given(
    st.lists(
        st.tuples(
            st.floats(0, 400),
            st.sampled_from([HELLO, REGISTER, "{}", "nonsense", None, "pong"]),
        )
    )
)
def test_nothing_but_hello_opens_it_and_nothing_follows_a_close(steps: list[tuple[float, str | None]]) -> None:
    now, connection, closed, hello = 0.0, Connection(0.0), False, False
    for wait, frame in steps:
        now += wait
        effects = []
        if frame == "pong":
            connection.heard(now)
        elif frame is None:
            effects = connection.wake(now)
        else:
            effects = connection.received(frame, now)
        assert not (closed and effects)
        for effect in effects:
            if isinstance(effect, Received):
                assert hello != isinstance(effect.message, autopush.Hello)
                hello = True
            closed = closed or isinstance(effect, Close)
        assert closed == (connection.stage is Stage.CLOSED)
        due = connection.next_wake()
        assert (due is None) == closed
        assert due is None or due <= now + PING_AFTER
