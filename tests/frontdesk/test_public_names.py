"""The public names of frontdesk: what an app may import, and nothing besides."""

import ast
import inspect
import subprocess
import sys
import types
from pathlib import Path

import pytest

import frontdesk
from frontdesk import dashboard

PUBLIC = """
    App INVALID_TASK
    Push Answer ShowThis SHOW_AS_IT_IS SHOW_NOTHING
    start_desk DeskControl DeskStatus AppStatus AppState Hold Happening Span Shown Receipt StopReason Manifest
    Notification Action Level Subscription SubscriptionStatus PushKind Verdict WakeReason
    TaskScheduler ScheduledTask TaskRequest RefreshTask ProcessingTask ContinuedTask Retry Growth ExistingWork Strategy
    TaskKind TaskState TaskEnd TaskReceipt PendingTask Explanation Reason Obstacle Budget Condition Reading Requirement
    FrontdeskError DeskUnavailable RefusedError VersionMismatch AlreadyRunning ManifestError TaskExpired Refusal
""".split()  # noqa: SIM905  (grouped by subject; a list would be 32 lines without order)
"""A name is added here, and documented, when an app may rely on it; removing one breaks apps."""


PUBLIC_MODULES = {"frontdesk.dashboard"}
"""Beside the package itself: heavier than what every app should load, so imported by its own name."""


def test_the_public_names_are_these() -> None:
    assert sorted(frontdesk.__all__) == sorted(PUBLIC)


def test_nothing_else_is_to_be_seen_on_the_package() -> None:
    seen = {
        name
        for name, value in vars(frontdesk).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert seen == set(PUBLIC)


def test_the_package_only_passes_names_on() -> None:
    tree = ast.parse(Path(inspect.getfile(frontdesk)).read_text(encoding="utf-8"))
    kinds = {type(node) for node in tree.body}
    assert kinds <= {ast.Expr, ast.ImportFrom, ast.Assign}  # the docstring, imports, __all__


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_class_says_what_it_is(name: str) -> None:
    value = getattr(frontdesk, name)
    if inspect.isclass(value):
        assert value.__doc__


ROOT = Path(__file__).resolve().parents[2]
# Benchmarks are none: what a step of the core costs is measured at the core.
OUTSIDERS = [
    *(path for folder in ("demo", "examples") for path in sorted((ROOT / folder).rglob("*.py"))),
    ROOT / "packages" / "lobby" / "src" / "lobby" / "background.py",
]


def names_taken(source: str) -> set[str]:
    """What the source takes from frontdesk: names, and modules below it written with their dots."""
    taken: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            taken.update(alias.name for alias in node.names if alias.name.startswith("frontdesk."))
        elif isinstance(node, ast.ImportFrom) and node.module == "frontdesk":
            taken.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("frontdesk."):
            taken.add(str(node.module))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "frontdesk":
            taken.add(node.attr)
    return taken


def test_what_a_source_takes_is_seen() -> None:
    source = "import frontdesk, frontdesk.wire\nfrom frontdesk import App\nfrom frontdesk.app import connection\n"
    assert names_taken(source + "frontdesk.Push\n") == {"frontdesk.wire", "App", "frontdesk.app", "Push"}


@pytest.mark.parametrize("path", OUTSIDERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_outsiders_use_public_names_only(path: Path) -> None:
    assert names_taken(path.read_text(encoding="utf-8")) <= set(PUBLIC) | PUBLIC_MODULES


def test_the_public_names_of_the_dashboard_are_these() -> None:
    assert sorted(dashboard.__all__) == ["Gap", "STATIC", "Strip", "live", "scheduled_tasks", "time_line"]


def test_importing_frontdesk_is_light() -> None:
    heavy = ["aiohttp", "cryptography", "dbus_fast", "sqlite3", "jinja2", "nio", "frontdesk.agent", "frontdesk.push"]
    code = f"import sys, frontdesk; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
