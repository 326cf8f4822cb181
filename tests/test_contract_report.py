"""The contract's report: its pure parts, and the whole of it on a tiny tree with tests of every outcome."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract_report import Finding, Outcome, closing_line, findings, rules_in

ROOT = Path(__file__).resolve().parents[1]

CONTRACT = """# A contract
## L. First
| # | Rule | Default |
|---|---|---|
| L01 | It lives. | - |
| L02 | It dies. | 5 s |
## A. Second
| # | Rule | Default |
|---|---|---|
| A01 | It begins. | - |
| A02 | It ends (see L01 | L02). | - |
| A03 | Nobody looks. | - |
"""

TESTS = """
import pytest

@pytest.mark.contract("L01")
def test_lives(): pass

@pytest.mark.contract("L01", "L02")
@pytest.mark.parametrize("times", [1, 2])
def test_lives_and_dies(times): pass

@pytest.mark.contract("A01")
def test_begins(): pass

@pytest.mark.contract("A01")
def test_begins_wrongly(): assert False

@pytest.mark.contract("A02")
def test_ends(): pytest.skip("not today")

def test_carries_nothing(): assert False
"""


@pytest.fixture
def tiny_tree(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A tree of one contract; no other plugin looks at it."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.mkdir("docs").joinpath("contract.md").write_text(CONTRACT)
    return pytester


def run(tree: pytest.Pytester, tests: str, *options: str) -> tuple[int, list[str]]:
    """Runs the report over the tree with one test file; exit status and lines printed."""
    tree.makepyfile(test_it=tests)
    done = tree.runpytest_inprocess("-p", "tests.contract_report", "-p", "no:cacheprovider", *options)
    return int(done.ret), done.outlines + done.errlines


def test_each_rule_has_its_line_and_the_count_comes_last(tiny_tree: pytest.Pytester) -> None:
    status, lines = run(tiny_tree, TESTS, "--contract-report")
    assert lines[-6:] == [
        "L01 proven (2 tests)",
        "L02 proven (1 test)",
        "A01 unproven (1 of 2 tests failed)",
        "A02 unproven (1 of 1 test skipped)",
        "A03 unproven",
        "2 of 5 rules proven",
    ]
    assert status == 1  # a test failed
    assert not any("test_carries_nothing" in line for line in lines)


def test_several_workers_make_the_same_report(tiny_tree: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    alone = run(tiny_tree, TESTS, "--contract-report")
    together = run(tiny_tree, TESTS, "--contract-report", "-p", "xdist.plugin", "-n", "2")
    assert (together[0], together[1][-6:]) == (alone[0], alone[1][-6:])
    section = run(tiny_tree, TESTS, "--contract-sections=A", "-p", "xdist.plugin", "-n", "2")
    assert section[1][-1] == "0 of 3 rules proven in section A"


def test_a_section_whose_rules_are_proven_passes_whatever_the_others_do(tiny_tree: pytest.Pytester) -> None:
    status, lines = run(tiny_tree, TESTS, "--contract-report", "--contract-sections=L")
    assert lines[-3:] == ["L01 proven (2 tests)", "L02 proven (1 test)", "2 of 2 rules proven in section L"]
    assert status == 0


def test_sections_with_an_unproven_rule_fail(tiny_tree: pytest.Pytester) -> None:
    without_failure = TESTS.replace("def test_begins_wrongly(): assert False", "def test_begins_wrongly(): pass")
    status, lines = run(tiny_tree, without_failure, "--contract-sections=l,a")
    assert lines[-1] == "3 of 5 rules proven in sections L, A"
    assert status == 1


def test_without_any_test_every_rule_is_unproven(tiny_tree: pytest.Pytester) -> None:
    status, lines = run(tiny_tree, "", "--contract-report", "--contract-sections=A")
    assert lines[-1] == "0 of 3 rules proven in section A"
    assert status == 1


@pytest.mark.parametrize("broken", ['"A99"', "", '"L01", "L1"'])
def test_a_marker_that_names_no_rule_stops_the_run(tiny_tree: pytest.Pytester, broken: str) -> None:
    status, lines = run(tiny_tree, TESTS.replace('"A02"', broken))
    assert status == pytest.ExitCode.USAGE_ERROR
    assert any("test_ends carries contract" in line for line in lines)


def test_an_unknown_section_stops_the_run(tiny_tree: pytest.Pytester) -> None:
    status, lines = run(tiny_tree, TESTS, "--contract-sections=L,Z")
    assert status == pytest.ExitCode.USAGE_ERROR
    assert any("No section Z in docs/contract.md; there are L, A." in line for line in lines)


@pytest.mark.parametrize(
    "fixture",
    ["raise OSError\n    yield", "yield\n    raise OSError"],
    ids=["set-up", "tear-down"],
)
def test_a_broken_fixture_proves_nothing(tiny_tree: pytest.Pytester, fixture: str) -> None:
    tests = f"""
import pytest

@pytest.fixture
def broken():
    {fixture}

@pytest.mark.contract("L01")
def test_lives(broken): pass
"""
    _, lines = run(tiny_tree, tests, "--contract-report")
    assert "L01 unproven (1 of 1 test failed)" in lines


def test_a_run_that_was_cut_short_proves_nothing_of_what_it_left_out(tiny_tree: pytest.Pytester) -> None:
    tests = TESTS.replace("def test_lives(): pass", "def test_lives(): assert False")
    _, lines = run(tiny_tree, tests, "--contract-report", "-x")
    assert "L01 unproven (1 of 2 tests failed, 1 of 2 tests did not run)" in lines
    assert "L02 unproven (1 of 1 test did not run)" in lines


def test_a_test_that_was_stopped_between_its_cases_proves_nothing(tiny_tree: pytest.Pytester) -> None:
    stops = "def test_lives_and_dies(times):\n    if times == 2: pytest.exit('enough')"
    tests = TESTS.replace("def test_lives_and_dies(times): pass", stops)
    _, lines = run(tiny_tree, tests, "--contract-report")
    assert "L02 unproven (1 of 1 test did not run)" in lines


def test_one_failed_case_fails_its_test(tiny_tree: pytest.Pytester) -> None:
    tests = TESTS.replace("def test_lives_and_dies(times): pass", "def test_lives_and_dies(times): assert times == 2")
    _, lines = run(tiny_tree, tests, "--contract-report")
    assert "L02 unproven (1 of 1 test failed)" in lines


def test_our_contract_has_its_85_rules_numbered_without_gaps() -> None:
    rules = rules_in((ROOT / "docs" / "contract.md").read_text(encoding="utf-8"))
    counts = {"L": 14, "A": 13, "S": 19, "P": 12, "C": 7, "T": 11, "N": 5, "X": 4}
    expected = tuple(f"{section}{number:02}" for section, count in counts.items() for number in range(1, count + 1))
    assert len(rules) == 85
    assert rules == expected


def test_a_number_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="A01"):
        rules_in("| A01 | one |\n| A02 | two |\n| A01 | one again |\n")


@given(st.lists(st.sampled_from(Outcome)))
def test_a_rule_is_proven_only_by_tests_that_all_passed(outcomes: list[Outcome]) -> None:
    carried = {f"test_{number}": ("A01",) for number in range(len(outcomes))}
    (finding,) = findings(("A01",), carried, {f"test_{number}": each for number, each in enumerate(outcomes)})
    assert finding.proven == (bool(outcomes) and set(outcomes) == {Outcome.PASSED})
    assert (" proven (" in finding.line()) == finding.proven
    assert closing_line((finding,), ()) == f"{int(finding.proven)} of 1 rules proven"


def test_a_test_that_never_ended_proves_nothing() -> None:
    assert findings(("A01",), {"test": ("A01",)}, {}) == (Finding("A01", (Outcome.UNFINISHED,)),)
