"""Secrets between devices of one person: only what was asked for is taken, only what may be asked for is wished."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lobby.core import unpadded
from lobby.core.secret_sharing import MOST_WAITING, NAMES, PATIENCE, SecretSharing, Wish

SECRET = b"s" * 32
JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=10),
    lambda inner: st.dictionaries(
        st.sampled_from(["action", "name", "request_id", "requesting_device_id", "secret"]), inner, max_size=5
    ),
    max_leaves=6,
)


def sent(request_id: str, secret: bytes = SECRET) -> dict[str, Any]:
    return {"request_id": request_id, "secret": unpadded.encode(secret)}


def wish(name: str = NAMES[0], device: str = "OTHER", request_id: str = "r") -> dict[str, Any]:
    return {"action": "request", "name": name, "requesting_device_id": device, "request_id": request_id}


def test_a_secret_that_was_asked_for_is_taken() -> None:
    sharing = SecretSharing()
    assert sharing.ask(NAMES[1], "r1", "ME", 0.0) == wish(NAMES[1], "ME", "r1")
    assert sharing.answer(sent("r1"), 1.0) == (NAMES[1], SECRET)
    # Several devices answer; a wrong answer of the first must not keep that of the second out.
    assert sharing.answer(sent("r1", b"t" * 32), 2.0) == (NAMES[1], b"t" * 32)
    assert sharing.request_ids(NAMES[1]) == ["r1"]
    assert sharing.withdraw("r1", "ME")["action"] == "request_cancellation"
    assert sharing.answer(sent("r1"), 3.0) is None


def test_what_nobody_asked_for_is_not_taken() -> None:
    sharing = SecretSharing()
    sharing.ask(NAMES[0], "r1", "ME", 0.0)
    assert sharing.answer(sent("r2"), 1.0) is None
    assert sharing.answer(sent("r1", b"too short"), 1.0) is None
    assert sharing.answer(sent("r1"), PATIENCE + 1.0) is None


def test_a_wish_stays_until_it_is_granted_withdrawn_or_old() -> None:
    sharing = SecretSharing()
    sharing.hear(wish(), "ME", 0.0)
    sharing.hear(wish(request_id="r2"), "ME", 0.0)
    sharing.hear(wish(request_id="r3"), "ME", 5.0)
    sharing.granted(Wish(NAMES[0], "OTHER", "r"))
    sharing.hear({"action": "request_cancellation", "requesting_device_id": "OTHER", "request_id": "r2"}, "ME", 1.0)
    assert sharing.wishes(PATIENCE + 1.0) == [Wish(NAMES[0], "OTHER", "r3")]
    assert sharing.wishes(PATIENCE + 6.0) == []


def test_nobody_cancels_for_another_device() -> None:
    sharing = SecretSharing()
    sharing.hear(wish(), "ME", 0.0)
    sharing.hear({"action": "request_cancellation", "requesting_device_id": "THIRD", "request_id": "r"}, "ME", 1.0)
    assert sharing.wishes(2.0) == [Wish(NAMES[0], "OTHER", "r")]


def test_only_known_secrets_of_other_devices_are_wished_and_not_too_many() -> None:
    sharing = SecretSharing()
    sharing.hear(wish(name="m.other.secret"), "ME", 0.0)
    sharing.hear(wish(device="ME"), "ME", 0.0)
    assert sharing.wishes(0.0) == []
    for number in range(MOST_WAITING + 5):
        sharing.hear(wish(request_id=str(number)), "ME", 0.0)
    assert [kept.request_id for kept in sharing.wishes(0.0)] == [str(n) for n in range(5, MOST_WAITING + 5)]


@given(JSON, JSON)
def test_garbage_is_neither_a_wish_nor_an_answer(asked: Any, answered: Any) -> None:
    sharing = SecretSharing()
    sharing.ask(NAMES[0], "request", "ME", 0.0)
    sharing.hear(asked, "ME", 0.0)
    assert sharing.wishes(0.0) == []
    assert sharing.answer(answered, 0.0) is None
