"""Where the programs are that tests start and Python's index does not have; ``make browser`` sees to them."""

import functools
import shutil
import subprocess

CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""A browser that starts in a container and speaks to nobody but our pages."""


def chromium() -> str:
    """Path of Chromium, or of a browser made from it. Raises FileNotFoundError that says what to run."""
    return _found("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def dbus_daemon() -> str:
    """Path of the D-Bus daemon. Raises FileNotFoundError that says what to run."""
    return _found("dbus-daemon")


@functools.cache
def python_with_dbusmock() -> str:
    """Path of the Python that has python-dbusmock. Raises FileNotFoundError that says what to run."""
    # The mock needs GObject's bindings, which distributions have for their own Python.
    python = "/usr/bin/python3"
    look = [python, "-c", "import dbusmock"]
    if shutil.which(python) is None or subprocess.run(look, capture_output=True, check=False).returncode != 0:
        raise FileNotFoundError("This test needs python-dbusmock, which is not installed. Run: make browser")
    return python


def _found(*names: str) -> str:
    for name in names:
        path = shutil.which(name)
        if path:
            return path
    raise FileNotFoundError(f"This test needs {names[0]}, which is not installed. Run: make browser")
