"""Scheduler, habit and budgets together: weeks of a laptop, several apps, and a person who has habits (S06 – S15)."""

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.limits import Limits
from frontdesk.terms import AppState, Condition, Manifest, RefreshTask, TaskState
from tests.frontdesk.agent.core.core_driver import T0, Driver

S = AppState
LIMITS = Limits()
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
EAST = 2 * HOUR
"""Local time is so far east of UTC."""
MONDAY = (T0 // DAY + 1) * DAY + (5 * DAY) - EAST
"""The first midnight in local time of a Monday after every test's beginning, a Tuesday."""


@dataclass
class Used:
    """An app: at which seconds of which days (0 is Monday) the person opens it, and when it may refresh again."""

    name: str
    opened: list[tuple[int, float]]
    pause: float = HOUR
    needs_network: bool = True
    stays: float = 5 * MINUTE
    launches: list[float] = field(default_factory=list)
    earliest: float = 0.0

    @property
    def app(self) -> str:
        return f"org.example.{self.name}"

    @property
    def manifest(self) -> Manifest:
        return Manifest(self.app, self.name, (self.name,), background=("refresh",), tasks=("news",))


class Unchecked(Driver):
    """A week has many batches; what must hold after each of them is checked by other tests."""

    def _check(self, happened: tuple[ev.Event, ...], effects: list[do.Effect]) -> None:
        for event in happened:
            self._remember_registry(event)
        self.effects.clear()


class Weeks:
    """Life as it is: what is planned happens when its moment comes, the desk is woken when it asks to be."""

    def __init__(self, apps: list[Used], days: int, offline: list[tuple[float, float]] | None = None) -> None:
        self.apps = {each.app: each for each in apps}
        self.driver = Unchecked(*(each.manifest for each in apps))
        self.driver.now = MONDAY
        self.driver.handle(ev.WallClock(0.0, EAST))
        self.driver.is_now(Condition.NETWORK, "online")
        self.offline = offline or []
        self.wakes = 0
        self._plans: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._runs: set[str] = set()
        for each in apps:
            for day, second in each.opened:
                self._plan(MONDAY + day * DAY + second, lambda app=each: self._opens(app))  # type: ignore[misc]
        for begin, end in self.offline:
            self._plan(MONDAY + begin, lambda: self._network("offline"))
            self._plan(MONDAY + end, lambda: self._network("online"))
        self._live(MONDAY + days * DAY)

    def _plan(self, at: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._plans, (at, next(self._numbers), what))

    def _live(self, until: float) -> None:
        turns = 0
        while True:
            asked = self.driver.desk.next_wake()
            planned = self._plans[0][0] if self._plans else until
            at = min(planned, asked if asked is not None else until)
            if at >= until:
                return
            turns = 0 if at > self.driver.now else turns + 1
            assert turns <= 100, f"woken again and again at {at}"
            self.driver.now = max(self.driver.now, at)
            if at == planned:
                heapq.heappop(self._plans)[2]()
            else:
                self.wakes += 1
                self.driver.handle(ev.TimePassed())
            self._apps_act()

    def _apps_act(self) -> None:
        for app, used in self.apps.items():
            process = self.driver.processes.get(app)
            if process is None:
                continue
            if not process.connected:
                self.driver.connect(app)
            for run in process.runs.keys() - self._runs:
                self._runs.add(run)
                used.launches.append(self.driver.now)
                self._plan(self.driver.now + 8.0, lambda each=used: self._refreshed(each))  # type: ignore[misc]
            process.inbox.clear()

    def _refreshed(self, used: Used) -> None:
        """The handler: asks for the next time first, then is done."""
        if self.driver.at_work(used.app):
            self._submit(used)
            self.driver.complete(used.app, "news")

    def _opens(self, used: Used) -> None:
        self.driver.open(used.app)
        self._submit(used)
        self._plan(self.driver.now + used.stays, lambda: self._leaves(used))

    def _leaves(self, used: Used) -> None:
        if self.driver.state(used.app) is S.FOREGROUND:
            self.driver.sleep(used.app)

    def _submit(self, used: Used) -> None:
        used.earliest = self.driver.now + used.pause
        self.driver.submit(used.app, RefreshTask("news", used.earliest, requires_network=used.needs_network))

    def _network(self, value: str) -> None:
        self.driver.is_now(Condition.NETWORK, value)

    # --- looking at it --------------------------------------------------------------------------------------------

    def of_day(self, used: Used, day: int) -> list[float]:
        """Seconds of that day at which it was launched."""
        begin = MONDAY + day * DAY
        return [at - begin for at in used.launches if begin <= at < begin + DAY]


def daily(name: str, at: float, days: range, pause: float = HOUR) -> Used:
    return Used(name, [(day, at + 90.0 * (day % 3)) for day in days], pause)


@pytest.mark.contract("S14")
def test_from_the_third_day_on_news_is_there_shortly_before_the_person_looks() -> None:
    mail = daily("mail", 7.5 * HOUR, range(7), pause=20 * MINUTE)
    week = Weeks([mail], 7)
    for day in range(2, 7):
        fresh = [at for at in week.of_day(mail, day) if 7 * HOUR <= at < 7.5 * HOUR]
        assert len(fresh) == 1, f"day {day}: {week.of_day(mail, day)}"


@pytest.mark.contract("S14")
def test_after_two_weeks_the_days_of_the_week_are_told_apart() -> None:
    """Opened early on work days and late at weekends."""
    times = [7.5 * HOUR] * 5 + [10.5 * HOUR] * 2
    mail = Used("mail", [(day, times[day % 7]) for day in range(28)], pause=10 * MINUTE)
    weeks = Weeks([mail], 28)
    for day in range(14, 28):
        usual = times[day % 7]
        *sooner, last = [at for at in weeks.of_day(mail, day) if at < usual]
        assert usual - 2 * LIMITS.habit_lead <= last <= usual - MINUTE
        # Friday's usual time is more than a day before Saturday's: so long nothing waits.
        assert len(sooner) == (day % 7 == 5)


@pytest.mark.contract("S14", "S15")
def test_an_app_that_is_seldom_used_is_launched_seldom() -> None:
    often = Used("often", [(day, 4 * hour * HOUR) for day in range(7) for hour in range(6)], pause=30 * MINUTE)
    seldom = Used("seldom", [(0, 12 * HOUR)], pause=30 * MINUTE)
    never = Used("never", [])
    Weeks([often, seldom, never], 7)
    of_one_day_in_seven = LIMITS.budget_least + (LIMITS.budget_most - LIMITS.budget_least) / 7
    assert 7 < len(seldom.launches) <= LIMITS.budget_burst + 6.5 * of_one_day_in_seven
    assert len(often.launches) > len(seldom.launches)
    assert never.launches == []


@pytest.mark.contract("S15")
def test_launches_are_spread_over_the_day_however_often_an_app_asks() -> None:
    greedy = Used("greedy", [(day, 9 * HOUR + 10 * day) for day in range(7)], pause=0.0)
    Weeks([greedy], 7)
    rate = LIMITS.budget_most / DAY
    for first, begin in enumerate(greedy.launches):
        for number, at in enumerate(greedy.launches[first:], start=1):
            assert number <= LIMITS.budget_burst + (at - begin) * rate + 1e-3


@pytest.mark.contract("S15")
def test_several_apps_are_woken_together() -> None:
    """Ten apps that are opened within a quarter of an hour at breakfast and want news by the next."""
    apps = [daily(f"app{number}", 7.5 * HOUR + 80.0 * number, range(7), pause=3 * HOUR) for number in range(10)]
    week = Weeks(apps, 7)
    launches = [at for each in apps for at in each.launches if at > MONDAY + 2 * DAY]
    moments = Counter(round(at / MINUTE) for at in launches)
    assert len(launches) >= 5 * len(apps)
    assert len(moments) <= len(launches) / 2.5
    assert max(moments.values()) >= LIMITS.refresh_at_once
    every = sum(len(each.launches) + len(each.opened) for each in apps)
    assert week.wakes <= 2 * every, "woken for nothing"


@pytest.mark.contract("S10", "S14")
def test_news_that_was_missed_for_want_of_a_network_comes_as_soon_as_there_is_one() -> None:
    mail = daily("mail", 7.5 * HOUR, range(5), pause=20 * MINUTE)
    mail.opened.remove((4, 7.5 * HOUR + 90.0))
    week = Weeks([mail], 5, offline=[(4 * DAY, 4 * DAY + 9 * HOUR)])
    assert week.of_day(mail, 4)[0] == 9 * HOUR


def test_a_desk_whose_apps_ask_for_nothing_is_not_woken() -> None:
    idle = Weeks([Used("quiet", [])], 7)
    assert idle.wakes == 0


SECOND = st.integers(0, 24 * 60 - 1).map(lambda minute: minute * MINUTE)
OPENED = st.lists(st.tuples(st.integers(0, 6), SECOND), max_size=12, unique=True)
APPS = st.lists(
    st.tuples(OPENED, st.sampled_from([0.0, 10 * MINUTE, HOUR, 6 * HOUR]), st.booleans()), min_size=1, max_size=6
)
OFFLINE = st.lists(st.tuples(st.floats(0, 6 * DAY), st.floats(60, DAY)), max_size=2)


@pytest.mark.contract("S06", "S10", "S14", "S15", "S16")
@given(APPS, OFFLINE)
@settings(max_examples=5, deadline=None)
def test_a_week_of_anybody(
    lives: list[tuple[list[tuple[int, float]], float, bool]], offline: list[tuple[float, float]]
) -> None:
    """Never early, never without the network that is required, within the budget; and whoever waits knows why."""
    apps = [Used(f"app{number}", *life) for number, life in enumerate(lives)]
    gaps = [(begin, begin + length) for begin, length in offline[:1]]
    week = Weeks(apps, 7, gaps)
    for each in apps:
        assert len(each.launches) <= LIMITS.budget_burst + 7 * LIMITS.budget_most
        for first, begin in enumerate(each.launches):
            number, at = len(each.launches) - first, each.launches[-1]
            assert number <= LIMITS.budget_burst + (at - begin) * LIMITS.budget_most / DAY + 1e-3
        for before, at in pairwise(each.launches):
            assert at - before >= each.pause, "before its earliest_begin"
        for begin, end in gaps if each.needs_network else []:
            assert not [at for at in each.launches if MONDAY + begin < at < MONDAY + end]
        for explained in week.driver.desk.explain(each.app, week.driver.now):
            if explained.state is TaskState.RUNNING:
                continue
            assert explained.reasons, "it waits, and nothing says why"
            assert explained.next_look is not None or len(gaps) or week.driver.state(each.app) is S.FOREGROUND
    launches = sum(len(each.launches) for each in apps)
    assert week.wakes <= 20 + 8 * launches + 4 * sum(len(each.opened) for each in apps)
