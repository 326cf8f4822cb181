"""The gateway: what it sends, what it tells the homeserver, and which repeats it knows."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.push.core.gateway import MOST_DEVICES, Gateway, Outcome, Plan, Push, Reply, Trouble
from frontdesk.wire import webpush
from frontdesk.wire.matrix_push import Device, Notification

KEYS = [webpush.receiver_keys(bytes([number] * 40), bytes(16)) for number in range(1, 4)]
LEFT, RIGHT, THIRD = (
    Device("app", keys.p256dh, {"endpoint": f"https://push.example/{number}", "auth": keys.auth})
    for number, keys in enumerate(KEYS)
)


def message(*devices: Device, event_id: str | None = "$1", **fields: Any) -> Notification:
    return Notification(devices, {"event_id": event_id, "room_id": "!r", **fields}, event_id)


def notify(gateway: Gateway, notification: Notification, *outcomes: Outcome) -> Reply:
    plan = gateway.notified(notification)
    assert len(plan.pushes) == len(outcomes)
    return gateway.finished(plan, outcomes)


def test_a_delivered_push_is_a_success() -> None:
    gateway = Gateway()
    plan = gateway.notified(message(LEFT))
    (push,) = plan.pushes
    assert (push.pushkey, push.target.endpoint) == (LEFT.pushkey, "https://push.example/0")
    assert gateway.tried(push, 201) is Outcome.DELIVERED
    assert gateway.finished(plan, (Outcome.DELIVERED,)) == Reply(200)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 507])
def test_a_push_that_may_yet_succeed_makes_the_homeserver_ask_again(status: int) -> None:
    gateway = Gateway()
    plan = gateway.notified(message(LEFT))
    assert gateway.tried(plan.pushes[0], status) is Outcome.LATER
    assert gateway.finished(plan, (Outcome.LATER,)) == Reply(502)


@pytest.mark.parametrize("trouble", [Trouble.UNREACHABLE, Trouble.NAME_REFUSED])
def test_an_endpoint_that_cannot_be_reached_is_tried_again(trouble: Trouble) -> None:
    gateway = Gateway()
    assert gateway.tried(gateway.notified(message(LEFT)).pushes[0], trouble) is Outcome.LATER


@pytest.mark.parametrize("answer", [404, 410, 301, 307, 400, 403, Trouble.ADDRESS_REFUSED, Trouble.NOT_AN_ADDRESS])
def test_a_dead_subscription_is_rejected(answer: int | Trouble) -> None:
    gateway = Gateway()
    plan = gateway.notified(message(LEFT, RIGHT))
    assert gateway.tried(plan.pushes[0], answer) is Outcome.NEVER
    assert gateway.finished(plan, (Outcome.NEVER, Outcome.DELIVERED)) == Reply(200, (LEFT.pushkey,))


@pytest.mark.contract("P11")
def test_a_device_without_usable_keys_is_rejected_without_a_push() -> None:
    assert notify(Gateway(), message(Device("app", "no key"))) == Reply(200, ("no key",))


def test_a_repeat_is_not_sent_again() -> None:
    gateway = Gateway()
    assert notify(gateway, message(LEFT), Outcome.DELIVERED) == Reply(200)
    assert notify(gateway, message(LEFT)) == Reply(200)
    assert notify(gateway, message(LEFT, event_id="$2"), Outcome.DELIVERED) == Reply(200)


def test_only_what_failed_is_sent_again() -> None:
    gateway = Gateway()
    assert notify(gateway, message(LEFT, RIGHT), Outcome.DELIVERED, Outcome.LATER) == Reply(502)
    plan = gateway.notified(message(LEFT, RIGHT))
    assert [push.pushkey for push in plan.pushes] == [RIGHT.pushkey]
    assert gateway.finished(plan, (Outcome.DELIVERED,)) == Reply(200)


def test_a_repeat_of_what_is_being_sent_has_to_wait() -> None:
    gateway = Gateway()
    first = gateway.notified(message(LEFT))
    assert notify(gateway, message(LEFT)) == Reply(502)
    assert gateway.finished(first, (Outcome.DELIVERED,)) == Reply(200)
    assert notify(gateway, message(LEFT)) == Reply(200)


def test_a_device_named_twice_gets_one_push() -> None:
    assert notify(Gateway(), message(LEFT, LEFT), Outcome.DELIVERED) == Reply(200)


def test_what_failed_is_no_repeat() -> None:
    gateway = Gateway()
    assert notify(gateway, message(LEFT), Outcome.LATER) == Reply(502)
    assert notify(gateway, message(LEFT), Outcome.DELIVERED) == Reply(200)


def test_badges_have_no_identity_and_are_never_repeats() -> None:
    gateway = Gateway()
    for _ in range(2):
        assert notify(gateway, message(LEFT, event_id=None), Outcome.DELIVERED) == Reply(200)


def test_the_oldest_deliveries_are_forgotten_first() -> None:
    gateway = Gateway(remember=2)
    for event_id in ("$1", "$2", "$3"):
        notify(gateway, message(LEFT, event_id=event_id), Outcome.DELIVERED)
    assert gateway.notified(message(LEFT, event_id="$3")).pushes == ()
    assert gateway.notified(message(LEFT, event_id="$2")).pushes == ()
    assert len(gateway.notified(message(LEFT, event_id="$1")).pushes) == 1


def test_too_large_is_tried_once_more_with_less() -> None:
    gateway = Gateway()
    (push,) = gateway.notified(message(LEFT, content={"body": "x" * 500})).pushes
    smaller = gateway.tried(push, 413)
    assert isinstance(smaller, Push)
    assert len(smaller.payload) < 100 < len(push.payload)
    assert gateway.tried(smaller, 201) is Outcome.DELIVERED
    assert gateway.tried(smaller, 413) is Outcome.NEVER


def crowd(number: int) -> list[Device]:
    """That many devices, each with keys and an endpoint."""
    return [
        Device("app", f"key {n}", {"endpoint": f"https://p/{n}", "p256dh": LEFT.pushkey, "auth": KEYS[0].auth})
        for n in range(number)
    ]


def test_a_crowd_of_devices_is_reached_a_hundred_at_a_time() -> None:
    """The homeserver asks until it hears 200; then everybody was pushed to once, and the dead ones are all named."""
    gateway = Gateway()
    pushed: list[str] = []
    dead = {f"key {number}" for number in range(0, 250, 3)}
    devices = [*crowd(250), Device("app", "no key")]
    for _ in range(3):
        plan = gateway.notified(message(*devices))
        assert len(plan.pushes) <= MOST_DEVICES
        pushed += [push.pushkey for push in plan.pushes]
        outcomes = tuple(Outcome.NEVER if push.pushkey in dead else Outcome.DELIVERED for push in plan.pushes)
        reply = gateway.finished(plan, outcomes)
    assert sorted(pushed) == sorted(device.pushkey for device in crowd(250))
    assert (reply.status, sorted(reply.rejected)) == (200, sorted({*dead, "no key"}))


def test_devices_that_fail_for_now_do_not_keep_out_the_others() -> None:
    gateway = Gateway()
    devices = crowd(2 * MOST_DEVICES)
    first = gateway.notified(message(*devices))
    assert gateway.finished(first, (Outcome.LATER,) * MOST_DEVICES) == Reply(502)
    second = gateway.notified(message(*devices))
    assert {push.pushkey for push in first.pushes}.isdisjoint(push.pushkey for push in second.pushes)
    assert gateway.finished(second, (Outcome.DELIVERED,) * MOST_DEVICES) == Reply(502)
    third = gateway.notified(message(*devices))
    assert {push.pushkey for push in third.pushes} == {push.pushkey for push in first.pushes}
    assert gateway.finished(third, (Outcome.DELIVERED,) * MOST_DEVICES) == Reply(200)


def test_a_badge_for_a_crowd_is_not_asked_for_again() -> None:
    plan = Gateway().notified(message(*crowd(MOST_DEVICES + 1), event_id=None))
    assert (len(plan.pushes), plan.more) == (MOST_DEVICES, False)


def test_a_dead_device_is_named_again_when_its_answer_was_lost() -> None:
    gateway = Gateway()
    assert notify(gateway, message(LEFT), Outcome.NEVER) == Reply(200, (LEFT.pushkey,))
    assert notify(gateway, message(LEFT)) == Reply(200, (LEFT.pushkey,))


@given(
    st.lists(
        st.tuples(
            st.sets(st.sampled_from([LEFT.pushkey, RIGHT.pushkey, THIRD.pushkey]), min_size=1),
            st.sampled_from(["$1", "$2", "$3"]),
            st.lists(st.sampled_from(Outcome), min_size=3, max_size=3),
            st.booleans(),
        )
    )
)
def test_nothing_is_delivered_twice_and_nothing_that_may_succeed_is_forgotten(
    requests: list[tuple[set[str], str, list[Outcome], bool]],
) -> None:
    """Any mixture of requests, some of them answered only after later ones have come."""
    by_pushkey = {device.pushkey: device for device in (LEFT, RIGHT, THIRD)}
    gateway = Gateway()
    delivered: set[tuple[str, str]] = set()
    dead: set[tuple[str, str]] = set()
    open_plans: list[tuple[Plan, tuple[Outcome, ...]]] = []

    def finish(plan: Plan, outcomes: tuple[Outcome, ...]) -> None:
        reply = gateway.finished(plan, outcomes)
        pending = Outcome.LATER in outcomes or plan.more
        assert reply.status == (502 if pending else 200)
        for push, outcome in zip(plan.pushes, outcomes, strict=True):
            if outcome is Outcome.DELIVERED:
                assert (push.event_id or "", push.pushkey) not in delivered
                delivered.add((push.event_id or "", push.pushkey))
            if outcome is Outcome.NEVER:
                dead.add((push.event_id or "", push.pushkey))

    for pushkeys, event_id, outcomes, at_once in requests:
        plan = gateway.notified(message(*(by_pushkey[key] for key in sorted(pushkeys)), event_id=event_id))
        asked = {push.pushkey for push in plan.pushes}
        in_flight = {
            push.pushkey for open_plan, _ in open_plans for push in open_plan.pushes if push.event_id == event_id
        }
        assert asked == {key for key in pushkeys if (event_id, key) not in delivered | dead and key not in in_flight}
        assert set(plan.rejected) == {key for key in pushkeys if (event_id, key) in dead}
        open_plans.append((plan, tuple(outcomes[: len(plan.pushes)])))
        if at_once:
            finish(*open_plans.pop())
    for plan, outcomes_left in open_plans:
        finish(plan, outcomes_left)
