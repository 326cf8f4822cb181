"""Where ``CI=true`` is set, a skipped test fails the run: what was not run has not been tested."""

import os

import pytest

SKIPPED = pytest.StashKey[dict[str, str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SKIPPED] = {}
    config.pluginmanager.register(NoSkips(config.stash[SKIPPED]), "no-skips")


class NoSkips:
    """Remembers what was skipped in one session, and why; workers (pytest-xdist) report theirs to the controller."""

    def __init__(self, skipped: dict[str, str]) -> None:
        self._skipped = skipped

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self._skipped[report.nodeid] = _reason(report)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self._skipped[report.nodeid] = _reason(report)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._skipped and _on_ci():
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._skipped and _on_ci():
            terminalreporter.section("skipped, and CI allows no skips")
            for test, reason in self._skipped.items():
                terminalreporter.line(f"{test}: {reason}")


def _on_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"true", "1"}


def _reason(report: pytest.CollectReport | pytest.TestReport) -> str:
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
