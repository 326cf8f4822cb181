"""The words of ``frontdesk simulate condition``: what cannot be is refused before anything is changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.cli import conditions, simulate
from frontdesk.cli.main import main
from frontdesk.errors import FrontdeskError
from frontdesk.terms import VALUES, Condition, Reading

NOW = 1_000_000.0


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("power=batery", "power cannot be 'batery': write power=VALUE, where VALUE is external or battery."),
        ("power", "power has no value"),
        ("power=", "power cannot be ''"),
        ("battery=101", "battery cannot be '101': write battery=VALUE, where VALUE is 0 to 100."),
        ("battery=063", "battery cannot be '063'"),
        (
            "colour=red",
            "'colour' is no condition; there are: power, battery, power_saver, network,",
        ),
    ],
)
def test_what_cannot_be_says_what_can(word: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "condition", "idle=yes", word]) == 1
    out, err = capsys.readouterr()
    assert out == "" and said in err and err.endswith("Nothing was changed.\n")


@pytest.mark.parametrize("condition", Condition)
def test_each_value_there_is_can_be_written(condition: Condition) -> None:
    for value in VALUES[condition]:
        assert simulate._forced(f"{condition}={value}") == (condition, value)
    assert simulate._forced("battery=63%") == (Condition.BATTERY, "63")


@given(st.text(max_size=30))
def test_any_word_is_a_condition_or_is_refused(word: str) -> None:
    try:
        condition, value = simulate._forced(word)
    except FrontdeskError as error:
        assert "Nothing was changed" in str(error)
    else:
        assert value in VALUES[condition]


def test_lifting_a_word_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "condition", "--lift", "power=battery"]) == 1
    assert "is no condition" in capsys.readouterr().err


@pytest.mark.contract("S10")
def test_a_condition_says_its_value_who_says_so_and_what_is_simulated() -> None:
    readings = (
        Reading(Condition.POWER, "battery", "UPower", NOW - 7200, forced=True, seen="external"),
        Reading(Condition.BATTERY, "63", "UPower", NOW - 60, seen="63"),
        Reading(Condition.METERED),
        Reading(Condition.IDLE, "yes", forced=True),
    )
    assert conditions.rows(readings, NOW) == [
        (
            "power",
            "battery",
            "SIMULATED (really external, says UPower); lift with: frontdesk simulate condition --lift power",
        ),
        ("battery", "63 %", "UPower, for 1 min"),
        ("metered", "unknown", "no source can tell; counts as met"),
        ("idle", "yes", "SIMULATED (really unknown); lift with: frontdesk simulate condition --lift idle"),
    ]
