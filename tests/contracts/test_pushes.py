"""Pushes from a real sender through the real push service and desk to real apps: asleep, stopped, quit, dying."""

import asyncio
import json
import time
from typing import Any

import pytest

from frontdesk import AppState
from frontdesk.agent.shell import process_table
from tests.desks import APP, PATIENCE, DeskHome, RunningPushService, Strings, row_of
from tests.web_push import send, subscribed


@pytest.fixture
async def reachable(home: DeskHome, push_service: RunningPushService) -> DeskHome:
    """A desk with a push service, and one app."""
    await home.start_reachable(push_service, retry_first=0.1)
    return home


@pytest.fixture
async def hurried(home: DeskHome, push_service: RunningPushService) -> DeskHome:
    """The same with little time for push handlers, for tests in which it runs out."""
    await home.start_reachable(push_service, push=2.0, expiry_lead=0.5)
    return home


async def suspended(desk: DeskHome, puppet: Strings) -> None:
    puppet.order("background")
    await desk.until_state(AppState.SUSPENDED)


async def stopped(desk: DeskHome, puppet: Strings) -> None:
    await desk.kill_process(puppet.pid)
    await desk.until_state(AppState.STOPPED)


# --- alerts -----------------------------------------------------------------------------------------------------------


@pytest.mark.contract("P01", "P02")
@pytest.mark.parametrize("quit", [False, True])
async def test_alert_is_shown_without_waking_whatever_its_sender_claims(reachable: DeskHome, quit: bool) -> None:
    puppet = await reachable.launch()
    to = await subscribed(puppet, "alert")
    await suspended(reachable, puppet)
    if quit:
        await reachable.control.quit(APP)
        await reachable.until_state(AppState.STOPPED)
    before = process_table.cpu_seconds([puppet.pid])
    claims: dict[str, Any] = {
        "kind": "changeable_alert",
        "answer": "this",
        "title": "News",
        "body": "It is out",
        "id": "n1",
    }
    assert await send(to, **claims) == 201
    status = await reachable.until(lambda status: status.shown)
    assert [(each.app, each.notification.title, each.notification.body) for each in status.shown] == [
        (APP, "News", "It is out")
    ]
    assert row_of(status).state is (AppState.STOPPED if quit else AppState.SUSPENDED)
    assert quit or process_table.cpu_seconds([puppet.pid]) == before
    assert puppet.count("push") == 0 and await reachable.no_puppet()


# --- changeable alerts ------------------------------------------------------------------------------------------------


@pytest.mark.contract("P02", "L13", "A03")
async def test_suspended_app_is_woken_decides_what_is_shown_and_sleeps_again(reachable: DeskHome) -> None:
    await reachable.install(resuming_takes=0.2)
    puppet = await reachable.launch()
    to = await subscribed(puppet)
    await suspended(reachable, puppet)
    assert await send(to, answer="this", id="m1", body="Hello") == 201
    push = await puppet.hears("push")
    assert puppet.words()[: puppet.words().index("push") + 1][-3:] == ["resumed", "in_order", "push"]
    assert json.loads(push["data"])["body"] == "Hello"
    status = await reachable.until(lambda status: status.shown)
    assert status.shown[0].notification.title == "Decrypted" and status.shown[0].notification.body == "Hello"
    await reachable.until_state(AppState.SUSPENDED)
    # Its time box was that of what woke it.
    assert not puppet.count("expired")


@pytest.mark.contract("P02", "L04", "L07")
async def test_stopped_app_is_launched_in_the_background_and_sleeps_again(reachable: DeskHome) -> None:
    first = await reachable.launch()
    to = await subscribed(first)
    await stopped(reachable, first)
    assert await send(to, answer="this", id="m1", body="Hello") == 201
    second = await reachable.puppet()
    assert second.first["why"] == "push" and second.first["front"] is False
    await second.hears("push")
    assert (await reachable.until(lambda status: status.shown)).shown[0].notification.body == "Hello"
    assert (await reachable.until_state(AppState.SUSPENDED)).pid == second.pid


@pytest.mark.contract("P02")
async def test_as_it_is_and_nothing(reachable: DeskHome) -> None:
    puppet = await reachable.launch()
    to = await subscribed(puppet)
    await send(to, answer="nothing")
    await reachable.happened("push_answered")
    assert await reachable.titles() == []
    await send(to, answer="as it is", title="From the payload")
    await reachable.until(lambda status: [each.notification.title for each in status.shown] == ["From the payload"])


@pytest.mark.contract("P02")
async def test_a_handler_that_fails_means_the_fallback_at_once(reachable: DeskHome) -> None:
    puppet = await reachable.launch()
    to = await subscribed(puppet)
    await suspended(reachable, puppet)
    await send(to, answer="fail")
    await puppet.hears("push")
    # Of the 25 s in which it may answer most are left.
    status = await reachable.until(lambda status: status.shown, within=10.0)
    assert [each.notification.body for each in status.shown] == ["New message"]
    await reachable.until_state(AppState.SUSPENDED)


@pytest.mark.contract("P02")
async def test_a_handler_that_is_late_means_the_fallback_when_its_time_is_over(hurried: DeskHome) -> None:
    puppet = await hurried.launch()
    to = await subscribed(puppet)
    await suspended(hurried, puppet)
    begun = time.monotonic()
    await send(to, answer="never")
    await puppet.hears("push")
    status = await hurried.until(lambda status: status.shown)
    assert [each.notification.body for each in status.shown] == ["New message"]
    assert time.monotonic() - begun > 1.5
    await hurried.until_state(AppState.SUSPENDED)


@pytest.mark.contract("P02")
async def test_without_a_fallback_nothing_is_shown(reachable: DeskHome) -> None:
    puppet = await reachable.launch()
    to = await subscribed(puppet, fallback=None)
    await send(to, answer="fail")
    await reachable.happened("push_answered")
    assert await reachable.titles() == []


@pytest.mark.contract("P02", "L04")
async def test_an_app_the_person_quit_is_not_woken_and_the_fallback_is_shown(reachable: DeskHome) -> None:
    puppet = await reachable.launch()
    to = await subscribed(puppet)
    await reachable.control.quit(APP)
    await reachable.until_state(AppState.STOPPED)
    await send(to, answer="this", id="m1", body="secret")
    status = await reachable.until(lambda status: status.shown)
    assert status.shown[0].notification.body == "New message"
    assert row_of(status).state is AppState.STOPPED and row_of(status).quit
    again = await reachable.launch()
    await send(to, answer="this", id="m2", body="Hello again")
    await again.hears("push")


@pytest.mark.contract("P02")
async def test_those_that_come_while_it_is_awake_join_the_wake_and_past_the_limit_they_wait(
    home: DeskHome, push_service: RunningPushService
) -> None:
    home.settings(push_service.setting, push_wakes=1)
    await home.start()
    await home.install()
    puppet = await home.launch()
    to = await subscribed(puppet)
    await suspended(home, puppet)
    await send(to, answer="never", number=1)
    await puppet.hears("push")
    await send(to, answer="nothing", number=2)
    assert json.loads((await puppet.hears("push"))["data"])["number"] == 2
    assert puppet.count("resumed") == 1
    await puppet.do("foreground")  # the first is given up by ending the run
    await stopped(home, puppet)
    # The one wake of this hour is used up: what comes now waits, and is given together when the person opens it.
    for number in (3, 4):
        await send(to, answer="nothing", number=number)
    await home.until(lambda status: sum(each.count for each in status.happenings if each.what == "push") == 4)
    assert (await home.row()).state is AppState.STOPPED and await home.no_puppet()
    again = await home.launch()
    given = [json.loads((await again.hears("push"))["data"])["number"] for _ in range(3)]
    assert given == [1, 3, 4]


@pytest.mark.contract("L07")
async def test_an_app_that_dies_over_a_push_gets_it_three_times_then_the_fallback(reachable: DeskHome) -> None:
    puppet = await reachable.launch()
    to = await subscribed(puppet)
    await suspended(reachable, puppet)
    await send(to, answer="die")
    await puppet.hears("push")
    for _ in range(2):
        again = await reachable.puppet()
        await again.hears("push")
        await asyncio.wait_for(again.gone.wait(), PATIENCE)
    status = await reachable.until(lambda status: status.shown)
    assert status.shown[0].notification.body == "New message"
    assert "3 times" in await reachable.happened("push_fallback")
    assert await reachable.no_puppet()


# --- time to live -----------------------------------------------------------------------------------------------------


@pytest.mark.contract("P08")
async def test_a_push_that_is_over_when_the_desk_comes_wakes_nobody(reachable: DeskHome) -> None:
    puppet = await reachable.launch()
    to = await subscribed(puppet)
    await reachable.stop()
    assert await send(to, ttl=0, answer="this", id="now or never", body="now or never") == 201
    assert await send(to, ttl=1, answer="this", id="short", body="short") == 201
    assert await send(to, ttl=60, answer="this", id="long", body="long") == 201
    await asyncio.sleep(1.2)  # its time to live is to pass
    await reachable.start()
    again = await reachable.puppet()
    assert json.loads((await again.hears("push"))["data"])["id"] == "long"
    await reachable.until_state(AppState.SUSPENDED)
    assert again.count("push") == 1 and [each.notification.body for each in (await reachable.status()).shown] == [
        "long"
    ]


@pytest.mark.contract("P08")
async def test_now_or_never_is_now_while_the_desk_is_there(reachable: DeskHome) -> None:
    puppet = await reachable.launch()
    to = await subscribed(puppet)
    await suspended(reachable, puppet)
    assert await send(to, ttl=0, answer="this", id="n", body="now") == 201
    await puppet.hears("push")
    assert (await reachable.until(lambda status: status.shown)).shown[0].notification.body == "now"


@pytest.mark.contract("P08", "P02")
async def test_a_push_whose_time_is_over_while_it_waits_for_a_wake_wakes_nobody(
    home: DeskHome, push_service: RunningPushService
) -> None:
    home.settings(push_service.setting, push_wakes=1)
    await home.start()
    await home.install()
    puppet = await home.launch()
    to = await subscribed(puppet)
    await suspended(home, puppet)
    await send(to, answer="nothing")
    await puppet.hears("push")
    await home.until_state(AppState.SUSPENDED)
    await send(to, ttl=1, answer="this", id="late", body="late")
    await home.happened("push_over")
    assert (await home.row()).state is AppState.SUSPENDED and await home.titles() == []
    assert puppet.count("push") == 1


# --- durable, acknowledged, once --------------------------------------------------------------------------------------


@pytest.mark.contract("P09", "L06")
async def test_desk_killed_between_keeping_a_push_and_its_answer(hurried: DeskHome) -> None:
    puppet = await hurried.launch()
    to = await subscribed(puppet)
    await suspended(hurried, puppet)
    await send(to, answer="never", number=1)
    await puppet.hears("push")
    await hurried.kill_desk()
    # The app has it in hand: it is not given again, and the desk after that still shows the fallback in its place.
    status = await hurried.until(lambda status: status.shown)
    assert [each.notification.body for each in status.shown] == ["New message"]
    await hurried.until_state(AppState.SUSPENDED)
    assert puppet.count("push") == 1


@pytest.mark.contract("P09", "L06")
async def test_desk_killed_while_pushes_arrive_gives_each_once_and_loses_none(
    home: DeskHome, push_service: RunningPushService
) -> None:
    await home.start_reachable(push_service)
    puppet = await home.launch()
    to = await subscribed(puppet)
    for after in (0.0, 0.002, 0.01, 0.03):
        pid = (await home.status()).pid
        sending = asyncio.gather(*(send(to, answer="nothing", after=after, number=number) for number in range(3)))
        await asyncio.sleep(after)  # the moment is the point
        await home.kill_process(pid)
        assert set(await sending) == {201}
    pushes = [json.loads((await puppet.hears("push"))["data"]) for _ in range(12)]
    assert len({(each["after"], each["number"]) for each in pushes}) == 12
    # One more, by which all that could come before it has come.
    await send(to, answer="nothing", last=True)
    while not json.loads((await puppet.hears("push"))["data"]).get("last"):
        pass
    ids = [each["id"] for each in puppet.all if each["heard"] == "push"]
    assert len(ids) == 13 and len(set(ids)) == 13


@pytest.mark.contract("P09")
async def test_an_app_that_hangs_does_not_hold_up_another(reachable: DeskHome) -> None:
    other = "org.example.Quick"
    await reachable.install(other)
    hanging, quick = await reachable.launch(), await reachable.launch(other)
    to_hanging, to_quick = await subscribed(hanging), await subscribed(quick)
    await send(to_hanging, answer="never")
    await hanging.hears("push")
    await send(to_quick, answer="this", id="q", body="quick")
    await quick.hears("push")
    status = await reachable.until(lambda status: status.shown)
    assert status.shown[0].app == other


# --- subscriptions ----------------------------------------------------------------------------------------------------


@pytest.mark.contract("P01")
async def test_same_name_same_subscription_and_gone_is_told_to_senders(reachable: DeskHome) -> None:
    puppet = await reachable.launch()
    to = await subscribed(puppet)
    assert await subscribed(puppet) == to
    await puppet.do("unsubscribe")
    until = time.monotonic() + PATIENCE
    while (status := await send(to, answer="nothing")) == 201:  # senders are told by the answer only
        assert time.monotonic() < until
    assert status in (404, 410)
    assert (await subscribed(puppet))["endpoint"] != to["endpoint"]


@pytest.mark.contract("P01")
async def test_an_endpoint_that_changed_is_told_even_if_the_app_has_to_be_launched(
    home: DeskHome, push_service: RunningPushService
) -> None:
    await home.start_reachable(push_service)
    puppet = await home.launch()
    to = await subscribed(puppet)
    await stopped(home, puppet)
    await push_service.forget_everything()
    again = await home.puppet()
    assert again.first["why"] == "endpoint_changed"
    changed = await again.hears("subscription_changed")
    assert changed["endpoint"] != to["endpoint"]
    await home.until_state(AppState.SUSPENDED)
    assert await send({**to, "endpoint": changed["endpoint"]}, answer="this", id="m", body="Hello") == 201
    await again.hears("push")


async def test_without_a_push_service_subscribing_says_so(desk: DeskHome) -> None:
    puppet = await desk.launch()
    refused = await puppet.fails("subscribe", kind="alert", fallback=None)
    assert refused["reason"] == "push_unavailable" and "push_service" in refused["text"]


@pytest.mark.contract("P11")
async def test_what_cannot_be_decrypted_never_reaches_the_app(reachable: DeskHome) -> None:
    puppet = await reachable.launch()
    to = await subscribed(puppet)
    other = {**to, "auth": "AAAAAAAAAAAAAAAAAAAAAA"}
    assert await send(other, answer="this", id="bad", body="bad") == 201
    assert "decrypted" in await reachable.happened("push_refused")
    await send(to, answer="nothing", good=True)
    assert json.loads((await puppet.hears("push"))["data"]) == {"answer": "nothing", "good": True}
    assert await reachable.titles() == []
