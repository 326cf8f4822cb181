"""Fetching uv for real: over HTTP from a server of the test's own, into a tree of the test's own."""

import functools
import hashlib
import http.server
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "fetch_uv.py"
PROGRAM = "#!/bin/sh\necho uv 0.99.1\n"
FITS = "manylinux_2_5_{0}.macosx_10_12_x86_64.macosx_11_0_arm64.musllinux_1_1_{0}".format(os.uname().machine)


class Index(NamedTuple):
    """A served folder, and what was asked of it."""

    folder: Path
    address: str
    asked: list[str]


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files and remembers requests."""

    def __init__(self, asked: list[str], *arguments: object, directory: str) -> None:
        self._asked = asked
        super().__init__(*arguments, directory=directory)  # type: ignore[arg-type]

    def log_message(self, format: str, *arguments: object) -> None:
        self._asked.append(self.path)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    folder = tmp_path / "index"
    folder.mkdir()
    asked: list[str] = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, asked, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Index(folder, f"http://127.0.0.1:{server.server_port}", asked)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def tree(tmp_path: Path, index: Index) -> Path:
    """A project with our script and a lock file that pins the wheel of the index."""
    packed = index.folder / f"uv-0.99.1-py3-none-{FITS}.whl"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("uv/__init__.py", "")
        archive.writestr("uv-0.99.1.data/scripts/uv", PROGRAM)
    tree = tmp_path / "tree"
    (tree / "tools").mkdir(parents=True)
    shutil.copy(SCRIPT, tree / "tools")
    digest = hashlib.sha256(packed.read_bytes()).hexdigest()
    (tree / "uv.lock").write_text(
        f'[[package]]\nname = "uv"\nversion = "0.99.1"\n'
        f'wheels = [{{ url = "{index.address}/{packed.name}", hash = "sha256:{digest}" }}]\n'
    )
    return tree


def fetch(tree: Path, path: str = "") -> subprocess.CompletedProcess[str]:
    """Runs the script with this Python, which has no pip: the download is all that is left."""
    environment = {"PATH": path, "HOME": str(tree), "SSL_CERT_FILE": "/dev/null"}
    command = [sys.executable, str(tree / "tools" / "fetch_uv.py")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_program_of_the_wheel_is_unpacked_and_its_path_printed(tree: Path) -> None:
    done = fetch(tree)
    assert done.returncode == 0, done.stderr
    program = tree / ".tools" / "uv-0.99.1" / "uv"
    assert done.stdout == f"{program}\n"
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == "uv 0.99.1\n"
    assert [entry.name for entry in program.parent.iterdir()] == ["uv"]  # nothing half-made is left


def test_what_was_fetched_is_not_fetched_again(tree: Path, index: Index) -> None:
    fetch(tree)
    asked = len(index.asked)
    assert fetch(tree).returncode == 0
    assert len(index.asked) == asked


def test_another_file_under_the_address_is_refused(tree: Path, index: Index) -> None:
    (served,) = index.folder.iterdir()
    served.write_bytes(served.read_bytes() + b"more")
    done = fetch(tree)
    assert done.returncode == 1
    assert "SHA-256 differs" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tree / ".tools" / "uv-0.99.1" / "uv").exists()


def test_a_failed_download_says_what_was_tried_and_what_to_do(tree: Path, index: Index) -> None:
    (served,) = index.folder.iterdir()
    served.unlink()
    done = fetch(tree)
    assert done.returncode == 1
    assert "No module named pip" in done.stderr
    assert "404" in done.stderr
    assert "HTTPS_PROXY" in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


@pytest.mark.parametrize(("version", "taken"), [("0.9.0", True), ("1.0.2", True), ("0.8.17", False), ("?", False)])
def test_a_uv_on_the_path_is_used_when_it_is_new_enough(tree: Path, tmp_path: Path, version: str, taken: bool) -> None:
    installed = tmp_path / "bin" / "uv"
    installed.parent.mkdir()
    installed.write_text(f"#!/bin/sh\necho uv {version}\n")
    installed.chmod(0o755)
    done = fetch(tree, path=str(installed.parent))
    assert done.returncode == 0
    assert (done.stdout.strip() == str(installed)) == taken
