"""Who may submit what (contract S01, L10)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.agent.core.scheduled.permission import declared, refusal
from frontdesk.terms import ContinuedTask, Manifest, ProcessingTask, RefreshTask, Refusal, TaskKind

MANIFEST = Manifest("org.a.b", "A", ("a",), background=("refresh", "continued"), tasks=("news", "export.*"))


@pytest.mark.contract("S01")
def test_what_is_declared_with_its_mode_may_be_submitted() -> None:
    assert refusal(RefreshTask("news"), MANIFEST, available=True) is None
    for no in (RefreshTask("weather"), ProcessingTask("news"), RefreshTask("export.photos"), RefreshTask("export.*x")):
        found = refusal(no, MANIFEST, available=True)
        assert found is not None
        assert found[0] is Refusal.NOT_PERMITTED
        assert found[1].endswith("Nothing was changed.")
    assert refusal(RefreshTask("news"), None, available=True) is not None


@pytest.mark.contract("S01", "S18")
@given(st.text(max_size=20))
def test_a_declared_beginning_covers_every_ending_of_a_continued_task(ending: str) -> None:
    assert declared(f"export.{ending}", TaskKind.CONTINUED, MANIFEST) == bool(ending)
    assert declared(f"export.{ending}", TaskKind.REFRESH, MANIFEST) == (ending == "*")
    assert not declared(f"exports{ending}", TaskKind.CONTINUED, MANIFEST)


@pytest.mark.contract("L10")
def test_with_background_running_off_nothing_may() -> None:
    for task in (RefreshTask("news"), ContinuedTask("export.photos", title="Photos")):
        found = refusal(task, MANIFEST, available=False)
        assert found is not None
        assert found[0] is Refusal.UNAVAILABLE


def test_an_identifier_has_at_most_200_characters_and_a_time_lies_before_the_year_3000() -> None:
    long = "export." + "x" * 193
    assert refusal(ContinuedTask(long), MANIFEST, available=True) is None
    assert refusal(ContinuedTask(long + "x"), MANIFEST, available=True) is not None
    last = 32503680000.0
    assert refusal(RefreshTask("news", earliest_begin=last), MANIFEST, available=True) is None
    assert refusal(RefreshTask("news", earliest_begin=last + 1), MANIFEST, available=True) is not None
