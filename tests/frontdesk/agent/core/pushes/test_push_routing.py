"""Subscriptions, and the way of a push to its app or to the person in the app's place."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.limits import Limits
from frontdesk.terms import AppState, Condition, Notification, PushKind, Refusal, StopReason, Verdict
from frontdesk.wire import desk as wire
from tests.frontdesk.agent.core.core_driver import FALLBACK, MAIL, NOTES, Driver, apps_of, channel_of, of_type

APP, OTHER = NOTES.id, MAIL.id
S = AppState
CHANNEL = channel_of(APP)
ALERT = b'{"title": "Rain", "body": "from three on", "id": "weather"}'


def stopped(
    kind: PushKind = PushKind.CHANGEABLE_ALERT,
    *,
    limits: Limits | None = None,
    background_off: frozenset[str] = frozenset(),
    fallback: Notification | None = FALLBACK,
) -> Driver:
    driver = Driver(NOTES, MAIL, limits=limits, background_off=background_off)
    driver.subscribe(APP, kind=kind, fallback=fallback)
    return driver


def suspended(kind: PushKind = PushKind.CHANGEABLE_ALERT, *, limits: Limits | None = None) -> Driver:
    driver = stopped(kind, limits=limits)
    driver.open(APP)
    driver.sleep(APP)
    driver.processes[APP].inbox.clear()
    return driver


def wakes(effects: list[do.Effect]) -> int:
    return len(of_type(do.Launch, effects)) + len(of_type(do.Thaw, effects))


def subscribe_asked(name: str = "news", kind: PushKind = PushKind.ALERT, channel: str = CHANNEL) -> ev.SubscribeAsked:
    return ev.SubscribeAsked(APP, 7, 42, name, kind, FALLBACK, channel, "private", "p256dh", "auth")


# --- subscriptions (P01) ------------------------------------------------------------------------------------------


@pytest.mark.contract("P01")
def test_a_subscription_is_answered_with_endpoint_and_keys_once_the_service_gave_them() -> None:
    driver = Driver(NOTES)
    effects = driver.handle(subscribe_asked())
    assert of_type(do.RegisterChannel, effects) == [do.RegisterChannel(CHANNEL)]
    assert of_type(do.Answer, effects) == []
    (answer,) = of_type(do.Answer, driver.handle(ev.ChannelRegistered(CHANNEL, "https://push.example/1")))
    assert answer.asker == 7 and answer.after_save
    assert isinstance(answer.message, wire.Subscribed)
    given_to_app = answer.message.subscription
    assert answer.message.request == 42
    assert (given_to_app.name, given_to_app.kind) == ("news", PushKind.ALERT)
    assert (given_to_app.endpoint, given_to_app.p256dh, given_to_app.auth) == (
        "https://push.example/1",
        "p256dh",
        "auth",
    )


@pytest.mark.contract("P01")
def test_asking_again_gives_the_same_endpoint_and_registers_nothing() -> None:
    driver = stopped(PushKind.ALERT)
    effects = driver.handle(subscribe_asked(channel="another channel"))
    assert of_type(do.RegisterChannel, effects) == []
    (answer,) = of_type(do.Answer, effects)
    assert isinstance(answer.message, wire.Subscribed)
    assert answer.message.subscription.endpoint == f"https://push.example/{CHANNEL}"


@pytest.mark.contract("P01")
def test_the_kind_of_an_endpoint_never_changes() -> None:
    """Asked for another kind, the old endpoint dies with all who know it; the new kind has a new one."""
    driver = stopped(PushKind.ALERT)
    effects = driver.handle(subscribe_asked(kind=PushKind.CHANGEABLE_ALERT, channel="second"))
    assert of_type(do.UnregisterChannel, effects) == [do.UnregisterChannel(CHANNEL)]
    assert of_type(do.RegisterChannel, effects) == [do.RegisterChannel("second")]
    late = driver.handle(ev.PushArrived(CHANNEL, "v1", ALERT, None))
    assert wakes(late) == 0
    assert driver.shown == []
    assert of_type(do.AckPush, late) == [do.AckPush(CHANNEL, "v1", 102)]


@pytest.mark.contract("P01")
@given(st.binary(max_size=60) | st.just(b'{"title": "x", "kind": "changeable_alert", "urgency": "high"}'))
def test_no_payload_raises_an_alert_to_a_wake(data: bytes) -> None:
    driver = suspended(PushKind.ALERT)
    assert wakes(driver.push(APP, data)) == 0
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("P01")
def test_a_changed_endpoint_is_told_at_once_to_an_app_that_is_awake() -> None:
    driver = stopped()
    driver.open(APP)
    effects = driver.handle(ev.PushLinkUp("new uaid", changed=True))
    assert of_type(do.RegisterChannel, effects) == [do.RegisterChannel(CHANNEL)]
    effects = driver.handle(ev.ChannelRegistered(CHANNEL, "https://push.example/new"))
    (told,) = of_type(do.SendKept, effects)
    assert isinstance(told.message, wire.SubscriptionChanged)
    assert told.message.subscription.endpoint == "https://push.example/new"


@pytest.mark.contract("P01")
@pytest.mark.parametrize("state", ["stopped", "suspended"])
def test_a_changed_endpoint_is_told_also_by_waking_the_app(state: str) -> None:
    driver = stopped() if state == "stopped" else suspended()
    driver.handle(ev.PushLinkUp("new uaid", changed=True))
    assert wakes(driver.handle(ev.ChannelRegistered(CHANNEL, "https://push.example/new"))) == 1
    if state == "stopped":
        driver.connect(APP)
    told = [each for each in driver.processes[APP].inbox if isinstance(each, wire.SubscriptionChanged)]
    assert [each.subscription.endpoint for each in told] == ["https://push.example/new"]
    assert driver.state(APP) is S.BACKGROUND, "a frozen app would hear nothing"
    driver.pass_time(Limits().settle)
    assert driver.state(APP) is S.SUSPENDED, "and it sleeps again"


@pytest.mark.contract("P01", "L06")
def test_a_desk_that_died_before_telling_of_an_endpoint_leaves_that_to_the_next() -> None:
    driver = stopped()
    driver.handle(ev.PushLinkUp("new uaid", changed=True))
    effects = driver.desk_dies(ev.ChannelRegistered(CHANNEL, "https://push.example/new"))
    assert wakes(effects) == 1
    driver.connect(APP)
    assert any(isinstance(each, wire.SubscriptionChanged) for each in driver.processes[APP].inbox)


@pytest.mark.contract("P01")
def test_who_may_not_be_woken_hears_of_its_endpoint_when_it_is_opened() -> None:
    driver = suspended()
    driver.handle(ev.QuitAsked(APP))
    driver.handle(ev.PushLinkUp("new uaid", changed=True))
    assert wakes(driver.handle(ev.ChannelRegistered(CHANNEL, "https://push.example/new"))) == 0
    driver.open(APP)
    assert any(isinstance(each, wire.SubscriptionChanged) for each in driver.processes[APP].inbox)


@pytest.mark.contract("P01")
def test_an_endpoint_that_changes_while_the_connection_is_broken_is_told_on_the_next() -> None:
    driver = stopped()
    driver.open(APP)
    driver.drop_connection(APP)
    driver.handle(ev.PushLinkUp("new uaid", changed=True))
    driver.handle(ev.ChannelRegistered(CHANNEL, "https://push.example/new"))
    driver.connect(APP)
    assert any(isinstance(each, wire.SubscriptionChanged) for each in driver.processes[APP].inbox)


def test_a_link_that_comes_back_unchanged_registers_only_what_has_no_endpoint() -> None:
    driver = stopped()
    driver.handle(subscribe_asked("second", channel="second"))
    effects = driver.handle(ev.PushLinkUp("uaid", changed=False))
    assert of_type(do.RegisterChannel, effects) == [do.RegisterChannel("second")]
    assert driver.saved["push_link", "uaid"] == b"uaid"


@pytest.mark.parametrize("why", ["not set", "refused", "away"])
def test_no_push_service_is_said_with_a_reason(why: str) -> None:
    driver = Driver(NOTES, push_service_set=why != "not set")
    effects = driver.handle(subscribe_asked())
    if why == "refused":
        effects = driver.handle(ev.ChannelRefused(CHANNEL, "Too many channels."))
    elif why == "away":
        driver.pass_time(9.9)
        assert of_type(do.Answer, driver.effects) == []
        effects = driver.pass_time(0.1)
    (answer,) = of_type(do.Answer, effects)
    assert isinstance(answer.message, wire.Refused)
    assert (answer.message.reason, answer.message.request) == (Refusal.PUSH_UNAVAILABLE, 42)


def test_an_endpoint_that_comes_after_the_asker_gave_up_is_told_all_the_same() -> None:
    driver = Driver(NOTES)
    driver.open(APP)
    driver.handle(subscribe_asked())
    driver.pass_time(10)
    driver.handle(ev.ChannelRegistered(CHANNEL, "https://push.example/late"))
    assert any(isinstance(each, wire.SubscriptionChanged) for each in driver.processes[APP].inbox)


def test_unsubscribing_removes_all_traces() -> None:
    driver = stopped()
    driver.push(APP)
    before = {machine for machine, _ in driver.saved}
    assert {"subscription", "push", "seen"} <= before
    effects = driver.handle(ev.UnsubscribeAsked(APP, 7, 42, "news"))
    assert of_type(do.UnregisterChannel, effects) == [do.UnregisterChannel(CHANNEL)]
    assert of_type(do.Answer, effects) == [do.Answer(7, wire.Done(42))]
    assert {machine for machine, _ in driver.saved} & {"subscription", "push", "seen"} == set()


def test_an_app_that_is_removed_and_added_again_is_not_thought_awake() -> None:
    driver = stopped()
    driver.open(APP)
    driver.handle(ev.AppRemoved(APP))
    driver.handle(ev.AppAdded(NOTES))
    driver.subscribe(APP)
    assert wakes(driver.push(APP)) == 1


# --- what wakes what ----------------------------------------------------------------------------------------------


@pytest.mark.contract("P02")
@pytest.mark.parametrize("state", ["stopped", "suspended", "foreground", "quit", "off"])
def test_an_alert_is_shown_and_wakes_nobody(state: str) -> None:
    off = frozenset({"*"}) if state == "off" else frozenset[str]()
    driver = stopped(PushKind.ALERT, background_off=off)
    if state in ("suspended", "foreground", "quit"):
        driver.open(APP)
    if state == "suspended":
        driver.sleep(APP)
    if state == "quit":
        driver.handle(ev.QuitAsked(APP))
        driver.exit(APP, 0)
    before = driver.state(APP)
    effects = driver.push(APP, ALERT)
    assert driver.shown == [(APP, Notification("weather", "Rain", "from three on"))]
    assert wakes(effects) == 0
    assert driver.state(APP) is before


@pytest.mark.contract("P02")
@pytest.mark.parametrize("data", [b"", b"not json", b"[]", b'{"body": "no title"}', b'{"title": 3}', b"[" * 5000])
def test_an_alert_that_says_nothing_by_itself_is_shown_as_its_fallback(data: bytes) -> None:
    driver = stopped(PushKind.ALERT)
    driver.push(APP, data)
    assert driver.shown == [(APP, FALLBACK)]


@pytest.mark.contract("P02")
@pytest.mark.parametrize("state", ["stopped", "suspended"])
def test_a_changeable_alert_wakes_and_is_given(state: str) -> None:
    driver = stopped() if state == "stopped" else suspended()
    assert wakes(driver.push(APP, b"secret")) == 1
    if state == "stopped":
        driver.connect(APP)
    (push,) = driver.pushes(APP)
    assert (push.subscription, push.data) == ("news", b"secret")
    assert driver.shown == []
    assert [hold.kind for hold in driver.status(APP).holds] == ["push"]


@pytest.mark.contract("P02")
@pytest.mark.parametrize("state", ["foreground", "background"])
def test_a_changeable_alert_goes_to_an_awake_app_without_any_wake(state: str) -> None:
    driver = stopped()
    driver.open(APP)
    if state == "background":
        driver.begin(APP, 1)
        driver.sleep(APP)
    assert wakes(driver.push(APP)) == 0
    assert len(driver.pushes(APP)) == 1


@pytest.mark.contract("P02", "L04")
@pytest.mark.parametrize("was", ["stopped", "suspended", "foreground"])
def test_a_changeable_alert_for_an_app_that_was_quit_shows_its_fallback(was: str) -> None:
    driver = stopped()
    if was != "stopped":
        driver.open(APP)
    if was == "suspended":
        driver.sleep(APP)
    driver.handle(ev.QuitAsked(APP))
    if was == "foreground":
        driver.exit(APP, 0)
    assert wakes(driver.push(APP)) == 0
    assert driver.shown == [(APP, FALLBACK)]


@pytest.mark.contract("P02")
@pytest.mark.parametrize("off", ["*", APP])
def test_a_changeable_alert_with_background_running_off_shows_its_fallback(off: str) -> None:
    driver = stopped(background_off=frozenset({off}))
    assert wakes(driver.push(APP)) == 0
    assert driver.shown == [(APP, FALLBACK)]


@pytest.mark.contract("L12")
@pytest.mark.parametrize("asleep", [True, False], ids=["suspended", "stopped"])
def test_with_an_empty_battery_and_power_saver_on_alerts_are_shown_and_those_to_be_changed_wake(asleep: bool) -> None:
    driver = suspended() if asleep else stopped()
    driver.subscribe(APP, "weather", PushKind.ALERT)
    for condition, value in ((Condition.POWER, "battery"), (Condition.BATTERY, "1"), (Condition.POWER_SAVER, "on")):
        driver.is_now(condition, value)
    driver.push(APP, ALERT, "weather")
    assert driver.titles() == ["Rain"]
    assert wakes(driver.push(APP, b"secret")) == 1
    if not asleep:
        driver.connect(APP)
    (push,) = driver.pushes(APP)
    driver.answer(APP, push.push, Verdict.SHOW_THIS, Notification("chat", "Ann"))
    assert driver.titles() == ["Rain", "Ann"]


@pytest.mark.contract("P02")
@pytest.mark.parametrize("unseen", [False, True], ids=["in front", "for thirty seconds in the background"])
def test_an_awake_app_has_twenty_five_seconds_for_a_push_too(unseen: bool) -> None:
    driver = stopped()
    driver.open(APP)
    driver.begin(APP, 1)
    if unseen:
        driver.close(APP)
    driver.push(APP)
    driver.pass_time(24.9)
    assert driver.shown == []
    driver.pass_time(0.1)
    assert driver.shown == [(APP, FALLBACK)]


@pytest.mark.contract("P02", "L06")
def test_the_desk_dies_over_a_push_and_the_app_has_twenty_five_seconds_from_its_return() -> None:
    driver = suspended()
    driver.push(APP)
    driver.pass_time(10)
    driver.desk_dies()
    driver.connect(APP)
    driver.begin(APP, 1)
    back = driver.now
    driver.pass_time(5)
    assert driver.shown == []
    driver.to_front(APP)
    driver.pass_time(back + 24.9 - driver.now)
    assert driver.shown == []
    driver.pass_time(0.1)
    assert driver.shown == [(APP, FALLBACK)]


@pytest.mark.contract("L07")
def test_the_pause_before_a_push_is_tried_again_is_a_minute_at_most() -> None:
    driver = stopped(limits=Limits(retry_first=50.0))
    driver.push(APP)
    for pause in (50.0, 60.0):
        driver.exit(APP, 1)
        assert APP not in driver.processes
        driver.pass_time(pause - 0.1)
        assert APP not in driver.processes
        driver.pass_time(0.1)
        assert APP in driver.processes


@pytest.mark.contract("P02")
def test_what_came_too_late_for_a_wake_is_given_as_soon_as_the_person_opens_the_app() -> None:
    driver = suspended()
    driver.push(APP)
    driver.pass_time(22)
    driver.push(APP)
    assert len(driver.pushes(APP)) == 1
    driver.to_front(APP)
    assert len(driver.pushes(APP)) == 2


@pytest.mark.contract("P02")
def test_a_push_that_came_while_the_connection_was_broken_is_in_time_when_the_app_is_back() -> None:
    driver = suspended()
    driver.open(APP)
    driver.begin(APP, 1)
    driver.close(APP)
    driver.drop_connection(APP)
    driver.push(APP, ttl=5.0)
    driver.pass_time(10)
    driver.connect(APP)
    assert len(driver.pushes(APP)) == 1


@pytest.mark.contract("P01")
def test_a_removed_app_is_subscribed_to_nothing_any_more() -> None:
    driver = stopped()
    effects = driver.handle(ev.AppRemoved(APP))
    assert of_type(do.UnregisterChannel, effects) == [do.UnregisterChannel(CHANNEL)]
    assert not [key for machine, key in driver.saved if key.startswith(CHANNEL)]
    driver.handle(ev.AppAdded(NOTES))
    assert (wakes(driver.push(APP)), driver.shown) == (0, [])


def test_an_app_that_is_registered_anew_begins_with_no_wakes() -> None:
    driver = stopped(limits=Limits(push_wakes=1))
    assert wakes(driver.push(APP)) == 1
    driver.handle(ev.AppRemoved(APP))
    driver.handle(ev.AppAdded(NOTES))
    driver.subscribe(APP)
    assert wakes(driver.push(APP)) == 1


@pytest.mark.contract("P02")
def test_quitting_shows_the_fallback_of_what_still_waits() -> None:
    driver = suspended()
    driver.push(APP)
    driver.handle(ev.QuitAsked(APP))
    driver.exit(APP, 0)
    assert driver.shown == [(APP, FALLBACK)]
    assert driver.desk.push_routing.waiting(APP) == 0


# --- the answer, and the time for it (P02) ------------------------------------------------------------------------


@pytest.mark.contract("P02")
@pytest.mark.parametrize(
    ("verdict", "shown"),
    [
        (Verdict.SHOW_THIS, [(APP, Notification("m1", "Ann", "Hello"))]),
        (Verdict.SHOW_AS_IT_IS, [(APP, Notification("weather", "Rain", "from three on"))]),
        (Verdict.SHOW_NOTHING, []),
    ],
)
def test_the_app_decides_what_is_shown_and_sleeps_again(
    verdict: Verdict, shown: list[tuple[str, Notification]]
) -> None:
    driver = suspended()
    driver.push(APP, ALERT)
    (push,) = driver.pushes(APP)
    driver.answer(APP, push.push, verdict, Notification("m1", "Ann", "Hello"))
    assert driver.shown == shown
    assert driver.state(APP) is S.SUSPENDED
    assert driver.processes[APP].inbox[-1] == wire.PushKept(push.push)
    driver.pass_time(60)
    assert driver.shown == shown


@pytest.mark.contract("P02")
def test_exact_bounds_nothing_until_25_seconds_then_the_fallback() -> None:
    driver = suspended()
    driver.push(APP)
    driver.pass_time(24.9)
    assert driver.shown == []
    assert driver.state(APP) is S.BACKGROUND
    driver.pass_time(0.1)
    assert driver.shown == [(APP, FALLBACK)]
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("P02")
def test_the_fallback_may_be_nothing() -> None:
    driver = stopped(fallback=None)
    driver.push(APP)
    driver.connect(APP)
    driver.pass_time(25)
    assert driver.shown == []
    assert driver.desk.push_routing.waiting(APP) == 0


@pytest.mark.contract("P02")
def test_the_person_in_front_of_the_app_waits_25_seconds_too() -> None:
    driver = stopped()
    driver.open(APP)
    driver.push(APP)
    driver.pass_time(24.9)
    assert driver.shown == []
    driver.pass_time(0.1)
    assert driver.shown == [(APP, FALLBACK)]
    assert driver.state(APP) is S.FOREGROUND


@pytest.mark.contract("P02")
def test_an_answer_after_the_fallback_shows_nothing_more() -> None:
    driver = suspended()
    driver.push(APP)
    (push,) = driver.pushes(APP)
    driver.pass_time(25)
    driver.answer(APP, push.push, Verdict.SHOW_THIS, Notification("m1", "Ann"))
    assert driver.shown == [(APP, FALLBACK)]


@pytest.mark.contract("P02")
def test_another_app_cannot_answer_for_it() -> None:
    driver = suspended()
    driver.open(OTHER)
    driver.push(APP)
    (push,) = driver.pushes(APP)
    driver.answer(OTHER, push.push)
    assert driver.desk.push_routing.waiting(APP) == 1


@pytest.mark.contract("P02")
def test_those_that_come_while_it_is_awake_join_the_same_wake_and_share_its_time() -> None:
    driver = suspended()
    assert wakes(driver.push(APP)) == 1
    driver.pass_time(15)
    assert wakes(driver.push(APP)) == 0
    assert len(driver.pushes(APP)) == 2
    driver.pass_time(9.9)
    assert driver.shown == []
    driver.pass_time(0.1)
    assert len(driver.shown) == 2, "its box is that of the wake"


@pytest.mark.contract("P02")
def test_those_that_come_while_it_is_being_launched_join_the_same_wake() -> None:
    driver = stopped()
    assert wakes(driver.push(APP)) == 1
    driver.pass_time(3)
    assert wakes(driver.push(APP)) == 0
    driver.connect(APP)
    assert len(driver.pushes(APP)) == 2


@pytest.mark.contract("P02")
def test_too_late_for_this_wake_they_are_given_together_in_the_next() -> None:
    driver = suspended()
    driver.push(APP, b"1")
    driver.pass_time(20)
    for data in (b"2", b"3"):
        driver.push(APP, data)
    assert [push.data for push in driver.pushes(APP)] == [b"1"]
    effects = driver.answer(APP, driver.pushes(APP)[0].push)
    assert (len(apps_of(do.Freeze, effects)), wakes(effects)) == (1, 1)
    assert [push.data for push in driver.pushes(APP)] == [b"1", b"2", b"3"]
    assert driver.status(APP).seconds_left == 25.0


@pytest.mark.contract("P02")
def test_sixty_wakes_an_hour_and_then_together() -> None:
    driver = suspended()
    for _ in range(60):
        assert wakes(driver.push(APP)) == 1
        driver.answer(APP, driver.pushes(APP)[-1].push)
        driver.pass_time(1)
    for _ in range(5):
        assert wakes(driver.push(APP)) == 0
        driver.pass_time(1)
    driver.pass_time(600 - 66)
    assert driver.state(APP) is S.SUSPENDED
    effects = driver.pass_time(3600 - 600 + 0.9)
    assert wakes(effects) == 0, "the first of the sixty was an hour ago at 3600, not before"
    effects = driver.pass_time(0.1)
    assert wakes(effects) == 1
    if driver.state(APP) is S.LAUNCHING:
        driver.connect(APP)
    assert len(driver.pushes(APP)) == 5


@pytest.mark.contract("P02")
@given(st.floats(0, 10**6))
def test_no_rounding_of_moments_holds_up_the_wake_that_is_allowed_again(offset: float) -> None:
    driver = suspended(limits=Limits(push_wakes=1, suspended=10**6))
    driver.now += offset
    driver.push(APP)
    driver.answer(APP, driver.pushes(APP)[0].push)
    driver.push(APP)
    assert wakes(driver.pass_time(3599.9)) == 0
    assert wakes(driver.pass_time(0.2)) == 1


@pytest.mark.contract("P02")
def test_past_the_budget_opening_the_app_gives_them_at_once() -> None:
    driver = suspended(limits=Limits(push_wakes=1))
    driver.push(APP)
    driver.answer(APP, driver.pushes(APP)[0].push)
    driver.push(APP)
    assert driver.state(APP) is S.SUSPENDED
    driver.open(APP)
    assert len(driver.pushes(APP)) == 2


@pytest.mark.contract("P02")
def test_the_budget_of_one_app_is_not_that_of_another() -> None:
    driver = suspended(limits=Limits(push_wakes=1))
    driver.subscribe(OTHER)
    driver.push(APP)
    driver.answer(APP, driver.pushes(APP)[0].push)
    assert wakes(driver.push(APP)) == 0
    assert wakes(driver.push(OTHER)) == 1


def test_more_than_are_kept_for_one_app_the_oldest_is_shown_in_its_place() -> None:
    driver = stopped(limits=Limits(waiting_pushes=3))
    for _ in range(4):
        driver.push(APP)
    assert driver.desk.push_routing.waiting(APP) == 3
    assert driver.shown == [(APP, FALLBACK)]


# --- apps that die over a push (L07) ------------------------------------------------------------------------------


@pytest.mark.contract("L07")
def test_three_tries_with_back_off_then_the_fallback() -> None:
    driver = stopped()
    driver.push(APP)
    launched_at = [driver.now]
    for _ in range(3):
        driver.connect(APP)
        assert len(driver.pushes(APP)) == 1
        driver.pass_time(2)
        died = driver.now
        driver.exit(APP, -11)
        while driver.state(APP) is S.STOPPED and driver.now < died + 100:
            driver.pass_time(0.5)
        launched_at.append(driver.now)
    assert [launched_at[1] - launched_at[0] - 2, launched_at[2] - launched_at[1] - 2] == [1.0, 2.0]
    assert driver.state(APP) is S.STOPPED
    assert driver.shown == [(APP, FALLBACK)]
    assert driver.desk.push_routing.waiting(APP) == 0


@pytest.mark.contract("L07")
def test_a_launch_that_fails_counts_as_a_try() -> None:
    driver = stopped()
    driver.at_once = False
    driver.push(APP)
    tries = 0
    while driver.launching and tries < 10:
        driver.answer_launch(APP, fails=True)
        tries += 1
        driver.pass_time(60)
    assert tries == 3
    assert driver.shown == [(APP, FALLBACK)]


@pytest.mark.contract("L07")
def test_an_app_that_leaves_in_good_order_over_a_push_is_tried_again_too() -> None:
    driver = stopped()
    driver.push(APP)
    for _ in range(3):
        driver.connect(APP)
        driver.exit(APP, 0)
        driver.pass_time(10)
    assert driver.shown == [(APP, FALLBACK)]


@pytest.mark.contract("L07")
def test_what_it_held_for_a_push_is_released_and_the_next_run_answers() -> None:
    driver = stopped()
    driver.push(APP)
    driver.connect(APP)
    driver.exit(APP, 1)
    driver.pass_time(1)
    driver.connect(APP)
    (push,) = driver.pushes(APP)
    driver.answer(APP, push.push, Verdict.SHOW_THIS, Notification("m1", "Ann"))
    assert driver.titles() == ["Ann"]
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("L07", "L06")
def test_tries_survive_the_desk() -> None:
    driver = stopped()
    driver.push(APP)
    for _ in range(2):
        driver.connect(APP)
        driver.exit(APP, 1)
        driver.pass_time(5)
    driver.desk_dies()
    driver.connect(APP)
    driver.exit(APP, 1)
    assert driver.shown == [(APP, FALLBACK)]


@pytest.mark.contract("L07", "A06")
def test_a_push_that_waited_for_an_app_that_was_stopped_launches_it_again() -> None:
    driver = stopped()
    driver.open(APP)
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.pass_time(26)
    driver.push(APP)
    assert driver.pushes(APP) == []
    effects = driver.pass_time(4)
    assert driver.reasons(APP) == [StopReason.TASK_NOT_ENDED]
    assert wakes(effects) == 1
    driver.connect(APP)
    assert len(driver.pushes(APP)) == 1


@pytest.mark.contract("A03", "P02")
def test_a_push_that_waits_at_the_end_of_the_time_gives_the_app_no_time_without_a_limit() -> None:
    driver = stopped()
    driver.push(APP)
    driver.connect(APP)
    driver.pass_time(23)
    driver.push(APP)
    effects = driver.pass_time(2)
    assert (len(apps_of(do.Freeze, effects)), wakes(effects)) == (1, 1)
    assert driver.status(APP).seconds_left == 25.0
    driver.begin(APP, 1)
    driver.pass_time(25)
    assert driver.reasons(APP) == [StopReason.TASK_NOT_ENDED]


@pytest.mark.contract("L07")
def test_a_push_lost_with_a_broken_connection_is_given_on_the_next() -> None:
    driver = stopped()
    driver.open(APP)
    driver.processes[APP].connected = False  # broken, and the desk has not noticed
    driver.push(APP)
    driver.handle(ev.Disconnected(APP))
    driver.connect(APP)
    assert len(driver.pushes(APP)) == 1


@pytest.mark.contract("L07", "A03")
def test_a_push_lost_in_the_last_seconds_holds_nothing_and_is_given_in_the_next_wake() -> None:
    driver = suspended()
    driver.push(APP)
    driver.pass_time(22)
    driver.processes[APP].holding.clear()  # it never read it
    driver.given.clear()
    driver.drop_connection(APP)
    effects = driver.connect(APP)
    assert (len(apps_of(do.Freeze, effects)), wakes(effects)) == (1, 1)
    assert driver.status(APP).seconds_left == 25.0
    assert len(driver.pushes(APP)) == 2


@pytest.mark.contract("L07")
def test_an_app_in_front_that_does_not_come_back_is_left_alone_and_the_person_sees_the_fallback() -> None:
    driver = stopped()
    driver.open(APP)
    driver.desk_dies()
    driver.push(APP)
    driver.pass_time(20)
    assert driver.shown == [(APP, FALLBACK)]
    driver.push(APP)
    driver.pass_time(20)
    assert len(driver.shown) == 2
    assert driver.receipts == []
    driver.connect(APP)
    driver.push(APP)
    assert len(driver.pushes(APP)) == 1


# --- time to live (P08) -------------------------------------------------------------------------------------------


@pytest.mark.contract("P08")
def test_a_push_whose_time_is_over_wakes_nobody() -> None:
    driver = suspended(limits=Limits(push_wakes=1))
    driver.push(APP)
    driver.answer(APP, driver.pushes(APP)[0].push)
    driver.push(APP, ttl=100.0)
    driver.pass_time(99.9)
    assert driver.desk.push_routing.waiting(APP) == 1
    effects = driver.pass_time(0.1)
    assert driver.desk.push_routing.waiting(APP) == 0
    assert [note.what for note in of_type(do.Note, effects)] == ["push_over"]
    assert wakes(driver.pass_time(7200)) == 0


@pytest.mark.contract("P08")
@pytest.mark.parametrize("ttl", [0.0, 30.0])
def test_a_push_that_ran_out_while_no_desk_was_there_wakes_nobody(ttl: float) -> None:
    driver = suspended(limits=Limits(push_wakes=1))
    driver.push(APP)
    driver.answer(APP, driver.pushes(APP)[0].push)
    driver.push(APP, ttl=ttl)
    driver.now += 31
    assert wakes(driver.desk_dies()) == 0
    assert driver.desk.push_routing.waiting(APP) == 0


@pytest.mark.contract("P08", "L06")
@pytest.mark.parametrize("ahead", [7200.0, -7200.0], ids=["forward", "back"])
@pytest.mark.parametrize("set_first", [True, False], ids=["set, then pushed", "pushed, then set"])
def test_a_clock_that_was_set_leaves_a_push_its_time_under_the_next_desk(ahead: float, set_first: bool) -> None:
    for waits, wakes_it in ((99.9, 1), (100.0, 0)):
        driver = suspended(limits=Limits(push_wakes=1))
        driver.push(APP)
        driver.answer(APP, driver.pushes(APP)[0].push)
        if set_first:
            driver.handle(ev.WallClock(ahead, 0.0))
        driver.push(APP, ttl=100.0)
        if not set_first:
            driver.handle(ev.WallClock(ahead, 0.0))
        driver.now += ahead + waits  # the next desk begins with the wall clock
        assert wakes(driver.desk_dies()) == wakes_it
        if wakes_it:
            driver.connect(APP)
            assert driver.now - driver.pushes(APP)[-1].received_at == pytest.approx(waits)


@pytest.mark.contract("P08")
def test_a_late_timer_makes_no_old_push_young() -> None:
    """The app ends just when the time of a waiting push is over, and its timer has not fired yet."""
    driver = stopped()
    driver.open(APP)
    driver.begin(APP, 1)
    driver.sleep(APP)
    driver.pass_time(26)
    driver.push(APP, ttl=2.0)
    driver.now += 3
    assert wakes(driver.end(APP, 1)) == 0
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("P08")
@pytest.mark.parametrize("state", ["stopped", "suspended", "foreground"])
def test_time_to_live_zero_is_now(state: str) -> None:
    """Its wake begins now; that a launch takes a moment does not make it too late."""
    driver = suspended() if state == "suspended" else stopped()
    if state == "foreground":
        driver.open(APP)
    driver.push(APP, ttl=0.0)
    driver.pass_time(2)
    if state == "stopped":
        driver.connect(APP)
    assert len(driver.pushes(APP)) == 1


@pytest.mark.contract("P08")
def test_time_to_live_zero_joins_a_wake_that_is_under_way() -> None:
    driver = stopped()
    driver.push(APP)
    driver.push(APP, ttl=0.0)
    driver.pass_time(2)
    driver.connect(APP)
    assert len(driver.pushes(APP)) == 2


@pytest.mark.contract("P08")
def test_time_to_live_zero_that_cannot_be_now_is_never() -> None:
    driver = suspended(limits=Limits(push_wakes=1))
    driver.push(APP)
    driver.answer(APP, driver.pushes(APP)[0].push)
    driver.push(APP, ttl=0.0)
    driver.pass_time(0)
    assert driver.desk.push_routing.waiting(APP) == 0
    driver.open(APP)
    assert len(driver.pushes(APP)) == 1


# --- acknowledged once durable, given once (P09) ------------------------------------------------------------------


@pytest.mark.contract("P09")
@pytest.mark.parametrize("kind", list(PushKind))
def test_acknowledged_after_its_save_and_at_once(kind: PushKind) -> None:
    driver = stopped(kind)
    effects = driver.push(APP, ALERT)
    (ack,) = of_type(do.AckPush, effects)
    assert ack.after_save
    saves = [(effect.machine, effects.index(effect)) for effect in of_type(do.Save, effects)]
    machines = {machine for machine, _ in saves}
    if kind is PushKind.CHANGEABLE_ALERT:
        assert {"seen", "push"} <= machines
        assert all(at < effects.index(ack) for machine, at in saves if machine in ("seen", "push"))
    else:
        assert {"seen", "shown"} <= machines, "one commit holds both the version and what is shown"


@pytest.mark.contract("P09", "L06")
@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("kind", list(PushKind))
def test_a_desk_that_dies_over_a_push_neither_loses_nor_doubles_it(kind: PushKind, committed: bool) -> None:
    """Not acknowledged, so the service sends it again; what the commit holds is known."""
    driver = stopped(kind)
    driver.desk_dies(ev.PushArrived(CHANNEL, "v1", ALERT, 60.0), committed=committed)
    driver.handle(ev.PushArrived(CHANNEL, "v1", ALERT, 60.0))
    listed = [shown.notification.title for shown in driver.desk.notifications.shown()]
    if kind is PushKind.ALERT:
        assert listed == ["Rain"]
        assert driver.desk.push_routing.waiting(APP) == 0
    else:
        assert listed == []
        driver.connect(APP)
        assert len(driver.pushes(APP)) == 1


@pytest.mark.contract("P09")
def test_one_broken_app_does_not_hold_up_others() -> None:
    driver = stopped()
    driver.subscribe(OTHER)
    for _ in range(5):
        assert len(of_type(do.AckPush, driver.push(APP))) == 1  # it never connects
    driver.push(OTHER)
    driver.connect(OTHER)
    assert len(driver.pushes(OTHER)) == 1


@pytest.mark.contract("P09")
def test_a_push_that_comes_again_is_acknowledged_and_not_given_again() -> None:
    driver = suspended()
    driver.push(APP, version="v7")
    driver.answer(APP, driver.pushes(APP)[0].push)
    effects = driver.push(APP, version="v7")
    assert len(of_type(do.AckPush, effects)) == 1
    assert wakes(effects) == 0
    assert len(driver.pushes(APP)) == 1
    driver.desk_dies()
    assert wakes(driver.push(APP, version="v7")) == 0


@pytest.mark.contract("P09")
def test_the_last_thousand_versions_of_each_subscription_are_known() -> None:
    driver = stopped(PushKind.ALERT)
    for number in range(1001):
        driver.push(APP, ALERT, version=f"v{number}")
    assert sum(machine == "seen" for machine, _ in driver.saved) == 1000
    driver.desk_dies()
    driver.shown.clear()
    for number in (1, 500, 1000):
        driver.push(APP, ALERT, version=f"v{number}")
    assert driver.shown == []
    driver.push(APP, ALERT, version="v0")
    assert len(driver.shown) == 1, "the one before the last thousand is forgotten"


@pytest.mark.contract("P09")
def test_versions_of_one_subscription_say_nothing_of_another() -> None:
    driver = stopped(PushKind.ALERT)
    driver.subscribe(OTHER, kind=PushKind.ALERT)
    driver.push(APP, ALERT, version="v1")
    driver.push(OTHER, ALERT, version="v1")
    assert [app for app, _ in driver.shown] == [APP, OTHER]


@pytest.mark.contract("P09")
def test_an_app_that_reconnects_goes_on_with_the_push_it_has() -> None:
    driver = suspended()
    driver.push(APP)
    (push,) = driver.pushes(APP)
    driver.desk_dies()
    driver.connect(APP)
    assert driver.pushes(APP) == [push]
    assert driver.state(APP) is S.BACKGROUND
    driver.answer(APP, push.push, Verdict.SHOW_THIS, Notification("m1", "Ann"))
    assert driver.titles() == ["Ann"]
    assert driver.state(APP) is S.SUSPENDED


@pytest.mark.contract("P09")
def test_an_answer_the_old_desk_kept_is_not_asked_for_again() -> None:
    driver = suspended()
    driver.push(APP)
    (push,) = driver.pushes(APP)
    driver.desk_dies(ev.PushAnswered(APP, push.push, Verdict.SHOW_THIS, Notification("m1", "Ann")))
    assert driver.processes[APP].holding == [push.push], "the app has not heard that its answer is kept"
    driver.handle(ev.OpenAsked(APP))
    driver.connect(APP)
    assert driver.processes[APP].holding == []
    assert driver.pushes(APP) == [push]
    assert [shown.notification.title for shown in driver.desk.notifications.shown()] == ["Ann"]


@pytest.mark.contract("P11")
def test_what_cannot_be_decrypted_reaches_nobody_and_is_acknowledged() -> None:
    driver = suspended()
    effects = driver.handle(ev.PushArrived(CHANNEL, "v1", None, None))
    assert of_type(do.AckPush, effects) == [do.AckPush(CHANNEL, "v1", 101)]
    assert (wakes(effects), driver.shown) == (0, [])
    effects = driver.handle(ev.PushArrived("never heard of", "v1", b"x", None))
    assert of_type(do.AckPush, effects) == [do.AckPush("never heard of", "v1", 102)]
    assert of_type(do.UnregisterChannel, effects) == [do.UnregisterChannel("never heard of")]


def test_what_is_saved_is_what_is_taken_back() -> None:
    driver = stopped()
    driver.push(APP, b"data", ttl=50.0)
    kept = driver.desk.subscriptions.of_channel(CHANNEL)
    saved = dict(driver.saved)
    driver.desk_dies()
    assert driver.desk.subscriptions.of_channel(CHANNEL) == kept
    assert msgspec.msgpack.decode(saved["subscription", CHANNEL])["private_key"] == "private"
