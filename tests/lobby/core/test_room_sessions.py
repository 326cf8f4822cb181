"""When a room's session has to be a new one: never used too long, never for others than have it."""

from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lobby.core.room_sessions import RoomSessions, Rotation

ROOM, OTHER = "!a:x", "!b:x"
ONE, TWO = ("@one:x", "A"), ("@two:x", "B")
BOTH = frozenset({ONE, TWO})
WEEK = 604_800.0


def made(now: float = 0.0) -> RoomSessions:
    sessions = RoomSessions()
    sessions.renewed(ROOM, BOTH, now)
    return sessions


def test_the_defaults_are_a_week_and_a_hundred_messages() -> None:
    assert Rotation() == Rotation(WEEK, 100)


def test_a_session_is_for_its_room_and_exactly_its_devices() -> None:
    sessions = made()
    assert not sessions.must_renew(ROOM, BOTH, Rotation(), 1.0)
    assert sessions.must_renew(OTHER, BOTH, Rotation(), 1.0)
    assert sessions.must_renew(ROOM, {ONE}, Rotation(), 1.0), "who has left must not read on"
    assert sessions.must_renew(ROOM, {ONE, TWO, ("@three:x", "C")}, Rotation(), 1.0)


def test_a_session_is_used_for_so_many_messages_and_so_long() -> None:
    sessions = made(now=50.0)
    assert not sessions.must_renew(ROOM, BOTH, Rotation(10.0, 2), 59.9)
    assert sessions.must_renew(ROOM, BOTH, Rotation(10.0, 2), 60.0)
    assert sessions.must_renew(ROOM, BOTH, Rotation(10.0, 2), 49.0), "the clock was put back"
    sessions.used(ROOM)
    assert not sessions.must_renew(ROOM, BOTH, Rotation(10.0, 2), 51.0)
    sessions.used(ROOM)
    assert sessions.must_renew(ROOM, BOTH, Rotation(10.0, 2), 51.0)
    assert not sessions.must_renew(ROOM, BOTH, Rotation(10.0, 3), 51.0), "the room has another mind since"


def test_what_is_forgotten_is_renewed() -> None:
    for forget in (lambda one: one.forget(ROOM), RoomSessions.forget_all):
        sessions = made()
        forget(sessions)
        assert sessions.must_renew(ROOM, BOTH, Rotation(), 1.0)


@dataclass
class Key:
    """A session as the outside sees it."""

    devices: frozenset[tuple[str, str]]
    made_at: float
    messages: int = 0


class Rooms(RuleBasedStateMachine):
    """Devices come and go, time passes, sessions get lost; something is said whenever somebody likes."""

    def __init__(self) -> None:
        super().__init__()
        self.sessions = RoomSessions()
        self.now = 0.0
        self.devices: set[tuple[str, str]] = {ONE}
        self.rotation = Rotation(10.0, 3)
        self.keys: dict[str, Key] = {}
        self.said_with: list[tuple[Key, frozenset[tuple[str, str]]]] = []

    @rule(device=st.sampled_from([ONE, TWO, ("@two:x", "C"), ("@three:x", "D")]), comes=st.booleans())
    def device(self, device: tuple[str, str], comes: bool) -> None:
        (self.devices.add if comes else self.devices.discard)(device)

    @rule(seconds=st.sampled_from([0.5, 3.0, 11.0, -4.0]))
    def time(self, seconds: float) -> None:
        self.now += seconds

    @rule(age=st.sampled_from([2.0, 10.0]), messages=st.integers(1, 4))
    def another_mind(self, age: float, messages: int) -> None:
        self.rotation = Rotation(age, messages)

    @rule(room_id=st.sampled_from([ROOM, OTHER]))
    def lose(self, room_id: str) -> None:
        self.sessions.forget(room_id)
        self.keys.pop(room_id, None)

    @rule()
    def lose_all(self) -> None:
        self.sessions.forget_all()
        self.keys.clear()

    @rule(room_id=st.sampled_from([ROOM, OTHER]))
    def say(self, room_id: str) -> None:
        devices = frozenset(self.devices)
        if self.sessions.must_renew(room_id, devices, self.rotation, self.now):
            self.sessions.renewed(room_id, devices, self.now)
            self.keys[room_id] = Key(devices, self.now)
        self.sessions.used(room_id)
        self.keys[room_id].messages += 1
        self.said_with.append((self.keys[room_id], devices))
        key = self.keys[room_id]
        assert key.messages <= self.rotation.messages
        assert 0 <= self.now - key.made_at < self.rotation.age

    @invariant()
    def who_was_there_can_read_and_nobody_else(self) -> None:
        assert all(key.devices == devices for key, devices in self.said_with)


TestRooms = Rooms.TestCase
