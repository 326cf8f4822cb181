"""Keys of devices and rooms, without a homeserver: what is opened, what is kept, and what strangers cannot do."""

import contextlib
import itertools
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import vodozemac
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nio.crypto.device import OlmDevice

from lobby.core.key_news import ToDevice
from lobby.core.withheld import Withheld
from lobby.encryption import key_store
from lobby.encryption.key_store import KeyStore
from lobby.encryption.machine import Machine
from lobby.errors import KeyWithheld, Sealed

ROOM = "!a:x"

Maker = Callable[..., "Device"]


class Device:
    """One device of somebody, with a key file of its own."""

    def __init__(self, folder: Path, user_id: str, device_id: str) -> None:
        self.path = folder / f"{device_id}.sqlite3"
        self.keys = KeyStore(self.path, user_id, device_id)
        self.machine = Machine(self.keys)

    @property
    def signed_keys(self) -> dict[str, Any]:
        machine = self.machine
        name = machine.device_id
        identity = machine.account.identity_keys
        keys = {
            "user_id": machine.user_id,
            "device_id": name,
            "algorithms": [],
            "keys": {f"{kind}:{name}": identity[kind] for kind in ("curve25519", "ed25519")},
        }
        signature = machine.sign_json(keys)
        return {**keys, "signatures": {machine.user_id: {f"ed25519:{name}": signature}}}

    def meet(self, other: "Device") -> None:
        """Learn of another device, and begin a session with it."""
        with self.keys.transaction():
            self.machine.take_devices({other.machine.user_id: {other.machine.device_id: other.signed_keys}})
            other.machine.account.generate_one_time_keys(1)
            [(name, key)] = other.machine.account.one_time_keys["curve25519"].items()
            plain = {"key": key}
            signature = other.machine.sign_json(plain)
            by = {other.machine.user_id: {f"ed25519:{other.machine.device_id}": signature}}
            claimed = {f"signed_curve25519:{name}": {**plain, "signatures": by}}
            other.machine.account.mark_keys_as_published()
            other.machine.save_account()
            assert self.machine.begin_session(other.machine.user_id, other.machine.device_id, claimed)

    def share(self, *others: "Device") -> list[ToDevice]:
        """The messages that give these the key of a new session for the room."""
        users = sorted({other.machine.user_id for other in others})
        self.machine.outbound_group_sessions.pop(ROOM, None)
        with self.keys.transaction():
            chunks = list(self.machine.share_group_session_parallel(ROOM, users, ignore_unverified_devices=True))
        self.machine.outbound_group_sessions[ROOM].mark_as_shared()  # type: ignore[no-untyped-call]
        return [
            ToDevice("m.room.encrypted", self.machine.user_id, body["messages"][user][device])
            for _, body in chunks
            for user in body["messages"]
            for device in body["messages"][user]
        ]

    def say(self, text: str, number: int = 1, room_id: str = ROOM) -> dict[str, Any]:
        clear = {"type": "m.room.message", "content": {"msgtype": "m.text", "body": text}}
        content = self.machine.group_encrypt(ROOM, {**clear, "room_id": room_id})
        sender = self.machine.user_id
        return {"event_id": f"${number}", "sender": sender, "origin_server_ts": number, "content": content}

    def hear(self, *messages: ToDevice) -> None:
        with self.keys.transaction():
            for message in messages:
                self.machine.take(message)

    def read(self, event: dict[str, Any]) -> str:
        return str(self.machine.open(ROOM, event)["content"]["body"])

    def die(self) -> None:
        """As after a crash: only the file is left."""
        self.keys.close()
        self.keys = KeyStore(self.path, self.machine.user_id, self.machine.device_id)
        self.machine = Machine(self.keys)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Maker]:
    made: list[Device] = []
    numbers = itertools.count()

    def make(user_id: str, device_id: str = "") -> Device:
        made.append(Device(tmp_path, user_id, device_id or f"D{next(numbers)}"))
        return made[-1]

    yield make
    for one in made:
        one.keys.close()


@pytest.fixture
def pair(device: Maker) -> tuple[Device, Device]:
    left, right = device("@left:x"), device("@right:x")
    left.meet(right)
    return left, right


def test_a_key_opens_what_is_said_with_it(pair: tuple[Device, Device]) -> None:
    left, right = pair
    messages = left.share(right)
    event = left.say("hello")
    with pytest.raises(Sealed) as sealed:
        right.read(event)
    assert sealed.value.session_id == event["content"]["session_id"]
    right.hear(*messages)
    assert right.read(event) == left.read(event) == "hello"
    right.die()
    assert right.read(event) == "hello"


def test_the_same_messages_handed_in_again_do_no_harm(pair: tuple[Device, Device]) -> None:
    left, right = pair
    messages = left.share(right)
    right.hear(*messages, *messages)
    right.die()
    right.hear(*messages)
    assert right.read(left.say("hello")) == "hello" and not right.machine.wedged_devices
    right.hear(*left.share(right))
    assert right.read(left.say("again", 2)) == "again", "the session between the devices goes on"


def test_a_crash_while_keys_are_taken_in_leaves_all_of_them_to_be_taken_in_again(pair: tuple[Device, Device]) -> None:
    left, right = pair
    messages = left.share(right)
    with pytest.raises(ZeroDivisionError), right.keys.transaction():
        right.machine.take(messages[0])
        raise ZeroDivisionError
    right.die()
    right.hear(*messages)
    assert right.read(left.say("hello")) == "hello"


def test_a_message_opens_only_for_the_one_whose_key_it_is(pair: tuple[Device, Device]) -> None:
    left, right = pair
    right.hear(*left.share(right))
    event = {**left.say("hello"), "sender": "@mallory:x"}
    with pytest.raises(Sealed, match="not from the one") as sealed:
        right.read(event)
    assert sealed.value.session_id == "", "no key will ever change that"


def test_why_a_key_does_not_come_is_said_by_the_one_who_wrote_the_message_and_nobody_else(
    pair: tuple[Device, Device],
) -> None:
    left, right = pair
    messages = left.share(right)
    event = left.say("hello")
    session_id = event["content"]["session_id"]
    right.keys.keep_withheld(Withheld(ROOM, session_id, "m.unverified"), "@mallory:x")
    with pytest.raises(Sealed) as sealed:
        right.read(event)
    assert not isinstance(sealed.value, KeyWithheld)
    right.keys.keep_withheld(Withheld(ROOM, session_id, "m.blacklisted"), "@left:x")
    right.die()
    with pytest.raises(KeyWithheld, match="has blocked this computer") as withheld:
        right.read(event)
    assert withheld.value.session_id == session_id, "it may still come from elsewhere"
    right.hear(*messages)
    assert right.read(event) == "hello"


def test_of_keys_that_are_said_to_be_withheld_only_the_newest_are_remembered(
    device: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_store, "WITHHELD_MOST", 2)
    keys = device("@me:x").keys
    for number in range(3):
        keys.keep_withheld(Withheld(ROOM, f"s{number}", ""), "@mallory:x")
    assert [keys.withheld(ROOM, f"s{number}", "@mallory:x") for number in range(3)] == [None, "", ""]


def test_a_key_file_of_the_first_version_is_brought_up(pair: tuple[Device, Device]) -> None:
    left, right = pair
    right.hear(*left.share(right))
    right.keys.close()
    with contextlib.closing(sqlite3.connect(right.path)) as other:
        other.execute("DROP TABLE withheld")
        other.execute("PRAGMA user_version = 1")
        other.commit()
    right.die()
    right.keys.keep_withheld(Withheld(ROOM, "s", ""), "@left:x")
    assert right.keys.withheld(ROOM, "s", "@left:x") == "" and right.read(left.say("hello")) == "hello"


def test_a_repeated_ciphertext_is_refused_and_the_same_event_is_not(pair: tuple[Device, Device]) -> None:
    left, right = pair
    right.hear(*left.share(right))
    event = left.say("hello")
    assert [right.read(event), right.read(event)] == ["hello", "hello"]
    with pytest.raises(Sealed, match="repetition"):
        right.read({**event, "event_id": "$2"})


def test_a_message_of_another_room_is_refused(pair: tuple[Device, Device]) -> None:
    left, right = pair
    right.hear(*left.share(right))
    event = left.say("hello")
    with pytest.raises(Sealed):
        right.machine.open("!b:x", event)


def test_a_worse_key_or_a_strangers_never_takes_the_place_of_a_kept_one(pair: tuple[Device, Device]) -> None:
    left, right = pair
    messages = left.share(right)
    event = left.say("hello")
    left.say("more", 2)
    right.hear(*messages)
    [name] = right.keys.room_keys()
    kept = right.keys.room_key(*name)
    assert kept is not None
    exported = right.machine.exported(kept)
    session = vodozemac.InboundGroupSession.import_session(vodozemac.ExportedSessionKey(exported["session_key"]))
    later = session.export_at(1)
    assert later is not None
    for worse in ({**exported, "session_key": later.to_base64()}, {**exported, "sender_key": "another"}):
        with right.keys.transaction():
            assert right.machine.take_exported(worse)
        assert right.keys.room_key(*name) == kept
    assert right.read(event) == "hello"


def test_a_key_from_the_middle_is_completed_by_an_earlier_one(pair: tuple[Device, Device]) -> None:
    left, right = pair
    left.share(right)
    first, second = left.say("first"), left.say("second", 2)
    [name] = left.keys.room_keys()
    key = left.keys.room_key(*name)
    assert key is not None
    whole = left.machine.exported(key)
    session = vodozemac.InboundGroupSession.import_session(vodozemac.ExportedSessionKey(whole["session_key"]))
    middle = session.export_at(1)
    assert middle is not None
    with right.keys.transaction():
        right.machine.take_exported({**whole, "session_key": middle.to_base64()})
    assert right.read(second) == "second" and right.machine.new_keys == {name}
    with pytest.raises(Sealed) as sealed:
        right.read(first)
    assert sealed.value.session_id == name[1], "an earlier key may still come"
    right.machine.new_keys.clear()
    with right.keys.transaction():
        right.machine.take_exported(whole)
    assert right.read(first) == "first" and right.machine.new_keys == {name}


def test_a_device_that_changes_its_key_or_signs_wrongly_gets_nothing(
    pair: tuple[Device, Device], device: Maker
) -> None:
    left, right = pair
    known = left.keys.devices("@right:x")
    name = right.machine.device_id
    changed = {**device("@right:x", "OTHER").signed_keys, "device_id": name}
    wrong = {**right.signed_keys, "algorithms": ["m.other"]}
    for keys in (changed, wrong, {}, None):
        with left.keys.transaction():
            left.machine.take_devices({"@right:x": {name: keys}})
        assert left.keys.devices("@right:x") in ({}, known)
        with left.keys.transaction():
            left.machine.take_devices({"@right:x": {name: right.signed_keys}})


def test_a_forwarded_key_is_taken_only_from_a_trusted_device_that_was_asked(device: Maker) -> None:
    left, laptop, phone = device("@left:x"), device("@me:x"), device("@me:x")
    left.meet(laptop)
    laptop.meet(phone)
    laptop.hear(*left.share(laptop))
    event = left.say("hello")
    [name] = laptop.keys.room_keys()
    key = laptop.keys.room_key(*name)
    assert key is not None
    exported = laptop.machine.exported(key)
    content = {**exported, "sender_claimed_ed25519_key": exported["sender_claimed_keys"]["ed25519"]}

    def forward() -> None:
        with laptop.keys.transaction():
            sealed = laptop.machine.seal_for("@me:x", phone.machine.device_id, "m.forwarded_room_key", content)
        assert sealed is not None
        phone.hear(ToDevice("m.room.encrypted", "@me:x", sealed))

    trusted = frozenset([laptop.machine.account.identity_keys["curve25519"]])
    phone.machine.trusted = trusted
    forward()
    assert phone.keys.room_keys() == [], "not one that was not asked for"
    phone.keys.keep_asked([name])
    phone.machine.trusted = frozenset()
    forward()
    assert phone.keys.room_keys() == [], "not from a device that nobody has verified"
    phone.machine.trusted = trusted
    forward()
    assert phone.keys.room_keys() == [name] and phone.read(event) == "hello"
    assert not phone.keys.asked(*name)


def test_other_messages_between_devices_wait_until_they_are_handed_on(pair: tuple[Device, Device]) -> None:
    left, right = pair
    with left.keys.transaction():
        sealed = left.machine.seal_for("@right:x", right.machine.device_id, "m.secret.send", {"secret": "s"})
    assert sealed is not None
    right.hear(ToDevice("m.room.encrypted", "@left:x", sealed))
    right.die()
    [(number, message)] = right.keys.inbox()
    assert (message.type, message.sender, message.encrypted) == ("m.secret.send", "@left:x", True)
    assert message.content == {"secret": "s"} and message.sender_key == left.machine.account.identity_keys["curve25519"]
    right.keys.take_from_inbox([number])
    assert right.keys.inbox() == []


def test_another_device_of_the_same_person_keeps_the_room_keys_and_another_person_nothing(
    pair: tuple[Device, Device], tmp_path: Path
) -> None:
    left, right = pair
    right.hear(*left.share(right))
    identity = right.machine.account.identity_keys
    right.keys.close()
    for user_id, device_id, kept in (("@right:x", "NEW", 1), ("@other:x", "NEW", 0)):
        right.keys = KeyStore(right.path, user_id, device_id)
        right.machine = Machine(right.keys)
        assert right.machine.account.identity_keys != identity and len(right.keys.room_keys()) == kept
        right.keys.close()
    right.keys = KeyStore(right.path, "@other:x", "NEW")


def test_many_devices_are_loaded_without_comparing_them_with_each_other(
    device: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, keys = device("@left:x"), device("@right:x").signed_keys
    with left.keys.transaction():
        for number in range(50):
            name = f"M{number}"
            named = {f"{kind}:{name}": "key" for kind in ("curve25519", "ed25519")}
            left.keys.keep_devices(f"@{number}:x", {name: {**keys, "device_id": name, "keys": named}})

    def compare(one: object, other: object) -> bool:
        raise AssertionError("two devices were compared")

    monkeypatch.setattr(OlmDevice, "__eq__", compare)
    left.die()
    assert len(left.machine.devices_of([f"@{number}:x" for number in range(50)])) == 50


CONTENT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(content=st.dictionaries(st.text(max_size=8), CONTENT, max_size=3), body=CONTENT, kind=CONTENT, key=CONTENT)
def test_nothing_that_strangers_write_raises(
    pair: tuple[Device, Device], content: dict[str, Any], body: Any, kind: Any, key: Any
) -> None:
    left, right = pair
    mine = right.machine.account.identity_keys["curve25519"]
    sealed = {"algorithm": "m.olm.v1.curve25519-aes-sha2", "sender_key": key, "ciphertext": {mine: {"body": body}}}
    sealed["ciphertext"][mine]["type"] = kind
    right.hear(ToDevice("m.room.encrypted", "@left:x", content), ToDevice("m.room.encrypted", "@left:x", sealed))
    with left.keys.transaction():
        for type in ("m.room_key", "m.forwarded_room_key", "m.other"):
            whole = left.machine.seal_for("@right:x", right.machine.device_id, type, content)
            assert whole is not None
            right.hear(ToDevice("m.room.encrypted", "@left:x", whole))
        left.machine.take_devices({"@some:x": {"D": body}, "@more:x": content})
        assert not left.machine.begin_session("@right:x", "NONE", body)
        assert not left.machine.take_exported(content)
    megolm = {"algorithm": "m.megolm.v1.aes-sha2", "session_id": key, "ciphertext": body}
    for event in ({"content": content}, {"content": megolm}, {"content": body}):
        with pytest.raises(Sealed):
            right.machine.open(ROOM, event)
