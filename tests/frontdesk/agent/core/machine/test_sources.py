"""Whose word counts: the best source's that has one, whatever is told in whatever order; and no news twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.core import events as ev
from frontdesk.agent.core.machine.sources import Sources
from frontdesk.terms import VALUES, Condition

ORDER = ("UPower", "psutil", "guess")
POWER = Condition.POWER


def test_the_stand_in_is_heard_only_where_the_service_has_nothing_to_say() -> None:
    sources = Sources(ORDER)
    assert sources.tell("psutil", POWER, "battery") == ev.ConditionSeen(POWER, "battery", "psutil")
    assert sources.tell("UPower", POWER, "external") == ev.ConditionSeen(POWER, "external", "UPower")
    assert sources.tell("psutil", POWER, "external") is None
    assert sources.tell("psutil", POWER, "battery") is None
    assert sources.tell("UPower", POWER, "") == ev.ConditionSeen(POWER, "battery", "psutil")


@pytest.mark.contract("S10")
def test_what_nobody_can_tell_any_more_is_unknown() -> None:
    sources = Sources(ORDER)
    assert sources.tell("UPower", POWER, "") is None
    sources.tell("UPower", POWER, "battery")
    assert sources.tell("UPower", POWER, "") == ev.ConditionSeen(POWER, "", "")


def test_who_says_so_is_news_too() -> None:
    sources = Sources(ORDER)
    sources.tell("psutil", POWER, "battery")
    assert sources.tell("UPower", POWER, "battery") == ev.ConditionSeen(POWER, "battery", "UPower")


_words = st.sampled_from([Condition.POWER, Condition.NETWORK]).flatmap(
    lambda condition: st.tuples(st.sampled_from(ORDER), st.just(condition), st.sampled_from(["", *VALUES[condition]]))
)


@given(st.lists(_words))
def test_what_the_desk_has_heard_is_the_first_word_in_order(words: list[tuple[str, Condition, str]]) -> None:
    sources = Sources(ORDER)
    said: dict[tuple[str, Condition], str] = {}
    heard: dict[Condition, tuple[str, str]] = {}
    for source, condition, value in words:
        said[source, condition] = value
        if (news := sources.tell(source, condition, value)) is not None:
            assert news.condition is condition
            assert heard.get(condition) != (news.value, news.source)
            heard[condition] = (news.value, news.source)
        for each in (Condition.POWER, Condition.NETWORK):
            due = next(((said[name, each], name) for name in ORDER if said.get((name, each))), ("", ""))
            assert heard.get(each, ("", "")) == due
