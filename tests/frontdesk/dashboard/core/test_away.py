"""The dashboard's own knowledge of a desk that was gone."""

from frontdesk.dashboard.core.away import Away
from frontdesk.dashboard.core.lanes import Gap

NOW = 1_700_000_000.0


def test_between_two_desks_there_is_a_gap() -> None:
    away = Away()
    away.there(1, NOW)
    away.gone(NOW + 1)
    away.gone(NOW + 2)
    assert away.is_away and away.gaps == (Gap(NOW + 1, None),)
    away.there(2, NOW + 3)
    assert not away.is_away and away.gaps == (Gap(NOW + 1, NOW + 3),)


def test_a_desk_that_was_only_hard_to_reach_was_not_gone() -> None:
    away = Away()
    away.there(1, NOW)
    away.gone(NOW + 1)
    away.there(1, NOW + 2)
    assert not away.is_away and away.gaps == ()


def test_before_the_first_desk_nothing_is_missed() -> None:
    away = Away()
    away.gone(NOW)
    assert not away.is_away and away.gaps == ()


def test_a_clock_that_went_back_leaves_no_gap_of_negative_length() -> None:
    away = Away()
    away.there(1, NOW)
    away.gone(NOW + 9)
    away.there(2, NOW)
    assert away.gaps == ()
