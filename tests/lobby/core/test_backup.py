"""The key backup: its entries, what is still to be given to it, and how often it is asked."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lobby.core import backup, unpadded
from lobby.core.backup import Asking, Feed, Place

PLACE = ("!room:here", "session")


def exported(index: int) -> str:
    return unpadded.encode(b"\1" + index.to_bytes(4, "big") + bytes(160))


def session(index: int = 0) -> dict[str, Any]:
    return {
        "algorithm": "m.megolm.v1.aes-sha2",
        "room_id": PLACE[0],
        "session_id": PLACE[1],
        "session_key": exported(index),
        "sender_key": "curve",
        "sender_claimed_keys": {"ed25519": "ed"},
        "forwarding_curve25519_key_chain": [],
    }


def test_an_entry_says_from_where_on_it_opens() -> None:
    encrypted = {"ciphertext": "c", "mac": "m", "ephemeral": "e"}
    assert backup.entry(session(7), encrypted) == {
        "first_message_index": 7,
        "forwarded_count": 0,
        "is_verified": False,
        "session_data": encrypted,
    }
    assert backup.encrypted_parts(backup.entry(session(), encrypted)) == ("c", "m", "e")


def test_what_is_encrypted_names_neither_room_nor_session_and_comes_back_with_both() -> None:
    plain = backup.plain_entry(session())
    assert {"room_id", "session_id"}.isdisjoint(json.loads(plain))
    assert backup.opened(PLACE, plain) == session()


def test_a_session_cannot_claim_another_place_than_it_lay_in() -> None:
    plain = json.dumps({**session(), "room_id": "!other:here", "session_id": "other"}).encode()
    assert backup.place_of(backup.opened(PLACE, plain)) == PLACE


@pytest.mark.parametrize("key", [None, 1, "", "AQ", "AgAAAAA", "not base64!"])
def test_a_key_of_another_form_has_no_index(key: object) -> None:
    with pytest.raises(ValueError):
        backup.first_index(key)


@given(st.integers(0, 2**32 - 1))
def test_the_index_is_read_from_the_key(index: int) -> None:
    assert backup.first_index(exported(index)) == index


@given(st.binary(max_size=60) | st.sampled_from([b"[1]", b"{}", b'{"session_key":5}', b"[" * 100_000]))
def test_garbage_from_the_backup_is_a_value_error(plain: bytes) -> None:
    with pytest.raises(ValueError):
        backup.opened(PLACE, plain)


@pytest.mark.parametrize("kept", [None, [], {}, {"session_data": 1}, {"session_data": {"ciphertext": "c", "mac": 1}}])
def test_an_entry_of_another_kind_is_a_value_error(kept: object) -> None:
    with pytest.raises(ValueError):
        backup.encrypted_parts(kept)


PLACES = st.sampled_from([("!a", "1"), ("!a", "2"), ("!b", "1"), ("!b", "3")])
INDEXES = st.integers(0, 5)


class Feeding(RuleBasedStateMachine):
    """Whatever happens, what is better here than in the backup waits to be given."""

    def __init__(self) -> None:
        super().__init__()
        self.feed = Feed({})
        self.there: dict[Place, int] = {}
        self.here: dict[Place, int] = {}

    @rule(place=PLACES, index=INDEXES)
    def key_comes(self, place: Place, index: int) -> None:
        if index < self.here.get(place, 99):
            self.here[place] = index
            self.feed.came([place])

    @rule()
    def restarted(self) -> None:
        self.feed = Feed(self.there)
        self.feed.held(self.here)

    @rule(most=st.integers(1, 3))
    def batch_is_taken(self, most: int) -> None:
        batch = self.feed.next(most)
        assert len(batch) <= most
        news = {place: self.here[place] for place in batch if self.feed.is_news(place, self.here[place])}
        self.there.update({place: min(index, self.there.get(place, index)) for place, index in news.items()})
        self.feed.gave(news)
        self.feed.skip([place for place in batch if place not in news])

    @rule(place=PLACES, index=INDEXES)
    def key_comes_from_the_backup(self, place: Place, index: int) -> None:
        if place in self.there:
            self.feed.gave({place: self.there[place]})
            if self.there[place] < self.here.get(place, 99):
                self.here[place] = self.there[place]
            elif self.here[place] < self.there[place]:
                self.feed.came([place])

    @rule()
    def another_backup(self) -> None:
        self.there = {}
        self.feed.begin_anew()
        self.feed.held(self.here)

    @invariant()
    def nothing_better_is_forgotten(self) -> None:
        waiting = set(self.feed.next(99))
        assert len(waiting) == self.feed.waiting
        assert {place for place, index in self.here.items() if index < self.there.get(place, 99)} <= waiting


TestFeeding = Feeding.TestCase


def test_what_came_from_the_backup_is_not_given_back() -> None:
    feed = Feed({})
    feed.gave({PLACE: 3})
    feed.held({PLACE: 3})
    assert feed.waiting == 0
    assert not feed.is_news(PLACE, 3)
    assert feed.is_news(PLACE, 2)


def test_asking_gets_rare_and_never_ends() -> None:
    asking, now, asked = Asking(), 0.0, []
    for minute in range(3 * 24 * 60):
        now = minute * 60.0
        if asking.may_ask(PLACE, now):
            asked.append(minute)
            asking.missed(PLACE, now)
    assert asked[:5] == [0, 1, 5, 21, 85]
    assert len(asked) < 12
    assert asking.may_ask(PLACE, now + backup.LONGEST_WAIT)
    asking.begin_anew()
    assert asking.may_ask(PLACE, now)


def test_what_was_found_is_asked_for_again_at_once() -> None:
    asking = Asking()
    asking.missed(PLACE, 0.0)
    assert not asking.may_ask(PLACE, 1.0)
    asking.found(PLACE)
    assert asking.may_ask(PLACE, 1.0)


def test_only_so_many_are_remembered() -> None:
    asking = Asking()
    for number in range(backup.MOST_REMEMBERED + 10):
        asking.missed(("!r", str(number)), 0.0)
    assert asking.may_ask(("!r", "0"), 1.0)
    assert not asking.may_ask(("!r", "10"), 1.0)
