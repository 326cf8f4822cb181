"""An absence of the desk is told once, with its length and its cause."""

from demo.stage.absence import Absence
from frontdesk.dashboard import Gap
from tests.demo.stage.desks import NOW


def texts(absence: Absence) -> list[str]:
    return [one.text for one in absence.noted]


def test_a_killed_desk_and_how_long_it_took() -> None:
    absence = Absence()
    absence.there(1, NOW)
    absence.killed(NOW + 5)
    absence.away(NOW + 5.4)
    absence.there(2, NOW + 6.2)
    absence.there(2, NOW + 7)
    assert texts(absence) == ["the desk was killed; back after 1.2 s"]
    assert absence.noted[0].at == NOW + 6.2


def test_a_last_word_of_the_killed_desk_is_not_its_return() -> None:
    absence = Absence()
    absence.there(1, NOW)
    absence.killed(NOW + 1)
    absence.there(1, NOW + 1.1)
    assert texts(absence) == []
    absence.there(2, NOW + 2)
    assert texts(absence) == ["the desk was killed; back after 1.0 s"]


def test_a_desk_that_died_without_the_switch_was_gone() -> None:
    absence = Absence()
    absence.there(1, NOW)
    absence.away(NOW + 1)
    absence.there(2, NOW + 3)
    assert texts(absence) == ["the desk was gone; back after 2.0 s"]


def test_the_same_process_was_never_gone() -> None:
    absence = Absence()
    absence.away(NOW)
    absence.there(1, NOW + 1)
    absence.away(NOW + 2)
    absence.there(1, NOW + 3)
    assert texts(absence) == []


def test_only_the_latest_are_kept() -> None:
    absence = Absence()
    for pid in range(1, 12):
        absence.there(pid, NOW + pid)
    assert [one.at for one in absence.noted] == [NOW + pid for pid in range(7, 12)]


def test_an_absence_is_a_gap_of_the_time_line_while_it_lasts_and_afterwards() -> None:
    absence = Absence()
    absence.there(1, NOW)
    absence.killed(NOW + 5)
    assert absence.gaps == (Gap(NOW + 5, None),)
    absence.there(2, NOW + 6.5)
    assert absence.gaps == (Gap(NOW + 5, NOW + 6.5),)
