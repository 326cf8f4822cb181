"""Verification by emoji: both roles, both ways of travelling, what goes wrong; and any order of messages at all."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lobby.core.batch import Json
from lobby.core.sas import Party, TheirKeys
from lobby.core.verification import START_AFTER, Effect, Flow, LookUp, Matched, Send, Step
from lobby.core.verification_messages import AHEAD, KEY, LASTS, MAC, REQUEST, START, read_request, sent_in_clear
from lobby.core.views import VerificationPhase as Phase

LEFT, RIGHT = Party("@left:test", "LEFTDEV"), Party("@right:test", "RIGHTDEV")
PHONE = Party("@left:test", "APHONE")
NOW = 1_000_000.0


class ToySecret:
    """Stands for the agreement of two devices: equal exactly when the two public keys are."""

    def __init__(self, one: str, other: str) -> None:
        self._seed = "|".join(sorted((one, other)))

    def emoji(self, info: str) -> Sequence[int]:
        return [byte % 64 for byte in self._digest(info)[:7]]

    def mac(self, text: str, info: str) -> str:
        return self._digest(f"{info}\0{text}").hex()

    def _digest(self, text: str) -> bytes:
        return hashlib.sha256(f"{self._seed}\0{text}".encode()).digest()


class ToySas:
    def __init__(self, name: str) -> None:
        self.public_key = name

    def agree(self, their_key: str) -> ToySecret:
        if their_key.startswith("bad"):
            raise ValueError("bad key")
        return ToySecret(self.public_key, their_key)


def keys_of(party: Party) -> dict[str, str]:
    user = party.user_id[1:]
    return {f"ed25519:{party.device_id}": f"key of {party.device_id}", f"ed25519:master{user}": f"master{user}"}


def shown(party: Party) -> TheirKeys:
    return TheirKeys(f"key of {party.device_id}", f"master{party.user_id[1:]}")


@dataclass
class End:
    """One device with its flow, and what it has said that the other has not heard yet."""

    me: Party
    flow: Flow
    said: list[Send] = field(default_factory=list)
    matched: list[Matched] = field(default_factory=list)
    looks_up: bool = False

    def do(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send():
                    self.said.append(effect)
                case LookUp():
                    self.looks_up = True
                case Matched():
                    self.matched.append(effect)


def pair(room_id: str = "!room", other: Party = RIGHT, one: Party = LEFT) -> tuple[End, End]:
    """``one`` has asked ``other``, whose request is on the way."""
    ends = []
    for me, them in ((one, other), (other, one)):
        flow = Flow("$id", me, them.user_id, room_id, new_sas(me), NOW)
        ends.append(End(me, flow))
    asker, asked = ends
    asker.do(asker.flow.ask(() if room_id else (other.device_id,), NOW))
    request = read_request(
        {"from_device": one.device_id, "methods": ["m.sas.v1"]}, "$id", one.user_id, room_id, int(NOW * 1000), NOW
    )
    assert request
    asked.do(asked.flow.offer(request, NOW))
    asker.said.clear()
    return asker, asked


def new_sas(me: Party) -> Callable[[], ToySas]:
    return lambda: ToySas(f"{me.device_id}key")


def deliver(source: End, target: End, now: float = NOW) -> list[str]:
    """All that ``source`` has said so far arrives; returns the kinds."""
    said, source.said = source.said, []
    for message in said:
        target.do(target.flow.hear(message.kind, message.content, now))
    return [message.kind.rpartition(".")[2] for message in said]


def exchange(asker: End, asked: End, now: float = NOW) -> None:
    """Until neither says anything more; keys that are looked up are found."""
    while asker.said or asked.said:
        deliver(asker, asked, now)
        deliver(asked, asker, now)
        for end, other in ((asker, asked), (asked, asker)):
            if end.looks_up:
                end.looks_up = False
                end.do(end.flow.know(shown(other.me), now))


def agreed(room_id: str = "!room", other: Party = RIGHT) -> tuple[End, End]:
    """Both see emoji."""
    asker, asked = pair(room_id, other)
    asked.do(asked.flow.agree(NOW))
    exchange(asker, asked)
    assert asker.flow.phase is asked.flow.phase is Phase.COMPARING
    return asker, asked


@pytest.mark.parametrize(("room_id", "other"), [("!room", RIGHT), ("", PHONE)])
def test_both_see_the_same_and_end_done(room_id: str, other: Party) -> None:
    asker, asked = agreed(room_id, other)
    assert asker.flow.emoji == asked.flow.emoji
    assert len(asker.flow.emoji) == 7
    asker.do(asker.flow.confirm(keys_of(LEFT), NOW))
    exchange(asker, asked)
    assert asker.flow.phase is Phase.CONFIRMED
    assert asked.flow.phase is Phase.COMPARING
    asked.do(asked.flow.confirm(keys_of(other), NOW))
    exchange(asker, asked)
    for end, them in ((asker, other), (asked, LEFT)):
        theirs = shown(them)
        assert end.matched == [Matched(them.device_id, theirs.device_key, theirs.master_key)]
        assert end.flow.step is Step.SIGNING
        end.flow.signed(NOW)
    assert [end.flow.phase for end in (asker, asked)] == [Phase.DONE, Phase.DONE]


def test_what_goes_from_device_to_device_names_the_transaction_and_goes_to_the_device_that_answered() -> None:
    asker = End(LEFT, Flow("txn", LEFT, LEFT.user_id, "", new_sas(LEFT), NOW))
    asker.do(asker.flow.ask(("APHONE", "BPHONE"), NOW))
    (request,) = asker.said
    assert (request.kind, request.devices) == (REQUEST, ("APHONE", "BPHONE"))
    assert request.content == {
        "from_device": "LEFTDEV",
        "methods": ["m.sas.v1"],
        "timestamp": int(NOW * 1000),
        "transaction_id": "txn",
    }
    asker.said.clear()
    asker.do(asker.flow.hear("m.key.verification.ready", {"from_device": "APHONE", "methods": ["m.sas.v1"]}, NOW))
    told, start = asker.said
    assert (told.content["code"], told.devices) == ("m.accepted", ("BPHONE",))
    assert (start.kind, start.devices) == (START, ("APHONE",))
    asker.do(asker.flow.hear("m.key.verification.ready", {"from_device": "BPHONE", "methods": ["m.sas.v1"]}, NOW))
    assert asker.flow.phase is Phase.BEGINNING


def test_what_goes_through_a_room_relates_to_the_request() -> None:
    _, asked = pair()
    asked.do(asked.flow.agree(NOW))
    (ready,) = asked.said
    assert ready.content["m.relates_to"] == {"rel_type": "m.reference", "event_id": "$id"}
    assert "transaction_id" not in ready.content


def test_who_was_asked_begins_when_the_other_waits_for_a_press_of_a_button() -> None:
    _, asked = pair()
    asked.do(asked.flow.agree(NOW))
    asked.said.clear()
    assert asked.flow.next_wake() == NOW + START_AFTER
    asked.do(asked.flow.wake(NOW + START_AFTER))
    assert [message.kind for message in asked.said] == [START]


def test_when_both_begin_at_once_the_smaller_ids_count() -> None:
    asker, asked = pair()
    asked.do(asked.flow.agree(NOW))
    ready = asked.said.pop()
    asker.do(asker.flow.hear(ready.kind, ready.content, NOW))
    asked.do(asked.flow.wake(NOW + START_AFTER))
    assert [message.kind for end in (asker, asked) for message in end.said] == [START, START]
    exchange(asker, asked)
    assert asker.flow.phase is asked.flow.phase is Phase.COMPARING
    assert asker.flow.emoji == asked.flow.emoji


def test_differing_emoji_cancel_both_and_say_so() -> None:
    asker, asked = agreed()
    asker.do(asker.flow.cancel(mismatch=True, now=NOW))
    assert asker.said[0].content["code"] == "m.mismatched_sas"
    exchange(asker, asked)
    assert asker.flow.phase is asked.flow.phase is Phase.CANCELLED
    assert "somebody may be between you" in asker.flow.reason
    assert "saw other emoji" in asked.flow.reason


def test_somebody_in_between_who_puts_another_key_in_breaks_the_commitment() -> None:
    asker, asked = pair()
    asked.do(asked.flow.agree(NOW))
    deliver(asked, asker)
    asker.do(asker.flow.know(shown(RIGHT), NOW))
    deliver(asker, asked)
    deliver(asked, asker)
    deliver(asker, asked)
    (key,) = asked.said
    asker.do(asker.flow.hear(KEY, {**key.content, "key": "key of somebody else"}, NOW))
    assert asker.said[-1].content["code"] == "m.mismatched_commitment"
    assert asker.flow.phase is Phase.CANCELLED


@pytest.mark.parametrize(
    "forged", [TheirKeys("another key", "masterright:test"), TheirKeys("key of RIGHTDEV", "another master")]
)
def test_keys_at_the_homeserver_that_are_not_those_of_the_other_end_cancel(forged: TheirKeys) -> None:
    asker, asked = pair()
    asked.do(asked.flow.agree(NOW))
    deliver(asked, asker)
    asker.looks_up = False
    asker.do(asker.flow.know(forged, NOW))
    exchange(asker, asked)
    asker.do(asker.flow.confirm(keys_of(LEFT), NOW))
    asked.do(asked.flow.confirm(keys_of(RIGHT), NOW))
    exchange(asker, asked)
    assert asker.flow.phase is asked.flow.phase is Phase.CANCELLED
    assert not asker.matched and not asked.matched
    assert "Nothing was signed" in asker.flow.reason


def test_a_device_named_like_a_master_key_verifies_nothing() -> None:
    sly = Party("@right:test", "masterright:test")
    asker, asked = pair("!room", sly)
    asked.do(asked.flow.agree(NOW))
    exchange(asker, asked)
    asker.do(asker.flow.confirm(keys_of(LEFT), NOW))
    asked.do(asked.flow.confirm({"ed25519:masterright:test": "masterright:test"}, NOW))
    exchange(asker, asked)
    assert asker.flow.phase is Phase.CANCELLED and not asker.matched


def test_a_person_who_vouches_for_no_identity_is_not_verified() -> None:
    asker, asked = agreed()
    asker.do(asker.flow.confirm(keys_of(LEFT), NOW))
    asked.do(asked.flow.confirm({"ed25519:RIGHTDEV": "key of RIGHTDEV"}, NOW))
    exchange(asker, asked)
    assert asker.flow.phase is Phase.CANCELLED and not asker.matched


def test_a_device_without_an_identity_is_vouched_for_alone() -> None:
    asker, asked = agreed("", PHONE)
    asker.do(asker.flow.confirm(keys_of(LEFT), NOW))
    asked.do(asked.flow.confirm({"ed25519:APHONE": "key of APHONE"}, NOW))
    exchange(asker, asked)
    assert asker.matched == [Matched("APHONE", "key of APHONE", "")]


def test_after_ten_minutes_both_give_up() -> None:
    asker, asked = agreed()
    assert asker.flow.next_wake() == NOW + LASTS
    asker.do(asker.flow.wake(NOW + LASTS))
    assert asker.said[0].content["code"] == "m.timeout"
    exchange(asker, asked, NOW + LASTS)
    assert asker.flow.phase is asked.flow.phase is Phase.CANCELLED
    assert asker.flow.next_wake() is None


def test_another_own_device_that_answers_first_ends_the_offer_without_a_word() -> None:
    _, asked = pair()
    asked.do(asked.flow.elsewhere(NOW))
    assert asked.flow.phase is Phase.CANCELLED and not asked.said
    assert "another device" in asked.flow.reason


def test_what_could_not_be_signed_is_not_done() -> None:
    asker, asked = agreed()
    asker.do(asker.flow.confirm(keys_of(LEFT), NOW))
    asked.do(asked.flow.confirm(keys_of(RIGHT), NOW))
    exchange(asker, asked)
    asker.do(asker.flow.failed("The homeserver did not answer.", NOW))
    assert (asker.flow.phase, asker.flow.reason) == (Phase.CANCELLED, "The homeserver did not answer.")
    assert not asker.said


@pytest.mark.parametrize(
    ("kind", "content", "code"),
    [
        ("start", {"from_device": "LEFTDEV", "method": "m.reciprocate.v1"}, "m.unknown_method"),
        ("start", {"from_device": "OTHER", "method": "m.sas.v1"}, "m.unexpected_message"),
        ("mac", {"mac": {}, "keys": ""}, "m.unexpected_message"),
        ("nonsense", {}, "m.unexpected_message"),
    ],
)
def test_what_is_not_understood_cancels_with_the_code_for_it(kind: str, content: Json, code: str) -> None:
    _, asked = pair()
    asked.do(asked.flow.agree(NOW))
    asked.said.clear()
    asked.do(asked.flow.hear(f"m.key.verification.{kind}", content, NOW))
    assert [message.content["code"] for message in asked.said] == [code]
    assert asked.flow.phase is Phase.CANCELLED


def test_one_who_cannot_compare_emoji_is_told_at_once() -> None:
    asked = End(RIGHT, Flow("$id", RIGHT, LEFT.user_id, "!room", new_sas(RIGHT), NOW))
    content = {"from_device": "LEFTDEV", "methods": ["m.qr_code.scan.v1"]}
    request = read_request(content, "$id", LEFT.user_id, "!room", int(NOW * 1000), NOW)
    assert request
    asked.do(asked.flow.offer(request, NOW))
    assert asked.said[0].content["code"] == "m.unknown_method"


@pytest.mark.parametrize(
    ("age", "taken"), [(0.0, True), (LASTS - 1, True), (LASTS, False), (-AHEAD, True), (-AHEAD - 1, False)]
)
def test_an_old_request_is_none(age: float, taken: bool) -> None:
    content = {"from_device": "LEFTDEV", "methods": ["m.sas.v1"]}
    request = read_request(content, "$id", LEFT.user_id, "!room", int((NOW - age) * 1000), NOW)
    assert (request is not None) is taken


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["m.sas.v1", "LEFTDEV"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = [
    "from_device",
    "methods",
    "method",
    "key_agreement_protocols",
    "hashes",
    "message_authentication_codes",
    "short_authentication_string",
    "key_agreement_protocol",
    "hash",
    "message_authentication_code",
    "commitment",
    "key",
    "mac",
    "keys",
    "code",
]
contents = st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=6)
KINDS = ["ready", "start", "accept", "key", "mac", "done", "cancel", "request", "bogus"]


@given(json_values, json_values, json_values)
def test_garbage_is_no_request(content: object, id: object, at: object) -> None:
    read_request(content, id, "@left:test", "", at, NOW)


class AnyOrder(RuleBasedStateMachine):
    """Two ends, a network that loses, repeats, reorders and forges, and people who press what they like."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.ends: list[End] = []
        self.sent: list[list[Send]] = [[], []]
        self.said_yes = [False, False]

    @initialize(begun=st.booleans(), devices=st.booleans())
    def begin(self, begun: bool, devices: bool) -> None:
        make = agreed if begun else pair
        self.ends = list(make("", PHONE) if devices else make())

    def _after(self) -> None:
        for which, end in enumerate(self.ends):
            self.sent[which] += end.said
            end.said.clear()

    @rule(which=st.sampled_from([0, 1]))
    def agree(self, which: int) -> None:
        self.ends[which].do(self.ends[which].flow.agree(self.now))
        self._after()

    @rule(which=st.sampled_from([0, 1]))
    def confirm(self, which: int) -> None:
        end = self.ends[which]
        self.said_yes[which] |= end.flow.phase is Phase.COMPARING
        end.do(end.flow.confirm(keys_of(end.me), self.now))
        self._after()

    @rule(which=st.sampled_from([0, 1]), mismatch=st.booleans())
    def cancel(self, which: int, mismatch: bool) -> None:
        self.ends[which].do(self.ends[which].flow.cancel(mismatch, self.now))
        self._after()

    @precondition(lambda self: any(self.sent))
    @rule(data=st.data(), again=st.booleans())
    def arrive(self, data: st.DataObject, again: bool) -> None:
        which = data.draw(st.sampled_from([which for which in (0, 1) if self.sent[which]]))
        number = data.draw(st.integers(0, min(2, len(self.sent[which]) - 1)))
        message = self.sent[which][number] if again else self.sent[which].pop(number)
        other = self.ends[1 - which]
        other.do(other.flow.hear(message.kind, message.content, self.now))
        self._after()

    @rule(which=st.sampled_from([0, 1]), kind=st.sampled_from(KINDS), content=contents)
    def forge(self, which: int, kind: str, content: Json) -> None:
        self.ends[which].do(self.ends[which].flow.hear(f"m.key.verification.{kind}", content, self.now))
        self._after()

    @rule(which=st.sampled_from([0, 1]), right=st.booleans())
    def look_up(self, which: int, right: bool) -> None:
        end, other = self.ends[which], self.ends[1 - which]
        if end.looks_up:
            end.looks_up = False
            keys = shown(other.me) if right else TheirKeys("wrong", "wrong")
            end.do(end.flow.know(keys, self.now))
            self._after()

    @rule(seconds=st.sampled_from([1.0, START_AFTER, LASTS]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        for end in self.ends:
            end.do(end.flow.wake(self.now))
        self._after()

    @rule(which=st.sampled_from([0, 1]), works=st.booleans())
    def sign(self, which: int, works: bool) -> None:
        flow = self.ends[which].flow
        if works:
            flow.signed(self.now)
        else:
            flow.failed("It did not work.", self.now)

    @invariant()
    def done_only_when_all_fits(self) -> None:
        for which, end in enumerate(self.ends):
            if end.flow.step in (Step.SIGNING, Step.DONE):
                other = self.ends[1 - which]
                assert self.said_yes[which]
                assert end.matched == [
                    Matched(other.me.device_id, shown(other.me).device_key, shown(other.me).master_key)
                ]
                # The codes it checked can only have been made by the other end, after the other person's word.
                assert self.said_yes[1 - which]
            else:
                assert not end.matched or end.flow.phase is Phase.CANCELLED
            assert bool(end.flow.reason) is (end.flow.phase is Phase.CANCELLED)
            assert end.flow.over or end.flow.step is Step.SIGNING or end.flow.next_wake() is not None

    def teardown(self) -> None:
        for end in self.ends:
            end.do(end.flow.wake(self.now + LASTS))
            end.flow.signed(self.now)
            assert end.flow.over


TestAnyOrder = AnyOrder.TestCase


def test_codes_that_come_before_the_person_has_looked_wait_for_the_word() -> None:
    asker, asked = agreed()
    asked.do(asked.flow.confirm(keys_of(RIGHT), NOW))
    assert deliver(asked, asker) == ["mac"]
    assert asker.flow.phase is Phase.COMPARING
    asker.do(asker.flow.confirm(keys_of(LEFT), NOW))
    assert [message.kind.rpartition(".")[2] for message in asker.said] == ["mac", "done"]
    assert MAC.endswith("mac")


def test_what_came_unencrypted_is_found_in_the_news() -> None:
    asks = {"type": "m.room.message", "content": {"msgtype": REQUEST}}
    ready = {"type": "m.key.verification.ready", "content": {}}
    others = [{"type": "m.room.message", "content": {"msgtype": "m.text"}}, {"type": "m.key.verification.ready"}, None]
    news = {"rooms": {"join": {"!room": {"timeline": {"events": [asks, *others, ready]}}, "!quiet": {}}}}
    assert sent_in_clear(news) == [("!room", asks), ("!room", ready)]


@given(json_values)
def test_garbage_brings_no_verification(value: object) -> None:
    for news in (value, {"rooms": value}, {"rooms": {"join": value}}, {"rooms": {"join": {"!r": {"timeline": value}}}}):
        assert sent_in_clear(news) == []
