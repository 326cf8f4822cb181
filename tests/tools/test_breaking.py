"""What counts as a break of a machine, and that tests run over the broken source."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.breaking.__main__ import CORE, TESTS, looked_at_by
from tools.breaking.breaks import breaks_of

ROOT = Path(__file__).resolve().parents[2]
LIMITS = frozenset({"settle"})

OFFERED = {
    "MOVES = {S.A: 1, S.B: 2}": ["MOVES = {S.B: 2}", "MOVES = {S.A: 1}"],
    "SEEN = frozenset({S.A, S.B})": ["SEEN = frozenset({S.B})", "SEEN = frozenset({S.A})"],
    "x = now + self._limits.settle": ["x = now + (self._limits.settle * 3 + 1)"],
    "MOST = 20": ["MOST = (20 * 3 + 1)"],
    "match e:\n    case A():\n        f()": ["match e:\n    case A() if False:\n        f()"],
    "match e:\n    case A() if b:\n        f()": ["match e:\n    case A() if False:\n        f()"],
}

NOT_OFFERED = [
    "x = limits.get(1)",
    "f'no ready within {self._limits.settle} s'",
    "most = 20",
    "match e:\n    case _:\n        f()",
    "x = {key: value for key, value in y}",
    "x = {f(): 1, g(): 2}",
]


@pytest.mark.parametrize("source", OFFERED)
def test_breaks_of_a_source(source: str) -> None:
    assert [each.source for each in breaks_of(source, LIMITS)] == OFFERED[source]


@pytest.mark.parametrize("source", NOT_OFFERED)
def test_what_is_no_break(source: str) -> None:
    assert breaks_of(source, LIMITS) == []


def test_a_break_after_letters_of_two_bytes_is_in_its_place() -> None:
    assert [each.source for each in breaks_of("Ü = 'ü'; MOST = 3", LIMITS)] == ["Ü = 'ü'; MOST = (3 * 3 + 1)"]


def test_a_machine_is_tried_with_its_own_tests_first_then_with_those_of_all() -> None:
    own = TESTS / "life" / "test_life.py"
    assert looked_at_by(CORE / "life" / "life.py") == [own, TESTS]
    assert looked_at_by(CORE / "recorded" / "recording.py") == [TESTS]
    assert own.exists()


def _over(source: str, tests: Path) -> int:
    command = [sys.executable, "-m", "tools.breaking.run", "frontdesk.agent.core.backoff", str(tests)]
    return subprocess.run(command, input=source, text=True, cwd=ROOT, capture_output=True, check=False).returncode


def test_tests_see_the_broken_source_and_nobody_else_does(tmp_path: Path) -> None:
    tests = tmp_path / "test_it.py"
    tests.write_text("from frontdesk.agent.core import backoff\ndef test_it():\n    assert backoff.IT == 1\n")
    assert (_over("IT = 1", tests), _over("IT = 2", tests)) == (0, 1)
