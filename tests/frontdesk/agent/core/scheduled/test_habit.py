"""Habit: which times are usual, when a refresh is best before them, and that no clock and no forgetting does harm."""

import datetime
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frontdesk.agent.core import effects as do
from frontdesk.agent.core import events as ev
from frontdesk.agent.core.limits import Limits
from frontdesk.agent.core.scheduled.habit import DAY, HOUR, MINUTE, Habit

APP = "org.example.news"
LIMITS = Limits()
MONDAY = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC).timestamp()
"""The first moment of a Monday, the time in which these tests are written."""
HALF_PAST_SEVEN = 7 * HOUR + 30 * MINUTE


def opened(habit: Habit, *moments: float, app: str = APP) -> None:
    for moment in moments:
        assert habit.handle(ev.CameForeground(app), moment) == []


def work_days(first: int = 0, last: int = 28) -> list[float]:
    """Half past seven on each work day among these days."""
    return [MONDAY + day * DAY + HALF_PAST_SEVEN for day in range(first, last) if day % 7 < 5]


def restored(habit: Habit) -> Habit:
    """The next desk, by what this one has just saved."""
    after = Habit(LIMITS)
    for save in habit.saves():
        assert isinstance(save, do.Save)
        if save.value is not None:
            after.restore(save.key, save.value)
    return after


@pytest.mark.contract("S14")
def test_without_a_habit_a_refresh_is_wanted_as_soon_as_it_may_be() -> None:
    habit = Habit(LIMITS)
    assert habit.wanted(APP, MONDAY + 100, MONDAY) == MONDAY + 100
    opened(habit, MONDAY + HALF_PAST_SEVEN)
    later = MONDAY + DAY
    assert habit.wanted(APP, later, later) == later
    assert habit.wanted("org.example.other", later, later) == later


@pytest.mark.contract("S14")
def test_two_days_in_the_same_hour_are_a_habit_until_the_days_of_the_week_are_known() -> None:
    habit = Habit(LIMITS)
    opened(habit, *work_days(0, 2))
    evening = MONDAY + DAY + 20 * HOUR
    assert habit.wanted(APP, evening, evening) == MONDAY + 2 * DAY + HALF_PAST_SEVEN - LIMITS.habit_lead
    assert len(habit.usual_times(APP, evening)) == 7


@pytest.mark.contract("S14")
def test_after_two_weeks_a_weekend_without_use_has_no_usual_time_and_a_refresh_waits_a_day_at_most() -> None:
    habit = Habit(LIMITS)
    opened(habit, *work_days(0, 14))
    friday, saturday = MONDAY + 18 * DAY + 20 * HOUR, MONDAY + 19 * DAY + 9 * HOUR
    assert sorted(habit.usual_times(APP, saturday)) == [7, 31, 55, 79, 103]
    assert habit.wanted(APP, friday, friday) == friday + LIMITS.habit_wait
    assert habit.wanted(APP, saturday, saturday) == saturday + LIMITS.habit_wait


def test_an_hour_opened_now_and_then_is_not_usual() -> None:
    habit = Habit(LIMITS)
    opened(habit, *work_days(0, 28), MONDAY + 3 * DAY + 15 * HOUR, MONDAY + 20 * DAY + 15 * HOUR)
    now = MONDAY + 27 * DAY + 23 * HOUR
    assert set(habit.usual_times(APP, now).values()) == {30}


def test_days_of_the_week_are_told_apart_from_the_fourteenth_day_on() -> None:
    habit = Habit(LIMITS)
    opened(habit, *work_days(0, 14))
    assert len(habit.usual_times(APP, MONDAY + 12 * DAY)) == 7
    assert len(habit.usual_times(APP, MONDAY + 13 * DAY)) == 5


def test_where_many_weeks_are_known_half_of_them_make_a_usual_time() -> None:
    for weeks, usual in ((range(0, 12, 2), {7: 30}), (range(0, 10, 2), {})):
        habit = Habit(Limits(habit_days=84))
        opened(habit, *(MONDAY + 7 * week * DAY + HALF_PAST_SEVEN for week in weeks))
        assert habit.usual_times(APP, MONDAY + 83 * DAY) == usual


def test_the_expected_minute_is_the_median_of_first_openings_the_earlier_of_two() -> None:
    habit = Habit(LIMITS)
    for week, minute in enumerate((50, 20, 30, 40)):
        day = MONDAY + 7 * week * DAY + 7 * HOUR
        opened(habit, day + minute * MINUTE, day + 55 * MINUTE)
    assert habit.usual_times(APP, MONDAY + 21 * DAY + 8 * HOUR) == {7: 30}


@pytest.mark.contract("S14")
def test_a_request_that_may_begin_just_before_the_usual_time_begins_then() -> None:
    habit = Habit(LIMITS)
    opened(habit, *work_days(0, 5))
    earliest = MONDAY + 5 * DAY + HALF_PAST_SEVEN - 120
    assert habit.wanted(APP, earliest, MONDAY + 4 * DAY + 9 * HOUR) == earliest


@pytest.mark.contract("S14")
def test_once_refreshed_for_a_usual_time_the_next_request_aims_at_the_next() -> None:
    habit = Habit(LIMITS)
    opened(habit, *work_days(0, 5))
    launched = MONDAY + 5 * DAY + HALF_PAST_SEVEN - LIMITS.habit_lead
    assert habit.wanted(APP, MONDAY + 4 * DAY + 9 * HOUR, launched) == launched
    habit.refreshed(APP, launched)
    again = launched + 5
    assert habit.wanted(APP, again, again) == launched + DAY


def test_opened_somewhat_early_today_the_usual_time_of_today_is_not_aimed_at() -> None:
    habit = Habit(LIMITS)
    opened(habit, *work_days(0, 5))
    today = MONDAY + 5 * DAY + HALF_PAST_SEVEN
    opened(habit, today - 600)
    assert habit.wanted(APP, today - 300, today - 300) > today + DAY - HOUR


def test_what_is_learned_counts_at_once() -> None:
    habit = Habit(LIMITS)
    opened(habit, MONDAY + HALF_PAST_SEVEN)
    assert habit.usual_times(APP, MONDAY + DAY + HALF_PAST_SEVEN) == {}
    opened(habit, MONDAY + DAY + HALF_PAST_SEVEN)
    assert len(habit.usual_times(APP, MONDAY + DAY + HALF_PAST_SEVEN)) == 7


def test_refreshed_together_with_others_somewhat_earlier_it_is_refreshed_for_that_time_too() -> None:
    habit = Habit(LIMITS)
    opened(habit, *work_days(0, 5))
    taken_along = MONDAY + 5 * DAY + HALF_PAST_SEVEN - LIMITS.habit_lead - LIMITS.together
    habit.refreshed(APP, taken_along - 1)
    assert habit.wanted(APP, taken_along, taken_along) == taken_along + LIMITS.together
    habit.refreshed(APP, taken_along)
    assert habit.wanted(APP, taken_along + 5, taken_along + 5) > MONDAY + 6 * DAY


def test_a_usual_time_that_went_by_is_made_up_for_and_never_put_off() -> None:
    habit = Habit(LIMITS)
    opened(habit, *work_days(0, 5))
    earliest = MONDAY + 4 * DAY + 20 * HOUR
    due = MONDAY + 5 * DAY + HALF_PAST_SEVEN - LIMITS.habit_lead
    for now in (earliest, due, due + HOUR, due + 12 * HOUR):
        assert habit.wanted(APP, earliest, now) == due


@pytest.mark.contract("S14")
def test_use_older_than_28_days_does_not_count() -> None:
    habit = Habit(LIMITS)
    opened(habit, *work_days(0, 14))
    last = MONDAY + 11 * DAY
    assert habit.use(APP, last + 23 * HOUR) == pytest.approx(10 / 12)
    assert habit.use(APP, last + 27 * DAY) == pytest.approx(1 / 28)
    assert habit.usual_times(APP, last + 27 * DAY) == {}
    assert habit.use(APP, last + 28 * DAY) == 0.0


def test_what_is_too_old_is_forgotten_when_the_app_is_opened_again() -> None:
    habit = Habit(LIMITS)
    opened(habit, *work_days(0, 28))
    (before,) = habit.saves()
    opened(habit, MONDAY + 90 * DAY, MONDAY + 91 * DAY)
    (after,) = habit.saves()
    assert isinstance(before, do.Save) and before.value is not None
    assert isinstance(after, do.Save) and after.value is not None
    assert len(after.value) < 20 < len(before.value) < 200


def test_one_use_under_a_wrong_clock_neither_counts_nor_costs_what_was_learned() -> None:
    for years in (-30, 70):
        habit = Habit(LIMITS)
        opened(habit, *work_days(0, 28))
        now = MONDAY + 27 * DAY + 20 * HOUR
        usual = habit.usual_times(APP, now)
        habit.handle(ev.WallClock(years * 365 * DAY, 0.0), now)
        opened(habit, now)
        habit.handle(ev.WallClock(0.0, 0.0), now)
        opened(habit, now + 60)
        assert habit.usual_times(APP, now).items() >= usual.items()
        assert habit.use(APP, now) == pytest.approx(21 / 28)


def test_usual_times_are_local_and_travel_with_the_person() -> None:
    habit = Habit(LIMITS)
    habit.handle(ev.WallClock(ahead=50.0, utc_offset=2.0 * HOUR), MONDAY)
    opened(habit, *(moment - 2 * HOUR - 50 for moment in work_days(0, 5)))
    evening = MONDAY + 4 * DAY + 20 * HOUR
    best = MONDAY + 5 * DAY + HALF_PAST_SEVEN - LIMITS.habit_lead
    assert habit.wanted(APP, evening, evening) == best - 2 * HOUR - 50
    habit.handle(ev.WallClock(ahead=0.0, utc_offset=-5.0 * HOUR), evening)
    assert habit.wanted(APP, evening, evening) == best + 5 * HOUR


def test_use_is_measured_in_days_and_one_day_makes_no_daily_user() -> None:
    habit = Habit(LIMITS)
    assert habit.use(APP, MONDAY) == 0.0
    opened(habit, MONDAY, MONDAY + HOUR, MONDAY + 2 * HOUR)
    assert habit.use(APP, MONDAY + 3 * HOUR) == pytest.approx(1 / 7)
    opened(habit, *(MONDAY + day * DAY for day in range(1, 7)))
    assert habit.use(APP, MONDAY + 6 * DAY) == 1.0


def test_saved_once_an_hour_at_most_and_gone_with_the_app() -> None:
    habit = Habit(LIMITS)
    opened(habit, MONDAY, MONDAY + 60)
    assert len(habit.saves()) == 1
    opened(habit, MONDAY + 120)
    assert habit.saves() == []
    habit.handle(ev.AppRemoved(APP), MONDAY + 200)
    assert habit.saves() == [do.Save("habit", APP, None)]
    assert habit.next_wake() is None


MOMENT = st.floats(0, 40 * DAY).map(lambda seconds: MONDAY + seconds)


@given(st.lists(MOMENT, max_size=60), MOMENT, MOMENT, st.none() | MOMENT)
def test_never_before_earliest_never_later_than_it_may_wait_and_the_same_after_a_restart(
    uses: list[float], earliest: float, now: float, refreshed: float | None
) -> None:
    habit = Habit(LIMITS)
    opened(habit, *sorted(uses))
    after = restored(habit)
    if refreshed is not None:
        habit.refreshed(APP, refreshed)
    assert earliest <= habit.wanted(APP, earliest, now) <= earliest + LIMITS.habit_wait
    assert after.usual_times(APP, now) == habit.usual_times(APP, now)
    assert after.use(APP, now) == habit.use(APP, now)
    assert 0.0 <= habit.use(APP, now) <= 1.0


@given(
    st.lists(st.tuples(MOMENT, st.floats(-1e10, 1e10), st.floats(-50_000, 50_000)), max_size=40),
    st.floats(-1e15, 1e300),
)
@settings(max_examples=50)
def test_no_clock_breaks_it(happened: list[tuple[float, float, float]], earliest: float) -> None:
    habit = Habit(Limits(habit_days=3))
    for now, ahead, utc_offset in happened:
        habit.handle(ev.WallClock(ahead, utc_offset), now)
        opened(habit, now)
        assert earliest <= habit.wanted(APP, earliest, now) <= earliest + LIMITS.habit_wait
        assert len(restored(habit)._apps.get(APP, habit._of(APP)).first) <= 3 * 24


@pytest.mark.contract("S14")
def test_a_month_of_a_person_who_opens_at_half_past_seven_on_work_days() -> None:
    """The app asks for the next refresh whenever it was opened or refreshed; from the third week on all are of use."""
    dice = random.Random(4)
    habit = Habit(LIMITS)
    refreshes: list[float] = []
    earliest = MONDAY
    for moment in work_days(0, 35):
        use = moment + dice.uniform(-5, 5) * MINUTE
        while (due := habit.wanted(APP, earliest, use)) < use:
            habit.refreshed(APP, due)
            refreshes.append(due)
            earliest = due + 30
        opened(habit, use)
        earliest = use + 600
    mornings = [(at - MONDAY) % DAY for at in refreshes if at > MONDAY + 14 * DAY and (at - MONDAY) // DAY % 7 < 5]
    assert len(mornings) == 15
    assert all(7 * HOUR <= at < 7 * HOUR + 25 * MINUTE for at in mornings)
    weekends = [at for at in refreshes if at > MONDAY + 14 * DAY and (at - MONDAY) // DAY % 7 >= 5]
    assert len(weekends) <= 2 * 3
