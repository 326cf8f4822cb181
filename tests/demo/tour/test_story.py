"""The runner of the tour: each step is timed and told, a failed one is named and does not keep the next from trying."""

from demo.errors import DemoError
from demo.tour.story import Outcome, Step, line, play
from frontdesk import DeskUnavailable


async def good(cast: list[str]) -> str:
    cast.append("good")
    return "as it should be"


async def bad(cast: list[str]) -> str:
    raise DemoError("Nobody came.")


async def without_desk(cast: list[str]) -> str:
    raise DeskUnavailable("No desk answers.")


async def test_a_failed_step_is_named_and_the_next_is_played() -> None:
    cast: list[str] = []
    told: list[Outcome] = []
    outcomes = await play([Step("one", bad), Step("two", without_desk), Step("three", good)], cast, told.append)
    assert told == outcomes
    assert [(outcome.number, outcome.ok, outcome.note) for outcome in outcomes] == [
        (1, False, "Nobody came."),
        (2, False, "No desk answers."),
        (3, True, "as it should be"),
    ]
    assert cast == ["good"]


def test_a_line_says_ok_or_what_went_wrong() -> None:
    assert "ok" in line(Outcome(1, "one", True, 1.25, "fine"))
    failed = line(Outcome(1, "one", False, 1.25, "Nobody came."))
    assert "FAILED" in failed and "Nobody came." in failed
