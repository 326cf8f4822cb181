"""A skipped test fails the run on CI, and only there."""

from pathlib import Path

import pytest

SKIPS = {
    "a call": "import pytest\ndef test_it(): pytest.skip('no browser here')\n",
    "a marker": "import pytest\n@pytest.mark.skipif(True, reason='no browser here')\ndef test_it(): pass\n",
    "a file": "import pytest\npytest.skip('no browser here', allow_module_level=True)\n",
}


def run(tree: pytest.Pytester, patch: pytest.MonkeyPatch, tests: str, ci: str, *more: str) -> pytest.RunResult:
    patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    patch.setenv("CI", ci)
    tree.makepyfile(test_one=tests, test_two="def test_passes(): pass")
    return tree.runpytest_inprocess("-p", "tests.no_skips", "-p", "no:cacheprovider", *more)


@pytest.mark.parametrize("how", SKIPS)
def test_a_skip_fails_the_run_on_ci_and_says_why(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    done = run(pytester, monkeypatch, SKIPS[how], "true")
    assert done.ret == 1
    assert "no browser here" in done.stdout.str()


@pytest.mark.parametrize("how", SKIPS)
def test_a_skip_of_one_of_several_workers_fails_the_run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))
    done = run(pytester, monkeypatch, SKIPS[how], "true", "-p", "xdist.plugin", "-n", "2")
    assert done.ret == 1
    assert "no browser here" in done.stdout.str()


@pytest.mark.parametrize("how", SKIPS)
def test_a_skip_elsewhere_is_only_a_skip(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    assert run(pytester, monkeypatch, SKIPS[how], "").ret == 0


def test_a_run_without_skips_passes_on_ci(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(pytester, monkeypatch, "def test_it(): pass\n", "true").ret == 0
