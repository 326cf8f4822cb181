"""The whole core under any history: nothing is lost, frozen for ever, given twice, or moved outside the table.

What must hold after every batch is in ``core_driver``; here are the histories.
"""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.dispatcher import Dispatcher
from frontdesk.agent.core.life.background_switch import ALL
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.setup import Setup
from frontdesk.terms import AppState, Condition, Manifest, Notification, PushKind, StopReason, Verdict, WakeReason
from frontdesk.wire import desk as wire
from tests.frontdesk.agent.core.core_driver import CLOCK, FALLBACK, MAIL, NOTES, Driver, channel_of, of_type

S = AppState
MANIFESTS = (NOTES, MAIL, CLOCK)
APPS = [manifest.id for manifest in MANIFESTS]
HOUR = 3600.0
EXAMPLES = int(os.environ.get("CORE_EXAMPLES", "40"))
"""Histories of each kind; CORE_EXAMPLES=2000 is for a long night."""

apps = st.sampled_from([NOTES.id, *APPS])
"""One of them more often: things go wrong where many things happen to one app."""
small = st.integers(0, 3)
names = st.sampled_from(["news", "chat"])
moments = st.sampled_from([0.0, 0.1, 0.3, 1.0, 4.9, 5.0, 19.9, 20.0, 25.0, 30.0, 60.0, 599.7, 3600.0]) | st.floats(
    0, 700
)
verdicts = st.sampled_from(list(Verdict))
notifications = st.builds(Notification, st.sampled_from(["a", "b"]), st.just("title"))
SHORT = Limits(most_tasks=3, push_wakes=2, seen_versions=3, waiting_pushes=4)
limits = st.sampled_from([Limits(), SHORT])


# --- histories that real shells could tell --------------------------------------------------------------------------


class PlausibleHistory(RuleBasedStateMachine):
    """People, apps, processes, senders and crashes of the desk in any order; every message may come at any moment.

    An app that is frozen says nothing, except what it said just before: that may still come once it sleeps.
    """

    driver: Driver

    @initialize(limits=limits, at_once=st.booleans(), offset=st.floats(0, 10**6))
    def start(self, limits: Limits, at_once: bool, offset: float) -> None:
        self.driver = Driver(*MANIFESTS, limits=limits, at_once=at_once)
        self.driver.now += offset
        for app in APPS[:2]:
            self.driver.subscribe(app, "news", PushKind.CHANGEABLE_ALERT)
            self.driver.subscribe(app, "chat", PushKind.ALERT)
        self.uses(NOTES.id)

    def connected(self, app: str) -> bool:
        process = self.driver.processes.get(app)
        return process is not None and process.connected

    # --- people

    @rule(app=apps)
    def opens(self, app: str) -> None:
        self.driver.handle(ev.OpenAsked(app))

    @rule(app=apps)
    def uses(self, app: str) -> None:
        """Opens it and sees it, if it can be seen now."""
        self.driver.handle(ev.OpenAsked(app))
        if app in self.driver.launching:
            self.driver.answer_launch(app)
        self.says_hello(app, None)
        self.comes_to_the_front(app)

    @rule(app=apps)
    def closes(self, app: str) -> None:
        """Closes its window, and the app has nothing more to do."""
        if self.connected(app) and self.driver.state(app) is S.FOREGROUND:
            self.driver.sleep(app)

    @rule(app=apps)
    def quits(self, app: str) -> None:
        self.driver.handle(ev.QuitAsked(app))

    @rule(app=apps)
    def presses(self, app: str) -> None:
        self.driver.handle(ev.ActAsked(app, "a", ""))

    @precondition(lambda self: self.driver.watched)
    @rule(data=st.data())
    def visits(self, data: st.DataObject) -> None:
        self.driver.handle(ev.PageVisited(data.draw(st.sampled_from(sorted(self.driver.watched)))))

    @rule(app=apps)
    def is_registered_again(self, app: str) -> None:
        self.driver.register_again(app)

    @rule(switch=apps | st.just(ALL), on=st.booleans())
    def switches_background_running(self, switch: str, on: bool) -> None:
        self.driver.handle(ev.BackgroundSwitched(switch, on))

    @rule()
    def memory_is_short(self) -> None:
        self.driver.handle(ev.MemoryShort())

    # --- processes

    @precondition(lambda self: self.driver.launching)
    @rule(data=st.data(), fails=st.booleans())
    def launch_is_answered(self, data: st.DataObject, fails: bool) -> None:
        self.driver.answer_launch(data.draw(st.sampled_from(sorted(self.driver.launching))), fails=fails)

    @precondition(lambda self: self.driver.dying)
    @rule(data=st.data())
    def the_killed_are_gone(self, data: st.DataObject) -> None:
        self.driver.reap(data.draw(st.sampled_from(sorted(self.driver.dying))))

    @rule(app=apps, foreground=st.none() | st.booleans())
    def says_hello(self, app: str, foreground: bool | None) -> None:
        process = self.driver.processes.get(app)
        if process is not None and not process.connected and not process.frozen:
            self.driver.connect(app, foreground=foreground)

    @rule(app=apps, status=st.sampled_from([0, 1, -11, None]))
    def ends(self, app: str, status: int | None) -> None:
        if app in self.driver.processes:
            self.driver.exit(app, status)

    @rule(app=apps)
    def connection_breaks(self, app: str) -> None:
        if self.connected(app):
            self.driver.drop_connection(app)

    # --- what apps say

    @rule(app=apps)
    def comes_to_the_front(self, app: str) -> None:
        if self.connected(app):
            self.driver.to_front(app)

    @rule(app=apps)
    def leaves_the_front(self, app: str) -> None:
        if self.connected(app):
            self.driver.close(app)

    @rule(app=apps, transition=small)
    def is_ready(self, app: str, transition: int) -> None:
        if self.connected(app):
            self.driver.handle(ev.SaidReady(app, transition))

    @rule(app=apps, task=small)
    def begins(self, app: str, task: int) -> None:
        if self.connected(app):
            self.driver.begin(app, task)

    @rule(app=apps, task=small)
    def ends_task(self, app: str, task: int) -> None:
        if self.connected(app):
            self.driver.end(app, task)

    @rule(app=apps, verdict=verdicts, notification=notifications, data=st.data())
    def answers(self, app: str, verdict: Verdict, notification: Notification, data: st.DataObject) -> None:
        if self.connected(app) and self.driver.processes[app].holding:
            push = data.draw(st.sampled_from(self.driver.processes[app].holding))
            self.driver.answer(app, push, verdict, notification)

    # --- senders and the push service

    @rule(app=apps, name=names, ttl=st.sampled_from([None, 0.0, 3.0, 100.0]), version=st.sampled_from(["", "v1", "v2"]))
    def push_arrives(self, app: str, name: str, ttl: float | None, version: str) -> None:
        self.driver.push(app, name=name, ttl=ttl, version=version)

    @rule(app=apps, number=small)
    def endpoint_changes(self, app: str, number: int) -> None:
        self.driver.handle(ev.PushLinkUp(f"uaid {number}", changed=True))
        self.driver.handle(ev.ChannelRegistered(channel_of(app), f"https://push.example/{number}"))

    # --- time, and the desk itself

    @rule(seconds=moments)
    def time_passes(self, seconds: float) -> None:
        self.driver.pass_time(seconds)

    @rule(seconds=moments)
    def the_machine_sleeps(self, seconds: float) -> None:
        left = {app: self.driver.desk.assertions.seconds_left(app, self.driver.now) for app in APPS}
        self.driver.machine_sleeps(seconds)
        for app, before in left.items():
            after = self.driver.desk.assertions.seconds_left(app, self.driver.now)
            assert before is None or after is None or abs(after - before) < 0.001, "time ran while nothing could run"

    @rule(committed=st.booleans(), app=apps, seconds=moments, over=st.integers(0, 4))
    def desk_dies(self, committed: bool, app: str, seconds: float, over: int) -> None:
        said: list[ev.Event] = [ev.WentBackground(app), ev.TaskEnded(app, 1)] if self.connected(app) else []
        event = [
            ev.PushArrived(channel_of(app), "in the crash", b"{}", None),
            ev.OpenAsked(app),
            ev.MemoryShort(),
            *said,
            ev.TimePassed(),
            ev.TimePassed(),
        ][over]
        self.driver.now += seconds
        before = self.asleep()
        self.driver.desk_dies(event, committed=committed)
        for app_asleep in before:
            if app_asleep not in self.driver.processes:
                # The desk before had said that it should be stopped.
                assert app_asleep in self.driver.dying or self.driver.state(app_asleep) is S.STOPPED
                continue
            assert self.driver.processes[app_asleep].frozen or self.driver.state(app_asleep) is S.BACKGROUND

    def asleep(self) -> list[str]:
        return [app for app in APPS if app in self.driver.processes and self.driver.state(app) is S.SUSPENDED]

    def teardown(self) -> None:
        """Nobody says anything any more: what is pending must come to an end, and then the desk is quite idle."""
        if not hasattr(self, "driver"):
            return
        driver = self.driver
        driver.at_once = True
        driver.handle(ev.TimePassed())
        driver.pass_time(8 * HOUR)
        for app in APPS:
            assert driver.desk.push_routing.waiting(app) == 0, "a push waits for ever"
            assert driver.state(app) in (S.STOPPED, S.FOREGROUND)
        assert driver.desk.next_wake() is None, "idle, the desk wakes up for nothing"


TestPlausibleHistory = pytest.mark.contract("L01", "L02", "L06", "L07", "L13", "A01", "A02", "P02", "P09")(
    PlausibleHistory.TestCase
)
TestPlausibleHistory.settings = settings(max_examples=EXAMPLES, stateful_step_count=40)


# --- histories that nobody should tell -----------------------------------------------------------------------------

strangers = st.sampled_from([*APPS, "org.example.unknown"])
processes = {"pid": st.integers(0, 3), "started": st.integers(0, 2)}
opened_tasks = st.lists(st.builds(wire.OpenTask, small, names), max_size=3).map(tuple)
push_ids = st.sampled_from([f"id-{number}" for number in range(12)])
channels = st.sampled_from([*(channel_of(app, name) for app in APPS for name in ("news", "chat")), "unknown"])

nonsense = st.one_of(
    st.builds(ev.AppAdded, st.sampled_from(MANIFESTS)),
    *(
        st.builds(kind, strangers)
        for kind in (ev.AppRemoved, ev.OpenAsked, ev.QuitAsked, ev.PageVisited, ev.Disconnected)
    ),
    *(st.builds(kind, strangers) for kind in (ev.WentForeground, ev.WentBackground)),
    *(st.just(kind()) for kind in (ev.MemoryShort, ev.DeskStarted, ev.TimePassed)),
    st.builds(ev.ActAsked, strangers, st.sampled_from(["a", "b"]), names),
    st.builds(ev.BackgroundSwitched, strangers | st.just(ALL), st.booleans()),
    st.builds(
        ev.Consumed, strangers, st.integers(0, 3), st.none() | st.floats(0, 100), st.none() | st.integers(0, 2**40)
    ),
    st.builds(ev.MachineSlept, st.floats(0, 10**5)),
    st.builds(ev.DismissAsked, strangers, st.sampled_from(["a", "b"])),
    st.builds(ev.Launched, strangers, push_ids, **processes),
    st.builds(ev.LaunchFailed, strangers, push_ids, names),
    st.builds(ev.Exited, strangers, st.integers(0, 3), st.sampled_from([None, 0, 1, -9])),
    st.builds(
        ev.Connected,
        app=strangers,
        **processes,
        run=st.sampled_from(["run-1", "run-2"]),
        launched=st.booleans(),
        foreground=st.booleans(),
        tasks=opened_tasks,
        pushes=st.lists(push_ids, max_size=3).map(tuple),
    ),
    st.builds(ev.Survived, strangers, st.booleans()),
    st.builds(ev.SaidReady, strangers, small),
    st.builds(ev.TaskBegun, strangers, small, names),
    st.builds(ev.TaskEnded, strangers, small),
    st.builds(
        ev.SubscribeAsked,
        strangers,
        small,
        small,
        names,
        st.sampled_from(list(PushKind)),
        st.none() | st.just(FALLBACK),
        channels,
        names,
        names,
        names,
    ),
    st.builds(ev.UnsubscribeAsked, strangers, small, small, names),
    st.builds(ev.PushAnswered, strangers, push_ids, verdicts, notifications),
    st.builds(ev.NotifyAsked, strangers, small, small, notifications),
    st.builds(ev.WithdrawAsked, strangers, small, small, st.sampled_from(["a", "b"])),
    st.builds(ev.PushLinkUp, names, st.booleans()),
    st.builds(ev.PushLinkDown, names, st.floats(0, 60)),
    st.builds(ev.ChannelRegistered, channels, names),
    st.builds(ev.ChannelRefused, channels, names),
    st.builds(ev.PushArrived, channels, names, st.none() | st.binary(max_size=5), st.sampled_from([None, 0.0, 9.0])),
)


class NonsenseHistory(RuleBasedStateMachine):
    """Any event at any moment, in batches, with clocks that jump and desks that die."""

    driver: Driver

    @initialize(limits=limits, off=st.sampled_from([frozenset[str](), frozenset({"*"}), frozenset({NOTES.id})]))
    def start(self, limits: Limits, off: frozenset[str]) -> None:
        self.driver = Driver(*MANIFESTS, limits=limits, background_off=off, at_once=False, plausible=False)

    @rule(batch=st.lists(nonsense, min_size=1, max_size=4))
    def anything_happens(self, batch: list[ev.Event]) -> None:
        self.driver.handle(*batch)

    @rule(seconds=moments)
    def time_passes(self, seconds: float) -> None:
        self.driver.pass_time(seconds)

    @rule(seconds=st.floats(-(10**6), 10**6))
    def the_clock_jumps(self, seconds: float) -> None:
        self.driver.now += seconds
        self.driver.handle(ev.TimePassed())

    @rule(batch=st.lists(nonsense, max_size=3), committed=st.booleans())
    def desk_dies(self, batch: list[ev.Event], committed: bool) -> None:
        self.driver.desk_dies(*batch, committed=committed)


TestNonsenseHistory = pytest.mark.contract("L02", "L06", "X02")(NonsenseHistory.TestCase)
TestNonsenseHistory.settings = settings(max_examples=EXAMPLES, stateful_step_count=40)


# --- what is saved (L06) ---------------------------------------------------------------------------------------------


def restored(driver: Driver) -> Dispatcher:
    numbers = iter(range(10**6))
    desk = Dispatcher(Setup(driver.limits), lambda: f"new-{next(numbers)}")
    for (machine, key), value in driver.saved.items():
        desk.restore(machine, key, value)
    for manifest in driver.manifests.values():
        desk.handle([ev.AppAdded(manifest)], driver.now)
    return desk


@pytest.mark.contract("L06")
@settings(max_examples=EXAMPLES)
@given(limits, st.lists(st.tuples(moments, st.lists(nonsense, min_size=1, max_size=3)), max_size=25))
def test_after_any_history_the_saved_form_holds_all_that_was_accepted(
    limits: Limits, history: list[tuple[float, list[ev.Event]]]
) -> None:
    driver = Driver(*MANIFESTS, limits=limits, at_once=False, plausible=False)
    for seconds, batch in history:
        driver.pass_time(seconds)
        driver.handle(*batch)
        again = restored(driver)
        for app in driver.manifests:
            assert again.lifecycle.life(app) == driver.desk.lifecycle.life(app)
            assert again.push_routing.waiting(app) == driver.desk.push_routing.waiting(app)
            now = driver.now
            assert again.assertions.seconds_left(app, now) == driver.desk.assertions.seconds_left(app, now)
            for name in ("news", "chat"):
                channel = channel_of(app, name)
                assert again.subscriptions.of_channel(channel) == driver.desk.subscriptions.of_channel(channel)
        assert set(again.notifications.shown()) == set(driver.desk.notifications.shown())
        assert again.subscriptions.uaid == driver.desk.subscriptions.uaid


@pytest.mark.contract("L06", "S14", "S15")
def test_the_next_desk_knows_habit_budget_and_what_is_simulated() -> None:
    driver = Driver(*MANIFESTS)
    for _ in range(3):
        driver.open(NOTES.id)
        driver.sleep(NOTES.id)
        driver.pass_time(24 * HOUR)
    driver.handle(ev.ConditionForced(Condition.POWER, "battery"))
    usual = driver.desk.habit.usual_times(NOTES.id, driver.now)
    assert usual
    whole = driver.desk.budgets.budget(NOTES.id, driver.now).left
    driver.desk.budgets.spend(NOTES.id, driver.now)
    driver.handle(ev.TimePassed())
    driver.desk_dies()
    assert driver.desk.habit.usual_times(NOTES.id, driver.now) == usual
    assert driver.desk.budgets.budget(NOTES.id, driver.now).left == whole - 1
    assert driver.desk.conditions.reading(Condition.POWER).forced
    assert driver.desk.conditions.value(Condition.POWER) == "battery"


# --- small things of the dispatcher itself ---------------------------------------------------------------------------


def test_an_idle_desk_wants_to_wake_for_nothing() -> None:
    assert Driver(*MANIFESTS).desk.next_wake() is None


def test_the_earliest_wish_of_any_machine_counts() -> None:
    driver = Driver(*MANIFESTS)
    driver.open(NOTES.id)
    driver.begin(NOTES.id, 1)
    driver.close(NOTES.id)
    assert driver.desk.next_wake() == driver.now + 5.0
    driver.ready(NOTES.id)
    assert of_type(do.Measure, driver.pass_time(5))
    assert driver.desk.next_wake() == driver.now + 20.0


@pytest.mark.contract("A11")
def test_the_table_of_apps_is_in_the_order_of_their_names() -> None:
    driver = Driver(*MANIFESTS, Manifest("org.example.zebra", "aardvark", ("z",)))
    assert [row.name for row in driver.desk.statuses(driver.now)] == ["aardvark", "Clock", "Mail", "Notes"]


def test_a_batch_that_changes_nothing_saves_nothing() -> None:
    driver = Driver(*MANIFESTS)
    driver.open(NOTES.id)
    assert of_type(do.Save, driver.handle(ev.TimePassed())) == []


@pytest.mark.contract("L01", "L07")
def test_the_story_of_a_closed_window() -> None:
    """As a person lives it: closed, written to, woken, answered, asleep, stopped, written to again."""
    driver = Driver(*MANIFESTS)
    app = NOTES.id
    driver.subscribe(app)
    driver.open(app)
    driver.sleep(app)
    driver.pass_time(HOUR)
    assert (driver.state(app), driver.reasons(app)) == (S.STOPPED, [StopReason.SUSPENDED_LONG])
    driver.push(app, b"event")
    driver.pass_time(0.5)
    driver.connect(app)
    welcome = driver.processes[app].inbox[0]
    assert isinstance(welcome, wire.Welcome)
    assert welcome.why is WakeReason.PUSH
    assert [receipt.reason for receipt in welcome.receipts] == [StopReason.SUSPENDED_LONG]
    (push,) = driver.pushes(app)
    driver.answer(app, push.push, Verdict.SHOW_THIS, Notification("chat", "Ann", "hello"))
    assert driver.shown == [(app, Notification("chat", "Ann", "hello"))]
    assert driver.state(app) is S.SUSPENDED
