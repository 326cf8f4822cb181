"""Whom a message's key is given to, whatever happens in whatever order: real keys and files, a homeserver in memory.

No order of events leaves a message readable for a device that has left, or unreadable for one that is known; no key is
published twice, no index of a session used twice, and no session longer than the room wants.
"""

import asyncio
import contextlib
import shutil
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import pytest
import vodozemac
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from lobby.core.key_news import KeyNews, ToDevice
from lobby.core.room_sessions import Rotation
from lobby.encryption.engine import Engine
from lobby.encryption.key_store import KeyStore
from lobby.encryption.machine import Machine
from lobby.errors import Sealed, Unreachable
from lobby.home import Login
from lobby.matrix.session import Session

ROOM = "!a:x"
ME, BOB, CAROL = "@me:x", "@bob:x", "@carol:x"
MOST_DEVICES = 6
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Thousands of small commits: a disk would take most of the time."""
TIMES = st.integers(0, 2)
"""How many messages are said after something happened."""

Json = dict[str, Any]
Name = tuple[str, str]
"""User id and device id."""


class Homeserver:
    """What a homeserver does about keys; ``lose`` of the next request: the request itself, the answer to it, or (where
    they are asked for) keys that other homeservers have."""

    def __init__(self) -> None:
        self.keys: dict[str, dict[str, Json]] = defaultdict(dict)
        self.one_time: dict[Name, dict[str, Json]] = defaultdict(dict)
        self.fallback: dict[Name, dict[str, Json]] = defaultdict(dict)
        self.fallback_used: set[Name] = set()
        self.published: dict[Name, dict[str, Json]] = defaultdict(dict)
        self.claimed: set[str] = set()
        self.unreached: set[Name] = set()
        """Devices of which no key could be had, the last time."""
        self.inbox: dict[Name, list[ToDevice]] = defaultdict(list)
        self.lose = ""

    def answer(self, whose: Name, path: str, body: Json) -> Json:
        match path.split("/")[1:]:
            case ["keys", "upload"]:
                return self._upload(whose, body)
            case ["keys", "query"]:
                return {"device_keys": {user_id: dict(self.keys[user_id]) for user_id in body["device_keys"]}}
            case ["keys", "claim"]:
                wanted = [(user, device) for user, devices in body["one_time_keys"].items() for device in devices]
                given: dict[str, dict[str, Json]] = defaultdict(dict)
                if self.lose == "keys":
                    self.lose = ""
                    self.unreached |= set(wanted)
                    return {"one_time_keys": {}}
                self.unreached -= set(wanted)
                for user_id, device_id in wanted:
                    given[user_id][device_id] = self._claim((user_id, device_id))
                return {"one_time_keys": given}
            case ["sendToDevice", kind, _]:
                for user_id, devices in body["messages"].items():
                    for named, content in devices.items():
                        for device_id in self.keys[user_id] if named == "*" else {named} & {*self.keys[user_id]}:
                            self.inbox[(user_id, device_id)].append(ToDevice(unquote(kind), whose[0], content))
                return {}
        raise AssertionError(path)

    def _upload(self, whose: Name, body: Json) -> Json:
        user_id, device_id = whose
        if "device_keys" in body:
            self.keys[user_id][device_id] = body["device_keys"]
        for name, key in body["one_time_keys"].items():
            known = self.published[whose].setdefault(name, key)
            assert known == key, "another key under the name of one that was published"
            if key["key"] not in self.claimed:
                self.one_time[whose][name] = key
        if body["fallback_keys"]:
            self.fallback[whose] = body["fallback_keys"]
            self.fallback_used.discard(whose)
        return {"one_time_key_counts": {"signed_curve25519": len(self.one_time[whose])}}

    def _claim(self, whose: Name) -> Json:
        if self.one_time[whose]:
            name, key = self.one_time[whose].popitem()
            self.claimed.add(key["key"])
            return {name: key}
        self.fallback_used.add(whose)
        return self.fallback[whose]


class Connection:
    """One device's way to it; stands where ``Session`` does."""

    def __init__(self, homeserver: Homeserver, name: Name) -> None:
        self.login = Login("http://x", *name, f"token of {name}")
        self._homeserver = homeserver
        self._name = name

    async def request(self, method: str, path: str, body: Json) -> Json:
        lost = self._homeserver.lose
        self._homeserver.lose = lost if lost == "keys" else ""
        if lost == "request":
            raise Unreachable("The request was lost.")
        answer = self._homeserver.answer(self._name, path, body)
        await asyncio.sleep(0)
        if lost == "answer":
            raise Unreachable("The answer was lost.")
        return answer


@dataclass
class Device:
    """A device and what it has to hear of at its next sync."""

    name: Name
    path: Path
    engine: Engine
    changed: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Said:
    """A message, and whose devices there were when it was said."""

    event: Json
    text: str
    readers: frozenset[Name]
    unreached: frozenset[Name]
    """Devices of which no key could be had: they get the key of a later message."""


class Keys(RuleBasedStateMachine):
    """Devices and people come and go, programs die, requests get lost; between all this something is said."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="fd-", dir=IN_MEMORY))
        self.runner = asyncio.Runner()
        self.homeserver = Homeserver()
        self.now = 0.0
        self.rotation = Rotation(100.0, 2)
        self.members = {ME, BOB}
        self.devices: dict[Name, Device] = {}
        self.gone: list[Device] = []
        self.said: list[Said] = []
        self.used: dict[str, list[int]] = defaultdict(list)
        self.first_said: dict[str, float] = {}
        self.made = 0

    def teardown(self) -> None:
        self.homeserver.lose = ""
        try:
            for name in self.devices:
                self.sync(name)
            for said in self.said:
                for device in (*self.devices.values(), *self.gone):
                    if device.name not in said.readers:
                        assert self.read(device, said) is None, "readable for whom it was not said to"
                    elif device not in self.gone and device.name not in said.unreached:
                        assert self.read(device, said) == said.text, "left without the key"
        finally:
            for device in (*self.devices.values(), *self.gone):
                device.engine.close()
            self.runner.close()
            shutil.rmtree(self.folder)

    def read(self, device: Device, said: Said) -> str | None:
        try:
            return str(device.engine.open(ROOM, said.event)["content"]["body"])
        except Sealed:
            return None

    def opened(self, name: Name, path: Path) -> Engine:
        connection = cast(Session, Connection(self.homeserver, name))
        return Engine(KeyStore(path, *name), Machine, connection, lambda: self.now)

    def sync(self, name: Name) -> None:
        device, homeserver = self.devices[name], self.homeserver
        messages, homeserver.inbox[name] = homeserver.inbox[name], []
        news = KeyNews(
            tuple(messages),
            frozenset(device.changed),
            frozenset(device.left),
            len(homeserver.one_time[name]),
            name in homeserver.fallback_used,
        )
        device.changed.clear()
        device.left.clear()
        self.runner.run(device.engine.receive(news))

    def tell(self, user_id: str) -> None:
        for device in self.devices.values():
            device.changed.add(user_id)

    @initialize()
    def begin(self) -> None:
        for user_id in (ME, BOB, CAROL):
            self.begin_device(user_id)
        self.me = next(iter(self.devices.values()))

    @precondition(lambda self: len(self.devices) < MOST_DEVICES)
    @rule(user_id=st.sampled_from([ME, BOB, CAROL]), times=TIMES)
    def come(self, user_id: str, times: int) -> None:
        self.begin_device(user_id)
        self.say(times)

    def begin_device(self, user_id: str) -> None:
        self.made += 1
        name = (user_id, f"D{self.made}")
        path = self.folder / f"{self.made}.sqlite3"
        self.devices[name] = Device(name, path, self.opened(name, path))
        lost, self.homeserver.lose = self.homeserver.lose, ""
        self.runner.run(self.devices[name].engine.upkeep())
        self.homeserver.lose = lost
        self.tell(user_id)

    @precondition(lambda self: len(self.devices) > 1)
    @rule(data=st.data(), times=TIMES)
    def go(self, data: st.DataObject, times: int) -> None:
        name = data.draw(st.sampled_from([name for name in self.devices if name != self.me.name]))
        self.gone.append(self.devices.pop(name))
        del self.homeserver.keys[name[0]][name[1]]
        self.tell(name[0])
        self.say(times)

    @rule(user_id=st.sampled_from([BOB, CAROL]), times=TIMES)
    def join_or_leave(self, user_id: str, times: int) -> None:
        for device in self.devices.values():
            (device.left if user_id in self.members else device.changed).add(user_id)
            (device.changed if user_id in self.members else device.left).discard(user_id)
        self.members ^= {user_id}
        self.say(times)

    @rule(data=st.data(), times=TIMES)
    def die(self, data: st.DataObject, times: int) -> None:
        device = self.devices[data.draw(st.sampled_from([*self.devices]))]
        device.engine.close()
        device.engine = self.opened(device.name, device.path)
        self.say(times)

    @rule(data=st.data(), times=TIMES)
    def catch_up(self, data: st.DataObject, times: int) -> None:
        name = data.draw(st.sampled_from([*self.devices]))
        self.sync(name)
        with contextlib.suppress(Unreachable):
            self.runner.run(self.devices[name].engine.upkeep())
        self.say(times)

    @rule(what=st.sampled_from(["request", "answer", "keys"]), times=TIMES)
    def lose(self, what: str, times: int) -> None:
        self.homeserver.lose = what
        self.say(times)

    @rule(seconds=st.sampled_from([1.0, 70.0]), messages=st.integers(1, 4), times=TIMES)
    def pass_time(self, seconds: float, messages: int, times: int) -> None:
        self.now += seconds
        self.rotation = Rotation(100.0, messages)
        self.say(times)

    def say(self, times: int) -> None:
        if times:
            self.sync(self.me.name)
        for _ in range(times):
            self.say_once(f"message {len(self.said)}")

    def say_once(self, text: str) -> None:
        content = {"msgtype": "m.text", "body": text}
        sealing = self.me.engine.seal(ROOM, self.members, "m.room.message", content, self.rotation)
        try:
            sealed = self.runner.run(sealing)
        except Unreachable:
            return
        number = len(self.said)
        event = {"event_id": f"${number}", "sender": ME, "origin_server_ts": number, "content": sealed}
        readers = frozenset(name for name in self.devices if name[0] in self.members)
        self.said.append(Said(event, text, readers, frozenset(self.homeserver.unreached)))
        session, index = sealed["session_id"], vodozemac.MegolmMessage.from_base64(sealed["ciphertext"]).message_index()
        assert index not in self.used[session], "an index was used twice"
        self.used[session].append(index)
        assert len(self.used[session]) <= self.rotation.messages
        assert self.now - self.first_said.setdefault(session, self.now) < self.rotation.age


Keys.TestCase.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestKeys = Keys.TestCase


def test_a_device_of_which_no_key_could_be_had_gets_that_of_a_later_message() -> None:
    keys = Keys()
    keys.begin()
    keys.rotation = Rotation(1000.0, 100)
    keys.homeserver.lose = "keys"
    keys.say(1)
    assert keys.homeserver.unreached
    keys.now += 70.0
    keys.say(1)
    assert not keys.homeserver.unreached and len(keys.used) == 2
    keys.teardown()


def with_a_device_that_came_later() -> tuple[Keys, Said, Device]:
    """Somebody alone who has said something, and a device of theirs that has not got its key."""
    keys = Keys()
    keys.members = {ME}
    keys.begin()
    keys.say(1)
    [said] = keys.said
    keys.begin_device(ME)
    *_, asks = keys.devices.values()
    return keys, said, asks


def test_a_device_of_ones_own_that_is_not_verified_gets_no_key_that_it_asks_for() -> None:
    keys, said, asks = with_a_device_that_came_later()
    keys.sync(asks.name)
    keys.runner.run(asks.engine.upkeep())
    asks.engine.want([(ROOM, said.event["content"]["session_id"])])
    keys.runner.run(asks.engine.upkeep())
    assert [message.type for message in keys.homeserver.inbox[keys.me.name]] == ["m.room_key_request"]
    keys.sync(keys.me.name)
    keys.runner.run(keys.me.engine.upkeep())
    assert {message.type for message in keys.homeserver.inbox[asks.name]} == {"m.room_key_request"}, "its own"
    keys.teardown()


def test_after_a_gap_in_the_news_everybodys_devices_are_asked_for_again() -> None:
    keys = Keys()
    keys.begin()
    keys.rotation = Rotation(1000.0, 100)
    keys.say(1)
    [*_, gone] = [name for name in keys.devices if name[0] == BOB]
    keys.gone.append(keys.devices.pop(gone))
    del keys.homeserver.keys[gone[0]][gone[1]]
    keys.runner.run(keys.me.engine.receive(KeyNews(anew=True)))
    keys.say(1)
    assert len(keys.used) == 2, "the device that nobody has told of having gone reads on"
    keys.teardown()


def test_a_key_is_asked_for_and_given_although_requests_are_lost() -> None:
    keys, said, asks = with_a_device_that_came_later()
    gives = keys.me
    for one, other in ((asks, gives), (gives, asks)):
        one.engine.trusted_devices = lambda other=other: [other.name[1]]  # type: ignore[misc]
        keys.sync(one.name)
        keys.runner.run(one.engine.upkeep())
    asks.engine.want([(ROOM, said.event["content"]["session_id"])])
    for one in (asks, gives):
        keys.homeserver.lose = "request"
        with pytest.raises(Unreachable):
            keys.runner.run(one.engine.upkeep())
        keys.runner.run(one.engine.upkeep())
        keys.sync(gives.name)
    keys.runner.run(gives.engine.upkeep())
    keys.sync(asks.name)
    assert keys.read(asks, said) == said.text
    keys.said.clear()
    keys.teardown()
