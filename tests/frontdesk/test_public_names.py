"""The public names of frontdesk: what an app may import, and nothing besides."""

import ast
import inspect
import subprocess
import sys
import types
from pathlib import Path

import pytest

import frontdesk

PUBLIC = """
    App INVALID_TASK
    Push Answer ShowThis SHOW_AS_IT_IS SHOW_NOTHING
    DeskControl DeskStatus AppStatus AppState Hold Happening Shown Receipt StopReason Manifest
    Notification Action Level Subscription PushKind Verdict WakeReason
    FrontdeskError DeskUnavailable RefusedError VersionMismatch AlreadyRunning ManifestError TaskExpired Refusal
""".split()  # noqa: SIM905  (grouped by subject; a list would be 32 lines without order)
"""A name is added here, and documented, when an app may rely on it; removing one breaks apps."""


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


def test_importing_frontdesk_is_light() -> None:
    heavy = ["aiohttp", "cryptography", "dbus_fast", "sqlite3", "jinja2", "nio", "frontdesk.agent", "frontdesk.push"]
    code = f"import sys, frontdesk; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
