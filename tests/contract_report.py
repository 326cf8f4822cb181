"""Says which rules of ``docs/contract.md`` are proven: ``pytest --contract-report``, behind ``make contract``.

A test proves a rule by carrying it, ``@pytest.mark.contract("A03")``. A rule is proven when at least one test carries
it and all that carry it passed; a failed, skipped or unfinished test proves nothing. Parametrised cases of one test
function count as one test.
"""

import dataclasses
import enum
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

RULE_ROW = re.compile(r"^\| ([A-Z][0-9]{2}) \|", re.MULTILINE)


class Outcome(enum.IntEnum):
    """How a test ended; of several (its cases; set-up, call, tear-down) the highest counts."""

    PASSED = 0
    UNFINISHED = 1
    SKIPPED = 2
    FAILED = 3


_COLLECTED = "contract"
"""Under this word a worker of pytest-xdist hands its controller: test → how many cases, which rules."""

PROVES_NOTHING = {Outcome.FAILED: "failed", Outcome.SKIPPED: "skipped", Outcome.UNFINISHED: "did not run"}


@dataclasses.dataclass(frozen=True)
class Finding:
    """What the tests that carry one rule say about it."""

    rule: str
    outcomes: tuple[Outcome, ...]

    @property
    def proven(self) -> bool:
        return bool(self.outcomes) and all(outcome is Outcome.PASSED for outcome in self.outcomes)

    def line(self) -> str:
        """``A03 proven (2 tests)``, ``A03 unproven`` or ``A03 unproven (1 of 2 tests failed)``."""
        count = len(self.outcomes)
        tests = "1 test" if count == 1 else f"{count} tests"
        if self.proven:
            return f"{self.rule} proven ({tests})"
        wrong = [
            f"{self.outcomes.count(kind)} of {tests} {word}"
            for kind, word in PROVES_NOTHING.items()
            if kind in self.outcomes
        ]
        return f"{self.rule} unproven ({', '.join(wrong)})" if wrong else f"{self.rule} unproven"


def rules_in(contract: str) -> tuple[str, ...]:
    """The numbers of all rules in the text of the contract, in its order. Raises ValueError on a number given twice."""
    rules = tuple(RULE_ROW.findall(contract))
    twice = sorted({rule for rule in rules if rules.count(rule) > 1})
    if twice:
        raise ValueError(f"The contract gives these numbers twice: {', '.join(twice)}.")
    return rules


def findings(
    rules: Iterable[str], carried: Mapping[str, Iterable[str]], outcomes: Mapping[str, Outcome]
) -> tuple[Finding, ...]:
    """One finding per rule. ``carried``: test → rules on it; ``outcomes``: test → how it ended (absent: it did not)."""
    return tuple(
        Finding(rule, tuple(outcomes.get(test, Outcome.UNFINISHED) for test, on_it in carried.items() if rule in on_it))
        for rule in rules
    )


def closing_line(found: Iterable[Finding], sections: tuple[str, ...]) -> str:
    """``N of 85 rules proven``, and of which sections when the report was limited to some."""
    found = tuple(found)
    limited = f" in {'section' if len(sections) == 1 else 'sections'} {', '.join(sections)}" if sections else ""
    return f"{sum(finding.proven for finding in found)} of {len(found)} rules proven{limited}"


class ContractReport:
    """Watches one test session; when a report was asked for, picks the tests that carry rules and prints it."""

    def __init__(self, rules: tuple[str, ...], sections: tuple[str, ...], wanted: bool) -> None:
        self._rules = rules
        self._sections = sections
        self._wanted = wanted
        self._carried: dict[str, set[str]] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._cases: dict[str, int] = {}
        self._ended: dict[str, int] = {}

    def _asked_for(self, rule: str) -> bool:
        return not self._sections or rule[0] in self._sections

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        chosen: list[pytest.Item] = []
        others: list[pytest.Item] = []
        for item in items:
            rules = self._rules_on(item)
            if not self._wanted or any(self._asked_for(rule) for rule in rules):
                chosen.append(item)
                self._carried.setdefault(_test_of(item.nodeid), set()).update(rules)
                self._cases[_test_of(item.nodeid)] = self._cases.get(_test_of(item.nodeid), 0) + 1
            else:
                others.append(item)
        if others:
            config.hook.pytest_deselected(items=others)
            items[:] = chosen

    def _rules_on(self, item: pytest.Item) -> set[str]:
        rules: set[str] = set()
        for marker in item.iter_markers("contract"):
            unknown = [rule for rule in marker.args if rule not in self._rules]
            if unknown or not marker.args or marker.kwargs:
                raise pytest.UsageError(
                    f"{item.nodeid} carries contract{marker.args!r}; each has to be a rule of docs/contract.md."
                )
            rules.update(marker.args)
        return rules

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = _test_of(report.nodeid)
        worst = self._outcomes.get(test, Outcome.PASSED)
        if report.failed:
            worst = Outcome.FAILED
        elif report.skipped:
            worst = max(worst, Outcome.SKIPPED)
        self._outcomes[test] = worst
        if report.when == "teardown":
            self._ended[test] = self._ended.get(test, 0) + 1

    def _found(self) -> tuple[Finding, ...]:
        ended = {
            test: max(outcome, Outcome.UNFINISHED) if self._ended.get(test, 0) < self._cases.get(test, 0) else outcome
            for test, outcome in self._outcomes.items()
        }
        return findings((rule for rule in self._rules if self._asked_for(rule)), self._carried, ended)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object | None) -> None:
        """A worker of pytest-xdist has ended: each of them has collected all tests, the controller none."""
        collected = getattr(node, "workeroutput", {}).get(_COLLECTED)
        if collected is not None:
            self._cases = {test: cases for test, (cases, _) in collected.items()}
            self._carried = {test: set(rules) for test, (_, rules) in collected.items()}

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workeroutput"):
            collected = {test: (cases, sorted(self._carried[test])) for test, cases in self._cases.items()}
            session.config.workeroutput[_COLLECTED] = collected
        unproven = not all(finding.proven for finding in self._found())
        nothing_worse = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        if self._wanted and self._sections and unproven and nothing_worse:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        # Only here: pytest's own closing line comes after every summary, and the last line is to be ours.
        if not self._wanted or not config.pluginmanager.hasplugin("terminalreporter"):
            return
        found = self._found()
        terminal = config.get_terminal_writer()
        terminal.line()
        for finding in found:
            terminal.line(finding.line())
        terminal.line(closing_line(found, self._sections))


def _test_of(nodeid: str) -> str:
    return nodeid.partition("[")[0]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("contract", "the rules of docs/contract.md")
    group.addoption(
        "--contract-report", action="store_true", help="run the tests that carry rules, print a line per rule"
    )
    group.addoption(
        "--contract-sections", default="", metavar="L,A", help="limit the report; fail if a rule is unproven"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "contract(*rules): the rules of docs/contract.md that this test proves")
    rules = rules_in((config.rootpath / "docs" / "contract.md").read_text(encoding="utf-8"))
    asked = config.getoption("--contract-sections").replace(",", " ").upper().split()
    sections = tuple(dict.fromkeys(asked))
    unknown = set(sections) - {rule[0] for rule in rules}
    if unknown:
        known = ", ".join(dict.fromkeys(rule[0] for rule in rules))
        raise pytest.UsageError(f"No section {', '.join(sorted(unknown))} in docs/contract.md; there are {known}.")
    wanted = config.getoption("--contract-report") or bool(sections)
    config.pluginmanager.register(ContractReport(rules, sections, wanted), "contract-report")
